// SPDX-License-Identifier: Apache-2.0
#include "tools/group_seek.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/list_offsets.h"
#include "tools/driver.h"
#include "tools/offsets.h"
#include "wire/errors.h"

static bool starts(struct str text, const char *prefix, struct str *rest)
{
    size_t size = strlen(prefix);
    if (!str_starts_with(text, prefix))
        return false;
    *rest = str_of(text.data + size, text.size - size);
    return true;
}

static int parse_point(struct str text, int64_t now_ms, struct seek_target *out, struct diag *diag)
{
    struct offset_range range;
    int err = offset_range_parse(text, now_ms, &range, diag);
    if (err < 0)
        return err;
    if (range.to.kind != OFFSET_NEVER ||
        (range.from.kind != OFFSET_EXACT && range.from.kind != OFFSET_TIME))
        return diag_set(diag, ERR_INVALID, "\"%.*s\" is not one place", STR_ARG(text));
    out->kind = range.from.kind == OFFSET_TIME ? SEEK_TO_TIME : SEEK_TO_OFFSET;
    out->value = range.from.value;
    return 0;
}

int seek_target_parse(struct str text, int64_t now_ms, struct seek_target *out, struct diag *diag)
{
    *out = (struct seek_target){0};
    if (str_is(text, "start"))
        out->kind = SEEK_TO_START;
    else if (str_is(text, "end"))
        out->kind = SEEK_TO_END;
    else if (str_is(text, "current"))
        out->kind = SEEK_TO_CURRENT;
    else if (starts(text, "group:", &out->text))
        out->kind = SEEK_TO_OTHER;
    else if (starts(text, "file:", &out->text))
        out->kind = SEEK_TO_FILE;
    else if (text.size > 1 && (text.data[0] == '+' || text.data[0] == '-')) {
        out->kind = SEEK_TO_BY;
        struct str number = text.data[0] == '+' ? str_of(text.data + 1, text.size - 1) : text;
        if (!str_parse_i64(number, &out->value))
            return diag_set(diag, ERR_INVALID, "\"%.*s\" needs a number", STR_ARG(text));
    } else {
        return parse_point(text, now_ms, out, diag);
    }
    if ((out->kind == SEEK_TO_OTHER || out->kind == SEEK_TO_FILE) && out->text.size == 0)
        return diag_set(diag, ERR_INVALID, "\"%.*s\" needs a name", STR_ARG(text));
    return 0;
}

// ---- The plan ----

static struct offset_query *ask(struct driver *d, struct admin_offsets *items, int64_t timestamp)
{
    struct offset_query *queries = mem_alloc_array((size_t)items->count + 1, sizeof *queries);
    for (int i = 0; i < items->count; i++)
        queries[i] = (struct offset_query){.topic = items->items[i].topic,
                                           .partition = items->items[i].partition,
                                           .timestamp = timestamp};
    if (items->count > 0)
        driver_list_offsets(d, queries, items->count, false);
    for (int i = 0; i < items->count; i++)
        if (items->items[i].code == KAFKA_NONE)
            items->items[i].code = queries[i].err != 0 ? KAFKA_REQUEST_TIMED_OUT : queries[i].code;
    return queries;
}

static int64_t offset_in(const struct admin_offsets *list, const struct admin_offset *item)
{
    const struct admin_offset *found =
        list != NULL ? admin_offsets_find(list, item->topic, item->partition) : NULL;
    return found != NULL ? found->offset : -1;
}

// -1: there is no target.
static int64_t wanted(const struct seek_target *target, const struct admin_offsets *committed,
                      const struct admin_offsets *given, const struct admin_offset *item,
                      int64_t start, int64_t end, int64_t by_time)
{
    int64_t now = offset_in(committed, item);
    switch (target->kind) {
    case SEEK_TO_START:
        return start;
    case SEEK_TO_END:
        return end;
    case SEEK_TO_OFFSET:
        return target->value;
    case SEEK_TO_TIME:
        return by_time >= 0 ? by_time : end;
    case SEEK_TO_CURRENT:
        return now >= 0 ? now : end;
    case SEEK_TO_BY:
        if (now < 0)
            return -1;
        return target->value < -now              ? 0
               : target->value > INT64_MAX - now ? INT64_MAX
                                                 : now + target->value;
    case SEEK_TO_OTHER:
    case SEEK_TO_FILE:
        return offset_in(given, item);
    }
    return -1;
}

void group_seek_plan(struct driver *d, const struct seek_target *target,
                     const struct admin_offsets *committed, const struct admin_offsets *given,
                     struct admin_offsets *items)
{
    struct offset_query *starts_at = ask(d, items, LIST_EARLIEST);
    struct offset_query *ends_at = ask(d, items, LIST_LATEST);
    struct offset_query *by_time =
        target->kind == SEEK_TO_TIME ? ask(d, items, target->value) : NULL;
    for (int i = 0; i < items->count; i++) {
        struct admin_offset *item = &items->items[i];
        int64_t start = starts_at[i].offset, end = ends_at[i].offset;
        int64_t offset = wanted(target, committed, given, item, start, end,
                                by_time != NULL ? by_time[i].offset : -1);
        item->is_fallback = by_time != NULL && by_time[i].offset < 0;
        item->leader_epoch = -1;
        item->metadata = str_from("");
        item->offset = item->code != KAFKA_NONE || offset < 0 ? -1
                       : offset < start                       ? start
                       : offset > end                         ? end
                                                              : offset;
    }
    mem_free(starts_at);
    mem_free(ends_at);
    mem_free(by_time);
}

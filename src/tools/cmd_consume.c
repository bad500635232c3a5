// SPDX-License-Identifier: Apache-2.0
//
// `chitin consume`.
#include <string.h>

#include "base/mem.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "tools/consumer.h"
#include "tools/format.h"
#include "tools/offsets.h"

enum {
    BOOTSTRAP,
    OFFSET,
    COUNT,
    PARTITIONS,
    FORMAT,
    JSON,
    EXIT_AT_END,
    REGEX,
    READ_COMMITTED,
    CONTROL_RECORDS,
    GROUP,
};

static const struct flag_def consume_flags[] = {
    [BOOTSTRAP] = COMMON_BOOTSTRAP,
    [OFFSET] = {.names = "-o, --offset", .argument = "OFFSET", .kind = FLAG_TEXT,
                .fallback = "start",
                .help = "Where to read: start, end, N, +N (after the start), -N (before the end), "
                        "A:B (a range), @-10m, @2026-11-21, @2026-11-21T16:05Z, @T1:T2."},
    [COUNT] = {.names = "-n, --num", .argument = "N", .kind = FLAG_I64, .min = 1,
               .max = INT64_MAX, .help = "Stop after this many records."},
    [PARTITIONS] = {.names = "-p, --partitions", .argument = "0,1,...", .kind = FLAG_TEXT,
                    .help = "Only these partitions."},
    [FORMAT] = {.names = "-f, --format", .argument = "FORMAT", .kind = FLAG_TEXT,
                .fallback = "%v\\n",
                .help = "How to print a record (see above), or json."},
    [JSON] = {.names = "-J, --json", .kind = FLAG_BOOL,
              .help = "One JSON object per record: the same as -f json."},
    [EXIT_AT_END] = {.names = "-e, --exit", .kind = FLAG_BOOL,
                     .help = "Stop at the end, as it was when reading began, instead of waiting "
                             "for more."},
    [REGEX] = {.names = "-r, --regex", .kind = FLAG_BOOL,
               .help = "TOPIC is a regular expression that whole names have to fit."},
    [READ_COMMITTED] = {.names = "--read-committed", .kind = FLAG_BOOL,
                        .help = "Hide records of aborted and open transactions."},
    [CONTROL_RECORDS] = {.names = "--print-control-records", .kind = FLAG_BOOL,
                         .help = "Show transaction markers too."},
    [GROUP] = {.names = "-g, --group", .argument = "GROUP", .kind = FLAG_TEXT, .help = NULL},
};

static void print_formatted(void *user, const struct fetched *r, int64_t count, struct buf *out)
{
    format_record(user, r, count, out);
}

static void print_json(void *user, const struct fetched *r, int64_t count, struct buf *out)
{
    struct json_printer p;
    json_printer_init(&p, out);
    json_object_begin(&p);
    json_member_str(&p, "topic", r->topic);
    json_member_int(&p, "partition", r->partition);
    json_member_int(&p, "offset", r->record.offset);
    json_member_int(&p, "timestamp", r->record.timestamp);
    json_member_str(&p, "timestamp_type",
                    str_from(batch_is_log_append_time(&r->batch) ? "log_append" : "create"));
    json_member_int(&p, "leader_epoch", r->leader_epoch);
    json_member_bytes(&p, "key", r->record.key);
    json_member_bytes(&p, "value", r->record.value);
    json_key(&p, "headers");
    json_array_begin(&p);
    struct bytes rest = r->record.headers;
    struct record_header h;
    while (record_header_next(&rest, &h) == 1) {
        json_object_begin(&p);
        json_member_bytes(&p, "key", str_bytes(h.key));
        json_member_bytes(&p, "value", h.value);
        json_object_end(&p);
    }
    json_array_end(&p);
    json_object_end(&p);
    buf_append_u8(out, '\n');
}

static struct fetch_position position_of(const struct offset_point *from)
{
    static const enum fetch_start kinds[] = {
        [OFFSET_START] = FETCH_FROM_EARLIEST,
        [OFFSET_END] = FETCH_FROM_LATEST,
        [OFFSET_EXACT] = FETCH_FROM_OFFSET,
        [OFFSET_TIME] = FETCH_FROM_TIME,
    };
    return (struct fetch_position){.kind = kinds[from->kind], .value = from->value};
}

static struct fetch_limit limit_of(const struct offset_point *to, bool exit_at_end)
{
    static const enum fetch_stop kinds[] = {
        [OFFSET_START] = FETCH_TO_EARLIEST, [OFFSET_END] = FETCH_TO_LATEST,
        [OFFSET_EXACT] = FETCH_TO_OFFSET,   [OFFSET_TIME] = FETCH_TO_TIME,
        [OFFSET_NEVER] = FETCH_FOREVER,
    };
    if (to->kind == OFFSET_NEVER && exit_at_end)
        return (struct fetch_limit){.kind = FETCH_TO_LATEST};
    return (struct fetch_limit){.kind = kinds[to->kind], .value = to->value};
}

// The topics to read: the arguments, or those whose names fit them. Free with mem_free(); with a
// pattern the names are views into `all`.
static int find_topics(struct tool *t, struct admin_topics *all, struct str **out, int *count)
{
    const struct flags *f = &t->flags;
    *out = mem_alloc_array((size_t)f->arg_count + 1, sizeof **out);
    *count = 0;
    if (!flags_given(f, REGEX)) {
        for (int i = 0; i < f->arg_count; i++)
            (*out)[(*count)++] = str_from(f->args[i]);
        return EXIT_OK;
    }
    int err = admin_topics_list(t->driver, all);
    if (err < 0)
        return tool_fail_call(t, err);
    *out = mem_resize(*out, (size_t)(all->count + 1) * sizeof **out);
    for (int i = 0; i < f->arg_count; i++) {
        struct diag diag;
        struct pattern *p = pattern_new(f->args[i], &diag);
        if (p == NULL)
            return tool_usage(t, "%s", diag.text);
        for (int k = 0; k < all->count; k++)
            if (pattern_matches(p, all->items[k].name) && *count < all->count)
                (*out)[(*count)++] = all->items[k].name;
        pattern_free(p);
    }
    if (*count == 0)
        return tool_fail(t, EXIT_NOT_FOUND, "no topic's name fits \"%s\"", f->args[0]);
    return EXIT_OK;
}

static int consume_with(struct tool *t, const struct wire_int32_array *partitions,
                        const struct format *format)
{
    const struct flags *f = &t->flags;
    struct offset_range range;
    struct diag diag;
    int64_t now_ms = driver_wall_ms(t->driver);
    if (offset_range_parse(str_from(flags_text(f, OFFSET)), now_ms, &range, &diag) < 0)
        return tool_usage(t, "%s", diag.text);
    struct admin_topics all = {0};
    struct str *topics;
    int topic_count;
    int status = find_topics(t, &all, &topics, &topic_count);
    struct consumer c = {
        .tool = t,
        .topics = topics,
        .topic_count = topic_count,
        .partitions = partitions->items,
        .partition_count = partitions->count,
        .position = position_of(&range.from),
        .limit = limit_of(&range.to, flags_given(f, EXIT_AT_END)),
        .options =
            {
                .read_committed = flags_given(f, READ_COMMITTED),
                .control_records = flags_given(f, CONTROL_RECORDS),
                .check_crcs = true,
            },
        .count_max = flags_given(f, COUNT) ? flags_number(f, COUNT) : -1,
        .idle_ms_max = -1,
        .print = format != NULL ? print_formatted : print_json,
        .user = (void *)(uintptr_t)format,
    };
    if (status == EXIT_OK)
        status = consumer_run(&c);
    mem_free(topics);
    admin_topics_release(&all);
    return status;
}

static int consume_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    if (flags_given(f, GROUP))
        return tool_usage(t, "this command cannot be a member of a group yet: leave --group away "
                             "and choose where to start with --offset");
    struct wire_int32_array partitions = {0};
    if (flags_given(f, PARTITIONS) &&
        ids_parse(str_from(flags_text(f, PARTITIONS)), ',', &partitions) < 0)
        return tool_usage(t, "--partitions needs numbers joined by ',', not \"%s\"",
                          flags_text(f, PARTITIONS));
    struct format *format = NULL;
    struct diag diag;
    bool json = flags_given(f, JSON) || strcmp(flags_text(f, FORMAT), "json") == 0;
    int status = EXIT_OK;
    if (!json && format_compile(str_from(flags_text(f, FORMAT)), &format, &diag) < 0)
        status = tool_usage(t, "%s", diag.text);
    if (status == EXIT_OK)
        status = tool_connect(t, flags_text(f, BOOTSTRAP));
    if (status == EXIT_OK)
        status = consume_with(t, &partitions, format);
    format_free(format);
    mem_free(partitions.items);
    return status;
}

const struct command command_consume = {
    .name = "consume",
    .arguments = "TOPIC...",
    .summary = "Print records, and wait for more.",
    .text =
        "Examples:\n"
        "  chitin consume orders                      everything, then what comes\n"
        "  chitin consume orders -o end               only what comes\n"
        "  chitin consume orders -o -10 -e            the last 10 of each partition\n"
        "  chitin consume orders -o @-1h -J           the last hour as JSON\n"
        "  chitin consume orders -o 100:200 -p 0      offsets 100 to 199 of partition 0\n"
        "  chitin consume orders -f '%d{rfc3339} %k %v\\n'\n"
        "\n"
        "Format (-f):\n"
        "  %t topic   %p partition   %o offset   %e leader epoch   %d timestamp in ms\n"
        "  %k key     %v value       %h{%k=%v } once per header\n"
        "  %T %K %V lengths (-1 for null)   %H number of headers   %i count so far\n"
        "  %a batch attributes   %x producer id   %y producer epoch\n"
        "  %% %{ %}   \\n \\t \\r \\0 \\\\ \\xNN\n"
        "  {hex} {base64} {json} {null[TEXT]} after %k %v; {hex} {big8..64} {little8..64} after\n"
        "  numbers; {rfc3339} {strftime[%F %T.%L]} after %d. Times are UTC.\n"
        "\n"
        "-o is the offset here; JSON is -J or -f json.",
    COMMAND_FLAGS(consume_flags),
    .arg_min = 1,
    .arg_max = -1,
    .run = consume_run,
};

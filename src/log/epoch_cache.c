// SPDX-License-Identifier: Apache-2.0
#include "log/epoch_cache.h"

#include <inttypes.h>

#include "base/err.h"
#include "base/mem.h"

void epoch_cache_init(struct epoch_cache *c)
{
    *c = (struct epoch_cache){0};
}

void epoch_cache_release(struct epoch_cache *c)
{
    mem_free(c->entries);
    epoch_cache_init(c);
}

void epoch_cache_clear(struct epoch_cache *c)
{
    c->count = 0;
}

static bool parse_line(struct str line, struct epoch_entry *out)
{
    struct str rest = line;
    struct str epoch = str_cut(&rest, ' ');
    return rest.data != NULL && str_parse_i32(epoch, &out->epoch) && out->epoch >= 0 &&
           str_parse_i64(rest, &out->start_offset) && out->start_offset >= 0;
}

static int parse_entries(struct epoch_cache *c, struct str rest, struct diag *diag)
{
    int64_t declared;
    if (!str_parse_i64(str_cut(&rest, '\n'), &declared) || declared < 0)
        return diag_set(diag, ERR_CORRUPT, "line 2: the number of entries is not a number");
    for (int line = 3; rest.data != NULL && rest.size > 0; line++) {
        struct epoch_entry e;
        if (!parse_line(str_cut(&rest, '\n'), &e))
            return diag_set(diag, ERR_CORRUPT, "line %d is not \"epoch offset\"", line);
        const struct epoch_entry *last = c->count > 0 ? &c->entries[c->count - 1] : NULL;
        if (last != NULL && (e.epoch <= last->epoch || e.start_offset < last->start_offset))
            return diag_set(diag, ERR_CORRUPT, "line %d does not follow the one before", line);
        mem_grow(c->entries, c->count, c->capacity);
        c->entries[c->count++] = e;
    }
    if (c->count != declared)
        return diag_set(diag, ERR_CORRUPT, "%d entries where line 2 says %" PRId64, c->count,
                        declared);
    return 0;
}

int epoch_cache_parse(struct epoch_cache *c, struct str text, struct diag *diag)
{
    c->count = 0;
    if (text.size == 0)
        return 0;
    struct str rest = text;
    if (!str_is(str_cut(&rest, '\n'), "0") || rest.data == NULL)
        return diag_set(diag, ERR_CORRUPT, "line 1: the version is not 0");
    int err = parse_entries(c, rest, diag);
    if (err < 0)
        c->count = 0;
    return err;
}

void epoch_cache_format(const struct epoch_cache *c, struct buf *out)
{
    buf_printf(out, "0\n%d\n", c->count);
    for (int i = 0; i < c->count; i++)
        buf_printf(out, "%" PRId32 " %" PRId64 "\n", c->entries[i].epoch,
                   c->entries[i].start_offset);
}

bool epoch_cache_assign(struct epoch_cache *c, int32_t epoch, int64_t start_offset)
{
    if (epoch < 0)
        return false;
    int keep = c->count;
    while (keep > 0 && (c->entries[keep - 1].epoch >= epoch ||
                        c->entries[keep - 1].start_offset >= start_offset)) {
        // What is known and still true is the common case: every append of one leader asks.
        if (c->entries[keep - 1].epoch == epoch && c->entries[keep - 1].start_offset <= start_offset)
            return keep < c->count ? (c->count = keep, true) : false;
        keep--;
    }
    c->count = keep;
    mem_grow(c->entries, c->count, c->capacity);
    c->entries[c->count++] = (struct epoch_entry){.epoch = epoch, .start_offset = start_offset};
    return true;
}

bool epoch_cache_truncate_end(struct epoch_cache *c, int64_t end_offset)
{
    int before = c->count;
    while (c->count > 0 && c->entries[c->count - 1].start_offset >= end_offset)
        c->count--;
    return c->count != before;
}

// Index of the entry that covers `offset`, or -1.
static int covering(const struct epoch_cache *c, int64_t offset)
{
    int low = 0, high = c->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (c->entries[middle].start_offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

bool epoch_cache_truncate_start(struct epoch_cache *c, int64_t start_offset)
{
    int drop = covering(c, start_offset);
    if (drop < 0 || (drop == 0 && c->entries[0].start_offset == start_offset))
        return false;
    c->count -= drop;
    memmove(c->entries, c->entries + drop, (size_t)c->count * sizeof *c->entries);
    c->entries[0].start_offset = start_offset;
    return true;
}

int32_t epoch_cache_latest(const struct epoch_cache *c)
{
    return c->count > 0 ? c->entries[c->count - 1].epoch : -1;
}

int32_t epoch_cache_at(const struct epoch_cache *c, int64_t offset)
{
    int i = covering(c, offset);
    return i >= 0 ? c->entries[i].epoch : -1;
}

void epoch_cache_end(const struct epoch_cache *c, int32_t epoch, int64_t log_end_offset,
                     int32_t *found_epoch, int64_t *end_offset)
{
    *found_epoch = -1;
    *end_offset = -1;
    if (c->count == 0 || epoch < 0 || epoch > epoch_cache_latest(c))
        return;
    if (epoch == epoch_cache_latest(c)) {
        *found_epoch = epoch;
        *end_offset = log_end_offset;
        return;
    }
    int next = 0;
    while (c->entries[next].epoch <= epoch)
        next++; // ends: the latest epoch is larger
    *found_epoch = next > 0 ? c->entries[next - 1].epoch : epoch;
    *end_offset = c->entries[next].start_offset;
}

// SPDX-License-Identifier: Apache-2.0
//
// Where reading a partition starts and stops: what has to be asked for (ListOffsets), and what follows
// from the answers.
#include "base/mem.h"
#include "client/client.h"
#include "client/fetcher_internal.h"

enum { LOOKUP_TIMEOUT_MS = 30000 };

struct fetch_position fetch_reset_position(const struct fetcher_options *o, int64_t now_ms)
{
    switch (o->reset) {
    case FETCH_RESET_LATEST:
        return (struct fetch_position){.kind = FETCH_FROM_LATEST};
    case FETCH_RESET_AGE:
        return (struct fetch_position){.kind = FETCH_FROM_TIME,
                                       .value = now_ms + o->wall_ahead_ms - o->reset_age_ms};
    default:
        return (struct fetch_position){.kind = FETCH_FROM_EARLIEST};
    }
}

// Whether the partition waits to go on at the offset nearest to the one it asked for.
static bool seeks_nearest(const struct partition *p)
{
    return p->resetting && p->fetcher->options.reset == FETCH_RESET_NEAREST;
}

static bool is_needed(const struct partition *p, enum lookup_kind kind)
{
    enum fetch_start from = p->position.kind;
    enum fetch_stop to = p->limit.kind;
    int64_t value = p->position.value;
    switch (kind) {
    case LOOKUP_EARLIEST:
        return seeks_nearest(p) || from == FETCH_FROM_EARLIEST ||
               (from == FETCH_FROM_LATEST && value > 0) || to == FETCH_TO_EARLIEST;
    case LOOKUP_LATEST:
        return seeks_nearest(p) || from == FETCH_FROM_LATEST || from == FETCH_FROM_TIME ||
               (from == FETCH_FROM_EARLIEST && value > 0) || to == FETCH_TO_LATEST ||
               to == FETCH_TO_TIME;
    case LOOKUP_FROM_TIME:
        return from == FETCH_FROM_TIME && !seeks_nearest(p);
    default:
        return to == FETCH_TO_TIME && !p->resetting;
    }
}

static int64_t lookup_time(const struct partition *p, enum lookup_kind kind)
{
    switch (kind) {
    case LOOKUP_EARLIEST:
        return LIST_EARLIEST;
    case LOOKUP_LATEST:
        return LIST_LATEST;
    case LOOKUP_FROM_TIME:
        return p->position.value;
    default:
        return p->limit.value;
    }
}

void fetcher__lookups_free(struct partition *p)
{
    for (int i = 0; i < LOOKUP_COUNT; i++) {
        offset_lookup_free(p->lookups[i]);
        p->lookups[i] = NULL;
    }
}

void fetcher__lookups_start(struct partition *p, int64_t now_ms)
{
    p->state = PARTITION_LOOKUP;
    for (int i = 0; i < LOOKUP_COUNT; i++) {
        if (!is_needed(p, i))
            continue;
        p->queries[i] = (struct offset_query){.topic = str_from(p->topic),
                                              .partition = p->index,
                                              .timestamp = lookup_time(p, i)};
        p->lookups[i] = offset_lookup_new(p->fetcher->client, &p->queries[i], 1,
                                          p->fetcher->options.read_committed, LOOKUP_TIMEOUT_MS,
                                          now_ms);
    }
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static int64_t start_offset(const struct partition *p)
{
    int64_t earliest = p->queries[LOOKUP_EARLIEST].offset, latest = p->queries[LOOKUP_LATEST].offset;
    int64_t value = p->position.value;
    switch (p->position.kind) {
    case FETCH_FROM_EARLIEST:
        return value > 0 ? clamp(earliest + value, earliest, latest) : earliest;
    case FETCH_FROM_LATEST:
        return value > 0 ? clamp(latest - value, earliest, latest) : latest;
    case FETCH_FROM_TIME:
        return p->queries[LOOKUP_FROM_TIME].offset >= 0 ? p->queries[LOOKUP_FROM_TIME].offset : latest;
    default:
        return value;
    }
}

static int64_t stop_offset(const struct partition *p)
{
    int64_t at_time = p->queries[LOOKUP_TO_TIME].offset, latest = p->queries[LOOKUP_LATEST].offset;
    switch (p->limit.kind) {
    case FETCH_TO_LATEST:
        return latest - p->limit.value;
    case FETCH_TO_EARLIEST:
        return p->queries[LOOKUP_EARLIEST].offset + p->limit.value;
    case FETCH_TO_OFFSET:
        return p->limit.value;
    case FETCH_TO_TIME:
        return at_time >= 0 ? at_time : latest;
    default:
        return INT64_MAX;
    }
}

static void reading_starts(struct partition *p)
{
    if (p->resetting) {
        int64_t offset = start_offset(p);
        if (seeks_nearest(p))
            offset = clamp(p->fetch_offset, p->queries[LOOKUP_EARLIEST].offset,
                           p->queries[LOOKUP_LATEST].offset);
        fetcher__say(p, FETCH_RESET, p->fetch_offset, offset, 0, 0);
        p->fetch_offset = offset;
        p->resetting = false;
    } else {
        p->fetch_offset = start_offset(p);
        p->stop_offset = stop_offset(p);
    }
    p->read_offset = p->fetch_offset;
    p->state = PARTITION_READ;
    if (p->read_offset >= p->stop_offset)
        fetcher__partition_end(p, FETCH_DONE, 0, 0);
}

void fetcher__lookups_step(struct partition *p, int64_t now_ms)
{
    bool done = true;
    for (int i = 0; i < LOOKUP_COUNT; i++) {
        if (p->lookups[i] == NULL)
            continue;
        offset_lookup_step(p->lookups[i], now_ms);
        done = done && offset_lookup_is_done(p->lookups[i]);
    }
    if (!done)
        return;
    for (int i = 0; i < LOOKUP_COUNT; i++) {
        const struct offset_query *q = &p->queries[i];
        if (p->lookups[i] != NULL && (q->code != 0 || q->err != 0)) {
            fetcher__lookups_free(p);
            fetcher__partition_end(p, FETCH_FAILED, q->code, q->err);
            return;
        }
    }
    fetcher__lookups_free(p);
    reading_starts(p);
}

// SPDX-License-Identifier: Apache-2.0
#include "tools/group_lag.h"

#include <stdlib.h>

#include "base/mem.h"
#include "client/list_offsets.h"
#include "tools/driver.h"
#include "tools/group_survey.h"

static struct group_lag_row *find(const struct group_lag *lag, struct str topic, int32_t partition)
{
    for (int i = 0; i < lag->count; i++)
        if (lag->items[i].partition == partition && str_equal(lag->items[i].topic, topic))
            return &lag->items[i];
    return NULL;
}

static void add(struct group_lag *lag, struct str topic, int32_t partition)
{
    mem_grow(lag->items, lag->count, lag->capacity);
    lag->items[lag->count++] = (struct group_lag_row){.topic = topic,
                                                      .partition = partition,
                                                      .offset = -1,
                                                      .leader_epoch = -1,
                                                      .start_offset = -1,
                                                      .end_offset = -1,
                                                      .lag = -1,
                                                      .lag_ms = -1,
                                                      .lost = -1};
}

static int order(const void *a, const void *b)
{
    const struct group_lag_row *x = a, *y = b;
    int c = str_compare(x->topic, y->topic);
    return c != 0 ? c : (x->partition > y->partition) - (x->partition < y->partition);
}

static void add_committed(struct group_lag *lag, const struct admin_offsets *offsets)
{
    for (int i = 0; i < offsets->count; i++) {
        add(lag, offsets->items[i].topic, offsets->items[i].partition);
        lag->items[lag->count - 1].offset = offsets->items[i].offset;
        lag->items[lag->count - 1].leader_epoch = offsets->items[i].leader_epoch;
    }
}

static void add_owned(struct group_lag *lag, const struct group_info *info)
{
    int committed = lag->count;
    struct group_lag known = {lag->items, committed, 0};
    for (int m = 0; m < info->member_count; m++)
        for (int s = 0; s < info->members[m].share_count; s++) {
            const struct group_share *share = &info->members[m].shares[s];
            for (int32_t p = 0; p < share->partitions.count; p++) {
                known.items = lag->items; // may have moved
                if (find(&known, share->topic, share->partitions.items[p]) == NULL)
                    add(lag, share->topic, share->partitions.items[p]);
            }
        }
}

static void ask_ends(struct driver *d, struct group_lag *lag, int64_t which)
{
    struct offset_query *queries = mem_alloc_array((size_t)lag->count + 1, sizeof *queries);
    for (int i = 0; i < lag->count; i++)
        queries[i] = (struct offset_query){
            .topic = lag->items[i].topic, .partition = lag->items[i].partition, .timestamp = which};
    if (lag->count > 0)
        driver_list_offsets(d, queries, lag->count, false);
    for (int i = 0; i < lag->count; i++) {
        int64_t offset = queries[i].code == 0 && queries[i].err == 0 ? queries[i].offset : -1;
        *(which == LIST_LATEST ? &lag->items[i].end_offset : &lag->items[i].start_offset) = offset;
    }
    mem_free(queries);
}

void group_lag_find(struct driver *d, const struct group_info *info,
                    const struct admin_offsets *offsets, struct group_lag *out)
{
    *out = (struct group_lag){0};
    add_committed(out, offsets);
    add_owned(out, info);
    if (out->count > 0)
        qsort(out->items, (size_t)out->count, sizeof *out->items, order);
    ask_ends(d, out, LIST_EARLIEST);
    ask_ends(d, out, LIST_LATEST);
    for (int i = 0; i < out->count; i++) {
        struct group_lag_row *row = &out->items[i];
        row->owner = group_owner(info, row->topic, row->partition);
        if (row->offset >= 0 && row->end_offset >= 0)
            row->lag = row->end_offset > row->offset ? row->end_offset - row->offset : 0;
    }
}

void group_lag_add_survey(struct group_lag *lag, const struct group_survey *survey)
{
    for (int i = 0; i < lag->count; i++) {
        const struct chitin_describe_groups_response_partition_lag *known =
            group_survey_partition(survey, lag->items[i].topic, lag->items[i].partition);
        if (known == NULL)
            continue;
        lag->items[i].lag_ms = known->lag_ms;
        lag->items[i].lost = known->lost_records;
    }
}

void group_lag_release(struct group_lag *lag)
{
    mem_free(lag->items);
    *lag = (struct group_lag){0};
}

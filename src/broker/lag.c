// SPDX-License-Identifier: Apache-2.0
#include "broker/lag.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/cold_read.h"
#include "broker/coordinators.h"
#include "broker/partition.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "broker/split.h"
#include "env/env.h"
#include "env/fs.h"
#include "env/work.h"
#include "log/log.h"
#include "wire/api/chitin_describe_groups.h"
#include "wire/batch.h"
#include "wire/errors.h"

enum {
    READ_BYTES = 16 * 1024,             // from the first unread record on; one batch at least
    BATCHES_BYTES_MAX = 256 * 1024 * 1024, // of a batch, packed or not
    TIME_UNKNOWN = -1,
};

struct lag_item {
    struct split_item item;
    struct str topic;
    struct uuid topic_id;
    struct chitin_describe_groups_response_partition_lag *out;
    int64_t first;          // unread offset that is there
    bool is_cold;           // the place of `first` is not in memory
    struct log_slice slice; // where it is; size 0: there is nothing to read
    int64_t timestamp_ms;   // of the first unread record
};

// One shard's part.
struct lag_share {
    struct split_share *share;
    struct cold_read cold;
    struct env_work work;
};

struct lag_op {
    struct lag_query query;
    struct split split;
    struct lag_item *items;
    int32_t count;
    int32_t capacity;
    void (*done)(struct lag_query *query);
};

// ---- On a worker ----

// The timestamp of the first record from `first` on; markers of transactions are none.
static int64_t find_time(struct bytes batches, int64_t first, struct buf *scratch)
{
    struct bytes rest = batches, batch;
    struct batch_header header;
    while (batch_next(&rest, &header, &batch) == 1) {
        struct batch_iter it;
        struct record record;
        if (batch_last_offset(&header) < first || batch_is_control(&header))
            continue;
        buf_clear(scratch);
        if (batch_iter_init(&it, batch, scratch) != 0)
            return TIME_UNKNOWN;
        while (batch_iter_next(&it, &record) == 1)
            if (record.offset >= first)
                return record.timestamp;
    }
    return TIME_UNKNOWN;
}

static int64_t read_time(const struct lag_item *item, struct buf *bytes, struct buf *scratch)
{
    const struct log_slice *slice = &item->slice;
    buf_clear(bytes);
    uint8_t *out = buf_extend(bytes, slice->size);
    if (out == NULL)
        return TIME_UNKNOWN;
    int64_t n = fs_file_read(slice->ref->file, out, slice->size, slice->position);
    return n == (int64_t)slice->size ? find_time(buf_bytes(bytes), item->first, scratch) : TIME_UNKNOWN;
}

static void read_times(struct env_work *work)
{
    struct lag_share *ls = container_of(work, struct lag_share, work);
    struct buf bytes, scratch;
    buf_init(&bytes, BATCHES_BYTES_MAX);
    buf_init(&scratch, BATCHES_BYTES_MAX);
    split_for_each(node, ls->share) {
        struct lag_item *item = container_of(node, struct lag_item, item);
        if (item->slice.size > 0)
            item->timestamp_ms = read_time(item, &bytes, &scratch);
    }
    buf_release(&bytes);
    buf_release(&scratch);
}

// ---- On the shard ----

static void times_came(struct env_work *work)
{
    struct lag_share *ls = container_of(work, struct lag_share, work);
    struct split_share *share = ls->share;
    int64_t now_ms = coordinators_now(share->shard).wall_ms;
    share->shard->away_count--;
    split_for_each(node, share) {
        struct lag_item *item = container_of(node, struct lag_item, item);
        if (item->slice.size == 0)
            continue;
        log_slice_release(&item->slice);
        if (item->timestamp_ms >= 0)
            item->out->lag_ms = item->timestamp_ms < now_ms ? now_ms - item->timestamp_ms : 0;
    }
    split_share_done(share);
}

// The partition as it is now; NULL, and the item says why, when there is nothing to measure.
static struct partition *find_partition(struct shard *s, struct lag_item *item)
{
    struct partition *p;
    int error = api_find_leader(s, item->topic, (struct uuid){{0}}, item->out->partition_index, -1, &p);
    if (error == KAFKA_NONE && !uuid_is_zero(item->topic_id) && !uuid_equal(item->topic_id, p->topic_id))
        error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    item->out->error_code = (int16_t)error;
    return error == KAFKA_NONE ? p : NULL;
}

static void measure(struct lag_item *item, const struct partition *p)
{
    struct chitin_describe_groups_response_partition_lag *out = item->out;
    int64_t committed = out->committed_offset, start = log_start_offset(p->log), end = p->high_watermark;
    item->first = committed > start ? committed : start;
    out->log_start_offset = start;
    out->end_offset = end;
    out->lost_records = committed < start ? start - committed : 0;
    out->lag_records = end > item->first ? end - item->first : 0;
    if (out->lag_records == 0)
        out->lag_ms = 0;
}

static void look(struct shard *s, struct lag_item *item)
{
    struct partition *p = find_partition(s, item);
    if (p == NULL)
        return;
    measure(item, p);
    if (item->out->lag_records > 0)
        item->is_cold = log_read_cached(p->log, item->first, READ_BYTES, true, p->high_watermark,
                                        &item->slice) == ERR_AGAIN;
}

// What it had to wait for is in memory now. The partition may be another meanwhile.
static void look_again(struct shard *s, struct lag_item *item)
{
    struct partition *p = find_partition(s, item);
    if (p == NULL)
        return;
    measure(item, p);
    if (item->out->lag_records > 0)
        (void)log_read(p->log, item->first, READ_BYTES, true, p->high_watermark, &item->slice);
}

static void start_times(struct lag_share *ls)
{
    struct shard *s = ls->share->shard;
    bool is_any = false;
    split_for_each(node, ls->share)
        is_any = is_any || container_of(node, struct lag_item, item)->slice.size > 0;
    if (!is_any) {
        split_share_done(ls->share);
        return;
    }
    ls->work = (struct env_work){.run = read_times, .done = times_came, .bulk = true};
    s->away_count++;
    env_work_submit(s->env->workers, &ls->work);
}

static void cold_came(struct cold_read *cold)
{
    struct lag_share *ls = container_of(cold, struct lag_share, cold);
    ls->share->shard->away_count--;
    split_for_each(node, ls->share) {
        struct lag_item *item = container_of(node, struct lag_item, item);
        if (item->is_cold)
            look_again(ls->share->shard, item);
    }
    start_times(ls);
}

// True if the places of some are not in memory, and will be.
static bool start_cold(struct lag_share *ls, int count)
{
    struct shard *s = ls->share->shard;
    if (count == 0 || !cold_read_init(&ls->cold, ls->share->arena, s->env, count))
        return false;
    split_for_each(node, ls->share) {
        struct lag_item *item = container_of(node, struct lag_item, item);
        struct partition *p = item->is_cold ? find_partition(s, item) : NULL;
        if (p != NULL)
            cold_read_add_place(&ls->cold, p->log, item->first, READ_BYTES);
    }
    if (!cold_read_start(&ls->cold, cold_came))
        return false;
    s->away_count++;
    return true;
}

static void run(struct split_share *share)
{
    struct lag_share *ls = share->user;
    int cold_count = 0;
    ls->share = share;
    split_for_each(node, share) {
        struct lag_item *item = container_of(node, struct lag_item, item);
        look(share->shard, item);
        cold_count += item->is_cold;
    }
    if (!start_cold(ls, cold_count))
        start_times(ls);
}

static void done(struct split *split)
{
    struct lag_op *op = container_of(split, struct lag_op, split);
    op->done(&op->query);
}

struct lag_query *lag_query_new(struct shard *home, struct request *r, int32_t capacity,
                                void (*finished)(struct lag_query *query), void *user)
{
    struct lag_op *op = arena_new(&r->arena, struct lag_op);
    if (op == NULL || !split_init(&op->split, home, r) ||
        (op->items = arena_new_array(&r->arena, (size_t)capacity + 1, struct lag_item)) == NULL)
        return NULL;
    op->query.user = user;
    op->capacity = capacity;
    op->done = finished;
    return &op->query;
}

void lag_query_add(struct lag_query *query, struct str topic, struct uuid topic_id,
                   struct chitin_describe_groups_response_partition_lag *partition)
{
    struct lag_op *op = container_of(query, struct lag_op, query);
    check(op->count < op->capacity);
    struct lag_item *item = &op->items[op->count++];
    item->topic = topic;
    item->topic_id = topic_id;
    item->out = partition;
    item->timestamp_ms = TIME_UNKNOWN;
    split_add(&op->split, topic, (struct uuid){{0}}, partition->partition_index, &item->item);
}

void lag_query_start(struct lag_query *query)
{
    struct lag_op *op = container_of(query, struct lag_op, query);
    if (split_new_users(&op->split, sizeof(struct lag_share)))
        split_start(&op->split, run, done);
    else
        api_no_memory(op->split.request);
}

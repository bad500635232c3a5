// SPDX-License-Identifier: Apache-2.0
//
// ListOffsets (key 2, versions 1-11): offsets by time, and the ends of a partition.
//   -1 latest, -2 earliest; v7: -3 record with the largest timestamp (KIP-734); v8: -4 earliest that
//   is local (KIP-405); v9: -5 latest in tiered storage (KIP-1005); v11: -6 earliest that is not
//   uploaded yet (KIP-1023). Without tiered storage -4 is the earliest, -5 and -6 are none (-1).
//   v2: isolation level. v4: leader epochs.
#include "base/check.h"
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/partition.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "broker/split.h"
#include "log/log.h"
#include "wire/api/list_offsets.h"
#include "wire/errors.h"

enum {
    LATEST = -1,
    EARLIEST = -2,
    MAX_TIMESTAMP = -3,
    EARLIEST_LOCAL = -4,
    LATEST_TIERED = -5,
    EARLIEST_PENDING_UPLOAD = -6,
};

static bool is_served(int64_t timestamp, int16_t version)
{
    return timestamp >= EARLIEST || (timestamp == MAX_TIMESTAMP && version >= 7) ||
           (timestamp == EARLIEST_LOCAL && version >= 8) ||
           (timestamp == LATEST_TIERED && version >= 9) ||
           (timestamp == EARLIEST_PENDING_UPLOAD && version >= 11);
}

static int position_at(struct partition *p, int64_t offset, struct log_position *out)
{
    int32_t epoch = offset > log_start_offset(p->log) || log_end_offset(p->log) > offset
                        ? log_epoch_at(p->log, offset)
                        : log_latest_epoch(p->log);
    *out = (struct log_position){offset, -1, epoch >= 0 ? epoch : -1};
    return ERR_OK;
}

// What consumers cannot see yet is not found.
static int search(struct partition *p, int64_t timestamp, int64_t limit, struct log_position *out)
{
    int err = timestamp == MAX_TIMESTAMP ? log_find_max_timestamp(p->log, out)
                                         : log_find_timestamp(p->log, timestamp, out);
    if (err == ERR_OK && out->offset >= limit)
        *out = (struct log_position){-1, -1, -1};
    return err;
}

static int find(struct partition *p, int64_t timestamp, int isolation_level,
                struct log_position *out)
{
    int64_t limit = partition_read_limit(p, isolation_level);
    *out = (struct log_position){-1, -1, -1};
    if (limit < 0)
        return (int)limit;
    switch (timestamp) {
    case LATEST:
        *out = (struct log_position){limit, -1, p->leader_epoch};
        return ERR_OK;
    case EARLIEST:
    case EARLIEST_LOCAL: return position_at(p, log_start_offset(p->log), out);
    case LATEST_TIERED:
    case EARLIEST_PENDING_UPLOAD: return ERR_OK;
    default: return search(p, timestamp, limit, out);
    }
}

struct list_offsets_item {
    struct split_item item;
    struct str topic;
    const struct list_offsets_request_list_offsets_partition *asked;
    struct list_offsets_response_list_offsets_partition_response *answer;
};

struct list_offsets_op {
    struct split split;
    const struct list_offsets_request *body;
    struct list_offsets_response reply;
};

static void fill(struct shard *s, const struct list_offsets_op *op,
                 const struct list_offsets_item *item)
{
    struct partition *p;
    struct log_position position;
    int16_t version = op->split.request->header.api_version;
    const struct list_offsets_request_list_offsets_partition *asked = item->asked;
    int kafka_error = api_find_leader(s, item->topic, (struct uuid){{0}}, asked->partition_index,
                                      asked->current_leader_epoch, &p);
    if (kafka_error == KAFKA_NONE && !is_served(asked->timestamp, version))
        kafka_error = KAFKA_UNSUPPORTED_VERSION;
    if (kafka_error == KAFKA_NONE)
        kafka_error =
            api_log_error(find(p, asked->timestamp, op->body->isolation_level, &position));
    item->answer->error_code = (int16_t)kafka_error;
    if (kafka_error != KAFKA_NONE)
        return;
    item->answer->offset = position.offset;
    item->answer->timestamp = position.timestamp;
    if (version >= 4)
        item->answer->leader_epoch = position.leader_epoch;
}

static void run(struct split_share *share)
{
    split_for_each(item, share)
        fill(share->shard, container_of(share->split, struct list_offsets_op, split),
             container_of(item, struct list_offsets_item, item));
    split_share_done(share);
}

static void done(struct split *split)
{
    request_reply(split->request, &container_of(split, struct list_offsets_op, split)->reply);
}

static bool add_topic(struct list_offsets_op *op,
                      const struct list_offsets_request_list_offsets_topic *topic,
                      struct list_offsets_response_list_offsets_topic_response *answer)
{
    struct arena *arena = &op->split.request->arena;
    int32_t count = topic->partitions.count;
    struct list_offsets_item *items = arena_new_array(arena, (size_t)count, struct list_offsets_item);
    answer->name = topic->name;
    if (items == NULL || !list_offsets_response_list_offsets_partition_response_array_new(
                             arena, count, &answer->partitions))
        return false;
    for (int32_t i = 0; i < count; i++) {
        items[i].topic = topic->name;
        items[i].asked = &topic->partitions.items[i];
        items[i].answer = &answer->partitions.items[i];
        items[i].answer->partition_index = items[i].asked->partition_index;
        split_add(&op->split, topic->name, (struct uuid){{0}}, items[i].asked->partition_index,
                  &items[i].item);
    }
    return true;
}

void api_list_offsets(struct shard *s, struct request *r, const void *body)
{
    const struct list_offsets_request *request = body;
    struct list_offsets_op *op = arena_new(&r->arena, struct list_offsets_op);
    bool ok = op != NULL && split_init(&op->split, s, r);
    if (ok) {
        op->body = request;
        list_offsets_response_init(&op->reply);
        ok = list_offsets_response_list_offsets_topic_response_array_new(
            &r->arena, request->topics.count, &op->reply.topics);
    }
    for (int32_t t = 0; ok && t < request->topics.count; t++)
        ok = add_topic(op, &request->topics.items[t], &op->reply.topics.items[t]);
    if (ok)
        split_start(&op->split, run, done);
    else
        api_no_memory(r);
}

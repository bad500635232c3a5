// SPDX-License-Identifier: Apache-2.0
//
// OffsetForLeaderEpoch (key 23, versions 2-4; KIP-101, KIP-320): where an epoch ended in our log, so
// that a consumer finds out whether what it read is still part of history.
#include "base/check.h"
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/partition.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "broker/split.h"
#include "log/log.h"
#include "wire/api/offset_for_leader_epoch.h"
#include "wire/errors.h"

struct epoch_item {
    struct split_item item;
    struct str topic;
    const struct offset_for_leader_epoch_request_offset_for_leader_partition *asked;
    struct offset_for_leader_epoch_response_epoch_end_offset *answer;
};

struct epoch_op {
    struct split split;
    struct offset_for_leader_epoch_response reply;
};

static void fill(struct shard *s, const struct epoch_item *item)
{
    struct partition *p;
    struct log_epoch_end end;
    int kafka_error = api_find_leader(s, item->topic, (struct uuid){{0}}, item->asked->partition,
                                      item->asked->current_leader_epoch, &p);
    if (kafka_error == KAFKA_NONE)
        kafka_error = api_log_error(log_epoch_end(p->log, item->asked->leader_epoch, &end));
    item->answer->error_code = (int16_t)kafka_error;
    if (kafka_error != KAFKA_NONE)
        return;
    item->answer->leader_epoch = end.leader_epoch;
    // A consumer must not be sent past what it may read.
    item->answer->end_offset =
        end.end_offset > p->high_watermark ? p->high_watermark : end.end_offset;
}

static void run(struct split_share *share)
{
    split_for_each(item, share)
        fill(share->shard, container_of(item, struct epoch_item, item));
    split_share_done(share);
}

static void done(struct split *split)
{
    request_reply(split->request, &container_of(split, struct epoch_op, split)->reply);
}

static bool add_topic(struct epoch_op *op,
                      const struct offset_for_leader_epoch_request_offset_for_leader_topic *topic,
                      struct offset_for_leader_epoch_response_offset_for_leader_topic_result *answer)
{
    struct arena *arena = &op->split.request->arena;
    int32_t count = topic->partitions.count;
    struct epoch_item *items = arena_new_array(arena, (size_t)count, struct epoch_item);
    answer->topic = topic->topic;
    if (items == NULL || !offset_for_leader_epoch_response_epoch_end_offset_array_new(
                             arena, count, &answer->partitions))
        return false;
    for (int32_t i = 0; i < count; i++) {
        items[i].topic = topic->topic;
        items[i].asked = &topic->partitions.items[i];
        items[i].answer = &answer->partitions.items[i];
        items[i].answer->partition = items[i].asked->partition;
        split_add(&op->split, topic->topic, (struct uuid){{0}}, items[i].asked->partition,
                  &items[i].item);
    }
    return true;
}

void api_offset_for_leader_epoch(struct shard *s, struct request *r, const void *body)
{
    const struct offset_for_leader_epoch_request *request = body;
    struct epoch_op *op = arena_new(&r->arena, struct epoch_op);
    bool ok = op != NULL && split_init(&op->split, s, r);
    if (ok) {
        offset_for_leader_epoch_response_init(&op->reply);
        ok = offset_for_leader_epoch_response_offset_for_leader_topic_result_array_new(
            &r->arena, request->topics.count, &op->reply.topics);
    }
    for (int32_t t = 0; ok && t < request->topics.count; t++)
        ok = add_topic(op, &request->topics.items[t], &op->reply.topics.items[t]);
    if (ok)
        split_start(&op->split, run, done);
    else
        api_no_memory(r);
}

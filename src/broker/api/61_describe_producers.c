// SPDX-License-Identifier: Apache-2.0
//
// DescribeProducers (key 61, version 0; KIP-664): the producers that a partition's leader knows.
#include "base/check.h"
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/limits.h"
#include "broker/partition.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "broker/split.h"
#include "log/log.h"
#include "metadata/topic.h"
#include "wire/api/describe_producers.h"
#include "wire/errors.h"

struct listing {
    struct describe_producers_response_producer_state *items; // NULL: only count
    int32_t count;
};

static int add(void *context, const struct log_producer *p)
{
    struct listing *listing = context;
    if (listing->count >= DESCRIBE_PRODUCERS_MAX)
        return 1;
    if (listing->items != NULL) {
        struct describe_producers_response_producer_state *item = &listing->items[listing->count];
        item->producer_id = p->producer_id;
        item->producer_epoch = p->producer_epoch;
        item->last_sequence = p->last_sequence;
        item->last_timestamp = p->last_timestamp;
        item->coordinator_epoch = p->coordinator_epoch;
        item->current_txn_start_offset = p->current_txn_first_offset;
    }
    listing->count++;
    return 0;
}

struct producers_item {
    struct split_item item;
    struct str topic;
    struct describe_producers_response_partition_response *answer;
};

struct producers_op {
    struct split split;
    struct describe_producers_response reply;
};

// One shard's part of it.
struct producers_share {
    bool failed; // no memory
};

static bool list(struct arena *arena, struct partition *p,
                 struct describe_producers_response_partition_response *answer)
{
    struct listing listing = {0};
    int err = log_each_producer(p->log, add, &listing);
    if (err < 0) {
        answer->error_code = (int16_t)api_log_error(err);
        return true;
    }
    if (!describe_producers_response_producer_state_array_new(arena, listing.count,
                                                              &answer->active_producers))
        return false;
    listing = (struct listing){.items = answer->active_producers.items};
    log_each_producer(p->log, add, &listing);
    return true;
}

static bool fill(struct split_share *share, const struct producers_item *item)
{
    struct partition *p;
    struct diag reason;
    struct describe_producers_response_partition_response *answer = item->answer;
    if (!topic_name_check(item->topic, &reason)) {
        struct str copy = arena_copy_str(share->arena, str_from(reason.text));
        answer->error_code = KAFKA_INVALID_TOPIC_EXCEPTION;
        answer->error_message = copy;
        return copy.data != NULL;
    }
    answer->error_code = (int16_t)api_find_leader(share->shard, item->topic, (struct uuid){{0}},
                                                  answer->partition_index, -1, &p);
    if (answer->error_code != KAFKA_NONE) {
        answer->error_message = str_from(kafka_error_text(answer->error_code));
        return true;
    }
    return list(share->arena, p, answer);
}

static void run(struct split_share *share)
{
    struct producers_share *mine = share->user;
    split_for_each(item, share)
        mine->failed |= !fill(share, container_of(item, struct producers_item, item));
    split_share_done(share);
}

static void done(struct split *split)
{
    bool failed = false;
    for (int i = 0; i < split->share_count; i++) {
        const struct producers_share *share = split->shares[i].user;
        failed |= share != NULL && share->failed;
    }
    if (failed)
        api_no_memory(split->request);
    else
        request_reply(split->request, &container_of(split, struct producers_op, split)->reply);
}

static bool add_topic(struct producers_op *op,
                      const struct describe_producers_request_topic_request *topic,
                      struct describe_producers_response_topic_response *answer)
{
    struct arena *arena = &op->split.request->arena;
    int32_t count = topic->partition_indexes.count;
    struct producers_item *items = arena_new_array(arena, (size_t)count, struct producers_item);
    answer->name = topic->name;
    if (items == NULL || !describe_producers_response_partition_response_array_new(
                             arena, count, &answer->partitions))
        return false;
    for (int32_t i = 0; i < count; i++) {
        items[i].topic = topic->name;
        items[i].answer = &answer->partitions.items[i];
        items[i].answer->partition_index = topic->partition_indexes.items[i];
        split_add(&op->split, topic->name, (struct uuid){{0}}, items[i].answer->partition_index,
                  &items[i].item);
    }
    return true;
}

void api_describe_producers(struct shard *s, struct request *r, const void *body)
{
    const struct describe_producers_request *request = body;
    struct producers_op *op = arena_new(&r->arena, struct producers_op);
    bool ok = op != NULL && split_init(&op->split, s, r);
    if (ok) {
        describe_producers_response_init(&op->reply);
        ok = describe_producers_response_topic_response_array_new(
            &r->arena, request->topics.count, &op->reply.topics);
    }
    for (int32_t t = 0; ok && t < request->topics.count; t++)
        ok = add_topic(op, &request->topics.items[t], &op->reply.topics.items[t]);
    if (ok && split_new_users(&op->split, sizeof(struct producers_share)))
        split_start(&op->split, run, done);
    else
        api_no_memory(r);
}

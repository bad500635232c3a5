// SPDX-License-Identifier: Apache-2.0
//
// DescribeProducers (key 61, version 0; KIP-664): the producers that a partition's leader knows.
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/limits.h"
#include "broker/node.h"
#include "broker/partition.h"
#include "broker/request.h"
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

static bool list(struct request *r, struct partition *p,
                 struct describe_producers_response_partition_response *answer)
{
    struct listing listing = {0};
    int err = log_each_producer(p->log, add, &listing);
    if (err < 0) {
        answer->error_code = (int16_t)api_log_error(err);
        return true;
    }
    if (!describe_producers_response_producer_state_array_new(&r->arena, listing.count,
                                                              &answer->active_producers))
        return false;
    listing = (struct listing){.items = answer->active_producers.items};
    log_each_producer(p->log, add, &listing);
    return true;
}

static bool fill(struct node *n, struct request *r, struct str topic, int32_t index,
                 struct describe_producers_response_partition_response *answer)
{
    struct partition *p;
    struct diag reason;
    answer->partition_index = index;
    if (!topic_name_check(topic, &reason)) {
        struct str copy = arena_copy_str(&r->arena, str_from(reason.text));
        answer->error_code = KAFKA_INVALID_TOPIC_EXCEPTION;
        answer->error_message = copy;
        return copy.data != NULL;
    }
    answer->error_code =
        (int16_t)api_find_leader(n, topic, (struct uuid){{0}}, index, -1, &p);
    if (answer->error_code != KAFKA_NONE) {
        answer->error_message = str_from(kafka_error_text(answer->error_code));
        return true;
    }
    return list(r, p, answer);
}

void api_describe_producers(struct node *n, struct request *r, const void *body)
{
    const struct describe_producers_request *request = body;
    struct describe_producers_response reply;
    describe_producers_response_init(&reply);
    bool ok = describe_producers_response_topic_response_array_new(
        &r->arena, request->topics.count, &reply.topics);
    for (int32_t t = 0; ok && t < request->topics.count; t++) {
        const struct describe_producers_request_topic_request *topic = &request->topics.items[t];
        struct describe_producers_response_topic_response *answer = &reply.topics.items[t];
        answer->name = topic->name;
        ok = describe_producers_response_partition_response_array_new(
            &r->arena, topic->partition_indexes.count, &answer->partitions);
        for (int32_t i = 0; ok && i < topic->partition_indexes.count; i++)
            ok = fill(n, r, topic->name, topic->partition_indexes.items[i],
                      &answer->partitions.items[i]);
    }
    if (ok)
        request_reply(r, &reply);
    else
        api_no_memory(r);
}

// SPDX-License-Identifier: Apache-2.0
//
// OffsetForLeaderEpoch (key 23, versions 2-4; KIP-101, KIP-320): where an epoch ended in our log, so
// that a consumer finds out whether what it read is still part of history.
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/node.h"
#include "broker/partition.h"
#include "broker/request.h"
#include "log/log.h"
#include "wire/api/offset_for_leader_epoch.h"
#include "wire/errors.h"

static void fill(struct node *n, struct str topic,
                 const struct offset_for_leader_epoch_request_offset_for_leader_partition *asked,
                 struct offset_for_leader_epoch_response_epoch_end_offset *answer)
{
    struct partition *p;
    struct log_epoch_end end;
    answer->partition = asked->partition;
    int kafka_error = api_find_leader(n, topic, (struct uuid){{0}}, asked->partition,
                                      asked->current_leader_epoch, &p);
    if (kafka_error == KAFKA_NONE)
        kafka_error = api_log_error(log_epoch_end(p->log, asked->leader_epoch, &end));
    answer->error_code = (int16_t)kafka_error;
    if (kafka_error != KAFKA_NONE)
        return;
    answer->leader_epoch = end.leader_epoch;
    // A consumer must not be sent past what it may read.
    answer->end_offset = end.end_offset > p->high_watermark ? p->high_watermark : end.end_offset;
}

void api_offset_for_leader_epoch(struct node *n, struct request *r, const void *body)
{
    const struct offset_for_leader_epoch_request *request = body;
    struct offset_for_leader_epoch_response reply;
    offset_for_leader_epoch_response_init(&reply);
    if (!offset_for_leader_epoch_response_offset_for_leader_topic_result_array_new(
            &r->arena, request->topics.count, &reply.topics)) {
        api_no_memory(r);
        return;
    }
    for (int32_t t = 0; t < request->topics.count; t++) {
        const struct offset_for_leader_epoch_request_offset_for_leader_topic *topic =
            &request->topics.items[t];
        struct offset_for_leader_epoch_response_offset_for_leader_topic_result *answer =
            &reply.topics.items[t];
        answer->topic = topic->topic;
        if (!offset_for_leader_epoch_response_epoch_end_offset_array_new(
                &r->arena, topic->partitions.count, &answer->partitions)) {
            api_no_memory(r);
            return;
        }
        for (int32_t i = 0; i < topic->partitions.count; i++)
            fill(n, topic->topic, &topic->partitions.items[i], &answer->partitions.items[i]);
    }
    request_reply(r, &reply);
}

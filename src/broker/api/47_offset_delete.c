// SPDX-License-Identifier: Apache-2.0
//
// OffsetDelete (key 47, version 0; KIP-496). Partitions that do not exist are answered here; the rest is
// decided by group/offsets_commit.c.
#include "broker/api/api.h"
#include "broker/api/group_op.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "metadata/image.h"
#include "wire/api/offset_delete.h"

// As in OffsetCommit: the reply has all partitions, the coordinator is asked for those that exist.
struct delete {
    struct offset_delete_request asked;
    struct offset_delete_response answer;
};

static void serve(struct group_part *part, struct groups *g, const struct coordinator_time *now)
{
    const struct delete *d = part->asked;
    groups_delete_offsets(g, &part->call, now, &d->asked);
}

static void set_error(struct group_part *part, enum kafka_error error)
{
    struct offset_delete_response *answer = part->call.response;
    answer->error_code = (int16_t)error;
}

static bool take_topic(struct shard *s, struct request *r,
                       const struct offset_delete_request_offset_delete_request_topic *asked,
                       struct offset_delete_response_offset_delete_response_topic *answer,
                       struct offset_delete_request_offset_delete_request_topic *out)
{
    const struct metadata_topic *topic = metadata_image_topic(shard_image(s), asked->name);
    int32_t count = asked->partitions.count;
    answer->name = asked->name;
    out->name = asked->name;
    if (!offset_delete_response_offset_delete_response_partition_array_new(&r->arena, count,
                                                                           &answer->partitions) ||
        !offset_delete_request_offset_delete_request_partition_array_new(&r->arena, count,
                                                                         &out->partitions))
        return false;
    out->partitions.count = 0;
    for (int32_t i = 0; i < count; i++) {
        int32_t index = asked->partitions.items[i].partition_index;
        answer->partitions.items[i].partition_index = index;
        if (topic == NULL || metadata_topic_partition(topic, index) == NULL)
            answer->partitions.items[i].error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
        else
            out->partitions.items[out->partitions.count++] = asked->partitions.items[i];
    }
    return true;
}

static bool take_topics(struct shard *s, struct request *r, const struct offset_delete_request *request,
                        struct offset_delete_response *reply, struct delete *d)
{
    int32_t count = request->topics.count;
    if (!offset_delete_response_offset_delete_response_topic_array_new(&r->arena, count, &reply->topics) ||
        !offset_delete_request_offset_delete_request_topic_array_new(&r->arena, count, &d->asked.topics))
        return false;
    d->asked.topics.count = 0;
    for (int32_t i = 0; i < count; i++) {
        struct offset_delete_request_offset_delete_request_topic *out =
            &d->asked.topics.items[d->asked.topics.count];
        if (!take_topic(s, r, &request->topics.items[i], &reply->topics.items[i], out))
            return false;
        d->asked.topics.count += out->partitions.count > 0;
    }
    return true;
}

// An error of the group is all there is to say; otherwise the answer goes into the gaps.
static void finish(struct group_op *op)
{
    const struct delete *d = op->parts[0].asked;
    struct offset_delete_response *reply = op->reply;
    int32_t topic = 0, partition = 0;
    if (d->answer.error_code != KAFKA_NONE) {
        offset_delete_response_init(reply);
        reply->error_code = d->answer.error_code;
        return;
    }
    for (int32_t t = 0; t < reply->topics.count; t++) {
        for (int32_t p = 0; p < reply->topics.items[t].partitions.count; p++) {
            int16_t *error = &reply->topics.items[t].partitions.items[p].error_code;
            if (*error != KAFKA_NONE)
                continue;
            *error = d->answer.topics.items[topic].partitions.items[partition].error_code;
            if (++partition == d->answer.topics.items[topic].partitions.count) {
                partition = 0;
                topic++;
            }
        }
    }
}

void api_offset_delete(struct shard *s, struct request *r, const void *body)
{
    static const struct group_op_type type = {
        .needs_group_id = true,
        .serve = serve,
        .set_error = set_error,
        .finish = finish,
    };
    const struct offset_delete_request *request = body;
    struct offset_delete_response *reply = arena_new(&r->arena, struct offset_delete_response);
    struct delete *d = arena_new(&r->arena, struct delete);
    if (reply == NULL || d == NULL) {
        api_no_memory(r);
        return;
    }
    offset_delete_response_init(reply);
    offset_delete_response_init(&d->answer);
    d->asked.group_id = request->group_id;
    if (!take_topics(s, r, request, reply, d)) {
        api_no_memory(r);
        return;
    }
    struct group_op *op = group_op_new(s, r, body, reply, 1, &type);
    if (op == NULL)
        return;
    group_op_add(op, request->group_id, d, &d->answer);
    group_op_start(op);
}

// SPDX-License-Identifier: Apache-2.0
//
// OffsetCommit (key 8, versions 2-10). Partitions that do not exist are answered here; the rest is decided
// by group/offsets_commit.c.
//   v2-4: retention time. v6: leader epoch (KIP-320). v7: static members (KIP-345). v9: member epoch
//   (KIP-848). v10: topics by id.
#include "broker/api/api.h"
#include "broker/api/group_op.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "metadata/image.h"
#include "wire/api/offset_commit.h"

enum { VERSION_TOPIC_ID = 10 }; // from here on

// The answer is made for all partitions of the request, with the errors of those that do not exist; the
// coordinator is asked for the others, and its answer goes into the gaps.
struct commit {
    struct offset_commit_request asked;
    struct offset_commit_response answer;
    enum kafka_error error; // of the coordinator as a whole
};

static void serve(struct group_part *part, struct groups *g, const struct coordinator_time *now)
{
    const struct commit *c = part->asked;
    groups_commit_offsets(g, &part->call, now, &c->asked);
}

static void set_error(struct group_part *part, enum kafka_error error)
{
    struct commit *c = container_of(part->call.response, struct commit, answer);
    c->error = error;
}

// The topic that is meant, if it exists.
static const struct metadata_topic *find_topic(
    const struct metadata_image *image, int16_t version,
    const struct offset_commit_request_offset_commit_request_topic *asked)
{
    return version >= VERSION_TOPIC_ID ? metadata_image_topic_by_id(image, asked->topic_id)
                                       : metadata_image_topic(image, asked->name);
}

// Fills the answer for one topic; what exists of it goes into *out. False: no memory.
static bool take_topic(struct request *r, const struct metadata_topic *topic,
                       const struct offset_commit_request_offset_commit_request_topic *asked,
                       struct offset_commit_response_offset_commit_response_topic *answer,
                       struct offset_commit_request_offset_commit_request_topic *out)
{
    bool by_id = r->header.api_version >= VERSION_TOPIC_ID;
    int missing = topic == NULL && by_id ? KAFKA_UNKNOWN_TOPIC_ID : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    answer->name = asked->name;
    answer->topic_id = asked->topic_id;
    *out = *asked;
    if (topic != NULL) // the image may be gone before the answer
        out->name = arena_copy_str(&r->arena, topic->name);
    if ((topic != NULL && out->name.data == NULL) ||
        !offset_commit_response_offset_commit_response_partition_array_new(
            &r->arena, asked->partitions.count, &answer->partitions) ||
        !offset_commit_request_offset_commit_request_partition_array_new(
            &r->arena, asked->partitions.count, &out->partitions))
        return false;
    out->partitions.count = 0;
    for (int32_t i = 0; i < asked->partitions.count; i++) {
        int32_t index = asked->partitions.items[i].partition_index;
        answer->partitions.items[i].partition_index = index;
        if (topic == NULL || metadata_topic_partition(topic, index) == NULL)
            answer->partitions.items[i].error_code = (int16_t)missing;
        else
            out->partitions.items[out->partitions.count++] = asked->partitions.items[i];
    }
    return true;
}

static bool take_topics(struct shard *s, struct request *r, const struct offset_commit_request *request,
                        struct offset_commit_response *reply, struct commit *c)
{
    int32_t count = request->topics.count;
    if (!offset_commit_response_offset_commit_response_topic_array_new(&r->arena, count, &reply->topics) ||
        !offset_commit_request_offset_commit_request_topic_array_new(&r->arena, count, &c->asked.topics))
        return false;
    c->asked.topics.count = 0;
    for (int32_t i = 0; i < count; i++) {
        const struct offset_commit_request_offset_commit_request_topic *asked = &request->topics.items[i];
        struct offset_commit_request_offset_commit_request_topic *out =
            &c->asked.topics.items[c->asked.topics.count];
        const struct metadata_topic *topic = find_topic(shard_image(s), r->header.api_version, asked);
        if (!take_topic(r, topic, asked, &reply->topics.items[i], out))
            return false;
        c->asked.topics.count += out->partitions.count > 0;
    }
    return true;
}

// What the coordinator answered goes to the partitions that have no error yet, in their order.
static void finish(struct group_op *op)
{
    const struct commit *c = op->parts[0].asked;
    struct offset_commit_response *reply = op->reply;
    int32_t topic = 0, partition = 0;
    for (int32_t t = 0; t < reply->topics.count; t++) {
        for (int32_t p = 0; p < reply->topics.items[t].partitions.count; p++) {
            int16_t *error = &reply->topics.items[t].partitions.items[p].error_code;
            if (*error != KAFKA_NONE)
                continue;
            *error = (int16_t)c->error;
            if (c->error != KAFKA_NONE)
                continue;
            *error = c->answer.topics.items[topic].partitions.items[partition].error_code;
            if (++partition == c->answer.topics.items[topic].partitions.count) {
                partition = 0;
                topic++;
            }
        }
    }
}

void api_offset_commit(struct shard *s, struct request *r, const void *body)
{
    static const struct group_op_type type = {.serve = serve, .set_error = set_error, .finish = finish};
    const struct offset_commit_request *request = body;
    struct offset_commit_response *reply = arena_new(&r->arena, struct offset_commit_response);
    struct commit *c = arena_new(&r->arena, struct commit);
    if (reply == NULL || c == NULL) {
        api_no_memory(r);
        return;
    }
    offset_commit_response_init(reply);
    offset_commit_response_init(&c->answer);
    c->asked = *request;
    if (!take_topics(s, r, request, reply, c)) {
        api_no_memory(r);
        return;
    }
    if (c->asked.topics.count == 0) { // as in Kafka, whatever the group
        request_reply(r, reply);
        return;
    }
    struct group_op *op = group_op_new(s, r, body, reply, 1, &type);
    if (op == NULL)
        return;
    group_op_add(op, request->group_id, c, &c->answer);
    group_op_start(op);
}

// SPDX-License-Identifier: Apache-2.0
#include "broker/api/commit_topics.h"

#include "broker/request.h"
#include "broker/shard.h"
#include "metadata/image.h"

// The topic that is meant, if it exists.
static const struct metadata_topic *find_topic(
    const struct metadata_image *image, bool by_id,
    const struct offset_commit_request_offset_commit_request_topic *asked)
{
    return by_id ? metadata_image_topic_by_id(image, asked->topic_id)
                 : metadata_image_topic(image, asked->name);
}

// Fills the answer for one topic; what exists of it goes into *out. False: no memory.
static bool take_topic(struct request *r, const struct metadata_topic *topic, bool by_id,
                       const struct offset_commit_request_offset_commit_request_topic *asked,
                       struct offset_commit_response_offset_commit_response_topic *answer,
                       struct offset_commit_request_offset_commit_request_topic *out)
{
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

bool commit_topics_take(struct shard *s, struct request *r, bool by_id, struct commit_topics *c)
{
    const struct offset_commit_request *request = &c->request;
    int32_t count = request->topics.count;
    c->asked = *request;
    offset_commit_response_init(&c->reply);
    offset_commit_response_init(&c->answer);
    c->error = KAFKA_NONE;
    if (!offset_commit_response_offset_commit_response_topic_array_new(&r->arena, count,
                                                                       &c->reply.topics) ||
        !offset_commit_request_offset_commit_request_topic_array_new(&r->arena, count, &c->asked.topics))
        return false;
    c->asked.topics.count = 0;
    for (int32_t i = 0; i < count; i++) {
        const struct offset_commit_request_offset_commit_request_topic *asked = &request->topics.items[i];
        struct offset_commit_request_offset_commit_request_topic *out =
            &c->asked.topics.items[c->asked.topics.count];
        const struct metadata_topic *topic = find_topic(shard_image(s), by_id, asked);
        if (!take_topic(r, topic, by_id, asked, &c->reply.topics.items[i], out))
            return false;
        c->asked.topics.count += out->partitions.count > 0;
    }
    return true;
}

// What the coordinator answered goes to the partitions that have no error yet, in their order.
void commit_topics_finish(struct commit_topics *c)
{
    struct offset_commit_response *reply = &c->reply;
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

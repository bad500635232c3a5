// SPDX-License-Identifier: Apache-2.0
//
// OffsetFetch (key 9, versions 1-10): what groups have committed; group/offsets_fetch.c. Each group of the
// request is asked of its own coordinator.
//   v2: null topics means all; an error at the top. v5: leader epoch (KIP-320). v7: not
//   what open transactions may change (KIP-447). v8: several groups (KIP-709). v9: member epoch (KIP-848).
//   v10: topics by id.
#include "base/check.h"
#include "broker/api/api.h"
#include "broker/api/group_op.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "metadata/image.h"
#include "wire/api/offset_fetch.h"

enum {
    VERSION_TOP_ERROR = 2, // these: from here on
    VERSION_GROUPS = 8,
    VERSION_TOPIC_ID = 10,
    OFFSET_NONE = -1,
    EPOCH_NONE = -1,
};

// One group of the request.
struct fetch {
    struct shard *home;
    const struct offset_fetch_request_offset_fetch_request_group *request;
    struct offset_fetch_request_offset_fetch_request_group asked; // the topics that exist, with names
    bool require_stable;
};

static void serve(struct group_part *part, struct groups *g, const struct coordinator_time *now)
{
    const struct fetch *f = part->asked;
    groups_fetch_offsets(g, &part->call, now, &f->asked, f->require_stable);
}

static void set_error(struct group_part *part, enum kafka_error error)
{
    struct offset_fetch_response_offset_fetch_response_group *answer = part->call.response;
    answer->error_code = (int16_t)error;
}

static void answer_nothing(struct offset_fetch_response_offset_fetch_response_partitions *p, int32_t index,
                           int kafka_error)
{
    p->partition_index = index;
    p->committed_offset = OFFSET_NONE;
    p->committed_leader_epoch = EPOCH_NONE;
    p->metadata = str_of("", 0);
    p->error_code = (int16_t)kafka_error;
}

// ---- Topics by id ----

// Gives the topics of the request their names, without those that nobody knows.
static bool take_topics(struct request *r, struct fetch *f)
{
    const struct offset_fetch_request_offset_fetch_request_topics_array *topics = &f->request->topics;
    f->asked = *f->request;
    if (r->header.api_version < VERSION_TOPIC_ID || topics->count < 0)
        return true;
    if (!offset_fetch_request_offset_fetch_request_topics_array_new(&r->arena, topics->count,
                                                                     &f->asked.topics))
        return false;
    f->asked.topics.count = 0;
    for (int32_t i = 0; i < topics->count; i++) {
        const struct metadata_topic *topic =
            metadata_image_topic_by_id(shard_image(f->home), topics->items[i].topic_id);
        if (topic == NULL)
            continue;
        struct offset_fetch_request_offset_fetch_request_topics *out =
            &f->asked.topics.items[f->asked.topics.count++];
        *out = topics->items[i];
        out->name = arena_copy_str(&r->arena, topic->name);
        if (out->name.data == NULL)
            return false;
    }
    return true;
}

static bool is_known(const struct fetch *f, struct uuid id)
{
    for (int32_t i = 0; i < f->asked.topics.count; i++)
        if (uuid_equal(f->asked.topics.items[i].topic_id, id))
            return true;
    return false;
}

// Adds the topics that nobody knows behind those that the coordinator answered.
static bool add_unknown(struct request *r, const struct fetch *f,
                        struct offset_fetch_response_offset_fetch_response_group *answer)
{
    const struct offset_fetch_request_offset_fetch_request_topics_array *topics = &f->request->topics;
    struct offset_fetch_response_offset_fetch_response_topics_array all;
    if (answer->error_code != KAFKA_NONE || f->asked.topics.count == topics->count)
        return true;
    if (!offset_fetch_response_offset_fetch_response_topics_array_new(&r->arena, topics->count, &all))
        return false;
    int32_t n = answer->topics.count;
    check(n == f->asked.topics.count);
    for (int32_t i = 0; i < n; i++)
        all.items[i] = answer->topics.items[i];
    for (int32_t i = 0; i < topics->count; i++) {
        if (is_known(f, topics->items[i].topic_id))
            continue;
        struct offset_fetch_response_offset_fetch_response_topics *topic = &all.items[n++];
        const struct wire_int32_array *indexes = &topics->items[i].partition_indexes;
        topic->topic_id = topics->items[i].topic_id;
        if (!offset_fetch_response_offset_fetch_response_partitions_array_new(&r->arena, indexes->count,
                                                                               &topic->partitions))
            return false;
        for (int32_t p = 0; p < indexes->count; p++)
            answer_nothing(&topic->partitions.items[p], indexes->items[p], KAFKA_UNKNOWN_TOPIC_ID);
    }
    answer->topics = all;
    return true;
}

// An answer about all topics goes by ids: what was committed before topics had them in commits has those
// of today's topics. Without an id there is no way to tell of a topic.
static void give_ids(const struct fetch *f,
                     struct offset_fetch_response_offset_fetch_response_group *answer)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < answer->topics.count; i++) {
        struct offset_fetch_response_offset_fetch_response_topics *topic = &answer->topics.items[i];
        const struct metadata_topic *known = metadata_image_topic(shard_image(f->home), topic->name);
        if (uuid_is_zero(topic->topic_id) && known != NULL)
            topic->topic_id = known->id;
        if (!uuid_is_zero(topic->topic_id))
            answer->topics.items[kept++] = *topic;
    }
    answer->topics.count = kept;
}

static void finish_groups(struct group_op *op)
{
    if (op->request->header.api_version < VERSION_TOPIC_ID)
        return;
    for (int32_t i = 0; i < op->part_count; i++) {
        struct offset_fetch_response_offset_fetch_response_group *answer = op->parts[i].call.response;
        const struct fetch *f = op->parts[i].asked;
        if (f->request->topics.count < 0)
            give_ids(f, answer);
        else if (!add_unknown(op->request, f, answer))
            op->parts[i].call.no_memory = true;
    }
}

static void fetch_groups(struct shard *s, struct request *r, const struct offset_fetch_request *request,
                         struct offset_fetch_response *reply)
{
    static const struct group_op_type type = {.serve = serve, .set_error = set_error,
                                              .finish = finish_groups};
    int32_t count = request->groups.count;
    struct fetch *fetches = arena_new_array(&r->arena, (size_t)count + 1, struct fetch);
    if (fetches == NULL ||
        !offset_fetch_response_offset_fetch_response_group_array_new(&r->arena, count, &reply->groups)) {
        api_no_memory(r);
        return;
    }
    struct group_op *op = group_op_new(s, r, request, reply, count, &type);
    if (op == NULL)
        return;
    for (int32_t i = 0; i < count; i++) {
        fetches[i].home = s;
        fetches[i].request = &request->groups.items[i];
        fetches[i].require_stable = request->require_stable;
        if (!take_topics(r, &fetches[i])) {
            api_no_memory(r);
            return;
        }
        reply->groups.items[i].group_id = request->groups.items[i].group_id;
        group_op_add(op, request->groups.items[i].group_id, &fetches[i], &reply->groups.items[i]);
    }
    group_op_start(op);
}

// ---- One group, at the top of request and answer ----

// The request of an older version as a group of the newer ones.
static bool group_of(struct request *r, const struct offset_fetch_request *request,
                     struct offset_fetch_request_offset_fetch_request_group *out)
{
    offset_fetch_request_offset_fetch_request_group_init(out);
    out->group_id = request->group_id;
    out->topics.count = request->topics.count;
    if (request->topics.count < 0)
        return true;
    if (!offset_fetch_request_offset_fetch_request_topics_array_new(&r->arena, request->topics.count,
                                                                     &out->topics))
        return false;
    for (int32_t i = 0; i < request->topics.count; i++) {
        out->topics.items[i].name = request->topics.items[i].name;
        out->topics.items[i].partition_indexes = request->topics.items[i].partition_indexes;
    }
    return true;
}

// An error of the group in version 1, which has no other place for it.
static bool spread_error(struct request *r, const struct offset_fetch_request *request,
                         struct offset_fetch_response_offset_fetch_response_group *answer)
{
    if (!offset_fetch_response_offset_fetch_response_topics_array_new(&r->arena, request->topics.count,
                                                                       &answer->topics))
        return false;
    for (int32_t t = 0; t < request->topics.count; t++) {
        const struct wire_int32_array *indexes = &request->topics.items[t].partition_indexes;
        struct offset_fetch_response_offset_fetch_response_topics *topic = &answer->topics.items[t];
        topic->name = request->topics.items[t].name;
        if (!offset_fetch_response_offset_fetch_response_partitions_array_new(&r->arena, indexes->count,
                                                                               &topic->partitions))
            return false;
        for (int32_t p = 0; p < indexes->count; p++)
            answer_nothing(&topic->partitions.items[p], indexes->items[p], answer->error_code);
    }
    return true;
}

static bool move_topic(struct request *r,
                       const struct offset_fetch_response_offset_fetch_response_topics *from,
                       struct offset_fetch_response_offset_fetch_response_topic *to)
{
    to->name = from->name;
    if (!offset_fetch_response_offset_fetch_response_partition_array_new(&r->arena, from->partitions.count,
                                                                          &to->partitions))
        return false;
    for (int32_t p = 0; p < from->partitions.count; p++) {
        const struct offset_fetch_response_offset_fetch_response_partitions *item =
            &from->partitions.items[p];
        to->partitions.items[p] = (struct offset_fetch_response_offset_fetch_response_partition){
            .partition_index = item->partition_index,
            .committed_offset = item->committed_offset,
            .committed_leader_epoch = item->committed_leader_epoch,
            .metadata = item->metadata,
            .error_code = item->error_code,
        };
    }
    return true;
}

static bool move_group(struct group_op *op)
{
    struct request *r = op->request;
    struct offset_fetch_response *reply = op->reply;
    struct offset_fetch_response_offset_fetch_response_group *answer = op->parts[0].call.response;
    if (r->header.api_version >= VERSION_TOP_ERROR)
        reply->error_code = answer->error_code;
    else if (answer->error_code != KAFKA_NONE && !spread_error(r, op->body, answer))
        return false;
    if (!offset_fetch_response_offset_fetch_response_topic_array_new(&r->arena, answer->topics.count,
                                                                      &reply->topics))
        return false;
    for (int32_t t = 0; t < answer->topics.count; t++)
        if (!move_topic(r, &answer->topics.items[t], &reply->topics.items[t]))
            return false;
    return true;
}

static void finish_one(struct group_op *op)
{
    if (!move_group(op))
        op->parts[0].call.no_memory = true;
}

static void fetch_one(struct shard *s, struct request *r, const struct offset_fetch_request *request,
                      struct offset_fetch_response *reply)
{
    static const struct group_op_type type = {.serve = serve, .set_error = set_error, .finish = finish_one};
    struct fetch *f = arena_new(&r->arena, struct fetch);
    struct offset_fetch_response_offset_fetch_response_group *answer =
        arena_new(&r->arena, struct offset_fetch_response_offset_fetch_response_group);
    if (f == NULL || answer == NULL || !group_of(r, request, &f->asked)) {
        api_no_memory(r);
        return;
    }
    f->require_stable = request->require_stable;
    offset_fetch_response_offset_fetch_response_group_init(answer);
    struct group_op *op = group_op_new(s, r, request, reply, 1, &type);
    if (op == NULL)
        return;
    group_op_add(op, request->group_id, f, answer);
    group_op_start(op);
}

void api_offset_fetch(struct shard *s, struct request *r, const void *body)
{
    struct offset_fetch_response *reply = arena_new(&r->arena, struct offset_fetch_response);
    if (reply == NULL) {
        api_no_memory(r);
        return;
    }
    offset_fetch_response_init(reply);
    if (r->header.api_version >= VERSION_GROUPS)
        fetch_groups(s, r, body, reply);
    else
        fetch_one(s, r, body, reply);
}

// SPDX-License-Identifier: Apache-2.0
//
// OffsetFetch: what a group has committed, for the partitions that are asked for or for all. A group or a
// partition without an offset is no error: offset -1 says so.
#include "group/internal.h"
#include "wire/api/offset_fetch.h"

enum { OFFSET_NONE = -1, EPOCH_NONE = -1 };

static void fetch_set_error(struct group_call *call, enum kafka_error error)
{
    struct offset_fetch_response_offset_fetch_response_group *reply = call->response;
    reply->topics.count = 0;
    reply->error_code = (int16_t)error;
}

// Fetches of one request.
struct fetch {
    struct group_call *call;
    const struct group *group; // NULL: there is none
    bool require_stable;
};

static void answer_nothing(struct offset_fetch_response_offset_fetch_response_partitions *answer)
{
    answer->committed_offset = OFFSET_NONE;
    answer->committed_leader_epoch = EPOCH_NONE;
    answer->metadata = str_of("", 0);
}

// The client asks again until the transaction is over.
static bool answer_unstable(const struct fetch *f, struct str topic, int32_t partition,
                            struct offset_fetch_response_offset_fetch_response_partitions *answer)
{
    if (!f->require_stable || !offsets_are_pending(f->group, topic, partition))
        return false;
    answer->partition_index = partition;
    answer_nothing(answer);
    answer->error_code = KAFKA_UNSTABLE_OFFSET_COMMIT;
    return true;
}

static bool answer_offset(struct group_call *call, const struct committed_offset *c,
                          struct offset_fetch_response_offset_fetch_response_partitions *answer)
{
    answer->partition_index = c->partition;
    answer->committed_offset = c->offset;
    answer->committed_leader_epoch = c->leader_epoch;
    return group_call_copy(call, committed_offset_metadata(c), &answer->metadata);
}

// ---- What is asked for ----

// An offset of another topic that had the name before is none of this one's.
static bool is_of(struct uuid committed, struct uuid asked)
{
    return uuid_is_zero(committed) || uuid_is_zero(asked) || uuid_equal(committed, asked);
}

static bool fetch_topic(const struct fetch *f,
                        const struct offset_fetch_request_offset_fetch_request_topics *asked,
                        struct offset_fetch_response_offset_fetch_response_topics *answer)
{
    answer->name = asked->name;
    answer->topic_id = asked->topic_id;
    if (!offset_fetch_response_offset_fetch_response_partitions_array_new(
            f->call->arena, asked->partition_indexes.count, &answer->partitions))
        return false;
    for (int32_t i = 0; i < asked->partition_indexes.count; i++) {
        struct offset_fetch_response_offset_fetch_response_partitions *p = &answer->partitions.items[i];
        struct uuid id;
        const struct committed_offset *c = NULL;
        p->partition_index = asked->partition_indexes.items[i];
        if (f->group != NULL && answer_unstable(f, asked->name, p->partition_index, p))
            continue;
        if (f->group != NULL)
            c = group_offsets_find(&f->group->offsets, asked->name, p->partition_index, &id);
        if (c == NULL || !is_of(id, asked->topic_id))
            answer_nothing(p);
        else if (!answer_offset(f->call, c, p))
            return false;
    }
    return true;
}

static bool fetch_asked(const struct fetch *f,
                        const struct offset_fetch_request_offset_fetch_request_group *request)
{
    struct offset_fetch_response_offset_fetch_response_group *reply = f->call->response;
    int32_t count = request->topics.count;
    if (!offset_fetch_response_offset_fetch_response_topics_array_new(f->call->arena, count,
                                                                       &reply->topics))
        return false;
    for (int32_t t = 0; t < count; t++)
        if (!fetch_topic(f, &request->topics.items[t], &reply->topics.items[t]))
            return false;
    return true;
}

// ---- All ----

// The topic's entry in the answer for `count` entries of the group that have its name.
static bool fetch_name(const struct fetch *f, const struct offsets_topic *topics, int32_t count,
                       struct offset_fetch_response_offset_fetch_response_topics *answer)
{
    int32_t total = 0, n = 0;
    for (int32_t i = 0; i < count; i++)
        total += topics[i].count;
    if (!group_call_copy(f->call, str_from(topics[0].name), &answer->name) ||
        !offset_fetch_response_offset_fetch_response_partitions_array_new(f->call->arena, total,
                                                                           &answer->partitions))
        return false;
    for (int32_t i = 0; i < count; i++) {
        answer->topic_id = topics[i].id; // if any commit said it: zero sorts first
        for (int32_t p = 0; p < topics[i].count; p++, n++)
            if (!answer_unstable(f, answer->name, topics[i].items[p].partition,
                                 &answer->partitions.items[n]) &&
                !answer_offset(f->call, &topics[i].items[p], &answer->partitions.items[n]))
                return false;
    }
    return true;
}

static bool fetch_all(const struct fetch *f)
{
    struct offset_fetch_response_offset_fetch_response_group *reply = f->call->response;
    if (f->group == NULL)
        return true;
    const struct group_offsets *o = &f->group->offsets;
    if (!offset_fetch_response_offset_fetch_response_topics_array_new(f->call->arena, o->count,
                                                                       &reply->topics))
        return false;
    int32_t names = 0;
    for (int32_t t = 0, first, count; t < o->count; t += count) {
        count = group_offsets_topics(o, str_from(o->topics[t].name), &first);
        if (!fetch_name(f, &o->topics[t], count, &reply->topics.items[names++]))
            return false;
    }
    reply->topics.count = names;
    return true;
}

// ---- The request ----

static enum kafka_error check_fetch(const struct groups *g, const struct group *group,
                                    const struct offset_fetch_request_offset_fetch_request_group *request,
                                    int16_t version)
{
    if (group == NULL || group_kind_type(group->kind)->check_fetch == NULL)
        return KAFKA_NONE;
    struct offset_caller caller = {
        .member_id = request->member_id,
        .epoch = request->member_epoch,
        .version = version,
    };
    return group_kind_type(group->kind)->check_fetch(g, group, &caller);
}

void groups_fetch_offsets(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                          const struct offset_fetch_request_offset_fetch_request_group *request,
                          bool require_stable)
{
    coordinator_set_time(g->coordinator, now);
    group_call_begin(call, g, fetch_set_error);
    struct offset_fetch_response_offset_fetch_response_group *reply = call->response;
    const struct group *group = groups_find(g, request->group_id);
    reply->group_id = request->group_id;
    enum kafka_error error = check_fetch(g, group, request, call->version);
    if (error != KAFKA_NONE) {
        group_call_fail(call, error);
        return;
    }
    const struct fetch f = {call, group, require_stable};
    bool is_all = request->topics.count < 0;
    if (is_all ? fetch_all(&f) : fetch_asked(&f, request))
        group_reply(call, group);
    else
        group_call_end_no_memory(call);
}

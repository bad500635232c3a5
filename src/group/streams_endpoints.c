// SPDX-License-Identifier: Apache-2.0
//
// Where the state of an application can be asked for (interactive queries): for each member with an
// endpoint the source partitions of the tasks that it has.
#include "base/mem.h"
#include "group/streams.h"
#include "metadata/image.h"
#include "wire/api/streams_group_heartbeat.h"

// The answer while it is made.
struct answer {
    const struct streams_group *sg;
    struct arena *arena;
};

static const struct streams_configured_subtopology *find_subtopology(const struct answer *a, int32_t number)
{
    if (a->sg->configured == NULL)
        return NULL;
    return streams_configured_find(a->sg->configured, streams_subtopology_id(a->sg, number));
}

static int32_t source_count(const struct streams_configured_subtopology *s)
{
    return s->from->source_topics.count + s->from->repartition_source_topics.count;
}

static struct str source_name(const struct streams_configured_subtopology *s, int32_t i)
{
    int32_t sources = s->from->source_topics.count;
    return i < sources ? s->from->source_topics.items[i]
                       : s->from->repartition_source_topics.items[i - sources].name;
}

// The partitions of a topic that the tasks `from` to `to` read: not every source need have as many as the
// subtopology has tasks.
static bool add_topic(const struct answer *a, struct str name, const struct task_set *set, int32_t from,
                      int32_t to, struct streams_group_heartbeat_response_topic_partition_array *out)
{
    const struct metadata_topic *topic = metadata_image_topic(a->sg->groups->image, name);
    struct wire_int32_array partitions = {
        .items = arena_new_array(a->arena, (size_t)(to - from) + 1, int32_t)};
    struct str copy = arena_copy_str(a->arena, name);
    if (partitions.items == NULL || copy.data == NULL)
        return false;
    for (int32_t i = from; topic != NULL && i < to; i++)
        if (set->items[i].partition < topic->partition_count)
            partitions.items[partitions.count++] = set->items[i].partition;
    if (partitions.count > 0) {
        out->items[out->count].topic = copy;
        out->items[out->count++].partitions = partitions;
    }
    return true;
}

static bool list_partitions(const struct answer *a, const struct task_set *set,
                            struct streams_group_heartbeat_response_topic_partition_array *out)
{
    int32_t most = 0;
    for (int32_t i = 0; i < set->count; i = task_set_run_end(set, i)) {
        const struct streams_configured_subtopology *s = find_subtopology(a, set->items[i].subtopology);
        most += s == NULL ? 0 : source_count(s);
    }
    if (streams_group_heartbeat_response_topic_partition_array_new(a->arena, most, out) == NULL)
        return false;
    out->count = 0;
    for (int32_t i = 0, end; i < set->count; i = end) {
        const struct streams_configured_subtopology *s = find_subtopology(a, set->items[i].subtopology);
        end = task_set_run_end(set, i);
        for (int32_t k = 0; s != NULL && k < source_count(s); k++)
            if (!add_topic(a, source_name(s, k), set, i, end, out))
                return false;
    }
    return true;
}

static bool describe(const struct answer *a, const struct streams_member *m,
                     struct streams_group_heartbeat_response_endpoint_to_partitions *out)
{
    struct task_set idle = {0};
    task_set_add_all(&idle, &m->assigned.of[TASK_STANDBY]);
    task_set_add_all(&idle, &m->assigned.of[TASK_WARMUP]);
    out->user_endpoint.host = arena_copy_str(a->arena, m->subscription->value.user_endpoint->host);
    out->user_endpoint.port = m->subscription->value.user_endpoint->port;
    bool done = out->user_endpoint.host.data != NULL &&
                list_partitions(a, &m->assigned.of[TASK_ACTIVE], &out->active_partitions) &&
                list_partitions(a, &idle, &out->standby_partitions);
    task_set_release(&idle);
    return done;
}

bool streams_answer_endpoints(const struct streams_member *member, struct arena *arena,
                              struct streams_group_heartbeat_response *reply)
{
    const struct answer a = {member->group, arena};
    struct streams_group_heartbeat_response_endpoint_to_partitions_array out;
    if (streams_group_heartbeat_response_endpoint_to_partitions_array_new(
            arena, member->group->member_count, &out) == NULL)
        return false;
    out.count = 0;
    for (struct streams_member *m = NULL; (m = streams_next(member->group, m)) != NULL;)
        if (m->is_member && m->subscription->value.user_endpoint != NULL)
            if (!describe(&a, m, &out.items[out.count++]))
                return false;
    reply->partitions_by_user_endpoint = out;
    return true;
}

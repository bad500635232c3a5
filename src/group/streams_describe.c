// SPDX-License-Identifier: Apache-2.0
//
// StreamsGroupDescribe.
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "group/streams.h"
#include "wire/api/streams_group_describe.h"

// FROZEN: why there is no description of the topology (KIP-1331). Nothing here stores them.
enum { DESCRIPTION_NOT_STORED = 1 };

static void set_error(struct group_call *call, enum kafka_error error)
{
    struct streams_group_describe_response_described_group *out = call->response;
    struct str id = out->group_id;
    streams_group_describe_response_described_group_init(out);
    out->group_id = id;
    out->error_code = (int16_t)error;
}

static void fail(struct group_call *call, struct str id, const char *words)
{
    struct streams_group_describe_response_described_group *out = call->response;
    char text[DIAG_TEXT_MAX];
    snprintf(text, sizeof(text), "Group %.*s %s.", STR_ARG(id), words);
    set_error(call, KAFKA_GROUP_ID_NOT_FOUND);
    out->error_message = arena_copy_str(call->arena, str_from(text));
}

static bool copy_str(struct arena *arena, struct str from, struct str *out)
{
    if (from.data != NULL)
        *out = arena_copy_str(arena, from);
    return from.data == NULL || out->data != NULL;
}

// ---- The topology ----

static int compare_names(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static bool describe_names(struct arena *arena, const struct wire_string_array *from,
                           struct wire_string_array *out)
{
    out->items = arena_new_array(arena, (size_t)from->count + 1, struct str);
    if (out->items == NULL)
        return false;
    out->count = from->count;
    for (int32_t i = 0; i < from->count; i++)
        if (!copy_str(arena, from->items[i], &out->items[i]))
            return false;
    if (from->count > 0)
        qsort(out->items, (size_t)out->count, sizeof(*out->items), compare_names);
    return true;
}

static bool describe_topic(struct arena *arena, const struct streams_group_topology_value_topic_info *from,
                           struct streams_group_describe_response_topic_info *out)
{
    out->partitions = from->partitions;
    out->replication_factor = from->replication_factor;
    if (!copy_str(arena, from->name, &out->name) ||
        streams_group_describe_response_key_value_array_new(arena, from->topic_configs.count,
                                                            &out->topic_configs) == NULL)
        return false;
    for (int32_t i = 0; i < from->topic_configs.count; i++)
        if (!copy_str(arena, from->topic_configs.items[i].key, &out->topic_configs.items[i].key) ||
            !copy_str(arena, from->topic_configs.items[i].value, &out->topic_configs.items[i].value))
            return false;
    return true;
}

static int compare_topics(const void *a, const void *b)
{
    const struct streams_group_describe_response_topic_info *x = a, *y = b;
    return str_compare(x->name, y->name);
}

// `configured` NULL: as many partitions as the client asked for.
static bool describe_topics(struct arena *arena,
                            const struct streams_group_topology_value_topic_info_array *from,
                            const struct streams_internal_topic *configured,
                            struct streams_group_describe_response_topic_info_array *out)
{
    if (streams_group_describe_response_topic_info_array_new(arena, from->count, out) == NULL)
        return false;
    for (int32_t i = 0; i < from->count; i++) {
        if (!describe_topic(arena, &from->items[i], &out->items[i]))
            return false;
        if (configured != NULL)
            out->items[i].partitions = configured[i].partition_count;
    }
    if (from->count > 0)
        qsort(out->items, (size_t)out->count, sizeof(*out->items), compare_topics);
    return true;
}

static bool describe_subtopology(const struct streams_group *sg, struct arena *arena,
                                 const struct streams_group_topology_value_subtopology *from,
                                 struct streams_group_describe_response_subtopology *out)
{
    const struct streams_configured_subtopology *c =
        sg->configured != NULL && sg->configured->is_ready
            ? streams_configured_find(sg->configured, from->subtopology_id)
            : NULL;
    return copy_str(arena, from->subtopology_id, &out->subtopology_id) &&
           describe_names(arena, &from->source_topics, &out->source_topics) &&
           describe_names(arena, &from->repartition_sink_topics, &out->repartition_sink_topics) &&
           describe_topics(arena, &from->state_changelog_topics, c != NULL ? c->changelogs : NULL,
                           &out->state_changelog_topics) &&
           describe_topics(arena, &from->repartition_source_topics,
                           c != NULL ? c->repartition_sources : NULL, &out->repartition_source_topics);
}

static bool describe_topology(const struct streams_group *sg, struct arena *arena,
                              struct streams_group_describe_response_described_group *out)
{
    if (sg->topology == NULL)
        return true;
    const struct streams_group_topology_value *value = &sg->topology->value;
    out->topology = arena_new(arena, struct streams_group_describe_response_topology);
    if (out->topology == NULL)
        return false;
    streams_group_describe_response_topology_init(out->topology);
    out->topology->epoch = value->epoch;
    if (streams_group_describe_response_subtopology_array_new(arena, value->subtopologies.count,
                                                              &out->topology->subtopologies) == NULL)
        return false;
    for (int32_t i = 0; i < value->subtopologies.count; i++)
        if (!describe_subtopology(sg, arena, &value->subtopologies.items[i],
                                  &out->topology->subtopologies.items[i]))
            return false;
    return true;
}

// ---- Members ----

static bool describe_tasks(const struct streams_group *sg, const struct task_set *set, struct arena *arena,
                           struct streams_group_describe_response_task_ids_array *out)
{
    int32_t count;
    struct streams_task_run *runs = streams_task_runs_new(sg, set, &count);
    bool fits = streams_group_describe_response_task_ids_array_new(arena, count, out) != NULL;
    for (int32_t i = 0; fits && i < count; i++) {
        struct streams_group_describe_response_task_ids *to = &out->items[i];
        to->partitions.count = runs[i].count;
        to->partitions.items = arena_new_array(arena, (size_t)runs[i].count, int32_t);
        fits = to->partitions.items != NULL && copy_str(arena, runs[i].subtopology_id, &to->subtopology_id);
        if (fits)
            memcpy(to->partitions.items, runs[i].partitions, (size_t)runs[i].count * sizeof(int32_t));
    }
    mem_free(runs);
    return fits;
}

static bool describe_assignment(const struct streams_group *sg, const struct task_sets *sets,
                                struct arena *arena,
                                struct streams_group_describe_response_assignment *out)
{
    return describe_tasks(sg, &sets->of[TASK_ACTIVE], arena, &out->active_tasks) &&
           describe_tasks(sg, &sets->of[TASK_STANDBY], arena, &out->standby_tasks) &&
           describe_tasks(sg, &sets->of[TASK_WARMUP], arena, &out->warmup_tasks);
}

static bool describe_offsets(const struct streams_group *sg, const struct streams_task_offsets *offsets,
                             struct arena *arena,
                             struct streams_group_describe_response_task_offset_array *out)
{
    if (streams_group_describe_response_task_offset_array_new(arena, offsets->count, out) == NULL)
        return false;
    for (int32_t i = 0; i < offsets->count; i++) {
        const struct streams_task_offset *from = &offsets->items[i];
        out->items[i].partition = from->partition;
        out->items[i].offset = from->offset;
        if (!copy_str(arena, streams_subtopology_id(sg, from->subtopology), &out->items[i].subtopology_id))
            return false;
    }
    return true;
}

static bool describe_subscription(const struct streams_group_member_metadata_value *from,
                                  struct arena *arena, struct streams_group_describe_response_member *out)
{
    out->topology_epoch = from->topology_epoch;
    if (from->user_endpoint != NULL) {
        out->user_endpoint = arena_new(arena, struct streams_group_describe_response_endpoint);
        if (out->user_endpoint == NULL ||
            !copy_str(arena, from->user_endpoint->host, &out->user_endpoint->host))
            return false;
        out->user_endpoint->port = from->user_endpoint->port;
    }
    if (streams_group_describe_response_key_value_array_new(arena, from->client_tags.count,
                                                            &out->client_tags) == NULL)
        return false;
    for (int32_t i = 0; i < from->client_tags.count; i++)
        if (!copy_str(arena, from->client_tags.items[i].key, &out->client_tags.items[i].key) ||
            !copy_str(arena, from->client_tags.items[i].value, &out->client_tags.items[i].value))
            return false;
    return copy_str(arena, from->instance_id, &out->instance_id) &&
           copy_str(arena, from->rack_id, &out->rack_id) &&
           copy_str(arena, from->client_id, &out->client_id) &&
           copy_str(arena, from->client_host, &out->client_host) &&
           copy_str(arena, from->process_id, &out->process_id);
}

static bool describe_member(const struct streams_group *sg, const struct streams_member *m,
                            struct arena *arena, struct streams_group_describe_response_member *out)
{
    out->member_epoch = m->epoch;
    return copy_str(arena, str_from(m->id), &out->member_id) &&
           describe_subscription(&m->subscription->value, arena, out) &&
           describe_offsets(sg, &m->offsets, arena, &out->task_offsets) &&
           describe_offsets(sg, &m->end_offsets, arena, &out->task_end_offsets) &&
           describe_assignment(sg, &m->assigned, arena, &out->assignment) &&
           describe_assignment(sg, &m->target, arena, &out->target_assignment);
}

static int compare_members(const void *a, const void *b)
{
    const struct streams_group_describe_response_member *x = a, *y = b;
    return str_compare(x->member_id, y->member_id);
}

static bool describe_members(const struct streams_group *sg, struct arena *arena,
                             struct streams_group_describe_response_described_group *out)
{
    if (streams_group_describe_response_member_array_new(arena, sg->member_count, &out->members) == NULL)
        return false;
    int32_t count = 0;
    for (struct streams_member *m = NULL; (m = streams_next(sg, m)) != NULL;)
        if (m->is_member && !describe_member(sg, m, arena, &out->members.items[count++]))
            return false;
    if (count > 0)
        qsort(out->members.items, (size_t)count, sizeof(*out->members.items), compare_members);
    return true;
}

void groups_streams_describe(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                             struct str group_id, bool with_description)
{
    struct streams_group_describe_response_described_group *out = call->response;
    group_call_begin(call, g, set_error);
    coordinator_set_time(g->coordinator, now);
    out->group_id = group_id;
    struct group *group = groups_find(g, group_id);
    if (group == NULL)
        fail(call, group_id, "not found");
    else if (group->kind != GROUP_STREAMS)
        fail(call, group_id, "is not a streams group");
    else {
        const struct streams_group *sg = group->streams;
        out->group_state = str_from(group_state_name(group));
        out->group_epoch = sg->epoch;
        out->assignment_epoch = sg->assignment_epoch;
        out->assignor_name = str_from(streams_assignor_name(sg));
        out->topology_description_status = with_description ? DESCRIPTION_NOT_STORED : 0;
        if (!describe_topology(sg, call->arena, out) || !describe_members(sg, call->arena, out)) {
            group_call_end_no_memory(call);
            return;
        }
    }
    group_reply(call, group);
}

// SPDX-License-Identifier: Apache-2.0
//
// Streams groups (KIP-1071) as the commands see groups: what the members' tasks mean in partitions.
#include "base/err.h"
#include "base/mem.h"
#include "tools/groups.h"
#include "tools/groups_call.h"
#include "wire/api/streams_group_describe.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

static void read_code(const struct client_answer *answer, struct admin_result *result)
{
    const struct streams_group_describe_response *r = answer->response;
    if (r->groups.count == 1)
        groups_result(result, r->groups.items[0].error_code, r->groups.items[0].error_message);
    else
        groups_result(result, KAFKA_UNKNOWN_SERVER_ERROR, (struct str){0});
}

static const struct streams_group_describe_response_subtopology *
find_subtopology(const struct streams_group_describe_response_described_group *g, struct str id)
{
    for (int32_t i = 0; g->topology != NULL && i < g->topology->subtopologies.count; i++)
        if (str_equal(g->topology->subtopologies.items[i].subtopology_id, id))
            return &g->topology->subtopologies.items[i];
    return NULL;
}

// The partitions of each topic that the tasks read.
static struct group_share *take_shares(struct group_info *g,
                                       const struct streams_group_describe_response_task_ids_array *tasks,
                                       int *count)
{
    int most = 0;
    *count = 0;
    for (int32_t i = 0; i < tasks->count; i++) {
        const struct streams_group_describe_response_subtopology *from =
            find_subtopology(g->streams, tasks->items[i].subtopology_id);
        most += from != NULL ? from->source_topics.count + from->repartition_source_topics.count : 0;
    }
    struct group_share *shares = arena_new_array(&g->arena, (size_t)most + 1, struct group_share);
    for (int32_t i = 0; shares != NULL && i < tasks->count; i++) {
        const struct streams_group_describe_response_subtopology *from =
            find_subtopology(g->streams, tasks->items[i].subtopology_id);
        struct wire_int32_array partitions = tasks->items[i].partitions;
        for (int32_t k = 0; from != NULL && k < from->source_topics.count; k++)
            shares[(*count)++] = (struct group_share){from->source_topics.items[k], partitions};
        for (int32_t k = 0; from != NULL && k < from->repartition_source_topics.count; k++)
            shares[(*count)++] =
                (struct group_share){from->repartition_source_topics.items[k].name, partitions};
    }
    return shares;
}

static void take_group(struct group_info *g)
{
    const struct streams_group_describe_response_described_group *from = g->streams;
    g->state = from->group_state;
    g->assignor = from->assignor_name;
    g->epoch = from->group_epoch;
    g->target_epoch = from->assignment_epoch;
    g->members = arena_new_array(&g->arena, (size_t)from->members.count + 1, struct group_member_info);
    for (int32_t i = 0; g->members != NULL && i < from->members.count; i++) {
        const struct streams_group_describe_response_member *m = &from->members.items[i];
        struct group_member_info *to = &g->members[g->member_count++];
        *to = (struct group_member_info){
            .id = m->member_id,
            .instance_id = m->instance_id,
            .client_id = m->client_id,
            .host = m->client_host,
            .epoch = m->member_epoch,
            .is_classic = m->is_classic,
        };
        to->shares = take_shares(g, &m->assignment.active_tasks, &to->share_count);
        to->target = take_shares(g, &m->target_assignment.active_tasks, &to->target_count);
    }
}

int admin_streams_describe(struct driver *d, struct str id, struct group_info *out,
                           struct admin_result *result)
{
    struct streams_group_describe_request body;
    streams_group_describe_request_init(&body);
    *out = (struct group_info){.id = id, .protocol = "streams", .protocol_type = str_from("streams"),
                               .node = -1, .epoch = -1, .target_epoch = -1};
    arena_init(&out->arena, GROUP_INFO_MEMORY_MAX);
    body.group_ids = (struct wire_string_array){&out->id, 1};
    struct groups_request request = {API_STREAMS_GROUP_DESCRIBE, 0, 1, id, &body, read_code};
    int err = groups_call(d, &request, &out->node, &out->answer, result);
    if (err < 0 || result->code != KAFKA_NONE)
        return err;
    const struct streams_group_describe_response *r = out->answer.response;
    out->streams = &r->groups.items[0];
    take_group(out);
    return 0;
}

int admin_any_group_describe(struct driver *d, struct str id, struct group_info *out,
                             struct admin_result *result)
{
    int err = admin_group_describe(d, id, out, result);
    bool is_missing = result->code == KAFKA_GROUP_ID_NOT_FOUND ||
                      (result->code == KAFKA_NONE && str_is(out->state, "Dead"));
    if (err < 0 || !is_missing)
        return err;
    struct group_info streams;
    struct admin_result streams_result = {0};
    err = admin_streams_describe(d, id, &streams, &streams_result);
    if (err == ERR_UNSUPPORTED || (err == 0 && streams_result.code == KAFKA_GROUP_ID_NOT_FOUND)) {
        admin_group_release(&streams);
        return 0;
    }
    admin_group_release(out);
    *out = streams;
    *result = streams_result;
    return err;
}

bool group_is_source(const struct group_info *g, struct str topic)
{
    const struct streams_group_describe_response_topology *topology =
        g->streams != NULL ? g->streams->topology : NULL;
    for (int32_t i = 0; topology != NULL && i < topology->subtopologies.count; i++) {
        struct wire_string_array names = topology->subtopologies.items[i].source_topics;
        for (int32_t k = 0; k < names.count; k++)
            if (str_equal(names.items[k], topic))
                return true;
    }
    return false;
}

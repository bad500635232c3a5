// SPDX-License-Identifier: Apache-2.0
//
// DescribeGroups: classic groups, with their members.
#include <stdio.h>

#include "group/classic.h"
#include "group/internal.h"
#include "wire/api/describe_groups.h"

enum { DESCRIBE_VERSION_NOT_FOUND = 6 }; // from here on clients are told of a group that is not there

static bool copy_bytes(struct group_call *call, struct bytes bytes, struct bytes *out)
{
    struct str copy;
    bool fits = group_call_copy(call, bytes_str(bytes), &copy);
    *out = str_bytes(copy);
    return fits;
}

static void describe_set_error(struct group_call *call, enum kafka_error error)
{
    struct describe_groups_response_described_group *reply = call->response;
    struct str id = reply->group_id;
    describe_groups_response_described_group_init(reply);
    reply->group_id = id;
    reply->error_code = (int16_t)error;
}

// What members offered and got is only told of a group that has settled.
static bool describe_member(struct group_call *call, const struct classic_group *cg,
                            const struct classic_member *m,
                            struct describe_groups_response_described_group_member *out)
{
    bool is_stable = cg->state == CLASSIC_STABLE;
    struct bytes metadata = is_stable ? classic_metadata(m, cg->protocol_name) : bytes_of("", 0);
    struct bytes assignment = is_stable ? m->assignment : bytes_of("", 0);
    out->group_instance_id = m->instance_id;
    bool fits = group_call_copy(call, m->id, &out->member_id) &&
                group_call_copy(call, m->client_id, &out->client_id) &&
                group_call_copy(call, m->client_host, &out->client_host) &&
                copy_bytes(call, metadata, &out->member_metadata) &&
                copy_bytes(call, assignment, &out->member_assignment);
    if (m->instance_id.data == NULL) // null is not ""
        return fits;
    return fits && group_call_copy(call, m->instance_id, &out->group_instance_id);
}

static bool describe_classic(struct group_call *call, const struct group *group)
{
    struct describe_groups_response_described_group *reply = call->response;
    const struct classic_group *cg = group->classic;
    reply->group_state = str_from(group_state_name(group));
    if (!group_call_copy(call, str_from(cg->protocol_type), &reply->protocol_type) ||
        (cg->state == CLASSIC_STABLE &&
         !group_call_copy(call, str_from(cg->protocol_name), &reply->protocol_data)) ||
        !describe_groups_response_described_group_member_array_new(
            call->arena, classic_member_count(cg), &reply->members))
        return false;
    int32_t n = 0;
    for (struct classic_member *m = NULL; (m = classic_next_member(cg, m)) != NULL;)
        if (!describe_member(call, cg, m, &reply->members.items[n++]))
            return false;
    return true;
}

// Older clients know a group that is not there by its state alone.
static bool describe_nothing(struct group_call *call, struct str group_id, const char *why)
{
    struct describe_groups_response_described_group *reply = call->response;
    reply->group_state = str_from("Dead");
    if (call->version < DESCRIBE_VERSION_NOT_FOUND)
        return true;
    size_t size = group_id.size + 64;
    char *text = arena_alloc(call->arena, size);
    if (text == NULL)
        return false;
    snprintf(text, size, "Group %.*s %s.", STR_ARG(group_id), why);
    reply->error_code = KAFKA_GROUP_ID_NOT_FOUND;
    reply->error_message = str_from(text);
    return true;
}

void groups_describe(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                     struct str group_id)
{
    coordinator_set_time(g->coordinator, now);
    group_call_begin(call, g, describe_set_error);
    struct describe_groups_response_described_group *reply = call->response;
    const struct group *group = groups_find(g, group_id);
    reply->group_id = group_id;
    bool fits;
    if (group == NULL)
        fits = describe_nothing(call, group_id, "not found");
    else if (group->kind != GROUP_CLASSIC)
        fits = describe_nothing(call, group_id, "is not a classic group");
    else
        fits = describe_classic(call, group);
    if (fits)
        group_reply(call, group);
    else
        group_call_end_no_memory(call);
}

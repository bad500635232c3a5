// SPDX-License-Identifier: Apache-2.0
//
// ListGroups and DeleteGroups.
#include "group/internal.h"
#include "wire/api/delete_groups.h"
#include "wire/api/list_groups.h"

// ---- List ----

static void list_set_error(struct group_call *call, enum kafka_error error)
{
    struct list_groups_response *reply = call->response;
    list_groups_response_init(reply);
    reply->error_code = (int16_t)error;
}

// Kafka ignores the case of both filters. An empty one lets everything pass.
static bool filter_has(const struct wire_string_array *filter, const char *text)
{
    for (int32_t i = 0; i < filter->count; i++)
        if (str_equal_nocase(filter->items[i], str_from(text)))
            return true;
    return filter->count <= 0;
}

static bool list_group(struct group_call *call, const struct group *group,
                       struct list_groups_response_listed_group *out)
{
    const struct group_kind_type *kind = group_kind_type(group->kind);
    out->group_state = str_from(group_state_name(group));
    out->group_type = str_from(kind->name);
    return group_call_copy(call, str_from(group->id), &out->group_id) &&
           group_call_copy(call, kind->protocol_type(group->state), &out->protocol_type);
}

void groups_list(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                 const struct list_groups_request *request)
{
    coordinator_set_time(g->coordinator, now);
    group_call_begin(call, g, list_set_error);
    struct list_groups_response *reply = call->response;
    coordinator_ticket newest = 0;
    bool fits = list_groups_response_listed_group_array_new(call->arena, (int32_t)g->by_id.count,
                                                            &reply->groups) != NULL;
    int32_t count = 0;
    for (struct group *group = NULL; fits && (group = groups_next(g, group)) != NULL;) {
        if (!filter_has(&request->states_filter, group_state_name(group)) ||
            !filter_has(&request->types_filter, group_kind_type(group->kind)->name))
            continue;
        fits = list_group(call, group, &reply->groups.items[count++]);
        if (group->written > newest)
            newest = group->written;
    }
    reply->groups.count = count;
    if (fits)
        group_call_end(call, newest);
    else
        group_call_end_no_memory(call);
}

// ---- Delete ----

static void delete_set_error(struct group_call *call, enum kafka_error error)
{
    struct delete_groups_response_deletable_group_result *reply = call->response;
    reply->error_code = (int16_t)error;
}

int group_write_removal(struct groups *g, const struct group *group, coordinator_ticket *ticket)
{
    struct coordinator_time now = *coordinator_now(g->coordinator);
    coordinator_begin(g->coordinator, &now);
    group_kind_type(group->kind)->write_tombstones(g, group);
    return coordinator_end(g->coordinator, ticket); // of nobody's: the group is gone
}

// Offsets first, so that they are never left behind.
static int delete_group(struct groups *g, const struct group *group, coordinator_ticket *ticket)
{
    int err = offsets_remove(g, str_from(group->id), NULL, NULL, ticket);
    if (err == 0)
        err = offsets_remove_all_pending(g, str_from(group->id), NULL, NULL, ticket);
    return err != 0 ? err : group_write_removal(g, group, ticket);
}

void groups_delete(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                   struct str group_id)
{
    coordinator_set_time(g->coordinator, now);
    group_call_begin(call, g, delete_set_error);
    struct delete_groups_response_deletable_group_result *reply = call->response;
    const struct group *group = groups_find(g, group_id);
    reply->group_id = group_id;
    enum kafka_error error =
        group == NULL ? KAFKA_GROUP_ID_NOT_FOUND : group_kind_type(group->kind)->check_delete(group);
    if (error != KAFKA_NONE) {
        group_call_fail(call, error);
        return;
    }
    coordinator_ticket ticket = 0;
    int err = delete_group(g, group, &ticket);
    if (err != 0)
        group_call_fail(call, coordinator_error(err));
    else
        group_call_end(call, ticket);
}

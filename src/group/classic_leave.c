// SPDX-License-Identifier: Apache-2.0
//
// LeaveGroup (key 13, versions 0-5). 3: several members at once, also by instance id alone: that is how an
// administrator removes static members (KIP-345). 5: the reason (KIP-800).
#include "group/classic.h"

#include "group/consumer.h"
#include "group/internal.h"
#include "wire/api/leave_group.h"

enum { VERSION_MEMBERS = 3 };

// Before version 3 the error of the one member is that of the answer.
static void set_error(struct group_call *call, enum kafka_error error)
{
    struct leave_group_response *response = call->response;
    leave_group_response_init(response);
    response->error_code = (int16_t)error;
}

// As every version means it: members with an id, an instance id or both. NULL: no memory.
static const struct leave_group_request *as_list(struct group_call *call,
                                                 const struct leave_group_request *request)
{
    if (call->version >= VERSION_MEMBERS)
        return request;
    struct leave_group_request *list = arena_new(call->arena, struct leave_group_request);
    struct leave_group_request_member_identity *member =
        arena_new(call->arena, struct leave_group_request_member_identity);
    if (list == NULL || member == NULL)
        return NULL;
    leave_group_request_init(list);
    leave_group_request_member_identity_init(member);
    member->member_id = request->member_id;
    list->group_id = request->group_id;
    list->members = (struct leave_group_request_member_identity_array){member, 1};
    return list;
}

static bool begin_answer(struct group_call *call, const struct leave_group_request *request)
{
    struct leave_group_response *response = call->response;
    struct leave_group_response_member_response *to = leave_group_response_member_response_array_new(
        call->arena, request->members.count, &response->members);
    if (to == NULL && request->members.count > 0)
        return false;
    for (int32_t i = 0; i < request->members.count; i++) {
        to[i].member_id = request->members.items[i].member_id;
        to[i].group_instance_id = request->members.items[i].group_instance_id;
        to[i].error_code = KAFKA_UNKNOWN_MEMBER_ID;
    }
    return true;
}

void classic_end_leave(struct group_call *call, const struct group *group)
{
    struct leave_group_response *response = call->response;
    if (call->version < VERSION_MEMBERS) {
        response->error_code = response->members.items[0].error_code;
        response->members.count = 0;
    }
    group_reply(call, group);
}

// ---- Members that go ----

static enum kafka_error leave(struct classic_group *cg,
                              const struct leave_group_request_member_identity *who)
{
    struct classic_member *m;
    if (who->member_id.size == 0) {
        m = who->group_instance_id.data == NULL ? NULL : classic_find_instance(cg, who->group_instance_id);
        if (m == NULL)
            return KAFKA_UNKNOWN_MEMBER_ID;
    } else {
        if (classic_remove_pending(cg, who->member_id))
            return KAFKA_NONE;
        enum kafka_error error = classic_check_member(cg, who->member_id, who->group_instance_id);
        if (error != KAFKA_NONE)
            return error;
        m = classic_find_member(cg, who->member_id);
    }
    classic_note_member_cause(m, REBALANCE_LEFT, who->reason);
    classic_drop_member(m, KAFKA_UNKNOWN_MEMBER_ID);
    return KAFKA_NONE;
}

static void leave_all(struct classic_group *cg, struct leave_group_response *response,
                      const struct leave_group_request *request)
{
    int32_t before = classic_member_count(cg);
    for (int32_t i = 0; i < request->members.count; i++) {
        enum kafka_error error = leave(cg, &request->members.items[i]);
        response->members.items[i].error_code = (int16_t)error;
    }
    if (classic_member_count(cg) < before)
        classic_rebalance_or_complete(cg);
    else
        classic_try_complete_join(cg); // it may have waited for an id that was not used
}

void groups_leave(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                  const struct leave_group_request *request)
{
    coordinator_set_time(g->coordinator, now);
    group_call_begin(call, g, set_error);
    if (request->group_id.size == 0) {
        group_call_fail(call, KAFKA_INVALID_GROUP_ID);
        return;
    }
    struct group *group = groups_find(g, request->group_id);
    const struct leave_group_request *list = as_list(call, request);
    if (list == NULL || !begin_answer(call, list)) {
        call->no_memory = true;
        group_call_fail(call, KAFKA_UNKNOWN_SERVER_ERROR);
        return;
    }
    if (group != NULL && group->kind == GROUP_CONSUMER) {
        consumer_classic_leave(g, group, call, now, list);
        return;
    }
    if (group != NULL && group->kind == GROUP_CLASSIC)
        leave_all(group->classic, call->response, list);
    classic_end_leave(call, group);
}

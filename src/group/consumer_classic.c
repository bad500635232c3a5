// SPDX-License-Identifier: Apache-2.0
//
// Classic members of a consumer group: their requests, translated. The generation is the member's epoch;
// JoinGroup is a heartbeat that says all, with what the member owns in its subscription; SyncGroup tells
// the member what it has; Heartbeat tells it to join again when there is more to do. Nothing is parked:
// who has to wait for partitions gets what is free and is told to come back.
#include <stdio.h>

#include "base/err.h"
#include "config/config.h"
#include "group/consumer.h"
#include "group/consumer_protocol.h"
#include "wire/api/consumer_group_heartbeat.h"
#include "wire/api/heartbeat.h"
#include "wire/api/join_group.h"
#include "wire/api/leave_group.h"
#include "wire/api/sync_group.h"
#include "wire/record/consumer_protocol_subscription.h"

enum { JOIN_VERSION_MEMBER_ID_REQUIRED = 4 };

// ---- Who it is ----

// A member by its ids.
static enum kafka_error find_any(const struct consumer_group *cg, struct str member_id,
                                    struct str instance_id, struct consumer_member **out)
{
    struct consumer_member *m = instance_id.data == NULL ? consumer_find_member(cg, member_id)
                                                         : consumer_find_instance(cg, instance_id);
    if (m == NULL)
        return KAFKA_UNKNOWN_MEMBER_ID;
    if (!str_is(member_id, m->id))
        return KAFKA_FENCED_INSTANCE_ID;
    *out = m;
    return KAFKA_NONE;
}

// A classic member; others do not speak this protocol.
static enum kafka_error find_member(const struct consumer_group *cg, struct str member_id,
                                    struct str instance_id, struct consumer_member **out)
{
    enum kafka_error error = find_any(cg, member_id, instance_id, out);
    return error == KAFKA_NONE && !(*out)->subscription.is_classic ? KAFKA_UNKNOWN_MEMBER_ID : error;
}

// ---- JoinGroup ----

static bool read_protocols(const struct join_group_request *request, struct arena *arena,
                           struct consumer_subscription *out)
{
    int32_t count = request->protocols.count;
    out->protocols = arena_new_array(arena, (size_t)count + 1, struct classic_protocol);
    if (out->protocols == NULL)
        return false;
    for (int32_t i = 0; i < count; i++)
        out->protocols[i] = (struct classic_protocol){request->protocols.items[i].name,
                                                      request->protocols.items[i].metadata};
    out->protocol_count = count;
    return true;
}

static bool offers_any(const struct consumer_member *m, const struct join_group_request *request,
                       bool *const offered)
{
    bool any = false;
    for (int32_t i = 0; i < request->protocols.count; i++) {
        bool found = false;
        for (int32_t k = 0; offered[i] && k < m->subscription.protocol_count; k++)
            found |= str_equal(m->subscription.protocols[k].name, request->protocols.items[i].name);
        offered[i] &= found;
        any |= offered[i];
    }
    return any;
}

// Of the same type, and with a protocol that all other classic members have, too: they must be able to be a
// classic group again.
static bool is_supported(const struct consumer_group *cg, const struct join_group_request *request,
                         struct arena *arena)
{
    if (!str_is(request->protocol_type, "consumer") || request->protocols.count <= 0 ||
        request->protocols.count > CLASSIC_PROTOCOLS_MAX)
        return false;
    bool *offered = arena_new_array(arena, (size_t)request->protocols.count, bool);
    for (int32_t i = 0; offered != NULL && i < request->protocols.count; i++)
        offered[i] = true;
    for (struct consumer_member *m = NULL; offered != NULL && (m = consumer_next(cg, m)) != NULL;)
        if (m->is_member && m->subscription.is_classic && !str_is(request->member_id, m->id) &&
            !offers_any(m, request, offered))
            return false;
    return offered != NULL;
}

static enum kafka_error find_joining(struct consumer_change *c, struct group_call *call,
                                     const struct join_group_request *request)
{
    const struct consumer_group *cg = c->group->consumer;
    struct str instance = request->group_instance_id;
    bool is_new = request->member_id.size == 0;
    if (is_new)
        c->member_id = group_new_uuid(c->g, call->arena);
    c->member = consumer_find_member(cg, c->member_id);
    if (instance.data == NULL)
        return KAFKA_NONE;
    struct consumer_member *holder = consumer_find_instance(cg, instance);
    if (is_new) {
        c->replaced = holder;
        return KAFKA_NONE;
    }
    if (holder == NULL)
        return KAFKA_UNKNOWN_MEMBER_ID;
    return holder == c->member ? KAFKA_NONE : KAFKA_FENCED_INSTANCE_ID;
}

static bool merge_subscription(struct consumer_change *c, struct group_call *call,
                               const struct join_group_request *request,
                               const struct consumer_protocol_subscription *s)
{
    const struct consumer_member *from = c->replaced != NULL ? c->replaced : c->member;
    c->before = from == NULL ? (struct consumer_subscription){.regex = str_from("")} : from->subscription;
    c->after = (struct consumer_subscription){
        .instance_id = request->group_instance_id.data != NULL ? request->group_instance_id
                                                               : c->before.instance_id,
        .rack_id = s->rack_id.data != NULL ? s->rack_id : c->before.rack_id,
        .client_id = call->client_id.data == NULL ? str_from("") : call->client_id,
        .client_host = call->client_host,
        .topics = s->topics.items,
        .topic_count = consumer_sort_names(s->topics.items, s->topics.count),
        .regex = str_from(""),
        .rebalance_timeout_ms = request->rebalance_timeout_ms > 0 ? request->rebalance_timeout_ms
                                                                  : request->session_timeout_ms,
        .is_classic = true,
        .session_timeout_ms = request->session_timeout_ms,
    };
    return read_protocols(request, call->arena, &c->after);
}

// The answer is no more than who the member is and that it is in: SyncGroup tells it the rest.
static void answer_join(struct consumer_change *c, struct group_call *call,
                        const struct join_group_request *request)
{
    struct join_group_response *reply = call->response;
    join_group_response_init(reply);
    reply->member_id = arena_copy_str(call->arena, c->member_id);
    reply->generation_id = c->member->epoch;
    reply->protocol_type = str_from("consumer");
    reply->protocol_name = request->protocols.items[0].name;
    reply->leader = str_from("");
}

static void join(struct consumer_change *c, struct group_call *call,
                 const struct join_group_request *request)
{
    bool changed;
    bool was_consumer = c->replaced != NULL && !c->replaced->subscription.is_classic;
    int err = consumer_change_apply(c, &changed);
    if (err != 0) {
        group_call_fail(call, err == ERR_REFUSED ? KAFKA_UNKNOWN_MEMBER_ID : coordinator_error(err));
        return;
    }
    answer_join(c, call, request);
    struct consumer_group *cg = c->group->consumer;
    if (was_consumer && consumer_wants_downgrade(cg, NULL) && consumer_downgrade(cg, NULL, NULL) == 0) {
        group_reply(call, groups_find(c->g, request->group_id));
        return;
    }
    consumer_start_session(c->member);
    consumer_start_rejoin_timer(c->member); // until it syncs
    group_reply(call, c->group);
}

void consumer_classic_join(struct groups *g, struct group *group, struct group_call *call,
                           const struct coordinator_time *now, const struct join_group_request *request)
{
    struct join_group_response *reply = call->response;
    struct consumer_group *cg = group->consumer;
    struct consumer_protocol_subscription subscription;
    struct consumer_group_heartbeat_request_topic_partitions_array owned;
    struct consumer_change c = {.g = g, .arena = call->arena, .group_id = request->group_id,
                                .member_id = request->member_id, .group = group,
                                .owned = {true, &owned}};
    (void)now;
    if (cg->member_count >= config_i32(g->options.config, "group.consumer.max.size") &&
        consumer_find_member(cg, request->member_id) == NULL) {
        group_call_fail(call, KAFKA_GROUP_MAX_SIZE_REACHED);
        return;
    }
    enum kafka_error error = !is_supported(cg, request, call->arena)
                                 ? KAFKA_INCONSISTENT_GROUP_PROTOCOL
                                 : find_joining(&c, call, request);
    if (error != KAFKA_NONE) {
        group_call_fail(call, error);
    } else if (request->member_id.size == 0 && request->group_instance_id.data == NULL &&
               call->version >= JOIN_VERSION_MEMBER_ID_REQUIRED) {
        reply->member_id = c.member_id;
        group_call_fail(call, KAFKA_MEMBER_ID_REQUIRED);
    } else if (consumer_protocol_read_subscription(request->protocols.items[0].metadata, call->arena,
                                                   &subscription, NULL) != 0) {
        group_call_fail(call, KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    } else if (!merge_subscription(&c, call, request, &subscription) ||
               consumer_protocol_owned(g->image, &subscription, call->arena, &owned) != 0) {
        group_call_end_no_memory(call);
    } else {
        join(&c, call, request);
    }
}

// ---- SyncGroup ----

static enum kafka_error check_sync(struct consumer_group *cg, const struct sync_group_request *request,
                                   struct consumer_member **out)
{
    enum kafka_error error = find_member(cg, request->member_id, request->group_instance_id, out);
    if (error != KAFKA_NONE)
        return error;
    struct consumer_member *m = *out;
    if (request->generation_id != m->epoch)
        return KAFKA_ILLEGAL_GENERATION;
    bool type_fits = request->protocol_type.data == NULL || str_is(request->protocol_type, "consumer");
    bool name_fits = request->protocol_name.data == NULL || m->subscription.protocol_count == 0 ||
                     str_equal(request->protocol_name, m->subscription.protocols[0].name);
    if (!type_fits || !name_fits)
        return KAFKA_INCONSISTENT_GROUP_PROTOCOL;
    if (cg->epoch > m->epoch && m->state != CONSUMER_MEMBER_UNREVOKED) {
        if (!coordinator_timer_is_set(&m->rejoin_timer))
            consumer_start_rejoin_timer(m);
        return KAFKA_REBALANCE_IN_PROGRESS;
    }
    return KAFKA_NONE;
}

void consumer_classic_sync(struct groups *g, struct group *group, struct group_call *call,
                           const struct coordinator_time *now, const struct sync_group_request *request)
{
    struct sync_group_response *reply = call->response;
    struct consumer_member *m;
    (void)now;
    enum kafka_error error = check_sync(group->consumer, request, &m);
    if (error != KAFKA_NONE) {
        group_call_fail(call, error);
        return;
    }
    if (!consumer_classic_assignment(m, call->arena, &reply->assignment)) {
        group_call_end_no_memory(call);
        return;
    }
    reply->protocol_type = request->protocol_type;
    reply->protocol_name = request->protocol_name;
    coordinator_cancel_timer(g->coordinator, &m->rejoin_timer);
    consumer_start_session(m);
    group_reply(call, group);
}

// ---- Heartbeat ----

void consumer_classic_heartbeat(struct groups *g, struct group *group, struct group_call *call,
                                const struct coordinator_time *now,
                                const struct heartbeat_request *request)
{
    struct heartbeat_response *reply = call->response;
    struct consumer_group *cg = group->consumer;
    struct consumer_member *m;
    (void)g, (void)now;
    enum kafka_error error = find_member(cg, request->member_id, request->group_instance_id, &m);
    if (error == KAFKA_NONE && request->generation_id != m->epoch)
        error = KAFKA_ILLEGAL_GENERATION;
    if (error != KAFKA_NONE) {
        group_call_fail(call, error);
        return;
    }
    consumer_start_session(m);
    if (m->epoch < cg->epoch || m->state == CONSUMER_MEMBER_UNREVOKED ||
        (m->state == CONSUMER_MEMBER_UNRELEASED && !consumer_waits(m))) {
        reply->error_code = KAFKA_REBALANCE_IN_PROGRESS;
        if (!coordinator_timer_is_set(&m->rejoin_timer))
            consumer_start_rejoin_timer(m);
    }
    group_reply(call, group);
}

// ---- LeaveGroup ----

// By instance id alone: an administrator removes a static member.
static enum kafka_error find_leaving(const struct consumer_group *cg,
                                     const struct leave_group_request_member_identity *who,
                                     struct consumer_member **out)
{
    if (who->member_id.size > 0 || who->group_instance_id.data == NULL)
        return find_any(cg, who->member_id, who->group_instance_id, out);
    *out = consumer_find_instance(cg, who->group_instance_id);
    return *out == NULL ? KAFKA_UNKNOWN_MEMBER_ID : KAFKA_NONE;
}

// Members of either protocol may leave this way. The classic ones go first: with the last of the others
// the group becomes a classic one.
static void leave(struct groups *g, const struct leave_group_request *request,
                  struct leave_group_response *reply, bool classic)
{
    for (int32_t i = 0; i < request->members.count; i++) {
        struct group *group = groups_find(g, request->group_id);
        struct consumer_member *m;
        if (group == NULL || group->kind != GROUP_CONSUMER)
            return;
        enum kafka_error error = find_leaving(group->consumer, &request->members.items[i], &m);
        if (error == KAFKA_NONE && m->subscription.is_classic == classic) {
            int err = consumer_fence_member(m, REBALANCE_LEFT, request->members.items[i].reason);
            reply->members.items[i].error_code = (int16_t)(err == 0 ? KAFKA_NONE : coordinator_error(err));
        } else if (error != KAFKA_NONE && classic) {
            reply->members.items[i].error_code = (int16_t)error;
        }
    }
}

void consumer_classic_leave(struct groups *g, struct group *group, struct group_call *call,
                            const struct coordinator_time *now, const struct leave_group_request *request)
{
    (void)group, (void)now;
    leave(g, request, call->response, true);
    leave(g, request, call->response, false);
    classic_end_leave(call, groups_find(g, request->group_id));
}

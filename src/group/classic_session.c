// SPDX-License-Identifier: Apache-2.0
//
// Signs of life: Heartbeat (key 12), and what happens to a member that gives none.
#include "group/classic.h"

#include "group/consumer.h"
#include "group/internal.h"
#include "wire/api/heartbeat.h"

// ---- Sessions ----

// Whoever is parked cannot heartbeat and is alive; but a new member's join is parked for a limited time,
// since nobody says when its connection is gone (its client will have asked again as another member).
static bool is_alive(const struct classic_member *m)
{
    return !m->is_new && (m->join_call != NULL || m->sync_call != NULL);
}

static void session_is_over(struct coordinator_timer *t)
{
    struct classic_member *m = container_of(t, struct classic_member, session_timer);
    struct classic_group *cg = m->group;
    if (is_alive(m))
        return; // its session starts again when it is answered
    if (groups_log_stands_still(cg->groups, m->session_timeout_ms)) {
        classic_start_session(m);
        return;
    }
    classic_note_member_cause(m, REBALANCE_SESSION_TIMEOUT, (struct str){NULL, 0});
    classic_drop_member(m, KAFKA_UNKNOWN_MEMBER_ID);
    if (cg->state == CLASSIC_PREPARING_REBALANCE)
        classic_complete_join_if_all(cg);
    else
        classic_rebalance_or_complete(cg);
}

void classic_set_session(struct classic_member *m, int64_t timeout_ms)
{
    struct coordinator *c = m->group->groups->coordinator;
    coordinator_set_timer(c, &m->session_timer, coordinator_now(c)->mono_ms + timeout_ms, session_is_over);
}

void classic_start_session(struct classic_member *m)
{
    classic_set_session(m, m->session_timeout_ms);
}

void classic_drop_member(struct classic_member *m, enum kafka_error error)
{
    classic_fail_join(m, error);
    classic_fail_sync(m, error);
    classic_remove_member(m->group, m);
}

void groups_call_gone(struct groups *g, struct group_call *call, const struct coordinator_time *now)
{
    struct classic_member *m = call->member;
    if (m == NULL)
        return;
    coordinator_set_time(g->coordinator, now);
    if (m->join_call == call)
        classic_fail_join(m, KAFKA_REBALANCE_IN_PROGRESS);
    else
        classic_fail_sync(m, KAFKA_REBALANCE_IN_PROGRESS);
    classic_start_session(m);
}

// ---- Heartbeat ----

static void set_error(struct group_call *call, enum kafka_error error)
{
    struct heartbeat_response *response = call->response;
    response->error_code = (int16_t)error;
}

static enum kafka_error heartbeat(struct classic_group *cg, const struct heartbeat_request *request)
{
    enum kafka_error error = classic_check_member(cg, request->member_id, request->group_instance_id);
    if (error != KAFKA_NONE)
        return error;
    if (request->generation_id != cg->generation)
        return KAFKA_ILLEGAL_GENERATION;
    if (cg->state == CLASSIC_EMPTY)
        return KAFKA_UNKNOWN_MEMBER_ID;
    classic_start_session(classic_find_member(cg, request->member_id));
    return cg->state == CLASSIC_PREPARING_REBALANCE ? KAFKA_REBALANCE_IN_PROGRESS : KAFKA_NONE;
}

void groups_heartbeat(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                      const struct heartbeat_request *request)
{
    coordinator_set_time(g->coordinator, now);
    group_call_begin(call, g, set_error);
    struct group *group = groups_find(g, request->group_id);
    if (request->group_id.size == 0)
        group_call_fail(call, KAFKA_INVALID_GROUP_ID);
    else if (group == NULL || group->kind == GROUP_STREAMS)
        group_call_fail(call, KAFKA_UNKNOWN_MEMBER_ID);
    else if (group->kind == GROUP_CONSUMER)
        consumer_classic_heartbeat(g, group, call, now, request);
    else
        group_call_fail(call, heartbeat(group->classic, request)); // NONE, too: it says nothing new
}

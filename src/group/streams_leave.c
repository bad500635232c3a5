// SPDX-License-Identifier: Apache-2.0
//
// Members of streams groups that leave, for good or for a while, and those that are not heard from or do
// not give up in time what they have to.
#include "base/err.h"
#include "base/mem.h"
#include "group/streams.h"
#include "wire/api/streams_group_heartbeat.h"

enum { FENCE_RETRY_MS = 1000 };

static int remove_member(struct streams_member *m, const struct consumer_cause *cause)
{
    struct streams_group *sg = m->group;
    streams_begin(sg);
    streams_write_member_tombstones(sg, str_from(m->id));
    int err = streams_end(sg); // the member is gone
    if (err == 0)
        err = streams_bump(sg, cause, sg->metadata_hash, sg->validated_topology_epoch, NULL);
    if (err == 0)
        streams_note_stable(sg);
    return err;
}

// All of it or nothing: a member that is gone without a new epoch would leave its tasks to nobody.
static int fence(struct streams_member *m, enum rebalance_cause cause)
{
    struct coordinator *c = m->group->groups->coordinator;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    // Copies: the member is freed before the journal hears of it.
    const struct consumer_cause why = {
        .cause = cause,
        .member = arena_copy_str(&arena, str_from(m->id)),
        .client_id = arena_copy_str(&arena, m->subscription->value.client_id),
        .client_host = arena_copy_str(&arena, m->subscription->value.client_host),
        .grown = -1,
    };
    coordinator_begin_series(c);
    int err = remove_member(m, &why);
    coordinator_end_series(c);
    arena_release(&arena);
    return err;
}

// ---- Timers ----

// Fences a member whose time is up. What cannot be written now (the disk is full) is tried again: nobody
// else comes for a member that is gone.
static void fence_or_retry(struct streams_member *m, struct coordinator_timer *t,
                           enum rebalance_cause cause)
{
    struct coordinator *c = m->group->groups->coordinator;
    void (*fire)(struct coordinator_timer *t) = t->fire;
    int err = fence(m, cause);
    if (err != 0 && coordinator_failure(c) == 0)
        coordinator_set_timer(c, t, coordinator_now(c)->mono_ms + FENCE_RETRY_MS, fire);
}

static int32_t session_timeout_ms(const struct streams_member *m)
{
    return streams_setting(m->group, "streams.session.timeout.ms");
}

static void session_expired(struct coordinator_timer *t)
{
    struct streams_member *m = container_of(t, struct streams_member, session_timer);
    if (groups_log_stands_still(m->group->groups, session_timeout_ms(m)))
        streams_start_session(m);
    else
        fence_or_retry(m, t, REBALANCE_SESSION_TIMEOUT);
}

void streams_start_session(struct streams_member *m)
{
    struct coordinator *c = m->group->groups->coordinator;
    coordinator_set_timer(c, &m->session_timer, coordinator_now(c)->mono_ms + session_timeout_ms(m),
                          session_expired);
}

static void rebalance_expired(struct coordinator_timer *t)
{
    struct streams_member *m = container_of(t, struct streams_member, rebalance_timer);
    if (m->epoch == m->rebalance_epoch)
        fence_or_retry(m, t, REBALANCE_LATE);
}

void streams_start_rebalance_timer(struct streams_member *m)
{
    struct coordinator *c = m->group->groups->coordinator;
    if (m->state != STREAMS_MEMBER_UNREVOKED || m->epoch < 0) {
        coordinator_cancel_timer(c, &m->rebalance_timer);
        return;
    }
    int32_t timeout_ms = m->subscription->value.rebalance_timeout_ms;
    m->rebalance_epoch = m->epoch;
    coordinator_set_timer(c, &m->rebalance_timer,
                          coordinator_now(c)->mono_ms + (timeout_ms > 0 ? timeout_ms : 0),
                          rebalance_expired);
}

// ---- Epochs -1 and -2 ----

// The instance will be back under another member id: its tasks stay with it. The epochs in which it got
// them are forgotten with the member's own.
static int leave_for_a_while(struct streams_member *m)
{
    struct task_sets assigned, none = {0};
    task_sets_copy(&assigned, &m->assigned);
    for (int32_t i = 0; i < assigned.of[TASK_ACTIVE].count; i++)
        assigned.of[TASK_ACTIVE].items[i].epoch = 0;
    streams_begin(m->group);
    streams_write_current(m->group, str_from(m->id), LEAVE_GROUP_STATIC_MEMBER_EPOCH, m->previous_epoch,
                          m->state, &assigned, &none);
    task_sets_release(&assigned);
    int err = streams_end(m->group);
    if (err == 0)
        streams_start_rebalance_timer(m);
    return err;
}

static struct streams_member *find_leaving(struct group_call *call, const struct streams_group *sg,
                                           const struct streams_group_heartbeat_request *r)
{
    struct streams_member *m;
    if (r->instance_id.data == NULL) {
        m = streams_find_member(sg, r->member_id);
        if (m == NULL)
            streams_fail(call, KAFKA_UNKNOWN_MEMBER_ID, "Member %.*s is not a member of group %.*s.",
                         STR_ARG(r->member_id), STR_ARG(r->group_id));
        return m;
    }
    m = streams_find_instance(sg, r->instance_id);
    if (m == NULL) {
        streams_fail(call, KAFKA_UNKNOWN_MEMBER_ID, "Instance id %.*s is unknown.",
                     STR_ARG(r->instance_id));
    } else if (!str_is(r->member_id, m->id)) {
        streams_fail(call, KAFKA_FENCED_INSTANCE_ID,
                     "Static member %.*s with instance id %.*s was fenced by member %s.",
                     STR_ARG(r->member_id), STR_ARG(r->instance_id), m->id);
        return NULL;
    }
    return m;
}

void streams_request_shutdown(struct streams_group *sg, struct str member_id)
{
    mem_free(sg->shutdown_member_id);
    sg->shutdown_member_id = mem_copy_str(member_id);
}

void streams_leave(struct groups *g, struct group_call *call,
                   const struct streams_group_heartbeat_request *r)
{
    struct streams_group_heartbeat_response *reply = call->response;
    struct group *group = groups_find(g, r->group_id);
    if (group == NULL || group->kind != GROUP_STREAMS) {
        streams_fail(call, KAFKA_GROUP_ID_NOT_FOUND,
                     group == NULL ? "Group %.*s not found." : "Group %.*s is not a streams group.",
                     STR_ARG(r->group_id));
        return;
    }
    if (r->shutdown_application)
        streams_request_shutdown(group->streams, r->member_id);
    struct streams_member *m = find_leaving(call, group->streams, r);
    if (m == NULL)
        return;
    reply->member_id = arena_copy_str(call->arena, r->member_id);
    reply->member_epoch = r->member_epoch;
    int err = r->instance_id.data != NULL && r->member_epoch == LEAVE_GROUP_STATIC_MEMBER_EPOCH
                  ? leave_for_a_while(m)
                  : fence(m, REBALANCE_LEFT);
    if (err != 0)
        streams_fail(call, coordinator_error(err), "%s", err_text(err));
    else
        group_reply(call, groups_find(g, r->group_id));
}

// SPDX-License-Identifier: Apache-2.0
//
// Members that leave, for good or for a while, and those that are not heard from or do not give up in time
// what they have to.
#include "base/err.h"
#include "group/consumer.h"
#include "wire/api/consumer_group_heartbeat.h"

enum { FENCE_RETRY_MS = 1000 };

static int remove_member(struct consumer_member *m, const struct consumer_cause *cause)
{
    struct consumer_group *cg = m->group;
    consumer_begin(cg);
    consumer_write_member_tombstones(cg, str_from(m->id));
    int err = consumer_end(cg); // the member is gone
    if (err != 0)
        return err;
    consumer_begin(cg);
    consumer_write_unused_regexes(cg);
    err = consumer_end(cg);
    if (err == 0)
        err = consumer_bump(cg, cause);
    if (err == 0)
        consumer_note_stable(cg);
    return err;
}

// All of it or nothing: a member that is gone without a new epoch would leave its partitions to nobody.
int consumer_remove_member(struct consumer_member *m, const struct consumer_cause *cause)
{
    struct consumer_group *cg = m->group;
    struct coordinator *c = cg->groups->coordinator;
    if (!m->subscription.is_classic && consumer_wants_downgrade(cg, m))
        return consumer_downgrade(cg, m, cause);
    coordinator_begin_series(c);
    int err = remove_member(m, cause);
    coordinator_end_series(c);
    return err;
}

static struct consumer_cause cause_of(enum rebalance_cause cause, const struct consumer_member *m,
                                      struct arena *arena)
{
    // Copies: the member is freed before the journal hears of it.
    return (struct consumer_cause){
        .cause = cause,
        .member = arena_copy_str(arena, str_from(m->id)),
        .client_id = arena_copy_str(arena, m->subscription.client_id),
        .client_host = arena_copy_str(arena, m->subscription.client_host),
        .grown = -1,
    };
}

int consumer_fence_member(struct consumer_member *m, enum rebalance_cause cause, struct str reason)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct consumer_cause why = cause_of(cause, m, &arena);
    why.reason = reason;
    int err = consumer_remove_member(m, &why);
    arena_release(&arena);
    return err;
}

static int fence(struct consumer_member *m, enum rebalance_cause cause)
{
    return consumer_fence_member(m, cause, (struct str){NULL, 0});
}

// ---- Timers ----

// Fences a member whose time is up. What cannot be written now (the disk is full) is tried again: nobody
// else comes for a member that is gone.
static void fence_or_retry(struct consumer_member *m, struct coordinator_timer *t,
                           enum rebalance_cause cause)
{
    struct coordinator *c = m->group->groups->coordinator;
    void (*fire)(struct coordinator_timer *t) = t->fire;
    int err = fence(m, cause);
    if (err != 0 && coordinator_failure(c) == 0)
        coordinator_set_timer(c, t, coordinator_now(c)->mono_ms + FENCE_RETRY_MS, fire);
}

static int32_t session_timeout_ms(const struct consumer_member *m)
{
    return m->subscription.is_classic ? m->subscription.session_timeout_ms
                                      : consumer_setting(m->group, "consumer.session.timeout.ms");
}

static void session_expired(struct coordinator_timer *t)
{
    struct consumer_member *m = container_of(t, struct consumer_member, session_timer);
    if (groups_log_stands_still(m->group->groups, session_timeout_ms(m)))
        consumer_start_session(m);
    else
        fence_or_retry(m, t, REBALANCE_SESSION_TIMEOUT);
}

void consumer_start_session(struct consumer_member *m)
{
    struct coordinator *c = m->group->groups->coordinator;
    coordinator_set_timer(c, &m->session_timer, coordinator_now(c)->mono_ms + session_timeout_ms(m),
                          session_expired);
}

static void rebalance_expired(struct coordinator_timer *t)
{
    struct consumer_member *m = container_of(t, struct consumer_member, rebalance_timer);
    if (m->epoch == m->rebalance_epoch)
        fence_or_retry(m, t, REBALANCE_LATE);
}

void consumer_start_rebalance_timer(struct consumer_member *m)
{
    struct coordinator *c = m->group->groups->coordinator;
    if (m->state != CONSUMER_MEMBER_UNREVOKED || m->epoch < 0) {
        coordinator_cancel_timer(c, &m->rebalance_timer);
        return;
    }
    int32_t timeout_ms = m->subscription.rebalance_timeout_ms;
    m->rebalance_epoch = m->epoch;
    coordinator_set_timer(c, &m->rebalance_timer,
                          coordinator_now(c)->mono_ms + (timeout_ms > 0 ? timeout_ms : 0),
                          rebalance_expired);
}

static void rejoin_expired(struct coordinator_timer *t)
{
    fence_or_retry(container_of(t, struct consumer_member, rejoin_timer), t, REBALANCE_LATE);
}

void consumer_start_rejoin_timer(struct consumer_member *m)
{
    struct coordinator *c = m->group->groups->coordinator;
    coordinator_set_timer(c, &m->rejoin_timer,
                          coordinator_now(c)->mono_ms + m->subscription.rebalance_timeout_ms,
                          rejoin_expired);
}

// ---- Epochs -1 and -2 ----

// The instance will be back under another member id: its partitions stay with it. The epochs in which it
// got them are forgotten with the member's own.
static int leave_for_a_while(struct consumer_member *m)
{
    struct assignment assigned, none = {0};
    assignment_copy(&assigned, &m->assigned);
    for (int32_t i = 0; i < assigned.count; i++)
        memset(assigned.topics[i].epochs, 0, (size_t)assigned.topics[i].count * sizeof(int32_t));
    consumer_begin(m->group);
    consumer_write_current(m->group, str_from(m->id), LEAVE_GROUP_STATIC_MEMBER_EPOCH, m->previous_epoch,
                           m->state, &assigned, &none);
    assignment_release(&assigned);
    int err = consumer_end(m->group);
    if (err == 0)
        consumer_start_rebalance_timer(m);
    return err;
}

static struct consumer_member *find_leaving(struct group_call *call, const struct consumer_group *cg,
                                            const struct consumer_group_heartbeat_request *r)
{
    struct consumer_member *m;
    if (r->instance_id.data == NULL) {
        m = consumer_find_member(cg, r->member_id);
        if (m == NULL)
            consumer_fail(call, KAFKA_UNKNOWN_MEMBER_ID, "Member %.*s is not a member of group %.*s.",
                          STR_ARG(r->member_id), STR_ARG(r->group_id));
        return m;
    }
    m = consumer_find_instance(cg, r->instance_id);
    if (m == NULL) {
        consumer_fail(call, KAFKA_UNKNOWN_MEMBER_ID, "Instance id %.*s is unknown.",
                      STR_ARG(r->instance_id));
    } else if (!str_is(r->member_id, m->id)) {
        consumer_fail(call, KAFKA_FENCED_INSTANCE_ID,
                      "Static member %.*s with instance id %.*s was fenced by member %s.",
                      STR_ARG(r->member_id), STR_ARG(r->instance_id), m->id);
        return NULL;
    }
    return m;
}

void consumer_leave(struct groups *g, struct group_call *call,
                    const struct consumer_group_heartbeat_request *r)
{
    struct consumer_group_heartbeat_response *reply = call->response;
    struct group *group = groups_find(g, r->group_id);
    if (group == NULL || group->kind != GROUP_CONSUMER) {
        consumer_fail(call, KAFKA_GROUP_ID_NOT_FOUND,
                      group == NULL ? "Group %.*s not found." : "Group %.*s is not a consumer group.",
                      STR_ARG(r->group_id));
        return;
    }
    struct consumer_member *m = find_leaving(call, group->consumer, r);
    if (m == NULL)
        return;
    reply->member_id = arena_copy_str(call->arena, r->member_id);
    reply->member_epoch = r->member_epoch;
    int err = r->instance_id.data != NULL && r->member_epoch == LEAVE_GROUP_STATIC_MEMBER_EPOCH
                  ? leave_for_a_while(m)
                  : fence(m, REBALANCE_LEFT);
    if (err != 0)
        consumer_fail(call, coordinator_error(err), "%s", err_text(err));
    else
        consumer_reply(g, call, r->group_id);
}

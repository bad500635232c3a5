// SPDX-License-Identifier: Apache-2.0
//
// The join phase: it begins with a cause, ends when everybody has joined or time is up, and gives the next
// generation. Who has synced after it is watched here as well, since not to sync leads back to the begin.
#include "group/classic.h"

#include "base/err.h"
#include "base/trace.h"
#include "config/config.h"
#include "group/internal.h"

enum { RETRY_MS_MIN = 1000 }; // between looks for members when not one has joined

static void end_join_phase(struct classic_group *cg);

static struct coordinator *coordinator_of(const struct classic_group *cg)
{
    return cg->groups->coordinator;
}

static void set_state(struct classic_group *cg, enum classic_state state)
{
    cg->state = state;
    cg->state_timestamp_ms = coordinator_now(coordinator_of(cg))->wall_ms;
}

static void set_timer(struct classic_group *cg, struct coordinator_timer *t, int64_t ms,
                      void (*fire)(struct coordinator_timer *t))
{
    struct coordinator *c = coordinator_of(cg);
    coordinator_set_timer(c, t, coordinator_now(c)->mono_ms + (ms > 0 ? ms : 0), fire);
}

int32_t classic_rebalance_timeout_ms(const struct classic_group *cg)
{
    int32_t max = 0;
    for (struct classic_member *m = NULL; (m = classic_next_member(cg, m)) != NULL;)
        if (m->rebalance_timeout_ms > max)
            max = m->rebalance_timeout_ms;
    return max;
}

static bool all_have_joined(const struct classic_group *cg)
{
    return cg->joined_count == classic_member_count(cg) && cg->pending.count == 0;
}

// ---- The begin ----

static void join_time_is_up(struct coordinator_timer *t)
{
    end_join_phase(container_of(t, struct classic_group, join_timer));
}

// While new members come the delay of an empty group is extended, up to the rebalance timeout.
static void initial_delay_is_up(struct coordinator_timer *t)
{
    struct classic_group *cg = container_of(t, struct classic_group, join_timer);
    if (!cg->has_new_member || cg->initial_remaining_ms == 0) {
        end_join_phase(cg);
        return;
    }
    int32_t delay = config_i32(cg->groups->options.config, "group.initial.rebalance.delay.ms");
    int32_t waited = cg->initial_delay_ms;
    cg->has_new_member = false;
    cg->initial_delay_ms = delay < cg->initial_remaining_ms ? delay : cg->initial_remaining_ms;
    cg->initial_remaining_ms -= waited < cg->initial_remaining_ms ? waited : cg->initial_remaining_ms;
    set_timer(cg, &cg->join_timer, cg->initial_delay_ms, initial_delay_is_up);
}

static void begin_initial_delay(struct classic_group *cg)
{
    int32_t timeout = classic_rebalance_timeout_ms(cg);
    int32_t delay = config_i32(cg->groups->options.config, "group.initial.rebalance.delay.ms");
    cg->has_new_member = false;
    cg->initial_delay_ms = delay;
    cg->initial_remaining_ms = timeout > delay ? timeout - delay : 0;
    set_timer(cg, &cg->join_timer, delay, initial_delay_is_up);
}

// Those who wait for the leader's assignment have to join again, and hear it.
static void take_back_assignment(struct classic_group *cg, enum kafka_error error)
{
    for (struct classic_member *m = NULL; (m = classic_next_member(cg, m)) != NULL;) {
        classic_set_assignment(m, bytes_of(NULL, 0));
        if (m->sync_call == NULL)
            continue;
        classic_fail_sync(m, error);
        classic_start_session(m);
    }
}

static void forget_owed_syncs(struct classic_group *cg)
{
    for (struct classic_member *m = NULL; (m = classic_next_member(cg, m)) != NULL;)
        m->owes_sync = false;
    cg->owing_count = 0;
    coordinator_cancel_timer(coordinator_of(cg), &cg->sync_timer);
}

void classic_note_cause(struct classic_group *cg, const struct classic_cause *cause)
{
    bool goes_on = cg->state == CLASSIC_PREPARING_REBALANCE;
    group_journal_begin(&cg->group->journal, coordinator_now(coordinator_of(cg)), cause->cause,
                        cause->member, cause->client_id, cause->client_host, cause->reason,
                        classic_member_count(cg));
    trace_emit(cg->groups->options.trace, goes_on ? TRACE_DEBUG : TRACE_INFO, "group",
               "group %s rebalances after generation %d: %s%s%.*s%s%.*s", cg->group->id, cg->generation,
               rebalance_cause_name(cause->cause), cause->member.size > 0 ? ", " : "",
               STR_ARG(cause->member), cause->reason.size > 0 ? ": " : "", STR_ARG(cause->reason));
}

void classic_note_member_cause(const struct classic_member *m, enum rebalance_cause cause,
                               struct str reason)
{
    classic_note_cause(m->group, &(struct classic_cause){cause, m->id, m->client_id, m->client_host,
                                                         reason});
}

static void begin(struct classic_group *cg)
{
    if (cg->state == CLASSIC_COMPLETING_REBALANCE)
        take_back_assignment(cg, KAFKA_REBALANCE_IN_PROGRESS);
    forget_owed_syncs(cg);
    cg->is_initial = cg->state == CLASSIC_EMPTY;
    set_state(cg, CLASSIC_PREPARING_REBALANCE);
    if (cg->is_initial)
        begin_initial_delay(cg);
    else if (all_have_joined(cg))
        end_join_phase(cg);
    else
        set_timer(cg, &cg->join_timer, classic_rebalance_timeout_ms(cg), join_time_is_up);
}

void classic_rebalance_or_complete(struct classic_group *cg)
{
    if (cg->state == CLASSIC_PREPARING_REBALANCE)
        classic_try_complete_join(cg);
    else
        begin(cg);
}

void classic_try_complete_join(struct classic_group *cg)
{
    if (!cg->is_initial)
        classic_complete_join_if_all(cg);
}

void classic_complete_join_if_all(struct classic_group *cg)
{
    if (cg->state == CLASSIC_PREPARING_REBALANCE && all_have_joined(cg))
        end_join_phase(cg);
}

void classic_assignment_failed(struct classic_group *cg, enum kafka_error error)
{
    take_back_assignment(cg, error);
    begin(cg);
}

// ---- The end ----

// Dynamic members that did not come are out; static ones may be restarting and keep their place.
static void drop_late_members(struct classic_group *cg)
{
    bool is_noted = false;
    for (struct classic_member *m = classic_next_member(cg, NULL), *next; m != NULL; m = next) {
        next = classic_next_member(cg, m);
        if (m->join_call != NULL || m->instance_id.data != NULL)
            continue;
        if (!is_noted)
            classic_note_member_cause(m, REBALANCE_LATE, (struct str){NULL, 0});
        is_noted = true;
        classic_drop_member(m, KAFKA_UNKNOWN_MEMBER_ID);
    }
}

// False: nobody who has joined could lead.
static bool elect_leader(struct classic_group *cg)
{
    if (cg->leader != NULL && cg->leader->join_call != NULL)
        return true;
    for (struct classic_member *m = NULL; (m = classic_next_member(cg, m)) != NULL;)
        if (m->join_call != NULL) {
            cg->leader = m;
            return true;
        }
    return false;
}

static void sync_time_is_up(struct coordinator_timer *t);

static void begin_generation(struct classic_group *cg)
{
    classic_set_protocol_name(cg, classic_select_protocol(cg));
    set_state(cg, CLASSIC_COMPLETING_REBALANCE);
    for (struct classic_member *m = NULL; (m = classic_next_member(cg, m)) != NULL;) {
        m->is_new = false;
        m->owes_sync = true;
        cg->owing_count++;
        classic_start_session(m);
        classic_end_join(m);
    }
    set_timer(cg, &cg->sync_timer, classic_rebalance_timeout_ms(cg), sync_time_is_up);
}

// If this cannot be written, the generation before comes to life after a restart and times out.
static void end_empty(struct classic_group *cg)
{
    struct group *group = cg->group;
    struct groups *g = cg->groups;
    coordinator_ticket ticket;
    classic_set_protocol_name(cg, (struct str){NULL, 0});
    set_state(cg, CLASSIC_EMPTY);
    group_journal_end(&group->journal, coordinator_now(g->coordinator), 0, cg->generation);
    trace_info(g->options.trace, "group", "group %s is empty in generation %d", group->id, cg->generation);
    int err = classic_write(cg, NULL, NULL, NULL, &ticket);
    if (err != 0)
        trace_warn(g->options.trace, "group", "group %s: that it is empty could not be stored: %s",
                   group->id, err_text(err));
}

static void end_join_phase(struct classic_group *cg)
{
    coordinator_cancel_timer(coordinator_of(cg), &cg->join_timer);
    drop_late_members(cg);
    if (classic_member_count(cg) > 0 && !elect_leader(cg)) {
        // Only static members, none of which came back: their sessions will end.
        int32_t timeout = classic_rebalance_timeout_ms(cg);
        set_timer(cg, &cg->join_timer, timeout > RETRY_MS_MIN ? timeout : RETRY_MS_MIN, join_time_is_up);
        return;
    }
    cg->is_initial = false;
    cg->generation = cg->generation == INT32_MAX ? 1 : cg->generation + 1;
    forget_owed_syncs(cg);
    if (classic_member_count(cg) == 0)
        end_empty(cg);
    else
        begin_generation(cg);
}

// ---- Who has synced ----

static void sync_time_is_up(struct coordinator_timer *t)
{
    struct classic_group *cg = container_of(t, struct classic_group, sync_timer);
    bool is_noted = false;
    for (struct classic_member *m = classic_next_member(cg, NULL), *next; m != NULL; m = next) {
        next = classic_next_member(cg, m);
        if (!m->owes_sync)
            continue;
        if (!is_noted)
            classic_note_member_cause(m, REBALANCE_LATE, (struct str){NULL, 0});
        is_noted = true;
        classic_drop_member(m, KAFKA_UNKNOWN_MEMBER_ID);
    }
    if (is_noted)
        classic_rebalance_or_complete(cg);
}

void classic_note_sync(struct classic_member *m)
{
    struct classic_group *cg = m->group;
    if (!m->owes_sync)
        return;
    m->owes_sync = false;
    if (--cg->owing_count == 0)
        coordinator_cancel_timer(coordinator_of(cg), &cg->sync_timer);
}

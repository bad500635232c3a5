// SPDX-License-Identifier: Apache-2.0
//
// A classic group as one of the kinds of groups: its beginning and end, and what offsets and tools ask.
#include "group/classic.h"

#include "base/mem.h"
#include "config/config.h"
#include "group/internal.h"
#include "wire/record/group_metadata_key.h"

static void *classic_new(struct groups *g, struct group *group)
{
    struct classic_group *cg = mem_new(struct classic_group);
    cg->groups = g;
    cg->group = group;
    cg->state_timestamp_ms = -1;
    map_init(&cg->members);
    map_init(&cg->instances);
    map_init(&cg->protocols);
    map_init(&cg->pending);
    list_init(&cg->order);
    list_init(&cg->pending_order);
    return cg;
}

static void cancel(struct classic_group *cg, struct coordinator_timer *t)
{
    if (coordinator_timer_is_set(t))
        coordinator_cancel_timer(cg->groups->coordinator, t);
}

static void classic_free(struct groups *g, void *state)
{
    struct classic_group *cg = state;
    struct classic_member *m;
    while ((m = classic_next_member(cg, NULL)) != NULL)
        classic_remove_member(cg, m);
    classic_clear_pending(cg);
    classic_forget_topics(cg);
    cancel(cg, &cg->join_timer);
    cancel(cg, &cg->sync_timer);
    map_release(&cg->members);
    map_release(&cg->instances);
    map_release(&cg->protocols);
    map_release(&cg->pending);
    mem_free(cg->protocol_type);
    mem_free(cg->protocol_name);
    mem_free(cg);
}

static const char *classic_state_name(const void *state)
{
    static const char *const names[] = {
        [CLASSIC_EMPTY] = "Empty",
        [CLASSIC_PREPARING_REBALANCE] = "PreparingRebalance",
        [CLASSIC_COMPLETING_REBALANCE] = "CompletingRebalance",
        [CLASSIC_STABLE] = "Stable",
    };
    return names[((const struct classic_group *)state)->state];
}

static int32_t member_count(const void *state)
{
    return classic_member_count(state);
}

void classic_start_sessions(struct classic_group *cg)
{
    for (struct classic_member *m = NULL; (m = classic_next_member(cg, m)) != NULL;)
        classic_start_session(m);
}

// A group that is too large by now is asked to join again: whoever comes too late stays outside. So is one
// without a leader, which was about to (consumer_migrate.c).
static void classic_loaded(struct groups *g, struct group *group)
{
    struct classic_group *cg = group->classic;
    int32_t members = classic_member_count(cg);
    classic_start_sessions(cg);
    if (members <= config_i32(g->options.config, "group.max.size") && (members == 0 || cg->leader != NULL))
        return;
    classic_note_cause(cg, &(struct classic_cause){.cause = REBALANCE_LOADED});
    classic_rebalance_or_complete(cg);
}

void classic_fail_parked(struct classic_group *cg, enum kafka_error error)
{
    for (struct classic_member *m = NULL; (m = classic_next_member(cg, m)) != NULL;) {
        if (m->join_call == NULL && m->sync_call == NULL)
            continue;
        classic_fail_join(m, error);
        classic_fail_sync(m, error);
        classic_start_session(m); // it may have ended while the member was parked
    }
}

static void classic_end(struct groups *g, struct group *group, enum kafka_error error)
{
    classic_fail_parked(group->classic, error);
}

static void classic_write_tombstones(struct groups *g, const struct group *group)
{
    struct group_metadata_key key = {.group = str_from(group->id)};
    coordinator_write(g->coordinator, GROUP_RECORD_GROUP_METADATA, 0, &key, NULL);
}

// ---- What offsets ask ----

static struct str protocol_type(const void *state)
{
    const struct classic_group *cg = state;
    return str_from(cg->protocol_type != NULL ? cg->protocol_type : "");
}

static enum kafka_error check_commit(struct groups *g, struct group *group,
                                     const struct offset_caller *caller)
{
    struct classic_group *cg = group->classic;
    if (cg->state == CLASSIC_EMPTY && caller->epoch < 0)
        return KAFKA_NONE; // an administrator, or a consumer without a group
    if (!offset_caller_is_known(caller))
        return caller->is_transactional ? KAFKA_NONE : KAFKA_UNKNOWN_MEMBER_ID;
    enum kafka_error error = classic_check_member(cg, caller->member_id, caller->instance_id);
    if (error != KAFKA_NONE)
        return error;
    if (caller->epoch != cg->generation)
        return KAFKA_ILLEGAL_GENERATION;
    if (caller->is_transactional)
        return KAFKA_NONE;
    if (cg->state == CLASSIC_COMPLETING_REBALANCE)
        return KAFKA_REBALANCE_IN_PROGRESS;
    classic_start_session(classic_find_member(cg, caller->member_id));
    return KAFKA_NONE;
}

static enum kafka_error check_offset_delete(const struct group *group)
{
    const struct classic_group *cg = group->classic;
    return cg->state == CLASSIC_EMPTY || classic_uses_consumer_protocol(cg) ? KAFKA_NONE
                                                                            : KAFKA_NON_EMPTY_GROUP;
}

static enum kafka_error check_delete(const struct group *group)
{
    return group->classic->state == CLASSIC_EMPTY ? KAFKA_NONE : KAFKA_NON_EMPTY_GROUP;
}

static bool is_subscribed(const struct groups *g, const struct group *group, struct str topic)
{
    return classic_is_subscribed(group->classic, topic);
}

static bool offsets_expire(const struct group *group, int64_t *since_ms)
{
    struct classic_group *cg = group->classic;
    *since_ms = -1;
    if (cg->protocol_type == NULL)
        return true;
    if (cg->state == CLASSIC_EMPTY) {
        *since_ms = cg->state_timestamp_ms;
        return true;
    }
    return cg->state == CLASSIC_STABLE && classic_uses_consumer_protocol(cg) && classic_knows_topics(cg);
}

const struct group_kind_type classic_kind = {
    .name = "classic",
    .new = classic_new,
    .free = classic_free,
    .state_name = classic_state_name,
    .member_count = member_count,
    .loaded = classic_loaded,
    .end = classic_end,
    .write_tombstones = classic_write_tombstones,
    .protocol_type = protocol_type,
    .check_commit = check_commit,
    .check_offset_delete = check_offset_delete,
    .check_delete = check_delete,
    .is_subscribed = is_subscribed,
    .offsets_expire = offsets_expire,
};

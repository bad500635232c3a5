// SPDX-License-Identifier: Apache-2.0
//
// The state of a streams group: members, what they have. Changed by replay alone. And the group as a kind
// of group: what listing, deleting and offsets ask.
#include "base/err.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/group_config.h"
#include "group/streams.h"
#include "group/streams_assign.h"
#include "metadata/image.h"

static uint64_t hash_of(const struct streams_group *sg, struct str key)
{
    return hash_str(sg->groups->options.hash_seed, key);
}

// ---- Members ----

static bool member_has_id(const struct map_node *n, const void *key)
{
    return str_is(*(const struct str *)key, container_of(n, struct streams_member, node)->id);
}

static bool member_has_instance(const struct map_node *n, const void *key)
{
    const struct streams_member *m = container_of(n, struct streams_member, instance_node);
    return str_equal(m->subscription->value.instance_id, *(const struct str *)key);
}

static struct streams_member *entry_find(const struct streams_group *sg, struct str id)
{
    struct map_node *n = map_find(&sg->members, hash_of(sg, id), member_has_id, &id);
    return n == NULL ? NULL : container_of(n, struct streams_member, node);
}

struct streams_member *streams_find_member(const struct streams_group *sg, struct str id)
{
    struct streams_member *m = entry_find(sg, id);
    return m != NULL && m->is_member ? m : NULL;
}

struct streams_member *streams_find_instance(const struct streams_group *sg, struct str instance_id)
{
    struct map_node *n =
        map_find(&sg->instances, hash_of(sg, instance_id), member_has_instance, &instance_id);
    return n == NULL ? NULL : container_of(n, struct streams_member, instance_node);
}

struct streams_member *streams_next(const struct streams_group *sg, const struct streams_member *m)
{
    struct map_node *n = map_next(&sg->members, m == NULL ? NULL : &m->node);
    return n == NULL ? NULL : container_of(n, struct streams_member, node);
}

struct streams_member *streams_get(struct streams_group *sg, struct str id)
{
    struct streams_member *m = entry_find(sg, id);
    if (m != NULL)
        return m;
    m = mem_new(struct streams_member);
    m->group = sg;
    m->id = mem_copy_str(id);
    m->state = STREAMS_MEMBER_STABLE;
    map_insert(&sg->members, &m->node, hash_of(sg, id));
    return m;
}

static void unset_instance(struct streams_member *m)
{
    struct str instance = m->subscription->value.instance_id;
    if (instance.data != NULL && streams_find_instance(m->group, instance) == m)
        map_remove(&m->group->instances, &m->instance_node);
}

// The newest of two that call themselves so is the one.
static void set_instance(struct streams_member *m)
{
    struct str instance = m->subscription->value.instance_id;
    if (instance.data == NULL)
        return;
    struct streams_member *other = streams_find_instance(m->group, instance);
    if (other != NULL)
        map_remove(&m->group->instances, &other->instance_node);
    map_insert(&m->group->instances, &m->instance_node, hash_of(m->group, instance));
}

void streams_set_subscription(struct streams_member *m,
                              const struct streams_group_member_metadata_value *value)
{
    struct streams_subscription *copy = streams_subscription_new(value); // may be views into the old one
    streams_unset_subscription(m);
    m->subscription = copy;
    m->is_member = true;
    m->group->member_count++;
    set_instance(m);
}

void streams_unset_subscription(struct streams_member *m)
{
    if (!m->is_member)
        return;
    unset_instance(m);
    m->group->member_count--;
    m->is_member = false;
    streams_subscription_free(m->subscription);
    m->subscription = NULL;
    if (m->group->member_count > 0)
        return;
    mem_free(m->group->shutdown_member_id);
    m->group->shutdown_member_id = NULL;
}

static bool is_in_bounds(const struct task_sets *sets)
{
    for (int role = 0; role < TASK_ROLE_COUNT; role++)
        for (int32_t i = 0; i < sets->of[role].count; i++)
            if (sets->of[role].items[i].partition < 0 ||
                sets->of[role].items[i].partition >= CONSUMER_PARTITION_MAX)
                return false;
    return true;
}

int streams_set_current(struct streams_member *m, int32_t epoch, int32_t previous_epoch, int8_t state,
                        struct task_sets *assigned, struct task_sets *pending_revocation)
{
    if (!is_in_bounds(assigned) || !is_in_bounds(pending_revocation))
        return ERR_CORRUPT;
    streams_disown(m, &m->assigned);
    streams_disown(m, &m->pending_revocation);
    task_sets_move(&m->assigned, assigned);
    task_sets_move(&m->pending_revocation, pending_revocation);
    streams_own(m, &m->assigned);
    streams_own(m, &m->pending_revocation);
    m->epoch = epoch;
    m->previous_epoch = previous_epoch;
    m->state = state;
    return 0;
}

static void member_free(struct streams_member *m)
{
    struct coordinator *c = m->group->groups->coordinator;
    coordinator_cancel_timer(c, &m->session_timer);
    coordinator_cancel_timer(c, &m->rebalance_timer);
    streams_disown(m, &m->assigned);
    streams_disown(m, &m->pending_revocation);
    streams_unset_subscription(m);
    task_sets_release(&m->assigned);
    task_sets_release(&m->pending_revocation);
    task_sets_release(&m->target);
    mem_free(m->offsets.items);
    mem_free(m->end_offsets.items);
    mem_free(m->id);
    mem_free(m);
}

void streams_drop_if_empty(struct streams_member *m)
{
    if (m->is_member || m->has_target || m->has_current)
        return;
    map_remove(&m->group->members, &m->node);
    member_free(m);
}

bool streams_is_stable(const struct streams_group *sg)
{
    if (sg->epoch > sg->assignment_epoch)
        return false;
    for (struct streams_member *m = NULL; (m = streams_next(sg, m)) != NULL;)
        if (m->is_member && (m->state != STREAMS_MEMBER_STABLE || m->epoch != sg->assignment_epoch))
            return false;
    return true;
}

static const struct properties *settings(const struct streams_group *sg)
{
    return metadata_image_configs(sg->groups->image, CONFIG_RESOURCE_GROUP, str_from(sg->group->id));
}

int32_t streams_setting(const struct streams_group *sg, const char *name)
{
    return group_config_i32(sg->groups->options.config, settings(sg), name);
}

int64_t streams_long_setting(const struct streams_group *sg, const char *name)
{
    return group_config_i64(sg->groups->options.config, settings(sg), name);
}

const char *streams_assignor_name(const struct streams_group *sg)
{
    const struct properties *p = settings(sg);
    struct str rest = config_list(sg->groups->options.config, "group.streams.assignors"), name;
    const char *wanted = p == NULL ? NULL : properties_get(p, "streams.assignor.name");
    const struct streams_assignor *a = wanted == NULL ? NULL : streams_assignor_find(str_from(wanted));
    while (a == NULL && config_list_next(&rest, &name))
        a = streams_assignor_find(name);
    return a == NULL ? "sticky" : a->name;
}

// ---- As a kind of group ----

static void *group_new(struct groups *g, struct group *group)
{
    struct streams_group *sg = mem_new(struct streams_group);
    sg->groups = g;
    sg->group = group;
    map_init(&sg->members);
    map_init(&sg->instances);
    map_init(&sg->subtopologies);
    map_init(&sg->held);
    sg->epoch = sg->assignment_epoch = CONSUMER_FIRST_EPOCH;
    sg->validated_topology_epoch = -1;
    sg->stored_description_topology_epoch = -1;
    sg->failed_description_topology_epoch = -1;
    return sg;
}

static void group_free(struct groups *g, void *state)
{
    struct streams_group *sg = state;
    struct map_node *n;
    while ((n = map_take_any(&sg->members)) != NULL)
        member_free(container_of(n, struct streams_member, node));
    coordinator_cancel_timer(g->coordinator, &sg->initial_timer);
    map_release(&sg->members);
    map_release(&sg->instances);
    streams_owners_release(sg);
    streams_configured_free(sg->configured);
    streams_topology_free(sg->topology);
    mem_free(sg->last_configs.items);
    mem_free(sg->shutdown_member_id);
    mem_free(sg);
}

const char *streams_state_name(const struct streams_group *sg)
{
    if (sg->member_count == 0)
        return "Empty";
    if (sg->topology == NULL || sg->topology->value.epoch != sg->validated_topology_epoch)
        return "NotReady";
    if (sg->epoch > sg->assignment_epoch)
        return "Assigning";
    return streams_is_stable(sg) ? "Stable" : "Reconciling";
}

static const char *state_name(const void *state)
{
    return streams_state_name(state);
}

static int32_t member_count(const void *state)
{
    return ((const struct streams_group *)state)->member_count;
}

static void loaded(struct groups *g, struct group *group)
{
    struct streams_group *sg = group->streams;
    (void)g;
    for (struct streams_member *m = NULL; (m = streams_next(sg, m)) != NULL;) {
        if (!m->is_member)
            continue;
        streams_start_session(m);
        streams_start_rebalance_timer(m);
    }
    if (sg->member_count > 0 && !streams_is_stable(sg))
        streams_note_cause(sg, &(struct consumer_cause){.cause = REBALANCE_LOADED});
}

static void ended(struct groups *g, struct group *group, enum kafka_error error)
{
    (void)g, (void)group, (void)error; // nothing is ever parked
}

static void image_changed(struct groups *g, struct group *group)
{
    (void)g;
    group->streams->is_metadata_fresh = false; // the next heartbeat looks
}

// ---- What offsets ask ----

static struct str protocol_type(const void *state)
{
    (void)state;
    return str_from("streams");
}

static enum kafka_error check_commit(struct groups *g, struct group *group,
                                     const struct offset_caller *caller)
{
    (void)g;
    // Tools may commit for a group in which nobody is.
    if (caller->epoch < 0 && group->streams->member_count == 0)
        return KAFKA_NONE;
    if (caller->is_transactional && !offset_caller_is_known(caller))
        return KAFKA_NONE;
    const struct streams_member *m = streams_find_member(group->streams, caller->member_id);
    if (m == NULL)
        return KAFKA_UNKNOWN_MEMBER_ID;
    // Older clients do not know what to do with the errors of this protocol.
    if (caller->version < 9 && !caller->is_transactional)
        return KAFKA_UNSUPPORTED_VERSION;
    // Of one that lags behind each partition is looked at.
    return caller->epoch > m->epoch || caller->epoch < 0 ? KAFKA_STALE_MEMBER_EPOCH : KAFKA_NONE;
}

static const struct task *find_active(const struct streams_member *m, struct str subtopology_id,
                                      int32_t partition)
{
    const struct streams_subtopology *s = streams_find_subtopology(m->group, subtopology_id);
    if (s == NULL)
        return NULL;
    const struct task *t = task_set_find(&m->assigned.of[TASK_ACTIVE], s->number, partition);
    return t != NULL ? t : task_set_find(&m->pending_revocation.of[TASK_ACTIVE], s->number, partition);
}

static enum kafka_error check_commit_partition(const struct groups *g, const struct group *group,
                                               const struct offset_caller *caller, struct str topic,
                                               struct uuid topic_id, int32_t partition)
{
    (void)g, (void)topic_id;
    const struct streams_group *sg = group->streams;
    const struct streams_member *m = streams_find_member(sg, caller->member_id);
    if (m == NULL || caller->epoch == m->epoch)
        return KAFKA_NONE;
    const struct streams_group_topology_value_subtopology *s =
        sg->topology == NULL ? NULL : streams_reader_of(&sg->topology->value, topic);
    const struct task *t = s == NULL ? NULL : find_active(m, s->subtopology_id, partition);
    return t != NULL && caller->epoch >= t->epoch ? KAFKA_NONE : KAFKA_STALE_MEMBER_EPOCH;
}

static enum kafka_error check_fetch(const struct groups *g, const struct group *group,
                                    const struct offset_caller *caller)
{
    (void)g;
    if (caller->member_id.size == 0 && caller->epoch < 0)
        return KAFKA_NONE; // a tool, or a client that does not know epochs
    const struct streams_member *m = streams_find_member(group->streams, caller->member_id);
    if (m == NULL)
        return KAFKA_UNKNOWN_MEMBER_ID;
    return caller->epoch == m->epoch ? KAFKA_NONE : KAFKA_STALE_MEMBER_EPOCH;
}

static enum kafka_error check_delete(const struct group *group)
{
    return group->streams->member_count == 0 ? KAFKA_NONE : KAFKA_NON_EMPTY_GROUP;
}

static bool is_subscribed(const struct groups *g, const struct group *group, struct str topic)
{
    const struct streams_group *sg = group->streams;
    (void)g;
    return sg->member_count > 0 && sg->topology != NULL &&
           streams_reader_of(&sg->topology->value, topic) != NULL;
}

static bool offsets_expire(const struct group *group, int64_t *since_ms)
{
    (void)group;
    *since_ms = -1;
    return true;
}

const struct group_kind_type streams_kind = {
    .name = "streams",
    .new = group_new,
    .free = group_free,
    .state_name = state_name,
    .member_count = member_count,
    .loaded = loaded,
    .end = ended,
    .image_changed = image_changed,
    .write_tombstones = streams_write_group_tombstones,
    .protocol_type = protocol_type,
    .check_commit = check_commit,
    .check_commit_partition = check_commit_partition,
    .check_fetch = check_fetch,
    .check_delete = check_delete,
    .is_subscribed = is_subscribed,
    .offsets_expire = offsets_expire,
};

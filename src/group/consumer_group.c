// SPDX-License-Identifier: Apache-2.0
//
// The state of a consumer group: members, what they have, who has which partition. Changed by replay
// alone.
#include "group/consumer.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/group_config.h"
#include "group/assign.h"
#include "metadata/image.h"

static uint64_t hash_of(const struct consumer_group *cg, struct str key)
{
    return hash_str(cg->groups->options.hash_seed, key);
}

// ---- Who has what ----

static bool owned_has_id(const struct map_node *n, const void *key)
{
    return uuid_equal(container_of(n, struct consumer_owned_topic, node)->id, *(const struct uuid *)key);
}

static uint64_t hash_id(const struct consumer_group *cg, struct uuid id)
{
    return hash_bytes(cg->groups->options.hash_seed, bytes_of(id.bytes, UUID_SIZE));
}

static struct consumer_owned_topic *owned_find(const struct consumer_group *cg, struct uuid id)
{
    struct map_node *n = map_find(&cg->owned, hash_id(cg, id), owned_has_id, &id);
    return n == NULL ? NULL : container_of(n, struct consumer_owned_topic, node);
}

static struct consumer_owned_topic *owned_get(struct consumer_group *cg, struct uuid id, int32_t partitions)
{
    struct consumer_owned_topic *t = owned_find(cg, id);
    if (t == NULL) {
        t = mem_new(struct consumer_owned_topic);
        t->id = id;
        map_insert(&cg->owned, &t->node, hash_id(cg, id));
    }
    if (partitions > t->capacity) {
        t->owners = mem_resize(t->owners, (size_t)partitions * sizeof(*t->owners));
        while (t->capacity < partitions)
            t->owners[t->capacity++] = NULL;
    }
    return t;
}

static void own(struct consumer_member *m, const struct assignment *a)
{
    for (int32_t i = 0; i < a->count; i++) {
        const struct assigned_topic *from = &a->topics[i];
        struct consumer_owned_topic *t =
            owned_get(m->group, from->id, from->partitions[from->count - 1] + 1);
        for (int32_t p = 0; p < from->count; p++)
            t->owners[from->partitions[p]] = m;
    }
}

// A log whose older records were compacted away may give a partition to a second member before it takes
// it from the first.
static void disown(struct consumer_member *m, const struct assignment *a)
{
    for (int32_t i = 0; i < a->count; i++) {
        struct consumer_owned_topic *t = owned_find(m->group, a->topics[i].id);
        for (int32_t p = 0; p < a->topics[i].count; p++)
            if (t->owners[a->topics[i].partitions[p]] == m)
                t->owners[a->topics[i].partitions[p]] = NULL;
    }
}

bool consumer_is_free(const struct consumer_group *cg, struct uuid topic_id, int32_t partition)
{
    const struct consumer_owned_topic *t = owned_find(cg, topic_id);
    return t == NULL || partition >= t->capacity || t->owners[partition] == NULL;
}

// ---- Members ----

static bool member_has_id(const struct map_node *n, const void *key)
{
    return str_is(*(const struct str *)key, container_of(n, struct consumer_member, node)->id);
}

static bool member_has_instance(const struct map_node *n, const void *key)
{
    const struct consumer_member *m = container_of(n, struct consumer_member, instance_node);
    return str_equal(m->subscription.instance_id, *(const struct str *)key);
}

static struct consumer_member *entry_find(const struct consumer_group *cg, struct str id)
{
    struct map_node *n = map_find(&cg->members, hash_of(cg, id), member_has_id, &id);
    return n == NULL ? NULL : container_of(n, struct consumer_member, node);
}

struct consumer_member *consumer_find_member(const struct consumer_group *cg, struct str id)
{
    struct consumer_member *m = entry_find(cg, id);
    return m != NULL && m->is_member ? m : NULL;
}

struct consumer_member *consumer_find_instance(const struct consumer_group *cg, struct str instance_id)
{
    struct map_node *n =
        map_find(&cg->instances, hash_of(cg, instance_id), member_has_instance, &instance_id);
    return n == NULL ? NULL : container_of(n, struct consumer_member, instance_node);
}

struct consumer_member *consumer_next(const struct consumer_group *cg, const struct consumer_member *m)
{
    struct map_node *n = map_next(&cg->members, m == NULL ? NULL : &m->node);
    return n == NULL ? NULL : container_of(n, struct consumer_member, node);
}

struct consumer_member *consumer_get(struct consumer_group *cg, struct str id)
{
    struct consumer_member *m = entry_find(cg, id);
    if (m != NULL)
        return m;
    m = mem_new(struct consumer_member);
    m->group = cg;
    m->id = mem_copy_str(id);
    map_insert(&cg->members, &m->node, hash_of(cg, id));
    return m;
}

static void unset_instance(struct consumer_member *m)
{
    struct str instance = m->subscription.instance_id;
    if (instance.data != NULL && consumer_find_instance(m->group, instance) == m)
        map_remove(&m->group->instances, &m->instance_node);
}

// The newest of two that call themselves so is the one.
static void set_instance(struct consumer_member *m)
{
    struct str instance = m->subscription.instance_id;
    if (instance.data == NULL)
        return;
    struct consumer_member *other = consumer_find_instance(m->group, instance);
    if (other != NULL)
        map_remove(&m->group->instances, &other->instance_node);
    map_insert(&m->group->instances, &m->instance_node, hash_of(m->group, instance));
}

void consumer_set_subscription(struct consumer_member *m, const struct consumer_subscription *s)
{
    struct consumer_subscription copy;
    consumer_subscription_copy(&copy, s); // `s` may be views into the old one
    consumer_unset_subscription(m);
    m->subscription = copy;
    m->is_member = true;
    m->group->member_count++;
    m->group->classic_member_count += copy.is_classic;
    set_instance(m);
}

void consumer_unset_subscription(struct consumer_member *m)
{
    if (!m->is_member)
        return;
    unset_instance(m);
    m->group->member_count--;
    m->group->classic_member_count -= m->subscription.is_classic;
    m->is_member = false;
    consumer_subscription_release(&m->subscription);
}

static bool is_in_bounds(const struct assignment *a)
{
    for (int32_t i = 0; i < a->count; i++)
        if (a->topics[i].partitions[0] < 0 ||
            a->topics[i].partitions[a->topics[i].count - 1] >= CONSUMER_PARTITION_MAX)
            return false;
    return true;
}

int consumer_set_current(struct consumer_member *m, int32_t epoch, int32_t previous_epoch, int8_t state,
                         struct assignment *assigned, struct assignment *pending_revocation)
{
    if (!is_in_bounds(assigned) || !is_in_bounds(pending_revocation))
        return ERR_CORRUPT;
    disown(m, &m->assigned);
    disown(m, &m->pending_revocation);
    assignment_move(&m->assigned, assigned);
    assignment_move(&m->pending_revocation, pending_revocation);
    own(m, &m->assigned);
    own(m, &m->pending_revocation);
    m->epoch = epoch;
    m->previous_epoch = previous_epoch;
    m->state = state;
    return 0;
}

static void member_free(struct consumer_member *m)
{
    struct coordinator *c = m->group->groups->coordinator;
    coordinator_cancel_timer(c, &m->session_timer);
    coordinator_cancel_timer(c, &m->rebalance_timer);
    coordinator_cancel_timer(c, &m->rejoin_timer);
    disown(m, &m->assigned);
    disown(m, &m->pending_revocation);
    consumer_unset_subscription(m);
    assignment_release(&m->assigned);
    assignment_release(&m->pending_revocation);
    assignment_release(&m->target);
    mem_free(m->id);
    mem_free(m);
}

void consumer_drop_if_empty(struct consumer_member *m)
{
    if (m->is_member || m->has_target || m->has_current)
        return;
    map_remove(&m->group->members, &m->node);
    member_free(m);
}

bool consumer_is_stable(const struct consumer_group *cg)
{
    if (cg->epoch > cg->assignment_epoch)
        return false;
    for (struct consumer_member *m = NULL; (m = consumer_next(cg, m)) != NULL;)
        if (m->is_member && (m->state != CONSUMER_MEMBER_STABLE || m->epoch != cg->assignment_epoch))
            return false;
    return true;
}

int32_t consumer_setting(const struct consumer_group *cg, const char *name)
{
    const struct groups *g = cg->groups;
    return group_config_i32(
        g->options.config,
        metadata_image_configs(g->image, CONFIG_RESOURCE_GROUP, str_from(cg->group->id)), name);
}

const char *consumer_assignor_name(const struct consumer_group *cg)
{
    struct str rest = config_list(cg->groups->options.config, "group.consumer.assignors"), name;
    const struct assignor *best = NULL;
    int32_t most = -1;
    while (config_list_next(&rest, &name)) {
        const struct assignor *a = assignor_find(name);
        int32_t votes = 0;
        for (struct consumer_member *m = NULL; a != NULL && (m = consumer_next(cg, m)) != NULL;)
            votes += m->is_member && str_is(m->subscription.assignor, a->name);
        if (a != NULL && votes > most) {
            best = a;
            most = votes;
        }
    }
    return best == NULL ? "uniform" : best->name;
}

// ---- As a kind of group ----

static void *group_new(struct groups *g, struct group *group)
{
    struct consumer_group *cg = mem_new(struct consumer_group);
    cg->groups = g;
    cg->group = group;
    map_init(&cg->members);
    map_init(&cg->instances);
    map_init(&cg->regexes);
    map_init(&cg->searches);
    map_init(&cg->owned);
    cg->epoch = cg->assignment_epoch = CONSUMER_FIRST_EPOCH;
    cg->regex_refresh_mono_ms = INT64_MIN;
    return cg;
}

static void group_free(struct groups *g, void *state)
{
    (void)g;
    struct consumer_group *cg = state;
    struct map_node *n;
    consumer_end_searches(cg);
    while ((n = map_take_any(&cg->members)) != NULL)
        member_free(container_of(n, struct consumer_member, node));
    while ((n = map_next(&cg->regexes, NULL)) != NULL)
        consumer_remove_regex(cg, container_of(n, struct consumer_regex, node));
    while ((n = map_take_any(&cg->owned)) != NULL) {
        struct consumer_owned_topic *t = container_of(n, struct consumer_owned_topic, node);
        mem_free(t->owners);
        mem_free(t);
    }
    map_release(&cg->members);
    map_release(&cg->instances);
    map_release(&cg->regexes);
    map_release(&cg->searches);
    map_release(&cg->owned);
    mem_free(cg);
}

static const char *state_name(const void *state)
{
    const struct consumer_group *cg = state;
    if (cg->member_count == 0)
        return "Empty";
    if (cg->epoch > cg->assignment_epoch)
        return "Assigning";
    return consumer_is_stable(cg) ? "Stable" : "Reconciling";
}

static int32_t member_count(const void *state)
{
    return ((const struct consumer_group *)state)->member_count;
}

static void loaded(struct groups *g, struct group *group)
{
    struct consumer_group *cg = group->consumer;
    for (struct consumer_member *m = NULL; (m = consumer_next(cg, m)) != NULL;) {
        if (!m->is_member)
            continue;
        consumer_start_session(m);
        consumer_start_rebalance_timer(m);
    }
    if (cg->member_count > 0 && !consumer_is_stable(cg))
        consumer_note_cause(cg, &(struct consumer_cause){.cause = REBALANCE_LOADED});
    (void)g;
}

static void ended(struct groups *g, struct group *group, enum kafka_error error)
{
    (void)g, (void)group, (void)error; // nothing is ever parked
}

static void image_changed(struct groups *g, struct group *group)
{
    (void)g;
    group->consumer->is_metadata_fresh = false; // the next heartbeat looks
    group->consumer->are_regexes_fresh = false;
}

// ---- What offsets ask ----

static struct str protocol_type(const void *state)
{
    (void)state;
    return str_from("consumer");
}

// The caller as a member, if it is one; an error if it must be and is not.
static enum kafka_error caller_find(const struct group *group, const struct offset_caller *caller,
                                    struct consumer_member **out)
{
    *out = consumer_find_member(group->consumer, caller->member_id);
    return *out == NULL ? KAFKA_UNKNOWN_MEMBER_ID : KAFKA_NONE;
}

static enum kafka_error check_commit(struct groups *g, struct group *group,
                                     const struct offset_caller *caller)
{
    (void)g;
    struct consumer_member *m;
    // Tools may commit for a group in which nobody is.
    if (caller->epoch < 0 && group->consumer->member_count == 0)
        return KAFKA_NONE;
    if (caller->is_transactional && !offset_caller_is_known(caller))
        return KAFKA_NONE;
    enum kafka_error error = caller_find(group, caller, &m);
    if (error != KAFKA_NONE)
        return error;
    if (m->subscription.is_classic)
        return caller->epoch == m->epoch ? KAFKA_NONE : KAFKA_ILLEGAL_GENERATION;
    // Older clients do not know what to do with the errors of this protocol.
    if (caller->version < 9 && !caller->is_transactional)
        return KAFKA_UNSUPPORTED_VERSION;
    // Of one that lags behind each partition is looked at.
    return caller->epoch > m->epoch || caller->epoch < 0 ? KAFKA_STALE_MEMBER_EPOCH : KAFKA_NONE;
}

static enum kafka_error check_commit_partition(const struct groups *g, const struct group *group,
                                               const struct offset_caller *caller, struct str topic,
                                               struct uuid topic_id, int32_t partition)
{
    struct consumer_member *m = consumer_find_member(group->consumer, caller->member_id);
    if (m == NULL || m->subscription.is_classic || caller->epoch == m->epoch)
        return KAFKA_NONE;
    if (uuid_is_zero(topic_id)) {
        const struct metadata_topic *t = metadata_image_topic(g->image, topic);
        if (t == NULL)
            return KAFKA_STALE_MEMBER_EPOCH;
        topic_id = t->id;
    }
    const struct assignment *sets[] = {&m->assigned, &m->pending_revocation};
    for (int i = 0; i < 2; i++) {
        const struct assigned_topic *t = assignment_topic(sets[i], topic_id);
        int32_t at = t == NULL ? -1 : assigned_topic_index(t, partition);
        if (at >= 0)
            return caller->epoch >= t->epochs[at] ? KAFKA_NONE : KAFKA_STALE_MEMBER_EPOCH;
    }
    return KAFKA_STALE_MEMBER_EPOCH;
}

static enum kafka_error check_fetch(const struct groups *g, const struct group *group,
                                    const struct offset_caller *caller)
{
    (void)g;
    struct consumer_member *m;
    if (caller->member_id.size == 0 && caller->epoch < 0)
        return KAFKA_NONE; // a tool, or a client that does not know epochs
    enum kafka_error error = caller_find(group, caller, &m);
    if (error != KAFKA_NONE)
        return error;
    if (caller->epoch == m->epoch)
        return KAFKA_NONE;
    return m->subscription.is_classic ? KAFKA_ILLEGAL_GENERATION : KAFKA_STALE_MEMBER_EPOCH;
}

static enum kafka_error check_delete(const struct group *group)
{
    return group->consumer->member_count == 0 ? KAFKA_NONE : KAFKA_NON_EMPTY_GROUP;
}

static bool is_subscribed(const struct groups *g, const struct group *group, struct str topic)
{
    (void)g;
    for (struct consumer_member *m = NULL; (m = consumer_next(group->consumer, m)) != NULL;)
        if (m->is_member && consumer_subscribes(m, topic))
            return true;
    return false;
}

static bool offsets_expire(const struct group *group, int64_t *since_ms)
{
    (void)group;
    *since_ms = -1;
    return true;
}

const struct group_kind_type consumer_kind = {
    .name = "consumer",
    .new = group_new,
    .free = group_free,
    .state_name = state_name,
    .member_count = member_count,
    .loaded = loaded,
    .end = ended,
    .image_changed = image_changed,
    .write_tombstones = consumer_write_group_tombstones,
    .protocol_type = protocol_type,
    .check_commit = check_commit,
    .check_commit_partition = check_commit_partition,
    .check_fetch = check_fetch,
    .check_delete = check_delete,
    .is_subscribed = is_subscribed,
    .offsets_expire = offsets_expire,
};

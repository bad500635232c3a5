// SPDX-License-Identifier: Apache-2.0
//
// Groups that move between the protocols while their members go on working: a classic group becomes a
// consumer group when the first member comes that speaks the consumer protocol, and a classic group again
// when the last such member has gone. One command each: all records of one kind go, those of the other
// come.
#include "base/err.h"
#include "base/mem.h"
#include "config/config.h"
#include "group/consumer.h"
#include "group/consumer_protocol.h"
#include "metadata/image.h"
#include "wire/record/consumer_protocol_subscription.h"
#include "wire/record/group_metadata_key.h"
#include "wire/record/group_metadata_value.h"

enum { MIGRATION_MEMORY_MAX = 64 * 1024 * 1024, GROUP_VALUE_VERSION = 3 };

static bool policy_allows(const struct groups *g, const char *direction)
{
    struct str policy = str_from(config_text(g->options.config, "group.consumer.migration.policy"));
    return str_equal_nocase(policy, str_from("bidirectional")) ||
           str_equal_nocase(policy, str_from(direction));
}

// The records of a group are exchanged: what is not in them stays with the name.
static int exchange(struct groups *g, struct str id)
{
    coordinator_ticket ticket;
    struct group *group = groups_find(g, id);
    struct group_journal journal = group->journal;
    group->journal = (struct group_journal){0};
    int err = group_write_end(g, id, &ticket);
    groups_find(g, id)->journal = journal;
    return err;
}

// ---- To a consumer group ----

static const char *upgrade_obstacle(const struct groups *g, const struct classic_group *classic)
{
    if (!policy_allows(g, "upgrade"))
        return "online upgrade is disabled";
    if (!classic_uses_consumer_protocol(classic))
        return "the group does not use the consumer embedded protocol";
    if (classic_member_count(classic) > config_i32(g->options.config, "group.consumer.max.size"))
        return "the group size exceeds the consumer group maximum size";
    return NULL;
}

// A member before any generation has no selected protocol: its first one says what it wants.
static struct bytes subscription_of(const struct classic_group *classic, const struct classic_member *m)
{
    struct bytes selected = classic_metadata(m, classic->protocol_name);
    return selected.size > 0 || m->protocol_count == 0 ? selected : m->protocols[0].metadata;
}

static int write_classic_member(const struct consumer_group *cg, const struct classic_group *classic,
                                const struct classic_member *m, struct arena *arena)
{
    struct consumer_protocol_subscription s;
    struct assignment assigned, none = {0};
    int err = consumer_protocol_read_subscription(subscription_of(classic, m), arena, &s, NULL);
    if (err == 0)
        err = consumer_protocol_to_assignment(cg->groups->image, m->assignment, arena, &assigned);
    if (err != 0)
        return err;
    for (int32_t i = 0; i < assigned.count; i++)
        for (int32_t p = 0; p < assigned.topics[i].count; p++)
            assigned.topics[i].epochs[p] = classic->generation;
    struct consumer_subscription subscription = {
        .instance_id = m->instance_id,
        .rack_id = s.rack_id,
        .client_id = m->client_id,
        .client_host = m->client_host,
        .topics = s.topics.items,
        .topic_count = consumer_sort_names(s.topics.items, s.topics.count),
        .regex = str_from(""),
        .rebalance_timeout_ms = m->rebalance_timeout_ms,
        .is_classic = true,
        .session_timeout_ms = m->session_timeout_ms,
        .protocols = m->protocols,
        .protocol_count = m->protocol_count,
    };
    consumer_write_subscription(cg, m->id, &subscription);
    consumer_write_target(cg, m->id, &assigned);
    consumer_write_current(cg, m->id, classic->generation, classic->generation, CONSUMER_MEMBER_STABLE,
                           &assigned, &none);
    assignment_release(&assigned);
    return 0;
}

static int upgrade(struct groups *g, struct group *group, struct arena *arena)
{
    struct classic_group *classic = group->classic;
    struct group named = {.id = group->id};
    struct consumer_group stand_in = {.groups = g, .group = &named};
    char *id = mem_copy_text(group->id);
    int err = 0;
    classic_fail_parked(classic, KAFKA_REBALANCE_IN_PROGRESS);
    consumer_begin(&stand_in);
    classic_kind.write_tombstones(g, group);
    consumer_write_group(&stand_in, classic->generation, 0);
    for (struct classic_member *m = NULL; err == 0 && (m = classic_next_member(classic, m)) != NULL;)
        err = write_classic_member(&stand_in, classic, m, arena);
    consumer_write_target_epoch(&stand_in, classic->generation, 0);
    if (err != 0)
        coordinator_abandon(g->coordinator);
    else
        err = exchange(g, str_from(id));
    mem_free(id);
    return err;
}

struct group *consumer_upgrade(struct groups *g, struct group *group, struct group_call *call)
{
    struct str id = arena_copy_str(call->arena, str_from(group->id));
    const char *obstacle = upgrade_obstacle(g, group->classic);
    struct arena arena;
    int err = 0;
    if (obstacle == NULL) {
        arena_init(&arena, MIGRATION_MEMORY_MAX);
        err = upgrade(g, group, &arena);
        arena_release(&arena);
        if (err == ERR_CORRUPT || err == ERR_TRUNCATED)
            obstacle = "the embedded consumer protocol is malformed";
    }
    if (obstacle != NULL) {
        consumer_fail(call, KAFKA_GROUP_ID_NOT_FOUND,
                      "Cannot upgrade classic group %.*s to consumer group because %s.", STR_ARG(id),
                      obstacle);
        return NULL;
    }
    if (err != 0) {
        consumer_fail(call, coordinator_error(err), "%s", err_text(err));
        return NULL;
    }
    struct consumer_group *cg = groups_find(g, id)->consumer;
    for (struct consumer_member *m = NULL; (m = consumer_next(cg, m)) != NULL;)
        consumer_start_session(m);
    consumer_note_cause(cg, &(struct consumer_cause){
        .cause = REBALANCE_PROTOCOL,
        .client_id = call->client_id,
        .client_host = call->client_host,
    });
    return cg->group;
}

// ---- To a classic group ----

bool consumer_wants_downgrade(const struct consumer_group *cg, const struct consumer_member *leaving)
{
    int32_t left = cg->member_count - (leaving != NULL);
    int32_t classic_left =
        cg->classic_member_count - (leaving != NULL && leaving->subscription.is_classic);
    return left > 0 && classic_left == left && policy_allows(cg->groups, "downgrade") &&
           left <= config_i32(cg->groups->options.config, "group.max.size");
}

static bool offers(const struct consumer_member *m, struct str protocol)
{
    for (int32_t i = 0; i < m->subscription.protocol_count; i++)
        if (str_equal(m->subscription.protocols[i].name, protocol))
            return true;
    return false;
}

static bool all_offer(const struct consumer_group *cg, const struct consumer_member *leaving,
                      struct str protocol)
{
    for (struct consumer_member *m = NULL; (m = consumer_next(cg, m)) != NULL;)
        if (m->is_member && m != leaving && !offers(m, protocol))
            return false;
    return true;
}

// The first of the leader's protocols that all have: the group rebalances anyway and votes then.
static struct str common_protocol(const struct consumer_group *cg, const struct consumer_member *leader,
                                  const struct consumer_member *leaving)
{
    for (int32_t i = 0; i < leader->subscription.protocol_count; i++)
        if (all_offer(cg, leaving, leader->subscription.protocols[i].name))
            return leader->subscription.protocols[i].name;
    return leader->subscription.protocols[0].name;
}

static struct bytes metadata_of(const struct consumer_member *m, struct str protocol)
{
    for (int32_t i = 0; i < m->subscription.protocol_count; i++)
        if (str_equal(m->subscription.protocols[i].name, protocol))
            return m->subscription.protocols[i].metadata;
    return bytes_of("", 0);
}

bool consumer_classic_assignment(const struct consumer_member *m, struct arena *arena, struct bytes *out)
{
    struct consumer_protocol_subscription s;
    int16_t version = 0;
    const struct consumer_subscription *from = &m->subscription;
    if (from->protocol_count > 0)
        (void)consumer_protocol_read_subscription(from->protocols[0].metadata, arena, &s, &version);
    return consumer_protocol_of_assignment(m->group->groups->image, &m->assigned, version, arena, out);
}

static bool describe_member(const struct consumer_member *m, struct str protocol, struct arena *arena,
                            struct group_metadata_value_member_metadata *out)
{
    const struct consumer_subscription *s = &m->subscription;
    out->member_id = str_from(m->id);
    out->group_instance_id = s->instance_id;
    out->client_id = s->client_id;
    out->client_host = s->client_host;
    out->rebalance_timeout = s->rebalance_timeout_ms;
    out->session_timeout = s->session_timeout_ms;
    out->subscription = metadata_of(m, protocol);
    return consumer_classic_assignment(m, arena, &out->assignment);
}

// `rebalances`: the members have to share anew what the leaving one had. That begins at once, but a
// coordinator that crashes before it is over would know nothing of it and leave those partitions to nobody:
// a generation without a leader tells the one that loads the group.
static int write_classic_group(const struct consumer_group *cg, const struct consumer_member *leaving,
                               bool rebalances, struct arena *arena)
{
    struct coordinator *c = cg->groups->coordinator;
    struct group_metadata_key key = {.group = str_from(cg->group->id)};
    struct group_metadata_value value;
    const struct consumer_member *leader = NULL;
    group_metadata_value_init(&value);
    value.members.items =
        arena_alloc_array(arena, (size_t)cg->member_count + 1, sizeof(*value.members.items));
    if (value.members.items == NULL)
        return ERR_NOMEM;
    value.members.count = 0;
    for (struct consumer_member *m = NULL; (m = consumer_next(cg, m)) != NULL;) {
        if (!m->is_member || m == leaving)
            continue;
        if (leader == NULL) {
            leader = m;
            value.protocol = common_protocol(cg, m, leaving);
        }
        if (!describe_member(m, value.protocol, arena, &value.members.items[value.members.count++]))
            return ERR_NOMEM;
    }
    value.protocol_type = str_from("consumer");
    value.generation = cg->epoch;
    value.leader = rebalances ? (struct str){NULL, 0} : str_from(leader->id);
    value.current_state_timestamp = coordinator_now(c)->wall_ms;
    coordinator_write(c, GROUP_RECORD_GROUP_METADATA, GROUP_VALUE_VERSION, &key, &value);
    return 0;
}

// The record has one protocol of each member; the others are known as long as this coordinator lives.
struct offered {
    struct str member_id;
    struct consumer_subscription subscription;
};

static struct offered *remember_protocols(const struct consumer_group *cg, int32_t *count)
{
    struct offered *all = mem_alloc_array((size_t)cg->member_count + 1, sizeof(*all));
    *count = 0;
    for (struct consumer_member *m = NULL; (m = consumer_next(cg, m)) != NULL;) {
        if (!m->is_member || !m->subscription.is_classic)
            continue;
        struct offered *o = &all[(*count)++];
        o->member_id = str_from(mem_copy_text(m->id));
        consumer_subscription_copy(&o->subscription, &m->subscription);
    }
    return all;
}

static void restore_protocols(struct classic_group *classic, struct offered *all, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        struct classic_member *m =
            classic == NULL ? NULL : classic_find_member(classic, all[i].member_id);
        if (m != NULL)
            classic_set_protocols(m, all[i].subscription.protocols, all[i].subscription.protocol_count);
        mem_free((char *)(uintptr_t)all[i].member_id.data);
        consumer_subscription_release(&all[i].subscription);
    }
    mem_free(all);
}

int consumer_downgrade(struct consumer_group *cg, const struct consumer_member *leaving,
                       const struct consumer_cause *cause)
{
    struct groups *g = cg->groups;
    struct arena arena;
    int32_t count;
    char *id = mem_copy_text(cg->group->id);
    struct offered *offered = remember_protocols(cg, &count);
    arena_init(&arena, MIGRATION_MEMORY_MAX);
    consumer_begin(cg);
    consumer_write_group_tombstones(g, cg->group);
    int err = write_classic_group(cg, leaving, cause != NULL, &arena);
    if (err != 0)
        coordinator_abandon(g->coordinator);
    else
        err = exchange(g, str_from(id));
    arena_release(&arena);
    struct group *group = groups_find(g, str_from(id));
    mem_free(id);
    restore_protocols(err == 0 ? group->classic : NULL, offered, count);
    if (err != 0)
        return err;
    classic_start_sessions(group->classic);
    if (cause != NULL) {
        classic_note_cause(group->classic, &(struct classic_cause){
            REBALANCE_PROTOCOL, cause->member, cause->client_id, cause->client_host, cause->reason});
        classic_rebalance_or_complete(group->classic);
    }
    return 0;
}

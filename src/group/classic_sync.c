// SPDX-License-Identifier: Apache-2.0
//
// SyncGroup (key 14, versions 0-5). 3: static members (KIP-345). 5: protocol type and name, which must be
// there and right (KIP-559).
//
// Members ask for their part and wait; the leader brings the parts of all. They are written, which makes
// the group Stable, and everybody is answered when that is committed.
#include "group/classic.h"

#include "base/hash.h"
#include "base/trace.h"
#include "group/consumer.h"
#include "group/internal.h"
#include "wire/api/sync_group.h"

enum { VERSION_PROTOCOL = 5 };

// A part that the leader brought.
struct given {
    struct map_node node;
    const struct sync_group_request_sync_group_request_assignment *part;
};

struct given_parts {
    struct map by_member;
    struct hash_seed seed;
};

static void set_error(struct group_call *call, enum kafka_error error)
{
    struct sync_group_response *response = call->response;
    sync_group_response_init(response);
    response->error_code = (int16_t)error;
}

// ---- Parked calls ----

// A copy, since the group may change before the answer is sent.
static void answer(struct group_call *call, const struct classic_member *m)
{
    struct sync_group_response *response = call->response;
    const struct classic_group *cg = m->group;
    sync_group_response_init(response);
    response->protocol_type = arena_copy_str(call->arena, str_from(cg->protocol_type));
    response->protocol_name = arena_copy_str(call->arena, str_from(cg->protocol_name));
    response->assignment = str_bytes(arena_copy_str(call->arena, bytes_str(m->assignment)));
    if (response->assignment.data == NULL)
        call->no_memory = true;
    group_reply(call, cg->group);
}

void classic_end_sync(struct classic_member *m)
{
    struct group_call *call = m->sync_call;
    if (call == NULL)
        return;
    m->sync_call = NULL;
    call->member = NULL;
    answer(call, m);
}

void classic_fail_sync(struct classic_member *m, enum kafka_error error)
{
    struct group_call *call = m->sync_call;
    if (call == NULL)
        return;
    m->sync_call = NULL;
    call->member = NULL;
    group_call_fail(call, error);
}

// ---- The leader's assignment ----

static bool part_is_of(const struct map_node *node, const void *key)
{
    const struct str *member_id = key;
    return str_equal(container_of(node, struct given, node)->part->member_id, *member_id);
}

// Of two parts for one member the later counts.
static bool gather_parts(struct given_parts *parts, struct arena *arena,
                         const struct sync_group_request *request)
{
    struct given *all = arena_new_array(arena, (size_t)request->assignments.count + 1, struct given);
    if (all == NULL)
        return false;
    for (int32_t i = 0; i < request->assignments.count; i++) {
        struct str id = request->assignments.items[i].member_id;
        uint64_t hash = hash_str(parts->seed, id);
        struct map_node *before = map_find(&parts->by_member, hash, part_is_of, &id);
        if (before != NULL)
            map_remove(&parts->by_member, before);
        all[i].part = &request->assignments.items[i];
        map_insert(&parts->by_member, &all[i].node, hash);
    }
    return true;
}

static struct bytes part_of(void *context, const struct classic_member *m)
{
    const struct given_parts *parts = context;
    struct map_node *n = map_find(&parts->by_member, hash_str(parts->seed, m->id), part_is_of, &m->id);
    return n == NULL ? bytes_of("", 0) : container_of(n, struct given, node)->part->assignment;
}

static void tell_everybody(struct classic_group *cg)
{
    for (struct classic_member *m = NULL; (m = classic_next_member(cg, m)) != NULL;) {
        if (m->sync_call == NULL)
            continue;
        classic_start_session(m);
        classic_end_sync(m);
    }
}

static void store(struct classic_group *cg, struct classic_member *leader,
                  const struct sync_group_request *request)
{
    struct groups *g = cg->groups;
    struct given_parts parts = {.seed = g->options.hash_seed};
    coordinator_ticket ticket;
    map_init(&parts.by_member);
    if (!gather_parts(&parts, leader->sync_call->arena, request)) {
        map_release(&parts.by_member);
        leader->sync_call->no_memory = true;
        classic_fail_sync(leader, KAFKA_UNKNOWN_SERVER_ERROR);
        return;
    }
    int err = classic_write(cg, NULL, part_of, &parts, &ticket);
    map_release(&parts.by_member);
    if (err != 0) {
        classic_note_member_cause(leader, REBALANCE_APPEND_FAILED, (struct str){NULL, 0});
        classic_assignment_failed(cg, coordinator_error(err));
        return;
    }
    group_journal_end(&cg->group->journal, coordinator_now(g->coordinator), classic_member_count(cg),
                      cg->generation);
    trace_info(g->options.trace, "group", "group %s is stable in generation %d with %d members, %s",
               cg->group->id, cg->generation, (int)classic_member_count(cg), cg->protocol_name);
    tell_everybody(cg);
}

// ---- The request ----

static void park(struct classic_member *m, struct group_call *call)
{
    struct classic_group *cg = m->group;
    classic_fail_sync(m, KAFKA_REBALANCE_IN_PROGRESS);
    m->sync_call = call;
    call->member = m;
    group_journal_member(&cg->group->journal, coordinator_now(cg->groups->coordinator), m->id,
                         m->client_id, m->client_host);
}

static bool is_other(struct str asked, const char *name)
{
    return asked.data != NULL && !str_is(asked, name != NULL ? name : "");
}

static enum kafka_error check_request(const struct classic_group *cg,
                                      const struct sync_group_request *request)
{
    enum kafka_error error = classic_check_member(cg, request->member_id, request->group_instance_id);
    if (error != KAFKA_NONE)
        return error;
    if (request->generation_id != cg->generation)
        return KAFKA_ILLEGAL_GENERATION;
    if (is_other(request->protocol_type, cg->protocol_type) ||
        is_other(request->protocol_name, cg->protocol_name))
        return KAFKA_INCONSISTENT_GROUP_PROTOCOL;
    return cg->state == CLASSIC_PREPARING_REBALANCE ? KAFKA_REBALANCE_IN_PROGRESS : KAFKA_NONE;
}

static void sync(struct classic_group *cg, struct group_call *call,
                 const struct sync_group_request *request)
{
    enum kafka_error error = check_request(cg, request);
    if (error != KAFKA_NONE) {
        group_call_fail(call, error);
        return;
    }
    struct classic_member *m = classic_find_member(cg, request->member_id);
    classic_note_sync(m);
    if (cg->state == CLASSIC_STABLE) {
        classic_start_session(m); // it is alive, though late
        answer(call, m);
        return;
    }
    park(m, call);
    if (cg->leader == m)
        store(cg, m, request);
}

void groups_sync(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                 const struct sync_group_request *request)
{
    coordinator_set_time(g->coordinator, now);
    group_call_begin(call, g, set_error);
    struct group *group = groups_find(g, request->group_id);
    if (call->version >= VERSION_PROTOCOL &&
        (request->protocol_type.data == NULL || request->protocol_name.data == NULL))
        group_call_fail(call, KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    else if (request->group_id.size == 0)
        group_call_fail(call, KAFKA_INVALID_GROUP_ID);
    else if (group == NULL || group_is_empty(group) || group->kind == GROUP_STREAMS)
        group_call_fail(call, KAFKA_UNKNOWN_MEMBER_ID);
    else if (group->kind == GROUP_CONSUMER)
        consumer_classic_sync(g, group, call, now, request);
    else
        sync(group->classic, call, request);
}

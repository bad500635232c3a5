// SPDX-License-Identifier: Apache-2.0
//
// JoinGroup (key 11, versions 0-9). 1: a rebalance timeout of its own. 4: a first join is answered with the
// id to join with (KIP-394). 5: static members (KIP-345). 7: the protocol type in the answer (KIP-559).
// 8: the reason (KIP-800). 9: a leader may skip the assignment (KIP-814).
//
// The order of checks is Kafka's: group id, session timeout, the group itself, its size, protocols, then
// the member.
#include "group/classic.h"

#include "config/config.h"
#include "group/consumer.h"
#include "group/internal.h"
#include "wire/api/join_group.h"

enum {
    VERSION_REBALANCE_TIMEOUT = 1,
    VERSION_MEMBER_ID_REQUIRED = 4,
    VERSION_NULL_PROTOCOL = 7,
    VERSION_SKIP_ASSIGNMENT = 9,
};

struct join {
    struct classic_group *cg;
    struct group_call *call;
    struct str member_id;
    struct str instance_id; // null: dynamic
    struct str reason;
    int32_t session_timeout_ms;
    int32_t rebalance_timeout_ms;
    struct str protocol_type;
    struct classic_protocol *protocols;
    int32_t protocol_count;
};

static struct str no_protocol(const struct group_call *call)
{
    return call->version >= VERSION_NULL_PROTOCOL ? (struct str){NULL, 0} : str_from("");
}

// The member id stays what it is.
static void set_error(struct group_call *call, enum kafka_error error)
{
    struct join_group_response *response = call->response;
    struct str member_id = response->member_id;
    join_group_response_init(response);
    response->error_code = (int16_t)error;
    response->protocol_name = no_protocol(call);
    response->member_id = member_id;
}

// The error is for somebody who is nobody here.
static void fail_unknown(struct group_call *call, enum kafka_error error)
{
    ((struct join_group_response *)call->response)->member_id = str_from("");
    group_call_fail(call, error);
}

// ---- The answer ----

static bool copy_members(struct group_call *call, const struct classic_group *cg)
{
    struct join_group_response *response = call->response;
    struct join_group_response_join_group_response_member *to =
        join_group_response_join_group_response_member_array_new(call->arena, classic_member_count(cg),
                                                                 &response->members);
    if (to == NULL)
        return false;
    for (struct classic_member *m = NULL; (m = classic_next_member(cg, m)) != NULL; to++) {
        struct bytes metadata = classic_metadata(m, cg->protocol_name);
        to->member_id = arena_copy_str(call->arena, m->id);
        if (m->instance_id.data != NULL)
            to->group_instance_id = arena_copy_str(call->arena, m->instance_id);
        to->metadata = str_bytes(arena_copy_str(call->arena, bytes_str(metadata)));
        if (to->member_id.data == NULL || to->metadata.data == NULL)
            return false;
    }
    return true;
}

// What the member is told of the generation; copies, since the group may change before it is sent.
static void answer(struct group_call *call, const struct classic_member *m, struct str leader,
                   bool with_members, bool skips_assignment)
{
    const struct classic_group *cg = m->group;
    struct join_group_response *response = call->response;
    join_group_response_init(response);
    response->generation_id = cg->generation;
    response->protocol_type = arena_copy_str(call->arena, str_from(cg->protocol_type));
    response->protocol_name = cg->protocol_name == NULL
                                  ? no_protocol(call)
                                  : arena_copy_str(call->arena, str_from(cg->protocol_name));
    response->leader = arena_copy_str(call->arena, leader);
    response->member_id = arena_copy_str(call->arena, m->id);
    response->skip_assignment = skips_assignment;
    if (response->leader.data == NULL || response->member_id.data == NULL ||
        (with_members && !copy_members(call, cg)))
        call->no_memory = true;
    group_reply(call, cg->group);
}

static struct str leader_id(const struct classic_group *cg)
{
    return cg->leader == NULL ? str_from("") : cg->leader->id;
}

void classic_end_join(struct classic_member *m)
{
    struct group_call *call = m->join_call;
    if (call == NULL)
        return;
    m->join_call = NULL;
    call->member = NULL;
    m->group->joined_count--;
    answer(call, m, leader_id(m->group), m->group->leader == m, false);
}

void classic_fail_join(struct classic_member *m, enum kafka_error error)
{
    struct group_call *call = m->join_call;
    if (call == NULL)
        return;
    m->join_call = NULL;
    call->member = NULL;
    m->group->joined_count--;
    if (error == KAFKA_UNKNOWN_MEMBER_ID)
        fail_unknown(call, error);
    else
        group_call_fail(call, error);
}

void classic_park_join(struct classic_member *m, struct group_call *call)
{
    struct classic_group *cg = m->group;
    struct join_group_response *response = call->response;
    classic_fail_join(m, KAFKA_REBALANCE_IN_PROGRESS);
    response->member_id = arena_copy_str(call->arena, m->id);
    m->join_call = call;
    call->member = m;
    cg->joined_count++;
    group_journal_member(&cg->group->journal, coordinator_now(cg->groups->coordinator), m->id,
                         m->client_id, m->client_host);
}

// ---- Members that come ----

static void add_member(struct join *j, struct str id)
{
    struct classic_group *cg = j->cg;
    struct group_call *call = j->call;
    classic_note_cause(cg, &(struct classic_cause){REBALANCE_JOINED, id, call->client_id,
                                                   call->client_host, j->reason});
    if (classic_member_count(cg) == 0)
        classic_set_protocol_type(cg, j->protocol_type);
    struct classic_member *m = classic_add_member(cg, &(struct classic_member_options){
        .id = id,
        .instance_id = j->instance_id,
        .client_id = call->client_id,
        .client_host = call->client_host,
        .session_timeout_ms = j->session_timeout_ms,
        .rebalance_timeout_ms = j->rebalance_timeout_ms,
    });
    classic_set_protocols(m, j->protocols, j->protocol_count);
    classic_remove_pending(cg, m->id);
    m->is_new = true;
    if (cg->is_initial)
        cg->has_new_member = true;
    classic_park_join(m, call);
    classic_set_session(m, CLASSIC_NEW_MEMBER_JOIN_TIMEOUT_MS);
    classic_rebalance_or_complete(cg);
}

static void update_member(struct join *j, struct classic_member *m)
{
    classic_set_protocols(m, j->protocols, j->protocol_count);
    m->session_timeout_ms = j->session_timeout_ms;
    m->rebalance_timeout_ms = j->rebalance_timeout_ms;
}

// It joins the generation that comes.
static void rejoin(struct join *j, struct classic_member *m, enum rebalance_cause cause)
{
    if (j->cg->state != CLASSIC_PREPARING_REBALANCE)
        classic_note_member_cause(m, cause, j->reason);
    update_member(j, m);
    classic_park_join(m, j->call);
    classic_rebalance_or_complete(j->cg);
}

// ---- A static member comes back without its id: it is the same member under a new one ----

static void replace_stored(struct join *j, struct classic_member *m, struct str new_id)
{
    struct classic_group *cg = j->cg;
    struct group_call *call = j->call;
    bool leads = cg->leader == m;
    // Members of old versions must not believe that they lead: they would assign, and nobody waits for it.
    bool may_skip = call->version >= VERSION_SKIP_ASSIGNMENT;
    struct str leader = may_skip && leads ? new_id : arena_copy_str(call->arena, leader_id(cg));
    coordinator_ticket ticket;
    int err = classic_write(cg, &(struct classic_record_change){m, new_id, j->session_timeout_ms,
                                                                j->rebalance_timeout_ms},
                            NULL, NULL, &ticket);
    if (err != 0) {
        fail_unknown(call, coordinator_error(err));
        return;
    }
    classic_start_session(m);
    answer(call, m, leader, may_skip && leads, may_skip && leads);
}

static void replace_static(struct join *j, struct classic_member *m)
{
    struct classic_group *cg = j->cg;
    struct str new_id = group_new_member_id(cg->groups, j->call->arena, j->instance_id);
    struct str selected_before = str_from(cg->protocol_name);
    if (new_id.data == NULL) {
        j->call->no_memory = true;
        group_call_fail(j->call, KAFKA_UNKNOWN_SERVER_ERROR);
        return;
    }
    classic_fail_join(m, KAFKA_FENCED_INSTANCE_ID);
    classic_fail_sync(m, KAFKA_FENCED_INSTANCE_ID);
    classic_set_protocols(m, j->protocols, j->protocol_count);
    if (cg->state == CLASSIC_STABLE && str_equal(classic_select_protocol(cg), selected_before)) {
        replace_stored(j, m, new_id);
        return;
    }
    if (cg->state != CLASSIC_PREPARING_REBALANCE)
        classic_note_member_cause(m, REBALANCE_STATIC_REPLACED, j->reason);
    classic_rename_member(cg, m, new_id);
    update_member(j, m);
    classic_start_session(m);
    classic_park_join(m, j->call);
    classic_rebalance_or_complete(cg);
}

// ---- Who joins ----

static void join_new(struct join *j)
{
    struct classic_group *cg = j->cg;
    struct group_call *call = j->call;
    bool is_static = j->instance_id.data != NULL;
    struct classic_member *m = is_static ? classic_find_instance(cg, j->instance_id) : NULL;
    if (m != NULL) {
        replace_static(j, m);
        return;
    }
    struct str id = group_new_member_id(cg->groups, call->arena,
                                        is_static ? j->instance_id : call->client_id);
    if (id.data == NULL) {
        call->no_memory = true;
        group_call_fail(call, KAFKA_UNKNOWN_SERVER_ERROR);
    } else if (is_static || call->version < VERSION_MEMBER_ID_REQUIRED) {
        add_member(j, id);
    } else {
        classic_add_pending(cg, id, j->session_timeout_ms);
        if (cg->state == CLASSIC_EMPTY && cg->protocol_type == NULL)
            groups_note_unused(cg->groups, cg->group);
        set_error(call, KAFKA_MEMBER_ID_REQUIRED);
        ((struct join_group_response *)call->response)->member_id = id;
        group_reply(call, cg->group);
    }
}

// The answer of its generation may have been lost: it hears it again.
static void repeat_generation(struct join *j, struct classic_member *m)
{
    bool with_members = j->cg->state == CLASSIC_COMPLETING_REBALANCE && j->cg->leader == m;
    answer(j->call, m, leader_id(j->cg), with_members, false);
}

static void join_known(struct join *j)
{
    struct classic_group *cg = j->cg;
    if (j->instance_id.data == NULL && classic_is_pending(cg, j->member_id)) {
        add_member(j, j->member_id);
        return;
    }
    enum kafka_error error = classic_check_member(cg, j->member_id, j->instance_id);
    struct classic_member *m = classic_find_member(cg, j->member_id);
    if (error != KAFKA_NONE || cg->state == CLASSIC_EMPTY) {
        group_call_fail(j->call, error != KAFKA_NONE ? error : KAFKA_UNKNOWN_MEMBER_ID);
        return;
    }
    bool is_same = classic_offers_same(m, j->protocols, j->protocol_count);
    if (cg->state == CLASSIC_PREPARING_REBALANCE || !is_same)
        rejoin(j, m, REBALANCE_SUBSCRIPTION);
    else if (cg->state == CLASSIC_STABLE && cg->leader == m)
        rejoin(j, m, REBALANCE_LEADER); // it saw a change that only assigning can answer
    else
        repeat_generation(j, m);
}

// While members join those who have joined count, so that a group that is too large by now loses whoever
// comes last; later its members do.
static bool has_room(const struct join *j)
{
    const struct classic_group *cg = j->cg;
    const struct classic_member *m = classic_find_member(cg, j->member_id);
    int32_t max = config_i32(cg->groups->options.config, "group.max.size");
    switch (cg->state) {
    case CLASSIC_PREPARING_REBALANCE:
        return (m != NULL && m->join_call != NULL) || cg->joined_count < max;
    case CLASSIC_COMPLETING_REBALANCE:
    case CLASSIC_STABLE:
        return m != NULL || classic_member_count(cg) < max;
    case CLASSIC_EMPTY:
        break;
    }
    return true;
}

static void refuse(struct join *j)
{
    struct classic_member *m = classic_find_member(j->cg, j->member_id);
    if (m != NULL)
        classic_drop_member(m, KAFKA_GROUP_MAX_SIZE_REACHED);
    classic_remove_pending(j->cg, j->member_id);
    fail_unknown(j->call, KAFKA_GROUP_MAX_SIZE_REACHED);
    classic_try_complete_join(j->cg);
}

static void join(struct join *j)
{
    if (!has_room(j))
        refuse(j);
    else if (j->protocol_count > CLASSIC_PROTOCOLS_MAX ||
             !classic_supports(j->cg, j->protocol_type, j->protocols, j->protocol_count))
        group_call_fail(j->call, KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    else if (j->member_id.size == 0)
        join_new(j);
    else
        join_known(j);
}

// ---- The request ----

static bool read_request(struct join *j, const struct join_group_request *request)
{
    struct group_call *call = j->call;
    j->member_id = request->member_id;
    j->instance_id = request->group_instance_id;
    j->reason = request->reason;
    j->session_timeout_ms = request->session_timeout_ms;
    j->rebalance_timeout_ms = call->version >= VERSION_REBALANCE_TIMEOUT ? request->rebalance_timeout_ms
                                                                         : request->session_timeout_ms;
    j->protocol_type = request->protocol_type;
    j->protocol_count = request->protocols.count;
    j->protocols = arena_new_array(call->arena, (size_t)j->protocol_count + 1, struct classic_protocol);
    if (j->protocols == NULL)
        return false;
    for (int32_t i = 0; i < j->protocol_count; i++)
        j->protocols[i] = (struct classic_protocol){request->protocols.items[i].name,
                                                    request->protocols.items[i].metadata};
    return true;
}

static bool is_session_allowed(const struct groups *g, int32_t session_timeout_ms)
{
    return session_timeout_ms >= config_i32(g->options.config, "group.min.session.timeout.ms") &&
           session_timeout_ms <= config_i32(g->options.config, "group.max.session.timeout.ms");
}

// What a member offers is held as long as it lives; the record of the group takes one protocol of each.
// Much more than fits into a record is refused, as Kafka would when it comes to storing it.
static bool is_storable(const struct groups *g, const struct join_group_request *request)
{
    size_t max = coordinator_record_bytes_max(g->coordinator) * CLASSIC_OFFERS_PER_RECORD_MAX;
    size_t size = request->member_id.size + request->group_instance_id.size;
    for (int32_t i = 0; i < request->protocols.count; i++)
        size += request->protocols.items[i].name.size + request->protocols.items[i].metadata.size;
    return size <= max;
}

// Finds the classic group, makes it for somebody new, or ends the call.
static struct group *find_group(struct groups *g, struct group_call *call,
                                const struct join_group_request *request)
{
    struct group *group = groups_find(g, request->group_id);
    if (group != NULL && group->kind == GROUP_CLASSIC)
        return group;
    if (group != NULL && !group_is_empty(group)) {
        fail_unknown(call, KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    } else if (request->member_id.size > 0) {
        group_call_fail(call, KAFKA_UNKNOWN_MEMBER_ID);
    } else if (request->protocol_type.size == 0 || request->protocols.count == 0) {
        group_call_fail(call, KAFKA_INCONSISTENT_GROUP_PROTOCOL); // nothing is made for that
    } else if (group == NULL && !groups_have_room(g)) {
        fail_unknown(call, KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    } else {
        int err = classic_create(g, request->group_id, &group);
        if (err == 0)
            return group;
        group_call_fail(call, coordinator_error(err));
    }
    return NULL;
}

void groups_join(struct groups *g, struct group_call *call, const struct coordinator_time *now,
                 const struct join_group_request *request)
{
    coordinator_set_time(g->coordinator, now);
    group_call_begin(call, g, set_error);
    ((struct join_group_response *)call->response)->member_id = request->member_id;
    struct group *group = groups_find(g, request->group_id);
    if (request->group_id.size == 0) {
        group_call_fail(call, KAFKA_INVALID_GROUP_ID);
    } else if (!is_session_allowed(g, request->session_timeout_ms)) {
        group_call_fail(call, KAFKA_INVALID_SESSION_TIMEOUT);
    } else if (!is_storable(g, request)) {
        group_call_fail(call, KAFKA_UNKNOWN_SERVER_ERROR);
    } else if (group != NULL && group->kind == GROUP_CONSUMER && !group_is_empty(group)) {
        consumer_classic_join(g, group, call, now, request);
    } else if ((group = find_group(g, call, request)) != NULL) {
        struct join j = {.cg = group->classic, .call = call};
        if (read_request(&j, request)) {
            join(&j);
            return;
        }
        call->no_memory = true;
        group_call_fail(call, KAFKA_UNKNOWN_SERVER_ERROR);
    }
}

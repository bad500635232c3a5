// SPDX-License-Identifier: Apache-2.0
//
// The classic protocol: JoinGroup until the coordinator has everybody, SyncGroup with the assignment
// that the leader made, Heartbeat until something changes; and again. With eager assignors everything is
// given up before a join; with cooperative ones (KIP-429) what has to go is given up after it, and
// joined for once more.
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/group_member_internal.h"
#include "wire/api/heartbeat.h"
#include "wire/api/join_group.h"
#include "wire/api/leave_group.h"
#include "wire/api/sync_group.h"
#include "wire/api_keys.h"
#include "wire/consumer_protocol.h"
#include "wire/errors.h"
#include "wire/record/consumer_protocol_assignment.h"
#include "wire/record/consumer_protocol_subscription.h"

enum {
    JOIN_VERSION_MIN = 5, // static members (KIP-345)
    JOIN_VERSION_MAX = 9,
    SYNC_VERSION_MIN = 3,
    SYNC_VERSION_MAX = 5,
    HEARTBEAT_VERSION_MIN = 3,
    HEARTBEAT_VERSION_MAX = 4,
    LEAVE_VERSION_MIN = 3,
    LEAVE_VERSION_MAX = 5,
    JOIN_SLACK_MS = 5000, // beyond what the others may take
    SUBSCRIPTION_BYTES_MAX = 16 << 20,
};

static void no_memory(struct group_member *m)
{
    group_member__fail(m, 0, ERR_NOMEM, (struct str){0});
}

// --- Ends of a generation ---

static void rejoin(struct group_member *m, const char *reason)
{
    struct classic_membership *c = &m->classic;
    if (!c->rejoin) {
        c->rejoin = true;
        c->prepared = false;
        c->reason = reason;
    }
    c->phase = CLASSIC_UNJOINED;
    client_answer_release(&c->joined);
    if (m->state == GROUP_MEMBER_STABLE)
        m->state = GROUP_MEMBER_JOINING;
}

void group_member__classic_lost(struct group_member *m, bool keep_id)
{
    m->epoch = -1;
    if (!keep_id)
        m->id[0] = '\0';
    group_member__lose_all(m);
    rejoin(m, "the membership was lost");
    m->classic.prepared = false;
}

// An error of join, sync or heartbeat.
static void on_error(struct group_member *m, int16_t code, int err)
{
    enum group_member__meaning meaning =
        err != 0 ? group_member__meaning_of_err(err) : group_member__meaning_of(code);
    if (meaning == MEANS_FATAL || meaning == MEANS_REFUSED) {
        group_member__fail(m, code, err, (struct str){0});
        return;
    }
    m->classic.retry_ms = group_member__backoff_ms(m, &m->attempts);
    if (meaning == MEANS_MOVED)
        group_member__coordinator_lost(m);
    group_member__trouble(m, code, err);
    if (meaning == MEANS_NOT_MEMBER)
        group_member__classic_lost(m, code == KAFKA_ILLEGAL_GENERATION);
}

bool group_member__classic_may_commit(const struct group_member *m)
{
    enum classic_phase phase = m->classic.phase;
    return m->epoch >= 0 && (phase == CLASSIC_UNJOINED || phase == CLASSIC_STABLE);
}

// --- What we say when we join ---

static void subscription_init(struct group_member *m, struct consumer_protocol_subscription *s)
{
    consumer_protocol_subscription_init(s);
    s->topics = (struct wire_string_array){m->topics, m->topic_count};
    s->generation_id = m->epoch;
    s->rack_id = str_from(m->options.rack_id);
    struct consumer_protocol_subscription_topic_partition *topics =
        arena_new_array(&m->arena, (size_t)m->owned_count + 1,
                        struct consumer_protocol_subscription_topic_partition);
    int32_t *partitions = arena_new_array(&m->arena, (size_t)m->owned_count + 1, int32_t);
    s->owned_partitions.items = topics;
    for (int i = 0; i < m->owned_count && topics != NULL && partitions != NULL; i++) {
        const struct group_position *p = &m->owned[i].mark;
        int count = s->owned_partitions.count;
        if (count == 0 || !str_equal(topics[count - 1].topic, p->topic)) {
            topics[count] = (struct consumer_protocol_subscription_topic_partition){
                .topic = p->topic, .partitions = {&partitions[i], 0}};
            s->owned_partitions.count++;
        }
        struct wire_int32_array *to = &topics[s->owned_partitions.count - 1].partitions;
        to->items[to->count++] = p->partition;
    }
}

// The protocols, best first, in m->arena.
static bool fill_protocols(struct group_member *m, struct join_group_request *body)
{
    int count = m->options.assignor_count;
    struct consumer_protocol_subscription s;
    subscription_init(m, &s);
    body->protocols.items =
        arena_new_array(&m->arena, (size_t)count, struct join_group_request_join_group_request_protocol);
    struct buf buf;
    buf_init(&buf, SUBSCRIPTION_BYTES_MAX);
    bool fits = body->protocols.items != NULL;
    for (int i = 0; i < count && fits; i++) {
        const struct client_assignor *a = m->options.assignors[i];
        s.user_data = a->user_data != NULL ? a->user_data(&m->classic.last, m->epoch, &m->arena)
                                           : (struct bytes){0};
        buf_clear(&buf);
        fits = consumer_protocol_write_subscription(&s, CONSUMER_PROTOCOL_VERSION_MAX, &buf) == 0;
        struct str copy = fits ? arena_copy_str(&m->arena, buf_str(&buf)) : (struct str){0};
        fits = copy.data != NULL;
        body->protocols.items[i] = (struct join_group_request_join_group_request_protocol){
            .name = str_from(a->name), .metadata = str_bytes(copy)};
        body->protocols.count = i + 1;
    }
    buf_release(&buf);
    return fits;
}

// Remembers what is joined for, to tell later whether it still holds.
static void remember_topics(struct group_member *m)
{
    struct classic_membership *c = &m->classic;
    c->joined_topics =
        mem_resize(c->joined_topics, (size_t)(m->topic_count + 1) * sizeof *c->joined_topics);
    for (int i = 0; i < m->topic_count; i++)
        c->joined_topics[i] = m->topics[i];
    c->joined_topic_count = m->topic_count;
}

static bool topics_are_as_joined(const struct group_member *m)
{
    const struct classic_membership *c = &m->classic;
    for (int i = 0; i < m->topic_count && m->topic_count == c->joined_topic_count; i++)
        if (!str_equal(m->topics[i], c->joined_topics[i]))
            return false;
    return m->topic_count == c->joined_topic_count;
}

// --- Assignments ---

static void keep_last(struct group_member *m, const struct target_list *assigned)
{
    m->classic.last.count = 0;
    for (int i = 0; i < assigned->count; i++)
        partition_list_add(&m->classic.last, assigned->items[i].topic, assigned->items[i].partition);
}

static int read_assignment(struct group_member *m, struct bytes bytes, struct target_list *out)
{
    struct consumer_protocol_assignment a;
    struct arena arena;
    arena_init(&arena, GROUP_MEMBER_ARENA_MAX);
    int err = consumer_protocol_read_assignment(bytes, &arena, &a);
    for (int i = 0; err == 0 && i < a.assigned_partitions.count; i++) {
        struct str topic = group_member__name(m, a.assigned_partitions.items[i].topic);
        for (int k = 0; k < a.assigned_partitions.items[i].partitions.count; k++)
            group_member__target_add(out, topic, a.assigned_partitions.items[i].partitions.items[k],
                                     (struct uuid){{0}});
    }
    arena_release(&arena);
    group_member__target_sort(out);
    return err;
}

static void on_assignment(struct group_member *m, struct bytes bytes)
{
    struct target_list target = {0};
    int err = read_assignment(m, bytes, &target);
    if (err < 0) {
        group_member__target_release(&target);
        group_member__fail(m, 0, err, (struct str){0});
        return;
    }
    m->classic.phase = CLASSIC_STABLE;
    m->state = GROUP_MEMBER_STABLE;
    m->attempts = 0;
    m->heartbeat_ms = m->now_ms + m->heartbeat_interval_ms;
    keep_last(m, &target);
    // With an eager assignor this takes nothing away: there is nothing.
    bool more = group_member__has_more_than(m, &target);
    group_member__give_up(m, &target);
    if (m->state == GROUP_MEMBER_STABLE)
        group_member__take(m, &target);
    if (more && m->state == GROUP_MEMBER_STABLE)
        rejoin(m, "partitions were given up for others");
    for (int i = 0; i < target.count; i++)
        client_want_topic(m->client, target.items[i].topic, false);
    group_member__target_release(&target);
}

// --- SyncGroup ---

static bool answers_other_protocol(const struct group_member *m, struct str type, struct str name)
{
    return (type.data != NULL && !str_is(type, "consumer")) ||
           (name.data != NULL && !str_is(name, m->classic.assignor->name));
}

static void on_synced(struct client_request *request, int err, struct client_answer *answer,
                      int64_t now_ms)
{
    struct group_member *m = request->user;
    m->now_ms = now_ms;
    m->asking = ASKING_NOTHING;
    const struct sync_group_response *r = err == 0 ? answer->response : NULL;
    int16_t code = err == 0 ? r->error_code : 0;
    if (err == 0 && code == 0 && answers_other_protocol(m, r->protocol_type, r->protocol_name))
        code = KAFKA_INCONSISTENT_GROUP_PROTOCOL;
    if (err == 0 && code == 0) {
        m->classic.session_ms = m->now_ms + m->options.session_timeout_ms;
        on_assignment(m, r->assignment);
        return;
    }
    m->classic.phase = CLASSIC_UNJOINED;
    on_error(m, code, err);
    if (m->state != GROUP_MEMBER_ENDED)
        rejoin(m, "the assignment did not come");
}

static void sync_send(struct group_member *m)
{
    arena_release(&m->arena);
    struct sync_group_request *body = arena_new(&m->arena, struct sync_group_request);
    if (body == NULL) {
        no_memory(m);
        return;
    }
    sync_group_request_init(body);
    body->group_id = str_from(m->options.group_id);
    body->generation_id = m->epoch;
    body->member_id = str_from(m->id);
    body->group_instance_id = str_from(m->options.instance_id);
    body->protocol_type = str_from("consumer");
    body->protocol_name = str_from(m->classic.assignor->name);
    if (m->classic.phase == CLASSIC_ASSIGNING) {
        int err = group_member__lead(m, body);
        client_answer_release(&m->classic.joined);
        if (err < 0) {
            group_member__fail(m, 0, err, (struct str){0});
            return;
        }
    }
    m->classic.phase = CLASSIC_SYNCING;
    group_member__ask(m, ASKING_SYNC, API_SYNC_GROUP, SYNC_VERSION_MIN, SYNC_VERSION_MAX, body,
                      m->options.rebalance_timeout_ms + JOIN_SLACK_MS, on_synced);
}

// --- JoinGroup ---

static const struct client_assignor *assignor_of_ours(const struct group_member *m, struct str name)
{
    for (int i = 0; i < m->options.assignor_count; i++)
        if (str_is(name, m->options.assignors[i]->name))
            return m->options.assignors[i];
    return NULL;
}

static void on_joined_well(struct group_member *m, const struct join_group_response *r,
                           struct client_answer *answer)
{
    struct classic_membership *c = &m->classic;
    c->assignor = assignor_of_ours(m, r->protocol_name);
    bool ours = c->assignor != NULL && r->member_id.size < sizeof m->id &&
                (r->protocol_type.data == NULL || str_is(r->protocol_type, "consumer"));
    if (!ours) {
        group_member__fail(m, KAFKA_INCONSISTENT_GROUP_PROTOCOL, 0, (struct str){0});
        return;
    }
    str_copy_to(r->member_id, m->id, sizeof m->id);
    m->epoch = r->generation_id;
    m->classic.session_ms = m->now_ms + m->options.session_timeout_ms;
    m->heartbeat_ms = m->now_ms + m->heartbeat_interval_ms;
    c->leads = str_equal(r->leader, r->member_id);
    c->rejoin = c->prepared = false;
    if (c->leads) {
        client_answer_move(&c->joined, answer);
        c->phase = CLASSIC_ASSIGNING;
    } else {
        sync_send(m);
    }
}

static void on_joined(struct client_request *request, int err, struct client_answer *answer,
                      int64_t now_ms)
{
    struct group_member *m = request->user;
    m->now_ms = now_ms;
    m->asking = ASKING_NOTHING;
    m->classic.phase = CLASSIC_UNJOINED;
    const struct join_group_response *r = err == 0 ? answer->response : NULL;
    if (err == 0 && r->error_code == 0) {
        on_joined_well(m, r, answer);
    } else if (err == 0 && r->error_code == KAFKA_MEMBER_ID_REQUIRED) {
        if (!str_copy_to(r->member_id, m->id, sizeof m->id))
            group_member__fail(m, 0, ERR_CORRUPT, (struct str){0}); // joined with at once
    } else {
        on_error(m, err == 0 ? r->error_code : 0, err);
    }
}

static void join_send(struct group_member *m)
{
    arena_release(&m->arena);
    struct join_group_request *body = arena_new(&m->arena, struct join_group_request);
    bool fits = body != NULL;
    if (fits) {
        join_group_request_init(body);
        fits = fill_protocols(m, body);
    }
    if (!fits) {
        no_memory(m);
        return;
    }
    body->group_id = str_from(m->options.group_id);
    body->session_timeout_ms = m->options.session_timeout_ms;
    body->rebalance_timeout_ms = m->options.rebalance_timeout_ms;
    body->member_id = str_from(m->id);
    body->group_instance_id = str_from(m->options.instance_id);
    body->protocol_type = str_from("consumer");
    body->reason = str_from(m->classic.reason);
    remember_topics(m);
    m->classic.phase = CLASSIC_JOINING;
    group_member__ask(m, ASKING_JOIN, API_JOIN_GROUP, JOIN_VERSION_MIN, JOIN_VERSION_MAX, body,
                      m->options.rebalance_timeout_ms + JOIN_SLACK_MS, on_joined);
}

// Gives up what must not be held through the join that is due.
static void prepare(struct group_member *m)
{
    struct target_list keep = {0};
    m->classic.prepared = true;
    for (int i = 0; i < m->owned_count && m->classic.cooperative; i++) {
        const struct owned *o = &m->owned[i];
        if (group_member__subscribes(m, o->mark.topic))
            group_member__target_add(&keep, o->mark.topic, o->mark.partition, o->topic_id);
    }
    group_member__give_up(m, &keep);
    group_member__target_release(&keep);
}

// --- Heartbeat ---

static void on_heartbeat(struct client_request *request, int err, struct client_answer *answer,
                         int64_t now_ms)
{
    struct group_member *m = request->user;
    m->now_ms = now_ms;
    m->asking = ASKING_NOTHING;
    m->heartbeat_ms = m->now_ms + m->heartbeat_interval_ms;
    int16_t code = err == 0 ? ((const struct heartbeat_response *)answer->response)->error_code : 0;
    if (err == 0 && (code == 0 || code == KAFKA_REBALANCE_IN_PROGRESS)) {
        m->classic.session_ms = m->now_ms + m->options.session_timeout_ms;
        m->attempts = m->find_attempts = 0;
        if (code != 0 && m->classic.phase == CLASSIC_STABLE)
            rejoin(m, "the group is rebalancing");
        return;
    }
    on_error(m, code, err);
    m->heartbeat_ms = m->classic.retry_ms;
}

static void heartbeat_send(struct group_member *m)
{
    arena_release(&m->arena);
    struct heartbeat_request *body = arena_new(&m->arena, struct heartbeat_request);
    if (body == NULL) {
        no_memory(m);
        return;
    }
    heartbeat_request_init(body);
    body->group_id = str_from(m->options.group_id);
    body->generation_id = m->epoch;
    body->member_id = str_from(m->id);
    body->group_instance_id = str_from(m->options.instance_id);
    group_member__ask(m, ASKING_HEARTBEAT, API_HEARTBEAT, HEARTBEAT_VERSION_MIN, HEARTBEAT_VERSION_MAX,
                      body, GROUP_MEMBER_ANSWER_MS, on_heartbeat);
}

// --- Steps ---

// Nothing was heard for so long that the coordinator may be another node.
static void session_over(struct group_member *m)
{
    m->classic.session_ms = m->now_ms + m->options.session_timeout_ms;
    group_member__coordinator_lost(m);
}

// Before the first subscription is known there is nothing to join for.
static bool knows_topics(const struct group_member *m)
{
    return m->options.matches == NULL || m->topology_seen > 0;
}

static void check_topics(struct group_member *m)
{
    if (m->classic.phase != CLASSIC_STABLE)
        return;
    if (!topics_are_as_joined(m))
        rejoin(m, "the subscription has changed");
    else if (m->classic.leads && group_member__lead_is_outdated(m))
        rejoin(m, "topics have changed");
}

void group_member__classic_step(struct group_member *m)
{
    struct classic_membership *c = &m->classic;
    check_topics(m);
    if (c->phase == CLASSIC_UNJOINED && !c->prepared)
        prepare(m);
    bool giving_up = group_member__giving_up(m); // commits meanwhile
    if (m->state == GROUP_MEMBER_ENDED || m->request.active || m->coordinator < 0 ||
        m->now_ms < c->retry_ms)
        return;
    bool alive = m->epoch >= 0 && m->now_ms >= m->heartbeat_ms;
    if (c->phase == CLASSIC_UNJOINED && !giving_up && knows_topics(m))
        join_send(m);
    else if (c->phase == CLASSIC_ASSIGNING && group_member__lead_is_ready(m))
        sync_send(m);
    else if (alive && m->now_ms >= c->session_ms)
        session_over(m);
    else if (alive)
        heartbeat_send(m);
}

int64_t group_member__classic_next_ms(const struct group_member *m)
{
    const struct classic_membership *c = &m->classic;
    if (m->request.active)
        return INT64_MAX; // the client's time
    int64_t next_ms = c->phase == CLASSIC_UNJOINED && knows_topics(m) ? c->retry_ms : INT64_MAX;
    for (int i = 0; i < m->owned_count; i++)
        if (m->owned[i].revoked)
            next_ms = m->give_up_ms;
    if (m->epoch >= 0 && m->heartbeat_ms < next_ms)
        next_ms = m->heartbeat_ms;
    return next_ms > c->retry_ms ? next_ms : c->retry_ms;
}

// --- Leaving ---

static void on_left(struct client_request *request, int err, struct client_answer *answer,
                    int64_t now_ms)
{
    struct group_member *m = request->user;
    m->now_ms = now_ms; // whatever was said: the session ends by itself
}

void group_member__classic_leave(struct group_member *m)
{
    arena_release(&m->arena);
    struct leave_group_request *body = arena_new(&m->arena, struct leave_group_request);
    struct leave_group_request_member_identity *who =
        arena_new(&m->arena, struct leave_group_request_member_identity);
    if (body == NULL || who == NULL || m->options.instance_id != NULL)
        return;
    leave_group_request_init(body);
    leave_group_request_member_identity_init(who);
    body->group_id = str_from(m->options.group_id);
    body->members.items = who;
    body->members.count = 1;
    who->member_id = str_from(m->id);
    who->reason = str_from("the consumer is being closed");
    group_member__ask(m, ASKING_LEAVE, API_LEAVE_GROUP, LEAVE_VERSION_MIN, LEAVE_VERSION_MAX, body,
                      GROUP_MEMBER_ANSWER_MS, on_left);
}

void group_member__classic_release(struct group_member *m)
{
    struct classic_membership *c = &m->classic;
    client_answer_release(&c->joined);
    partition_list_release(&c->last);
    mem_free(c->joined_topics);
    mem_free(c->snapshot);
}

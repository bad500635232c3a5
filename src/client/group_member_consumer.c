// SPDX-License-Identifier: Apache-2.0
//
// The protocol of KIP-848: ConsumerGroupHeartbeat and nothing else. An answer may carry the partitions
// that the member is to have; it gives up what is not among them, then takes the rest, then says what it
// has. A heartbeat says what has changed since the last one that was answered; after any failure it says
// everything.
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/group_member_internal.h"
#include "wire/api/consumer_group_heartbeat.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

enum {
    VERSION_MIN = 1, // members bring their ids (KIP-1082)
    VERSION_MAX = 1,
    EPOCH_LEAVE = -1,
    EPOCH_LEAVE_STATIC = -2, // and come back
    TOPICS_ASK_MS = 1000,    // a topic that the coordinator knows and our broker does not yet
};

void group_member__consumer_fenced(struct group_member *m)
{
    struct consumer_membership *c = &m->consumer;
    m->epoch = 0;
    c->full = true;
    c->has_target = c->ever_assigned = c->gave_up = false;
    c->target_ids.count = 0;
    m->state = GROUP_MEMBER_JOINING;
    group_member__lose_all(m);
}

// --- Assignments ---

static void take_target(struct group_member *m,
                        const struct consumer_group_heartbeat_response_assignment *a)
{
    struct consumer_membership *c = &m->consumer;
    c->has_target = true;
    c->target_ids.count = 0;
    for (int i = 0; i < a->topic_partitions.count; i++)
        for (int k = 0; k < a->topic_partitions.items[i].partitions.count; k++)
            group_member__target_add(&c->target_ids, (struct str){0},
                                     a->topic_partitions.items[i].partitions.items[k],
                                     a->topic_partitions.items[i].topic_id);
}

// The target with names. Topics whose name is not known yet are left out and asked about: true if there
// are any.
static bool resolve(struct group_member *m, struct target_list *out)
{
    const struct topology *topology = client_topology(m->client);
    bool missing = false;
    for (int i = 0; i < m->consumer.target_ids.count; i++) {
        const struct target *t = &m->consumer.target_ids.items[i];
        const struct topology_topic *known = topology_topic_by_id(topology, t->topic_id);
        if (known == NULL) {
            missing = true;
            client_want_topic_id(m->client, t->topic_id);
            continue;
        }
        struct str name = group_member__name(m, str_from(known->name));
        client_want_topic(m->client, name, false); // to be read, whatever is subscribed to later
        group_member__target_add(out, name, t->partition, t->topic_id);
    }
    group_member__target_sort(out);
    return missing;
}

// Whether there is something in the target that the member has not.
static bool has_less_than(const struct group_member *m, const struct target_list *target)
{
    for (int i = 0; i < target->count; i++) {
        const struct owned *o =
            group_member__owned(m, target->items[i].topic, target->items[i].partition);
        if (o == NULL || o->revoked)
            return true;
    }
    return false;
}

// Brings what the member has nearer to the target. What is added waits until what goes is committed: the
// coordinator gives out what we do not say that we have.
static void reconcile(struct group_member *m)
{
    struct consumer_membership *c = &m->consumer;
    if (!c->has_target || group_member__giving_up(m))
        return;
    struct target_list target = {0};
    bool missing = resolve(m, &target);
    if (group_member__has_more_than(m, &target)) {
        group_member__give_up(m, &target);
        c->gave_up = true;
    }
    if (m->state != GROUP_MEMBER_ENDED && !group_member__giving_up(m)) {
        if (has_less_than(m, &target) || !c->ever_assigned || c->gave_up) {
            group_member__take(m, &target);
            c->acknowledge = true;
        }
        c->has_target = missing;
        c->gave_up = false;
        c->ever_assigned = true;
        if (m->state == GROUP_MEMBER_JOINING)
            m->state = GROUP_MEMBER_STABLE;
    }
    if (missing && m->topics_ask_ms == INT64_MAX)
        m->topics_ask_ms = m->now_ms + TOPICS_ASK_MS;
    group_member__target_release(&target);
}

// --- Heartbeats ---

static void on_failed(struct group_member *m, int16_t code, int err, struct str text)
{
    enum group_member__meaning meaning =
        err != 0 ? group_member__meaning_of_err(err) : group_member__meaning_of(code);
    if (meaning == MEANS_FATAL) {
        group_member__fail(m, code, err, text);
        return;
    }
    m->consumer.full = true; // it may or may not know what was said
    m->heartbeat_ms = group_member__backoff_ms(m, &m->attempts);
    if (meaning == MEANS_MOVED)
        group_member__coordinator_lost(m);
    group_member__trouble(m, code, err);
    if (meaning == MEANS_NOT_MEMBER)
        group_member__consumer_fenced(m);
}

static void on_heartbeat(struct client_request *request, int err, struct client_answer *answer,
                         int64_t now_ms)
{
    struct group_member *m = request->user;
    m->now_ms = now_ms;
    m->asking = ASKING_NOTHING;
    const struct consumer_group_heartbeat_response *r = err == 0 ? answer->response : NULL;
    if (err != 0 || r->error_code != 0) {
        on_failed(m, err == 0 ? r->error_code : 0, err, err == 0 ? r->error_message : (struct str){0});
        return;
    }
    m->attempts = m->find_attempts = 0;
    m->epoch = r->member_epoch;
    if (r->heartbeat_interval_ms > 0)
        m->heartbeat_interval_ms = r->heartbeat_interval_ms;
    m->heartbeat_ms = m->now_ms + m->heartbeat_interval_ms;
    if (r->assignment != NULL)
        take_target(m, r->assignment);
    reconcile(m);
}

static int compare_owned_ids(const void *left, const void *right)
{
    const struct owned *const *a = left, *const *b = right;
    int order = memcmp((*a)->topic_id.bytes, (*b)->topic_id.bytes, sizeof (*a)->topic_id.bytes);
    return order != 0 ? order : ((*a)->mark.partition > (*b)->mark.partition) -
                                    ((*a)->mark.partition < (*b)->mark.partition);
}

// What the member has, by topic id. Partitions that are being given up are still its own.
static bool fill_partitions(struct group_member *m, struct consumer_group_heartbeat_request *body)
{
    size_t room = (size_t)m->owned_count + 1;
    struct consumer_group_heartbeat_request_topic_partitions *topics = arena_new_array(
        &m->arena, room, struct consumer_group_heartbeat_request_topic_partitions);
    const struct owned **order = arena_alloc_array(&m->arena, room, sizeof *order);
    int32_t *partitions = arena_new_array(&m->arena, room, int32_t);
    if (topics == NULL || order == NULL || partitions == NULL)
        return false;
    for (int i = 0; i < m->owned_count; i++)
        order[i] = &m->owned[i];
    if (m->owned_count > 0)
        qsort(order, (size_t)m->owned_count, sizeof *order, compare_owned_ids);
    int count = 0;
    for (int i = 0; i < m->owned_count; i++) {
        if (count == 0 || !uuid_equal(topics[count - 1].topic_id, order[i]->topic_id))
            topics[count++] = (struct consumer_group_heartbeat_request_topic_partitions){
                .topic_id = order[i]->topic_id, .partitions = {&partitions[i], 0}};
        partitions[i] = order[i]->mark.partition;
        topics[count - 1].partitions.count++;
    }
    body->topic_partitions.items = topics;
    body->topic_partitions.count = count;
    return true;
}

static void fill_subscription(const struct group_member *m,
                              struct consumer_group_heartbeat_request *body)
{
    if (m->options.regex != NULL)
        body->subscribed_topic_regex = str_from(m->options.regex);
    if (m->options.regex == NULL || m->topic_count > 0)
        body->subscribed_topic_names = (struct wire_string_array){m->topics, m->topic_count};
}

static struct consumer_group_heartbeat_request *heartbeat_body(struct group_member *m, int32_t epoch)
{
    arena_release(&m->arena);
    struct consumer_group_heartbeat_request *body =
        arena_new(&m->arena, struct consumer_group_heartbeat_request);
    if (body == NULL)
        return NULL;
    consumer_group_heartbeat_request_init(body);
    body->group_id = str_from(m->options.group_id);
    body->member_id = str_from(m->id);
    body->member_epoch = epoch;
    body->instance_id = str_from(m->options.instance_id);
    body->topic_partitions.count = -1;
    return body;
}

static void heartbeat_send(struct group_member *m)
{
    struct consumer_membership *c = &m->consumer;
    struct consumer_group_heartbeat_request *body = heartbeat_body(m, m->epoch);
    bool fits = body != NULL;
    if (fits && c->full) {
        body->rack_id = str_from(m->options.rack_id);
        body->rebalance_timeout_ms = m->options.rebalance_timeout_ms;
        body->server_assignor = str_from(m->options.remote_assignor);
    }
    if (fits && (c->full || c->subscription_changed))
        fill_subscription(m, body);
    if (fits && (c->full || c->acknowledge))
        fits = fill_partitions(m, body);
    if (!fits) {
        group_member__fail(m, 0, ERR_NOMEM, (struct str){0});
        return;
    }
    c->full = c->subscription_changed = c->acknowledge = false; // again if this one fails
    group_member__ask(m, ASKING_HEARTBEAT, API_CONSUMER_GROUP_HEARTBEAT, VERSION_MIN, VERSION_MAX,
                      body, GROUP_MEMBER_ANSWER_MS, on_heartbeat);
}

// --- Steps ---

// A group is joined for something: with a pattern of the owner's that may have to be waited for.
static bool has_subscription(const struct group_member *m)
{
    return m->options.regex != NULL || m->topic_count > 0 || m->epoch > 0;
}

static bool is_urgent(const struct group_member *m)
{
    const struct consumer_membership *c = &m->consumer;
    return m->epoch > 0 && (c->acknowledge || c->subscription_changed) && m->attempts == 0;
}

void group_member__consumer_step(struct group_member *m)
{
    reconcile(m);
    if (m->state == GROUP_MEMBER_ENDED || m->request.active || m->coordinator < 0 ||
        !has_subscription(m))
        return;
    if (is_urgent(m) || m->now_ms >= m->heartbeat_ms)
        heartbeat_send(m);
}

int64_t group_member__consumer_next_ms(const struct group_member *m)
{
    if (m->request.active || !has_subscription(m))
        return INT64_MAX;
    return m->heartbeat_ms;
}

// --- Leaving ---

static void on_left(struct client_request *request, int err, struct client_answer *answer,
                    int64_t now_ms)
{
    struct group_member *m = request->user;
    m->now_ms = now_ms; // whatever was said: the session ends by itself
}

void group_member__consumer_leave(struct group_member *m)
{
    struct consumer_group_heartbeat_request *body =
        heartbeat_body(m, m->options.instance_id != NULL ? EPOCH_LEAVE_STATIC : EPOCH_LEAVE);
    if (body != NULL)
        group_member__ask(m, ASKING_LEAVE, API_CONSUMER_GROUP_HEARTBEAT, VERSION_MIN, VERSION_MAX,
                          body, GROUP_MEMBER_ANSWER_MS, on_left);
}

void group_member__consumer_release(struct group_member *m)
{
    group_member__target_release(&m->consumer.target_ids);
}

// SPDX-License-Identifier: Apache-2.0
//
// A member of the consumer protocol (KIP-848): heartbeats say what it owns and bring what it shall own.
#include <stdio.h>

#include "base/check.h"
#include "group_members_internal.h"
#include "wire/api/consumer_group_heartbeat.h"
#include "wire/api_keys.h"

enum { RELEASE_MS_MAX = 1500, EPOCH_JOIN = 0, EPOCH_LEAVE = -1 };

static bool has_to_give_up(const struct member *m)
{
    bool gives_up = false;
    for (int t = 0; t < GROUP_TOPICS; t++)
        gives_up |= (m->owned.bits[t] & ~m->target.bits[t]) != 0;
    return gives_up;
}

static void take_target(struct member *m,
                        const struct consumer_group_heartbeat_response_assignment *a)
{
    m->target = (struct partition_set){0};
    for (int32_t i = 0; i < a->topic_partitions.count; i++) {
        int topic = scene_topic_of(m->scene, (struct str){0}, a->topic_partitions.items[i].topic_id);
        for (int32_t k = 0; topic >= 0 && k < a->topic_partitions.items[i].partitions.count; k++)
            m->target.bits[topic] |= 1u << a->topic_partitions.items[i].partitions.items[k];
    }
    bool changes = false;
    for (int t = 0; t < GROUP_TOPICS; t++)
        changes |= m->owned.bits[t] != m->target.bits[t];
    m->release_at = -1;
    if (changes)
        m->release_at = m->scene->now_ms +
                        (has_to_give_up(m) ? (int64_t)scene_below(m->scene, RELEASE_MS_MAX) : 0);
}

static void go_on(struct member *m, struct group_ask *ask,
                  const struct consumer_group_heartbeat_response *r)
{
    int64_t now_ms = m->scene->now_ms;
    if (r->assignment != NULL)
        take_target(m, r->assignment);
    // The time to give up partitions may be nearly over, if earlier answers were lost.
    if (has_to_give_up(m))
        m->sure_ms = -1;
    else
        member_is_known(m, ask);
    if (r->member_epoch != m->generation) {
        m->generation = r->member_epoch;
        member_claim(m);
    }
    m->step = STEP_HEARTBEAT;
    if (m->release_at < 0)
        member_pause(m, HEARTBEAT_MS);
    else
        member_pause(m, m->release_at > now_ms ? m->release_at - now_ms : 1);
}

static void beaten(struct group_ask *ask, const void *response)
{
    struct member *m = ask->member;
    const struct consumer_group_heartbeat_response *r = response;
    if (!member_takes(ask, response))
        return;
    if (r->error_code != KAFKA_NONE)
        scene_note(m->scene, "member %d: ConsumerGroupHeartbeat: %s", m->number,
                   kafka_error_name(r->error_code));
    switch (r->error_code) {
    case KAFKA_NONE:
        go_on(m, ask, r);
        return;
    case KAFKA_UNKNOWN_MEMBER_ID:
    case KAFKA_GROUP_ID_NOT_FOUND: // it was fenced, and the group is a classic one since
        member_is_unknown(m);
        // fall through
    case KAFKA_FENCED_MEMBER_EPOCH:
        member_forget_all(m);
        m->sure_ms = -1;
        m->generation = 0;
        m->step = STEP_JOIN;
        member_soon(m);
        return;
    default:
        if (!member_error_is_passing(r->error_code))
            scene_fail(m->scene, "ConsumerGroupHeartbeat of member %d: error %d", m->number,
                       r->error_code);
        m->tells_all = true;
        member_soon(m);
    }
}

static void left(struct group_ask *ask, const void *response)
{
    (void)ask, (void)response; // whoever leaves does not listen
}

static void tell_all(struct member *m, struct group_ask *ask)
{
    struct consumer_group_heartbeat_request *r = ask->request;
    r->rebalance_timeout_ms = REBALANCE_MS;
    if (m->has_pattern)
        r->subscribed_topic_regex = str_from("(orders|payments)");
    else
        r->subscribed_topic_names = member_topics(&ask->arena);
    r->topic_partitions.items =
        arena_alloc_array(&ask->arena, GROUP_TOPICS, sizeof *r->topic_partitions.items);
    r->topic_partitions.count = 0;
    for (int i = 0; i < GROUP_TOPICS; i++)
        if (m->owned.bits[i] != 0)
            r->topic_partitions.items[r->topic_partitions.count++] =
                (struct consumer_group_heartbeat_request_topic_partitions){
                    m->scene->topic_ids[i], member_partitions(&ask->arena, &m->owned, i)};
}

static struct group_ask *new_beat(struct member *m, int32_t epoch)
{
    struct group_ask *ask = member_ask(m, API_CONSUMER_GROUP_HEARTBEAT, 1);
    struct consumer_group_heartbeat_request *r = ask->request;
    r->group_id = str_from(scene_group_id(m->group));
    r->member_id = member_ask_text(ask, m->id);
    r->member_epoch = epoch;
    r->topic_partitions.count = -1;
    r->subscribed_topic_names.count = -1;
    if (epoch == EPOCH_JOIN || m->tells_all)
        tell_all(m, ask);
    m->tells_all = false;
    return ask;
}

static void send_beat(struct member *m, int32_t epoch)
{
    struct group_ask *ask = new_beat(m, epoch);
    ask->done = beaten;
    member_send(m, ask);
}

void consumer_member_leave(struct member *m)
{
    struct group_ask *ask = new_beat(m, EPOCH_LEAVE);
    ask->done = left;
    member_send_beside(ask);
}

void consumer_member_act(struct member *m)
{
    if (m->step == STEP_JOIN) {
        send_beat(m, EPOCH_JOIN);
        return;
    }
    // Gives up what is not in the target, takes what is, and says so.
    if (m->release_at >= 0 && m->release_at <= m->scene->now_ms) {
        member_set_owned(m, &m->target);
        m->tells_all = true;
    }
    send_beat(m, m->generation);
}

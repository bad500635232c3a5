// SPDX-License-Identifier: Apache-2.0
//
// A member of the classic protocol, eager: what it owns it gives up before it joins again.
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "group_members_internal.h"
#include "wire/api/heartbeat.h"
#include "wire/api/join_group.h"
#include "wire/api/leave_group.h"
#include "wire/api/sync_group.h"
#include "wire/api_keys.h"
#include "wire/record/consumer_protocol_assignment.h"
#include "wire/record/consumer_protocol_subscription.h"

enum { BLOB_MAX = 4096 };

// ---- Blobs ----

static struct bytes blob(struct group_ask *ask, const struct wire_schema *schema, const void *message)
{
    struct buf out;
    buf_init(&out, BLOB_MAX);
    buf_append_be16(&out, 0); // version
    check(wire_encode_buf(schema, 0, message, &out) == 0);
    struct str copy = arena_copy_str(&ask->arena, bytes_str(buf_bytes(&out)));
    buf_release(&out);
    return str_bytes(copy);
}

static struct bytes assignment_blob(struct group_ask *ask, const struct partition_set *s)
{
    struct consumer_protocol_assignment_topic_partition topics[GROUP_TOPICS];
    struct consumer_protocol_assignment a;
    consumer_protocol_assignment_init(&a);
    for (int i = 0; i < GROUP_TOPICS; i++)
        topics[i] = (struct consumer_protocol_assignment_topic_partition){
            str_from(scene_topic_name(i)), member_partitions(&ask->arena, s, i)};
    a.assigned_partitions.items = topics;
    a.assigned_partitions.count = GROUP_TOPICS;
    return blob(ask, &consumer_protocol_assignment_schema, &a);
}

static bool assignment_read(struct group_scene *s, struct arena *arena, struct bytes in,
                            struct partition_set *out)
{
    struct consumer_protocol_assignment a;
    *out = (struct partition_set){0};
    if (in.size < 2)
        return true; // nothing
    int16_t version = (int16_t)(in.data[0] << 8 | in.data[1]);
    in.data += 2;
    in.size -= 2;
    if (wire_decode(&consumer_protocol_assignment_schema, version, in, arena, &a, NULL) != 0)
        return false;
    for (int32_t i = 0; i < a.assigned_partitions.count; i++) {
        int topic = scene_topic_of(s, a.assigned_partitions.items[i].topic, (struct uuid){{0}});
        for (int32_t k = 0; topic >= 0 && k < a.assigned_partitions.items[i].partitions.count; k++)
            out->bits[topic] |= 1u << a.assigned_partitions.items[i].partitions.items[k];
    }
    return true;
}

// ---- Beginning again ----

// Under a new name.
static void begin_anew(struct member *m)
{
    member_forget_all(m);
    m->id[0] = '\0';
    m->generation = -1;
    m->sure_ms = -1;
    m->step = STEP_JOIN;
    member_soon(m);
}

static void rejoin(struct member *m)
{
    member_forget_all(m);
    m->step = STEP_JOIN;
    classic_member_act(m);
}

// What any of its requests may be told. False: something else.
static bool is_told_off(struct member *m, const char *api, int16_t error)
{
    if (error != KAFKA_NONE)
        scene_note(m->scene, "member %d: %s: %s", m->number, api, kafka_error_name(error));
    if (error == KAFKA_UNKNOWN_MEMBER_ID)
        member_is_unknown(m);
    if (error != KAFKA_UNKNOWN_MEMBER_ID && error != KAFKA_ILLEGAL_GENERATION &&
        error != KAFKA_FENCED_INSTANCE_ID)
        return false;
    begin_anew(m);
    return true;
}

// ---- JoinGroup ----

// Everybody whom the leader has to deal to, and what they get: in turn.
static void deal(struct member *m, const struct join_group_response *r)
{
    m->share_count = 0;
    for (int32_t i = 0; i < r->members.count && i < MEMBERS_ALIVE_MAX; i++) {
        str_copy_to(r->members.items[i].member_id, m->share_ids[i], sizeof m->share_ids[i]);
        m->shares[i] = (struct partition_set){0};
        m->share_count++;
    }
    int next = 0;
    memcpy(m->dealt, m->scene->partition_counts, sizeof m->dealt);
    for (int t = 0; m->share_count > 0 && t < GROUP_TOPICS; t++)
        for (int p = 0; p < m->scene->partition_counts[t]; p++)
            m->shares[next++ % m->share_count].bits[t] |= 1u << p;
}

static void joined(struct group_ask *ask, const void *response)
{
    struct member *m = ask->member;
    const struct join_group_response *r = response;
    if (!member_takes(ask, response) || is_told_off(m, "JoinGroup", r->error_code))
        return;
    switch (r->error_code) {
    case KAFKA_NONE:
        str_copy_to(r->member_id, m->id, sizeof m->id);
        str_copy_to(r->protocol_name, m->protocol, sizeof m->protocol);
        m->generation = r->generation_id;
        m->is_leader = r->leader.size > 0 && str_equal(r->leader, r->member_id);
        m->share_count = 0;
        if (m->is_leader)
            deal(m, r);
        m->step = STEP_SYNC;
        classic_member_act(m);
        return;
    case KAFKA_MEMBER_ID_REQUIRED:
        str_copy_to(r->member_id, m->id, sizeof m->id);
        member_soon(m);
        return;
    case KAFKA_INCONSISTENT_GROUP_PROTOCOL: // the group is another kind at the moment
    case KAFKA_REBALANCE_IN_PROGRESS:
        member_soon(m);
        return;
    default:
        if (!member_error_is_passing(r->error_code))
            scene_fail(m->scene, "JoinGroup of member %d: error %d", m->number, r->error_code);
        member_soon(m);
    }
}

static void send_join(struct member *m)
{
    struct group_ask *ask = member_ask(m, API_JOIN_GROUP, 7);
    struct join_group_request *r = ask->request;
    struct consumer_protocol_subscription s;
    consumer_protocol_subscription_init(&s);
    s.topics = member_topics(&ask->arena);
    r->group_id = str_from(scene_group_id(m->group));
    r->session_timeout_ms = SESSION_MS;
    r->rebalance_timeout_ms = REBALANCE_MS;
    r->member_id = member_ask_text(ask, m->id);
    r->protocol_type = str_from("consumer");
    check(join_group_request_join_group_request_protocol_array_new(&ask->arena, 1, &r->protocols));
    r->protocols.items[0].name = str_from("range");
    r->protocols.items[0].metadata = blob(ask, &consumer_protocol_subscription_schema, &s);
    ask->done = joined;
    member_send(m, ask);
}

// ---- SyncGroup ----

static void synced(struct group_ask *ask, const void *response)
{
    struct member *m = ask->member;
    const struct sync_group_response *r = response;
    struct partition_set owned;
    if (!member_takes(ask, response) || is_told_off(m, "SyncGroup", r->error_code))
        return;
    switch (r->error_code) {
    case KAFKA_NONE:
        if (!assignment_read(m->scene, &ask->arena, r->assignment, &owned))
            scene_fail(m->scene, "member %d got an assignment that cannot be read", m->number);
        member_is_known(m, ask);
        member_set_owned(m, &owned);
        m->step = STEP_HEARTBEAT;
        member_pause(m, HEARTBEAT_MS);
        return;
    case KAFKA_REBALANCE_IN_PROGRESS:
    case KAFKA_UNKNOWN_SERVER_ERROR:
        rejoin(m);
        return;
    default:
        if (member_error_is_passing(r->error_code))
            rejoin(m);
        else
            scene_fail(m->scene, "SyncGroup of member %d: error %d", m->number, r->error_code);
    }
}

static void send_sync(struct member *m)
{
    struct group_ask *ask = member_ask(m, API_SYNC_GROUP, 5);
    struct sync_group_request *r = ask->request;
    r->group_id = str_from(scene_group_id(m->group));
    r->generation_id = m->generation;
    r->member_id = member_ask_text(ask, m->id);
    r->protocol_type = str_from("consumer");
    r->protocol_name = member_ask_text(ask, m->protocol);
    r->assignments.items =
        arena_alloc_array(&ask->arena, MEMBERS_ALIVE_MAX, sizeof *r->assignments.items);
    for (int i = 0; m->is_leader && i < m->share_count; i++)
        r->assignments.items[r->assignments.count++] =
            (struct sync_group_request_sync_group_request_assignment){
                member_ask_text(ask, m->share_ids[i]), assignment_blob(ask, &m->shares[i])};
    ask->done = synced;
    member_send(m, ask);
}

// ---- Heartbeat and LeaveGroup ----

static void beaten(struct group_ask *ask, const void *response)
{
    struct member *m = ask->member;
    const struct heartbeat_response *r = response;
    if (!member_takes(ask, response) || is_told_off(m, "Heartbeat", r->error_code))
        return;
    switch (r->error_code) {
    case KAFKA_NONE:
        member_is_known(m, ask);
        member_pause(m, HEARTBEAT_MS);
        return;
    case KAFKA_REBALANCE_IN_PROGRESS:
        rejoin(m);
        return;
    default:
        if (!member_error_is_passing(r->error_code))
            scene_fail(m->scene, "Heartbeat of member %d: error %d", m->number, r->error_code);
        member_soon(m);
    }
}

static void send_beat(struct member *m)
{
    struct group_ask *ask = member_ask(m, API_HEARTBEAT, 4);
    struct heartbeat_request *r = ask->request;
    r->group_id = str_from(scene_group_id(m->group));
    r->generation_id = m->generation;
    r->member_id = member_ask_text(ask, m->id);
    ask->done = beaten;
    member_send(m, ask);
}

static void left(struct group_ask *ask, const void *response)
{
    (void)ask, (void)response; // whoever leaves does not listen
}

void classic_member_leave(struct member *m)
{
    struct group_ask *ask = member_ask(m, API_LEAVE_GROUP, 5);
    struct leave_group_request *r = ask->request;
    r->group_id = str_from(scene_group_id(m->group));
    check(leave_group_request_member_identity_array_new(&ask->arena, 1, &r->members));
    r->members.items[0].member_id = member_ask_text(ask, m->id);
    ask->done = left;
    member_send_beside(ask);
}

void classic_member_act(struct member *m)
{
    bool sees_change = memcmp(m->dealt, m->scene->partition_counts, sizeof m->dealt) != 0;
    if (m->step == STEP_JOIN)
        send_join(m);
    else if (m->step == STEP_SYNC)
        send_sync(m);
    else if (m->step == STEP_HEARTBEAT && m->is_leader && sees_change)
        rejoin(m); // a leader watches the topics
    else if (m->step == STEP_HEARTBEAT)
        send_beat(m);
}

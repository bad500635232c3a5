// SPDX-License-Identifier: Apache-2.0
#include "group_members.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "group/internal.h"
#include "wire/api/consumer_group_heartbeat.h"
#include "wire/api/heartbeat.h"
#include "wire/api/join_group.h"
#include "wire/api/leave_group.h"
#include "wire/api/offset_commit.h"
#include "wire/api/offset_fetch.h"
#include "wire/api/sync_group.h"
#include "wire/record/consumer_protocol_assignment.h"
#include "wire/record/consumer_protocol_subscription.h"

enum {
    SESSION_MS = 10000,
    REBALANCE_MS = 15000,
    HEARTBEAT_MS = 2000,
    REQUEST_TIMEOUT_MS = 20000, // more than a rebalance takes
    TRAVEL_MS_MAX = 20,
    BLOB_MAX = 4096,
    CALL_MEMORY_MAX = 1 << 20,
};

enum step {
    STEP_JOIN, // classic: JoinGroup. Consumer protocol: a heartbeat of epoch 0
    STEP_SYNC,
    STEP_HEARTBEAT,
    STEP_LEAVE,
    STEP_GONE,
};

struct partition_set {
    uint32_t bits[WORLD_TOPICS];
};

struct member {
    struct world *world;
    int number;
    int group;
    bool is_classic;
    enum step step;
    int64_t turn; // answers and pauses of a former turn do nothing
    char id[128];
    int32_t generation; // or member epoch
    char protocol[32];  // that the group chose
    bool is_leader;
    struct partition_set owned;
    struct partition_set target;                    // consumer protocol
    struct partition_set shares[WORLD_MEMBERS_MAX]; // that the leader dealt out
    char share_ids[WORLD_MEMBERS_MAX][128];
    int share_count;
    int32_t dealt[WORLD_TOPICS]; // partitions that there were then
    bool tells_all;              // the next heartbeat is a full one
    bool awaits_answer;
    int64_t
        release_at; // consumer protocol: when what is not in the target is given up; -1: nothing is
};

// A request under way.
struct travel {
    struct world_event event;
    struct group_call call;
    struct arena arena;
    struct member *member;
    int64_t turn;
    enum travel_kind { JOIN, SYNC, BEAT, LEAVE, CONSUMER_BEAT, COMMIT, FETCH } kind;
    void *request;
    int64_t served; // COMMIT: its number. FETCH: the promises when it was served
    int32_t topic, partition;
    int64_t promised;
    bool was_served;
};

// ---- Sets ----

static bool set_has(const struct partition_set *s, int topic, int partition)
{
    return (s->bits[topic] >> partition & 1) != 0;
}

static bool set_is_empty(const struct partition_set *s)
{
    return s->bits[0] == 0 && s->bits[1] == 0;
}

bool member_owns(const struct member *m, int topic, int partition)
{
    return set_has(&m->owned, topic, partition);
}

bool member_is_alive(const struct member *m)
{
    return m->step != STEP_GONE;
}

int member_group(const struct member *m)
{
    return m->group;
}

// ---- Travelling ----

static void act(struct member *m);

struct pause {
    struct world_event event;
    struct member *member;
    int64_t turn;
};

static void pause_is_over(struct world_event *event)
{
    struct pause *p = container_of(event, struct pause, event);
    struct member *m = p->member;
    bool is_current = p->turn == m->turn && !m->world->is_crashing;
    mem_free(p);
    if (is_current)
        act(m);
}

// Goes on after a while; whatever it waited for does not matter any more.
static void pause(struct member *m, int64_t ms)
{
    struct pause *p = mem_new(struct pause);
    p->event.run = pause_is_over;
    p->member = m;
    p->turn = ++m->turn;
    world_at(m->world, &p->event, ms);
}

static void soon(struct member *m)
{
    pause(m, 50 + (int64_t)world_below(m->world, 400));
}

static void travel_free(struct travel *t)
{
    arena_release(&t->arena);
    mem_free(t);
}

static void answer(struct travel *t);

static void arrive_home(struct world_event *event)
{
    struct travel *t = container_of(event, struct travel, event);
    if (!t->event.world->is_crashing)
        answer(t);
    travel_free(t);
}

static void drop(struct world_event *event)
{
    travel_free(container_of(event, struct travel, event));
}

static void served(struct group_call *call)
{
    struct travel *t = container_of(call, struct travel, call);
    struct world *w = t->event.world;
    bool is_lost = w->is_crashing || (w->has_faults && world_chance(w, 1, 60));
    t->event.run = is_lost ? drop : arrive_home;
    world_at(w, &t->event, 1 + (int64_t)world_below(w, TRAVEL_MS_MAX));
}

static void serve(struct travel *t)
{
    struct world *w = t->event.world;
    struct groups *g = w->groups;
    struct group_call *call = &t->call;
    w->requests++;
    t->was_served = true;
    switch (t->kind) {
    case JOIN:
        groups_join(g, call, &w->now, t->request);
        break;
    case SYNC:
        groups_sync(g, call, &w->now, t->request);
        break;
    case BEAT:
        groups_heartbeat(g, call, &w->now, t->request);
        break;
    case LEAVE:
        groups_leave(g, call, &w->now, t->request);
        break;
    case CONSUMER_BEAT:
        groups_consumer_heartbeat(g, call, &w->now, t->request);
        break;
    case COMMIT: {
        struct offset_commit_request *r = t->request;
        t->served = ++w->commit_served;
        r->topics.items[0].partitions.items[0].committed_offset = t->served;
        groups_commit_offsets(g, call, &w->now, r);
        break;
    }
    case FETCH:
        t->promised = w->commit_promised[t->member->group][t->topic][t->partition];
        groups_fetch_offsets(g, call, &w->now, t->request);
        break;
    }
    world_touched(w);
}

static void arrive(struct world_event *event)
{
    struct travel *t = container_of(event, struct travel, event);
    struct world *w = t->event.world;
    bool is_lost = w->has_faults && world_chance(w, 1, 60);
    if (!w->is_up || w->is_crashing || is_lost)
        travel_free(t);
    else
        serve(t);
}

static struct travel *travel_new(struct member *m, enum travel_kind kind, size_t request_size,
                                 const struct wire_schema *response, int16_t version)
{
    struct travel *t = mem_new(struct travel);
    t->member = m;
    t->kind = kind;
    arena_init(&t->arena, CALL_MEMORY_MAX);
    t->request = arena_alloc(&t->arena, request_size);
    t->call.response = arena_alloc(&t->arena, wire_schema_struct_size(response));
    wire_init_default(response, t->call.response);
    t->call.arena = &t->arena;
    t->call.version = version;
    t->call.client_id = str_from("sim");
    t->call.client_host = str_from("/127.0.0.1");
    t->call.done = served;
    t->event.run = arrive;
    return t;
}

// Sends what the member waits for: after a timeout it goes on without an answer.
static void send_and_wait(struct member *m, struct travel *t)
{
    pause(m, REQUEST_TIMEOUT_MS);
    t->turn = m->turn;
    m->awaits_answer = true;
    world_at(m->world, &t->event, 1 + (int64_t)world_below(m->world, TRAVEL_MS_MAX));
}

static void send_beside(struct member *m, struct travel *t)
{
    t->turn = -1;
    world_at(m->world, &t->event, 1 + (int64_t)world_below(m->world, TRAVEL_MS_MAX));
}

static struct str travel_text(struct travel *t, const char *text)
{
    return arena_copy_str(&t->arena, str_from(text));
}

// ---- Blobs of the classic protocol ----

static struct bytes blob(struct travel *t, const struct wire_schema *schema, const void *message)
{
    struct buf out;
    buf_init(&out, BLOB_MAX);
    buf_append_be16(&out, 0); // version
    check(wire_encode_buf(schema, 0, message, &out) == 0);
    struct str copy = arena_copy_str(&t->arena, bytes_str(buf_bytes(&out)));
    buf_release(&out);
    return str_bytes(copy);
}

static struct wire_string_array all_topics(struct arena *arena)
{
    struct wire_string_array names = {arena_alloc_array(arena, WORLD_TOPICS, sizeof(struct str)),
                                      WORLD_TOPICS};
    for (int i = 0; i < WORLD_TOPICS; i++)
        names.items[i] = str_from(world_topic_name(i));
    return names;
}

static struct wire_int32_array partitions_of(struct arena *arena, const struct partition_set *s,
                                             int topic)
{
    struct wire_int32_array out = {arena_alloc_array(arena, WORLD_PARTITIONS_MAX, sizeof(int32_t)),
                                   0};
    for (int p = 0; p < WORLD_PARTITIONS_MAX; p++)
        if (set_has(s, topic, p))
            out.items[out.count++] = p;
    return out;
}

static struct bytes assignment_blob(struct travel *t, const struct partition_set *s)
{
    struct consumer_protocol_assignment_topic_partition topics[WORLD_TOPICS];
    struct consumer_protocol_assignment a;
    consumer_protocol_assignment_init(&a);
    for (int i = 0; i < WORLD_TOPICS; i++)
        topics[i] = (struct consumer_protocol_assignment_topic_partition){
            str_from(world_topic_name(i)), partitions_of(&t->arena, s, i)};
    a.assigned_partitions.items = topics;
    a.assigned_partitions.count = WORLD_TOPICS;
    return blob(t, &consumer_protocol_assignment_schema, &a);
}

static bool assignment_read(struct world *w, struct arena *arena, struct bytes in,
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
        int topic = world_topic_of(w, a.assigned_partitions.items[i].topic, (struct uuid){{0}});
        for (int32_t k = 0; topic >= 0 && k < a.assigned_partitions.items[i].partitions.count; k++)
            out->bits[topic] |= 1u << a.assigned_partitions.items[i].partitions.items[k];
    }
    return true;
}

// ---- Asking ----

static void send_join(struct member *m)
{
    struct travel *t =
        travel_new(m, JOIN, sizeof(struct join_group_request), &join_group_response_schema, 7);
    struct join_group_request *r = t->request;
    struct consumer_protocol_subscription s;
    consumer_protocol_subscription_init(&s);
    s.topics = all_topics(&t->arena);
    join_group_request_init(r);
    r->group_id = str_from(world_group_id(m->group));
    r->session_timeout_ms = SESSION_MS;
    r->rebalance_timeout_ms = REBALANCE_MS;
    r->member_id = travel_text(t, m->id);
    r->protocol_type = str_from("consumer");
    r->protocols.items = arena_alloc(&t->arena, sizeof *r->protocols.items);
    r->protocols.count = 1;
    r->protocols.items[0].name = str_from("range");
    r->protocols.items[0].metadata = blob(t, &consumer_protocol_subscription_schema, &s);
    send_and_wait(m, t);
}

static void send_sync(struct member *m)
{
    struct travel *t =
        travel_new(m, SYNC, sizeof(struct sync_group_request), &sync_group_response_schema, 5);
    struct sync_group_request *r = t->request;
    sync_group_request_init(r);
    r->group_id = str_from(world_group_id(m->group));
    r->generation_id = m->generation;
    r->member_id = travel_text(t, m->id);
    r->protocol_type = str_from("consumer");
    r->protocol_name = travel_text(t, m->protocol);
    r->assignments.items =
        arena_alloc_array(&t->arena, WORLD_MEMBERS_MAX, sizeof *r->assignments.items);
    for (int i = 0; m->is_leader && i < m->share_count; i++)
        r->assignments.items[r->assignments.count++] =
            (struct sync_group_request_sync_group_request_assignment){
                travel_text(t, m->share_ids[i]), assignment_blob(t, &m->shares[i])};
    send_and_wait(m, t);
}

static void send_beat(struct member *m)
{
    struct travel *t =
        travel_new(m, BEAT, sizeof(struct heartbeat_request), &heartbeat_response_schema, 4);
    struct heartbeat_request *r = t->request;
    heartbeat_request_init(r);
    r->group_id = str_from(world_group_id(m->group));
    r->generation_id = m->generation;
    r->member_id = travel_text(t, m->id);
    send_and_wait(m, t);
}

static void send_leave(struct member *m)
{
    struct travel *t =
        travel_new(m, LEAVE, sizeof(struct leave_group_request), &leave_group_response_schema, 5);
    struct leave_group_request *r = t->request;
    leave_group_request_init(r);
    r->group_id = str_from(world_group_id(m->group));
    r->members.items = arena_alloc(&t->arena, sizeof *r->members.items);
    r->members.count = 1;
    leave_group_request_member_identity_init(&r->members.items[0]);
    r->members.items[0].member_id = travel_text(t, m->id);
    send_beside(m, t);
}

static void send_consumer_beat(struct member *m, int32_t epoch)
{
    struct travel *t = travel_new(m, CONSUMER_BEAT, sizeof(struct consumer_group_heartbeat_request),
                                  &consumer_group_heartbeat_response_schema, 1);
    struct consumer_group_heartbeat_request *r = t->request;
    consumer_group_heartbeat_request_init(r);
    r->group_id = str_from(world_group_id(m->group));
    r->member_id = travel_text(t, m->id);
    r->member_epoch = epoch;
    r->topic_partitions.count = -1;
    r->subscribed_topic_names.count = -1;
    if (epoch == 0 || m->tells_all) {
        r->rebalance_timeout_ms = REBALANCE_MS;
        r->subscribed_topic_names = all_topics(&t->arena);
        r->topic_partitions.items =
            arena_alloc_array(&t->arena, WORLD_TOPICS, sizeof *r->topic_partitions.items);
        r->topic_partitions.count = 0;
        for (int i = 0; i < WORLD_TOPICS; i++)
            if (m->owned.bits[i] != 0)
                r->topic_partitions.items[r->topic_partitions.count++] =
                    (struct consumer_group_heartbeat_request_topic_partitions){
                        m->world->topic_ids[i], partitions_of(&t->arena, &m->owned, i)};
    }
    m->tells_all = false;
    if (epoch < 0)
        send_beside(m, t);
    else
        send_and_wait(m, t);
}

static int choose_owned(struct member *m, int *topic)
{
    int count = 0, chosen = -1;
    for (int i = 0; i < WORLD_TOPICS; i++)
        for (int p = 0; p < WORLD_PARTITIONS_MAX; p++)
            if (member_owns(m, i, p) && world_below(m->world, (uint64_t)++count) == 0) {
                chosen = p;
                *topic = i;
            }
    return chosen;
}

void member_commit(struct member *m)
{
    int topic = 0;
    int partition = choose_owned(m, &topic);
    if (partition < 0 || m->step == STEP_LEAVE)
        return;
    struct travel *t = travel_new(m, COMMIT, sizeof(struct offset_commit_request),
                                  &offset_commit_response_schema, 9);
    struct offset_commit_request *r = t->request;
    offset_commit_request_init(r);
    r->group_id = str_from(world_group_id(m->group));
    r->generation_id_or_member_epoch = m->generation;
    r->member_id = travel_text(t, m->id);
    r->topics.items = arena_alloc(&t->arena, sizeof *r->topics.items);
    r->topics.count = 1;
    offset_commit_request_offset_commit_request_topic_init(&r->topics.items[0]);
    r->topics.items[0].name = str_from(world_topic_name(topic));
    r->topics.items[0].partitions.items =
        arena_alloc(&t->arena, sizeof *r->topics.items[0].partitions.items);
    r->topics.items[0].partitions.count = 1;
    offset_commit_request_offset_commit_request_partition_init(r->topics.items[0].partitions.items);
    r->topics.items[0].partitions.items[0].partition_index = partition;
    r->topics.items[0].partitions.items[0].committed_metadata = str_from("");
    t->topic = topic;
    t->partition = partition;
    send_beside(m, t);
}

void member_fetch(struct member *m)
{
    struct travel *t =
        travel_new(m, FETCH, sizeof(struct offset_fetch_request_offset_fetch_request_group),
                   &offset_fetch_response_schema, 9);
    struct offset_fetch_request_offset_fetch_request_group *r = t->request;
    offset_fetch_request_offset_fetch_request_group_init(r);
    t->topic = (int32_t)world_below(m->world, WORLD_TOPICS);
    t->partition = (int32_t)world_below(m->world, (uint64_t)m->world->partition_counts[t->topic]);
    t->call.response =
        arena_alloc(&t->arena, sizeof(struct offset_fetch_response_offset_fetch_response_group));
    offset_fetch_response_offset_fetch_response_group_init(t->call.response);
    r->group_id = str_from(world_group_id(m->group));
    r->topics.items = arena_alloc(&t->arena, sizeof *r->topics.items);
    r->topics.count = 1;
    offset_fetch_request_offset_fetch_request_topics_init(&r->topics.items[0]);
    r->topics.items[0].name = str_from(world_topic_name(t->topic));
    r->topics.items[0].partition_indexes.items = arena_alloc(&t->arena, sizeof(int32_t));
    r->topics.items[0].partition_indexes.items[0] = t->partition;
    r->topics.items[0].partition_indexes.count = 1;
    send_beside(m, t);
}

// ---- What comes back ----

static void forget_all(struct member *m)
{
    m->owned = (struct partition_set){0};
    m->target = (struct partition_set){0};
    m->release_at = -1;
}

// From the beginning, under a new name.
static void begin_anew(struct member *m)
{
    forget_all(m);
    m->id[0] = '\0';
    m->generation = -1;
    m->step = STEP_JOIN;
    soon(m);
}

// Everybody whom the leader has to deal to, and what they get: in turn.
static void deal(struct member *m, const struct join_group_response *r)
{
    m->share_count = 0;
    for (int32_t i = 0; i < r->members.count && i < WORLD_MEMBERS_MAX; i++) {
        str_copy_to(r->members.items[i].member_id, m->share_ids[i], sizeof m->share_ids[i]);
        m->shares[i] = (struct partition_set){0};
        m->share_count++;
    }
    int next = 0;
    memcpy(m->dealt, m->world->partition_counts, sizeof m->dealt);
    for (int t = 0; m->share_count > 0 && t < WORLD_TOPICS; t++)
        for (int p = 0; p < m->world->partition_counts[t]; p++)
            m->shares[next++ % m->share_count].bits[t] |= 1u << p;
}

static void joined(struct member *m, const struct join_group_response *r)
{
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
        act(m);
        return;
    case KAFKA_MEMBER_ID_REQUIRED:
        str_copy_to(r->member_id, m->id, sizeof m->id);
        soon(m);
        return;
    case KAFKA_UNKNOWN_MEMBER_ID:
    case KAFKA_FENCED_INSTANCE_ID:
        begin_anew(m);
        return;
    case KAFKA_INCONSISTENT_GROUP_PROTOCOL: // the group is another kind at the moment
    case KAFKA_NOT_COORDINATOR:
    case KAFKA_COORDINATOR_NOT_AVAILABLE:
    case KAFKA_COORDINATOR_LOAD_IN_PROGRESS:
    case KAFKA_REBALANCE_IN_PROGRESS:
        soon(m);
        return;
    default:
        world_fail(m->world, "JoinGroup of member %d: error %d", m->number, r->error_code);
    }
}

static void rejoin(struct member *m)
{
    forget_all(m);
    m->step = STEP_JOIN;
    act(m);
}

static void synced(struct member *m, struct travel *t, const struct sync_group_response *r)
{
    switch (r->error_code) {
    case KAFKA_NONE:
        if (!assignment_read(m->world, &t->arena, r->assignment, &m->owned))
            world_fail(m->world, "member %d got an assignment that cannot be read", m->number);
        world_note(m->world, "member %d of %s: generation %d, owns %x %x", m->number,
                   world_group_id(m->group), m->generation, m->owned.bits[0], m->owned.bits[1]);
        m->step = STEP_HEARTBEAT;
        pause(m, HEARTBEAT_MS);
        return;
    case KAFKA_REBALANCE_IN_PROGRESS:
        rejoin(m);
        return;
    case KAFKA_ILLEGAL_GENERATION:
    case KAFKA_UNKNOWN_MEMBER_ID:
    case KAFKA_FENCED_INSTANCE_ID:
        begin_anew(m);
        return;
    case KAFKA_NOT_COORDINATOR:
    case KAFKA_COORDINATOR_NOT_AVAILABLE:
    case KAFKA_COORDINATOR_LOAD_IN_PROGRESS:
    case KAFKA_UNKNOWN_SERVER_ERROR:
        rejoin(m);
        return;
    default:
        world_fail(m->world, "SyncGroup of member %d: error %d", m->number, r->error_code);
    }
}

static void beaten(struct member *m, const struct heartbeat_response *r)
{
    switch (r->error_code) {
    case KAFKA_NONE:
        pause(m, HEARTBEAT_MS);
        return;
    case KAFKA_REBALANCE_IN_PROGRESS:
        rejoin(m);
        return;
    case KAFKA_ILLEGAL_GENERATION:
    case KAFKA_UNKNOWN_MEMBER_ID:
    case KAFKA_FENCED_INSTANCE_ID:
        begin_anew(m);
        return;
    case KAFKA_NOT_COORDINATOR:
    case KAFKA_COORDINATOR_NOT_AVAILABLE:
    case KAFKA_COORDINATOR_LOAD_IN_PROGRESS:
        soon(m);
        return;
    default:
        world_fail(m->world, "Heartbeat of member %d: error %d", m->number, r->error_code);
    }
}

static void take_target(struct member *m,
                        const struct consumer_group_heartbeat_response_assignment *a)
{
    m->target = (struct partition_set){0};
    for (int32_t i = 0; i < a->topic_partitions.count; i++) {
        int topic =
            world_topic_of(m->world, (struct str){0}, a->topic_partitions.items[i].topic_id);
        for (int32_t k = 0; topic >= 0 && k < a->topic_partitions.items[i].partitions.count; k++)
            m->target.bits[topic] |= 1u << a->topic_partitions.items[i].partitions.items[k];
    }
    bool gives_up = false, changes = false;
    for (int t = 0; t < WORLD_TOPICS; t++) {
        gives_up |= (m->owned.bits[t] & ~m->target.bits[t]) != 0;
        changes |= m->owned.bits[t] != m->target.bits[t];
    }
    m->release_at = -1;
    if (changes)
        m->release_at =
            m->world->now.mono_ms + (gives_up ? (int64_t)world_below(m->world, 1500) : 0);
}

static void consumer_beaten(struct member *m, const struct consumer_group_heartbeat_response *r)
{
    if (r->error_code != KAFKA_NONE)
        world_note(m->world, "member %d: ConsumerGroupHeartbeat: error %d", m->number, r->error_code);
    switch (r->error_code) {
    case KAFKA_NONE:
        m->generation = r->member_epoch;
        m->step = STEP_HEARTBEAT;
        if (r->assignment != NULL)
            take_target(m, r->assignment);
        if (m->release_at >= 0)
            pause(m, m->release_at > m->world->now.mono_ms ? m->release_at - m->world->now.mono_ms
                                                           : 1);
        else
            pause(m, HEARTBEAT_MS);
        return;
    case KAFKA_UNKNOWN_MEMBER_ID:
    case KAFKA_FENCED_MEMBER_EPOCH:
    case KAFKA_GROUP_ID_NOT_FOUND: // it was fenced, and the group is a classic one since
        forget_all(m);
        m->generation = 0;
        m->step = STEP_JOIN;
        soon(m);
        return;
    case KAFKA_NOT_COORDINATOR:
    case KAFKA_COORDINATOR_NOT_AVAILABLE:
    case KAFKA_COORDINATOR_LOAD_IN_PROGRESS:
        m->tells_all = true;
        soon(m);
        return;
    default:
        world_fail(m->world, "ConsumerGroupHeartbeat of member %d: error %d", m->number,
                   r->error_code);
    }
}

static void committed(struct travel *t, const struct offset_commit_response *r)
{
    struct world *w = t->event.world;
    check(r->topics.count == 1 && r->topics.items[0].partitions.count == 1);
    if (r->topics.items[0].partitions.items[0].error_code != KAFKA_NONE)
        return;
    int64_t *promised = &w->commit_promised[t->member->group][t->topic][t->partition];
    if (t->served > *promised)
        *promised = t->served;
}

static void fetched(struct travel *t,
                    const struct offset_fetch_response_offset_fetch_response_group *r)
{
    struct world *w = t->event.world;
    if (r->error_code != KAFKA_NONE || r->topics.count != 1 ||
        r->topics.items[0].partitions.count != 1)
        return;
    int64_t offset = r->topics.items[0].partitions.items[0].committed_offset;
    if (r->topics.items[0].partitions.items[0].error_code != KAFKA_NONE)
        return;
    if (t->promised > 0 && offset < t->promised)
        world_fail(w, "group %s, %s-%d: %" PRId64 " is committed, but %" PRId64 " was promised",
                   world_group_id(t->member->group), world_topic_name(t->topic), t->partition,
                   offset, t->promised);
    if (offset > w->commit_served)
        world_fail(w, "an offset that nobody committed: %" PRId64, offset);
}

static void answer(struct travel *t)
{
    struct member *m = t->member;
    if (t->kind == COMMIT) {
        committed(t, t->call.response);
        return;
    }
    if (t->kind == FETCH) {
        fetched(t, t->call.response);
        return;
    }
    if (t->turn != m->turn || m->step == STEP_GONE)
        return;
    m->awaits_answer = false;
    switch (t->kind) {
    case JOIN:
        joined(m, t->call.response);
        break;
    case SYNC:
        synced(m, t, t->call.response);
        break;
    case BEAT:
        beaten(m, t->call.response);
        break;
    case CONSUMER_BEAT:
        consumer_beaten(m, t->call.response);
        break;
    case LEAVE:
    case COMMIT:
    case FETCH:
        break;
    }
}

// ---- Acting ----

// Gives up what is not in the target, takes what is, and says so.
static void follow_target(struct member *m)
{
    m->owned = m->target;
    m->release_at = -1;
    m->tells_all = true;
    world_note(m->world, "member %d of %s: epoch %d, owns %x %x", m->number,
               world_group_id(m->group), m->generation, m->owned.bits[0], m->owned.bits[1]);
}

static void act(struct member *m)
{
    if (m->awaits_answer)
        m->tells_all = true; // what it did not hear it has to be told again
    m->awaits_answer = false;
    switch (m->step) {
    case STEP_JOIN:
        if (m->is_classic)
            send_join(m);
        else
            send_consumer_beat(m, 0);
        return;
    case STEP_SYNC:
        send_sync(m);
        return;
    case STEP_HEARTBEAT:
        if (m->is_classic && m->is_leader &&
            memcmp(m->dealt, m->world->partition_counts, sizeof m->dealt) != 0) {
            rejoin(m); // a leader watches the topics
            return;
        }
        if (m->is_classic) {
            send_beat(m);
            return;
        }
        if (m->release_at >= 0 && m->release_at <= m->world->now.mono_ms)
            follow_target(m);
        send_consumer_beat(m, m->generation);
        return;
    case STEP_LEAVE:
    case STEP_GONE:
        return;
    }
}

struct member *member_new(struct world *w, int group, bool classic, int number)
{
    struct member *m = mem_new(struct member);
    m->world = w;
    m->number = number;
    m->group = group;
    m->is_classic = classic;
    m->release_at = -1;
    if (!classic)
        snprintf(m->id, sizeof m->id, "consumer-%d-%" PRIu64, number, prng_next(&w->prng));
    pause(m, (int64_t)world_below(w, 3000));
    return m;
}

void member_free(struct member *m)
{
    mem_free(m);
}

void member_leave(struct member *m)
{
    world_note(m->world, "member %d leaves", m->number);
    if (!set_is_empty(&m->owned) || m->generation > 0) {
        if (m->is_classic)
            send_leave(m);
        else
            send_consumer_beat(m, -1);
    }
    member_vanish(m);
}

void member_vanish(struct member *m)
{
    world_note(m->world, "member %d is gone", m->number);
    forget_all(m);
    m->turn++;
    m->step = STEP_GONE;
}

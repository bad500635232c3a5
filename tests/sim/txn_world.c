// SPDX-License-Identifier: Apache-2.0
#include "txn_world.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/list.h"
#include "base/mem.h"
#include "txn_dump.h"
#include "metadata/replay.h"
#include "txn/internal.h"
#include "txn/txns.h"
#include "wire/api/end_txn.h"
#include "wire/api/init_producer_id.h"
#include "wire/metadata_record.h"
#include "wire/record/feature_level_record.h"

enum {
    TRAVEL_MS_MAX = 20,
    ANSWER_MS_MAX = 1000, // that a client waits for one
    AGAIN_MS = 60,        // before it asks again
    IDLE_MS_MAX = 8000,   // between transactions, at times
    WRITES_MAX = 3,
    TIMEOUT_MS_MIN = 2000,
    TIMEOUT_MS_MAX = 30000,
};

static const char *const ids[TXN_IDS] = {"orders", "payments", "stock", "mail"};
static const char *const topic = "t";

static struct txn_world *world_of(struct group_scene *s)
{
    return container_of(s, struct txn_world, scene);
}

static int64_t travel_ms(struct txn_world *w)
{
    return 1 + (int64_t)scene_below(&w->scene, TRAVEL_MS_MAX);
}

static bool is_lost(struct txn_world *w)
{
    return w->coordinator.has_faults && scene_chance(&w->scene, 1, 40);
}

// ---- What must hold ----

// A transaction ends alike in all partitions, and as its client was told.
static void check_outcome(struct txn_world *w, int attempt)
{
    const struct txn_attempt *a = &w->attempts[attempt];
    enum txn_outcome known = a->told;
    for (int p = 0; p < TXN_PARTITIONS; p++) {
        if (a->outcomes[p] == TXN_OPEN)
            continue;
        if (known == TXN_OPEN)
            known = a->outcomes[p];
        if (a->outcomes[p] != known)
            scene_fail(&w->scene, "transaction %d of %s is committed here and aborted there", attempt,
                       ids[a->id]);
    }
}

// Whoever has begun finds nothing open of those before.
static void check_none_open(struct txn_world *w, int id)
{
    for (int i = 0; i < w->attempt_count; i++)
        for (int p = 0; p < TXN_PARTITIONS && w->attempts[i].id == id; p++)
            if (w->attempts[i].is_written[p] && w->attempts[i].outcomes[p] == TXN_OPEN)
                scene_fail(&w->scene, "%s begins while transaction %d is open in partition %d", ids[id], i,
                           p);
}

void txn_world_check_rest(struct txn_world *w)
{
    const struct txns *t = w->coordinator.state;
    for (int i = 0; i < TXN_IDS; i++)
        check_none_open(w, i);
    if (!w->coordinator.is_up) {
        scene_fail(&w->scene, "the coordinator is not up");
        return;
    }
    for (const struct txn *txn = NULL; (txn = txns_next(t, txn)) != NULL;)
        if (txn->state == TXN_ONGOING || txn_is_prepared(txn))
            scene_fail(&w->scene, "%s is still %s", txn->id, txn_state_name(txn->state));
    for (int i = 0; i < w->attempt_count; i++)
        for (int p = 0; p < TXN_PARTITIONS && w->attempts[i].told != TXN_OPEN; p++)
            if (w->attempts[i].is_written[p] && w->attempts[i].outcomes[p] != w->attempts[i].told)
                scene_fail(&w->scene, "transaction %d did not end as its client was told", i);
}

// ---- Partitions ----

static struct txn_producer *producer_of(struct txn_log *log, int64_t producer_id)
{
    for (int i = 0; i < log->count; i++)
        if (log->producers[i].producer_id == producer_id)
            return &log->producers[i];
    mem_grow(log->producers, log->count, log->capacity);
    log->producers[log->count] = (struct txn_producer){.producer_id = producer_id, .epoch = -1,
                                                       .coordinator_epoch = -1, .attempt = -1};
    return &log->producers[log->count++];
}

struct marker {
    struct scene_event event;
    struct txn_order *order; // as long as its life goes on
    int64_t life;
    int partition;
    int64_t producer_id;
    int16_t epoch;
    int8_t version;
    bool is_commit;
    enum kafka_error error;
};

// KIP-1228: a marker of version 2 has an epoch above that of every batch.
static enum kafka_error judge(const struct marker *m, const struct txn_producer *p)
{
    bool is_repeated = m->epoch == p->epoch && p->marker_count > 0 && p->attempt < 0;
    if (m->life < p->coordinator_epoch)
        return KAFKA_TRANSACTION_COORDINATOR_FENCED;
    if (m->version >= 2 ? m->epoch <= p->epoch && !is_repeated : m->epoch < p->epoch)
        return KAFKA_INVALID_PRODUCER_EPOCH;
    return KAFKA_NONE;
}

static enum kafka_error apply(struct txn_world *w, const struct marker *m)
{
    struct txn_producer *p = producer_of(&w->logs[m->partition], m->producer_id);
    enum kafka_error error = judge(m, p);
    if (error == KAFKA_INVALID_PRODUCER_EPOCH)
        scene_fail(&w->scene, "a marker of producer %" PRId64 " has epoch %d, and the partition %d",
                   m->producer_id, m->epoch, p->epoch);
    if (error != KAFKA_NONE)
        return error;
    scene_note(&w->scene, "%s of %" PRId64 "/%d in %d ends %d", m->is_commit ? "commit" : "abort",
               m->producer_id, m->epoch, m->partition, p->attempt);
    p->epoch = m->epoch;
    p->coordinator_epoch = m->life;
    p->marker_count++;
    if (p->attempt < 0)
        return KAFKA_NONE;
    w->attempts[p->attempt].outcomes[m->partition] = m->is_commit ? TXN_COMMITTED : TXN_ABORTED;
    check_outcome(w, p->attempt);
    p->attempt = -1;
    return KAFKA_NONE;
}

static void marker_is_back(struct scene_event *event)
{
    struct marker *m = container_of(event, struct marker, event);
    struct txn_world *w = world_of(event->scene);
    struct sim_coordinator *c = &w->coordinator;
    if (c->is_up && c->life == m->life) {
        const struct coordinator_time now = sim_coordinator_now(c);
        txns_marked(c->state, m->order, m->error, &now);
        sim_coordinator_touched(c);
    }
    mem_free(m);
}

static void marker_arrives(struct scene_event *event)
{
    struct marker *m = container_of(event, struct marker, event);
    struct txn_world *w = world_of(event->scene);
    m->error = is_lost(w) ? KAFKA_NOT_LEADER_OR_FOLLOWER : apply(w, m);
    if (is_lost(w))
        m->error = KAFKA_KAFKA_STORAGE_ERROR; // it is there, and nobody knows
    m->event.run = marker_is_back;
    scene_at(&w->scene, &m->event, travel_ms(w));
}

static void write_marker(void *context, struct txn_order *order)
{
    struct txn_world *w = context;
    struct marker *m = mem_new(struct marker);
    *m = (struct marker){
        .event.run = marker_arrives,
        .order = order,
        .life = w->coordinator.life,
        .partition = order->partition,
        .producer_id = order->producer_id,
        .epoch = order->producer_epoch,
        .version = order->transaction_version,
        .is_commit = order->is_commit,
    };
    scene_at(&w->scene, &m->event, travel_ms(w));
}

// ---- Producer ids ----

struct id_wish {
    struct scene_event event;
    int64_t life;
};

static void id_comes(struct scene_event *event)
{
    struct id_wish *wish = container_of(event, struct id_wish, event);
    struct txn_world *w = world_of(event->scene);
    struct sim_coordinator *c = &w->coordinator;
    if (c->is_up && c->life == wish->life) {
        const struct coordinator_time now = sim_coordinator_now(c);
        bool fails = is_lost(w);
        txns_producer_id(c->state, fails ? KAFKA_COORDINATOR_LOAD_IN_PROGRESS : KAFKA_NONE,
                         fails ? -1 : w->next_producer_id++, &now);
        sim_coordinator_touched(c);
    }
    mem_free(wish);
}

static void want_producer_id(void *context)
{
    struct txn_world *w = context;
    struct id_wish *wish = mem_new(struct id_wish);
    wish->event.run = id_comes;
    wish->life = w->coordinator.life;
    scene_at(&w->scene, &wish->event, travel_ms(w));
}

// ---- The coordinator ----

static void *make(void *owner)
{
    struct txn_world *w = owner;
    return txns_new(&(struct txns_options){
        .config = w->config,
        .image = w->image,
        .hash_seed = {1, 2},
        .name = "__transaction_state-0",
        .write_marker = write_marker,
        .want_producer_id = want_producer_id,
        .context = w,
    });
}

static void attach(void *state, struct coordinator *c)
{
    txns_attach(state, c);
}

static void loaded(void *state, const struct coordinator_time *now)
{
    txns_loaded(state, now);
}

static void end_all(void *state, enum kafka_error error)
{
    txns_end_all(state, error);
}

static void release(void *state)
{
    txns_free(state);
}

static void dump(const void *state, struct buf *out)
{
    txns_dump(state, out);
}

static const struct sim_coordinator_type coordinator_type = {
    .machine = &txns_machine,
    .name = "__transaction_state-0",
    .make = make,
    .attach = attach,
    .loaded = loaded,
    .end = end_all,
    .free = release,
    .dump = dump,
};

// ---- Clients ----

enum question { ASK_INIT, ASK_ADD, ASK_END };

struct txn_client {
    struct txn_world *world;
    struct scene_event event; // what it does next, or that it has waited long enough
    int number;
    int id;
    int16_t end_version;
    int64_t producer_id;      // -1: it has to begin
    int16_t epoch;
    int attempt;              // -1: none goes on
    int writes_left;
    int partition;            // that it writes to
    bool commits;
    int64_t turn;             // answers to earlier questions are not heard
};

struct travel {
    struct scene_event event;
    struct txn_call call;
    struct txn_client *client;
    enum question question;
    int64_t turn;
    struct init_producer_id_request init;
    struct init_producer_id_response begun;
    struct end_txn_request end;
    struct end_txn_response ended;
    struct txn_addition addition;
    struct transaction_partition asked;
};

static void act(struct scene_event *event);

static void act_later(struct txn_client *c, int64_t delay_ms)
{
    c->event.run = act;
    if (!c->world->is_over)
        scene_at(&c->world->scene, &c->event, delay_ms);
}

static void begin_again(struct txn_client *c)
{
    c->producer_id = -1;
    c->attempt = -1;
    c->world->fenced++;
    act_later(c, 1 + (int64_t)scene_below(&c->world->scene, IDLE_MS_MAX));
}

static bool may_ask_again(enum kafka_error error)
{
    return error == KAFKA_CONCURRENT_TRANSACTIONS || error == KAFKA_NOT_COORDINATOR ||
           error == KAFKA_COORDINATOR_LOAD_IN_PROGRESS || error == KAFKA_COORDINATOR_NOT_AVAILABLE;
}

// A write that the coordinator has allowed, on its way to the partition.
struct write {
    struct scene_event event;
    struct txn_client *client;
    int64_t turn;
    int attempt;
    int partition;
    int64_t producer_id;
    int16_t epoch;
    int64_t guard; // markers that had come when it was allowed
};

static bool append(struct txn_world *w, const struct write *write)
{
    struct txn_producer *p = producer_of(&w->logs[write->partition], write->producer_id);
    if (write->epoch < p->epoch || write->guard != p->marker_count)
        return false;
    if (p->attempt >= 0 && p->attempt != write->attempt)
        scene_fail(&w->scene, "transactions %d and %d of one producer are open in partition %d", p->attempt,
                   write->attempt, write->partition);
    p->epoch = write->epoch;
    p->attempt = write->attempt;
    w->attempts[write->attempt].is_written[write->partition] = true;
    return true;
}

static void write_arrives(struct scene_event *event)
{
    struct write *write = container_of(event, struct write, event);
    struct txn_client *c = write->client;
    bool is_good = append(c->world, write);
    bool is_heard = write->turn == c->turn;
    mem_free(write);
    if (!is_heard)
        return;
    c->writes_left--;
    if (!is_good) {
        c->writes_left = 0;
        c->commits = false; // what is not whole is not committed
    }
    act_later(c, 1);
}

static void send_write(struct txn_client *c)
{
    struct txn_world *w = c->world;
    struct write *write = mem_new(struct write);
    *write = (struct write){
        .event.run = write_arrives,
        .client = c,
        .turn = ++c->turn,
        .attempt = c->attempt,
        .partition = c->partition,
        .producer_id = c->producer_id,
        .epoch = c->epoch,
        .guard = producer_of(&w->logs[c->partition], c->producer_id)->marker_count,
    };
    scene_at(&w->scene, &write->event, travel_ms(w));
}

static void hear_begun(struct txn_client *c, const struct init_producer_id_response *reply)
{
    c->producer_id = reply->producer_id;
    c->epoch = reply->producer_epoch;
    c->attempt = -1;
    act_later(c, 1);
}

static void hear_ended(struct txn_client *c, const struct end_txn_response *reply)
{
    struct txn_world *w = c->world;
    w->attempts[c->attempt].told = c->commits ? TXN_COMMITTED : TXN_ABORTED;
    check_outcome(w, c->attempt);
    *(c->commits ? &w->commits : &w->aborts) += 1;
    if (c->end_version >= END_TXN_VERSION_BUMP) {
        c->producer_id = reply->producer_id;
        c->epoch = reply->producer_epoch;
    }
    c->attempt = -1;
    act_later(c, scene_chance(&w->scene, 1, 10) ? (int64_t)scene_below(&w->scene, IDLE_MS_MAX) : 1);
}

static void hear(struct txn_client *c, const struct travel *t, enum kafka_error error)
{
    c->turn++;
    if (may_ask_again(error))
        act_later(c, AGAIN_MS);
    else if (error == KAFKA_PRODUCER_FENCED || error == KAFKA_INVALID_PRODUCER_ID_MAPPING ||
             error == KAFKA_INVALID_TXN_STATE)
        begin_again(c);
    else if (error != KAFKA_NONE)
        scene_fail(&c->world->scene, "client %d hears of error %d", c->number, error);
    else if (t->question == ASK_INIT)
        hear_begun(c, &t->begun);
    else if (t->question == ASK_END)
        hear_ended(c, &t->ended);
}

static enum kafka_error error_of(const struct travel *t)
{
    return (enum kafka_error)(t->question == ASK_INIT  ? t->begun.error_code
                              : t->question == ASK_END ? t->ended.error_code
                                                       : (int)t->asked.error);
}

static void arrive_home(struct scene_event *event)
{
    struct travel *t = container_of(event, struct travel, event);
    struct txn_client *c = t->client;
    if (t->turn == c->turn && !c->world->is_over)
        hear(c, t, error_of(t));
    mem_free(t);
}

static void drop(struct scene_event *event)
{
    mem_free(container_of(event, struct travel, event));
}

// What the coordinator answers holds from here on, whoever hears of it.
static void served(struct txn_call *call)
{
    struct travel *t = container_of(call, struct travel, call);
    struct txn_client *c = t->client;
    struct txn_world *w = c->world;
    enum kafka_error error = error_of(t);
    scene_note(&w->scene, "client %d of %s: question %d, error %d", c->number, ids[c->id], t->question,
               error);
    if (t->question == ASK_INIT && error == KAFKA_NONE && !w->coordinator.is_crashing)
        check_none_open(w, c->id);
    // The guard of a write begins where it is allowed, before any marker that comes after that.
    bool is_heard = t->turn == c->turn && !w->is_over && !w->coordinator.is_crashing;
    if (t->question == ASK_ADD && error == KAFKA_NONE && is_heard && !is_lost(w)) {
        send_write(c);
        scene_cancel(&w->scene, &c->event);
        t->turn = -1;
    }
    t->event.run = w->coordinator.is_crashing || is_lost(w) ? drop : arrive_home;
    scene_at(&w->scene, &t->event, travel_ms(w));
}

static void arrive(struct scene_event *event)
{
    struct travel *t = container_of(event, struct travel, event);
    struct txn_world *w = t->client->world;
    struct sim_coordinator *c = &w->coordinator;
    const struct coordinator_time now = sim_coordinator_now(c);
    if (!c->is_up || c->is_crashing || is_lost(w)) {
        drop(event);
        return;
    }
    if (t->question == ASK_INIT)
        txns_init_producer_id(c->state, &t->call, &now, &t->init);
    else if (t->question == ASK_ADD)
        txns_add(c->state, &t->call, &now, &t->addition);
    else
        txns_end(c->state, &t->call, &now, &t->end);
    sim_coordinator_touched(c);
}

static struct travel *travel_new(struct txn_client *c, enum question question)
{
    struct travel *t = mem_new(struct travel);
    t->event.run = arrive;
    t->client = c;
    t->question = question;
    t->turn = ++c->turn;
    t->call.version = c->end_version;
    t->call.done = served;
    return t;
}

static void depart(struct txn_client *c, struct travel *t)
{
    scene_at(&c->world->scene, &t->event, travel_ms(c->world));
    act_later(c, ANSWER_MS_MAX);
}

static void ask_init(struct txn_client *c)
{
    struct travel *t = travel_new(c, ASK_INIT);
    init_producer_id_request_init(&t->init);
    init_producer_id_response_init(&t->begun);
    t->init.transactional_id = str_from(ids[c->id]);
    t->init.transaction_timeout_ms =
        TIMEOUT_MS_MIN + (int32_t)scene_below(&c->world->scene, TIMEOUT_MS_MAX - TIMEOUT_MS_MIN);
    t->call.response = &t->begun;
    depart(c, t);
}

static void ask_add(struct txn_client *c)
{
    struct travel *t = travel_new(c, ASK_ADD);
    c->partition = (int)scene_below(&c->world->scene, TXN_PARTITIONS);
    t->asked = (struct transaction_partition){.topic = str_from(topic), .partition = c->partition};
    t->addition = (struct txn_addition){
        .transactional_id = str_from(ids[c->id]),
        .producer_id = c->producer_id,
        .producer_epoch = c->epoch,
        .client_version = c->end_version >= END_TXN_VERSION_BUMP ? 2 : 0,
        .partitions = &t->asked,
        .partition_count = 1,
    };
    depart(c, t);
}

static void ask_end(struct txn_client *c)
{
    struct travel *t = travel_new(c, ASK_END);
    t->end = (struct end_txn_request){str_from(ids[c->id]), c->producer_id, c->epoch, c->commits};
    end_txn_response_init(&t->ended);
    t->call.response = &t->ended;
    depart(c, t);
}

static void begin_attempt(struct txn_client *c)
{
    struct txn_world *w = c->world;
    mem_grow(w->attempts, w->attempt_count, w->attempt_capacity);
    w->attempts[w->attempt_count] = (struct txn_attempt){.id = c->id};
    c->attempt = w->attempt_count++;
    c->writes_left = 1 + (int)scene_below(&w->scene, WRITES_MAX);
    c->commits = scene_chance(&w->scene, 3, 4);
}

static void act(struct scene_event *event)
{
    struct txn_client *c = container_of(event, struct txn_client, event);
    struct txn_world *w = c->world;
    if (w->is_over)
        return;
    if (c->producer_id < 0) {
        ask_init(c);
        return;
    }
    if (c->attempt < 0)
        begin_attempt(c);
    if (w->coordinator.has_faults && scene_chance(&w->scene, 1, 60))
        act_later(c, (int64_t)scene_below(&w->scene, 2 * (uint64_t)TIMEOUT_MS_MAX)); // it stalls
    else if (c->writes_left > 0)
        ask_add(c);
    else
        ask_end(c);
}

// ---- Life ----

static void set_version(struct metadata_image *image, int16_t level)
{
    struct feature_level_record record = {.name = str_from("transaction.version"),
                                          .feature_level = level};
    struct buf value;
    struct diag diag;
    buf_init(&value, 1 << 20);
    check(metadata_record_encode(METADATA_FEATURE_LEVEL_RECORD, 0, &record, &value) == 0);
    check(metadata_replay(image, buf_bytes(&value), 1, &diag) == 0);
    buf_release(&value);
}

// Some ids have nearly used up their epochs.
static void age(struct txn_world *w)
{
    struct txns *t = w->coordinator.state;
    const struct coordinator_time now = sim_coordinator_now(&w->coordinator);
    coordinator_set_time(w->coordinator.coordinator, &now);
    for (int i = 0; i < TXN_IDS; i++) {
        struct transaction_log_value value;
        struct txn *txn;
        if (scene_chance(&w->scene, 1, 2))
            continue;
        transaction_log_value_init(&value);
        value.producer_id = value.previous_producer_id = w->next_producer_id++;
        value.producer_epoch = (int16_t)(PRODUCER_EPOCH_MAX - 1 - (int)scene_below(&w->scene, 30));
        value.transaction_timeout_ms = TIMEOUT_MS_MIN;
        value.transaction_partitions.count = -1;
        value.transaction_start_timestamp_ms = -1;
        value.transaction_last_update_timestamp_ms = now.wall_ms;
        (void)txn_write(t, str_from(ids[i]), &value, &txn); // or there is no room
    }
    sim_coordinator_touched(&w->coordinator);
}

void txn_world_init(struct txn_world *w, uint64_t seed, int16_t transaction_version)
{
    *w = (struct txn_world){.next_producer_id = 1};
    scene_init(&w->scene, seed);
    w->config = config_new();
    w->image = metadata_image_new();
    set_version(w->image, transaction_version);
    sim_coordinator_init(&w->coordinator, &w->scene, &coordinator_type, w);
    for (int i = 0; i < TXN_CLIENTS; i++) {
        struct txn_client *c = mem_new(struct txn_client);
        bool is_new = transaction_version >= TXN_VERSION_BUMP && scene_chance(&w->scene, 2, 3);
        c->world = w;
        c->number = i;
        c->id = (int)scene_below(&w->scene, TXN_IDS);
        c->end_version = is_new ? END_TXN_VERSION_BUMP : END_TXN_VERSION_BUMP - 1;
        c->producer_id = -1;
        c->attempt = -1;
        w->clients[i] = c;
    }
}

void txn_world_start(struct txn_world *w)
{
    sim_coordinator_start(&w->coordinator);
    age(w);
    for (int i = 0; i < TXN_CLIENTS; i++)
        act_later(w->clients[i], (int64_t)scene_below(&w->scene, 1000));
}

bool txn_world_step(struct txn_world *w, int64_t end_ms)
{
    int64_t next_ms = scene_next_ms(&w->scene);
    if (w->scene.failed || next_ms > end_ms)
        return false;
    w->scene.now_ms = next_ms;
    return scene_run_due(&w->scene);
}

void txn_world_release(struct txn_world *w)
{
    w->is_over = true;
    sim_coordinator_release(&w->coordinator);
    while (scene_next_ms(&w->scene) != INT64_MAX) { // what is under way frees itself
        w->scene.now_ms = scene_next_ms(&w->scene);
        scene_run_due(&w->scene);
    }
    for (int i = 0; i < TXN_CLIENTS; i++)
        mem_free(w->clients[i]);
    for (int i = 0; i < TXN_PARTITIONS; i++)
        mem_free(w->logs[i].producers);
    mem_free(w->attempts);
    scene_release(&w->scene);
    metadata_image_unref(w->image);
    config_free(w->config);
}

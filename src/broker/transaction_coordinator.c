// SPDX-License-Identifier: Apache-2.0
//
// The coordinator of transactions as a kind of coordinator: src/txn for the driver, and what it wants
// done: markers in partitions of any shard, and producer ids, which shard 0 has.
#include "base/list.h"
#include "base/mem.h"
#include "broker/coordinator_kind.h"
#include "broker/coordinator_slot.h"
#include "broker/coordinators.h"
#include "broker/node.h"
#include "broker/shard.h"
#include "broker/transactions.h"
#include "broker/txn_markers.h"
#include "env/env.h"
#include "txn/txns.h"

// What is under way for one coordinator. It may end before that comes back.
struct errands {
    struct coordinator_slot *slot;
    struct txns *txns;
    struct list markers; // struct marker_errand
    struct list ids;     // struct id_errand
};

static void touched(struct errands *errands)
{
    coordinator_slot_touched(errands->slot);
}

// ---- Markers ----

struct marker_errand {
    struct list_node node;
    struct errands *errands; // NULL: the coordinator has ended
    struct txn_order *order; // as long as it has not
    struct txn_marker marker;
    char topic[];
};

static void marked(struct txn_marker *marker, enum kafka_error error)
{
    struct marker_errand *m = container_of(marker, struct marker_errand, marker);
    struct errands *errands = m->errands;
    struct txn_order *order = m->order;
    if (errands != NULL)
        list_remove(&m->node);
    mem_free(m);
    if (errands == NULL)
        return;
    const struct coordinator_time now = coordinators_now(errands->slot->shard);
    txns_marked(errands->txns, order, error, &now);
    touched(errands);
}

static void write_marker(void *context, struct txn_order *order)
{
    struct errands *errands = context;
    struct marker_errand *m = mem_alloc_zero(sizeof(*m) + order->topic.size);
    if (order->topic.size > 0)
        memcpy(m->topic, order->topic.data, order->topic.size);
    m->errands = errands;
    m->order = order;
    m->marker = (struct txn_marker){
        .topic = str_of(m->topic, order->topic.size),
        .partition = order->partition,
        .producer_id = order->producer_id,
        .producer_epoch = order->producer_epoch,
        .coordinator_epoch = errands->slot->leader_epoch,
        .transaction_version = order->transaction_version,
        .is_commit = order->is_commit,
        .done = marked,
    };
    list_append(&errands->markers, &m->node);
    txn_marker_write(errands->slot->shard, &m->marker);
}

// ---- Producer ids ----

struct id_errand {
    struct list_node node;
    struct errands *errands; // NULL: the coordinator has ended
    struct shard *home;
    struct env_message message;
    struct producer_id_wait wait;
    enum kafka_error error;
    int64_t producer_id;
};

static void id_came(struct env_message *message)
{
    struct id_errand *e = container_of(message, struct id_errand, message);
    struct errands *errands = e->errands;
    const struct id_errand came = *e;
    e->home->away_count--;
    if (errands != NULL)
        list_remove(&e->node);
    mem_free(e);
    if (errands == NULL)
        return;
    const struct coordinator_time now = coordinators_now(came.home);
    txns_producer_id(errands->txns, came.error, came.producer_id, &now);
    touched(errands);
}

static void got_id(struct producer_id_wait *wait, int kafka_error, int64_t producer_id)
{
    struct id_errand *e = container_of(wait, struct id_errand, wait);
    e->error = (enum kafka_error)kafka_error;
    e->producer_id = producer_id;
    e->message.receive = id_came;
    env_post(e->home->env->mailbox, &e->message);
}

static void ask_for_id(struct env_message *message)
{
    struct id_errand *e = container_of(message, struct id_errand, message);
    e->wait.done = got_id;
    producer_ids_next(&e->home->node->producer_ids, &e->wait);
}

static void want_producer_id(void *context)
{
    struct errands *errands = context;
    struct id_errand *e = mem_new(struct id_errand);
    e->errands = errands;
    e->home = errands->slot->shard;
    e->message.receive = ask_for_id;
    e->home->away_count++;
    list_append(&errands->ids, &e->node);
    env_post(e->home->node->shards[0].env->mailbox, &e->message);
}

// ---- The kind ----

static void *new(struct coordinator_slot *slot)
{
    struct shard *s = slot->shard;
    struct errands *errands = mem_new(struct errands);
    errands->slot = slot;
    list_init(&errands->markers);
    list_init(&errands->ids);
    errands->txns = txns_new(&(struct txns_options){
        .config = s->config,
        .image = shard_image(s),
        .trace = s->trace,
        .hash_seed = s->node->hash_seed,
        .name = slot->name,
        .write_marker = write_marker,
        .want_producer_id = want_producer_id,
        .context = errands,
    });
    return errands->txns;
}

static void release(void *state)
{
    struct errands *errands = txns_context(state);
    struct list_node *n;
    while ((n = list_pop(&errands->markers)) != NULL)
        container_of(n, struct marker_errand, node)->errands = NULL;
    while ((n = list_pop(&errands->ids)) != NULL)
        container_of(n, struct id_errand, node)->errands = NULL;
    txns_free(state);
    mem_free(errands);
}

static void attach(void *state, struct coordinator *c)
{
    txns_attach(state, c);
}

static void loaded(void *state, const struct coordinator_time *now)
{
    txns_loaded(state, now);
}

static void set_image(void *state, const struct metadata_image *image,
                      const struct coordinator_time *now)
{
    (void)now;
    txns_set_image(state, image);
}

static void end(void *state, enum kafka_error error)
{
    txns_end_all(state, error);
}

const struct coordinator_kind_type transaction_coordinator = {
    .topic = TRANSACTION_TOPIC,
    .what = "transactions",
    .machine = &txns_machine,
    .piece_bytes_key = "transaction.state.log.load.buffer.size",
    .new = new,
    .attach = attach,
    .loaded = loaded,
    .set_image = set_image,
    .end = end,
    .free = release,
};

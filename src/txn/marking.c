// SPDX-License-Identifier: Apache-2.0
//
// What follows from a decision: markers into all partitions of the transaction, then the record that
// closes it. Nothing is sent before the decision is committed, so no partition ever shows another end
// than the log does; what is lost on the way is sent again, after a crash from the log.
#include <inttypes.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/trace.h"
#include "txn/internal.h"

enum {
    BACKOFF_MIN_MS = 20,   // before a marker is tried again
    BACKOFF_MAX_MS = 2000, // twice as long each time, up to this
    DOUBLINGS_MAX = 7,
};

struct txn_ending {
    struct txn *txn;
    struct coordinator_waiter decided;
    struct coordinator_timer again; // to write that it is complete
    int32_t left;                   // orders that are not done, and one while they are given
    struct txn_order orders[];
};

void txn_ending_free(struct txn *txn)
{
    mem_free(txn->ending);
    txn->ending = NULL;
}

// ---- Closing ----

static void complete(struct txn_ending *e);

static void complete_again(struct coordinator_timer *timer)
{
    complete(container_of(timer, struct txn_ending, again));
}

static void complete_later(struct txn_ending *e)
{
    struct txns *t = e->txn->txns;
    int64_t at_ms = coordinator_now(t->coordinator)->mono_ms + txns_retry_ms(t);
    coordinator_set_timer(t->coordinator, &e->again, at_ms, complete_again);
}

static void complete(struct txn_ending *e)
{
    struct txn *txn = e->txn;
    struct transaction_log_value value;
    bool is_commit = txn->state == TXN_PREPARE_COMMIT;
    int16_t last_epoch = txn->last_producer_epoch;
    bool can = txn_record(txn, is_commit ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT, &value);
    if (txn->next_producer_id >= 0) {
        value.producer_id = txn->next_producer_id;
        value.producer_epoch = txn->next_producer_epoch >= 0 ? txn->next_producer_epoch : 0;
    }
    value.next_producer_id = -1;
    value.next_producer_epoch = -1;
    value.transaction_partitions.count = 0;
    if (!can || txn_write(txn->txns, txn_id(txn), &value, &txn) != 0) {
        complete_later(e); // a full disk; after other failures the log is loaded again
        return;
    }
    txn->last_producer_epoch = last_epoch;
    txn_ending_free(txn);
}

static void one_done(struct txn_ending *e)
{
    if (--e->left == 0)
        complete(e);
}

// ---- Markers ----

static void order(struct txn_order *o)
{
    struct txns *t = o->txns;
    t->options.write_marker(t->options.context, o); // all may be over after this
}

static void order_again(struct coordinator_timer *timer)
{
    order(container_of(timer, struct txn_order, retry));
}

static void order_later(struct txn_order *o)
{
    int doublings = o->attempts < DOUBLINGS_MAX ? o->attempts : DOUBLINGS_MAX;
    int64_t wait_ms = (int64_t)BACKOFF_MIN_MS << doublings;
    struct coordinator *c = o->txns->coordinator;
    o->attempts++;
    coordinator_set_timer(c, &o->retry,
                          coordinator_now(c)->mono_ms +
                              (wait_ms < BACKOFF_MAX_MS ? wait_ms : BACKOFF_MAX_MS),
                          order_again);
}

void txns_marked(struct txns *t, struct txn_order *o, enum kafka_error error,
                 const struct coordinator_time *now)
{
    coordinator_set_time(t->coordinator, now);
    if (t->has_ended)
        return;
    if (error == KAFKA_INVALID_PRODUCER_EPOCH)
        trace_warn(t->options.trace, "transactions",
                   "%s: %.*s-%d has seen a newer epoch of producer %" PRId64 " than %d, with which the "
                   "transaction of \"%.*s\" is %s there: it counts as ended",
                   t->options.name, STR_ARG(o->topic), o->partition, o->producer_id, o->producer_epoch,
                   STR_ARG(txn_id(o->txn)), o->is_commit ? "committed" : "aborted");
    else if (error != KAFKA_NONE && error != KAFKA_UNKNOWN_TOPIC_OR_PARTITION) {
        order_later(o);
        return;
    }
    one_done(o->txn->ending);
}

static void decided(struct coordinator_waiter *w, enum kafka_error error)
{
    struct txn_ending *e = container_of(w, struct txn_ending, decided);
    if (error != KAFKA_NONE)
        return; // the coordinator ends: whoever loads its log goes on from there
    int32_t count = e->txn->partitions.total;
    e->left = count + 1;
    for (int32_t i = 0; i < count; i++)
        order(&e->orders[i]);
    one_done(e);
}

static void fill_orders(struct txn *txn, struct txn_ending *e)
{
    struct txn_order *o = e->orders;
    for (int32_t i = 0; i < txn->partitions.count; i++) {
        const struct txn_topic *topic = &txn->partitions.topics[i];
        for (int32_t k = 0; k < topic->count; k++, o++)
            *o = (struct txn_order){
                .topic = str_from(topic->name),
                .partition = topic->partitions[k],
                .producer_id = txn->producer_id,
                .producer_epoch = txn->producer_epoch,
                .transaction_version = txn->client_version,
                .is_commit = txn->state == TXN_PREPARE_COMMIT,
                .txns = txn->txns,
                .txn = txn,
            };
    }
}

void txn_begin_marking(struct txn *txn)
{
    size_t count = (size_t)txn->partitions.total;
    struct txn_ending *e = mem_alloc_zero(sizeof(*e) + count * sizeof(e->orders[0]));
    e->txn = txn;
    e->decided.done = decided;
    txn->ending = e;
    fill_orders(txn, e);
    coordinator_wait(txn->txns->coordinator, &e->decided, txn->written);
}

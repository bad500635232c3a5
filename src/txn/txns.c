// SPDX-License-Identifier: Apache-2.0
//
// The transactional ids of a partition as a set: finding, adding, removing; loading and ending all of
// them.
#include "txn/txns.h"

#include <string.h>

#include "base/mem.h"
#include "config/config.h"
#include "metadata/image.h"
#include "txn/internal.h"

enum { REPLAY_MEMORY_MAX = 256 * 1024 * 1024 }; // of one record

struct txns *txns_new(const struct txns_options *options)
{
    struct txns *t = mem_new(struct txns);
    t->options = *options;
    t->image = options->image;
    t->spare_producer_id = -1;
    map_init(&t->by_id);
    list_init(&t->id_waits);
    arena_init(&t->arena, REPLAY_MEMORY_MAX);
    return t;
}

void txns_attach(struct txns *t, struct coordinator *c)
{
    t->coordinator = c;
}

void *txns_context(const struct txns *t)
{
    return t->options.context;
}

static void txn_free(struct txn *txn)
{
    txn_ending_free(txn);
    txn_partitions_clear(&txn->partitions);
    mem_free(txn->id);
    mem_free(txn);
}

void txns_free(struct txns *t)
{
    if (t == NULL)
        return;
    struct map_node *n;
    while ((n = map_take_any(&t->by_id)) != NULL)
        txn_free(container_of(n, struct txn, node));
    map_release(&t->by_id);
    arena_release(&t->arena);
    mem_free(t);
}

// ---- The set ----

static bool txn_has_id(const struct map_node *node, const void *key)
{
    const struct str *id = key;
    return str_equal(*id, txn_id(container_of(node, struct txn, node)));
}

struct txn *txns_find(const struct txns *t, struct str id)
{
    struct map_node *n = map_find(&t->by_id, hash_str(t->options.hash_seed, id), txn_has_id, &id);
    return n == NULL ? NULL : container_of(n, struct txn, node);
}

struct txn *txns_add_new(struct txns *t, struct str id)
{
    struct txn *txn = mem_new(struct txn);
    txn->id = mem_copy_str(id);
    txn->id_size = id.size;
    txn->txns = t;
    txn->last_producer_epoch = -1;
    map_insert(&t->by_id, &txn->node, hash_str(t->options.hash_seed, id));
    return txn;
}

void txns_remove(struct txns *t, struct txn *txn)
{
    map_remove(&t->by_id, &txn->node);
    if (coordinator_timer_is_set(&txn->timeout))
        coordinator_cancel_timer(t->coordinator, &txn->timeout);
    txn_free(txn);
}

struct txn *txns_next(const struct txns *t, const struct txn *txn)
{
    struct map_node *n = map_next(&t->by_id, txn == NULL ? NULL : &txn->node);
    return n == NULL ? NULL : container_of(n, struct txn, node);
}

static const char *const state_names[TXN_STATES] = {
    [TXN_EMPTY] = "Empty",
    [TXN_ONGOING] = "Ongoing",
    [TXN_PREPARE_COMMIT] = "PrepareCommit",
    [TXN_PREPARE_ABORT] = "PrepareAbort",
    [TXN_COMPLETE_COMMIT] = "CompleteCommit",
    [TXN_COMPLETE_ABORT] = "CompleteAbort",
};

const char *txn_state_name(enum txn_state state)
{
    return state_names[state];
}

bool txns_is_state_name(struct str name)
{
    for (int i = 0; i < TXN_STATES; i++)
        if (str_is(name, state_names[i]))
            return true;
    return str_is(name, "Dead") || str_is(name, "PrepareEpochFence");
}

// ---- All of them ----

int16_t txns_version(const struct txns *t)
{
    return t->image == NULL ? 0 : metadata_image_feature(t->image, FEATURE_TRANSACTION_VERSION);
}

int64_t txns_retry_ms(const struct txns *t)
{
    return config_i32(t->options.config, "transaction.abort.timed.out.transaction.cleanup.interval.ms");
}

void txns_loaded(struct txns *t, const struct coordinator_time *now)
{
    coordinator_set_time(t->coordinator, now);
    txns_arm_expiry(t);
    // Nothing here adds or removes ids: an end is written by a turn that follows.
    for (struct txn *txn = NULL; (txn = txns_next(t, txn)) != NULL;) {
        if (txn->state == TXN_ONGOING)
            txn_arm_timeout(txn);
        else if (txn_is_prepared(txn))
            txn_begin_marking(txn);
    }
}

void txns_end_all(struct txns *t, enum kafka_error error)
{
    struct list_node *n;
    t->has_ended = true;
    while ((n = list_pop(&t->id_waits)) != NULL)
        txn_call_fail(container_of(n, struct txn_call, node), error);
}

void txns_set_image(struct txns *t, const struct metadata_image *image)
{
    t->image = image;
}

static int replay(void *state, const struct coordinator_record_type *type, struct bytes key,
                  struct bytes value, const struct coordinator_origin *origin, struct diag *diag)
{
    (void)origin;
    return txns_replay(state, type, key, value, diag);
}

const struct coordinator_machine txns_machine = {
    .log = COORDINATOR_LOG_TRANSACTION,
    .replay = replay,
};

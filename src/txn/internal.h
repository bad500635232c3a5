// SPDX-License-Identifier: Apache-2.0
//
// Inside the transaction coordinator: a transactional id and what is known of it.
#pragma once

#include "base/map.h"
#include "txn/partitions.h"
#include "txn/txns.h"
#include "wire/record/transaction_log_value.h"

// FROZEN: in the log.
enum txn_state {
    TXN_EMPTY = 0,
    TXN_ONGOING = 1,
    TXN_PREPARE_COMMIT = 2,
    TXN_PREPARE_ABORT = 3,
    TXN_COMPLETE_COMMIT = 4,
    TXN_COMPLETE_ABORT = 5,
    TXN_STATES = 6,
    // Kafka has names for two more, which are never written: an id that is about to be forgotten, and a
    // producer that is about to be fenced. Here both are one step.
};

enum {
    PRODUCER_EPOCH_MAX = INT16_MAX,
    // The last that a producer is given: there is one left to fence it with.
    PRODUCER_EPOCH_LAST = PRODUCER_EPOCH_MAX - 1,
    TXN_VERSION_RECORDS = 1, // transaction.version from which records are of version 1
    TXN_VERSION_BUMP = 2,    // and from which each transaction has an epoch of its own (KIP-890)
    END_TXN_VERSION_BUMP = 5, // the EndTxn of such
};

// A transactional id.
struct txn {
    struct map_node node; // in txns.by_id
    char *id;             // with id_size bytes and a NUL
    size_t id_size;
    struct txns *txns;

    // Durable, by its newest record:
    enum txn_state state;
    int64_t producer_id;
    int64_t previous_producer_id; // before the newest record
    int64_t next_producer_id;     // from the end of this transaction on, when its epochs are used up; -1
    int16_t producer_epoch;
    int16_t next_producer_epoch;  // with the next id (KIP-939); -1
    int8_t client_version;        // of the newest transaction
    int32_t timeout_ms;
    int64_t start_ms;             // wall; -1 when Empty
    int64_t last_update_ms;       // wall
    struct txn_partitions partitions;

    // Not durable:
    coordinator_ticket written;     // of its newest record
    int16_t last_producer_epoch;    // the one before, of a producer that bumped it by itself; -1. A
                                    // request with it is a retry.
    struct coordinator_timer timeout; // set while Ongoing
    struct txn_ending *ending;      // while prepared
};

struct txns {
    struct txns_options options;
    struct coordinator *coordinator;
    const struct metadata_image *image; // newest
    struct map by_id;                   // struct txn
    struct arena arena; // of the record that is made or replayed; reset for each
    struct list id_waits;               // struct txn_call
    int64_t spare_producer_id;          // came, and nobody needed it any more; -1
    int ids_wanted;                     // that have not come
    struct coordinator_timer expire_timer; // of transactional ids
    bool is_full;                          // there is no room for more, which was said
    bool has_ended;
};

// ---- The set (txns.c) ----

struct txn *txns_find(const struct txns *t, struct str id);
struct txn *txns_add_new(struct txns *t, struct str id);
void txns_remove(struct txns *t, struct txn *txn);
struct txn *txns_next(const struct txns *t, const struct txn *txn); // NULL begins and ends

static inline struct str txn_id(const struct txn *txn)
{
    return str_of(txn->id, txn->id_size);
}

// To be asked before a request makes an id: false, and it shall come again later (room.c).
bool txns_have_room(struct txns *t);

const char *txn_state_name(enum txn_state state); // "PrepareCommit"

static inline bool txn_is_prepared(const struct txn *txn)
{
    return txn->state == TXN_PREPARE_COMMIT || txn->state == TXN_PREPARE_ABORT;
}

static inline bool txn_epoch_is_used_up(int16_t producer_epoch)
{
    return producer_epoch >= PRODUCER_EPOCH_LAST;
}

// The finalized transaction.version.
int16_t txns_version(const struct txns *t);

int64_t txns_retry_ms(const struct txns *t); // of what could not be written

// ---- Calls (call.c) ----

void txn_call_begin(struct txn_call *call, struct txns *t, const void *request,
                    void (*set_error)(struct txn_call *call, enum kafka_error error));
void txn_call_fail(struct txn_call *call, enum kafka_error error);
void txn_call_end_no_memory(struct txn_call *call);
// Ends it with its response once what is known of the id is committed; `txn` may be NULL.
void txn_reply(struct txn_call *call, const struct txn *txn);
bool txn_call_copy(struct txn_call *call, struct str text, struct str *out);

// A fresh producer id: true. Otherwise the call waits for one, and again() is called then.
bool txn_call_take_producer_id(struct txn_call *call, void (*again)(struct txn_call *call),
                               int64_t *producer_id);
// The same where there is no call: false, and one was asked for.
bool txns_take_producer_id(struct txns *t, int64_t *producer_id);

// ---- Records (record.c) ----

// The record that would say what is known now, with memory from t->arena, to be changed: what changes by
// itself (the id before, the time) is set. False: no memory.
bool txn_record(struct txn *txn, enum txn_state state, struct transaction_log_value *out);

// Writes it, in the version that transaction.version says and a command of its own. ERR_* of
// coordinator_end(): nothing has changed.
int txn_write(struct txns *t, struct str id, struct transaction_log_value *value, struct txn **out);

// Writes the tombstone; the id is gone afterwards.
int txn_write_removal(struct txns *t, const struct txn *txn);

int txns_replay(struct txns *t, const struct coordinator_record_type *type, struct bytes key,
                struct bytes value, struct diag *diag);

// ---- Ending (end.c, marking.c, timeout.c) ----

// Ends an ongoing transaction and fences its producer: the epoch it has is not good any more. When epochs
// are used up, transactions of version 2 need `next_producer_id`. ERR_* of coordinator_end().
int txn_fence(struct txn *txn, int64_t next_producer_id);
bool txn_fence_needs_producer_id(const struct txn *txn);

// A prepared transaction is to be ended in its partitions, once its newest record is committed.
void txn_begin_marking(struct txn *txn);
void txn_ending_free(struct txn *txn);

// Sets or cancels the timeout, by its state.
void txn_arm_timeout(struct txn *txn);
void txns_arm_expiry(struct txns *t);

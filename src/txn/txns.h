// SPDX-License-Identifier: Apache-2.0
//
// The transactions of one partition of __transaction_state: which producer holds each transactional id,
// and how far its transaction is, as the transaction coordinator of Kafka 4.4 keeps them (KIP-98, KIP-360,
// KIP-447, KIP-890).
//
//   Empty --> Ongoing --> PrepareCommit --> CompleteCommit --> Ongoing ...
//                     \-> PrepareAbort  --> CompleteAbort  --> Ongoing ...
//
// The decision is the record of PrepareCommit or PrepareAbort: once it is committed the transaction ends
// so in each of its partitions, whatever happens, and the client is answered. Then markers go to the
// partitions, and when all are there the record of CompleteX closes it.
//
// A state machine on coordinator/coordinator.h: what is durable changes by replaying records alone. Pure;
// belongs to the thread that has the partition. How a driver uses it:
//
//   t = txns_new(options); c = coordinator_new(.machine = &txns_machine, .state = t)
//   txns_attach(t, c); coordinator_load() ...; coordinator_activate(); txns_loaded(t, &now)
//   for a request: one of the functions below; call->done() is called once, now or later
//   for an order of a marker that ended: txns_marked(); for a producer id that was wanted:
//   txns_producer_id(); for new metadata: txns_set_image()
//   at the end: txns_end_all(t, error) answers what is parked; coordinator_fail(); both are freed
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/list.h"
#include "coordinator/coordinator.h"
#include "wire/errors.h"

struct config;
struct metadata_image;
struct trace;
struct txn;
struct txns;

extern const struct coordinator_machine txns_machine;

// Of one transaction into one of its partitions. Made by the machine, and lent to the driver from
// write_marker() to txns_marked(), or until the machine is freed.
struct txn_order {
    struct str topic;
    int32_t partition;
    int64_t producer_id;
    int16_t producer_epoch;
    int8_t transaction_version; // 2: the epoch is above that of every batch (KIP-890)
    bool is_commit;

    // Inner matters:
    struct txns *txns;
    struct txn *txn;
    struct coordinator_timer retry;
    int32_t attempts;
};

struct txns_options {
    const struct config *config;        // of the broker; borrowed, follows its dynamic changes
    const struct metadata_image *image; // as for txns_set_image()
    struct trace *trace;                // may be NULL
    struct hash_seed hash_seed;
    const char *name;                   // of the partition, for messages; borrowed

    // What it wants done. Each is answered by the function that is named, at once or later.
    // A marker is to be written into a partition: txns_marked().
    void (*write_marker)(void *context, struct txn_order *order);
    // A producer id that nobody ever had: txns_producer_id(), once for each time.
    void (*want_producer_id)(void *context);
    void *context;
};

struct txns *txns_new(const struct txns_options *options);
void txns_attach(struct txns *t, struct coordinator *c);
void *txns_context(const struct txns *t); // of the options
void txns_free(struct txns *t); // after txns_end_all() and coordinator_fail()

// After coordinator_activate(): transactions that were prepared have their markers written again, those
// that go on have their timeouts.
void txns_loaded(struct txns *t, const struct coordinator_time *now);

// The coordinator goes: parked calls are answered with `error`.
void txns_end_all(struct txns *t, enum kafka_error error);

// The newest metadata; borrowed until the next call of this function. It says transaction.version.
void txns_set_image(struct txns *t, const struct metadata_image *image);

// What came of an order:
//   NONE, UNKNOWN_TOPIC_OR_PARTITION   done: it is committed there, or there is no such partition any more
//   INVALID_PRODUCER_EPOCH             done, with a warning: the partition has seen a newer epoch, so
//                                      nothing of this transaction is open there
//   anything else                      is tried again after a while, for ever
void txns_marked(struct txns *t, struct txn_order *order, enum kafka_error error,
                 const struct coordinator_time *now);

// The answer to want_producer_id(); with an error there is none.
void txns_producer_id(struct txns *t, enum kafka_error error, int64_t producer_id,
                      const struct coordinator_time *now);

// ---- Calls ----

// One request, or its part about one transactional id. Lives until done().
struct txn_call {
    // The caller's:
    struct arena *arena; // for the answer
    int16_t version;     // of the request
    void *response;      // the struct that the function names, initialised with its defaults
    void (*done)(struct txn_call *call); // the response is complete and may be sent
    bool no_memory; // set before done(): the response does not fit into the arena; end the request

    // Inner matters:
    struct list_node node; // while it waits for a producer id
    struct coordinator_waiter waiter;
    struct txns *txns;
    const void *request;
    void (*set_error)(struct txn_call *call, enum kafka_error error);
    void (*again)(struct txn_call *call); // once there is a producer id
};

struct end_txn_request;
struct init_producer_id_request;
struct list_transactions_request;

// What a request points to must live until done(). Errors are those of the newest version of each
// request: PRODUCER_FENCED, where older ones know INVALID_PRODUCER_EPOCH, is the caller's to translate.

// What can be said of a request without the state of its id, with or without a transactional id: KAFKA_NONE
// or the error. Kafka says it even where the id's coordinator is not.
enum kafka_error txns_check_init_producer_id(const struct config *config,
                                             const struct init_producer_id_request *request);

// With a transactional id, checked as above. Fills an init_producer_id_response.
void txns_init_producer_id(struct txns *t, struct txn_call *call, const struct coordinator_time *now,
                           const struct init_producer_id_request *request);

// From version 5 on it ends as transactions of version 2 do. Fills an end_txn_response.
void txns_end(struct txns *t, struct txn_call *call, const struct coordinator_time *now,
              const struct end_txn_request *request);

struct transaction_partition {
    struct str topic;
    int32_t partition;
    enum kafka_error error; // the answer
};

// Partitions that are to be in a transaction (AddPartitionsToTxn, AddOffsetsToTxn).
struct txn_addition {
    struct str transactional_id;
    int64_t producer_id;
    int16_t producer_epoch;
    bool verify_only;        // are they in the one that goes on? Otherwise: add them, maybe beginning one
    int8_t client_version;   // 2: it is one of version 2; 0
    struct transaction_partition *partitions; // each is answered; there is no response struct
    int32_t partition_count;
};

void txns_add(struct txns *t, struct txn_call *call, const struct coordinator_time *now,
              const struct txn_addition *addition);

// Fills a describe_transactions_response_transaction_state, whose transactional id is set.
void txns_describe(struct txns *t, struct txn_call *call, const struct coordinator_time *now,
                   struct str transactional_id);

// Which ids to list; NULL: all.
typedef bool (*txn_filter)(void *context, struct str transactional_id);

// Fills a list_transactions_response with the transactions of this partition, by the filters of the
// request but the pattern, for which `filter` stands.
void txns_list(struct txns *t, struct txn_call *call, const struct coordinator_time *now,
               const struct list_transactions_request *request, txn_filter filter, void *context);

// Whether ListTransactions knows a state of this name.
bool txns_is_state_name(struct str name);

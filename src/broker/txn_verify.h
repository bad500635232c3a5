// SPDX-License-Identifier: Apache-2.0
//
// Before a transaction begins in a partition its coordinator is asked (KIP-890): whether the partition is
// in it, or to add the partition, as clients from Produce 12 and TxnOffsetCommit 5 on leave to us. Nothing
// that comes late, after the transaction was ended, may begin another that nobody would end.
//
// How it goes, on the partition's shard: log_begin_verification() gives a guard, or says that there is
// nothing to verify; the coordinator is asked; the append presents the guard, which a marker that was
// written meanwhile has made void (log/log.h).
//
// Batches of one producer must not overtake each other on this way, and must not hold up those of others:
// they form a line in the partition, of which the first is verified and then takes its turn to append.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "broker/transactions.h"
#include "env/timer.h"

struct partition;
struct shard;

// ---- Asking ----

// Embedded in whoever asks; all that it points to must live until done().
struct txn_verify {
    // The caller's:
    struct str transactional_id;
    int64_t producer_id;
    int16_t producer_epoch;
    bool adds;            // add the partitions, rather than look for them
    bool knows_abortable; // the client knows TRANSACTION_ABORTABLE; otherwise it gets INVALID_TXN_STATE
    struct transaction_partition *partitions;
    int32_t partition_count;
    // Each partition has its error: those of transactions_ask() but PRODUCER_FENCED, which is
    // INVALID_PRODUCER_EPOCH on the way of records. Maybe before txn_verify_start() returns.
    void (*done)(struct txn_verify *v);

    // Inner matters:
    struct shard *shard;
    struct transaction_ask ask;
    struct env_timer timer;
    int64_t give_up_ns;
    int64_t pause_ns;
};

// While the transaction before is being ended, which takes no longer than writing its markers, adding is
// tried again for add.partitions.to.txn.retry.backoff.max.ms: soon at first, then every
// add.partitions.to.txn.retry.backoff.ms.
void txn_verify_start(struct shard *s, struct txn_verify *v);

// Whether clients that name their partitions are held to them (transaction.partition.verification.enable).
bool txn_verify_is_enabled(const struct shard *s);

// ---- The line ----

// One batch in the line of its producer.
struct txn_wait {
    struct list_node node; // linked in the partition from txn_wait_enter() until txn_wait_leave()
    struct partition *partition;
    int64_t producer_id;
    bool is_first;
    int kafka_error; // why the partition has gone away: it is not linked any more
    // It is the first of its line; or, with an error, the partition goes away before: it is not linked
    // then.
    void (*come)(struct txn_wait *wait, int kafka_error);
};

// Calls wait->come, at once if there is nobody in the line.
void txn_wait_enter(struct partition *p, struct txn_wait *wait);

// For one that has come and is still linked.
void txn_wait_leave(struct txn_wait *wait);

// After that, when it has taken its turn to append, or given up: whoever is behind it comes.
void txn_line_move(struct partition *p, int64_t producer_id);

// The partition goes away.
void txn_waits_end(struct partition *p, int kafka_error);

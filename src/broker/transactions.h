// SPDX-License-Identifier: Apache-2.0
//
// Asking the coordinator of a transactional id about the partitions of its transaction: whether they are
// in it, or to add them (what AddPartitionsToTxn says between brokers, KIP-890). The coordinator is on
// the shard of this broker that has the id's partition of __transaction_state; whoever asks may be on
// any, and is answered there.
//
// The coordinator on another broker cannot be asked yet: NOT_COORDINATOR.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "env/mailbox.h"
#include "txn/txns.h"
#include "wire/errors.h"

struct shard;

#define TRANSACTION_TOPIC "__transaction_state"

// A question. Embedded in whoever asks; all that it points to must live until done().
struct transaction_ask {
    // The caller's:
    struct str transactional_id;
    int64_t producer_id;
    int16_t producer_epoch;
    // True: are they in the transaction that goes on? False: add them, beginning one if none goes on.
    bool verify_only;
    // The client adds partitions by itself, as before transactions of version 2.
    bool is_version_1;
    struct transaction_partition *partitions; // each is answered; one at least
    int32_t partition_count;
    // Called once on the shard that asked, at once or later; also when the broker stops. When the
    // coordinator added partitions, that is committed.
    void (*done)(struct transaction_ask *ask);

    // Inner matters:
    struct shard *home;
    struct shard *there;
    int32_t state_partition;
    struct txn_addition addition;
    struct txn_call call;
    struct env_message message;
};

// Errors of a partition, the same for all unless said otherwise:
//   NONE                           it is in the transaction (verify), or was added
//   TRANSACTION_ABORTABLE          verify: this one is not in the transaction, or none goes on
//   CONCURRENT_TRANSACTIONS        the transaction before is being ended: ask again soon
//   INVALID_PRODUCER_ID_MAPPING    the coordinator does not know the id, or under another producer id
//   PRODUCER_FENCED                it knows another epoch
//   COORDINATOR_LOAD_IN_PROGRESS   ask again soon
//   COORDINATOR_NOT_AVAILABLE      its disk is full
//   NOT_COORDINATOR                no coordinator for this id here (any more)
//   INVALID_REQUEST                an empty transactional id
//   UNKNOWN_SERVER_ERROR           more partitions than one record of the transaction has room for
void transactions_ask(struct shard *s, struct transaction_ask *ask);

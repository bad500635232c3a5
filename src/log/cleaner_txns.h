// SPDX-License-Identifier: Apache-2.0
//
// What a walk through a log from its start on knows of transactions: which batches were aborted, and
// whether a marker still has batches of its transaction before it. (Transactions of one producer do not
// overlap, and only what lies below the last stable offset is walked, so each batch has been decided.)
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "log/index.h"
#include "wire/batch.h"

struct cleaner_txns {
    struct txn_entry *aborted; // those whose first batch was not reached yet come behind `next`
    int count;
    int capacity;
    int next;
    struct map open; // struct open_txn by producer id
};

void cleaner_txns_init(struct cleaner_txns *t);
void cleaner_txns_release(struct cleaner_txns *t);

// Tells of an aborted transaction; then, once, that all are known.
void cleaner_txns_add(struct cleaner_txns *t, const struct txn_entry *entry);
void cleaner_txns_begin(struct cleaner_txns *t);

// Walks on over a batch with data: true if it belongs to an aborted transaction.
bool cleaner_txns_batch(struct cleaner_txns *t, const struct batch_header *h);

// Walks on over a marker: true if batches of its transaction were there. *aborted is filled, and has
// version 0, where it ended an aborted transaction that the index knows; else its version is -1.
bool cleaner_txns_marker(struct cleaner_txns *t, const struct batch_header *h,
                         struct txn_entry *aborted);

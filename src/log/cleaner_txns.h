// SPDX-License-Identifier: Apache-2.0
//
// What a walk through a log from its start on knows of transactions: what became of that of a batch
// (txn_scout.h), and whether a marker still has batches of its transaction before it. (Transactions of one
// producer do not overlap.)
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "log/index.h"
#include "log/txn_scout.h"
#include "wire/batch.h"

struct cleaner_txns {
    struct txn_scout scout;
    struct map open;     // struct open_txn by producer id: those that the walk is inside of,
    struct list in_order; // and by their first batch
};

// As txn_scout_init().
void cleaner_txns_init(struct cleaner_txns *t, struct env_fs *fs, const char *dir,
                       const struct segment_span *spans, int span_count);
void cleaner_txns_release(struct cleaner_txns *t);

// Walks on over a batch with data: its enum txn_fate, TXN_COMMITTED where it is in no transaction, or an
// error, as txn_scout_ask(). After TXN_UNKNOWN the walk has not moved.
int cleaner_txns_batch(struct cleaner_txns *t, const struct batch_header *h, int span, int64_t position,
                       int64_t bytes_max);

// Walks on over a marker: true if batches of its transaction were there. Then *entry is what a transaction
// index says of it, if it was aborted.
bool cleaner_txns_marker(struct cleaner_txns *t, const struct batch_header *h, struct txn_entry *entry);

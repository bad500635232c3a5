// SPDX-License-Identifier: Apache-2.0
//
// Whether transaction indexes tell all of a range of a log. That an index has lost an entry, or is gone,
// nothing in it shows; but the log has the markers, so each transactional batch of the range is held
// against the marker that ends its transaction (txn_scout.h). That is read from the range on, which a
// reader comes to next anyway: TXN_RANGE_BYTES at once, and at most TXN_AHEAD_BYTES behind for markers. A
// transaction that goes on for longer is left to the scrubber.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct log;
struct txn_range;

enum { TXN_RANGE_BYTES = 8 << 20, TXN_AHEAD_BYTES = 64 << 20 };

// True if nobody has to look at [offset, end_offset) any more: this process has, or it wrote that. The log
// is loaded.
bool txn_range_is_known(const struct log *log, int64_t offset, int64_t end_offset);

// What is not known of that, or a first part of it; NULL: there is none. Begun and ended on the shard, run
// by any thread, which blocks. Where an index that it needs is unchecked, that segment's number is in
// *unchecked instead; else -1.
struct txn_range *txn_range_begin(struct log *log, int64_t offset, int64_t end_offset, int *unchecked);
void txn_range_run(struct txn_range *r);

// Frees it; log NULL: that went meanwhile. Where indexes do not tell what they should, their segments'
// txn_problem says so from now on. An error of I/O.
int txn_range_end(struct log *log, struct txn_range *r);

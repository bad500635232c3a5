// SPDX-License-Identifier: Apache-2.0
//
// What the transaction index of a segment may say, where compaction takes batches: an entry may name a
// first batch that is gone, or a transaction of which nothing is left but its marker. So it cannot be told
// byte by byte; but each entry has its marker in the segment, none reaches back over another marker of its
// producer, and none is missing of which a batch is here.
//
// Told of a segment's batches in their order. Belongs to its caller.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/map.h"
#include "wire/batch.h"

struct txn_audit {
    int64_t base_offset;
    struct map producers;         // struct audited by producer id
    struct abort_marker *markers; // in their order
    int count;
    int capacity;
};

void txn_audit_init(struct txn_audit *a, int64_t base_offset);
void txn_audit_release(struct txn_audit *a);

// A batch of a producer. `open_offset` is where the transaction began that it is inside of before this
// batch; -1: none.
void txn_audit_data(struct txn_audit *a, const struct batch_header *h, int64_t open_offset);

// A marker. `stable_offset` is what no entry's last stable offset may pass.
void txn_audit_marker(struct txn_audit *a, const struct batch_header *h, enum control_type type,
                      int64_t open_offset, int64_t stable_offset);

// What is wrong with an index of whole entries, and at which byte; or NULL.
const char *txn_audit_judge(const struct txn_audit *a, struct bytes index, size_t *position);

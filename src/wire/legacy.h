// SPDX-License-Identifier: Apache-2.0
//
// Messages of magic 0 and 1 (before Kafka 0.11): offset 8, size 4, CRC 4, magic 1, attributes 1,
// in magic 1 a timestamp 8, then key and value, each with a 4-byte length, -1 for null. A compressed
// message holds a set of messages as its value. FROZEN; private to src/wire.
#pragma once

#include "wire/batch.h"

enum {
    LEGACY_CRC_AT = 12, // of everything from the magic on
    LEGACY_ATTRIBUTES_AT = 17,
    LEGACY_TIMESTAMP_AT = 18,
    LEGACY_V0_SIZE_MIN = 26,
    LEGACY_V1_SIZE_MIN = 34,
};

// Prepares the walk over the message (or the messages inside it); part of batch_iter_init.
int legacy_iter_init(struct batch_iter *it, struct bytes batch, struct buf *scratch);

// The next message; part of batch_iter_next.
int legacy_iter_next(struct batch_iter *it, struct record *out);

// SPDX-License-Identifier: Apache-2.0
//
// Which partition a record goes to: by murmur2 of its key as Java's producer does (so that all
// clients agree on where a key lives), or sticky without a key: one partition until a batch is full,
// then another (KIP-480).
#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "base/prng.h"

// Java's murmur2 (seed 0x9747b28c). FROZEN: keys would move otherwise.
uint32_t murmur2(struct bytes data);

// The partition of a key; partition_count > 0.
int32_t partition_for_key(struct bytes key, int32_t partition_count);

// Of records without a key, one per topic.
struct sticky_partition {
    struct prng prng;
    int32_t partition; // -1 before the first
};

void sticky_partition_init(struct sticky_partition *s, uint64_t seed);
int32_t sticky_partition_get(struct sticky_partition *s, int32_t partition_count);

// A batch was closed: the next record goes elsewhere.
void sticky_partition_advance(struct sticky_partition *s, int32_t partition_count);

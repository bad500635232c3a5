// SPDX-License-Identifier: Apache-2.0
//
// One block of snappy: the size of what it unpacks to as a varint, then literals and copies. FROZEN.
// Our own, since it is small and the library would bring all of C++ into every broker. The unit test
// holds it to the library, both ways. Private to src/codec.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    SNAPPY_BLOCK_MAX = 32 << 10, // of what is compressed at a time
    SNAPPY_RATIO_MAX = 22,       // at most: the copy element that makes 64 bytes of 3
};

// At least what a block of `size` bytes may take: 61 literal bytes and a copy of four are 66.
#define SNAPPY_BLOCK_BOUND(size) ((size) + (size) / 6 + 32)

// Compresses at most SNAPPY_BLOCK_MAX bytes to `out`, which has SNAPPY_BLOCK_BOUND() of them. Returns
// the size.
size_t snappy_block_compress(struct bytes in, uint8_t *out);

// The size that the block says it unpacks to, and where its elements are; false if there is none.
bool snappy_block_size(struct bytes in, size_t *size, struct bytes *elements);

// Unpacks the elements to exactly `size` bytes; false if they are not that, or damaged.
bool snappy_block_decompress(struct bytes elements, uint8_t *out, size_t size);

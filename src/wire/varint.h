// SPDX-License-Identifier: Apache-2.0
//
// Variable-length integers: seven bits per byte, low bits first. The unsigned form counts and
// measures in flexible messages (KIP-482), the zigzag forms in records. As in Kafka a reader takes
// at most 5 bytes for 32 bits and 10 for 64, accepts longer forms than needed within that, and drops
// bits that do not fit. FROZEN.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

enum { UVARINT_SIZE_MAX = 5, VARINT_SIZE_MAX = 5, VARLONG_SIZE_MAX = 10 };

// Each reader looks at in.data[*position], moves *position past the number and returns 0, or
// returns ERR_TRUNCATED or ERR_CORRUPT (too long) and leaves *position and *out untouched.
// Requires *position <= in.size.
// Most are one byte, and that case is inline; the rest is in these two.
int uvarint_read_long(struct bytes in, size_t *position, uint32_t *out);
int varlong_read_long(struct bytes in, size_t *position, int64_t *out);

static inline int uvarint_read(struct bytes in, size_t *position, uint32_t *out)
{
    if (*position < in.size && in.data[*position] < 0x80) {
        *out = in.data[(*position)++];
        return 0;
    }
    return uvarint_read_long(in, position, out);
}

static inline int varint_read(struct bytes in, size_t *position, int32_t *out)
{
    uint32_t v;
    int err = uvarint_read(in, position, &v);
    if (err == 0)
        *out = (int32_t)(v >> 1 ^ -(v & 1));
    return err;
}

static inline int varlong_read(struct bytes in, size_t *position, int64_t *out)
{
    if (*position < in.size && in.data[*position] < 0x80) {
        uint8_t v = in.data[(*position)++];
        *out = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
        return 0;
    }
    return varlong_read_long(in, position, out);
}

// Bytes the shortest form takes.
size_t uvarint_size(uint32_t v);
size_t varint_size(int32_t v);
size_t varlong_size(int64_t v);

// Writes the shortest form to `out`, which has room for the maximum; returns its size.
size_t uvarint_store(uint8_t *out, uint32_t v);
size_t varint_store(uint8_t *out, int32_t v);
size_t varlong_store(uint8_t *out, int64_t v);

// Appends the shortest form.
void buf_append_uvarint(struct buf *b, uint32_t v);
void buf_append_varint(struct buf *b, int32_t v);
void buf_append_varlong(struct buf *b, int64_t v);

// SPDX-License-Identifier: Apache-2.0
#include "wire/varint.h"

#include "base/err.h"

int uvarint_read_long(struct bytes in, size_t *position, uint32_t *out)
{
    uint32_t v = 0;
    size_t p = *position;
    for (unsigned shift = 0; shift <= 28; shift += 7) {
        if (p == in.size)
            return ERR_TRUNCATED;
        uint8_t byte = in.data[p++];
        v |= (uint32_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *position = p;
            *out = v;
            return 0;
        }
    }
    return ERR_CORRUPT;
}

int varlong_read_long(struct bytes in, size_t *position, int64_t *out)
{
    uint64_t v = 0;
    size_t p = *position;
    for (unsigned shift = 0; shift <= 63; shift += 7) {
        if (p == in.size)
            return ERR_TRUNCATED;
        uint8_t byte = in.data[p++];
        v |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *position = p;
            *out = (int64_t)(v >> 1 ^ -(v & 1));
            return 0;
        }
    }
    return ERR_CORRUPT;
}

static size_t uvarlong_store(uint8_t *out, uint64_t v)
{
    size_t n = 0;
    while (v >= 0x80) {
        out[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    out[n++] = (uint8_t)v;
    return n;
}

static uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static size_t uvarlong_size(uint64_t v)
{
    return ((size_t)(63 - __builtin_clzll(v | 1)) + 7) / 7;
}

size_t uvarint_size(uint32_t v)
{
    return uvarlong_size(v);
}

size_t varint_size(int32_t v)
{
    return uvarlong_size(zigzag(v));
}

size_t varlong_size(int64_t v)
{
    return uvarlong_size(zigzag(v));
}

size_t uvarint_store(uint8_t *out, uint32_t v)
{
    return uvarlong_store(out, v);
}

size_t varint_store(uint8_t *out, int32_t v)
{
    return uvarlong_store(out, zigzag(v));
}

size_t varlong_store(uint8_t *out, int64_t v)
{
    return uvarlong_store(out, zigzag(v));
}

void buf_append_uvarint(struct buf *b, uint32_t v)
{
    uint8_t bytes[UVARINT_SIZE_MAX];
    buf_append(b, bytes, uvarint_store(bytes, v));
}

void buf_append_varint(struct buf *b, int32_t v)
{
    uint8_t bytes[VARINT_SIZE_MAX];
    buf_append(b, bytes, varint_store(bytes, v));
}

void buf_append_varlong(struct buf *b, int64_t v)
{
    uint8_t bytes[VARLONG_SIZE_MAX];
    buf_append(b, bytes, varlong_store(bytes, v));
}

// SPDX-License-Identifier: Apache-2.0
#include "codec/snappy_block.h"

#include <string.h>

#include "base/check.h"

// The two low bits of an element's first byte.
enum element {
    LITERAL = 0,     // upper six: size - 1, or 59 + the number of bytes that say it
    COPY_1_BYTE = 1, // size 4 to 11, distance of 11 bits, three of them up here
    COPY_2_BYTES = 2,
    COPY_4_BYTES = 3,
};

enum {
    LITERAL_SHORT_MAX = 60, // bytes whose number fits in the first byte
    STRIDE = 16,            // copied at once where there is room behind
    MATCH_MIN = 4,
    COPY_MAX = 64,          // bytes that one element copies
    HASH_BITS = 13,
};

static uint32_t le32_load(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t le16_load(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

// ---- Decompressing ----

bool snappy_block_size(struct bytes in, size_t *size, struct bytes *elements)
{
    uint64_t value = 0;
    for (size_t i = 0; i < in.size && i < 5; i++) {
        value |= (uint64_t)(in.data[i] & 0x7f) << (7 * i);
        if ((in.data[i] & 0x80) != 0)
            continue;
        *size = (size_t)value;
        *elements = bytes_of(in.data + i + 1, in.size - i - 1);
        return value <= UINT32_MAX;
    }
    return false;
}

struct unpacking {
    const uint8_t *in;
    const uint8_t *in_end;
    uint8_t *begin; // of the output
    uint8_t *out;
    uint8_t *out_end;
};

// The size of a literal whose first byte is `tag`, the bytes that say it taken; 0: they are missing.
static size_t take_literal_size(struct unpacking *u, uint8_t tag)
{
    size_t size = tag >> 2;
    if (size < LITERAL_SHORT_MAX)
        return size + 1;
    size_t count = size - (LITERAL_SHORT_MAX - 1);
    if ((size_t)(u->in_end - u->in) < count)
        return 0;
    size = 0;
    for (size_t i = 0; i < count; i++)
        size |= (size_t)u->in[i] << (8 * i);
    u->in += count;
    return size + 1;
}

static bool unpack_literal(struct unpacking *u, uint8_t tag)
{
    size_t size = take_literal_size(u, tag);
    size_t in_left = (size_t)(u->in_end - u->in), out_left = (size_t)(u->out_end - u->out);
    if (size == 0 || size > in_left || size > out_left)
        return false;
    if (size <= STRIDE && in_left >= STRIDE && out_left >= STRIDE)
        memcpy(u->out, u->in, STRIDE); // what is too much is overwritten
    else
        memcpy(u->out, u->in, size);
    u->in += size;
    u->out += size;
    return true;
}

// A distance below the size repeats what is just being written.
static bool unpack_copy(struct unpacking *u, size_t distance, size_t size)
{
    size_t out_left = (size_t)(u->out_end - u->out);
    if (distance == 0 || distance > (size_t)(u->out - u->begin) || size > out_left)
        return false;
    const uint8_t *from = u->out - distance;
    if (distance >= STRIDE && out_left >= COPY_MAX)
        for (size_t i = 0; i < size; i += STRIDE)
            memcpy(u->out + i, from + i, STRIDE);
    else if (distance >= size)
        memcpy(u->out, from, size);
    else
        for (size_t i = 0; i < size; i++)
            u->out[i] = from[i];
    u->out += size;
    return true;
}

static bool unpack_element(struct unpacking *u)
{
    uint8_t tag = *u->in++;
    size_t distance_size = tag & 3;
    if (distance_size == LITERAL)
        return unpack_literal(u, tag);
    if (distance_size == COPY_4_BYTES)
        distance_size = 4;
    if ((size_t)(u->in_end - u->in) < distance_size)
        return false;
    const uint8_t *p = u->in;
    u->in += distance_size;
    if (distance_size == 1)
        return unpack_copy(u, (size_t)(tag >> 5) << 8 | p[0], ((tag >> 2) & 7) + MATCH_MIN);
    return unpack_copy(u, distance_size == 2 ? le16_load(p) : le32_load(p), (size_t)(tag >> 2) + 1);
}

bool snappy_block_decompress(struct bytes elements, uint8_t *out, size_t size)
{
    struct unpacking u = {
        .in = elements.data,
        .in_end = elements.data + elements.size,
        .begin = out,
        .out = out,
        .out_end = out + size,
    };
    while (u.in < u.in_end)
        if (!unpack_element(&u))
            return false;
    return u.out == u.out_end;
}

// ---- Compressing ----

static uint8_t *put_literal(uint8_t *out, const uint8_t *from, size_t size)
{
    if (size == 0)
        return out;
    if (size <= LITERAL_SHORT_MAX) {
        *out++ = (uint8_t)((size - 1) << 2);
    } else if (size <= 256) {
        *out++ = LITERAL_SHORT_MAX << 2;
        *out++ = (uint8_t)(size - 1);
    } else {
        *out++ = (LITERAL_SHORT_MAX + 1) << 2; // two bytes say it: a block has no more
        *out++ = (uint8_t)(size - 1);
        *out++ = (uint8_t)((size - 1) >> 8);
    }
    memcpy(out, from, size);
    return out + size;
}

static uint8_t *put_copy(uint8_t *out, size_t distance, size_t size)
{
    // What is left for the last one is never too short to be a copy of one byte.
    while (size > 0) {
        size_t part = size <= COPY_MAX ? size : size < COPY_MAX + MATCH_MIN ? COPY_MAX - MATCH_MIN
                                                                            : COPY_MAX;
        if (part >= MATCH_MIN && part < 12 && distance < 2048) {
            *out++ = (uint8_t)((distance >> 8) << 5 | (part - MATCH_MIN) << 2 | COPY_1_BYTE);
            *out++ = (uint8_t)distance;
        } else {
            *out++ = (uint8_t)((part - 1) << 2 | COPY_2_BYTES);
            *out++ = (uint8_t)distance;
            *out++ = (uint8_t)(distance >> 8);
        }
        size -= part;
    }
    return out;
}

static uint32_t hash_of(uint32_t four_bytes)
{
    return (four_bytes * 0x1e35a7bdU) >> (32 - HASH_BITS);
}

static size_t match_size(const uint8_t *a, const uint8_t *b, const uint8_t *b_end)
{
    size_t size = MATCH_MIN;
    while (b + size < b_end && a[size] == b[size])
        size++;
    return size;
}

size_t snappy_block_compress(struct bytes in, uint8_t *out)
{
    uint16_t last[1 << HASH_BITS] = {0}; // where bytes of this hash were seen
    const uint8_t *begin = in.data, *end = in.data + in.size;
    uint8_t *at = out;
    check(in.size <= SNAPPY_BLOCK_MAX);
    for (size_t value = in.size; at == out || value > 0; value >>= 7)
        *at++ = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    const uint8_t *literal = begin, *p = begin;
    size_t misses = 32; // the more of them in a row, the fewer places are looked at
    while (in.size >= MATCH_MIN && p <= end - MATCH_MIN) {
        uint32_t now = le32_load(p);
        uint16_t *slot = &last[hash_of(now)];
        const uint8_t *candidate = begin + *slot;
        *slot = (uint16_t)(p - begin);
        if (candidate >= p || le32_load(candidate) != now) {
            p += misses++ / 32;
            continue;
        }
        size_t size = match_size(candidate, p, end);
        at = put_literal(at, literal, (size_t)(p - literal));
        at = put_copy(at, (size_t)(p - candidate), size);
        literal = p += size;
        misses = 32;
        if (p <= end - MATCH_MIN)
            last[hash_of(le32_load(p - 1))] = (uint16_t)(p - 1 - begin);
    }
    at = put_literal(at, literal, (size_t)(end - literal));
    return (size_t)(at - out);
}

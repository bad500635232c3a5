// SPDX-License-Identifier: Apache-2.0
#include "base/uuid.h"

#include "base/be.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct uuid uuid_from_halves(uint64_t high, uint64_t low)
{
    struct uuid id;
    be64_store(id.bytes, high);
    be64_store(id.bytes + 8, low);
    return id;
}

bool uuid_is_reserved(struct uuid a)
{
    return be64_load(a.bytes) == 0 && be64_load(a.bytes + 8) < 100;
}

struct uuid uuid_from_random(const uint8_t random[UUID_SIZE])
{
    struct uuid id;
    memcpy(id.bytes, random, UUID_SIZE);
    id.bytes[6] = (uint8_t)(0x40 | (id.bytes[6] & 0x0f));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
    // '-' is the digit 62: the six highest bits of the first byte.
    if (id.bytes[0] >> 2 == 62)
        id.bytes[0] = (uint8_t)(id.bytes[0] & 0x7f);
    return id;
}

struct uuid_text uuid_format(struct uuid a)
{
    struct uuid_text out = {{0}};
    uint32_t bits = 0;
    int bit_count = 0;
    int at = 0;
    for (int i = 0; i < UUID_SIZE; i++) {
        bits = bits << 8 | a.bytes[i];
        for (bit_count += 8; bit_count >= 6; bit_count -= 6)
            out.text[at++] = alphabet[bits >> (bit_count - 6) & 63];
    }
    out.text[at] = alphabet[bits << (6 - bit_count) & 63];
    return out;
}

bool uuid_parse(struct str s, struct uuid *out)
{
    if (s.size == UUID_TEXT_SIZE + 2 && str_ends_with(s, "=="))
        s.size -= 2;
    if (s.size != UUID_TEXT_SIZE)
        return false;
    struct uuid id;
    uint32_t bits = 0;
    int bit_count = 0;
    int at = 0;
    for (size_t i = 0; i < s.size; i++) {
        const char *digit = s.data[i] != '\0' ? strchr(alphabet, s.data[i]) : NULL;
        if (digit == NULL)
            return false;
        bits = bits << 6 | (uint32_t)(digit - alphabet);
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            id.bytes[at++] = (uint8_t)(bits >> bit_count);
        }
    }
    *out = id;
    return true;
}

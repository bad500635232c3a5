// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t v, int bits)
{
    return v << bits | v >> (64 - bits);
}

static void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

uint64_t hash_bytes(struct hash_seed seed, struct bytes data)
{
    struct sip s = {
        .v0 = seed.k0 ^ UINT64_C(0x736f6d6570736575),
        .v1 = seed.k1 ^ UINT64_C(0x646f72616e646f6d),
        .v2 = seed.k0 ^ UINT64_C(0x6c7967656e657261),
        .v3 = seed.k1 ^ UINT64_C(0x7465646279746573),
    };
    size_t at = 0;
    uint64_t word;
    for (; data.size - at >= sizeof word; at += sizeof word) {
        memcpy(&word, data.data + at, sizeof word);
        sip_word(&s, word);
    }
    word = (uint64_t)data.size << 56;
    for (size_t i = 0; at + i < data.size; i++)
        word |= (uint64_t)data.data[at + i] << (8 * i);
    sip_word(&s, word);
    s.v2 ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

// SPDX-License-Identifier: Apache-2.0
//
// Hashing of keys that strangers choose: SipHash-1-3 (Aumasson and Bernstein), so that nobody who
// does not know the seed can make keys collide.
#pragma once

#include <stdint.h>

#include "base/bytes.h"

struct hash_seed {
    uint64_t k0;
    uint64_t k1;
};

uint64_t hash_bytes(struct hash_seed seed, struct bytes data);

static inline uint64_t hash_str(struct hash_seed seed, struct str s)
{
    return hash_bytes(seed, str_bytes(s));
}

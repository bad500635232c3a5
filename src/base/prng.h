// SPDX-License-Identifier: Apache-2.0
//
// A small seeded generator (SplitMix64, Steele, Lea and Flood) for simulation, tests, jitter and
// placement. Never for secrets and ids: those come from env_random().
#pragma once

#include <stdint.h>

struct prng {
    uint64_t state;
};

static inline void prng_init(struct prng *p, uint64_t seed)
{
    p->state = seed;
}

static inline uint64_t prng_next(struct prng *p)
{
    uint64_t z = p->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

// Uniform in [0, bound); bound > 0.
static inline uint64_t prng_below(struct prng *p, uint64_t bound)
{
    // The bias of the modulus is below 2^-32 for the bounds used here.
    return prng_next(p) % bound;
}

// True `numerator` times in `denominator`.
static inline int prng_chance(struct prng *p, uint64_t numerator, uint64_t denominator)
{
    return prng_below(p, denominator) < numerator;
}

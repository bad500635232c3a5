// SPDX-License-Identifier: Apache-2.0
//
// Randomness for ids, nonces and hash seeds: the kernel's in a server, the seed's in a simulation.
#pragma once

#include <stddef.h>

#include "base/uuid.h"

struct env_random {
    void (*fill)(struct env_random *random, void *out, size_t size);
};

static inline void env_random_fill(struct env_random *random, void *out, size_t size)
{
    random->fill(random, out, size);
}

// A fresh id that is not reserved.
static inline struct uuid env_random_uuid(struct env_random *random)
{
    uint8_t bytes[UUID_SIZE];
    random->fill(random, bytes, sizeof bytes);
    return uuid_from_random(bytes);
}

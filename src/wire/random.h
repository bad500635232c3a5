// SPDX-License-Identifier: Apache-2.0
//
// Random messages for tests and the simulation: every field that the version has gets a value,
// often an extreme one; the others keep their defaults, so that a message comes back from the wire
// as it was.
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "base/prng.h"
#include "wire/wire.h"

// Fills `msg` from the generator; strings, arrays and nullable structs come from the arena.
// ERR_NOMEM when it is full.
int wire_random(const struct wire_schema *schema, int16_t version, struct prng *prng,
                struct arena *arena, void *msg);

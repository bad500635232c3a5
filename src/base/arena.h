// SPDX-License-Identifier: Apache-2.0
//
// Memory that is freed all at once: what a request decodes into, for example. Has a maximum, so a
// hostile request cannot grow it without bound. One owner, one thread. Built with
// AddressSanitizer every allocation is a malloc of its own, so that overruns are seen.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; // newest first
    size_t used;                // bytes handed out, alignment included
    size_t size_max;            // `used` never passes this
};

// An empty arena; allocates nothing yet.
void arena_init(struct arena *a, size_t size_max);

// Frees everything that was handed out; the arena may be used again.
void arena_release(struct arena *a);

// `size` bytes, cleared, aligned for any type; NULL when the maximum or the system says no.
void *arena_alloc(struct arena *a, size_t size);

// As above for count * size, overflow checked.
void *arena_alloc_array(struct arena *a, size_t count, size_t size);

// A terminated copy, or the null string when there is no room.
struct str arena_copy_str(struct arena *a, struct str s);

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_new_array(a, count, type) ((type *)arena_alloc_array((a), (count), sizeof(type)))

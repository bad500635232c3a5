// SPDX-License-Identifier: Apache-2.0
//
// Which offset each key has last: the memory of a compaction. A key is kept as a hash of 128 bits (two
// SipHash-1-3 under seeds that are drawn for each map), never with its bytes, so a slot has 24 bytes
// whatever the keys are. Two keys with one hash would cost the older one its record: with a thousand
// million keys in one map the chance is below 1 in 10^20, and nobody who does not know the seeds can
// choose such keys. (Apache Kafka relies on MD5 in the same way.)
//
// The memory is taken when the map is made and never grows. Belongs to whoever runs the compaction.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/hash.h"

enum { OFFSET_MAP_SLOT_SIZE = 24 };

struct offset_map;

// `keys_wanted` is how many different keys there may be at most: room for more is not taken, and never
// more than `bytes_max`. `load_factor` in (0, 1]: how many of the slots may be taken.
struct offset_map *offset_map_new(const struct hash_seed seeds[2], int64_t keys_wanted,
                                  int64_t bytes_max, double load_factor);
void offset_map_free(struct offset_map *m);

// Notes that the key was last seen at `offset` (>= 0). False: it is new, and the map is full.
bool offset_map_put(struct offset_map *m, struct bytes key, int64_t offset);

// The offset, or -1 for a key that is not in the map.
int64_t offset_map_get(const struct offset_map *m, struct bytes key);

int64_t offset_map_count(const struct offset_map *m);
int64_t offset_map_bytes(const struct offset_map *m);

// True when a new key would not be taken.
bool offset_map_is_full(const struct offset_map *m);

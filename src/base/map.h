// SPDX-License-Identifier: Apache-2.0
//
// An intrusive hash map: the node lives in the item, the map owns only its table. Keys that a peer
// chooses must be hashed with hash_bytes() and a random seed (hash.h). Iteration order depends on
// the hashes: where order is visible outside, sort.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_node {
    struct map_node *next;
    uint64_t hash;
};

struct map {
    struct map_node **slots;
    size_t slot_count; // a power of two, or 0
    size_t count;
    size_t empty_below; // slots before this one hold nothing
};

// True if the item of `node` has the key `key`.
typedef bool (*map_equal)(const struct map_node *node, const void *key);

void map_init(struct map *m);
void map_release(struct map *m); // frees the table; the items are the owner's business

// The node with this key, or NULL.
struct map_node *map_find(const struct map *m, uint64_t hash, map_equal equal, const void *key);

// Adds a node whose key is not in the map yet.
void map_insert(struct map *m, struct map_node *node, uint64_t hash);

// Removes a node that is in the map.
void map_remove(struct map *m, struct map_node *node);

// Walks all nodes: start with NULL, ends with NULL. The map must not change meanwhile.
struct map_node *map_next(const struct map *m, const struct map_node *node);

// Takes any one node out, or NULL when the map is empty: the way to free all items.
struct map_node *map_take_any(struct map *m);

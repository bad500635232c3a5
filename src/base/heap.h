// SPDX-License-Identifier: Apache-2.0
//
// An intrusive binary heap ordered by a 64-bit key, smallest first; timers by deadline, say.
// Equal keys come out in the order in which they were added, so that a simulation repeats exactly.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key;
    uint64_t order;  // of insertion, breaks ties
    size_t position; // index + 1; 0 when in no heap
};

struct heap {
    struct heap_node **nodes;
    size_t count;
    size_t capacity;
    uint64_t order_next;
};

void heap_init(struct heap *h);
void heap_release(struct heap *h); // the nodes are the owner's business

// Adds a node that is in no heap.
void heap_insert(struct heap *h, struct heap_node *node, int64_t key);

// Takes a node out; harmless when it is in no heap.
void heap_remove(struct heap *h, struct heap_node *node);

// The node with the smallest key, or NULL; it stays.
struct heap_node *heap_min(const struct heap *h);

static inline bool heap_contains(const struct heap_node *node)
{
    return node->position != 0;
}

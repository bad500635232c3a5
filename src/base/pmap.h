// SPDX-License-Identifier: Apache-2.0
//
// A persistent ordered map: a copy costs one reference and shares everything, a change to one copy
// is never seen through another. What a version of the metadata is made of: keeping the last
// committed state beside the newest one, or going back to it, costs nothing.
//
// An AVL tree with reference-counted nodes. A change copies the path from the root to the place of
// the change; nodes that only this copy holds are changed in place, so building a map from nothing
// costs what an ordinary tree costs. Items are reference-counted by their owner's functions. One
// thread owns a map and all its copies.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

// What the map must know about its items; constant data of whoever defines them.
struct pmap_type {
    struct bytes (*key)(const void *item); // never changes while the item is in a map
    void (*ref)(void *item);
    void (*unref)(void *item);
};

struct pmap_node;

struct pmap {
    const struct pmap_type *type;
    struct pmap_node *root;
    size_t count;
};

// An empty map; allocates nothing.
void pmap_init(struct pmap *m, const struct pmap_type *type);

// Gives back all references and leaves an empty map.
void pmap_release(struct pmap *m);

// Makes `out`, which must be empty or not initialised, another version of `m`.
void pmap_copy(struct pmap *out, const struct pmap *m);

// The item with this key, borrowed, or NULL.
void *pmap_find(const struct pmap *m, struct bytes key);

// Adds an item or replaces the one with the same key. The map takes a reference of its own.
void pmap_set(struct pmap *m, void *item);

// Removes the item with this key; false if there was none.
bool pmap_remove(struct pmap *m, struct bytes key);

enum { PMAP_HEIGHT_MAX = 48 }; // AVL: enough for 2^32 items

// Walks the items in order of key (bytes, then length). The map must not change meanwhile; its
// copies may.
struct pmap_iter {
    const struct pmap_node *path[PMAP_HEIGHT_MAX];
    int depth;
};

// The first item, or NULL.
void *pmap_first(const struct pmap *m, struct pmap_iter *iter);

// The first item whose key is not below `key`, or NULL.
void *pmap_seek(const struct pmap *m, struct bytes key, struct pmap_iter *iter);

// The next item, or NULL.
void *pmap_next(struct pmap_iter *iter);

// Calls `change` in order of key for everything that differs between two versions: (NULL, item) for
// an addition, (item, NULL) for a removal, (item, item) for a replacement. What the versions share
// is not looked at, so the cost follows the number of changes.
void pmap_diff(const struct pmap *from, const struct pmap *to,
               void (*change)(void *context, void *from, void *to), void *context);

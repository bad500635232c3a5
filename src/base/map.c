// SPDX-License-Identifier: Apache-2.0
#include "base/map.h"

#include "base/check.h"
#include "base/mem.h"

enum { MAP_FIRST_SLOTS = 8 };

void map_init(struct map *m)
{
    *m = (struct map){0};
}

void map_release(struct map *m)
{
    mem_free(m->slots);
    map_init(m);
}

static struct map_node **map_slot(const struct map *m, uint64_t hash)
{
    // Multiplied, since small integers hash to themselves in some callers.
    uint64_t mixed = (hash * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
    return &m->slots[mixed & (m->slot_count - 1)];
}

struct map_node *map_find(const struct map *m, uint64_t hash, map_equal equal, const void *key)
{
    if (m->count == 0)
        return NULL;
    for (struct map_node *node = *map_slot(m, hash); node != NULL; node = node->next)
        if (node->hash == hash && equal(node, key))
            return node;
    return NULL;
}

static void map_link(struct map *m, struct map_node *node)
{
    struct map_node **slot = map_slot(m, node->hash);
    node->next = *slot;
    *slot = node;
}

static void map_grow(struct map *m)
{
    struct map old = *m;
    m->slot_count = old.slot_count > 0 ? old.slot_count * 2 : MAP_FIRST_SLOTS;
    m->slots = mem_alloc_array(m->slot_count, sizeof *m->slots);
    m->empty_below = 0;
    struct map_node *next;
    for (size_t i = 0; i < old.slot_count; i++) {
        for (struct map_node *node = old.slots[i]; node != NULL; node = next) {
            next = node->next;
            map_link(m, node);
        }
    }
    mem_free(old.slots);
}

void map_insert(struct map *m, struct map_node *node, uint64_t hash)
{
    if (m->count == m->slot_count)
        map_grow(m);
    node->hash = hash;
    map_link(m, node);
    m->empty_below = 0;
    m->count++;
}

void map_remove(struct map *m, struct map_node *node)
{
    check(m->count > 0);
    struct map_node **at = map_slot(m, node->hash);
    while (*at != node) {
        check(*at != NULL);
        at = &(*at)->next;
    }
    *at = node->next;
    node->next = NULL;
    m->count--;
}

static struct map_node *map_first_from(const struct map *m, size_t slot)
{
    for (; slot < m->slot_count; slot++)
        if (m->slots[slot] != NULL)
            return m->slots[slot];
    return NULL;
}

struct map_node *map_next(const struct map *m, const struct map_node *node)
{
    if (node == NULL)
        return map_first_from(m, 0);
    if (node->next != NULL)
        return node->next;
    return map_first_from(m, (size_t)(map_slot(m, node->hash) - m->slots) + 1);
}

struct map_node *map_take_any(struct map *m)
{
    // Remembers where it stopped, so that emptying a map looks at each slot once.
    while (m->empty_below < m->slot_count && m->slots[m->empty_below] == NULL)
        m->empty_below++;
    struct map_node *node = map_first_from(m, m->empty_below);
    if (node != NULL)
        map_remove(m, node);
    return node;
}

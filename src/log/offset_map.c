// SPDX-License-Identifier: Apache-2.0
#include "log/offset_map.h"

#include "base/check.h"
#include "base/mem.h"

struct slot {
    uint64_t hash[2];
    int64_t offset_1; // offset + 1; 0: the slot is free
};

_Static_assert(sizeof(struct slot) == OFFSET_MAP_SLOT_SIZE, "what the operator's bytes are divided by");

struct offset_map {
    struct hash_seed seeds[2];
    struct slot *slots;
    int64_t slot_count;
    int64_t count_max;
    int64_t count;
};

// Slots for so many keys: at least one is always free, so that every search ends.
static int64_t slots_for(int64_t keys, double load_factor)
{
    double slots = (double)keys / load_factor + 2;
    return slots < 1e15 ? (int64_t)slots : INT64_C(1) << 50;
}

struct offset_map *offset_map_new(const struct hash_seed seeds[2], int64_t keys_wanted,
                                  int64_t bytes_max, double load_factor)
{
    struct offset_map *m = mem_new(struct offset_map);
    load_factor = load_factor > 0 && load_factor <= 1 ? load_factor : 1;
    int64_t slots = slots_for(keys_wanted > 0 ? keys_wanted : 1, load_factor);
    int64_t slots_max = bytes_max / OFFSET_MAP_SLOT_SIZE;
    m->slot_count = slots < slots_max ? slots : slots_max;
    if (m->slot_count < 2)
        m->slot_count = 2;
    m->count_max = (int64_t)((double)m->slot_count * load_factor);
    if (m->count_max >= m->slot_count)
        m->count_max = m->slot_count - 1;
    m->seeds[0] = seeds[0];
    m->seeds[1] = seeds[1];
    m->slots = mem_alloc_array((size_t)m->slot_count, sizeof *m->slots);
    return m;
}

void offset_map_free(struct offset_map *m)
{
    if (m == NULL)
        return;
    mem_free(m->slots);
    mem_free(m);
}

// The key's slot, or the free one where it belongs.
static struct slot *find(const struct offset_map *m, const uint64_t hash[2])
{
    unsigned __int128 product = (unsigned __int128)hash[0] * (uint64_t)m->slot_count;
    int64_t at = (int64_t)(product >> 64); // hash[0] scaled to [0, slot_count)
    for (;;) {
        struct slot *s = &m->slots[at];
        if (s->offset_1 == 0 || (s->hash[0] == hash[0] && s->hash[1] == hash[1]))
            return s;
        at = at + 1 < m->slot_count ? at + 1 : 0;
    }
}

static void hash_key(const struct offset_map *m, struct bytes key, uint64_t hash[2])
{
    hash[0] = hash_bytes(m->seeds[0], key);
    hash[1] = hash_bytes(m->seeds[1], key);
}

bool offset_map_put(struct offset_map *m, struct bytes key, int64_t offset)
{
    uint64_t hash[2];
    check(offset >= 0 && offset < INT64_MAX);
    hash_key(m, key, hash);
    struct slot *s = find(m, hash);
    if (s->offset_1 == 0) {
        if (offset_map_is_full(m))
            return false;
        s->hash[0] = hash[0];
        s->hash[1] = hash[1];
        m->count++;
    }
    s->offset_1 = offset + 1;
    return true;
}

int64_t offset_map_get(const struct offset_map *m, struct bytes key)
{
    uint64_t hash[2];
    hash_key(m, key, hash);
    return find(m, hash)->offset_1 - 1;
}

int64_t offset_map_count(const struct offset_map *m)
{
    return m->count;
}

int64_t offset_map_bytes(const struct offset_map *m)
{
    return m->slot_count * OFFSET_MAP_SLOT_SIZE;
}

bool offset_map_is_full(const struct offset_map *m)
{
    return m->count >= m->count_max;
}

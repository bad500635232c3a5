// SPDX-License-Identifier: Apache-2.0
#include "log/cleaner_txns.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"

// A producer's transaction that the walk is inside of, or has the entry of.
struct open_txn {
    struct map_node node;
    int64_t producer_id;
    struct txn_entry entry; // of the latest one that was aborted; version -1 none
    bool has_batches;
};

void cleaner_txns_init(struct cleaner_txns *t)
{
    *t = (struct cleaner_txns){0};
    map_init(&t->open);
}

void cleaner_txns_release(struct cleaner_txns *t)
{
    struct map_node *node;
    while ((node = map_take_any(&t->open)) != NULL)
        mem_free(container_of(node, struct open_txn, node));
    map_release(&t->open);
    mem_free(t->aborted);
}

void cleaner_txns_add(struct cleaner_txns *t, const struct txn_entry *entry)
{
    mem_grow(t->aborted, t->count, t->capacity);
    t->aborted[t->count++] = *entry;
}

static int compare_first(const void *a, const void *b)
{
    const struct txn_entry *x = a, *y = b;
    if (x->first_offset != y->first_offset)
        return x->first_offset < y->first_offset ? -1 : 1;
    return (x->last_offset > y->last_offset) - (x->last_offset < y->last_offset);
}

void cleaner_txns_begin(struct cleaner_txns *t)
{
    if (t->count > 1)
        qsort(t->aborted, (size_t)t->count, sizeof *t->aborted, compare_first);
}

static bool is_of(const struct map_node *node, const void *key)
{
    const struct open_txn *o = container_of(node, struct open_txn, node);
    return o->producer_id == *(const int64_t *)key;
}

// Producer ids are given out by the cluster one after the other.
static uint64_t hash_of(int64_t producer_id)
{
    return (uint64_t)producer_id * UINT64_C(0x9e3779b97f4a7c15);
}

static struct open_txn *open_of(struct cleaner_txns *t, int64_t producer_id)
{
    uint64_t hash = hash_of(producer_id);
    struct map_node *node = map_find(&t->open, hash, is_of, &producer_id);
    if (node != NULL)
        return container_of(node, struct open_txn, node);
    struct open_txn *o = mem_new(struct open_txn);
    o->producer_id = producer_id;
    o->entry.version = -1;
    map_insert(&t->open, &o->node, hash);
    return o;
}

// The walk has come to `offset`: what begins up to there concerns it from now on.
static void move_to(struct cleaner_txns *t, int64_t base_offset, int64_t last_offset)
{
    for (; t->next < t->count && t->aborted[t->next].first_offset <= last_offset; t->next++) {
        const struct txn_entry *e = &t->aborted[t->next];
        if (e->last_offset >= base_offset)
            open_of(t, e->producer_id)->entry = *e;
    }
}

static bool covers(const struct txn_entry *e, const struct batch_header *h)
{
    return e->version >= 0 && e->first_offset <= h->base_offset &&
           e->last_offset >= batch_last_offset(h);
}

bool cleaner_txns_batch(struct cleaner_txns *t, const struct batch_header *h)
{
    if (!batch_is_transactional(h) || h->magic < BATCH_MAGIC_CURRENT)
        return false;
    move_to(t, h->base_offset, batch_last_offset(h));
    struct open_txn *o = open_of(t, h->producer_id);
    o->has_batches = true;
    return covers(&o->entry, h);
}

bool cleaner_txns_marker(struct cleaner_txns *t, const struct batch_header *h,
                         struct txn_entry *aborted)
{
    move_to(t, h->base_offset, batch_last_offset(h));
    struct open_txn *o = open_of(t, h->producer_id);
    bool had_batches = o->has_batches;
    *aborted = (struct txn_entry){.version = -1};
    if (covers(&o->entry, h))
        *aborted = o->entry;
    map_remove(&t->open, &o->node);
    mem_free(o);
    return had_batches;
}

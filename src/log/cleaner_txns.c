// SPDX-License-Identifier: Apache-2.0
#include "log/cleaner_txns.h"

#include "base/mem.h"

// A transaction that the walk is inside of.
struct open_txn {
    struct map_node node;
    struct list_node order;
    int64_t producer_id;
    int64_t first_offset; // of its first batch that is left
};

void cleaner_txns_init(struct cleaner_txns *t, struct env_fs *fs, const char *dir,
                       const struct segment_span *spans, int span_count)
{
    txn_scout_init(&t->scout, fs, dir, spans, span_count);
    map_init(&t->open);
    list_init(&t->in_order);
}

void cleaner_txns_release(struct cleaner_txns *t)
{
    struct map_node *node;
    while ((node = map_take_any(&t->open)) != NULL)
        mem_free(container_of(node, struct open_txn, node));
    map_release(&t->open);
    txn_scout_release(&t->scout);
}

static bool is_of(const struct map_node *node, const void *key)
{
    return container_of(node, struct open_txn, node)->producer_id == *(const int64_t *)key;
}

static struct open_txn *find(const struct cleaner_txns *t, int64_t producer_id)
{
    struct map_node *node = map_find(&t->open, (uint64_t)producer_id, is_of, &producer_id);
    return node != NULL ? container_of(node, struct open_txn, node) : NULL;
}

static void note_open(struct cleaner_txns *t, const struct batch_header *h)
{
    if (find(t, h->producer_id) != NULL)
        return;
    struct open_txn *o = mem_new(struct open_txn);
    o->producer_id = h->producer_id;
    o->first_offset = h->base_offset;
    map_insert(&t->open, &o->node, (uint64_t)h->producer_id);
    list_append(&t->in_order, &o->order);
}

int cleaner_txns_batch(struct cleaner_txns *t, const struct batch_header *h, int span, int64_t position,
                       int64_t bytes_max)
{
    if (h->magic < BATCH_MAGIC_CURRENT || !batch_is_transactional(h))
        return TXN_COMMITTED;
    int fate = txn_scout_ask(&t->scout, h, span, position, bytes_max);
    if (fate >= 0 && fate != TXN_UNKNOWN)
        note_open(t, h);
    return fate;
}

bool cleaner_txns_marker(struct cleaner_txns *t, const struct batch_header *h, struct txn_entry *entry)
{
    struct open_txn *o = find(t, h->producer_id);
    if (o == NULL)
        return false;
    list_remove(&o->order);
    struct list_node *other = list_first(&t->in_order);
    *entry = (struct txn_entry){
        .producer_id = o->producer_id,
        .first_offset = o->first_offset,
        .last_offset = h->base_offset,
        .last_stable_offset = other != NULL ? container_of(other, struct open_txn, order)->first_offset
                                            : batch_last_offset(h) + 1,
    };
    map_remove(&t->open, &o->node);
    mem_free(o);
    return true;
}

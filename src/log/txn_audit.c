// SPDX-License-Identifier: Apache-2.0
#include "log/txn_audit.h"

#include "base/list.h"
#include "base/mem.h"
#include "log/index.h"

struct audited {
    struct map_node node;
    int64_t producer_id;
    int64_t floor;        // its transaction began here at the earliest
    int64_t first_offset; // of its first batch that is in the segment; -1
};

struct abort_marker {
    int64_t producer_id;
    int64_t offset;
    int64_t floor;
    int64_t first_offset;
    int64_t stable_offset;
};

void txn_audit_init(struct txn_audit *a, int64_t base_offset)
{
    *a = (struct txn_audit){.base_offset = base_offset};
    map_init(&a->producers);
}

void txn_audit_release(struct txn_audit *a)
{
    struct map_node *node;
    while ((node = map_take_any(&a->producers)) != NULL)
        mem_free(container_of(node, struct audited, node));
    map_release(&a->producers);
    mem_free(a->markers);
}

static bool is_of(const struct map_node *node, const void *key)
{
    return container_of(node, struct audited, node)->producer_id == *(const int64_t *)key;
}

static struct audited *producer_of(struct txn_audit *a, int64_t producer_id, int64_t open_offset)
{
    // Ids are given out in order: their spread is given.
    struct map_node *node = map_find(&a->producers, (uint64_t)producer_id, is_of, &producer_id);
    if (node != NULL)
        return container_of(node, struct audited, node);
    struct audited *p = mem_new(struct audited);
    p->producer_id = producer_id;
    p->floor = open_offset >= 0 && open_offset < a->base_offset ? open_offset : a->base_offset;
    p->first_offset = -1;
    map_insert(&a->producers, &p->node, (uint64_t)producer_id);
    return p;
}

void txn_audit_data(struct txn_audit *a, const struct batch_header *h, int64_t open_offset)
{
    struct audited *p = producer_of(a, h->producer_id, open_offset);
    if (batch_is_transactional(h) && p->first_offset < 0)
        p->first_offset = h->base_offset;
}

void txn_audit_marker(struct txn_audit *a, const struct batch_header *h, enum control_type type,
                      int64_t open_offset, int64_t stable_offset)
{
    struct audited *p = producer_of(a, h->producer_id, open_offset);
    if (type == CONTROL_ABORT) {
        mem_grow(a->markers, a->count, a->capacity);
        a->markers[a->count++] = (struct abort_marker){
            .producer_id = h->producer_id, .offset = h->base_offset, .floor = p->floor,
            .first_offset = p->first_offset, .stable_offset = stable_offset};
    }
    p->floor = batch_last_offset(h) + 1;
    p->first_offset = -1;
}

static bool entry_fits(const struct txn_entry *e, const struct abort_marker *m)
{
    int64_t first_max = m->first_offset >= 0 ? m->first_offset : m->offset - 1;
    return e->version == 0 && e->producer_id == m->producer_id && e->first_offset >= m->floor &&
           e->first_offset <= first_max && e->last_stable_offset >= 0 &&
           e->last_stable_offset <= m->stable_offset;
}

const char *txn_audit_judge(const struct txn_audit *a, struct bytes index, size_t *position)
{
    size_t at = 0;
    for (int i = 0; i < a->count; i++) {
        const struct abort_marker *m = &a->markers[i];
        struct txn_entry e = {.last_offset = INT64_MAX};
        *position = at;
        if (index.size - at >= TXN_ENTRY_SIZE)
            txn_entry_decode(index.data + at, &e);
        if (e.last_offset < m->offset)
            return "an entry differs from the log's markers";
        if (e.last_offset > m->offset && m->first_offset >= 0)
            return "entries are missing that the log has markers of";
        if (e.last_offset > m->offset)
            continue;
        if (!entry_fits(&e, m))
            return "an entry differs from the log's markers";
        at += TXN_ENTRY_SIZE;
    }
    *position = at;
    return at < index.size ? "there are entries that the log has no markers of" : NULL;
}

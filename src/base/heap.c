// SPDX-License-Identifier: Apache-2.0
#include "base/heap.h"

#include "base/check.h"
#include "base/mem.h"

void heap_init(struct heap *h)
{
    *h = (struct heap){0};
}

void heap_release(struct heap *h)
{
    mem_free(h->nodes);
    heap_init(h);
}

static bool before(const struct heap_node *a, const struct heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static void heap_put(struct heap *h, size_t index, struct heap_node *node)
{
    h->nodes[index] = node;
    node->position = index + 1;
}

static void heap_up(struct heap *h, size_t index, struct heap_node *node)
{
    while (index > 0 && before(node, h->nodes[(index - 1) / 2])) {
        heap_put(h, index, h->nodes[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    heap_put(h, index, node);
}

static void heap_down(struct heap *h, size_t index, struct heap_node *node)
{
    for (size_t child = 2 * index + 1; child < h->count; child = 2 * index + 1) {
        if (child + 1 < h->count && before(h->nodes[child + 1], h->nodes[child]))
            child++;
        if (!before(h->nodes[child], node))
            break;
        heap_put(h, index, h->nodes[child]);
        index = child;
    }
    heap_put(h, index, node);
}

void heap_insert(struct heap *h, struct heap_node *node, int64_t key)
{
    check(!heap_contains(node));
    mem_grow(h->nodes, h->count, h->capacity);
    node->key = key;
    node->order = h->order_next++;
    heap_up(h, h->count++, node);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
    if (!heap_contains(node))
        return;
    size_t index = node->position - 1;
    check(index < h->count && h->nodes[index] == node);
    node->position = 0;
    struct heap_node *last = h->nodes[--h->count];
    if (last == node)
        return;
    if (index > 0 && before(last, h->nodes[(index - 1) / 2]))
        heap_up(h, index, last);
    else
        heap_down(h, index, last);
}

struct heap_node *heap_min(const struct heap *h)
{
    return h->count > 0 ? h->nodes[0] : NULL;
}

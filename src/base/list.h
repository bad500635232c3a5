// SPDX-License-Identifier: Apache-2.0
//
// An intrusive doubly linked list: the node lives in the item, so nothing is allocated and an item
// leaves its list in constant time. The list owns nothing.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct list_node {
    struct list_node *prev;
    struct list_node *next; // NULL when in no list
};

struct list {
    struct list_node head;
};

#define container_of(pointer, type, member)                                                       \
    ((type *)((uintptr_t)(pointer) - offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->head.prev = l->head.next = &l->head;
}

static inline bool list_empty(const struct list *l)
{
    return l->head.next == &l->head;
}

static inline bool list_linked(const struct list_node *n)
{
    return n->next != NULL;
}

static inline void list_insert_before(struct list_node *at, struct list_node *n)
{
    n->prev = at->prev;
    n->next = at;
    at->prev->next = n;
    at->prev = n;
}

static inline void list_append(struct list *l, struct list_node *n)
{
    list_insert_before(&l->head, n);
}

static inline void list_prepend(struct list *l, struct list_node *n)
{
    list_insert_before(l->head.next, n);
}

// Takes the node out of its list; harmless when it is in none.
static inline void list_remove(struct list_node *n)
{
    if (n->next == NULL)
        return;
    n->prev->next = n->next;
    n->next->prev = n->prev;
    n->prev = n->next = NULL;
}

// The first node, or NULL.
static inline struct list_node *list_first(const struct list *l)
{
    return list_empty(l) ? NULL : l->head.next;
}

// Takes the first node out and returns it, or NULL.
static inline struct list_node *list_pop(struct list *l)
{
    struct list_node *n = list_first(l);
    if (n != NULL)
        list_remove(n);
    return n;
}

// Moves all nodes of `from` to the end of `to`.
static inline void list_move_all(struct list *to, struct list *from)
{
    struct list_node *n;
    while ((n = list_pop(from)) != NULL)
        list_append(to, n);
}

// Walks the list; the current node may be removed inside the loop.
#define list_for_each(node, next_node, list)                                                      \
    for (struct list_node *node = (list)->head.next,                                              \
                          *next_node __attribute__((unused)) = node->next;                        \
         node != &(list)->head; node = next_node, next_node = node->next)

// SPDX-License-Identifier: Apache-2.0
#include "base/pmap.h"

#include <stdint.h>

#include "base/check.h"
#include "base/mem.h"

struct pmap_node {
    uint32_t refs; // parents and maps that point here; 1 means: may be changed in place
    int32_t height;
    struct pmap_node *left;
    struct pmap_node *right;
    void *item;
};

static int32_t node_height(const struct pmap_node *n)
{
    return n != NULL ? n->height : 0;
}

static struct pmap_node *node_ref(struct pmap_node *n)
{
    if (n != NULL)
        n->refs++;
    return n;
}

static void node_unref(const struct pmap_type *type, struct pmap_node *n)
{
    while (n != NULL && --n->refs == 0) {
        struct pmap_node *right = n->right;
        node_unref(type, n->left);
        type->unref(n->item);
        mem_free(n);
        n = right;
    }
}

// Takes over the reference to `n` and gives one to a node with the same contents that nobody else
// sees.
static struct pmap_node *node_own(const struct pmap_type *type, struct pmap_node *n)
{
    if (n->refs == 1)
        return n;
    struct pmap_node *copy = mem_new(struct pmap_node);
    *copy = *n;
    copy->refs = 1;
    node_ref(copy->left);
    node_ref(copy->right);
    type->ref(copy->item);
    n->refs--;
    return copy;
}

static void node_measure(struct pmap_node *n)
{
    int32_t left = node_height(n->left), right = node_height(n->right);
    n->height = 1 + (left > right ? left : right);
}

// Both rotations take over `n`, which is owned, and give the new root.
static struct pmap_node *node_rotate_right(const struct pmap_type *type, struct pmap_node *n)
{
    struct pmap_node *root = node_own(type, n->left);
    n->left = root->right;
    root->right = n;
    node_measure(n);
    node_measure(root);
    return root;
}

static struct pmap_node *node_rotate_left(const struct pmap_type *type, struct pmap_node *n)
{
    struct pmap_node *root = node_own(type, n->right);
    n->right = root->left;
    root->left = n;
    node_measure(n);
    node_measure(root);
    return root;
}

static struct pmap_node *node_balance(const struct pmap_type *type, struct pmap_node *n)
{
    int32_t lean = node_height(n->left) - node_height(n->right);
    if (lean > 1) {
        if (node_height(n->left->left) < node_height(n->left->right))
            n->left = node_rotate_left(type, node_own(type, n->left));
        return node_rotate_right(type, n);
    }
    if (lean < -1) {
        if (node_height(n->right->right) < node_height(n->right->left))
            n->right = node_rotate_right(type, node_own(type, n->right));
        return node_rotate_left(type, n);
    }
    node_measure(n);
    return n;
}

static int key_compare(struct bytes a, struct bytes b)
{
    return str_compare(bytes_str(a), bytes_str(b));
}

static void node_replace_item(const struct pmap_type *type, struct pmap_node *n, void *item)
{
    type->ref(item);
    type->unref(n->item);
    n->item = item;
}

static struct pmap_node *node_set(const struct pmap_type *type, struct pmap_node *n, void *item,
                                  bool *added)
{
    if (n == NULL) {
        n = mem_new(struct pmap_node);
        *n = (struct pmap_node){.refs = 1, .height = 1, .item = item};
        type->ref(item);
        *added = true;
        return n;
    }
    n = node_own(type, n);
    int order = key_compare(type->key(item), type->key(n->item));
    if (order == 0) {
        node_replace_item(type, n, item);
        return n;
    }
    if (order < 0)
        n->left = node_set(type, n->left, item, added);
    else
        n->right = node_set(type, n->right, item, added);
    return node_balance(type, n);
}

// Takes the item with `key`, which is there, out of the tree `n`; takes over `n`.
static struct pmap_node *node_remove(const struct pmap_type *type, struct pmap_node *n,
                                     struct bytes key)
{
    n = node_own(type, n);
    int order = key_compare(key, type->key(n->item));
    if (order < 0) {
        n->left = node_remove(type, n->left, key);
    } else if (order > 0) {
        n->right = node_remove(type, n->right, key);
    } else if (n->left == NULL || n->right == NULL) {
        struct pmap_node *rest = node_ref(n->left != NULL ? n->left : n->right);
        node_unref(type, n);
        return rest;
    } else {
        const struct pmap_node *next = n->right;
        while (next->left != NULL)
            next = next->left;
        node_replace_item(type, n, next->item);
        n->right = node_remove(type, n->right, type->key(n->item));
    }
    return node_balance(type, n);
}

void pmap_init(struct pmap *m, const struct pmap_type *type)
{
    *m = (struct pmap){.type = type};
}

void pmap_release(struct pmap *m)
{
    node_unref(m->type, m->root);
    pmap_init(m, m->type);
}

void pmap_copy(struct pmap *out, const struct pmap *m)
{
    *out = *m;
    node_ref(out->root);
}

void *pmap_find(const struct pmap *m, struct bytes key)
{
    const struct pmap_node *n = m->root;
    while (n != NULL) {
        int order = key_compare(key, m->type->key(n->item));
        if (order == 0)
            return n->item;
        n = order < 0 ? n->left : n->right;
    }
    return NULL;
}

void pmap_set(struct pmap *m, void *item)
{
    bool added = false;
    m->root = node_set(m->type, m->root, item, &added);
    m->count += added;
    check(node_height(m->root) <= PMAP_HEIGHT_MAX);
}

bool pmap_remove(struct pmap *m, struct bytes key)
{
    if (pmap_find(m, key) == NULL)
        return false;
    m->root = node_remove(m->type, m->root, key);
    m->count--;
    return true;
}

static void iter_push_left(struct pmap_iter *iter, const struct pmap_node *n)
{
    for (; n != NULL; n = n->left) {
        check(iter->depth < PMAP_HEIGHT_MAX);
        iter->path[iter->depth++] = n;
    }
}

static void *iter_item(const struct pmap_iter *iter)
{
    return iter->depth > 0 ? iter->path[iter->depth - 1]->item : NULL;
}

void *pmap_first(const struct pmap *m, struct pmap_iter *iter)
{
    iter->depth = 0;
    iter_push_left(iter, m->root);
    return iter_item(iter);
}

void *pmap_seek(const struct pmap *m, struct bytes key, struct pmap_iter *iter)
{
    iter->depth = 0;
    const struct pmap_node *n = m->root;
    while (n != NULL) {
        // Only nodes that are not below the key stay on the path: they are still to come.
        if (key_compare(m->type->key(n->item), key) < 0) {
            n = n->right;
        } else {
            check(iter->depth < PMAP_HEIGHT_MAX);
            iter->path[iter->depth++] = n;
            n = n->left;
        }
    }
    return iter_item(iter);
}

void *pmap_next(struct pmap_iter *iter)
{
    check(iter->depth > 0);
    const struct pmap_node *n = iter->path[--iter->depth];
    iter_push_left(iter, n->right);
    return iter_item(iter);
}

// One side of a comparison: what is still to come, in order, in pieces that were not opened unless
// it was necessary.
struct pmap_rest {
    struct {
        const struct pmap_node *node;
        bool opened; // only the item of this node is meant
    } stack[2 * PMAP_HEIGHT_MAX + 2];
    int depth;
};

static void rest_push(struct pmap_rest *r, const struct pmap_node *n, bool opened)
{
    if (n == NULL)
        return;
    check(r->depth < 2 * PMAP_HEIGHT_MAX + 2);
    r->stack[r->depth].node = n;
    r->stack[r->depth++].opened = opened;
}

static void rest_open(struct pmap_rest *r)
{
    const struct pmap_node *n = r->stack[--r->depth].node;
    rest_push(r, n->right, false);
    rest_push(r, n, true);
    rest_push(r, n->left, false);
}

static const struct pmap_node *rest_top(const struct pmap_rest *r)
{
    return r->depth > 0 ? r->stack[r->depth - 1].node : NULL;
}

// The height of the tree at the front, 0 when that is a single item or nothing.
static int32_t rest_height(const struct pmap_rest *r)
{
    const struct pmap_node *n = rest_top(r);
    return n == NULL || r->stack[r->depth - 1].opened ? 0 : n->height;
}

void pmap_diff(const struct pmap *from, const struct pmap *to,
               void (*change)(void *context, void *from, void *to), void *context)
{
    struct pmap_rest a = {.depth = 0}, b = {.depth = 0};
    rest_push(&a, from->root, false);
    rest_push(&b, to->root, false);
    while (a.depth > 0 || b.depth > 0) {
        int32_t height_a = rest_height(&a), height_b = rest_height(&b);
        if (height_a > 0 && height_b > 0 && rest_top(&a) == rest_top(&b)) {
            a.depth--; // shared by both: nothing in it differs
            b.depth--;
        } else if (height_a > 0 && height_a >= height_b) {
            rest_open(&a);
        } else if (height_b > 0) {
            rest_open(&b);
        } else {
            void *old = a.depth > 0 ? rest_top(&a)->item : NULL;
            void *new = b.depth > 0 ? rest_top(&b)->item : NULL;
            int order = old == NULL   ? 1
                        : new == NULL ? -1
                                      : key_compare(from->type->key(old), to->type->key(new));
            a.depth -= order <= 0;
            b.depth -= order >= 0;
            if (old != new || order != 0)
                change(context, order <= 0 ? old : NULL, order >= 0 ? new : NULL);
        }
    }
}

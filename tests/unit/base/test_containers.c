// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/prng.h"

struct item {
    int id;
    int64_t key;
    bool in;
    struct heap_node heap;
    struct list_node list;
    struct map_node map;
};

static bool item_equal(const struct map_node *node, const void *key)
{
    return container_of(node, const struct item, map)->id == *(const int *)key;
}

static void test_heap_is_ordered_and_stable(void **state)
{
    static struct item items[200];
    struct heap h;
    heap_init(&h);
    assert_null(heap_min(&h));
    struct prng prng;
    prng_init(&prng, 1);
    for (int i = 0; i < 200; i++) {
        items[i].id = i;
        items[i].key = (int64_t)prng_below(&prng, 20) - 10;
        heap_insert(&h, &items[i].heap, items[i].key);
    }
    const struct item *last = NULL;
    struct heap_node *node;
    int count = 0;
    while ((node = heap_min(&h)) != NULL) {
        const struct item *item = container_of(node, struct item, heap);
        if (last != NULL && last->key == item->key)
            assert_true(last->id < item->id); // first in, first out
        else
            assert_true(last == NULL || last->key < item->key);
        heap_remove(&h, node);
        assert_false(heap_contains(node));
        heap_remove(&h, node); // harmless
        last = item;
        count++;
    }
    assert_int_equal(count, 200);
    heap_release(&h);
}

static void test_heap_against_a_plain_search(void **state)
{
    static struct item items[50];
    struct heap h;
    heap_init(&h);
    struct prng prng;
    prng_init(&prng, 7);
    for (int step = 0; step < 5000; step++) {
        struct item *item = &items[prng_below(&prng, 50)];
        if (heap_contains(&item->heap)) {
            heap_remove(&h, &item->heap);
        } else {
            item->key = (int64_t)prng_below(&prng, 1000);
            heap_insert(&h, &item->heap, item->key);
        }
        int64_t least = INT64_MAX;
        size_t count = 0;
        for (int i = 0; i < 50; i++)
            if (heap_contains(&items[i].heap)) {
                least = items[i].key < least ? items[i].key : least;
                count++;
            }
        assert_int_equal(h.count, count);
        assert_true(count == 0 ? heap_min(&h) == NULL : heap_min(&h)->key == least);
    }
    heap_release(&h);
}

static void test_list(void **state)
{
    struct item items[4] = {{.id = 0}, {.id = 1}, {.id = 2}, {.id = 3}};
    struct list l, other;
    list_init(&l);
    list_init(&other);
    assert_true(list_empty(&l));
    assert_null(list_first(&l));
    assert_null(list_pop(&l));
    list_append(&l, &items[1].list);
    list_append(&l, &items[2].list);
    list_prepend(&l, &items[0].list);
    list_append(&other, &items[3].list);
    list_move_all(&l, &other);
    assert_true(list_empty(&other));
    int expected = 0;
    list_for_each(node, next, &l) {
        assert_int_equal(container_of(node, struct item, list)->id, expected++);
        if (expected == 2)
            list_remove(node); // inside the loop
    }
    assert_int_equal(expected, 4);
    assert_false(list_linked(&items[1].list));
    list_remove(&items[1].list); // harmless
    assert_ptr_equal(list_pop(&l), &items[0].list);
    assert_ptr_equal(list_pop(&l), &items[2].list);
    assert_ptr_equal(list_pop(&l), &items[3].list);
    assert_true(list_empty(&l));
}

static void test_map_finds_what_is_in_it(void **state)
{
    static struct item items[500];
    struct map m;
    map_init(&m);
    int missing = 7;
    assert_null(map_find(&m, 7, item_equal, &missing));
    assert_null(map_next(&m, NULL));
    assert_null(map_take_any(&m));
    struct prng prng;
    prng_init(&prng, 3);
    for (int i = 0; i < 500; i++)
        items[i].id = i;
    size_t count = 0;
    for (int step = 0; step < 20000; step++) {
        struct item *item = &items[prng_below(&prng, 500)];
        uint64_t hash = (uint64_t)item->id % 50; // many collisions
        struct map_node *found = map_find(&m, hash, item_equal, &item->id);
        assert_true(found == (item->in ? &item->map : NULL));
        if (item->in)
            map_remove(&m, &item->map);
        else
            map_insert(&m, &item->map, hash);
        item->in = !item->in;
        count += item->in ? 1 : (size_t)-1;
        assert_int_equal(m.count, count);
    }
    size_t walked = 0;
    for (const struct map_node *n = map_next(&m, NULL); n != NULL; n = map_next(&m, n)) {
        assert_true(container_of(n, const struct item, map)->in);
        walked++;
    }
    assert_int_equal(walked, count);
    struct map_node *node;
    while ((node = map_take_any(&m)) != NULL) {
        struct item *item = container_of(node, struct item, map);
        assert_true(item->in);
        item->in = false;
        // What is added while the map is emptied is taken out too.
        if (item->id % 100 == 0 && item->key == 0) {
            item->key = 1;
            item->in = true;
            map_insert(&m, node, (uint64_t)item->id);
        }
    }
    assert_int_equal(m.count, 0);
    for (int i = 0; i < 500; i++)
        assert_false(items[i].in);
    map_release(&m);
}

static void test_prng_is_frozen(void **state)
{
    // The same seed gives the same history for ever; values of the published algorithm.
    struct prng p;
    prng_init(&p, 1234567);
    assert_true(prng_next(&p) == UINT64_C(6457827717110365317));
    assert_true(prng_next(&p) == UINT64_C(3203168211198807973));
    assert_true(prng_next(&p) == UINT64_C(9817491932198370423));
    int hits = 0;
    for (int i = 0; i < 10000; i++) {
        assert_true(prng_below(&p, 10) < 10);
        hits += prng_chance(&p, 1, 4);
    }
    assert_in_range(hits, 2300, 2700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap_is_ordered_and_stable),
        cmocka_unit_test(test_heap_against_a_plain_search),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_map_finds_what_is_in_it),
        cmocka_unit_test(test_prng_is_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

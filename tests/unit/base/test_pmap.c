// SPDX-License-Identifier: Apache-2.0
//
// The persistent map against a plain array: random changes to several versions at once, each of
// which must go on saying what it said.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/be.h"
#include "base/mem.h"
#include "base/pmap.h"
#include "base/prng.h"

enum { KEYS = 200, VERSIONS = 6 };

struct item {
    uint8_t key[2];
    int refs;
    int value;
};

static int items_alive;

static struct bytes item_key(const void *p)
{
    const struct item *item = p;
    return bytes_of(item->key, sizeof item->key);
}

static void item_ref(void *p)
{
    ((struct item *)p)->refs++;
}

static void item_unref(void *p)
{
    struct item *item = p;
    if (--item->refs == 0) {
        items_alive--;
        mem_free(item);
    }
}

static const struct pmap_type item_type = {item_key, item_ref, item_unref};

static struct bytes key_of(int k, uint8_t out[2])
{
    be16_store(out, (uint16_t)k);
    return bytes_of(out, 2);
}

static struct item *item_new(int k, int value)
{
    struct item *item = mem_new(struct item);
    key_of(k, item->key);
    item->refs = 1;
    item->value = value;
    items_alive++;
    return item;
}

// What a version must hold: the value of each key, 0 for none.
struct version {
    struct pmap map;
    int model[KEYS];
};

static void version_check(struct version *v)
{
    size_t count = 0;
    struct pmap_iter iter;
    struct item *item = pmap_first(&v->map, &iter);
    for (int k = 0; k < KEYS; k++) {
        uint8_t key[2];
        struct item *found = pmap_find(&v->map, key_of(k, key));
        if (v->model[k] == 0) {
            assert_null(found);
            continue;
        }
        assert_non_null(found);
        assert_int_equal(found->value, v->model[k]);
        assert_ptr_equal(item, found);
        item = pmap_next(&iter);
        count++;
    }
    assert_null(item);
    assert_int_equal(v->map.count, count);
}

struct diff_check {
    struct version *from, *to;
    int seen[KEYS];
    int last;
};

static void diff_seen(void *context, void *from, void *to)
{
    struct diff_check *d = context;
    struct item *old = from, *new = to;
    int k = be16_load(old != NULL ? old->key : new->key);
    assert_true(k > d->last); // in order
    d->last = k;
    d->seen[k] = 1;
    assert_int_equal(old != NULL ? old->value : 0, d->from->model[k]);
    assert_int_equal(new != NULL ? new->value : 0, d->to->model[k]);
}

static void diff_check(struct version *from, struct version *to)
{
    struct diff_check d = {.from = from, .to = to, .last = -1};
    pmap_diff(&from->map, &to->map, diff_seen, &d);
    for (int k = 0; k < KEYS; k++)
        if (from->model[k] != to->model[k])
            assert_true(d.seen[k]);
}

static void seek_check(struct version *v, int from)
{
    uint8_t key[2];
    struct pmap_iter iter;
    struct item *item = pmap_seek(&v->map, key_of(from, key), &iter);
    for (int k = from; k < KEYS; k++) {
        if (v->model[k] == 0)
            continue;
        assert_non_null(item);
        assert_int_equal(item->value, v->model[k]);
        item = pmap_next(&iter);
    }
    assert_null(item);
}

static void versions_keep_what_they_say(void **state)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct prng prng;
        prng_init(&prng, seed);
        struct version versions[VERSIONS] = {0};
        for (int i = 0; i < VERSIONS; i++)
            pmap_init(&versions[i].map, &item_type);
        for (int step = 1; step <= 1500; step++) {
            struct version *v = &versions[prng_below(&prng, VERSIONS)];
            int k = (int)prng_below(&prng, KEYS);
            uint8_t key[2];
            if (prng_chance(&prng, 1, 50)) {
                struct version *copy = &versions[prng_below(&prng, VERSIONS)];
                if (copy != v) {
                    pmap_release(&copy->map);
                    *copy = *v;
                    pmap_copy(&copy->map, &v->map);
                }
            } else if (prng_chance(&prng, 2, 5)) {
                assert_int_equal(pmap_remove(&v->map, key_of(k, key)), v->model[k] != 0);
                v->model[k] = 0;
            } else {
                struct item *item = item_new(k, step);
                pmap_set(&v->map, item);
                item_unref(item);
                v->model[k] = step;
            }
            if (step % 100 == 0) {
                version_check(v);
                seek_check(v, k);
                diff_check(v, &versions[prng_below(&prng, VERSIONS)]);
            }
        }
        for (int i = 0; i < VERSIONS; i++) {
            version_check(&versions[i]);
            pmap_release(&versions[i].map);
        }
        assert_int_equal(items_alive, 0);
    }
}

static void count_changes(void *context, void *from, void *to)
{
    (*(int *)context)++;
}

static void sorted_insertion_stays_balanced(void **state)
{
    struct pmap m;
    pmap_init(&m, &item_type);
    for (int k = 0; k < 20000; k++) {
        struct item *item = item_new(k, k);
        pmap_set(&m, item);
        item_unref(item);
    }
    struct pmap_iter iter;
    pmap_first(&m, &iter);
    assert_true(iter.depth <= 21); // 1.44 log2(20000)

    struct pmap copy;
    pmap_copy(&copy, &m);
    uint8_t key[2];
    assert_true(pmap_remove(&copy, key_of(7777, key)));
    int changes = 0;
    pmap_diff(&m, &copy, count_changes, &changes);
    assert_int_equal(changes, 1);
    pmap_release(&m);
    pmap_release(&copy);
    assert_int_equal(items_alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_keep_what_they_say),
        cmocka_unit_test(sorted_insertion_stays_balanced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
//
// The map of committed offsets against a plain array.
#include "fixture.h"

#include <string.h>

#include "wire/record/offset_commit_value.h"

enum { TOPICS = 5, PARTITIONS = 40, IDS = 3, STEPS = 20000 };

static const char *const names[TOPICS] = {"", "a", "a.b", "ab", "z"};
static const char *const texts[] = {"", "note", "a longer note that takes memory of its own"};

struct expected {
    bool is_set;
    struct uuid id;
    struct offset_commit_value value;
};

static void check_one(const struct group_offsets *o, int topic, int partition, const struct expected *e)
{
    struct uuid id;
    const struct committed_offset *c = group_offsets_find(o, str_from(names[topic]), partition, &id);
    if (!e->is_set) {
        assert_null(c);
        return;
    }
    assert_non_null(c);
    assert_int_equal(c->partition, partition);
    assert_int_equal(c->offset, e->value.offset);
    assert_int_equal(c->leader_epoch, e->value.leader_epoch);
    assert_int_equal(c->commit_timestamp_ms, e->value.commit_timestamp);
    assert_int_equal(c->record_offset, e->value.commit_timestamp);
    assert_int_equal(committed_offset_expire_ms(c), e->value.expire_timestamp);
    assert_true(str_equal(committed_offset_metadata(c), e->value.metadata));
    assert_true(uuid_equal(id, e->value.topic_id));
}

// Topics and partitions in order, none empty, the total right.
static void check_order(const struct group_offsets *o)
{
    int64_t total = 0;
    for (int32_t t = 0; t < o->count; t++) {
        const struct offsets_topic *topic = &o->topics[t];
        assert_true(topic->count > 0);
        total += topic->count;
        for (int32_t i = 1; i < topic->count; i++)
            assert_true(topic->items[i - 1].partition < topic->items[i].partition);
        if (t == 0)
            continue;
        int order = strcmp(o->topics[t - 1].name, topic->name);
        assert_true(order < 0 || (order == 0 && memcmp(&o->topics[t - 1].id, &topic->id, UUID_SIZE) < 0));
    }
    assert_int_equal(o->total, total);
}

static void test_against_model(void **state)
{
    static struct expected model[TOPICS][PARTITIONS];
    struct group_offsets o = {0};
    struct prng prng;
    prng_init(&prng, 7);
    memset(model, 0, sizeof(model));
    for (int step = 0; step < STEPS; step++) {
        int t = (int)prng_below(&prng, TOPICS), p = (int)prng_below(&prng, PARTITIONS);
        struct expected *e = &model[t][p];
        if (prng_chance(&prng, 1, 3)) {
            assert_int_equal(group_offsets_remove(&o, str_from(names[t]), p), e->is_set);
            e->is_set = false;
        } else {
            e->is_set = true;
            e->value = (struct offset_commit_value){
                .offset = (int64_t)prng_next(&prng),
                .leader_epoch = (int32_t)prng_below(&prng, 100) - 1,
                .metadata = str_from(texts[prng_below(&prng, 3)]),
                .commit_timestamp = step,
                .expire_timestamp = prng_chance(&prng, 1, 4) ? step + 5 : -1,
                .topic_id = {{[15] = (uint8_t)prng_below(&prng, IDS)}},
            };
            group_offsets_set(&o, str_from(names[t]), p, &e->value, step);
        }
        check_one(&o, t, p, e);
        check_order(&o);
    }
    for (int t = 0; t < TOPICS; t++)
        for (int p = 0; p < PARTITIONS; p++)
            check_one(&o, t, p, &model[t][p]);
    group_offsets_release(&o);
    assert_int_equal(o.total, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

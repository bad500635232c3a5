// SPDX-License-Identifier: Apache-2.0
//
// The quick reader of OffsetCommit records says what the tables say, of good bytes and of bad ones.
#include "fixture.h"

#include "base/err.h"
#include "wire/random.h"
#include "wire/record/offset_commit_key.h"
#include "wire/record/offset_commit_value.h"
#include "wire/records.h"

enum { ROUNDS = 400, MEMORY_MAX = 1 << 20 };

static const struct coordinator_record_type *type(void)
{
    return coordinator_record_type_find(COORDINATOR_LOG_GROUP, GROUP_RECORD_OFFSET_COMMIT);
}

static void compare_key(struct bytes in, struct arena *arena)
{
    struct offset_commit_key want, got;
    int16_t prefix;
    struct bytes rest;
    int err = coordinator_prefix_read(in, &prefix, &rest);
    if (err == 0)
        err = wire_decode(type()->key, 0, rest, arena, &want, NULL);
    assert_int_equal(offset_commit_key_read(in, &got), err);
    if (err == 0)
        assert_true(wire_equal(type()->key, 0, &got, &want));
}

static void compare_value(struct bytes in, struct arena *arena)
{
    struct offset_commit_value want, got;
    int16_t version;
    struct bytes rest;
    int err = coordinator_prefix_read(in, &version, &rest);
    if (err == 0)
        err = wire_decode(type()->value, version, rest, arena, &want, NULL);
    assert_int_equal(offset_commit_value_read(in, &got), err);
    if (err == 0)
        assert_true(wire_equal(type()->value, version, &got, &want));
}

// All cuts of the bytes, and each byte changed.
static void compare_damaged(struct buf *b, struct prng *prng, struct arena *arena,
                            void (*compare)(struct bytes in, struct arena *arena))
{
    compare(buf_bytes(b), arena);
    for (size_t size = 0; size < b->size; size++)
        compare(bytes_of(b->data, size), arena);
    for (size_t i = 0; i < b->size; i++) {
        uint8_t old = b->data[i];
        b->data[i] = (uint8_t)prng_next(prng);
        compare(buf_bytes(b), arena);
        b->data[i] = old;
    }
}

static void test_keys(void **state)
{
    struct prng prng;
    struct arena arena;
    struct buf b;
    prng_init(&prng, 3);
    arena_init(&arena, MEMORY_MAX);
    buf_init(&b, MEMORY_MAX);
    for (int i = 0; i < ROUNDS; i++) {
        struct offset_commit_key key;
        assert_int_equal(wire_random(type()->key, 0, &prng, &arena, &key), 0);
        buf_clear(&b);
        assert_int_equal(coordinator_key_encode(type(), &key, &b), 0);
        compare_damaged(&b, &prng, &arena, compare_key);
        arena_release(&arena);
    }
    buf_release(&b);
}

static void test_values(void **state)
{
    struct prng prng;
    struct arena arena;
    struct buf b;
    prng_init(&prng, 4);
    arena_init(&arena, MEMORY_MAX);
    buf_init(&b, MEMORY_MAX);
    for (int i = 0; i < ROUNDS; i++) {
        struct offset_commit_value value;
        int16_t version = (int16_t)prng_below(&prng, 5);
        assert_int_equal(wire_random(type()->value, version, &prng, &arena, &value), 0);
        buf_clear(&b);
        assert_int_equal(coordinator_value_encode(type(), version, &value, &b), 0);
        compare_damaged(&b, &prng, &arena, compare_value);
        arena_release(&arena);
    }
    buf_release(&b);
}

static void test_unknown_tags(void **state)
{
    static const uint8_t value[] = {
        0, 4,                          // version
        0, 0, 0, 0, 0, 0, 0, 42,       // offset
        0, 0, 0, 3,                    // leader epoch
        2, 'x',                        // metadata
        0, 0, 0, 0, 0, 0, 0, 9,        // commit timestamp
        3,                             // tags: an unknown one, the id twice, of which the last counts
        7, 2, 'a', 'b',
        0, 16, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 16, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        99,                            // what follows is ignored
    };
    struct offset_commit_value got;
    struct arena arena;
    arena_init(&arena, MEMORY_MAX);
    assert_int_equal(offset_commit_value_read(bytes_of(value, sizeof(value)), &got), 0);
    assert_int_equal(got.offset, 42);
    assert_int_equal(got.leader_epoch, 3);
    assert_int_equal(got.topic_id.bytes[0], 2);
    compare_value(bytes_of(value, sizeof(value)), &arena);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_unknown_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
//
// Adding partitions to a transaction, and looking them up.
#include "base/err.h"
#include "fixture.h"

static void test_adding(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct producer p = fixture_begin(&f, "a");
    assert_int_equal(fixture_add(&f, "a", p, "t", 1), KAFKA_NONE);
    assert_int_equal(fixture_add(&f, "a", p, "s", 0), KAFKA_NONE);
    assert_int_equal(fixture_add(&f, "a", p, "t", 0), KAFKA_NONE);
    fixture_expect(&f, "a", "Ongoing 100/0 -> -1, version 2, 60000 ms, [s:0 t:0,1]");
    int records = fixture_record_count(&f);
    assert_int_equal(fixture_add(&f, "a", p, "t", 1), KAFKA_NONE);
    assert_int_equal(fixture_record_count(&f), records); // it was there
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void test_looking_up(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct producer p = fixture_begin(&f, "a");
    assert_int_equal(fixture_verify(&f, "a", p, "t", 0), KAFKA_TRANSACTION_ABORTABLE);
    assert_int_equal(fixture_add(&f, "a", p, "t", 0), KAFKA_NONE);
    assert_int_equal(fixture_verify(&f, "a", p, "t", 0), KAFKA_NONE);
    assert_int_equal(fixture_verify(&f, "a", p, "t", 1), KAFKA_TRANSACTION_ABORTABLE);
    assert_int_equal(fixture_verify(&f, "a", p, "tt", 0), KAFKA_TRANSACTION_ABORTABLE);
    fixture_expect(&f, "a", "Ongoing 100/0 -> -1, version 2, 60000 ms, [t:0]");
    fixture_release(&f);
}

static void test_wrong_producers(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        struct producer p;
        enum kafka_error error;
    } cases[] = {
        {"", {100, 1}, KAFKA_INVALID_REQUEST},
        {"b", {100, 1}, KAFKA_INVALID_PRODUCER_ID_MAPPING},
        {"a", {101, 1}, KAFKA_INVALID_PRODUCER_ID_MAPPING},
        {"a", {100, 0}, KAFKA_PRODUCER_FENCED},
        {"a", {100, 2}, KAFKA_PRODUCER_FENCED},
    };
    struct fixture f;
    fixture_init(&f);
    fixture_begin(&f, "a");
    struct producer p = fixture_begin(&f, "a");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(fixture_add(&f, cases[i].id, cases[i].p, "t", 0), cases[i].error);
        assert_int_equal(fixture_verify(&f, cases[i].id, cases[i].p, "t", 0), cases[i].error);
    }
    fixture_expect(&f, "a", "Empty 100/1 -> -1, version 0, 60000 ms, []");
    assert_int_equal(fixture_add(&f, "a", p, "t", 0), KAFKA_NONE);
    f.holds_markers = true;
    assert_int_equal(fixture_end(&f, 4, "a", p, true).error_code, KAFKA_NONE);
    assert_int_equal(fixture_add(&f, "a", p, "t", 0), KAFKA_CONCURRENT_TRANSACTIONS);
    assert_int_equal(fixture_verify(&f, "a", p, "t", 0), KAFKA_CONCURRENT_TRANSACTIONS);
    fixture_marked(&f, KAFKA_NONE);
    assert_int_equal(fixture_verify(&f, "a", p, "t", 0), KAFKA_TRANSACTION_ABORTABLE);
    fixture_release(&f);
}

// Many in one request: all of them or none.
static void test_several(void **state)
{
    (void)state;
    struct fixture f;
    struct transaction_partition asked[] = {
        {.topic = str_from("t"), .partition = 2},
        {.topic = str_from("t"), .partition = 0},
        {.topic = str_from("t"), .partition = 2},
    };
    struct txn_addition addition = {.transactional_id = str_from("a"), .partitions = asked,
                                    .partition_count = 3};
    fixture_init(&f);
    struct producer p = fixture_begin(&f, "a");
    addition.producer_id = p.id;
    addition.producer_epoch = p.epoch;
    f.refusal = ERR_NOSPC;
    struct fixture_call *call = fixture_call_new(&f, NULL, 3);
    txns_add(f.txns, &call->call, &f.now, &addition);
    assert_true(call->is_done);
    for (int i = 0; i < 3; i++)
        assert_int_equal(asked[i].error, KAFKA_COORDINATOR_NOT_AVAILABLE);
    fixture_expect(&f, "a", "Empty 100/0 -> -1, version 0, 60000 ms, []");
    f.refusal = 0;
    call = fixture_call_new(&f, NULL, 3);
    txns_add(f.txns, &call->call, &f.now, &addition);
    assert_false(call->is_done); // not before it is committed
    fixture_settle(&f);
    assert_true(call->is_done);
    for (int i = 0; i < 3; i++)
        assert_int_equal(asked[i].error, KAFKA_NONE);
    fixture_expect(&f, "a", "Ongoing 100/0 -> -1, version 0, 60000 ms, [t:0,2]");
    // What is looked up and not there is told of each.
    addition.verify_only = true;
    asked[1].partition = 1;
    call = fixture_call_new(&f, NULL, 4);
    txns_add(f.txns, &call->call, &f.now, &addition);
    assert_true(call->is_done);
    assert_int_equal(asked[0].error, KAFKA_NONE);
    assert_int_equal(asked[1].error, KAFKA_TRANSACTION_ABORTABLE);
    assert_int_equal(asked[2].error, KAFKA_NONE);
    fixture_release(&f);
}

// A record has room for some hundred thousand partitions, and no more.
static void test_too_many(void **state)
{
    (void)state;
    enum { MANY = 300000 };
    struct fixture f;
    fixture_init(&f);
    struct producer p = fixture_begin(&f, "a");
    struct transaction_partition *asked =
        arena_new_array(&f.arena, MANY, struct transaction_partition);
    for (int32_t i = 0; i < MANY; i++)
        asked[i] = (struct transaction_partition){.topic = str_from("t"), .partition = i};
    const struct txn_addition addition = {.transactional_id = str_from("a"),
                                          .producer_id = p.id,
                                          .producer_epoch = p.epoch,
                                          .partitions = asked,
                                          .partition_count = MANY};
    struct fixture_call *call = fixture_call_new(&f, NULL, 3);
    txns_add(f.txns, &call->call, &f.now, &addition);
    assert_true(call->is_done);
    assert_int_equal(asked[0].error, KAFKA_UNKNOWN_SERVER_ERROR);
    fixture_expect(&f, "a", "Empty 100/0 -> -1, version 0, 60000 ms, []");
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adding),          cmocka_unit_test(test_looking_up),
        cmocka_unit_test(test_wrong_producers), cmocka_unit_test(test_several),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

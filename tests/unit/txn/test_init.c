// SPDX-License-Identifier: Apache-2.0
//
// InitProducerId: what Apache Kafka 4.4 answers, found by asking it.
#include "base/err.h"
#include "fixture.h"

static const struct producer none = {-1, -1};

static void expect(struct init_producer_id_response reply, enum kafka_error error, int64_t id,
                   int16_t epoch)
{
    assert_int_equal(reply.error_code, error);
    assert_int_equal(reply.producer_id, id);
    assert_int_equal(reply.producer_epoch, epoch);
}

static struct producer of(int64_t id, int16_t epoch)
{
    return (struct producer){id, epoch};
}

static void test_new(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    expect(fixture_init_producer(&f, "a", none), KAFKA_NONE, 100, 0);
    fixture_expect(&f, "a", "Empty 100/0 -> -1, version 0, 60000 ms, []");
    expect(fixture_init_producer(&f, "a", none), KAFKA_NONE, 100, 1);
    expect(fixture_init_producer(&f, "b", of(77, 3)), KAFKA_NONE, 101, 0); // whatever it was before
    expect(fixture_init_producer(&f, "b", of(77, 3)), KAFKA_PRODUCER_FENCED, -1, -1);
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void test_bump_by_the_producer(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_begin(&f, "a");
    expect(fixture_init_producer(&f, "a", of(100, 0)), KAFKA_NONE, 100, 1);
    expect(fixture_init_producer(&f, "a", of(100, 0)), KAFKA_NONE, 100, 1); // a retry
    expect(fixture_init_producer(&f, "a", of(100, 0)), KAFKA_NONE, 100, 1);
    expect(fixture_init_producer(&f, "a", of(100, 1)), KAFKA_NONE, 100, 2);
    expect(fixture_init_producer(&f, "a", of(100, 0)), KAFKA_PRODUCER_FENCED, -1, -1);
    expect(fixture_init_producer(&f, "a", of(100, 9)), KAFKA_PRODUCER_FENCED, -1, -1);
    expect(fixture_init_producer(&f, "a", of(99, 2)), KAFKA_PRODUCER_FENCED, -1, -1);
    expect(fixture_init_producer(&f, "a", none), KAFKA_NONE, 100, 3);
    // Somebody else has begun: it is no retry any more.
    expect(fixture_init_producer(&f, "a", of(100, 2)), KAFKA_PRODUCER_FENCED, -1, -1);
    fixture_release(&f);
}

static void test_over_an_ongoing_one(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct producer p = fixture_begin(&f, "a");
    assert_int_equal(fixture_add(&f, "a", p, "t", 0), KAFKA_NONE);
    f.holds_markers = true;
    expect(fixture_init_producer(&f, "a", none), KAFKA_CONCURRENT_TRANSACTIONS, -1, -1);
    fixture_expect(&f, "a", "PrepareAbort 100/1 -> -1, version 2, 60000 ms, [t:0]");
    expect(fixture_init_producer(&f, "a", none), KAFKA_CONCURRENT_TRANSACTIONS, -1, -1);
    assert_int_equal(fixture_end(&f, 5, "a", p, true).error_code, KAFKA_INVALID_TXN_STATE);
    assert_int_equal(fixture_add(&f, "a", p, "t", 1), KAFKA_PRODUCER_FENCED);
    fixture_marked(&f, KAFKA_NONE);
    fixture_expect_markers(&f, "-t-0 100/1 v2\n");
    fixture_expect(&f, "a", "CompleteAbort 100/1 -> -1, version 2, 60000 ms, []");
    expect(fixture_init_producer(&f, "a", none), KAFKA_NONE, 100, 2);
    fixture_expect(&f, "a", "Empty 100/2 -> -1, version 2, 60000 ms, []");
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void test_used_up_epochs(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_begin(&f, "a");
    fixture_age(&f, "a", 32765);
    expect(fixture_init_producer(&f, "a", none), KAFKA_NONE, 100, 32766);
    expect(fixture_init_producer(&f, "a", none), KAFKA_NONE, 101, 0);
    fixture_age(&f, "a", 32765);
    expect(fixture_init_producer(&f, "a", of(101, 32765)), KAFKA_NONE, 101, 32766);
    // Apache Kafka has UNKNOWN_SERVER_ERROR for this retry.
    expect(fixture_init_producer(&f, "a", of(101, 32765)), KAFKA_NONE, 101, 32766);
    expect(fixture_init_producer(&f, "a", of(101, 32766)), KAFKA_NONE, 102, 0);
    expect(fixture_init_producer(&f, "a", of(101, 32766)), KAFKA_NONE, 102, 0); // a retry
    expect(fixture_init_producer(&f, "a", of(101, 32765)), KAFKA_PRODUCER_FENCED, -1, -1);
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void test_fence_with_the_last_epoch(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_begin(&f, "a");
    fixture_age(&f, "a", 32766);
    assert_int_equal(fixture_add(&f, "a", of(100, 32766), "t", 0), KAFKA_NONE);
    f.holds_markers = true;
    expect(fixture_init_producer(&f, "a", none), KAFKA_CONCURRENT_TRANSACTIONS, -1, -1);
    fixture_expect(&f, "a", "PrepareAbort 100/32767 -> 101, version 2, 60000 ms, [t:0]");
    fixture_marked(&f, KAFKA_NONE);
    fixture_expect_markers(&f, "-t-0 100/32767 v2\n");
    fixture_expect(&f, "a", "CompleteAbort 101/0 -> -1, version 2, 60000 ms, []");
    expect(fixture_init_producer(&f, "a", none), KAFKA_NONE, 101, 1);
    fixture_release(&f);
}

static void test_checks(void **state)
{
    (void)state;
    static const struct {
        const char *id; // NULL: none
        int32_t timeout_ms;
        struct producer p;
        enum kafka_error error;
    } cases[] = {
        {"a", 1, {-1, -1}, KAFKA_NONE},
        {"a", 900000, {5, 0}, KAFKA_NONE},
        {"a", 900001, {-1, -1}, KAFKA_INVALID_TRANSACTION_TIMEOUT},
        {"a", 0, {-1, -1}, KAFKA_INVALID_TRANSACTION_TIMEOUT},
        {"a", -1, {-1, -1}, KAFKA_INVALID_TRANSACTION_TIMEOUT},
        {"", 1, {-1, -1}, KAFKA_INVALID_REQUEST},
        {"a", 0, {5, -1}, KAFKA_INVALID_REQUEST},
        {"a", 1, {-1, 5}, KAFKA_INVALID_REQUEST},
        {NULL, 0, {-1, -1}, KAFKA_NONE},
        {NULL, 0, {-1, 5}, KAFKA_INVALID_REQUEST},
    };
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct init_producer_id_request request;
        init_producer_id_request_init(&request);
        request.transactional_id = str_from(cases[i].id);
        request.transaction_timeout_ms = cases[i].timeout_ms;
        request.producer_id = cases[i].p.id;
        request.producer_epoch = cases[i].p.epoch;
        assert_int_equal(txns_check_init_producer_id(f.config, &request), cases[i].error);
    }
    fixture_release(&f);
}

static struct fixture_call *ask(struct fixture *f, const char *id,
                                struct init_producer_id_request *request,
                                struct init_producer_id_response *reply)
{
    init_producer_id_request_init(request);
    init_producer_id_response_init(reply);
    request->transactional_id = str_from(id);
    request->transaction_timeout_ms = TIMEOUT_MS;
    struct fixture_call *call = fixture_call_new(f, reply, 5);
    txns_init_producer_id(f->txns, &call->call, &f->now, request);
    fixture_settle(f);
    return call;
}

static void test_waits_for_ids(void **state)
{
    (void)state;
    struct fixture f;
    struct init_producer_id_request requests[3];
    struct init_producer_id_response replies[3];
    struct fixture_call *calls[3];
    fixture_init(&f);
    f.holds_ids = true;
    calls[0] = ask(&f, "a", &requests[0], &replies[0]);
    calls[1] = ask(&f, "a", &requests[1], &replies[1]); // will not need one any more
    calls[2] = ask(&f, "b", &requests[2], &replies[2]);
    assert_int_equal(f.ids_wanted, 3);
    fixture_give_id(&f, KAFKA_NONE);
    assert_true(calls[0]->is_done && !calls[1]->is_done);
    expect(replies[0], KAFKA_NONE, 100, 0);
    fixture_give_id(&f, KAFKA_NONE);
    expect(replies[1], KAFKA_NONE, 100, 1);
    fixture_give_id(&f, KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    assert_true(calls[2]->is_done);
    expect(replies[2], KAFKA_COORDINATOR_LOAD_IN_PROGRESS, -1, -1);
    // The one that nobody needed is not lost.
    expect(fixture_init_producer(&f, "c", none), KAFKA_NONE, 101, 0);
    // Who waits when the coordinator goes is told so.
    calls[0] = ask(&f, "d", &requests[0], &replies[0]);
    assert_false(calls[0]->is_done);
    fixture_reload(&f);
    assert_true(calls[0]->is_done);
    expect(replies[0], KAFKA_NOT_COORDINATOR, -1, -1);
    fixture_release(&f);
}

// Nobody hears of an epoch that is not on disk.
static void test_answer_waits_for_the_commit(void **state)
{
    (void)state;
    struct fixture f;
    struct init_producer_id_request requests[2];
    struct init_producer_id_response replies[2];
    fixture_init(&f);
    f.holds_commits = true;
    struct fixture_call *first = ask(&f, "a", &requests[0], &replies[0]);
    struct fixture_call *second = ask(&f, "a", &requests[1], &replies[1]);
    assert_false(first->is_done || second->is_done);
    fixture_commit(&f);
    assert_true(first->is_done && second->is_done);
    expect(replies[1], KAFKA_NONE, 100, 1);
    // What was lost was told to nobody.
    first = ask(&f, "a", &requests[0], &replies[0]);
    fixture_reload(&f);
    assert_true(first->is_done);
    expect(replies[0], KAFKA_NOT_COORDINATOR, -1, -1);
    fixture_expect(&f, "a", "Empty 100/1 -> -1, version 0, 60000 ms, []");
    fixture_release(&f);
}

static void test_room(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_set(&f, "chitin.transactional.ids.max=2");
    struct producer a = fixture_begin(&f, "a");
    fixture_begin(&f, "b");
    expect(fixture_init_producer(&f, "c", none), KAFKA_COORDINATOR_LOAD_IN_PROGRESS, -1, -1);
    fixture_expect(&f, "c", NULL);
    expect(fixture_init_producer(&f, "a", a), KAFKA_NONE, 100, 1); // who is there goes on
    fixture_advance(&f, INT64_C(7) * 86400000 + 3600000); // transactional.id.expiration.ms
    expect(fixture_init_producer(&f, "c", none), KAFKA_NONE, 102, 0);
    fixture_release(&f);
}

static void test_full_disk(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    f.refusal = ERR_NOSPC;
    expect(fixture_init_producer(&f, "a", none), KAFKA_COORDINATOR_NOT_AVAILABLE, -1, -1);
    fixture_expect(&f, "a", NULL);
    f.refusal = 0;
    expect(fixture_init_producer(&f, "a", none), KAFKA_NONE, 101, 0);
    fixture_release(&f);
}

static void test_version_0(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_transaction_version(&f, 0);
    struct producer p = fixture_begin(&f, "a");
    assert_int_equal(fixture_add(&f, "a", p, "t", 0), KAFKA_NONE);
    fixture_expect(&f, "a", "Ongoing 100/0 -> -1, version 0, 60000 ms, [t:0]");
    // A fence raises the epoch in every version.
    expect(fixture_init_producer(&f, "a", none), KAFKA_CONCURRENT_TRANSACTIONS, -1, -1);
    fixture_expect_markers(&f, "-t-0 100/1 v0\n");
    fixture_age(&f, "a", 32766);
    assert_int_equal(fixture_add(&f, "a", of(100, 32766), "t", 0), KAFKA_NONE);
    expect(fixture_init_producer(&f, "a", none), KAFKA_CONCURRENT_TRANSACTIONS, -1, -1);
    fixture_expect(&f, "a", "CompleteAbort 100/32767 -> -1, version 0, 60000 ms, []");
    expect(fixture_init_producer(&f, "a", none), KAFKA_NONE, 101, 0);
    fixture_check_replay(&f);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_bump_by_the_producer),
        cmocka_unit_test(test_over_an_ongoing_one),
        cmocka_unit_test(test_used_up_epochs),
        cmocka_unit_test(test_fence_with_the_last_epoch),
        cmocka_unit_test(test_checks),
        cmocka_unit_test(test_waits_for_ids),
        cmocka_unit_test(test_answer_waits_for_the_commit),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_version_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

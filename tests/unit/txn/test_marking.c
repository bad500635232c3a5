// SPDX-License-Identifier: Apache-2.0
//
// Markers into the partitions of a decided transaction, and the record that closes it.
#include "base/err.h"
#include "fixture.h"

// An ongoing transaction with partitions t-0, t-1 and u-0.
static struct producer begin(struct fixture *f)
{
    struct producer p = fixture_begin(f, "a");
    assert_int_equal(fixture_add(f, "a", p, "t", 0), KAFKA_NONE);
    assert_int_equal(fixture_add(f, "a", p, "t", 1), KAFKA_NONE);
    assert_int_equal(fixture_add(f, "a", p, "u", 0), KAFKA_NONE);
    return p;
}

static void test_all_partitions(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct producer p = begin(&f);
    f.holds_markers = true;
    assert_int_equal(fixture_end(&f, 5, "a", p, true).error_code, KAFKA_NONE);
    assert_int_equal(f.order_count, 3);
    fixture_marked(&f, KAFKA_NONE);
    fixture_marked(&f, KAFKA_NONE);
    fixture_expect(&f, "a", "PrepareCommit 100/1 -> -1, version 2, 60000 ms, [t:0,1 u:0]");
    fixture_marked(&f, KAFKA_NONE);
    fixture_expect(&f, "a", "CompleteCommit 100/1 -> -1, version 2, 60000 ms, []");
    fixture_expect_markers(&f, "+t-0 100/1 v2\n+t-1 100/1 v2\n+u-0 100/1 v2\n");
    // The next one of the same producer, by the rules of version 1.
    p.epoch = 1;
    assert_int_equal(fixture_add(&f, "a", p, "t", 0), KAFKA_NONE);
    assert_int_equal(fixture_end(&f, 3, "a", p, false).error_code, KAFKA_NONE);
    fixture_marked(&f, KAFKA_NONE);
    fixture_expect_markers(&f, "-t-0 100/1 v0\n");
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void test_before_the_commit(void **state)
{
    (void)state;
    struct fixture f;
    struct end_txn_response reply;
    fixture_init(&f);
    struct producer p = begin(&f);
    struct end_txn_request request = {str_from("a"), p.id, p.epoch, true};
    f.holds_commits = true;
    f.holds_markers = true;
    struct fixture_call *call = fixture_call_new(&f, &reply, 5);
    end_txn_response_init(&reply);
    txns_end(f.txns, &call->call, &f.now, &request);
    fixture_settle(&f);
    assert_int_equal(f.order_count, 0); // nothing is sent of what may be lost
    fixture_commit(&f);
    assert_int_equal(f.order_count, 3);
    assert_true(call->is_done);
    fixture_release(&f);
}

static void test_trouble(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct producer p = begin(&f);
    f.holds_markers = true;
    assert_int_equal(fixture_end(&f, 5, "a", p, false).error_code, KAFKA_NONE);
    fixture_marked(&f, KAFKA_NOT_LEADER_OR_FOLLOWER); // t-0: again
    fixture_marked(&f, KAFKA_UNKNOWN_TOPIC_OR_PARTITION); // t-1 is gone, which is as good as ended
    fixture_marked(&f, KAFKA_INVALID_PRODUCER_EPOCH); // u-0 has seen another: likewise
    assert_int_equal(f.order_count, 0);
    fixture_advance(&f, 19);
    assert_int_equal(f.order_count, 0);
    fixture_advance(&f, 1);
    assert_int_equal(f.order_count, 1);
    // It is never given up, at growing distances.
    int64_t since_ms = f.now.mono_ms;
    for (int i = 0; i < 20; i++) {
        fixture_marked(&f, KAFKA_NOT_ENOUGH_REPLICAS);
        while (f.order_count == 0)
            fixture_advance(&f, 10);
    }
    assert_in_range(f.now.mono_ms - since_ms, 20000, 40000);
    fixture_expect(&f, "a", "PrepareAbort 100/1 -> -1, version 2, 60000 ms, [t:0,1 u:0]");
    fixture_marked(&f, KAFKA_NONE);
    fixture_expect(&f, "a", "CompleteAbort 100/1 -> -1, version 2, 60000 ms, []");
    fixture_expect_markers(&f, "-t-0 100/1 v2\n");
    fixture_release(&f);
}

// Whoever takes over writes all markers again.
static void test_after_a_move(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct producer p = begin(&f);
    f.holds_markers = true;
    assert_int_equal(fixture_end(&f, 5, "a", p, true).error_code, KAFKA_NONE);
    fixture_marked(&f, KAFKA_NONE);
    fixture_reload(&f);
    assert_int_equal(f.order_count, 3);
    while (f.order_count > 0)
        fixture_marked(&f, KAFKA_NONE);
    fixture_expect(&f, "a", "CompleteCommit 100/1 -> -1, version 2, 60000 ms, []");
    fixture_expect_markers(&f, "+t-0 100/1 v2\n+t-0 100/1 v2\n+t-1 100/1 v2\n+u-0 100/1 v2\n");
    // At once, as it happens on one shard.
    p.epoch++;
    assert_int_equal(fixture_add(&f, "a", p, "t", 0), KAFKA_NONE);
    assert_int_equal(fixture_end(&f, 5, "a", p, true).error_code, KAFKA_NONE);
    f.holds_markers = false;
    fixture_reload(&f);
    fixture_expect(&f, "a", "CompleteCommit 100/2 -> -1, version 2, 60000 ms, []");
    fixture_release(&f);
}

static void test_full_disk(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct producer p = begin(&f);
    f.holds_markers = true;
    assert_int_equal(fixture_end(&f, 5, "a", p, true).error_code, KAFKA_NONE);
    f.refusal = ERR_NOSPC;
    while (f.order_count > 0)
        fixture_marked(&f, KAFKA_NONE);
    fixture_expect(&f, "a", "PrepareCommit 100/1 -> -1, version 2, 60000 ms, [t:0,1 u:0]");
    fixture_advance(&f, 30000);
    f.refusal = 0;
    fixture_advance(&f, 10000); // transaction.abort.timed.out.transaction.cleanup.interval.ms
    fixture_expect(&f, "a", "CompleteCommit 100/1 -> -1, version 2, 60000 ms, []");
    assert_int_equal(f.order_count, 0); // the markers are not written again
    fixture_check_replay(&f);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_partitions), cmocka_unit_test(test_before_the_commit),
        cmocka_unit_test(test_trouble),        cmocka_unit_test(test_after_a_move),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

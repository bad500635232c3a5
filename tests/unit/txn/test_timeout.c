// SPDX-License-Identifier: Apache-2.0
//
// Transactions past their timeout, and ids that nobody uses.
#include "base/err.h"
#include "fixture.h"

static void test_abort(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct producer p = fixture_begin(&f, "a");
    fixture_advance(&f, 2 * TIMEOUT_MS); // nothing is open, so nothing happens
    assert_int_equal(fixture_add(&f, "a", p, "t", 0), KAFKA_NONE);
    fixture_advance(&f, TIMEOUT_MS - 1000);
    assert_int_equal(fixture_add(&f, "a", p, "t", 1), KAFKA_NONE); // does not begin it anew
    fixture_advance(&f, 999);
    fixture_expect(&f, "a", "Ongoing 100/0 -> -1, version 2, 60000 ms, [t:0,1]");
    fixture_advance(&f, 1);
    fixture_expect(&f, "a", "CompleteAbort 100/1 -> -1, version 2, 60000 ms, []");
    fixture_expect_markers(&f, "-t-0 100/1 v2\n-t-1 100/1 v2\n");
    assert_int_equal(fixture_add(&f, "a", p, "t", 0), KAFKA_PRODUCER_FENCED);
    assert_int_equal(fixture_end(&f, 5, "a", p, true).error_code, KAFKA_INVALID_TXN_STATE);
    assert_int_equal(fixture_end(&f, 5, "a", p, false).producer_epoch, 1); // so it is aborted
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void test_ended_in_time(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct producer p = fixture_begin(&f, "a");
    assert_int_equal(fixture_add(&f, "a", p, "t", 0), KAFKA_NONE);
    f.holds_markers = true;
    assert_int_equal(fixture_end(&f, 5, "a", p, true).error_code, KAFKA_NONE);
    fixture_advance(&f, 2 * TIMEOUT_MS); // what is decided has no timeout
    fixture_marked(&f, KAFKA_NONE);
    fixture_expect(&f, "a", "CompleteCommit 100/1 -> -1, version 2, 60000 ms, []");
    fixture_release(&f);
}

// The time before a move counts, and a clock that was set back does not keep it open.
static void test_after_a_move(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct producer p = fixture_begin(&f, "a");
    assert_int_equal(fixture_add(&f, "a", p, "t", 0), KAFKA_NONE);
    fixture_advance(&f, TIMEOUT_MS - 1000);
    fixture_reload(&f);
    fixture_advance(&f, 1000);
    fixture_expect(&f, "a", "CompleteAbort 100/1 -> -1, version 2, 60000 ms, []");
    p.epoch = 1;
    assert_int_equal(fixture_add(&f, "a", p, "t", 0), KAFKA_NONE);
    f.now.wall_ms -= 3600000;
    fixture_reload(&f);
    fixture_advance(&f, TIMEOUT_MS);
    fixture_expect(&f, "a", "CompleteAbort 100/2 -> -1, version 2, 60000 ms, []");
    fixture_release(&f);
}

static void test_cannot_be_written(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_set(&f, "transaction.abort.timed.out.transaction.cleanup.interval.ms=7000");
    struct producer p = fixture_begin(&f, "a");
    assert_int_equal(fixture_add(&f, "a", p, "t", 0), KAFKA_NONE);
    f.refusal = ERR_NOSPC;
    fixture_advance(&f, TIMEOUT_MS + 1000);
    f.refusal = 0;
    fixture_advance(&f, 5999);
    fixture_expect(&f, "a", "Ongoing 100/0 -> -1, version 2, 60000 ms, [t:0]");
    fixture_advance(&f, 1);
    fixture_expect(&f, "a", "CompleteAbort 100/1 -> -1, version 2, 60000 ms, []");
    fixture_release(&f);
}

// A fence with the last epoch needs a producer id, which may take its time.
static void test_last_epoch(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct producer p = fixture_begin(&f, "a");
    p.epoch = PRODUCER_EPOCH_LAST;
    fixture_age(&f, "a", p.epoch);
    assert_int_equal(fixture_add(&f, "a", p, "t", 0), KAFKA_NONE);
    f.holds_ids = true;
    fixture_advance(&f, TIMEOUT_MS + 1000);
    assert_int_equal(f.ids_wanted, 1);
    fixture_give_id(&f, KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    fixture_advance(&f, 1000);
    fixture_give_id(&f, KAFKA_NONE);
    fixture_advance(&f, 1000);
    fixture_expect(&f, "a", "CompleteAbort 101/0 -> -1, version 2, 60000 ms, []");
    fixture_expect_markers(&f, "-t-0 100/32767 v2\n");
    fixture_release(&f);
}

static void test_expiration(void **state)
{
    (void)state;
    enum { MANY = 1500 };
    struct fixture f;
    fixture_init(&f);
    fixture_set(&f, "transactional.id.expiration.ms=86400000"); // a day
    struct producer p = fixture_begin(&f, "open");
    for (int i = 0; i < MANY; i++) {
        char id[16];
        snprintf(id, sizeof(id), "id-%d", i);
        fixture_begin(&f, id);
    }
    fixture_advance(&f, 43200000);
    struct producer used = fixture_begin(&f, "used");
    assert_int_equal(fixture_add(&f, "used", used, "t", 0), KAFKA_NONE);
    assert_int_equal(fixture_end(&f, 5, "used", used, true).error_code, KAFKA_NONE);
    f.holds_markers = true;
    assert_int_equal(fixture_add(&f, "open", p, "t", 0), KAFKA_NONE);
    fixture_advance(&f, 43200000 + 3600000 + 1000); // and the interval of an hour
    fixture_expect(&f, "id-0", NULL);
    fixture_expect(&f, "id-1499", NULL);
    assert_int_equal(f.txns->by_id.count, 2);
    fixture_check_replay(&f);
    fixture_advance(&f, 43200000 + 3600000);
    fixture_expect(&f, "used", NULL);
    // Its markers are not all there: it is kept for as long as that takes.
    fixture_expect(&f, "open", "PrepareAbort 100/1 -> -1, version 2, 60000 ms, [t:0]");
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_abort),        cmocka_unit_test(test_ended_in_time),
        cmocka_unit_test(test_after_a_move), cmocka_unit_test(test_cannot_be_written),
        cmocka_unit_test(test_last_epoch),   cmocka_unit_test(test_expiration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

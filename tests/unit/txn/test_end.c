// SPDX-License-Identifier: Apache-2.0
//
// EndTxn in every state: what Apache Kafka 4.4 answers, found by asking it.
#include "fixture.h"

// How an id comes into the state in which it is asked.
enum before {
    EMPTY,
    ONGOING,
    PREPARE_COMMIT,
    PREPARE_ABORT,
    COMPLETE_COMMIT,
    COMPLETE_ABORT,
};

// The epoch it has then, with an end of version 2 before; with one of version 1 it is one less.
static int16_t bring(struct fixture *f, enum before before, int16_t version)
{
    struct producer p = fixture_begin(f, "a");
    bool is_commit = before == PREPARE_COMMIT || before == COMPLETE_COMMIT;
    f->holds_markers = before == PREPARE_COMMIT || before == PREPARE_ABORT;
    if (before != EMPTY)
        assert_int_equal(fixture_add(f, "a", p, "t", 0), KAFKA_NONE);
    if (before == EMPTY || before == ONGOING)
        return p.epoch;
    assert_int_equal(fixture_end(f, version, "a", p, is_commit).error_code, KAFKA_NONE);
    return version >= END_TXN_VERSION_BUMP ? p.epoch + 1 : p.epoch;
}

struct end_case {
    enum before before;
    int epoch; // against the current one
    bool is_commit;
    enum kafka_error error;
    const char *state;
    int bump; // of the epoch
};

static void try_all(int16_t version, const struct end_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct end_case *c = &cases[i];
        struct fixture f;
        fixture_init(&f);
        int16_t epoch = bring(&f, c->before, version);
        const struct producer p = {PRODUCER_ID_FIRST, (int16_t)(epoch + c->epoch)};
        struct end_txn_response reply = fixture_end(&f, version, "a", p, c->is_commit);
        const struct txn *txn = txns_find(f.txns, str_from("a"));
        assert_int_equal(reply.error_code, c->error);
        assert_string_equal(txn_state_name(txn->state), c->state);
        assert_int_equal(txn->producer_epoch, epoch + c->bump);
        bool tells = reply.error_code == KAFKA_NONE && version >= END_TXN_VERSION_BUMP;
        assert_int_equal(reply.producer_id, tells ? PRODUCER_ID_FIRST : -1);
        assert_int_equal(reply.producer_epoch, tells ? txn->producer_epoch : -1);
        fixture_check_replay(&f);
        fixture_release(&f);
    }
}

static void test_version_2(void **state)
{
    (void)state;
    static const struct end_case cases[] = {
        {EMPTY, 0, true, KAFKA_INVALID_TXN_STATE, "Empty", 0},
        {EMPTY, 0, false, KAFKA_NONE, "CompleteAbort", 1},
        {EMPTY, -1, false, KAFKA_PRODUCER_FENCED, "Empty", 0},
        {EMPTY, 1, false, KAFKA_PRODUCER_FENCED, "Empty", 0},
        {ONGOING, 0, true, KAFKA_NONE, "CompleteCommit", 1},
        {ONGOING, 0, false, KAFKA_NONE, "CompleteAbort", 1},
        {ONGOING, -1, true, KAFKA_PRODUCER_FENCED, "Ongoing", 0},
        {ONGOING, 1, true, KAFKA_PRODUCER_FENCED, "Ongoing", 0},
        {PREPARE_COMMIT, -1, true, KAFKA_CONCURRENT_TRANSACTIONS, "PrepareCommit", 0},
        {PREPARE_COMMIT, -1, false, KAFKA_INVALID_TXN_STATE, "PrepareCommit", 0},
        {PREPARE_COMMIT, 0, true, KAFKA_PRODUCER_FENCED, "PrepareCommit", 0},
        {PREPARE_ABORT, -1, false, KAFKA_CONCURRENT_TRANSACTIONS, "PrepareAbort", 0},
        {PREPARE_ABORT, -1, true, KAFKA_INVALID_TXN_STATE, "PrepareAbort", 0},
        {PREPARE_ABORT, 0, false, KAFKA_PRODUCER_FENCED, "PrepareAbort", 0},
        {COMPLETE_COMMIT, -1, true, KAFKA_NONE, "CompleteCommit", 0},
        {COMPLETE_COMMIT, -1, false, KAFKA_INVALID_TXN_STATE, "CompleteCommit", 0},
        {COMPLETE_COMMIT, 0, true, KAFKA_INVALID_TXN_STATE, "CompleteCommit", 0},
        {COMPLETE_COMMIT, 0, false, KAFKA_NONE, "CompleteAbort", 1},
        {COMPLETE_COMMIT, 1, true, KAFKA_PRODUCER_FENCED, "CompleteCommit", 0},
        {COMPLETE_ABORT, -1, false, KAFKA_NONE, "CompleteAbort", 0},
        {COMPLETE_ABORT, -1, true, KAFKA_INVALID_TXN_STATE, "CompleteAbort", 0},
        {COMPLETE_ABORT, 0, true, KAFKA_INVALID_TXN_STATE, "CompleteAbort", 0},
        {COMPLETE_ABORT, 0, false, KAFKA_NONE, "CompleteAbort", 1},
        {COMPLETE_ABORT, -2, false, KAFKA_PRODUCER_FENCED, "CompleteAbort", 0},
    };
    try_all(5, cases, sizeof(cases) / sizeof(*cases));
}

static void test_version_1(void **state)
{
    (void)state;
    static const struct end_case cases[] = {
        {EMPTY, 0, true, KAFKA_INVALID_TXN_STATE, "Empty", 0},
        {EMPTY, 0, false, KAFKA_INVALID_TXN_STATE, "Empty", 0},
        {EMPTY, 1, false, KAFKA_PRODUCER_FENCED, "Empty", 0},
        {ONGOING, 0, true, KAFKA_NONE, "CompleteCommit", 0},
        {ONGOING, 0, false, KAFKA_NONE, "CompleteAbort", 0},
        {ONGOING, -1, true, KAFKA_PRODUCER_FENCED, "Ongoing", 0},
        {PREPARE_COMMIT, 0, true, KAFKA_CONCURRENT_TRANSACTIONS, "PrepareCommit", 0},
        {PREPARE_COMMIT, 0, false, KAFKA_INVALID_TXN_STATE, "PrepareCommit", 0},
        {PREPARE_ABORT, 0, false, KAFKA_CONCURRENT_TRANSACTIONS, "PrepareAbort", 0},
        {PREPARE_ABORT, 0, true, KAFKA_INVALID_TXN_STATE, "PrepareAbort", 0},
        {COMPLETE_COMMIT, 0, true, KAFKA_NONE, "CompleteCommit", 0},
        {COMPLETE_COMMIT, 0, false, KAFKA_INVALID_TXN_STATE, "CompleteCommit", 0},
        {COMPLETE_ABORT, 0, false, KAFKA_NONE, "CompleteAbort", 0},
        {COMPLETE_ABORT, 0, true, KAFKA_INVALID_TXN_STATE, "CompleteAbort", 0},
        {COMPLETE_ABORT, 1, false, KAFKA_PRODUCER_FENCED, "CompleteAbort", 0},
    };
    try_all(4, cases, sizeof(cases) / sizeof(*cases));
}

static void test_unknown(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_begin(&f, "a");
    const struct producer other = {999, 0};
    for (int16_t version = 4; version <= 5; version++) {
        assert_int_equal(fixture_end(&f, version, "b", other, true).error_code,
                         KAFKA_INVALID_PRODUCER_ID_MAPPING);
        assert_int_equal(fixture_end(&f, version, "a", other, true).error_code,
                         KAFKA_INVALID_PRODUCER_ID_MAPPING);
        assert_int_equal(fixture_end(&f, version, "", other, true).error_code, KAFKA_INVALID_REQUEST);
    }
    fixture_release(&f);
}

// The last epoch: the answer has the next producer id, and so has a retry, before and after the markers.
static void test_last_epoch(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct producer p = fixture_begin(&f, "a");
    p.epoch = PRODUCER_EPOCH_LAST;
    fixture_age(&f, "a", p.epoch);
    assert_int_equal(fixture_add(&f, "a", p, "t", 0), KAFKA_NONE);
    f.holds_markers = true;
    struct end_txn_response reply = fixture_end(&f, 5, "a", p, true);
    assert_int_equal(reply.error_code, KAFKA_NONE);
    assert_int_equal(reply.producer_id, 101);
    assert_int_equal(reply.producer_epoch, 0);
    fixture_expect(&f, "a", "PrepareCommit 100/32767 -> 101, version 2, 60000 ms, [t:0]");
    assert_int_equal(fixture_end(&f, 5, "a", p, true).error_code, KAFKA_CONCURRENT_TRANSACTIONS);
    fixture_reload(&f); // markers are written again
    fixture_marked(&f, KAFKA_NONE);
    fixture_expect_markers(&f, "+t-0 100/32767 v2\n");
    fixture_expect(&f, "a", "CompleteCommit 101/0 -> -1, version 2, 60000 ms, []");
    reply = fixture_end(&f, 5, "a", p, true);
    assert_int_equal(reply.error_code, KAFKA_NONE);
    assert_int_equal(reply.producer_id, 101);
    assert_int_equal(reply.producer_epoch, 0);
    assert_int_equal(fixture_end(&f, 5, "a", p, false).error_code, KAFKA_INVALID_TXN_STATE);
    // With the next id it goes on.
    p = (struct producer){101, 0};
    assert_int_equal(fixture_add(&f, "a", p, "t", 0), KAFKA_NONE);
    assert_int_equal(fixture_end(&f, 5, "a", p, false).producer_epoch, 1);
    fixture_check_replay(&f);
    fixture_release(&f);
}

// The decision is told when it is committed, and not when it was lost.
static void test_answer_waits_for_the_commit(void **state)
{
    (void)state;
    struct fixture f;
    struct end_txn_response reply;
    fixture_init(&f);
    struct producer p = fixture_begin(&f, "a");
    struct end_txn_request request = {str_from("a"), p.id, p.epoch, true};
    assert_int_equal(fixture_add(&f, "a", p, "t", 0), KAFKA_NONE);
    end_txn_response_init(&reply);
    f.holds_commits = true;
    struct fixture_call *call = fixture_call_new(&f, &reply, 5);
    txns_end(f.txns, &call->call, &f.now, &request);
    fixture_settle(&f);
    assert_false(call->is_done);
    fixture_expect_markers(&f, "");
    fixture_reload(&f);
    assert_true(call->is_done);
    assert_int_equal(reply.error_code, KAFKA_NOT_COORDINATOR);
    assert_int_equal(reply.producer_epoch, -1);
    fixture_expect(&f, "a", "Ongoing 100/0 -> -1, version 2, 60000 ms, [t:0]");
    f.holds_commits = false;
    assert_int_equal(fixture_end(&f, 5, "a", p, false).error_code, KAFKA_NONE);
    fixture_expect_markers(&f, "-t-0 100/1 v2\n");
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_2), cmocka_unit_test(test_version_1),
        cmocka_unit_test(test_unknown),   cmocka_unit_test(test_last_epoch),
        cmocka_unit_test(test_answer_waits_for_the_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

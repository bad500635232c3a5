// SPDX-License-Identifier: Apache-2.0
//
// DescribeTransactions and ListTransactions.
#include "fixture.h"

static struct describe_transactions_response_transaction_state describe(struct fixture *f, const char *id)
{
    struct describe_transactions_response_transaction_state reply;
    describe_transactions_response_transaction_state_init(&reply);
    reply.transactional_id = str_from(id);
    struct fixture_call *call = fixture_call_new(f, &reply, 0);
    txns_describe(f->txns, &call->call, &f->now, reply.transactional_id);
    fixture_settle(f);
    assert_true(call->is_done);
    return reply;
}

static void test_describe(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct producer p = fixture_begin(&f, "a");
    struct describe_transactions_response_transaction_state reply = describe(&f, "a");
    assert_int_equal(reply.error_code, KAFKA_NONE);
    assert_true(str_is(reply.transaction_state, "Empty"));
    assert_int_equal(reply.transaction_start_time_ms, -1);
    assert_int_equal(reply.transaction_timeout_ms, TIMEOUT_MS);
    fixture_advance(&f, 5);
    fixture_add(&f, "a", p, "t", 4);
    fixture_add(&f, "a", p, "s", 2);
    fixture_add(&f, "a", p, "t", 1);
    reply = describe(&f, "a");
    assert_true(str_is(reply.transactional_id, "a"));
    assert_true(str_is(reply.transaction_state, "Ongoing"));
    assert_int_equal(reply.transaction_start_time_ms, 1700000000005);
    assert_int_equal(reply.producer_id, 100);
    assert_int_equal(reply.producer_epoch, 0);
    assert_int_equal(reply.topics.count, 2);
    assert_true(str_is(reply.topics.items[1].topic, "t"));
    assert_int_equal(reply.topics.items[1].partitions.count, 2);
    assert_int_equal(reply.topics.items[1].partitions.items[0], 1);
    assert_int_equal(reply.topics.items[1].partitions.items[1], 4);
    reply = describe(&f, "b");
    assert_int_equal(reply.error_code, KAFKA_TRANSACTIONAL_ID_NOT_FOUND);
    assert_true(str_is(reply.transactional_id, "b"));
    assert_int_equal(describe(&f, "").error_code, KAFKA_INVALID_REQUEST);
    fixture_release(&f);
}

static bool starts_with_b(void *context, struct str id)
{
    (void)context;
    return str_starts_with(id, "b");
}

// The ids that are listed, each a letter, in order.
static void list(struct fixture *f, const struct list_transactions_request *request, txn_filter filter,
                 const char *expected)
{
    struct list_transactions_response reply;
    char letters[16] = "";
    list_transactions_response_init(&reply);
    struct fixture_call *call = fixture_call_new(f, &reply, 2);
    txns_list(f->txns, &call->call, &f->now, request, filter, NULL);
    fixture_settle(f);
    assert_true(call->is_done);
    for (char c = 'a'; c <= 'e'; c++)
        for (int32_t i = 0; i < reply.transaction_states.count; i++)
            if (reply.transaction_states.items[i].transactional_id.data[0] == c)
                letters[strlen(letters)] = c;
    assert_string_equal(letters, expected);
}

static void test_list(void **state)
{
    (void)state;
    struct fixture f;
    struct list_transactions_request request;
    struct str states[] = {str_from("Ongoing"), str_from("CompleteCommit")};
    int64_t ids[] = {101, 999, 100};
    fixture_init(&f);
    list_transactions_request_init(&request);
    list(&f, &request, NULL, "");
    fixture_begin(&f, "a");
    struct producer b = fixture_begin(&f, "b"), c = fixture_begin(&f, "c");
    fixture_add(&f, "b", b, "t", 0);
    fixture_advance(&f, 1000);
    fixture_add(&f, "c", c, "t", 0);
    fixture_end(&f, 5, "c", c, true);
    list(&f, &request, NULL, "abc");
    list(&f, &request, starts_with_b, "b");
    request.state_filters = (struct wire_string_array){states, 2};
    list(&f, &request, NULL, "bc");
    request.producer_id_filters = (struct wire_int64_array){ids, 3};
    list(&f, &request, NULL, "b");
    request.state_filters.count = 0;
    list(&f, &request, NULL, "ab");
    request.producer_id_filters.count = 0;
    request.duration_filter = 999;
    list(&f, &request, NULL, "ab"); // Empty ones have no begin, and are older than anything
    request.duration_filter = 1000;
    list(&f, &request, NULL, "a");
    request.duration_filter = 0;
    fixture_advance(&f, 1);
    list(&f, &request, NULL, "abc");
    fixture_release(&f);
}

static void test_names(void **state)
{
    (void)state;
    assert_true(txns_is_state_name(str_from("PrepareEpochFence")));
    assert_true(txns_is_state_name(str_from("Dead")));
    assert_true(txns_is_state_name(str_from("CompleteAbort")));
    assert_false(txns_is_state_name(str_from("ongoing")));
    assert_false(txns_is_state_name(str_from("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

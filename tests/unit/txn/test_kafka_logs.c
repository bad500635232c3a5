// SPDX-License-Identifier: Apache-2.0
//
// Logs that Apache Kafka wrote: loaded here, each id is where Apache Kafka says it is, what was open goes
// on, and what is written next is what Apache Kafka would write.
#include "base/err.h"
#include "fixture.h"
#include "wire/batch.h"

enum { PARTITIONS = 5 };

// By DescribeTransactions and ListTransactions, asked of the node that wrote the logs.
static const struct {
    const char *id;
    const char *state;
} expected[] = {
    {"a", "CompleteAbort 0/1 -> -1, version 2, 60000 ms, []"},
    {"t", "CompleteAbort 1/1 -> -1, version 2, 500 ms, []"},
    {"t4", "CompleteAbort 2/1 -> -1, version 2, 500 ms, []"},
    {"e1795310970", "Empty 3/6 -> -1, version 2, 60000 ms, []"},
    {"e1795310970u", "Empty 4/0 -> -1, version 0, 60000 ms, []"},
    {"open", "Ongoing 5/0 -> -1, version 2, 900000 ms, [pt:0,1]"},
    {"goner", "Ongoing 6/0 -> -1, version 2, 60000 ms, [gone:0,1]"},
    {"m", "Empty 7/0 -> -1, version 0, 60000 ms, []"},
};

static void load(struct fixture *f, int partition)
{
    char path[512];
    snprintf(path, sizeof(path), GOLDEN_DIR "/kafka-4.4.0-%d.log", partition);
    fixture_init(f);
    f->now.wall_ms = 1795310971000; // soon after they were written
    fixture_load_log(f, path);
}

static void test_states(void **state)
{
    (void)state;
    struct fixture fixtures[PARTITIONS];
    size_t count = 0;
    for (int i = 0; i < PARTITIONS; i++) {
        load(&fixtures[i], i);
        count += fixtures[i].txns->by_id.count;
    }
    assert_int_equal(count, sizeof(expected) / sizeof(*expected));
    for (size_t i = 0; i < count; i++) {
        int32_t partition = coordinator_partition_of(str_from(expected[i].id), PARTITIONS);
        fixture_expect(&fixtures[partition], expected[i].id, expected[i].state);
    }
    for (int i = 0; i < PARTITIONS; i++)
        fixture_release(&fixtures[i]);
}

static void test_goes_on(void **state)
{
    (void)state;
    struct fixture f;
    const struct producer p = {5, 0};
    load(&f, coordinator_partition_of(str_from("open"), PARTITIONS));
    assert_int_equal(fixture_verify(&f, "open", p, "pt", 1), KAFKA_NONE);
    struct end_txn_response reply = fixture_end(&f, 5, "open", p, true);
    assert_int_equal(reply.error_code, KAFKA_NONE);
    assert_int_equal(reply.producer_epoch, 1);
    fixture_expect_markers(&f, "+pt-0 5/1 v2\n+pt-1 5/1 v2\n");
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void test_times_out(void **state)
{
    (void)state;
    struct fixture f;
    load(&f, coordinator_partition_of(str_from("goner"), PARTITIONS));
    f.holds_markers = true;
    fixture_advance(&f, 60000);
    assert_int_equal(f.order_count, 2);
    fixture_marked(&f, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    fixture_marked(&f, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    fixture_expect(&f, "goner", "CompleteAbort 6/1 -> -1, version 2, 60000 ms, []");
    fixture_release(&f);
}

// Takes the values out of the log, in order.
static int values_of(struct fixture *f, struct bytes *values, int max)
{
    struct bytes rest = buf_bytes(&f->log), batch;
    struct batch_header header;
    struct buf scratch;
    int count = 0;
    buf_init(&scratch, 1 << 20);
    while (batch_next(&rest, &header, &batch) == 1) {
        struct batch_iter it;
        struct record record;
        assert_int_equal(batch_iter_init(&it, batch, &scratch), 0);
        while (batch_iter_next(&it, &record) == 1) {
            assert_in_range(count, 0, max - 1);
            values[count++] = record.value;
        }
    }
    buf_release(&scratch);
    return count;
}

// The same requests at the same times write the same bytes: the life of the id "t" in Apache Kafka's log.
static void test_same_bytes(void **state)
{
    (void)state;
    enum { RECORDS_MAX = 64 };
    struct fixture kafka, ours;
    struct bytes theirs[RECORDS_MAX], values[RECORDS_MAX];
    struct init_producer_id_response begun;
    struct init_producer_id_request request;
    load(&kafka, coordinator_partition_of(str_from("t"), PARTITIONS));
    assert_in_range(values_of(&kafka, theirs, RECORDS_MAX), 4, RECORDS_MAX);
    const struct coordinator_record_type *type =
        coordinator_record_type_find(COORDINATOR_LOG_TRANSACTION, 0);
    fixture_init(&ours);
    ours.next_producer_id = 1;
    init_producer_id_request_init(&request);
    init_producer_id_response_init(&begun);
    request.transactional_id = str_from("t");
    request.transaction_timeout_ms = 500;
    for (int i = 0; i < 4; i++) {
        struct transaction_log_value value;
        struct diag diag;
        assert_int_equal(coordinator_value_decode(type, theirs[i], &kafka.arena, &value, &diag), 0);
        ours.now.wall_ms = value.transaction_last_update_timestamp_ms;
        if (i == 0) {
            struct fixture_call *call = fixture_call_new(&ours, &begun, 5);
            txns_init_producer_id(ours.txns, &call->call, &ours.now, &request);
        } else if (i == 1) {
            struct transaction_partition asked[] = {{.topic = str_from("pt"), .partition = 0},
                                                    {.topic = str_from("pt"), .partition = 1}};
            const struct txn_addition addition = {.transactional_id = str_from("t"), .producer_id = 1,
                                                  .client_version = 2, .partitions = asked,
                                                  .partition_count = 2};
            struct fixture_call *call = fixture_call_new(&ours, NULL, 5);
            txns_add(ours.txns, &call->call, &ours.now, &addition);
        } else if (i == 2) {
            ours.holds_markers = true;
            ours.now.mono_ms += 2000;
            coordinator_advance(ours.coordinator, &ours.now);
        } else {
            fixture_marked(&ours, KAFKA_NONE);
            fixture_marked(&ours, KAFKA_NONE);
        }
        fixture_settle(&ours);
    }
    assert_int_equal(values_of(&ours, values, RECORDS_MAX), 4);
    for (int i = 0; i < 4; i++) {
        // The partitions are in another order.
        assert_int_equal(values[i].size, theirs[i].size);
        struct transaction_log_value a, b;
        struct diag diag;
        assert_int_equal(coordinator_value_decode(type, theirs[i], &kafka.arena, &a, &diag), 0);
        assert_int_equal(coordinator_value_decode(type, values[i], &ours.arena, &b, &diag), 0);
        if (a.transaction_partitions.count <= 0)
            assert_memory_equal(values[i].data, theirs[i].data, theirs[i].size);
        assert_int_equal(a.producer_epoch, b.producer_epoch);
        assert_int_equal(a.previous_producer_id, b.previous_producer_id);
        assert_int_equal(a.next_producer_id, b.next_producer_id);
        assert_int_equal(a.client_transaction_version, b.client_transaction_version);
        assert_int_equal(a.transaction_status, b.transaction_status);
        assert_int_equal(a.transaction_start_timestamp_ms, b.transaction_start_timestamp_ms);
        assert_int_equal(a.transaction_partitions.count, b.transaction_partitions.count);
    }
    fixture_release(&kafka);
    fixture_release(&ours);
}

// Records that no broker wrote.
static void test_damage(void **state)
{
    (void)state;
    static const struct {
        int8_t status;
        int16_t version;
        int err;
    } cases[] = {
        {0, 0, 0}, {5, 2, 0}, {6, 0, ERR_CORRUPT}, {7, 0, ERR_CORRUPT}, {-1, 0, ERR_CORRUPT},
        {1, -1, ERR_CORRUPT}, {1, 300, ERR_CORRUPT},
    };
    static const uint8_t key[] = {0, 0, 0, 1, 'a'};
    const struct coordinator_origin origin = {.producer_id = -1};
    const struct coordinator_record_type *type =
        coordinator_record_type_find(COORDINATOR_LOG_TRANSACTION, 0);
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct transaction_log_value value;
        struct diag diag = {{0}};
        struct buf bytes;
        buf_init(&bytes, 1000);
        transaction_log_value_init(&value);
        value.transaction_status = cases[i].status;
        value.client_transaction_version = cases[i].version;
        assert_int_equal(coordinator_value_encode(type, 1, &value, &bytes), 0);
        assert_int_equal(txns_machine.replay(f.txns, type, bytes_of(key, sizeof(key)), buf_bytes(&bytes),
                                             &origin, &diag),
                         cases[i].err);
        assert_int_equal(diag.text[0] != '\0', cases[i].err != 0);
        for (size_t cut = 0; cut < bytes.size; cut++)
            assert_int_not_equal(txns_machine.replay(f.txns, type, bytes_of(key, sizeof(key)),
                                                     bytes_of(bytes.data, cut), &origin, &diag),
                                 0);
        buf_release(&bytes);
    }
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),     cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_times_out),  cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
//
// Requests and answers of a connection, and its end.
#include "connection_fixture.h"

static void test_a_request_and_its_answer(void **state)
{
    start();
    struct fake_peer *p = dial("192.0.2.7");
    put_request(p, API_METADATA, 4, 77, 20);
    struct buf all = p->input;
    buf_init(&p->input, 1 << 20);
    for (size_t i = 0; i < all.size; i++) { // byte by byte
        assert_int_equal(F->handed_count, 0);
        buf_append(&p->input, all.data + i, 1);
        settle();
    }
    buf_release(&all);
    assert_int_equal(F->handed_count, 1);
    struct request *r = F->handed[0];
    assert_int_equal(r->header.api_key, API_METADATA);
    assert_int_equal(r->header.api_version, 4);
    assert_int_equal(r->header.correlation_id, 77);
    assert_int_equal(r->body.size, 20);
    check_body(r);
    assert_string_equal(request_listener(r), "EXTERNAL");
    assert_string_equal(request_remote_address(r)->host, "192.0.2.7");
    assert_int_equal(request_local_address(r)->port, 9092);
    assert_int_equal(r->received_ns, F->fake.now_ns);
    answer(0);
    EXPECT(p, 77);
    assert_int_equal(F->cleanup_count, 1);
    struct connections_stats stats;
    connections_stats_get(F->connections, &stats);
    assert_int_equal(stats.open_count, 1);
    assert_int_equal(stats.requests_total, 1);
    assert_int_equal(stats.bytes_in_total, 34);
    assert_true(stats.bytes_out_total > 8);
    assert_int_equal(stats.queued_bytes, 0);
}

static void test_one_at_a_time_but_for_produce(void **state)
{
    start();
    struct fake_peer *p = dial("192.0.2.7");
    ask(p, API_METADATA, 1);
    ask(p, API_FETCH, 2);
    ask(p, API_PRODUCE, 3);
    ask(p, API_PRODUCE, 4);
    ask(p, API_PRODUCE, 5);
    ask(p, API_METADATA, 6);
    assert_int_equal(F->handed_count, 1);
    answer(0);
    assert_int_equal(F->handed_count, 2); // the fetch, alone
    answer(1);
    assert_int_equal(F->handed_count, 5); // all three produces
    answer(4);                            // the last of them first
    EXPECT(p, 1, 2);
    answer(2);
    answer(3);
    EXPECT(p, 3, 4, 5);
    assert_int_equal(F->handed_count, 6);
    assert_int_equal(F->handed[5]->header.correlation_id, 6);
    answer(5);
    EXPECT(p, 6);
}

// Many requests in one read, answered at once, leave in one write and in order.
static void test_a_batch_of_requests(void **state)
{
    int32_t ids[HANDED_MAX];
    start();
    F->answer_at_once = true;
    struct fake_peer *p = dial("192.0.2.7");
    for (int i = 0; i < 150; i++)
        put_request(p, API_METADATA, 4, i, (size_t)i);
    settle();
    assert_int_equal(got(p, ids), 150);
    for (int i = 0; i < 150; i++)
        assert_int_equal(ids[i], i);
    assert_int_equal(F->cleanup_count, 150);
}

static void test_drop_answers_nothing(void **state)
{
    start();
    struct fake_peer *p = dial("192.0.2.7");
    ask(p, API_PRODUCE, 1);
    ask(p, API_PRODUCE, 2);
    request_drop(F->handed[0]);
    F->handed[0] = NULL;
    settle();
    assert_int_equal(F->cleanup_count, 1);
    answer(1);
    EXPECT(p, 2);
}

static void test_version_fallback(void **state)
{
    start();
    struct fake_peer *p = dial("192.0.2.7");
    put_request(p, API_API_VERSIONS, 99, 5, 3); // its body starts with the tag section: byte 5
    be16_store(p->input.data + 12, 0);
    p->input.data[14] = 0;
    settle();
    assert_int_equal(F->handed_count, 1);
    struct request *r = F->handed[0];
    F->handed[0] = NULL;
    assert_true(r->header.is_version_fallback);
    struct api_versions_response response;
    api_versions_response_init(&response);
    response.error_code = 35;
    request_reply_version(r, 0, &response);
    settle();
    assert_int_equal(p->output.size, 4 + 4 + 2 + 4);
    assert_int_equal(be16_load(p->output.data + 8), 35);
    EXPECT(p, 5);
    assert_true(p->open);
}

// What was asked before the garbage is answered first.
static void test_garbage_closes_after_earlier_answers(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"\xff\xff\xff\xff", 4},                                // a negative size
        {"GET / HTTP/1.1\r\n\r\n", 18},                         // too large
        {"\0\0\0\x0a\0\x03\0\x63\0\0\0\1\0\0", 14},             // Metadata version 99
        {"\0\0\0\x0a\x03\xe8\0\0\0\0\0\1\0\0", 14},             // key 1000
        {"\0\0\0\4\0\3\0\1", 8},                                // shorter than a header
        {"\0\0\0\0", 4},                                        // empty
        {"\0\x0f\0\0\x03\xe8\0\0\0\0\0\1", 12},                 // bad key, seen before the rest is
        {"\0\0\0\x0a\0\x03\0\1\0\0\0\1\0\x7f", 14},             // a client id past the end
    };
    start();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fake_peer *p = dial("192.0.2.7");
        F->handed_count = 0;
        ask(p, API_METADATA, 1);
        buf_append(&p->input, cases[i].bytes, cases[i].size);
        settle();
        assert_true(p->open);
        ask(p, API_METADATA, 2); // not read any more
        answer(0);
        assert_int_equal(F->handed_count, 1);
        EXPECT(p, 1);
        if (p->open)
            fail_msg("case %zu: still open", i);
    }
    struct connections_stats stats;
    connections_stats_get(F->connections, &stats);
    assert_int_equal(stats.closed_bad_total, 8);
}

struct kept_line {
    struct trace trace;
    char line[TRACE_LINE_MAX];
    int count;
};

static void keep_line(struct trace *trace, enum trace_level level, const char *area,
                      const char *line)
{
    struct kept_line *k = container_of(trace, struct kept_line, trace);
    k->count++;
    str_copy_to(str_from(line), k->line, sizeof k->line);
}

static void test_the_operator_is_told_why(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *words;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18, "it speaks HTTP"},
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 9, "it speaks TLS, and this listener does not"},
        {"\x01\0\0\0", 4, "its request is over socket.request.max.bytes"},
        {"\0\0\0\x0a\0\x03\0\x63\0\0\0\1\0\0", 14,
         "it asks for an API or a version that is not served"},
        {"\0\0\0\0", 4, "what it sends is not a request"},
    };
    struct kept_line kept = {.trace = {.emit = keep_line, .level_min = TRACE_INFO}};
    F->config.trace = &kept.trace;
    start();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[200];
        struct fake_peer *p = dial("192.0.2.7");
        pass_ms(1000);
        buf_append(&p->input, cases[i].bytes, cases[i].size);
        settle();
        snprintf(expected, sizeof expected,
                 "closing the connection from 192.0.2.7 port %u to EXTERNAL: %s",
                 (unsigned)p->conn.remote.port, cases[i].words);
        assert_string_equal(kept.line, expected);
        assert_int_equal(kept.count, (int)i + 1);
    }
    for (int i = 0; i < 5; i++) { // not more than one a second
        struct fake_peer *p = dial("192.0.2.7");
        buf_append(&p->input, "GET / HTTP", 10);
        settle();
        assert_false(p->open);
    }
    assert_int_equal(kept.count, 5);
}

static void test_a_lost_connection_abandons_what_waits(void **state)
{
    start();
    struct fake_peer *p = dial("192.0.2.7");
    ask(p, API_PRODUCE, 1);
    ask(p, API_PRODUCE, 2);
    ask(p, API_PRODUCE, 3);
    ask(p, API_METADATA, 4); // not handed over: nobody hears of it
    assert_int_equal(F->handed_count, 3);
    F->handed[0]->abandoned = on_abandoned;
    F->handed[1]->abandoned = end_when_abandoned;
    p->peer_closed = true;
    settle();
    assert_false(p->open);
    assert_int_equal(F->abandoned_count, 2);
    assert_int_equal(F->cleanup_count, 1);
    F->handed[1] = NULL;
    // The others end later: with an answer that goes nowhere, or without.
    assert_true(request_is_abandoned(F->handed[2]));
    answer(0);
    request_close_connection(F->handed[2], "test");
    F->handed[2] = NULL;
    assert_int_equal(F->cleanup_count, 3);
    struct connections_stats stats;
    connections_stats_get(F->connections, &stats);
    assert_int_equal(stats.queued_bytes, 0);
    assert_int_equal(stats.open_count, 0);
}

static void answer_the_next(struct request *r)
{
    F->abandoned_count++;
    for (int i = 0; i < F->handed_count; i++)
        if (F->handed[i] != NULL && F->handed[i] != r) {
            struct request *other = F->handed[i];
            F->handed[i] = NULL;
            reply(other);
            break;
        }
}

// An owner that hears of one abandoned request may end another of the same connection.
static void test_abandoned_callbacks_may_end_others(void **state)
{
    start();
    struct fake_peer *p = dial("192.0.2.7");
    ask(p, API_PRODUCE, 1);
    ask(p, API_PRODUCE, 2);
    F->handed[0]->abandoned = answer_the_next;
    p->conn.ready(&p->conn, NET_FAILED);
    settle();
    assert_false(p->open);
    assert_int_equal(F->abandoned_count, 1);
    answer(0);
    assert_int_equal(F->cleanup_count, 2);
}

static void test_close_by_the_handler_cuts_what_follows(void **state)
{
    start();
    struct fake_peer *p = dial("192.0.2.7");
    for (int i = 0; i < 4; i++)
        ask(p, API_PRODUCE, i);
    ask(p, API_METADATA, 9);
    answer(2); // answered, but after the one that closes
    F->handed[3]->abandoned = on_abandoned;
    request_close_connection(F->handed[1], "test");
    F->handed[1] = NULL;
    settle();
    assert_int_equal(F->abandoned_count, 1);
    assert_true(p->open); // the first one is still to be answered
    answer(0);
    EXPECT(p, 0);
    assert_false(p->open);
    answer(3);
    assert_int_equal(F->cleanup_count, 4);
}

static void on_stopped(void *context)
{
    F->stopped_count++;
    if (F->free_when_stopped) {
        connections_free(F->connections);
        F->connections = NULL;
    }
}

static void test_stop_finishes_what_is_in_flight(void **state)
{
    start();
    struct fake_peer *idle = dial("192.0.2.7");
    struct fake_peer *busy = dial("192.0.2.8");
    ask(busy, API_METADATA, 1);
    ask(busy, API_METADATA, 2); // read, not yet handed over
    F->free_when_stopped = true;
    connections_stop(F->connections, on_stopped, NULL);
    assert_false(F->fake.listening);
    settle();
    assert_false(idle->open);
    assert_true(busy->open);
    ask(busy, API_METADATA, 3); // not read
    answer(0);
    assert_int_equal(F->stopped_count, 0);
    answer(1);
    EXPECT(busy, 1, 2);
    assert_int_equal(F->handed_count, 2);
    assert_false(busy->open);
    assert_int_equal(F->stopped_count, 1);
}

static void test_stop_without_connections(void **state)
{
    start();
    connections_stop(F->connections, on_stopped, NULL);
    settle();
    assert_int_equal(F->stopped_count, 1);
}

static void test_requests_outlive_everything(void **state)
{
    start();
    struct fake_peer *p = dial("192.0.2.7");
    ask(p, API_PRODUCE, 1);
    ask(p, API_PRODUCE, 2);
    answer(1); // posts a flush that finds nobody
    connections_free(F->connections);
    F->connections = NULL;
    assert_false(p->open);
    assert_true(request_is_abandoned(F->handed[0]));
    check_body(F->handed[0]);
    answer(0);
    assert_int_equal(F->cleanup_count, 2);
}

static int released_count;

static void release_user(void *user)
{
    released_count += *(int *)user;
}

static void test_user_data_goes_with_the_connection(void **state)
{
    int one = 1, ten = 10;
    released_count = 0;
    start();
    struct fake_peer *p = dial("192.0.2.7");
    ask(p, API_METADATA, 1);
    assert_null(request_connection_user(F->handed[0]));
    connection_set_user(F->handed[0]->connection, &one, release_user);
    connection_set_user(F->handed[0]->connection, &ten, release_user);
    assert_int_equal(released_count, 1);
    assert_ptr_equal(request_connection_user(F->handed[0]), &ten);
    p->peer_closed = true;
    settle();
    assert_int_equal(released_count, 11);
}

// An answer with ranges of files keeps its cleanups back until the last byte is out.
static void test_files_stay_open_until_sent(void **state)
{
    static char file;
    start();
    struct fake_peer *p = dial("192.0.2.7");
    p->output_room = 100;
    put_request(p, API_FETCH, 4, 1, 20);
    settle();
    struct request *r = F->handed[0];
    F->handed[0] = NULL;
    struct fetch_response response;
    fetch_response_init(&response);
    fetch_response_fetchable_topic_response_array_new(&r->arena, 1, &response.responses);
    struct fetch_response_fetchable_topic_response *topic = &response.responses.items[0];
    topic->topic = str_from("t");
    fetch_response_partition_data_array_new(&r->arena, 2, &topic->partitions);
    for (int i = 0; i < 2; i++)
        topic->partitions.items[i].records =
            (struct wire_records){.source = &file, .position = 0, .size = 100000};
    r->splice_max = 2;
    request_reply(r, &response);
    settle();
    assert_int_equal(p->output.size, 100);
    assert_int_equal(F->cleanup_count, 0);
    p->output_room = 150000;
    settle();
    assert_int_equal(F->cleanup_count, 0);
    p->output_room = SIZE_MAX;
    settle();
    assert_int_equal(F->cleanup_count, 1);
    assert_true(p->output.size > 200000);
    EXPECT(p, 1);
}

static void test_an_answer_that_cannot_be_encoded_closes(void **state)
{
    F->config.answer_bytes_max = 20;
    start();
    struct fake_peer *p = dial("192.0.2.7");
    ask(p, API_METADATA, 1);
    answer(0);
    assert_int_equal(p->output.size, 0);
    assert_false(p->open);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_request_and_its_answer),
        TEST(test_one_at_a_time_but_for_produce),
        TEST(test_a_batch_of_requests),
        TEST(test_drop_answers_nothing),
        TEST(test_version_fallback),
        TEST(test_garbage_closes_after_earlier_answers),
        TEST(test_the_operator_is_told_why),
        TEST(test_a_lost_connection_abandons_what_waits),
        TEST(test_abandoned_callbacks_may_end_others),
        TEST(test_close_by_the_handler_cuts_what_follows),
        TEST(test_stop_finishes_what_is_in_flight),
        TEST(test_stop_without_connections),
        TEST(test_requests_outlive_everything),
        TEST(test_user_data_goes_with_the_connection),
        TEST(test_files_stay_open_until_sent),
        TEST(test_an_answer_that_cannot_be_encoded_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

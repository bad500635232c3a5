// SPDX-License-Identifier: Apache-2.0
//
// Connections over a network, clock and mailbox that the test moves by hand.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/mem.h"
#include "broker/connection.h"
#include "broker/request.h"
#include "fake_env.h"
#include "wire/api/api_versions.h"
#include "wire/api/fetch.h"
#include "wire/api/metadata.h"
#include "wire/api/produce.h"
#include "wire/api_keys.h"

enum { HANDED_MAX = 200 };

struct fixture {
    struct fake_env fake;
    struct connections *connections;
    struct connections_config config;

    // The handler's.
    struct request *handed[HANDED_MAX];
    int handed_count;
    bool answer_at_once;
    size_t decoded_bytes; // that a request is decoded to
    int abandoned_count;
    int cleanup_count;
    bool no_cleanup;
    int stopped_count;
    bool free_when_stopped;
};

static struct fixture *F; // the one of the running test, for callbacks without a context

static void settle(void)
{
    fake_env_settle(&F->fake);
}

static void pass_ms(int64_t ms)
{
    fake_env_pass_ms(&F->fake, ms);
}

static struct fake_peer *dial(const char *host)
{
    return fake_env_dial(&F->fake, host);
}

// --- requests and answers

// A request of 10 + body_size bytes, header version 1.
static void put_request(struct fake_peer *p, int key, int version, int32_t correlation_id,
                        size_t body_size)
{
    buf_append_be32(&p->input, (uint32_t)(10 + body_size));
    buf_append_be16(&p->input, (uint16_t)key);
    buf_append_be16(&p->input, (uint16_t)version);
    buf_append_be32(&p->input, (uint32_t)correlation_id);
    buf_append_be16(&p->input, 0);
    for (size_t i = 0; i < body_size; i++)
        buf_append_u8(&p->input, (uint8_t)(correlation_id + (int)i));
}

static void ask(struct fake_peer *p, int key, int32_t correlation_id)
{
    put_request(p, key, 4, correlation_id, 20);
    settle();
}

static void reply(struct request *r)
{
    struct metadata_response metadata;
    struct produce_response produce;
    struct fetch_response fetch;
    metadata_response_init(&metadata);
    produce_response_init(&produce);
    fetch_response_init(&fetch);
    switch (r->header.api_key) {
    case API_METADATA:
        request_reply(r, &metadata);
        break;
    case API_PRODUCE:
        request_reply(r, &produce);
        break;
    default:
        request_reply(r, &fetch);
        break;
    }
}

static void answer(int index)
{
    struct request *r = F->handed[index];
    F->handed[index] = NULL;
    reply(r);
    settle();
}

// The correlation ids of the answers the peer has got since it last looked; returns their number.
static int got(struct fake_peer *p, int32_t *ids)
{
    int count = 0;
    size_t at = 0;
    while (at < p->output.size) {
        assert_true(p->output.size - at >= 8);
        uint32_t size = be32_load(p->output.data + at);
        assert_true(size <= p->output.size - at - 4);
        ids[count++] = (int32_t)be32_load(p->output.data + at + 4);
        at += 4 + size;
    }
    buf_clear(&p->output);
    return count;
}

static void expect_ids(struct fake_peer *p, int count, const int32_t *expected)
{
    int32_t ids[HANDED_MAX];
    assert_int_equal(got(p, ids), count);
    for (int i = 0; i < count; i++)
        assert_int_equal(ids[i], expected[i]);
}

#define EXPECT(peer, ...)                                                                         \
    expect_ids(peer, (int)(sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t)),                    \
               (int32_t[]){__VA_ARGS__})

static void check_body(const struct request *r)
{
    for (size_t i = 0; i < r->body.size; i++)
        assert_int_equal(r->body.data[i], (uint8_t)(r->header.correlation_id + (int)i));
}

static void count_cleanup(struct request_cleanup *cleanup)
{
    F->cleanup_count++;
}

static void handle(void *context, struct request *r)
{
    struct fixture *f = context;
    assert_false(request_is_abandoned(r));
    if (!f->no_cleanup) {
        struct request_cleanup *cleanup = arena_new(&r->arena, struct request_cleanup);
        cleanup->run = count_cleanup;
        request_add_cleanup(r, cleanup);
    }
    if (f->decoded_bytes > 0 && arena_alloc(&r->arena, f->decoded_bytes) != NULL)
        request_decoded(r);
    if (f->answer_at_once) {
        reply(r);
        return;
    }
    assert_true(f->handed_count < HANDED_MAX);
    f->handed[f->handed_count++] = r;
}

// --- life

static const struct rpc_api served[] = {
    {.key = API_PRODUCE, .version_min = 3, .version_max = 8},
    {.key = API_FETCH, .version_min = 4, .version_max = 11},
    {.key = API_METADATA, .version_min = 0, .version_max = 8},
    {.key = API_API_VERSIONS, .version_min = 0, .version_max = 4},
};

static void start(void)
{
    struct diag diag;
    struct net_address local;
    F->connections = connections_new(&F->fake.env, &F->config);
    assert_int_equal(
        connections_listen(F->connections, "EXTERNAL", "10.0.0.1", 1, &local, &diag), ERR_BUSY);
    assert_int_equal(
        connections_listen(F->connections, "EXTERNAL", "10.0.0.1", 9092, &local, &diag), 0);
    assert_int_equal(local.port, 9092);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    F = f;
    fake_env_init(&f->fake);
    f->config = (struct connections_config){
        .apis = {.items = served, .count = 4},
        .handle = handle,
        .context = f,
        .request_bytes_max = 1 << 20,
        .arena_bytes_max = 1 << 20,
        .idle_ms_max = 600000,
        .limits = {.connections_max = INT32_MAX, .connections_per_ip_max = INT32_MAX},
    };
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    if (F->connections != NULL)
        connections_free(F->connections);
    for (int i = 0; i < F->handed_count; i++)
        if (F->handed[i] != NULL)
            request_drop(F->handed[i]);
    settle();
    fake_env_release(&F->fake);
    free(F);
    F = NULL;
    return 0;
}

// --- tests

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

static void on_abandoned(struct request *r)
{
    assert_true(request_is_abandoned(r));
    check_body(r); // the frame is still there
    F->abandoned_count++;
}

static void end_when_abandoned(struct request *r)
{
    on_abandoned(r);
    reply(r);
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

static void test_a_slow_reader_is_not_read(void **state)
{
    F->config.output_bytes_max = 500;
    start();
    F->answer_at_once = true;
    struct fake_peer *p = dial("192.0.2.7");
    p->output_room = 10;
    for (int i = 0; i < 200; i++)
        put_request(p, API_METADATA, 4, i, 2000);
    settle();
    struct connections_stats stats;
    connections_stats_get(F->connections, &stats);
    assert_int_equal(stats.bytes_out_total, 10);
    assert_true(stats.requests_total < 64);
    assert_true(p->input.size > 300000);
    assert_true(stats.queued_bytes < 100000);
    assert_int_equal(p->wanted, NET_WRITABLE);
    int32_t ids[HANDED_MAX];
    while (p->output.size < 10 + 1) {
        p->output_room = 7;
        settle();
    }
    p->output_room = SIZE_MAX;
    settle();
    assert_int_equal(got(p, ids), 200);
    for (int i = 0; i < 200; i++)
        assert_int_equal(ids[i], i);
}

static void test_requests_in_flight_are_bounded(void **state)
{
    F->config.in_flight_max = 10;
    start();
    struct fake_peer *p = dial("192.0.2.7");
    for (int i = 0; i < 100; i++)
        put_request(p, API_PRODUCE, 4, i, 1000);
    settle();
    assert_int_equal(F->handed_count, 10);
    assert_true(p->input.size > 60000);
    assert_int_equal(p->wanted, 0);
    for (int i = 0; i < 100; i++) {
        assert_true(F->handed_count > i);
        assert_true(F->handed_count - i <= 10);
        check_body(F->handed[i]);
        answer(i);
    }
    int32_t ids[HANDED_MAX];
    assert_int_equal(got(p, ids), 100);
}

// Metadata waits for the answer before it: one on each connection, and three more of all.
static void test_waiting_requests_are_bounded(void **state)
{
    F->config.queued_requests_max = 4;
    start();
    struct fake_peer *peers[] = {dial("192.0.2.7"), dial("192.0.2.8"), dial("192.0.2.9")};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 10; j++)
            put_request(peers[i], API_METADATA, 4, j, 100);
    settle();
    assert_int_equal(F->handed_count, 3);
    // Three are handed over; four wait on the first connection, one on each of the others.
    struct connections_stats stats;
    connections_stats_get(F->connections, &stats);
    assert_int_equal(stats.requests_total, 3 + 6);
    // Those of a connection that goes away count no more.
    peers[0]->conn.ready(&peers[0]->conn, NET_FAILED);
    for (int i = 0; i < F->handed_count; i++)
        answer(i);
    int32_t ids[HANDED_MAX];
    assert_int_equal(got(peers[1], ids), 10);
    assert_int_equal(got(peers[2], ids), 10);
    connections_stats_get(F->connections, &stats);
    assert_int_equal(stats.requests_total, 5 + 20);
}

static void test_the_frame_budget_is_shared(void **state)
{
    F->config.request_bytes_max = 100000;
    F->config.queued_bytes_max = 100000;
    start();
    struct fake_peer *a = dial("192.0.2.7");
    struct fake_peer *b = dial("192.0.2.8");
    put_request(a, API_PRODUCE, 4, 1, 80000);
    settle();
    assert_int_equal(F->handed_count, 1);
    put_request(b, API_PRODUCE, 4, 2, 50000);
    put_request(b, API_PRODUCE, 4, 3, 60000);
    settle();
    assert_int_equal(F->handed_count, 1);
    assert_int_equal(b->wanted, 0);
    struct connections_stats stats;
    connections_stats_get(F->connections, &stats);
    assert_true(stats.queued_bytes <= 100000);
    answer(0);
    assert_int_equal(F->handed_count, 2);
    check_body(F->handed[1]);
    answer(1);
    assert_int_equal(F->handed_count, 3);
    check_body(F->handed[2]);
    answer(2);
    EXPECT(a, 1);
    EXPECT(b, 2, 3);
}

// Requests that never arrive hold the budget: after a while the largest has to go.
static void test_a_stall_costs_the_largest(void **state)
{
    F->config.request_bytes_max = 100000;
    F->config.queued_bytes_max = 100000;
    start();
    struct fake_peer *hogs[2] = {dial("192.0.2.7"), dial("192.0.2.8")};
    struct fake_peer *good = dial("192.0.2.9");
    for (int i = 0; i < 2; i++) {
        put_request(hogs[i], API_PRODUCE, 4, 1, 90000);
        hogs[i]->input.size = i == 0 ? 44000 : 36000; // the rest never comes
        settle();
    }
    put_request(good, API_PRODUCE, 4, 5, 60000);
    settle();
    assert_int_equal(F->handed_count, 0);
    pass_ms(CONNECTIONS_STALL_MS - 1);
    assert_true(hogs[0]->open && hogs[1]->open);
    for (int i = 0; i < 4 && F->handed_count == 0; i++)
        pass_ms(CONNECTIONS_STALL_MS);
    assert_int_equal(F->handed_count, 1);
    assert_true(good->open);
    assert_false(hogs[0]->open && hogs[1]->open);
    answer(0);
    EXPECT(good, 5);
}

// Complete requests that wait for data stand in the way no less.
static void test_a_stall_ends_what_only_waits(void **state)
{
    F->config.request_bytes_max = 100000;
    F->config.queued_bytes_max = 100000;
    start();
    struct fake_peer *hog = dial("192.0.2.7");
    struct fake_peer *writer = dial("192.0.2.8");
    put_request(hog, API_FETCH, 4, 1, 30000);
    put_request(writer, API_PRODUCE, 4, 2, 50000); // waits for the disk, which is not its fault
    settle();
    assert_int_equal(F->handed_count, 2);
    F->handed[0]->abandoned = end_when_abandoned;
    struct fake_peer *good = dial("192.0.2.9");
    put_request(good, API_PRODUCE, 4, 5, 40000);
    settle();
    assert_int_equal(F->handed_count, 2);
    pass_ms(CONNECTIONS_STALL_MS);
    assert_int_equal(F->handed_count, 3);
    F->handed[0] = NULL;
    assert_false(hog->open);
    assert_true(writer->open);
    answer(2);
    EXPECT(good, 5);
}

// Small requests go on meanwhile: nothing that a few do can hold them up.
static void test_small_requests_have_a_reserve(void **state)
{
    F->config.request_bytes_max = 100000;
    F->config.queued_bytes_max = 100000;
    start();
    struct fake_peer *hog = dial("192.0.2.7");
    put_request(hog, API_PRODUCE, 4, 1, 90000);
    hog->input.size = 70000;
    settle();
    struct connections_stats stats;
    connections_stats_get(F->connections, &stats);
    assert_int_equal(stats.queued_bytes, 90010);
    F->answer_at_once = true;
    struct fake_peer *good = dial("192.0.2.9");
    for (int i = 0; i < 5; i++)
        put_request(good, API_METADATA, 4, i, 10000);
    settle();
    EXPECT(good, 0, 1, 2, 3, 4);
    put_request(good, API_METADATA, 4, 6, 20000); // no small one
    settle();
    assert_int_equal(good->output.size, 0);
}

// What requests were decoded to is bounded for all together, by closing who holds the most.
static void test_waiting_requests_are_bounded_by_memory(void **state)
{
    F->config.held_bytes_max = 100000;
    F->decoded_bytes = 40000;
    start();
    struct fake_peer *peers[4];
    for (int i = 0; i < 4; i++) {
        peers[i] = dial("192.0.2.7");
        ask(peers[i], API_FETCH, i);
        assert_int_equal(F->handed_count, i + 1);
        F->handed[i]->abandoned = end_when_abandoned;
        F->decoded_bytes -= 1000;
    }
    assert_false(peers[0]->open); // three of them are too much, and it held the most
    F->handed[0] = NULL;
    assert_true(peers[1]->open && peers[2]->open && peers[3]->open);
    struct connections_stats stats;
    connections_stats_get(F->connections, &stats);
    assert_int_equal(stats.closed_greedy_total, 1);
    // Who holds something waits for that instead of closing others.
    ask(peers[3], API_PRODUCE, 9);
    assert_int_equal(F->handed_count, 4);
    answer(3);
    assert_int_equal(F->handed_count, 5);
    assert_true(peers[1]->open && peers[2]->open);
    F->handed[1]->abandoned = F->handed[2]->abandoned = NULL;
}

// One that a worker still has when its connection goes counts on: who comes next waits for it, and nobody
// else is closed for it.
static void test_abandoned_requests_count_until_they_end(void **state)
{
    F->config.held_bytes_max = 100000;
    F->decoded_bytes = 40000;
    start();
    struct fake_peer *peers[5];
    for (int i = 0; i < 5; i++) {
        peers[i] = dial("192.0.2.7");
        ask(peers[i], API_FETCH, i);
        F->decoded_bytes -= 1000;
    }
    assert_int_equal(F->handed_count, 3); // together they hold too much
    assert_false(peers[0]->open);
    assert_true(peers[1]->open && peers[2]->open && peers[3]->open && peers[4]->open);
    peers[4]->peer_closed = true; // one of those that wait gives up
    settle();
    assert_int_equal(F->handed_count, 3);
    request_drop(F->handed[0]);
    F->handed[0] = NULL;
    settle();
    assert_int_equal(F->handed_count, 4);
    struct connections_stats stats;
    connections_stats_get(F->connections, &stats);
    assert_int_equal(stats.closed_greedy_total, 1);
}

// An answer that nobody takes keeps neither its request nor what that was decoded to.
static void test_an_answer_waits_alone(void **state)
{
    F->config.held_bytes_max = 100000;
    F->decoded_bytes = 90000;
    F->answer_at_once = true;
    F->no_cleanup = true;
    start();
    for (int i = 0; i < 8; i++) {
        struct fake_peer *p = dial("192.0.2.7");
        p->output_room = 0;
        put_request(p, API_METADATA, 4, i, 2000);
        settle();
        assert_true(p->open);
    }
    struct connections_stats stats;
    connections_stats_get(F->connections, &stats);
    assert_int_equal(stats.requests_total, 8);
    assert_int_equal(stats.queued_bytes, 0);
    assert_int_equal(stats.closed_greedy_total, 0);
}

static void test_idle_connections_are_closed(void **state)
{
    F->config.idle_ms_max = 1000;
    start();
    struct fake_peer *idle = dial("192.0.2.7");
    struct fake_peer *active = dial("192.0.2.8");
    struct fake_peer *waiting = dial("192.0.2.9");
    ask(waiting, API_FETCH, 1);
    F->answer_at_once = true;
    pass_ms(600);
    ask(active, API_METADATA, 1);
    pass_ms(399);
    assert_true(idle->open);
    pass_ms(1);
    assert_false(idle->open);
    assert_true(active->open);
    assert_true(waiting->open); // the handler has its request
    pass_ms(599);
    assert_true(active->open);
    pass_ms(1);
    assert_false(active->open);
    pass_ms(5000);
    assert_true(waiting->open);
    answer(0);
    pass_ms(5000);
    assert_false(waiting->open);
    struct connections_stats stats;
    connections_stats_get(F->connections, &stats);
    assert_int_equal(stats.closed_idle_total, 3);
}

static void test_limits_per_address(void **state)
{
    F->config.limits.connections_per_ip_max = 2;
    F->config.limits.per_ip_overrides = str_from("::1:7, 192.0.2.9:1 ,nonsense,192.0.2.8:x,,fe80::1:0");
    start();
    struct fake_peer *a = dial("192.0.2.7");
    assert_true(dial("192.0.2.7")->open);
    assert_false(dial("192.0.2.7")->open);
    assert_true(dial("192.0.2.8")->open);
    assert_true(dial("192.0.2.9")->open);
    assert_false(dial("192.0.2.9")->open);
    assert_true(dial("::1")->open && dial("::1")->open && dial("::1")->open);
    assert_false(dial("fe80::1")->open);
    a->peer_closed = true;
    settle();
    assert_true(dial("192.0.2.7")->open);
    struct connections_stats stats;
    connections_stats_get(F->connections, &stats);
    assert_int_equal(stats.refused_total, 3);
    assert_int_equal(stats.open_count, 7);
}

static void test_at_the_connection_limit_nothing_is_accepted(void **state)
{
    F->config.limits.connections_max = 2;
    start();
    struct fake_peer *a = dial("192.0.2.7");
    assert_false(F->fake.paused);
    dial("192.0.2.8");
    assert_true(F->fake.paused);
    a->peer_closed = true;
    settle();
    assert_false(F->fake.paused);
    struct connection_limits limits = {.connections_max = 1, .connections_per_ip_max = 10};
    connections_set_limits(F->connections, &limits);
    assert_true(F->fake.paused);
    limits.connections_max = 10;
    connections_set_limits(F->connections, &limits);
    assert_false(F->fake.paused);
}

static void test_limits_per_address_change(void **state)
{
    start();
    assert_true(dial("127.0.0.1")->open && dial("::1")->open && dial("192.0.2.7")->open);
    char overrides[] = " localhost : 2, 192.0.2.7:1";
    struct connection_limits limits = {.connections_max = 100, .per_ip_overrides = str_from(overrides)};
    connections_set_limits(F->connections, &limits);
    memset(overrides, 'x', sizeof overrides - 1); // they are copied
    assert_true(dial("127.0.0.1")->open && dial("::1")->open);
    assert_false(dial("127.0.0.1")->open);
    assert_false(dial("::1")->open);
    assert_false(dial("192.0.2.7")->open);
    assert_false(dial("192.0.2.8")->open);
}

static void test_limits_of_a_listener(void **state)
{
    start();
    struct listener_limits limits = {.connections_max = 2};
    connections_set_listener_limits(F->connections, "OTHER", &limits);
    struct fake_peer *a = dial("192.0.2.7");
    dial("192.0.2.7");
    assert_false(F->fake.paused);
    connections_set_listener_limits(F->connections, "EXTERNAL", &limits);
    assert_true(F->fake.paused);
    a->peer_closed = true;
    settle();
    assert_false(F->fake.paused);
    dial("192.0.2.7");
    assert_true(F->fake.paused);
    limits = (struct listener_limits){.connections_max = INT32_MAX, .connections_per_second_max = 1};
    connections_set_listener_limits(F->connections, "EXTERNAL", &limits);
    assert_true(F->fake.paused); // three came in this second
    pass_ms(1000);
    assert_false(F->fake.paused);
    dial("192.0.2.7");
    assert_true(F->fake.paused);
    limits.connections_per_second_max = 0;
    connections_set_listener_limits(F->connections, "EXTERNAL", &limits);
    assert_false(F->fake.paused);
}

static void test_connections_per_second(void **state)
{
    F->config.limits.connections_per_second_max = 2;
    start();
    pass_ms(5000);
    dial("192.0.2.7");
    pass_ms(900);
    assert_false(F->fake.paused);
    dial("192.0.2.7");
    assert_true(F->fake.paused);
    pass_ms(99);
    assert_true(F->fake.paused);
    pass_ms(1); // a second after the first of the two
    assert_false(F->fake.paused);
    dial("192.0.2.7");
    assert_false(F->fake.paused);
    pass_ms(1000);
    dial("192.0.2.7");
    assert_false(F->fake.paused);
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
        TEST(test_a_slow_reader_is_not_read),
        TEST(test_requests_in_flight_are_bounded),
        TEST(test_waiting_requests_are_bounded),
        TEST(test_the_frame_budget_is_shared),
        TEST(test_a_stall_costs_the_largest),
        TEST(test_a_stall_ends_what_only_waits),
        TEST(test_small_requests_have_a_reserve),
        TEST(test_waiting_requests_are_bounded_by_memory),
        TEST(test_abandoned_requests_count_until_they_end),
        TEST(test_an_answer_waits_alone),
        TEST(test_idle_connections_are_closed),
        TEST(test_limits_per_address),
        TEST(test_at_the_connection_limit_nothing_is_accepted),
        TEST(test_limits_per_address_change),
        TEST(test_limits_of_a_listener),
        TEST(test_connections_per_second),
        TEST(test_stop_finishes_what_is_in_flight),
        TEST(test_stop_without_connections),
        TEST(test_requests_outlive_everything),
        TEST(test_user_data_goes_with_the_connection),
        TEST(test_files_stay_open_until_sent),
        TEST(test_an_answer_that_cannot_be_encoded_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

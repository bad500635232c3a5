// SPDX-License-Identifier: Apache-2.0
//
// What connections may hold and cost, and who is let in.
#include "connection_fixture.h"

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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

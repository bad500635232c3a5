// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "sim_net.h"

enum { BYTES = 100000, PORT = 9092 };

static const int64_t ns_per_s = 1000000000;

// One end as the test drives it: sends `to_send` bytes of a pattern, checks that it receives the same.
struct end {
    struct net_conn *conn;
    int sent, to_send;
    int received;
    int64_t error; // of a read or write, 0 while it stands
    bool reads;    // takes what comes
    bool told_failed;
};

struct world {
    struct sim sim;
    struct sim_net *net;
    struct sim_host *server, *client;
    struct net_listener *listener;
    struct end at_server, at_client;
};

static uint8_t pattern(int i)
{
    return (uint8_t)(i * 7 + i / 256);
}

static void want(struct end *e)
{
    net_want(e->conn, (e->reads ? NET_READABLE : 0) | (e->sent < e->to_send ? NET_WRITABLE : 0));
}

static void drive(struct end *e, unsigned events)
{
    uint8_t bytes[5000];
    while (e->error == 0 && e->reads && (events & (NET_READABLE | NET_FAILED))) {
        int64_t got = net_read(e->conn, bytes, sizeof bytes);
        if (got == ERR_AGAIN)
            break;
        if (got < 0) {
            e->error = got;
            break;
        }
        for (int i = 0; i < got; i++)
            assert_int_equal(bytes[i], pattern(e->received++));
    }
    while (e->error == 0 && e->sent < e->to_send) {
        int n = e->to_send - e->sent < (int)sizeof bytes ? e->to_send - e->sent : (int)sizeof bytes;
        for (int i = 0; i < n; i++)
            bytes[i] = pattern(e->sent + i);
        struct net_slice slices[2] = {{.data = bytes, .size = (size_t)n / 2},
                                      {.data = bytes + n / 2, .size = (size_t)(n - n / 2)}};
        int64_t sent = net_write(e->conn, slices, 2);
        if (sent == ERR_AGAIN)
            break;
        if (sent < 0)
            e->error = sent;
        else
            e->sent += (int)sent;
    }
}

static void on_ready(struct net_conn *conn, unsigned events)
{
    struct end *e = conn->user;
    e->told_failed |= (events & NET_FAILED) != 0;
    drive(e, events);
    want(e);
}

static void on_accept(struct net_listener *listener, struct net_conn *conn)
{
    struct world *w = listener->user;
    w->at_server.conn = conn;
    conn->user = &w->at_server;
    conn->ready = on_ready;
    want(&w->at_server);
}

static void begin(struct world *w, uint64_t seed)
{
    struct diag diag = {{0}};
    *w = (struct world){.at_server.reads = true, .at_client.reads = true};
    sim_init(&w->sim, seed);
    w->net = sim_net_new(&w->sim, seed);
    w->server = sim_host_add(w->net, "10.0.0.1");
    w->client = sim_host_add(w->net, "10.0.0.2");
    assert_int_equal(net_listen(sim_host_net(w->server, 0, NULL), "", PORT, &w->listener, &diag), 0);
    w->listener->accept = on_accept;
    w->listener->user = w;
}

static void connect_client(struct world *w, uint16_t port)
{
    struct diag diag = {{0}};
    struct end *e = &w->at_client;
    struct env_net *net = sim_host_net(w->client, 0, NULL);
    assert_int_equal(net_connect(net, "10.0.0.1", port, &e->conn, &diag), 0);
    e->conn->user = e;
    e->conn->ready = on_ready;
    want(e);
}

static void hang_up(struct end *e)
{
    if (e->conn != NULL)
        net_close(e->conn);
    e->conn = NULL;
}

static void end(struct world *w)
{
    hang_up(&w->at_server);
    hang_up(&w->at_client);
    if (w->listener != NULL)
        net_listener_close(w->listener);
    sim_net_free(w->net);
    sim_release(&w->sim);
}

static struct sim_weather rough(void)
{
    return (struct sim_weather){.delay_ns_min = 1000, .delay_ns_max = 50000000, .lost_per_mille = 20,
                                .split_per_mille = 700, .buffer_bytes = 3000};
}

// Returns the hash of what happened.
static uint64_t exchange(uint64_t seed)
{
    struct world w;
    begin(&w, seed);
    struct sim_weather weather = rough();
    sim_net_set_weather(w.net, &weather);
    w.at_server.to_send = w.at_client.to_send = BYTES;
    connect_client(&w, PORT);
    sim_run_for(&w.sim, 3600 * ns_per_s);
    assert_int_equal(w.at_server.received, BYTES);
    assert_int_equal(w.at_client.received, BYTES);
    assert_int_equal(w.at_client.error, 0);
    assert_string_equal(w.at_server.conn->remote.host, "10.0.0.2");
    assert_string_equal(w.at_client.conn->remote.host, "10.0.0.1");
    uint64_t hash = w.sim.hash;
    end(&w);
    return hash;
}

static void bytes_arrive_in_order_once(void **state)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        exchange(seed);
}

static void a_seed_repeats_itself(void **state)
{
    assert_true(exchange(5) == exchange(5));
    assert_true(exchange(5) != exchange(6));
}

static void who_does_not_read_stops_the_peer(void **state)
{
    struct world w;
    begin(&w, 1);
    struct sim_weather weather = sim_weather_fair();
    weather.buffer_bytes = 3000;
    sim_net_set_weather(w.net, &weather);
    w.at_client.to_send = BYTES;
    w.at_server.reads = false;
    connect_client(&w, PORT);
    sim_run_for(&w.sim, 10 * ns_per_s);
    assert_int_equal(w.at_client.sent, 3000);
    w.at_server.reads = true;
    want(&w.at_server);
    sim_run_for(&w.sim, 10 * ns_per_s);
    assert_int_equal(w.at_server.received, BYTES);
    end(&w);
}

static void an_end_comes_after_the_bytes(void **state)
{
    struct world w;
    begin(&w, 1);
    w.at_client.to_send = BYTES;
    connect_client(&w, PORT);
    while (w.at_client.sent < BYTES)
        assert_true(sim_step(&w.sim));
    hang_up(&w.at_client);
    sim_run_for(&w.sim, ns_per_s);
    assert_int_equal(w.at_server.received, BYTES);
    assert_int_equal(w.at_server.error, ERR_CLOSED);
    assert_false(w.at_server.told_failed);
    // Whoever writes then is told that nobody is there.
    w.at_server.error = 0;
    w.at_server.reads = false;
    w.at_server.to_send = 10;
    want(&w.at_server);
    sim_run_for(&w.sim, ns_per_s);
    assert_true(w.at_server.told_failed);
    end(&w);
}

static void bytes_that_nobody_read_reset(void **state)
{
    struct world w;
    begin(&w, 1);
    w.at_client.to_send = 10;
    w.at_server.reads = false;
    connect_client(&w, PORT);
    sim_run_for(&w.sim, ns_per_s);
    hang_up(&w.at_server);
    sim_run_for(&w.sim, ns_per_s);
    assert_true(w.at_client.told_failed);
    assert_int_equal(w.at_client.error, ERR_CLOSED);
    end(&w);
}

static void nobody_listens(void **state)
{
    struct world w;
    begin(&w, 1);
    connect_client(&w, PORT + 1);
    sim_run_for(&w.sim, ns_per_s);
    assert_int_equal(w.at_client.error, ERR_REFUSED);
    assert_true(w.at_client.told_failed);
    end(&w);
}

static void a_blocked_way_holds_back(void **state)
{
    struct world w;
    begin(&w, 1);
    connect_client(&w, PORT);
    sim_run_for(&w.sim, ns_per_s);
    sim_net_set_blocked(w.net, w.client, w.server, true);
    w.at_client.to_send = w.at_server.to_send = 100;
    want(&w.at_client);
    want(&w.at_server);
    sim_run_for(&w.sim, 10 * ns_per_s);
    assert_int_equal(w.at_server.received, 0);
    assert_int_equal(w.at_client.received, 100);
    sim_net_heal(w.net);
    sim_run_for(&w.sim, 10 * ns_per_s);
    assert_int_equal(w.at_server.received, 100);
    end(&w);
}

static void a_blocked_connect_waits(void **state)
{
    struct world w;
    begin(&w, 1);
    sim_net_set_blocked(w.net, w.server, w.client, true);
    connect_client(&w, PORT);
    sim_run_for(&w.sim, 10 * ns_per_s);
    assert_null(w.at_server.conn);
    sim_net_heal(w.net);
    sim_run_for(&w.sim, 10 * ns_per_s);
    assert_non_null(w.at_server.conn);
    sim_net_set_blocked(w.net, w.server, w.client, true);
    hang_up(&w.at_client);
    connect_client(&w, PORT);
    sim_run_for(&w.sim, 100 * ns_per_s);
    assert_int_equal(w.at_client.error, ERR_TIMEOUT);
    end(&w);
}

// The process that held these is gone; whoever cleans up after it.
static void clean_up_server(struct world *w)
{
    hang_up(&w->at_server);
    net_listener_close(w->listener);
    w->listener = NULL;
}

static void a_killed_process_hangs_up(void **state)
{
    struct world w;
    begin(&w, 1);
    w.at_server.to_send = 1000;
    connect_client(&w, PORT);
    while (w.at_server.sent < 1000)
        assert_true(sim_step(&w.sim));
    sim_host_kill(w.server);
    clean_up_server(&w);
    sim_run_for(&w.sim, ns_per_s);
    assert_int_equal(w.at_client.received, 1000);
    assert_int_equal(w.at_client.error, ERR_CLOSED);
    hang_up(&w.at_client);
    w.at_client = (struct end){.reads = true};
    connect_client(&w, PORT);
    sim_run_for(&w.sim, ns_per_s);
    assert_int_equal(w.at_client.error, ERR_REFUSED);
    end(&w);
}

static void a_machine_without_power_is_silent(void **state)
{
    struct world w;
    begin(&w, 1);
    connect_client(&w, PORT);
    sim_run_for(&w.sim, ns_per_s);
    sim_host_cut_power(w.server);
    clean_up_server(&w);
    sim_run_for(&w.sim, 1000 * ns_per_s);
    assert_int_equal(w.at_client.error, 0);
    w.at_client.to_send = 10;
    want(&w.at_client);
    sim_run_for(&w.sim, 10 * ns_per_s);
    assert_int_equal(w.at_client.error, 0);
    sim_host_boot(w.server);
    sim_run_for(&w.sim, 10 * ns_per_s);
    assert_true(w.at_client.told_failed);
    assert_int_equal(w.at_client.error, ERR_CLOSED);
    end(&w);
}

static void a_connection_breaks_in_the_middle(void **state)
{
    struct world w;
    begin(&w, 1);
    struct sim_weather weather = sim_weather_fair();
    weather.buffer_bytes = 2000;
    weather.reset_per_mille = 100;
    sim_net_set_weather(w.net, &weather);
    w.at_client.to_send = BYTES;
    connect_client(&w, PORT);
    sim_run_for(&w.sim, 10 * ns_per_s);
    assert_true(w.at_client.told_failed && w.at_server.told_failed);
    assert_true(w.at_server.received < BYTES);
    end(&w);
}

static void a_paused_listener_accepts_later(void **state)
{
    struct world w;
    begin(&w, 1);
    w.listener->pause(w.listener, true);
    w.at_client.to_send = 10;
    connect_client(&w, PORT);
    sim_run_for(&w.sim, ns_per_s);
    assert_null(w.at_server.conn);
    w.listener->pause(w.listener, false);
    sim_run_for(&w.sim, ns_per_s);
    assert_int_equal(w.at_server.received, 10);
    end(&w);
}

static void on_accept_detach(struct net_listener *listener, struct net_conn *conn)
{
    struct world *w = listener->user;
    w->at_server.conn = conn;
    net_detach(conn);
}

// The connection stands, but nothing happens on it, until another shard has it.
static void a_connection_moves_to_another_shard(void **state)
{
    struct world w;
    struct sim_env shards[2];
    begin(&w, 1);
    for (int i = 0; i < 2; i++)
        sim_env_init(&shards[i], &w.sim, NULL);
    sim_host_net(w.server, 0, &shards[0]);
    struct env_net *second = sim_host_net(w.server, 1, &shards[1]);
    w.listener->accept = on_accept_detach;
    w.at_client.to_send = 10;
    connect_client(&w, PORT);
    sim_run_for(&w.sim, ns_per_s);
    assert_non_null(w.at_server.conn);
    assert_int_equal(w.at_client.sent, 10);
    assert_int_equal(w.at_server.received, 0);
    struct sim_env *before = sim_enter(&shards[1]);
    assert_int_equal(net_attach(second, w.at_server.conn), 0);
    w.at_server.conn->user = &w.at_server;
    w.at_server.conn->ready = on_ready;
    want(&w.at_server);
    sim_leave(&w.sim, before);
    sim_run_for(&w.sim, ns_per_s);
    assert_int_equal(w.at_server.received, 10);
    for (int i = 0; i < 2; i++)
        sim_env_release(&shards[i]);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive_in_order_once),
        cmocka_unit_test(a_seed_repeats_itself),
        cmocka_unit_test(who_does_not_read_stops_the_peer),
        cmocka_unit_test(an_end_comes_after_the_bytes),
        cmocka_unit_test(bytes_that_nobody_read_reset),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(a_blocked_way_holds_back),
        cmocka_unit_test(a_blocked_connect_waits),
        cmocka_unit_test(a_killed_process_hangs_up),
        cmocka_unit_test(a_machine_without_power_is_silent),
        cmocka_unit_test(a_connection_breaks_in_the_middle),
        cmocka_unit_test(a_paused_listener_accepts_later),
        cmocka_unit_test(a_connection_moves_to_another_shard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

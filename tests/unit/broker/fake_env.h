// SPDX-License-Identifier: Apache-2.0
//
// An environment that a test moves by hand: a clock, timers, a mailbox, and a network of one listener
// whose peers are the test. Faults of the code under test (use after close, endless work) stop the
// process.
#pragma once

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/list.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/mailbox.h"
#include "env/net.h"
#include "env/random.h"
#include "env/timer.h"

enum { FAKE_PEERS_MAX = 16, FAKE_STEPS_MAX = 100000 };

// One connection, seen from the other side.
struct fake_peer {
    struct net_conn conn;
    struct buf input;   // sent by the peer and not read yet
    struct buf output;  // received by the peer
    size_t output_room; // what the socket still takes
    bool peer_closed;
    bool open;
    unsigned wanted;
};

struct fake_env {
    struct env env;
    struct env_clock clock;
    struct env_timers timers;
    struct env_mailbox mailbox;
    struct env_net net;
    struct env_random random;
    struct heap timer_heap;
    struct env_message *first, *last;
    int64_t now_ns;
    struct net_listener listener;
    bool listening, paused;
    struct fake_peer peers[FAKE_PEERS_MAX];
    int peer_count;
};

static inline int64_t fake_wall_ms(struct env_clock *clock)
{
    return container_of(clock, struct fake_env, clock)->now_ns / 1000000;
}

static inline int64_t fake_mono_ns(struct env_clock *clock)
{
    return container_of(clock, struct fake_env, clock)->now_ns;
}

static inline void fake_timer_set(struct env_timers *timers, struct env_timer *timer, int64_t at_ns)
{
    struct fake_env *e = container_of(timers, struct fake_env, timers);
    heap_remove(&e->timer_heap, &timer->node);
    heap_insert(&e->timer_heap, &timer->node, at_ns);
}

static inline void fake_timer_cancel(struct env_timers *timers, struct env_timer *timer)
{
    heap_remove(&container_of(timers, struct fake_env, timers)->timer_heap, &timer->node);
}

static inline void fake_post(struct env_mailbox *mailbox, struct env_message *message)
{
    struct fake_env *e = container_of(mailbox, struct fake_env, mailbox);
    message->next = NULL;
    if (e->first == NULL)
        e->first = message;
    else
        e->last->next = message;
    e->last = message;
}

static inline void fake_random(struct env_random *random, void *out, size_t size)
{
    memset(out, 7, size);
}

static inline struct fake_peer *fake_peer_of(struct net_conn *conn)
{
    struct fake_peer *p = container_of(conn, struct fake_peer, conn);
    check(p->open);
    return p;
}

static inline void fake_want(struct net_conn *conn, unsigned events)
{
    fake_peer_of(conn)->wanted = events;
}

static inline int64_t fake_read(struct net_conn *conn, void *out, size_t size)
{
    struct fake_peer *p = fake_peer_of(conn);
    if (p->input.size == 0)
        return p->peer_closed ? ERR_CLOSED : ERR_AGAIN;
    size_t n = size < p->input.size ? size : p->input.size;
    memcpy(out, p->input.data, n);
    buf_consume(&p->input, n);
    return (int64_t)n;
}

// What comes from files arrives as zeros.
static inline int64_t fake_write(struct net_conn *conn, const struct net_slice *slices, int count)
{
    struct fake_peer *p = fake_peer_of(conn);
    size_t total = 0;
    check(count > 0 && count <= NET_SLICES_MAX);
    if (p->output_room == 0)
        return ERR_AGAIN;
    for (int i = 0; i < count && p->output_room > 0; i++) {
        size_t n = slices[i].size < p->output_room ? slices[i].size : p->output_room;
        check(n > 0);
        if (slices[i].file != NULL)
            buf_append_zeros(&p->output, n);
        else
            buf_append(&p->output, slices[i].data, n);
        p->output_room -= n;
        total += n;
    }
    return (int64_t)total;
}

static inline void fake_close(struct net_conn *conn)
{
    fake_peer_of(conn)->open = false;
}

static inline void fake_listener_close(struct net_listener *listener)
{
    container_of(listener, struct fake_env, listener)->listening = false;
}

static inline void fake_listener_pause(struct net_listener *listener, bool paused)
{
    container_of(listener, struct fake_env, listener)->paused = paused;
}

// Port 1 is always taken.
static inline int fake_listen(struct env_net *net, const char *host, uint16_t port,
                              struct net_listener **out, struct diag *diag)
{
    struct fake_env *e = container_of(net, struct fake_env, net);
    if (port == 1)
        return diag_set(diag, ERR_BUSY, "port 1 is in use");
    e->listener = (struct net_listener){.close = fake_listener_close, .pause = fake_listener_pause};
    str_copy_to(str_from(host), e->listener.local.host, NET_ADDRESS_TEXT_MAX);
    e->listener.local.port = port;
    e->listening = true;
    *out = &e->listener;
    return 0;
}

static inline void fake_env_init(struct fake_env *e)
{
    *e = (struct fake_env){
        .clock = {fake_wall_ms, fake_mono_ns},
        .timers = {fake_timer_set, fake_timer_cancel},
        .mailbox = {fake_post},
        .net = {.listen = fake_listen},
        .random = {fake_random},
        .now_ns = 1000000000,
    };
    heap_init(&e->timer_heap);
    e->env = (struct env){.clock = &e->clock, .timers = &e->timers, .net = &e->net,
                          .random = &e->random, .mailbox = &e->mailbox};
}

// Everything made through it must be closed.
static inline void fake_env_release(struct fake_env *e)
{
    check(e->first == NULL && heap_min(&e->timer_heap) == NULL);
    for (int i = 0; i < e->peer_count; i++) {
        check(!e->peers[i].open);
        buf_release(&e->peers[i].input);
        buf_release(&e->peers[i].output);
    }
    heap_release(&e->timer_heap);
}

static inline bool fake_env_run_messages(struct fake_env *e)
{
    bool busy = e->first != NULL;
    while (e->first != NULL) {
        struct env_message *m = e->first;
        e->first = m->next;
        m->receive(m);
    }
    return busy;
}

static inline bool fake_peer_run(struct fake_peer *p)
{
    static const unsigned both = NET_READABLE | NET_WRITABLE;
    unsigned possible = 0;
    if (!p->open)
        return false;
    if (p->input.size > 0 || p->peer_closed)
        possible |= NET_READABLE;
    if (p->output_room > 0)
        possible |= NET_WRITABLE;
    check((p->wanted & ~both) == 0);
    if ((p->wanted & possible) == 0)
        return false;
    p->conn.ready(&p->conn, p->wanted & possible);
    return true;
}

// Runs until nothing is left to do: messages, and events of connections that want them.
static inline void fake_env_settle(struct fake_env *e)
{
    bool busy = true;
    for (int steps = 0; busy; steps++) {
        check(steps < FAKE_STEPS_MAX); // something spins
        busy = fake_env_run_messages(e);
        for (int i = 0; i < e->peer_count; i++)
            busy |= fake_peer_run(&e->peers[i]);
    }
}

static inline void fake_env_pass_ms(struct fake_env *e, int64_t ms)
{
    int64_t end_ns = e->now_ns + ms * 1000000;
    struct heap_node *node;
    while ((node = heap_min(&e->timer_heap)) != NULL && node->key <= end_ns) {
        struct env_timer *timer = container_of(node, struct env_timer, node);
        e->now_ns = node->key > e->now_ns ? node->key : e->now_ns;
        heap_remove(&e->timer_heap, node);
        timer->fire(timer);
        fake_env_settle(e);
    }
    e->now_ns = end_ns;
}

// A new connection to the listener.
static inline struct fake_peer *fake_env_dial(struct fake_env *e, const char *host)
{
    check(e->peer_count < FAKE_PEERS_MAX);
    struct fake_peer *p = &e->peers[e->peer_count++];
    static const struct net_conn_ops ops = {fake_want, fake_read, fake_write, fake_close};
    *p = (struct fake_peer){.conn.ops = &ops, .output_room = SIZE_MAX, .open = true};
    str_copy_to(str_from(host), p->conn.remote.host, NET_ADDRESS_TEXT_MAX);
    p->conn.remote.port = (uint16_t)(50000 + e->peer_count);
    p->conn.local = e->listener.local;
    buf_init(&p->input, 100 << 20);
    buf_init(&p->output, 100 << 20);
    e->listener.accept(&e->listener, &p->conn);
    fake_env_settle(e);
    return p;
}

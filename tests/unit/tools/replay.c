// SPDX-License-Identifier: Apache-2.0
#include "replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/prng.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/net.h"
#include "env/random.h"
#include "env/timer.h"
#include "env/work.h"
#include "wire/api_keys.h"

enum { LINE_MAX_SIZE = 1 << 20, WALL_START_S = 1700000000 };

static const int64_t VIRTUAL_NS_MAX = INT64_C(600) * 1000000000;

// An answer: what stands behind the correlation id.
struct answer {
    struct list_node node;
    int32_t key;
    int32_t version;
    uint8_t *data;
    size_t size;
};

struct replay_conn {
    struct net_conn conn;
    struct list_node node;
    struct replay *replay;
    unsigned want;
    bool announced; // that it stands
    struct buf in;  // from the command
    struct buf out; // to the command
};

struct replay {
    struct host host;
    struct env env;
    struct env_clock clock;
    struct env_timers timers;
    struct env_workers workers;
    struct env_net net;
    struct env_random random;
    struct heap heap;
    struct prng prng;
    int64_t now_ns;
    bool nobody;
    struct list answers;
    struct list conns;
    struct env_work *work;
    const char *input;
};

// --- Time, randomness, work ---

static int64_t wall_ms(struct env_clock *clock)
{
    struct replay *r = container_of(clock, struct replay, clock);
    return WALL_START_S * INT64_C(1000) + r->now_ns / 1000000;
}

static int64_t mono_ns(struct env_clock *clock)
{
    return container_of(clock, struct replay, clock)->now_ns;
}

static void timer_set(struct env_timers *timers, struct env_timer *timer, int64_t at_ns)
{
    struct replay *r = container_of(timers, struct replay, timers);
    heap_remove(&r->heap, &timer->node);
    heap_insert(&r->heap, &timer->node, at_ns);
}

static void timer_cancel(struct env_timers *timers, struct env_timer *timer)
{
    heap_remove(&container_of(timers, struct replay, timers)->heap, &timer->node);
}

static void random_fill(struct env_random *random, void *out, size_t size)
{
    struct replay *r = container_of(random, struct replay, random);
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)prng_next(&r->prng);
}

static void work_submit(struct env_workers *workers, struct env_work *work)
{
    struct replay *r = container_of(workers, struct replay, workers);
    assert_null(r->work);
    r->work = work;
}

// --- Network ---

// Answers the first whole request that came in; false when there is none.
static bool answer_one(struct replay_conn *c)
{
    if (c->in.size < 12)
        return false;
    size_t size = be32_load(c->in.data);
    if (c->in.size < size + 4)
        return false;
    int key = (int16_t)be16_load(c->in.data + 4);
    int version = (int16_t)be16_load(c->in.data + 6);
    uint32_t correlation_id = be32_load(c->in.data + 8);
    buf_consume(&c->in, size + 4);
    list_for_each (n, next, &c->replay->answers) {
        struct answer *a = container_of(n, struct answer, node);
        if (a->key != key || a->version != version)
            continue;
        buf_append_be32(&c->out, (uint32_t)a->size + 4);
        buf_append_be32(&c->out, correlation_id);
        buf_append(&c->out, a->data, a->size);
        if (key == API_API_VERSIONS)
            break; // the same for every connection
        list_remove(n);
        mem_free(a->data);
        mem_free(a);
        break;
    }
    return true; // a request without a recorded answer waits for ever
}

static void conn_want(struct net_conn *conn, unsigned events)
{
    container_of(conn, struct replay_conn, conn)->want = events;
}

static int64_t conn_read(struct net_conn *conn, void *out, size_t size)
{
    struct replay_conn *c = container_of(conn, struct replay_conn, conn);
    if (c->replay->nobody)
        return ERR_REFUSED;
    if (c->out.size == 0)
        return ERR_AGAIN;
    size_t take = size < c->out.size ? size : c->out.size;
    memcpy(out, c->out.data, take);
    buf_consume(&c->out, take);
    return (int64_t)take;
}

static int64_t conn_write(struct net_conn *conn, const struct net_slice *slices, int count)
{
    struct replay_conn *c = container_of(conn, struct replay_conn, conn);
    int64_t total = 0;
    for (int i = 0; i < count; i++) {
        buf_append(&c->in, slices[i].data, slices[i].size);
        total += (int64_t)slices[i].size;
    }
    while (answer_one(c))
        ;
    return total;
}

static void conn_close(struct net_conn *conn)
{
    struct replay_conn *c = container_of(conn, struct replay_conn, conn);
    list_remove(&c->node);
    buf_release(&c->in);
    buf_release(&c->out);
    mem_free(c);
}

static const struct net_conn_ops conn_ops = {
    .want = conn_want, .read = conn_read, .write = conn_write, .close = conn_close};

static int net_connect_fake(struct env_net *net, const char *host, uint16_t port,
                            struct net_conn **out, struct diag *diag)
{
    struct replay *r = container_of(net, struct replay, net);
    struct replay_conn *c = mem_new(struct replay_conn);
    c->conn.ops = &conn_ops;
    c->replay = r;
    buf_init(&c->in, 1 << 30);
    buf_init(&c->out, 1 << 30);
    list_append(&r->conns, &c->node);
    *out = &c->conn;
    return 0;
}

static bool turn_conn(struct replay_conn *c)
{
    if (!c->announced || (c->want & NET_WRITABLE)) {
        c->announced = true;
        c->conn.ready(&c->conn, NET_WRITABLE);
        return true;
    }
    if (c->out.size > 0 && (c->want & NET_READABLE)) {
        c->conn.ready(&c->conn, NET_READABLE);
        return true;
    }
    return false;
}

static void turn(struct host *host)
{
    struct replay *r = container_of(host, struct replay, host);
    list_for_each (n, next, &r->conns)
        if (turn_conn(container_of(n, struct replay_conn, node)))
            return;
    if (r->work != NULL) {
        struct env_work *work = r->work;
        r->work = NULL;
        work->run(work);
        work->done(work);
        return;
    }
    struct heap_node *first = heap_min(&r->heap);
    if (first == NULL)
        fail_msg("the command waits for ever");
    if (r->now_ns > VIRTUAL_NS_MAX)
        fail_msg("the command tries for ever");
    r->now_ns = first->key > r->now_ns ? first->key : r->now_ns;
    heap_remove(&r->heap, first);
    struct env_timer *timer = container_of(first, struct env_timer, node);
    timer->fire(timer);
}

// --- The host ---

static struct env *host_env(struct host *host, struct diag *diag)
{
    return &container_of(host, struct replay, host)->env;
}

static int64_t read_input(struct host *host, void *out, size_t size)
{
    struct replay *r = container_of(host, struct replay, host);
    size_t take = r->input != NULL ? strlen(r->input) : 0;
    take = take < size ? take : size;
    if (take > 0)
        memcpy(out, r->input, take);
    r->input = NULL;
    return (int64_t)take;
}

static int catch_stop(struct host *host, void (*on_stop)(void *context), void *context,
                      struct diag *diag)
{
    return 0;
}

static const char *no_getenv(struct host *host, const char *name)
{
    return NULL;
}

static uint8_t digit(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void load(struct replay *r, const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s is missing", path);
    char *line = mem_alloc(LINE_MAX_SIZE);
    while (fgets(line, LINE_MAX_SIZE, file) != NULL) {
        struct answer *a = mem_new(struct answer);
        struct str hex = str_trim(str_from(line));
        assert_true(str_parse_i32(str_cut(&hex, ' '), &a->key));
        assert_true(str_parse_i32(str_cut(&hex, ' '), &a->version));
        a->size = hex.size / 2;
        a->data = mem_alloc(a->size + 1);
        for (size_t i = 0; i < a->size; i++)
            a->data[i] = (uint8_t)(digit(hex.data[2 * i]) << 4 | digit(hex.data[2 * i + 1]));
        list_append(&r->answers, &a->node);
    }
    mem_free(line);
    fclose(file);
}

struct replay *replay_new(const char *frames)
{
    struct replay *r = mem_new(struct replay);
    r->host = (struct host){.env = host_env,
                            .turn = turn,
                            .read_input = read_input,
                            .catch_stop = catch_stop,
                            .getenv = no_getenv};
    r->clock = (struct env_clock){.wall_ms = wall_ms, .mono_ns = mono_ns};
    r->timers = (struct env_timers){.set = timer_set, .cancel = timer_cancel};
    r->workers = (struct env_workers){.submit = work_submit};
    r->net = (struct env_net){.connect = net_connect_fake};
    r->random = (struct env_random){.fill = random_fill};
    r->env = (struct env){.clock = &r->clock,
                          .timers = &r->timers,
                          .workers = &r->workers,
                          .net = &r->net,
                          .random = &r->random};
    heap_init(&r->heap);
    prng_init(&r->prng, 1);
    list_init(&r->answers);
    list_init(&r->conns);
    r->nobody = frames == NULL;
    if (frames != NULL)
        load(r, frames);
    return r;
}

void replay_free(struct replay *r)
{
    struct list_node *n;
    while ((n = list_first(&r->conns)) != NULL)
        conn_close(&container_of(n, struct replay_conn, node)->conn);
    while ((n = list_pop(&r->answers)) != NULL) {
        struct answer *a = container_of(n, struct answer, node);
        mem_free(a->data);
        mem_free(a);
    }
    heap_release(&r->heap);
    mem_free(r);
}

struct host *replay_host(struct replay *r)
{
    return &r->host;
}

void replay_set_input(struct replay *r, const char *text)
{
    r->input = text;
}


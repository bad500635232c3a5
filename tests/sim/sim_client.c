// SPDX-License-Identifier: Apache-2.0
#include "sim_client.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"

enum { SLICES_MAX = 16, READS_MAX = 16 };

// One connection of the client.
struct socket {
    struct sim_client *owner;
    struct net_conn *conn; // NULL = none
    int link;
    bool connected;
    bool blocked; // the last write did not take everything
};

struct sim_client {
    struct sim_env env;
    struct client *client;
    struct sim_client_user user;
    struct env_timer timer;
    struct socket **sockets; // by link
    int socket_count;
    bool driving;
    uint8_t scratch[RPC_SCRATCH_BYTES];
};

struct client *sim_client_get(struct sim_client *c)
{
    return c->client;
}

int64_t sim_client_now_ms(const struct sim_client *c)
{
    return env_mono_ms(c->env.env.clock);
}

// ---- Sockets ----

static void drive(struct sim_client *c);

static struct socket *socket_of(struct sim_client *c, int link)
{
    while (c->socket_count <= link) {
        c->sockets = mem_resize(c->sockets, (size_t)(c->socket_count + 1) * sizeof *c->sockets);
        c->sockets[c->socket_count] = mem_new(struct socket);
        *c->sockets[c->socket_count] = (struct socket){.owner = c, .link = c->socket_count};
        c->socket_count++;
    }
    return c->sockets[link];
}

static void socket_close(struct socket *s)
{
    if (s->conn != NULL)
        net_close(s->conn);
    s->conn = NULL;
}

static void socket_failed(struct socket *s, int64_t err)
{
    socket_close(s);
    client_on_closed(s->owner->client, s->link, err_text((int)err), sim_client_now_ms(s->owner));
}

static void socket_read(struct socket *s)
{
    struct sim_client *c = s->owner;
    for (int i = 0; i < READS_MAX && s->conn != NULL; i++) {
        uint8_t *at;
        size_t room;
        client_space(c->client, s->link, c->scratch, sizeof c->scratch, &at, &room);
        int64_t got = net_read(s->conn, at, room);
        if (got == ERR_AGAIN)
            return;
        if (got <= 0) {
            socket_failed(s, got == 0 ? ERR_CLOSED : got);
            return;
        }
        client_on_received(c->client, s->link, at, (size_t)got, sim_client_now_ms(c));
    }
}

static void socket_write(struct socket *s)
{
    struct sim_client *c = s->owner;
    while (s->conn != NULL && s->connected && !s->blocked) {
        struct rpc_slice from[SLICES_MAX];
        struct net_slice slices[SLICES_MAX];
        int count = client_slices(c->client, s->link, from, SLICES_MAX);
        if (count == 0)
            return;
        for (int i = 0; i < count; i++)
            slices[i] = (struct net_slice){.data = from[i].data, .size = from[i].size};
        int64_t sent = net_write(s->conn, slices, count);
        if (sent == ERR_AGAIN) {
            s->blocked = true;
            net_want(s->conn, NET_READABLE | NET_WRITABLE);
        } else if (sent < 0) {
            socket_failed(s, sent);
        } else {
            client_sent(c->client, s->link, (size_t)sent);
        }
    }
}

static void socket_ready(struct net_conn *conn, unsigned events)
{
    struct socket *s = conn->user;
    struct sim_client *c = s->owner;
    if (!s->connected) {
        int64_t got = net_read(conn, c->scratch, 0); // a connection that failed says so
        if (got == ERR_AGAIN)
            return;
        if (got < 0) {
            socket_failed(s, got);
            drive(c);
            return;
        }
        s->connected = true;
        client_on_connected(c->client, s->link, sim_client_now_ms(c));
    }
    if (events & NET_WRITABLE)
        s->blocked = false;
    if (events & (NET_READABLE | NET_FAILED))
        socket_read(s);
    socket_write(s);
    if (s->conn != NULL && !s->blocked)
        net_want(s->conn, NET_READABLE);
    drive(c);
}

static void socket_connect(struct sim_client *c, const struct client_effect *effect)
{
    struct socket *s = socket_of(c, effect->link);
    struct diag diag = {{0}};
    check(s->conn == NULL);
    *s = (struct socket){.owner = c, .link = effect->link};
    int err = net_connect(c->env.env.net, effect->host, effect->port, &s->conn, &diag);
    check(err == 0); // clients do not die here
    s->conn->ready = socket_ready;
    s->conn->user = s;
    net_want(s->conn, NET_WRITABLE);
}

// ---- Driving ----

static void set_timer(struct sim_client *c, int64_t now_ms)
{
    int64_t next_ms = client_next_ms(c->client);
    if (c->user.next_ms != NULL) {
        int64_t user_ms = c->user.next_ms(c->user.user);
        next_ms = user_ms < next_ms ? user_ms : next_ms;
    }
    if (next_ms == INT64_MAX) {
        env_timer_cancel(c->env.env.timers, &c->timer);
        return;
    }
    // Never in the same moment again: time has to go on.
    int64_t at_ns = next_ms > now_ms ? next_ms * 1000000 : env_mono_ns(c->env.env.clock) + 100000;
    env_timer_set(c->env.env.timers, &c->timer, at_ns);
}

static void drive(struct sim_client *c)
{
    if (c->driving)
        return;
    c->driving = true;
    int64_t now_ms = sim_client_now_ms(c);
    if (c->user.step != NULL)
        c->user.step(c->user.user, now_ms);
    client_step(c->client, now_ms);
    struct client_effect effect;
    while (client_next_effect(c->client, &effect)) {
        if (effect.kind == CLIENT_CONNECT)
            socket_connect(c, &effect);
        else
            socket_close(socket_of(c, effect.link));
    }
    for (int i = 0; i < c->socket_count; i++)
        socket_write(c->sockets[i]);
    set_timer(c, now_ms);
    c->driving = false;
}

static void on_timer(struct env_timer *timer)
{
    drive(container_of(timer, struct sim_client, timer));
}

void sim_client_wake(struct sim_client *c)
{
    if (!c->driving)
        env_timer_set(c->env.env.timers, &c->timer, env_mono_ns(c->env.env.clock) + 1);
}

// ---- Life ----

struct sim_client *sim_client_new(struct sim *sim, struct sim_host *host,
                                  const struct client_options *options, const char *bootstrap,
                                  const struct sim_client_user *user)
{
    struct sim_client *c = mem_new(struct sim_client);
    struct diag diag = {{0}};
    sim_env_init(&c->env, sim, NULL);
    c->env.env.net = sim_host_net(host, 0, &c->env);
    int err = client_new(options, str_from(bootstrap), &c->client, &diag);
    check(err == 0);
    c->user = *user;
    c->timer.fire = on_timer;
    sim_client_wake(c);
    return c;
}

void sim_client_free(struct sim_client *c)
{
    check(!c->driving);
    c->driving = true; // what the client completes now starts nothing
    client_free(c->client);
    for (int i = 0; i < c->socket_count; i++) {
        socket_close(c->sockets[i]);
        mem_free(c->sockets[i]);
    }
    mem_free(c->sockets);
    sim_env_release(&c->env);
    mem_free(c);
}

// SPDX-License-Identifier: Apache-2.0
//
// A connection is two ends. What one has written travels as segments in the list of the other,
// which owns them; an end that was closed is gone at once, and the other learns it from the last
// segment in its list, or, if that never comes, when it sends.
#include "sim_net.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "env/fs.h"

enum {
    HOSTS_MAX = 32,
    SHARDS_MAX = 8,
    SEGMENT_BYTES_MAX = 8 << 10,
    EPHEMERAL_PORT_FIRST = 32768,
    CONN_MAGIC = 0x73636f6e,
};

static const int64_t ns_per_ms = 1000000;
static const int64_t resend_ns_min = INT64_C(200000000);
static const int64_t resend_ns_max = INT64_C(2000000000);
static const int64_t give_up_ns = INT64_C(60000000000); // for whoever gets no answer at all

enum segment_kind { SEGMENT_DATA, SEGMENT_FIN, SEGMENT_RESET };

struct segment {
    struct list_node node;
    enum segment_kind kind;
    int64_t arrives_ns;
    size_t size;
    size_t taken; // by reads
    uint8_t data[];
};

// What one shard of the process that runs on a host has of the network.
struct shard_net {
    struct env_net env_net;
    struct sim_host *host;
    struct sim_env *env; // NULL: nobody's
};

struct sim_host {
    struct shard_net shards[SHARDS_MAX];
    struct sim_net *net;
    int number;
    char address[NET_ADDRESS_TEXT_MAX];
    bool process_runs;
    bool machine_runs;
    bool (*is_dead)(void *owner);
    void *owner;
    struct list conns;     // struct conn, by in_host
    struct list listeners; // struct listener, by in_host
    uint16_t port_next;
};

struct listener {
    struct net_listener listener;
    struct sim_host *host;
    struct shard_net *at;
    struct list_node in_host;
    struct list backlog; // struct conn, by in_backlog
    struct sim_event accepting;
    bool paused;
    bool orphaned; // its process has ended
};

// One end.
struct conn {
    struct net_conn conn;
    unsigned magic;
    struct sim_net *net;
    struct sim_host *host;        // where it is
    struct shard_net *at;         // and on which shard; NULL between two
    struct sim_host *remote_host; // NULL: no such host
    struct conn *peer;            // NULL: gone
    struct list_node in_host;
    struct list_node in_backlog;
    struct list_node in_corpses;
    struct list coming;   // segments on their way to here
    struct list received; // segments to be read
    int64_t coming_bytes; // of data in both lists
    int64_t last_arrival_ns;
    int64_t silent_since_ns; // got no answer to what it sent since then; -1
    unsigned wanted;
    bool connecting;
    bool ended;  // the peer sends no more
    bool failed; // and then it has no peer
    bool failure_told;
    bool closed;
    bool orphaned; // its process has ended
    bool spurious; // is going to be called without a cause
    int error;
    struct sim_event arrival;
    struct sim_event call;
    struct sim_event probe; // of a connect, or of a peer that is gone
};

struct sim_net {
    struct sim *sim;
    struct prng prng;
    struct sim_weather weather;
    struct sim_host *hosts[HOSTS_MAX];
    int host_count;
    bool blocked[HOSTS_MAX][HOSTS_MAX];
    struct list corpses; // struct conn that were closed, by in_corpses
    struct sim_event burial;
    int open_count;
};

// ---- Chance ----

static bool chance(struct sim_net *net, unsigned per_mille)
{
    return per_mille > 0 && prng_chance(&net->prng, per_mille, 1000);
}

static int64_t between(struct sim_net *net, int64_t low, int64_t high)
{
    return low + (int64_t)prng_below(&net->prng, (uint64_t)(high - low) + 1);
}

static int64_t delay(struct sim_net *net)
{
    return between(net, net->weather.delay_ns_min, net->weather.delay_ns_max);
}

static int64_t resend_delay(struct sim_net *net)
{
    return between(net, resend_ns_min, resend_ns_max);
}

// Any part of it (at least 1), or all.
static size_t part(struct sim_net *net, size_t size)
{
    return size > 1 && chance(net, net->weather.split_per_mille)
               ? 1 + (size_t)prng_below(&net->prng, size)
               : size;
}

// ---- Shards ----

static void check_thread(const struct shard_net *at)
{
    check(at != NULL);
    if (at->env != NULL)
        sim_env_check_thread(at->env);
}

static struct sim_env *enter(struct sim *sim, const struct shard_net *at)
{
    return at->env != NULL ? sim_enter(at->env) : sim->current;
}

static bool reaches(const struct sim_net *net, const struct sim_host *from,
                    const struct sim_host *to)
{
    return to != NULL && from->machine_runs && to->machine_runs &&
           !net->blocked[from->number][to->number];
}

// ---- Segments ----

static void segments_free(struct list *segments)
{
    struct list_node *node;
    while ((node = list_pop(segments)) != NULL)
        mem_free(container_of(node, struct segment, node));
}

// Puts a segment on its way to `to`. `not_before_ns`: what was sent before arrives before.
static void send_segment(struct conn *to, enum segment_kind kind, const void *data, size_t size)
{
    struct sim_net *net = to->net;
    struct segment *s = mem_alloc(sizeof *s + size);
    *s = (struct segment){.kind = kind, .size = size};
    if (size > 0)
        memcpy(s->data, data, size);
    int64_t travels_ns =
        delay(net) + (chance(net, net->weather.lost_per_mille) ? resend_delay(net) : 0);
    s->arrives_ns = net->sim->now_ns + travels_ns;
    if (s->arrives_ns < to->last_arrival_ns)
        s->arrives_ns = to->last_arrival_ns;
    to->last_arrival_ns = s->arrives_ns;
    list_append(&to->coming, &s->node);
    to->coming_bytes += (int64_t)size;
    if (!sim_event_is_set(&to->arrival))
        sim_event_set(net->sim, &to->arrival, s->arrives_ns - net->sim->now_ns);
}

static int64_t room_at(const struct conn *c)
{
    int64_t room = c->net->weather.buffer_bytes - c->coming_bytes;
    return room > 0 ? room : 0;
}

// ---- Events of an end ----

static unsigned available(const struct conn *c)
{
    if (c->failed)
        return NET_READABLE | NET_WRITABLE;
    if (c->connecting)
        return 0;
    unsigned events = c->spurious ? NET_READABLE | NET_WRITABLE : 0;
    if (!list_empty(&c->received) || c->ended)
        events |= NET_READABLE;
    if (c->peer == NULL ? c->silent_since_ns < 0 : room_at(c->peer) > 0)
        events |= NET_WRITABLE;
    return events;
}

static void schedule(struct conn *c)
{
    if (c->closed || c->orphaned || c->at == NULL || list_linked(&c->in_backlog) ||
        sim_event_is_set(&c->call))
        return;
    bool due = (c->wanted & available(c)) != 0 || (c->failed && !c->failure_told);
    if (due)
        sim_event_set(c->net->sim, &c->call, between(c->net, 1, 20000));
}

static bool process_is_dead(const struct sim_host *host)
{
    return !host->process_runs || (host->is_dead != NULL && host->is_dead(host->owner));
}

static void on_call(struct sim_event *event)
{
    struct conn *c = container_of(event, struct conn, call);
    unsigned events = c->wanted & available(c);
    c->spurious = false;
    if (c->failed && !c->failure_told) {
        c->failure_told = true;
        events |= NET_FAILED;
    }
    if (events == 0 || c->conn.ready == NULL || process_is_dead(c->host))
        return;
    sim_note(c->net->sim,
             (uint64_t)c->conn.local.port << 32 | (uint64_t)c->host->number << 8 | events);
    struct sim_env *before = enter(c->net->sim, c->at);
    c->conn.ready(&c->conn, events);
    sim_leave(c->net->sim, before);
    if (!c->closed && chance(c->net, c->net->weather.split_per_mille / 8))
        c->spurious = true;
    schedule(c);
}

static void forget_peer(struct conn *c)
{
    if (c->peer != NULL)
        c->peer->peer = NULL;
    c->peer = NULL;
}

static void fail(struct conn *c, int error)
{
    c->connecting = false;
    c->failed = true;
    c->error = error;
    segments_free(&c->coming);
    segments_free(&c->received);
    c->coming_bytes = 0;
    sim_event_cancel(c->net->sim, &c->arrival);
    sim_event_cancel(c->net->sim, &c->probe);
    schedule(c);
}

static void on_arrival(struct sim_event *event)
{
    struct conn *c = container_of(event, struct conn, arrival);
    struct sim_net *net = c->net;
    struct list_node *node = list_first(&c->coming);
    struct segment *s = container_of(node, struct segment, node);
    if (net->blocked[c->remote_host->number][c->host->number]) {
        sim_event_set(net->sim, event, resend_delay(net));
        return;
    }
    list_remove(node);
    sim_note(net->sim, (uint64_t)s->kind << 32 | c->conn.local.port);
    sim_note_bytes(net->sim, s->data, s->size);
    if (s->kind == SEGMENT_DATA) {
        list_append(&c->received, &s->node);
    } else {
        bool reset = s->kind == SEGMENT_RESET;
        c->ended = true;
        mem_free(s);
        if (reset) {
            fail(c, ERR_CLOSED);
            return;
        }
    }
    node = list_first(&c->coming);
    if (node != NULL) {
        int64_t at_ns = container_of(node, struct segment, node)->arrives_ns;
        sim_event_set(net->sim, event, at_ns > net->sim->now_ns ? at_ns - net->sim->now_ns : 0);
    }
    schedule(c);
}

// Sends again to a peer that is gone: the machine says that it knows nothing of the connection, if
// it hears.
static void on_probe(struct sim_event *event)
{
    struct conn *c = container_of(event, struct conn, probe);
    struct sim_net *net = c->net;
    if (reaches(net, c->host, c->remote_host) && reaches(net, c->remote_host, c->host))
        fail(c, ERR_CLOSED);
    else if (net->sim->now_ns - c->silent_since_ns > give_up_ns)
        fail(c, ERR_TIMEOUT);
    else
        sim_event_set(net->sim, event, resend_delay(net));
}

// ---- The calls of a connection ----

static struct conn *conn_of(struct net_conn *conn)
{
    struct conn *c = container_of(conn, struct conn, conn);
    check(c->magic == CONN_MAGIC && !c->closed);
    check_thread(c->at);
    return c;
}

static void conn_want(struct net_conn *conn, unsigned events)
{
    struct conn *c = conn_of(conn);
    c->wanted = events & (NET_READABLE | NET_WRITABLE);
    schedule(c);
}

static void on_room(struct conn *reader)
{
    if (reader->peer != NULL)
        schedule(reader->peer);
}

static int64_t conn_read(struct net_conn *conn, void *out, size_t size)
{
    struct conn *c = conn_of(conn);
    struct list_node *node;
    size_t got = 0;
    if (process_is_dead(c->host))
        return ERR_CLOSED;
    if (c->failed)
        return c->error;
    if (c->connecting)
        return ERR_AGAIN;
    if (size == 0)
        return 0;
    if (!list_empty(&c->received) && chance(c->net, c->net->weather.split_per_mille / 8)) {
        schedule(c);
        return ERR_AGAIN; // it comes a moment later
    }
    size = part(c->net, size);
    while (got < size && (node = list_first(&c->received)) != NULL) {
        struct segment *s = container_of(node, struct segment, node);
        size_t n = s->size - s->taken < size - got ? s->size - s->taken : size - got;
        memcpy((uint8_t *)out + got, s->data + s->taken, n);
        s->taken += n;
        got += n;
        if (s->taken == s->size) {
            list_remove(node);
            mem_free(s);
        }
    }
    c->coming_bytes -= (int64_t)got;
    if (got > 0) {
        on_room(c);
        return (int64_t)got;
    }
    return c->ended ? ERR_CLOSED : ERR_AGAIN;
}

// Gathers up to `size` bytes of what is to be sent: the bytes, or an error if there are none.
static int64_t gather(const struct net_slice *slices, int count, uint8_t *out, size_t size)
{
    size_t at = 0;
    for (int i = 0; i < count && at < size; i++) {
        size_t n = slices[i].size < size - at ? slices[i].size : size - at;
        int64_t got = (int64_t)n;
        if (slices[i].file != NULL)
            got = fs_file_read(slices[i].file, out + at, n, slices[i].position);
        else if (n > 0)
            memcpy(out + at, slices[i].data, n);
        if (got > 0)
            at += (size_t)got;
        if (got != (int64_t)n)
            return at > 0 ? (int64_t)at : got < 0 ? got : ERR_TRUNCATED;
    }
    return (int64_t)at;
}

// Cuts it into segments, one of which may be the end of the connection.
static void send_data(struct conn *c, const uint8_t *data, size_t size)
{
    struct sim_net *net = c->net;
    while (size > 0 && c->peer != NULL) {
        size_t n = size < SEGMENT_BYTES_MAX ? size : SEGMENT_BYTES_MAX;
        n = part(net, n);
        send_segment(c->peer, SEGMENT_DATA, data, n);
        data += n;
        size -= n;
        if (chance(net, net->weather.reset_per_mille)) {
            send_segment(c->peer, SEGMENT_RESET, NULL, 0);
            send_segment(c, SEGMENT_RESET, NULL, 0);
            forget_peer(c);
        }
    }
}

// The peer is gone: what is sent finds nobody.
static int64_t send_into_void(struct conn *c, size_t size)
{
    struct sim_net *net = c->net;
    if (c->silent_since_ns >= 0)
        return ERR_AGAIN;
    c->silent_since_ns = net->sim->now_ns;
    sim_event_set(net->sim, &c->probe, 2 * delay(net));
    return (int64_t)size;
}

static int64_t conn_write(struct net_conn *conn, const struct net_slice *slices, int count)
{
    struct conn *c = conn_of(conn);
    size_t size = 0;
    if (process_is_dead(c->host))
        return ERR_CLOSED;
    if (c->failed)
        return c->error;
    if (c->connecting)
        return ERR_AGAIN;
    for (int i = 0; i < count; i++)
        size += slices[i].size;
    if (c->peer == NULL)
        return send_into_void(c, size);
    if (size > (size_t)room_at(c->peer))
        size = (size_t)room_at(c->peer);
    if (size == 0)
        return ERR_AGAIN;
    size = part(c->net, size);
    uint8_t *bytes = mem_alloc(size);
    int64_t n = gather(slices, count, bytes, size);
    if (n > 0)
        send_data(c, bytes, (size_t)n);
    mem_free(bytes);
    return n;
}

static void on_burial(struct sim_event *event)
{
    struct sim_net *net = container_of(event, struct sim_net, burial);
    struct list_node *node;
    while ((node = list_pop(&net->corpses)) != NULL) {
        struct conn *c = container_of(node, struct conn, in_corpses);
        c->magic = 0;
        mem_free(c);
    }
}

// Lets go of the other end, which hears of it as a kernel would tell.
static void leave(struct conn *c)
{
    struct conn *peer = c->peer;
    bool unread = !list_empty(&c->received) || !list_empty(&c->coming);
    if (peer != NULL && !c->failed)
        send_segment(peer, unread ? SEGMENT_RESET : SEGMENT_FIN, NULL, 0);
    forget_peer(c);
}

static void let_go(struct conn *c)
{
    struct sim *sim = c->net->sim;
    forget_peer(c);
    segments_free(&c->coming);
    segments_free(&c->received);
    sim_event_cancel(sim, &c->arrival);
    sim_event_cancel(sim, &c->call);
    sim_event_cancel(sim, &c->probe);
    list_remove(&c->in_host);
    list_remove(&c->in_backlog);
}

static void conn_close(struct net_conn *conn)
{
    struct conn *c = conn_of(conn);
    if (!c->orphaned)
        leave(c);
    c->closed = true;
    let_go(c);
    c->net->open_count--;
    list_append(&c->net->corpses, &c->in_corpses);
    sim_event_set(c->net->sim, &c->net->burial, 0);
}

static void conn_detach(struct net_conn *conn)
{
    struct conn *c = conn_of(conn);
    check(c->wanted == 0);
    sim_event_cancel(c->net->sim, &c->call);
    c->at = NULL;
}

static const struct net_conn_ops conn_ops = {
    .want = conn_want,
    .read = conn_read,
    .write = conn_write,
    .close = conn_close,
    .detach = conn_detach,
};

static int attach_to(struct env_net *env_net, struct net_conn *conn)
{
    struct shard_net *at = container_of(env_net, struct shard_net, env_net);
    struct conn *c = container_of(conn, struct conn, conn);
    check(c->magic == CONN_MAGIC && !c->closed && c->at == NULL && c->host == at->host);
    check_thread(at);
    c->at = at;
    if (process_is_dead(c->host))
        return ERR_CLOSED;
    schedule(c);
    return chance(c->net, c->net->weather.reset_per_mille) ? ERR_IO : 0;
}

static struct conn *conn_new(struct shard_net *at, struct sim_host *remote_host)
{
    struct sim_host *host = at->host;
    struct conn *c = mem_new(struct conn);
    c->conn.ops = &conn_ops;
    c->magic = CONN_MAGIC;
    c->net = host->net;
    c->host = host;
    c->at = at;
    c->remote_host = remote_host;
    c->silent_since_ns = -1;
    c->call.fire = on_call;
    c->arrival.fire = on_arrival;
    list_init(&c->coming);
    list_init(&c->received);
    list_append(&host->conns, &c->in_host);
    host->net->open_count++;
    return c;
}

// ---- Listening ----

static struct listener *find_listener(const struct sim_host *host, uint16_t port)
{
    list_for_each(node, next, &host->listeners)
    {
        struct listener *l = container_of(node, struct listener, in_host);
        if (l->listener.local.port == port)
            return l;
    }
    return NULL;
}

static void schedule_accept(struct listener *l)
{
    if (!l->paused && !l->orphaned && !list_empty(&l->backlog) && !sim_event_is_set(&l->accepting))
        sim_event_set(l->host->net->sim, &l->accepting, between(l->host->net, 1, 20000));
}

static void on_accepting(struct sim_event *event)
{
    struct listener *l = container_of(event, struct listener, accepting);
    struct list_node *node = list_first(&l->backlog);
    if (node == NULL || l->paused || process_is_dead(l->host))
        return;
    struct conn *c = container_of(node, struct conn, in_backlog);
    list_remove(node);
    schedule_accept(l);
    struct sim_env *before = enter(c->net->sim, l->at);
    l->listener.accept(&l->listener, &c->conn);
    sim_leave(c->net->sim, before);
    // `c` may be gone; if not, conn_want() has scheduled it.
}

static void abandon_backlog(struct listener *l)
{
    list_for_each(node, next, &l->backlog)
        conn_close(&container_of(node, struct conn, in_backlog)->conn);
}

static void listener_close(struct net_listener *listener)
{
    struct listener *l = container_of(listener, struct listener, listener);
    check_thread(l->at);
    abandon_backlog(l);
    sim_event_cancel(l->host->net->sim, &l->accepting);
    list_remove(&l->in_host);
    l->host->net->open_count--;
    mem_free(l);
}

static void listener_pause(struct net_listener *listener, bool paused)
{
    struct listener *l = container_of(listener, struct listener, listener);
    check_thread(l->at);
    l->paused = paused;
    schedule_accept(l);
}

static int listen_at(struct env_net *env_net, const char *host_name, uint16_t port,
                     struct net_listener **out, struct diag *diag)
{
    struct shard_net *at = container_of(env_net, struct shard_net, env_net);
    struct sim_host *host = at->host;
    check_thread(at);
    if (process_is_dead(host))
        return diag_set(diag, ERR_CLOSED, "the process has ended");
    if (port == 0)
        port = host->port_next++;
    if (host_name[0] != '\0' && strcmp(host_name, host->address) != 0)
        return diag_set(diag, ERR_INVALID, "no such address here: %s", host_name);
    if (find_listener(host, port) != NULL)
        return diag_set(diag, ERR_BUSY, "port %u is in use", (unsigned)port);
    struct listener *l = mem_new(struct listener);
    l->host = host;
    l->at = at;
    l->listener.close = listener_close;
    l->listener.pause = listener_pause;
    str_copy_to(str_from(host->address), l->listener.local.host, sizeof l->listener.local.host);
    l->listener.local.port = port;
    l->accepting.fire = on_accepting;
    list_init(&l->backlog);
    list_append(&host->listeners, &l->in_host);
    host->net->open_count++;
    *out = &l->listener;
    return 0;
}

// ---- Connecting ----

static void establish(struct conn *c, struct listener *l)
{
    struct conn *s = conn_new(l->at, c->host);
    s->conn.local = c->conn.remote;
    s->conn.remote = c->conn.local;
    s->probe.fire = c->probe.fire = on_probe;
    s->peer = c;
    c->peer = s;
    c->connecting = false;
    c->silent_since_ns = -1;
    list_append(&l->backlog, &s->in_backlog);
    schedule_accept(l);
    schedule(c);
}

static void on_handshake(struct sim_event *event)
{
    struct conn *c = container_of(event, struct conn, probe);
    struct sim_net *net = c->net;
    struct sim_host *to = c->remote_host;
    struct listener *l = to != NULL ? find_listener(to, c->conn.remote.port) : NULL;
    if (!reaches(net, c->host, to) || !reaches(net, to, c->host)) {
        if (net->sim->now_ns - c->silent_since_ns > give_up_ns)
            fail(c, ERR_TIMEOUT);
        else
            sim_event_set(net->sim, event, resend_delay(net));
    } else if (l == NULL) {
        fail(c, ERR_REFUSED);
    } else {
        establish(c, l);
    }
}

static struct sim_host *find_host(const struct sim_net *net, const char *address)
{
    for (int i = 0; i < net->host_count; i++)
        if (strcmp(net->hosts[i]->address, address) == 0)
            return net->hosts[i];
    return NULL;
}

static int connect_to(struct env_net *env_net, const char *host_name, uint16_t port,
                      struct net_conn **out, struct diag *diag)
{
    struct shard_net *at = container_of(env_net, struct shard_net, env_net);
    struct sim_host *host = at->host;
    check_thread(at);
    if (process_is_dead(host))
        return diag_set(diag, ERR_CLOSED, "the process has ended");
    struct conn *c = conn_new(at, find_host(host->net, host_name));
    str_copy_to(str_from(host->address), c->conn.local.host, sizeof c->conn.local.host);
    str_copy_to(str_from(host_name), c->conn.remote.host, sizeof c->conn.remote.host);
    c->conn.local.port = host->port_next++;
    c->conn.remote.port = port;
    if (host->port_next == 0)
        host->port_next = EPHEMERAL_PORT_FIRST;
    c->connecting = true;
    c->silent_since_ns = host->net->sim->now_ns;
    c->probe.fire = on_handshake;
    sim_event_set(host->net->sim, &c->probe, 2 * delay(host->net));
    *out = &c->conn;
    return 0;
}

// ---- Hosts ----

struct sim_host *sim_host_add(struct sim_net *net, const char *address)
{
    check(net->host_count < HOSTS_MAX);
    struct sim_host *host = mem_new(struct sim_host);
    for (int i = 0; i < SHARDS_MAX; i++)
        host->shards[i] = (struct shard_net){
            .host = host,
            .env_net = {.listen = listen_at, .connect = connect_to, .attach = attach_to},
        };
    host->net = net;
    host->number = net->host_count;
    host->process_runs = host->machine_runs = true;
    host->port_next = EPHEMERAL_PORT_FIRST;
    str_copy_to(str_from(address), host->address, sizeof host->address);
    list_init(&host->conns);
    list_init(&host->listeners);
    net->hosts[net->host_count++] = host;
    return host;
}

struct env_net *sim_host_net(struct sim_host *host, int shard, struct sim_env *env)
{
    check(shard >= 0 && shard < SHARDS_MAX);
    host->shards[shard].env = env;
    return &host->shards[shard].env_net;
}

void sim_host_set_is_dead(struct sim_host *host, bool (*is_dead)(void *owner), void *owner)
{
    host->is_dead = is_dead;
    host->owner = owner;
}

// Takes the ends of a process out of the network; with or without a word to the others.
static void orphan_all(struct sim_host *host, bool tell)
{
    list_for_each(node, next, &host->listeners)
    {
        struct listener *l = container_of(node, struct listener, in_host);
        l->orphaned = true;
        list_remove(&l->in_host);
        sim_event_cancel(host->net->sim, &l->accepting);
        if (!tell) // what waits there is nobody's
            list_for_each(waiting, after, &l->backlog)
                container_of(waiting, struct conn, in_backlog)
                    ->orphaned = true;
        abandon_backlog(l);
    }
    list_for_each(node, next, &host->conns)
    {
        struct conn *c = container_of(node, struct conn, in_host);
        if (tell)
            leave(c);
        let_go(c);
        c->orphaned = true;
    }
}

void sim_host_kill(struct sim_host *host)
{
    host->process_runs = false;
    orphan_all(host, true);
}

// What has not left yet never does.
static void lose_unsent(struct sim_net *net, struct conn *to)
{
    while (!list_empty(&to->coming) && chance(net, 500)) {
        struct segment *s = container_of(to->coming.head.prev, struct segment, node);
        to->coming_bytes -= (int64_t)s->size;
        list_remove(&s->node);
        mem_free(s);
    }
    if (list_empty(&to->coming))
        sim_event_cancel(net->sim, &to->arrival);
}

void sim_host_cut_power(struct sim_host *host)
{
    host->process_runs = host->machine_runs = false;
    list_for_each(node, next, &host->conns)
    {
        struct conn *c = container_of(node, struct conn, in_host);
        if (c->peer != NULL)
            lose_unsent(host->net, c->peer);
    }
    orphan_all(host, false);
}

void sim_host_boot(struct sim_host *host)
{
    check(list_empty(&host->conns) && list_empty(&host->listeners));
    host->process_runs = host->machine_runs = true;
}

// ---- The network ----

struct sim_weather sim_weather_fair(void)
{
    return (struct sim_weather){
        .delay_ns_min = 20000, .delay_ns_max = ns_per_ms, .buffer_bytes = 256 << 10};
}

struct sim_net *sim_net_new(struct sim *sim, uint64_t seed)
{
    struct sim_net *net = mem_new(struct sim_net);
    net->sim = sim;
    prng_init(&net->prng, seed);
    net->weather = sim_weather_fair();
    net->burial.fire = on_burial;
    list_init(&net->corpses);
    return net;
}

void sim_net_free(struct sim_net *net)
{
    check(net->open_count == 0);
    sim_event_cancel(net->sim, &net->burial);
    on_burial(&net->burial);
    for (int i = 0; i < net->host_count; i++)
        mem_free(net->hosts[i]);
    mem_free(net);
}

void sim_net_set_weather(struct sim_net *net, const struct sim_weather *weather)
{
    net->weather = *weather;
    // Buffers may have become larger.
    for (int i = 0; i < net->host_count; i++)
        list_for_each(node, next, &net->hosts[i]->conns)
            schedule(container_of(node, struct conn, in_host));
}

void sim_net_set_blocked(struct sim_net *net, struct sim_host *from, struct sim_host *to,
                         bool blocked)
{
    net->blocked[from->number][to->number] = blocked;
}

void sim_net_heal(struct sim_net *net)
{
    memset(net->blocked, 0, sizeof net->blocked);
}

bool sim_net_reset_any(struct sim_net *net)
{
    struct conn *chosen = NULL;
    uint64_t seen = 0;
    for (int i = 0; i < net->host_count; i++) {
        list_for_each(node, next, &net->hosts[i]->conns)
        {
            struct conn *c = container_of(node, struct conn, in_host);
            if (c->peer != NULL && prng_below(&net->prng, ++seen) == 0)
                chosen = c;
        }
    }
    if (chosen == NULL)
        return false;
    send_segment(chosen->peer, SEGMENT_RESET, NULL, 0);
    send_segment(chosen, SEGMENT_RESET, NULL, 0);
    forget_peer(chosen);
    return true;
}

int sim_net_open_count(const struct sim_net *net)
{
    return net->open_count;
}

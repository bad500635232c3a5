// SPDX-License-Identifier: Apache-2.0
//
// One connection. Everything it does is done by connection__run(), which is never entered twice:
// handlers that answer at once only leave their answer in the pipeline and return to it, and later
// answers mark the connection dirty, so that all answers of one event leave in one write.
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "broker/connection_internal.h"
#include "env/clock.h"
#include "wire/api_keys.h"

enum {
    CONNECTION_MAGIC = 0x636f6e6e,
    // What one connection may do before others get their turn:
    TURN_BYTES_MAX = 256 << 10, // bytes moved, about
    TURN_ROUNDS_MAX = 4,        // rounds of reading, handing over and sending
    TURN_NS_MAX = 1000000,      // time
    SLICES_MAX = NET_SLICES_MAX,
};

static struct request *request_of_exchange(struct rpc_exchange *e)
{
    struct request *r = container_of(e, struct request, exchange);
    check(r->magic == REQUEST_MAGIC);
    return r;
}

static void touch(struct connection *conn)
{
    struct connections *c = conn->owner;
    conn->active_ns = env_mono_ns(c->env->clock);
    list_remove(&conn->node);
    list_append(&c->all, &conn->node);
}

// --- reading

// As many answers wait, or as much of them, as one connection may have.
static bool is_full(const struct connection *conn)
{
    const struct connections_config *config = &conn->owner->config;
    return conn->pipeline.count >= config->in_flight_max ||
           conn->pipeline.memory_bytes >= config->output_bytes_max;
}

static bool turn_is_over(const struct connection *conn)
{
    return conn->turn_bytes >= TURN_BYTES_MAX || conn->overtime;
}

// One may wait on every connection: it goes on by itself when that has been handed over.
static bool queue_is_full(const struct connection *conn)
{
    const struct connections *c = conn->owner;
    return !list_empty(&conn->queued) && c->queued_count >= c->config.queued_requests_max;
}

static bool may_read(const struct connection *conn)
{
    return !conn->closing && !conn->broken && !is_full(conn) && !queue_is_full(conn) &&
           !list_linked(&conn->hungry_node);
}

// What the first four bytes of a connection that is no client look like.
static const char *guess_protocol(const uint8_t first[RPC_FRAME_SIZE_BYTES])
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *words;
    } known[] = {
        {"\x16\x03", 2, "it speaks TLS, and this listener does not"},
        {"GET ", 4, "it speaks HTTP"},
        {"POST", 4, "it speaks HTTP"},
        {"HEAD", 4, "it speaks HTTP"},
        {"PUT ", 4, "it speaks HTTP"},
        {"SSH-", 4, "it speaks SSH"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (memcmp(first, known[i].bytes, known[i].size) == 0)
            return known[i].words;
    return NULL;
}

// Why a frame is no request, in words for the operator.
static const char *explain_refusal(const struct connection *conn, int err)
{
    const char *protocol = guess_protocol(conn->reader.size_field);
    if (err == ERR_LIMIT)
        return protocol != NULL ? protocol : "its request is over socket.request.max.bytes";
    if (err == ERR_UNSUPPORTED)
        return "it asks for an API or a version that is not served";
    return "what it sends is not a request";
}

// The connection is of no use. Told once a second at most, since strangers decide how often it
// happens.
static void refuse(struct connection *conn, int err)
{
    struct connections *c = conn->owner;
    int64_t now_ns = env_mono_ns(c->env->clock);
    bool told = now_ns >= c->refusal_told_ns + 1000000000;
    c->stats.closed_bad_total++;
    if (told)
        c->refusal_told_ns = now_ns;
    trace_emit(c->config.trace, told ? TRACE_INFO : TRACE_DEBUG, "broker",
               "closing the connection from %s port %u to %s: %s", conn->net->remote.host,
               (unsigned)conn->net->remote.port, conn->listener->name, explain_refusal(conn, err));
    conn->closing = true;
}

static void take_frame(struct connection *conn, struct rpc_frame *frame)
{
    struct connections *c = conn->owner;
    struct rpc_request_header header;
    int result = rpc_request_header_decode(rpc_frame_bytes(frame), &c->config.apis, &header);
    if (result != 0) {
        rpc_frame_release(frame);
        refuse(conn, result);
        return;
    }
    struct request *r = request__new(conn, frame, &header);
    rpc_pipeline_add(&conn->pipeline, &r->exchange);
    list_append(&conn->queued, &r->node);
    c->queued_count++;
    c->stats.requests_total++;
}

// Makes requests of what the reader holds, as far as the limits let it.
static void parse(struct connection *conn)
{
    struct rpc_frame frame;
    conn->unparsed = true;
    while (may_read(conn)) {
        conn->reader.alone = conn->pipeline.count == 0;
        int result = rpc_frame_reader_next(&conn->reader, &frame);
        if (result == 1)
            conn->hungry_ns = 0;
        if (result == 1) {
            take_frame(conn, &frame);
        } else if (result == ERR_AGAIN) {
            connections__starving(conn->owner, conn);
        } else {
            conn->unparsed = false;
            if (result != 0)
                refuse(conn, result);
            break;
        }
    }
    rpc_frame_reader_park(&conn->reader);
}

// One read; false when there is nothing more to read now.
static bool read_once(struct connection *conn)
{
    struct connections *c = conn->owner;
    uint8_t *at;
    size_t room;
    rpc_frame_reader_space(&conn->reader, c->scratch, RPC_SCRATCH_BYTES, &at, &room);
    int64_t n = net_read(conn->net, at, room);
    if (n == ERR_AGAIN) {
        conn->readable = false;
        return false;
    }
    if (n <= 0) { // closed by the peer or failed: nobody is there to take answers
        conn->broken = true;
        return false;
    }
    c->stats.bytes_in_total += n;
    conn->turn_bytes += (size_t)n;
    rpc_frame_reader_filled(&conn->reader, at, (size_t)n);
    parse(conn);
    return true;
}

static bool read_some(struct connection *conn)
{
    bool progress = false;
    if (conn->unparsed && may_read(conn)) {
        parse(conn);
        progress = true;
    }
    // Until there is a request to serve: more of them are read when that has been handed over.
    while (conn->readable && !conn->unparsed && may_read(conn) && !turn_is_over(conn)) {
        if (!read_once(conn))
            break;
        progress = true;
        if (!list_empty(&conn->queued))
            break;
    }
    if (progress)
        touch(conn);
    return progress;
}

// --- handing over

// As Kafka: the next request starts when the one before it has been answered. Produce may follow
// Produce, since the handler appends at once and only the answer waits for the disk.
static bool may_hand_over(const struct connection *conn, const struct request *r)
{
    if (conn->broken || conn->pipeline.memory_bytes >= conn->owner->config.output_bytes_max)
        return false;
    return conn->handed_count == 0 ||
           (conn->handed_only_produce && r->header.api_key == API_PRODUCE);
}

static void free_unhanded(struct connection *conn, struct request *r)
{
    if (list_linked(&r->node))
        conn->owner->queued_count--;
    request__free(r);
}

static bool hand_over(struct connection *conn)
{
    struct connections *c = conn->owner;
    bool progress = false;
    struct list_node *node;
    while ((node = list_first(&conn->queued)) != NULL) {
        struct request *r = container_of(node, struct request, node);
        if (!may_hand_over(conn, r) || !connections__may_hold_more(c, conn))
            break;
        list_remove(&r->node);
        c->queued_count--;
        conn->handed_only_produce = r->header.api_key == API_PRODUCE;
        conn->handed_count++;
        progress = true;
        c->config.handle(c->config.context, r);
        conn->overtime = env_mono_ns(c->env->clock) >= conn->turn_end_ns;
        if (conn->overtime)
            break;
    }
    return progress;
}

// --- sending

static void free_finished(struct connection *conn)
{
    struct rpc_exchange *e;
    while ((e = rpc_pipeline_take_finished(&conn->pipeline)) != NULL)
        request__free(request_of_exchange(e));
}

static int slices_for_net(struct connection *conn, struct net_slice *out)
{
    struct rpc_slice slices[SLICES_MAX];
    int count = rpc_pipeline_slices(&conn->pipeline, slices, SLICES_MAX);
    for (int i = 0; i < count; i++) {
        // What an answer names as source is a file: see request_reply().
        union { const void *in; struct fs_file *file; } source = {.in = slices[i].source};
        out[i] = (struct net_slice){
            .data = slices[i].data,
            .file = source.file,
            .position = slices[i].position,
            .size = slices[i].size,
        };
    }
    return count;
}

// Sends what the socket takes; true if anything was sent or done.
static bool send_some(struct connection *conn)
{
    struct connections *c = conn->owner;
    struct net_slice slices[SLICES_MAX];
    int before = conn->pipeline.count;
    bool sent = false;
    free_finished(conn);
    int count = conn->blocked || conn->broken ? 0 : slices_for_net(conn, slices);
    if (count > 0) {
        int64_t n = net_write(conn->net, slices, count);
        if (n == ERR_AGAIN) {
            conn->blocked = true;
        } else if (n < 0) {
            conn->broken = true;
            if (n == ERR_TRUNCATED)
                trace_error(c->config.trace, "broker",
                            "closing %s port %u: a log file is shorter than its index says",
                            conn->net->remote.host, (unsigned)conn->net->remote.port);
        } else {
            c->stats.bytes_out_total += n;
            conn->turn_bytes += (size_t)n;
            rpc_pipeline_sent(&conn->pipeline, (size_t)n);
            free_finished(conn);
            touch(conn);
            sent = true;
        }
    }
    return sent || conn->pipeline.count != before;
}

// --- the machine

static void want(struct connection *conn)
{
    unsigned events = 0;
    if (may_read(conn) && !conn->unparsed)
        events |= NET_READABLE;
    if (conn->blocked)
        events |= NET_WRITABLE;
    net_want(conn->net, events);
}

static void connection_free(struct connection *conn)
{
    struct connections *c = conn->owner;
    struct list_node *node;
    conn->running = true; // what the callbacks below answer goes nowhere
    net_close(conn->net);
    list_remove(&conn->node);
    list_remove(&conn->dirty_node);
    list_remove(&conn->hungry_node);
    list_remove(&conn->delayed_node);
    while ((node = list_first(&conn->pipeline.exchanges)) != NULL) {
        struct rpc_exchange *e = container_of(node, struct rpc_exchange, node);
        struct request *r = request_of_exchange(e);
        bool is_handed = e->state == RPC_EXCHANGE_WAITING && !list_linked(&r->node);
        rpc_pipeline_remove(&conn->pipeline, e);
        if (is_handed)
            request__abandon(r);
        else
            free_unhanded(conn, r);
    }
    rpc_frame_reader_release(&conn->reader);
    if (conn->user_release != NULL)
        conn->user_release(conn->user);
    connections__removed(c, conn);
    conn->magic = 0;
    mem_free(conn);
}

void connection__end(struct connection *conn)
{
    conn->broken = true;
    if (!conn->running)
        connection_free(conn);
}

void connection__schedule(struct connection *conn)
{
    if (!conn->running && !list_linked(&conn->dirty_node))
        connections__schedule(conn->owner, conn);
}

void connection__run(struct connection *conn)
{
    check(conn->magic == CONNECTION_MAGIC && !conn->running);
    int rounds = 0;
    bool progress = true;
    conn->running = true;
    conn->turn_bytes = 0;
    conn->turn_end_ns = env_mono_ns(conn->owner->env->clock) + TURN_NS_MAX;
    conn->overtime = false;
    while (progress && !conn->broken && rounds++ < TURN_ROUNDS_MAX && !turn_is_over(conn)) {
        progress = read_some(conn);
        progress |= hand_over(conn);
        progress |= send_some(conn);
    }
    conn->running = false;
    if (conn->closing && conn->pipeline.count == 0)
        conn->broken = true;
    if (conn->broken) {
        connection_free(conn);
        return;
    }
    want(conn);
    if (progress)
        connection__schedule(conn);
}

static void connection_ready(struct net_conn *net, unsigned events)
{
    struct connection *conn = net->user;
    check(conn->magic == CONNECTION_MAGIC);
    if ((events & NET_READABLE) != 0)
        conn->readable = true;
    if ((events & NET_WRITABLE) != 0)
        conn->blocked = false;
    if ((events & NET_FAILED) != 0)
        connection__end(conn);
    else if (conn->overtime) // those first who have not had so much
        connection__schedule(conn);
    else
        connection__run(conn);
}

void connection__cut(struct connection *conn, struct request *r)
{
    struct list_node *node;
    conn->closing = true;
    while ((node = r->exchange.node.next) != &conn->pipeline.exchanges.head) {
        struct rpc_exchange *e = container_of(node, struct rpc_exchange, node);
        struct request *later = request_of_exchange(e);
        bool is_handed = e->state == RPC_EXCHANGE_WAITING && !list_linked(&later->node);
        rpc_pipeline_remove(&conn->pipeline, e);
        if (is_handed) {
            conn->handed_count--;
            request__abandon(later);
        } else {
            free_unhanded(conn, later);
        }
    }
}

static int admit(void *context, const uint8_t *first, size_t size)
{
    struct connections *c = context;
    return rpc_request_admit(first, size, &c->config.apis);
}

void connection__new(struct connections *c, struct connection_listener *listener,
                     struct net_conn *net, struct connection_ip *ip, struct connection_place *place)
{
    struct connection *conn = mem_new(struct connection);
    conn->magic = CONNECTION_MAGIC;
    conn->owner = c;
    conn->net = net;
    conn->listener = listener;
    conn->ip = ip;
    conn->place = place;
    list_init(&conn->queued);
    rpc_pipeline_init(&conn->pipeline);
    rpc_frame_reader_init(&conn->reader, (size_t)c->config.request_bytes_max, &c->budget);
    conn->reader.admit = admit;
    conn->reader.context = c;
    net->user = conn;
    net->ready = connection_ready;
    touch(conn);
    want(conn);
}

void connection_set_user(struct connection *conn, void *user, void (*release)(void *user))
{
    check(conn->magic == CONNECTION_MAGIC);
    if (conn->user_release != NULL)
        conn->user_release(conn->user);
    conn->user = user;
    conn->user_release = release;
}

void *connection_user(const struct connection *conn)
{
    return conn->user;
}

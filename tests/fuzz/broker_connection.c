// SPDX-License-Identifier: Apache-2.0
//
// A broker's connections under a script: the input chooses who dials, what is sent (requests, pieces
// of requests, rubbish), how much a socket takes, when the handler ends a request and how, when peers
// vanish, and when all of it stops. After every step the bounds hold; answers arrive in the order of
// their requests; each request is ended once, with its frame intact until then.
#include <string.h>

#include "../unit/broker/fake_env.h"
#include "base/be.h"
#include "base/mem.h"
#include "broker/connection.h"
#include "broker/request.h"
#include "fuzz.h"
#include "rpc/frame.h"
#include "wire/api/metadata.h"
#include "wire/api/produce.h"
#include "wire/api_keys.h"

enum {
    REQUEST_MAX = 20000,
    BUDGET_MAX = 40000,
    QUEUED_MAX = BUDGET_MAX + FAKE_PEERS_MAX * RPC_FRAME_RESERVED_MAX, // a small one for each beyond
    IN_FLIGHT_MAX = 6,
    HANDED_MAX = FAKE_PEERS_MAX * IN_FLIGHT_MAX,
    SCRIPT_MAX = 4096,
};

struct script {
    const uint8_t *data;
    size_t size;
    size_t at;
};

struct handed {
    struct request *request;
    uint32_t sum; // of its body, which must stay as it is
};

struct world {
    struct fake_env fake;
    struct connections *connections;
    struct script script;
    struct handed handed[HANDED_MAX]; // requests that the handler holds
    int handed_count;
    int32_t asked[FAKE_PEERS_MAX];    // correlation ids given to the peer's requests
    int32_t answered[FAKE_PEERS_MAX]; // the last one it saw an answer to
    bool garbled[FAKE_PEERS_MAX];     // it has sent rubbish: anything but an answer may follow
    bool stopped;
};

static uint8_t next_byte(struct script *s)
{
    return s->at < s->size ? s->data[s->at++] : 0;
}

static int below(struct script *s, int bound)
{
    return next_byte(s) % bound;
}

static uint32_t sum_body(const struct request *r)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < r->body.size; i++)
        sum = sum * 31 + r->body.data[i];
    return sum;
}

// --- the handler

static void end(struct world *w, struct request *r)
{
    struct metadata_response metadata;
    struct produce_response produce;
    metadata_response_init(&metadata);
    produce_response_init(&produce);
    switch (below(&w->script, 8)) {
    case 0:
        request_close_connection(r, "script");
        break;
    case 1:
        request_drop(r);
        break;
    default:
        request_reply(r, r->header.api_key == API_PRODUCE ? (void *)&produce : (void *)&metadata);
        break;
    }
}

static void end_handed(struct world *w, int index)
{
    struct handed h = w->handed[index];
    w->handed[index] = w->handed[--w->handed_count];
    check(sum_body(h.request) == h.sum);
    end(w, h.request);
}

static void abandoned(struct request *r)
{
    struct world *w = r->user;
    check(request_is_abandoned(r));
    if (below(&w->script, 2) == 0)
        return; // later
    for (int i = 0; i < w->handed_count; i++)
        if (w->handed[i].request == r) {
            end_handed(w, i);
            break;
        }
    if (w->handed_count > 0 && below(&w->script, 4) == 0)
        end_handed(w, below(&w->script, w->handed_count));
}

static void handle(void *context, struct request *r)
{
    struct world *w = context;
    check(!request_is_abandoned(r));
    r->user = w;
    r->abandoned = abandoned;
    if (below(&w->script, 3) == 0) {
        end(w, r);
        return;
    }
    check(w->handed_count < HANDED_MAX);
    w->handed[w->handed_count++] = (struct handed){.request = r, .sum = sum_body(r)};
    if (below(&w->script, 6) == 0)
        end_handed(w, below(&w->script, w->handed_count));
}

static void on_stopped(void *context)
{
    struct world *w = context;
    w->stopped = true;
    connections_free(w->connections);
    w->connections = NULL;
}

// --- the peers

static void send_request(struct world *w, int index)
{
    struct buf *b = &w->fake.peers[index].input;
    bool is_produce = below(&w->script, 2) == 0;
    size_t body_size = (size_t)next_byte(&w->script) << below(&w->script, 7);
    buf_append_be32(b, (uint32_t)(10 + body_size));
    buf_append_be16(b, is_produce ? API_PRODUCE : API_METADATA);
    buf_append_be16(b, 4);
    buf_append_be32(b, (uint32_t)++w->asked[index]);
    buf_append_be16(b, 0);
    uint8_t *body = buf_extend(b, body_size);
    check(body != NULL);
    if (body_size > 0)
        memset(body, (uint8_t)body_size, body_size);
}

static void send_rubbish(struct world *w, int index)
{
    int size = 1 + below(&w->script, 30);
    w->garbled[index] = true;
    for (int i = 0; i < size; i++)
        buf_append_u8(&w->fake.peers[index].input, next_byte(&w->script));
}

static void cut_input(struct world *w, int index)
{
    struct buf *b = &w->fake.peers[index].input;
    if (b->size > 0)
        b->size -= 1 + below(&w->script, 255) % b->size;
    w->garbled[index] = true;
}

static void look_at_answers(struct world *w, int index)
{
    struct buf *out = &w->fake.peers[index].output;
    while (!w->garbled[index] && out->size >= 8) {
        uint32_t size = be32_load(out->data);
        if (out->size < 4 + size)
            break;
        int32_t id = (int32_t)be32_load(out->data + 4);
        check(id > w->answered[index] && id <= w->asked[index]);
        w->answered[index] = id;
        buf_consume(out, 4 + size);
    }
}

static void check_bounds(struct world *w)
{
    struct connections_stats stats;
    int open_count = 0;
    for (int i = 0; i < w->fake.peer_count; i++) {
        open_count += w->fake.peers[i].open;
        look_at_answers(w, i);
    }
    if (w->connections == NULL)
        return;
    connections_stats_get(w->connections, &stats);
    check(stats.open_count == open_count);
    check(stats.queued_bytes <= QUEUED_MAX);
}

static void peer_step(struct world *w, int op)
{
    int index = below(&w->script, w->fake.peer_count);
    struct fake_peer *p = &w->fake.peers[index];
    switch (op) {
    case 1:
    case 2:
    case 3:
        send_request(w, index);
        break;
    case 4:
        send_rubbish(w, index);
        break;
    case 5:
        cut_input(w, index);
        break;
    case 6:
        p->peer_closed = true;
        break;
    case 7:
        if (p->open)
            p->conn.ready(&p->conn, NET_FAILED);
        break;
    default:
        p->output_room = (size_t)next_byte(&w->script) << below(&w->script, 8);
        break;
    }
}

static void step(struct world *w)
{
    int op = below(&w->script, 16);
    if (op >= 1 && op <= 8 && w->fake.peer_count > 0)
        peer_step(w, op);
    else if (op == 0 && w->fake.listening && !w->fake.paused &&
             w->fake.peer_count < FAKE_PEERS_MAX)
        fake_env_dial(&w->fake, below(&w->script, 2) == 0 ? "192.0.2.1" : "192.0.2.2");
    else if (op <= 12 && w->handed_count > 0)
        end_handed(w, below(&w->script, w->handed_count));
    else if (op == 13)
        fake_env_pass_ms(&w->fake, 100 * (int64_t)next_byte(&w->script));
    else if (op == 14 && next_byte(&w->script) == 0 && w->connections != NULL && !w->stopped)
        connections_stop(w->connections, on_stopped, w);
    if (below(&w->script, 4) != 0)
        fake_env_settle(&w->fake);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct rpc_api served[] = {
        {.key = API_PRODUCE, .version_min = 3, .version_max = 8},
        {.key = API_METADATA, .version_min = 0, .version_max = 8},
    };
    struct world *w = mem_new(struct world);
    struct connections_config config = {
        .apis = {.items = served, .count = 2},
        .handle = handle,
        .context = w,
        .request_bytes_max = REQUEST_MAX,
        .queued_bytes_max = BUDGET_MAX,
        .arena_bytes_max = 1 << 20,
        .output_bytes_max = 300,
        .in_flight_max = IN_FLIGHT_MAX,
        .idle_ms_max = 60000,
        .limits = {.connections_max = FAKE_PEERS_MAX - 4, .connections_per_ip_max = 7},
    };
    w->script = (struct script){.data = data, .size = size < SCRIPT_MAX ? size : SCRIPT_MAX};
    fake_env_init(&w->fake);
    w->connections = connections_new(&w->fake.env, &config);
    check(connections_listen(w->connections, "PLAINTEXT", "10.0.0.1", 9092, NULL, NULL) == 0);
    while (w->script.at < w->script.size) {
        step(w);
        check_bounds(w);
    }
    if (w->connections != NULL)
        connections_free(w->connections);
    w->connections = NULL;
    for (int i = 0; i < w->handed_count; i++)
        check(request_is_abandoned(w->handed[i].request));
    while (w->handed_count > 0)
        end_handed(w, 0);
    fake_env_settle(&w->fake);
    fake_env_release(&w->fake);
    mem_free(w);
    return 0;
}

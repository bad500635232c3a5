// SPDX-License-Identifier: Apache-2.0
//
// A node of three shards on virtual time, with connections and nothing else: no metadata, no logs. The
// requests that its client sends are handed to the test, on the shard that has the connection.
#pragma once

#include "base/be.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/bytes.h"
#include "broker/connection.h"
#include "broker/node.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "sim_env.h"
#include "sim_net.h"
#include "wire/api/metadata.h"
#include "wire/api_keys.h"

enum { SHARDS = 3, PORT = 9092, ANSWERS_MAX = 64 };

struct three_shards {
    struct sim sim;
    struct sim_net *net;
    struct sim_host *host, *client_host;
    struct sim_env envs[SHARDS];
    struct node node;
    struct shard shards[SHARDS];
    struct rpc_api api;
    void (*handle)(struct shard *s, struct request *r); // the test's
    int stopped_count;

    // The client: one connection.
    struct net_conn *conn;
    struct buf to_send;
    struct buf received;
    bool closed; // by the node
};

static inline void three_shards_handle(void *context, struct request *r)
{
    struct shard *s = context;
    sim_env_check_thread(container_of(s->env, struct sim_env, env));
    container_of(s->node, struct three_shards, node)->handle(s, r);
}

// In turn, beginning with the second.
static inline struct connections *three_shards_choose(void *context)
{
    struct node *n = ((struct shard *)context)->node;
    n->next_shard = (n->next_shard + 1) % SHARDS;
    return n->shards[n->next_shard].connections;
}

static inline void three_shards_init(struct three_shards *t, uint64_t seed,
                                     void (*handle)(struct shard *s, struct request *r))
{
    *t = (struct three_shards){.api = {API_METADATA, 4, 4}, .handle = handle};
    sim_init(&t->sim, seed);
    t->sim.message_ns_max = 100000;
    t->net = sim_net_new(&t->sim, seed);
    t->host = sim_host_add(t->net, "10.0.0.1");
    t->client_host = sim_host_add(t->net, "10.0.0.2");
    t->node = (struct node){
        .shards = t->shards, .shard_count = SHARDS, .hash_seed = {seed, ~seed}};
    for (int i = 0; i < SHARDS; i++) {
        sim_env_init(&t->envs[i], &t->sim, NULL);
        t->envs[i].env.net = sim_host_net(t->host, i, &t->envs[i]);
        t->shards[i] = (struct shard){
            .node = &t->node, .index = i, .env = &t->envs[i].env, .state = SHARD_READY};
        struct connections_config config = {
            .apis = {&t->api, 1},
            .handle = three_shards_handle,
            .context = &t->shards[i],
            .choose = i == 0 ? three_shards_choose : NULL,
            .request_bytes_max = 1 << 20,
            .queued_bytes_max = 1 << 20,
            .arena_bytes_max = 1 << 20,
            .idle_ms_max = -1,
            .limits = {.connections_max = 100, .connections_per_ip_max = 100},
        };
        t->shards[i].connections = connections_new(t->shards[i].env, &config);
    }
    struct diag diag;
    int err = connections_listen(t->shards[0].connections, "PLAINTEXT", "", PORT, NULL, &diag);
    check(err == 0);
    buf_init(&t->to_send, 1 << 20);
    buf_init(&t->received, 1 << 20);
}

static inline void three_shards_settle(struct three_shards *t)
{
    sim_run_for(&t->sim, INT64_C(1000000000));
}

// The test must have ended all requests.
static inline void three_shards_release(struct three_shards *t)
{
    if (t->conn != NULL)
        net_close(t->conn);
    three_shards_settle(t);
    for (int i = SHARDS - 1; i >= 0; i--)
        if (t->shards[i].connections != NULL)
            connections_free(t->shards[i].connections);
    three_shards_settle(t);
    for (int i = 0; i < SHARDS; i++) {
        check(t->shards[i].away_count == 0);
        sim_env_release(&t->envs[i]);
    }
    sim_net_free(t->net);
    sim_release(&t->sim);
    buf_release(&t->to_send);
    buf_release(&t->received);
}

// ---- The client ----

static inline void three_shards_want(struct three_shards *t)
{
    net_want(t->conn, NET_READABLE | (t->to_send.size > 0 ? NET_WRITABLE : 0));
}

static inline void three_shards_client_ready(struct net_conn *conn, unsigned events)
{
    struct three_shards *t = conn->user;
    uint8_t bytes[4096];
    int64_t n;
    while ((n = net_read(conn, bytes, sizeof bytes)) > 0)
        buf_append(&t->received, bytes, (size_t)n);
    if (n != ERR_AGAIN) {
        t->closed = true;
        net_close(conn);
        t->conn = NULL;
        return;
    }
    struct net_slice slice = {.data = t->to_send.data, .size = t->to_send.size};
    if (slice.size > 0 && (n = net_write(conn, &slice, 1)) > 0)
        buf_consume(&t->to_send, (size_t)n);
    three_shards_want(t);
}

// Another connection, which goes to the next shard.
static inline void three_shards_dial(struct three_shards *t)
{
    struct diag diag;
    if (t->conn != NULL)
        net_close(t->conn);
    int err = net_connect(sim_host_net(t->client_host, 0, NULL), "10.0.0.1", PORT, &t->conn, &diag);
    check(err == 0);
    t->closed = false;
    buf_clear(&t->to_send);
    buf_clear(&t->received);
    t->conn->user = t;
    t->conn->ready = three_shards_client_ready;
    three_shards_want(t);
    three_shards_settle(t);
}

// A request whose body is one byte.
static inline void three_shards_ask(struct three_shards *t, int32_t correlation_id, uint8_t body)
{
    buf_append_be32(&t->to_send, 10 + 1);
    buf_append_be16(&t->to_send, API_METADATA);
    buf_append_be16(&t->to_send, 4);
    buf_append_be32(&t->to_send, (uint32_t)correlation_id);
    buf_append_be16(&t->to_send, 0);
    buf_append_u8(&t->to_send, body);
    three_shards_want(t);
}

static inline void three_shards_reply(struct request *r)
{
    struct metadata_response answer;
    metadata_response_init(&answer);
    request_reply(r, &answer);
}

// The correlation ids of all answers so far; their number.
static inline int three_shards_answers(const struct three_shards *t, int32_t ids[ANSWERS_MAX])
{
    int count = 0;
    size_t at = 0;
    while (t->received.size - at >= 8 && count < ANSWERS_MAX) {
        ids[count++] = (int32_t)be32_load(t->received.data + at + 4);
        at += 4 + be32_load(t->received.data + at);
    }
    check(at == t->received.size);
    return count;
}

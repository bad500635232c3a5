// SPDX-License-Identifier: Apache-2.0
//
// Connections over a network, clock and mailbox that the test moves by hand.
#pragma once

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

static inline void settle(void)
{
    fake_env_settle(&F->fake);
}

static inline void pass_ms(int64_t ms)
{
    fake_env_pass_ms(&F->fake, ms);
}

static inline struct fake_peer *dial(const char *host)
{
    return fake_env_dial(&F->fake, host);
}

// --- requests and answers

// A request of 10 + body_size bytes, header version 1.
static inline void put_request(struct fake_peer *p, int key, int version, int32_t correlation_id,
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

static inline void ask(struct fake_peer *p, int key, int32_t correlation_id)
{
    put_request(p, key, 4, correlation_id, 20);
    settle();
}

static inline void reply(struct request *r)
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

static inline void answer(int index)
{
    struct request *r = F->handed[index];
    F->handed[index] = NULL;
    reply(r);
    settle();
}

// The correlation ids of the answers the peer has got since it last looked; returns their number.
static inline int got(struct fake_peer *p, int32_t *ids)
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

static inline void expect_ids(struct fake_peer *p, int count, const int32_t *expected)
{
    int32_t ids[HANDED_MAX];
    assert_int_equal(got(p, ids), count);
    for (int i = 0; i < count; i++)
        assert_int_equal(ids[i], expected[i]);
}

#define EXPECT(peer, ...)                                                                         \
    expect_ids(peer, (int)(sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t)),                    \
               (int32_t[]){__VA_ARGS__})

static inline void check_body(const struct request *r)
{
    for (size_t i = 0; i < r->body.size; i++)
        assert_int_equal(r->body.data[i], (uint8_t)(r->header.correlation_id + (int)i));
}

static inline void count_cleanup(struct request_cleanup *cleanup)
{
    F->cleanup_count++;
}

static inline void handle(void *context, struct request *r)
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

static inline void start(void)
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

static inline int setup(void **state)
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

static inline int teardown(void **state)
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

static inline void on_abandoned(struct request *r)
{
    assert_true(request_is_abandoned(r));
    check_body(r); // the frame is still there
    F->abandoned_count++;
}

static inline void end_when_abandoned(struct request *r)
{
    on_abandoned(r);
    reply(r);
}

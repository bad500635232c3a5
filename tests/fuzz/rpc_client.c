// SPDX-License-Identifier: Apache-2.0
//
// What a server, or whatever answers on its port, sends to a client that has a few calls under way:
// each call ends exactly once.
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/list.h"
#include "fuzz.h"
#include "rpc/client.h"
#include "wire/api/metadata.h"

enum { CALLS = 4 };

struct counted_call {
    struct rpc_call call;
    int done_count;
};

static void on_done(struct rpc_call *call, int err, struct rpc_answer *answer)
{
    struct metadata_response response;
    struct arena arena;
    container_of(call, struct counted_call, call)->done_count++;
    if (err != 0)
        return;
    arena_init(&arena, 16 << 20);
    (void)rpc_answer_decode(answer, &arena, &response);
    arena_release(&arena);
}

static void make_calls(struct rpc_client *c)
{
    struct counted_call *calls = c->user;
    struct metadata_request request;
    metadata_request_init(&request);
    for (int i = 0; i < CALLS; i++)
        check(rpc_client_call(c, &calls[i].call, API_METADATA, (int16_t)(4 * i), &request) == 0);
}

static void send_all(struct rpc_client *c)
{
    struct rpc_slice slice;
    while (rpc_client_slices(c, &slice, 1) > 0)
        rpc_client_sent(c, slice.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t scratch[256];
    struct counted_call calls[CALLS] = {0};
    struct rpc_client c;
    for (int i = 0; i < CALLS; i++)
        calls[i].call.done = on_done;
    rpc_client_init(&c, &(struct rpc_client_options){.answer_bytes_max = 1 << 20});
    c.ready = make_calls;
    c.user = calls;
    bool is_ready = false;
    for (size_t at = 0; at < size && c.state != RPC_CLIENT_FAILED;) {
        uint8_t *to;
        size_t room;
        send_all(&c);
        rpc_client_space(&c, scratch, sizeof scratch, &to, &room);
        size_t n = size - at < room ? size - at : room;
        memcpy(to, data + at, n);
        at += n;
        int result = rpc_client_received(&c, to, n);
        check((result != 0) == (c.state == RPC_CLIENT_FAILED));
        check((c.diag.text[0] != '\0') == (result != 0));
        is_ready |= c.state == RPC_CLIENT_READY;
    }
    bool asked = is_ready;
    rpc_client_release(&c);
    for (int i = 0; i < CALLS; i++)
        check(calls[i].done_count <= 1 && (!asked || calls[i].done_count == 1));
    return 0;
}

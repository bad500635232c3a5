// SPDX-License-Identifier: Apache-2.0
//
// The client's side of a connection, without the socket: it asks for the server's versions first
// (ApiVersions, falling back to version 0 as KIP-511 says), builds requests in versions that both
// know, and hands each answer to the call that waits for it.
//
//     rpc_client_init(&c, &options);            // the ApiVersions request waits to be sent
//     rpc_client_slices() -> write -> rpc_client_sent()
//     rpc_client_space() -> read -> rpc_client_received()   // runs the callbacks
//
// Pure. Owner: one connection, one thread. Callbacks may make new calls; they must not release the
// client.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/list.h"
#include "rpc/frame.h"
#include "rpc/server.h" // struct rpc_slice, struct rpc_output
#include "wire/apis.h"
#include "wire/wire.h"

enum rpc_client_state {
    RPC_CLIENT_NEGOTIATING, // waits for the answer to ApiVersions; calls cannot be made yet
    RPC_CLIENT_READY,
    RPC_CLIENT_FAILED, // the server makes no sense: close the connection
};

struct rpc_client_options {
    const char *client_id;        // copied; NULL for null
    const char *software_name;    // KIP-511; NULL: "chitin"
    const char *software_version; // NULL: this program's
    size_t answer_bytes_max;      // 0: 100 MiB
    size_t request_bytes_max;     // memory part of one request; 0: 100 MiB
    struct rpc_budget *budget;    // of incoming frames; NULL: none
};

struct rpc_call;

// An answer, valid during the callback alone.
struct rpc_answer {
    int16_t api_key;
    int16_t api_version;
    struct bytes body; // a view into the frame
    // The frame behind `body`. Whoever wants to keep it moves it away
    // (kept = answer->frame; answer->frame = (struct rpc_frame){0}) and releases it later.
    struct rpc_frame frame;
};

// A request that waits for its answer. Embedded in its owner; zero it and set `done`.
struct rpc_call {
    // `err` is 0 and `answer` there, or ERR_CLOSED and NULL: the connection ended first. Called
    // once per successful rpc_client_call(), unless the call was cancelled.
    void (*done)(struct rpc_call *call, int err, struct rpc_answer *answer);
    void *user;
    struct rpc_pending *pending; // the client's; NULL when not under way
};

struct rpc_client {
    unsigned magic;
    enum rpc_client_state state;
    struct diag diag; // why it failed
    struct rpc_client_options options;
    char *client_id;
    int32_t correlation_id_next;
    struct rpc_frame_reader reader;
    struct list outgoing; // struct rpc_pending, in the order of sending
    struct list awaited;  // struct rpc_pending, in the order of their answers
    int awaited_count;
    int16_t negotiated_version; // of ApiVersions
    // What the server serves, by api_slot(); version_min > version_max: not served.
    int16_t server_version_min[API_SLOT_COUNT];
    int16_t server_version_max[API_SLOT_COUNT];
    void (*ready)(struct rpc_client *client); // negotiation ended well; may be NULL
    void *user;
};

void rpc_client_init(struct rpc_client *c, const struct rpc_client_options *options);

// Ends all calls that still wait with ERR_CLOSED and frees what the client holds.
void rpc_client_release(struct rpc_client *c);

// The highest version of `api_key` in [version_min, version_max] that we and the server know (a
// version that is not stable is never chosen), or ERR_UNSUPPORTED with words. Only when READY.
int rpc_client_version(const struct rpc_client *c, int16_t api_key, int16_t version_min,
                       int16_t version_max, struct diag *diag);

// Encodes a request and queues it. `message` is the struct of the key's request schema and is not
// needed afterwards, but what its splices name is until the call is done. ERR_UNSUPPORTED and what
// else wire_encode says; ERR_AGAIN before READY.
int rpc_client_call(struct rpc_client *c, struct rpc_call *call, int16_t api_key, int16_t api_version,
                    const void *message);

// As above for a Produce with acks=0: no answer will come, and nothing waits for one.
int rpc_client_send_silent(struct rpc_client *c, int16_t api_key, int16_t api_version,
                           const void *message);

// `done` will not be called; the call struct is the owner's again. Its answer is read and dropped.
void rpc_client_cancel(struct rpc_client *c, struct rpc_call *call);

// Decodes the body of an answer into `out` (the struct of the key's response schema).
int rpc_answer_decode(const struct rpc_answer *answer, struct arena *arena, void *out);

// Output, as in rpc_pipeline.
int rpc_client_slices(const struct rpc_client *c, struct rpc_slice *slices, int slices_max);
void rpc_client_sent(struct rpc_client *c, size_t size);

// Input: read up to *room bytes to *at (scratch as in rpc_frame_reader_space), then tell. ERR_AGAIN:
// the budget is spent, call rpc_client_received(c, NULL, 0) later, before reading more. Any other
// error: the state is FAILED, `diag` says why, close the connection.
void rpc_client_space(struct rpc_client *c, uint8_t *scratch, size_t scratch_size, uint8_t **at,
                      size_t *room);
int rpc_client_received(struct rpc_client *c, const uint8_t *at, size_t size);

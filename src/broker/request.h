// SPDX-License-Identifier: Apache-2.0
//
// One request on its way through the broker. The connection reads it and hands it to the handler;
// from then on the handler owns it and ends it exactly once, at once or later, with
// request_reply(), request_drop() or request_close_connection(). After that the struct must not be
// touched: it is freed when its answer has been sent.
//
// When the connection dies first, request_is_abandoned() turns true and `abandoned`, if set, is
// called. The request stays valid and is still to be ended (inside `abandoned`, or later by whoever
// holds it, a work on another thread for example); its answer then goes nowhere.
//
// Everything here runs on the shard of the connection, but a request can be sent to another shard
// (request_send()), whose handler then owns it and ends it there; such a one is never seen abandoned.
// Views decoded from the body point into the frame, which lives as long as the request.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/list.h"
#include "env/net.h"
#include "rpc/frame.h"
#include "rpc/server.h"

struct connection;
struct env_mailbox;
struct request_away;
struct wire_schema;

enum { REQUEST_MAGIC = 0x72657175 };

// Something that is undone when the request is freed: after its answer has been sent, or when it is
// known that it never will be. Embedded, or allocated from the request's arena.
struct request_cleanup {
    struct request_cleanup *next;
    void (*run)(struct request_cleanup *cleanup);
};

struct request {
    unsigned magic;
    struct rpc_request_header header; // api_key, api_version, correlation_id, client_id
    struct bytes body;                // what wire_decode takes
    struct arena arena;               // for what it decodes into and what the answer is built in
    int64_t received_ns;              // mono time when its last byte had arrived
    struct connection *connection;    // NULL once abandoned

    // For the handler.
    int splice_max; // file ranges in the answer at most; 0 unless records are answered
    void (*abandoned)(struct request *request);
    void *user;

    // The connection's.
    struct rpc_exchange exchange;
    struct rpc_frame frame;
    struct request_cleanup *cleanups;
    size_t held_bytes;             // counted in connections.held_bytes and its connection's
    struct list_node node;         // in connections.abandoned
    struct connections *owner;     // NULL once that has been freed
    struct request_away *away;     // while another shard has it
};

// Where a request goes, and what happens there and when it is back. All fields are needed.
struct request_trip {
    struct env_mailbox *to;
    struct env_mailbox *home; // this shard's own
    void (*serve)(void *context, struct request *r); // there
    void *serve_context;
    void (*back)(void *context); // here, when it has been ended there
    void *back_context;
};

// Hands it to the handler of another shard. False if there is no memory for that.
bool request_send(struct request *r, const struct request_trip *trip);

// Encodes `message` with the response schema of the request's key and sends it in its turn. The
// message is not needed afterwards; files that its records name as `source` (struct fs_file *) must
// stay open until the cleanups run. What cannot be encoded is a bug of the handler: it is reported,
// and the connection closed.
void request_reply(struct request *r, const void *message);

// As above in another version than the request's, for the ApiVersions fallback (version 0).
void request_reply_version(struct request *r, int16_t version, const void *message);

// Ends it without an answer: Produce with acks=0.
void request_drop(struct request *r);

// Ends it and its connection: for bodies that do not decode, and where Kafka does so. `why` goes to
// the trace at level debug.
void request_close_connection(struct request *r, const char *why);

// The body has been decoded: what the arena takes counts as held until the answer is made. To be called
// again by a handler that needs much more of it while the request waits.
void request_decoded(struct request *r);

// Runs when the request is freed, the latest added first.
void request_add_cleanup(struct request *r, struct request_cleanup *cleanup);

static inline bool request_is_abandoned(const struct request *r)
{
    return r->away == NULL && r->connection == NULL;
}

// Of a request that is not abandoned.
const char *request_listener(const struct request *r); // its listener's name
const struct net_address *request_local_address(const struct request *r);
const struct net_address *request_remote_address(const struct request *r);

// Where an API may keep what belongs to the connection (client software, principal): see
// connection_set_user() in broker/connection.h.
void *request_connection_user(const struct request *r);

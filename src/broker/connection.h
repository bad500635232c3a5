// SPDX-License-Identifier: Apache-2.0
//
// The connections of one shard: listens, reads requests, hands them to the handler, sends answers in
// the order of the requests, and keeps all of it inside bounds:
//
// - An idle connection holds no buffer. A frame grows with the bytes that arrive (rpc/frame.h), and
//   all frames together stay inside `queued_bytes_max`: past it connections are not read until
//   requests have been answered. When nobody gives back for STALL_MS, or somebody waits for PATIENCE_MS,
//   the connection goes that holds most in a frame that is not complete or a request that only waits,
//   and more that are quiet, until half is free.
//   A small frame of a connection that has no other finds room in a reserve beyond.
// - What requests were decoded to while they wait, and answers that nobody takes, stay inside
//   `held_bytes_max` together. Past it a connection's next request waits until it holds
//   nothing itself, and then the connections that hold the most are closed for it; it waits also for what
//   is left of requests whose connections have gone.
// - A connection has at most `in_flight_max` requests that are not answered and sent; answers that
//   a slow reader does not take are memory up to `output_bytes_max` and otherwise references to files.
//   Past either it is not read, which stops the sender by TCP.
// - Requests that are read and wait for those before them are at most `queued_requests_max`, beside one
//   for each connection.
// - As in Kafka a connection has one request in the handler's hands at a time; only Produce may
//   follow Produce while the first still waits for the disk. So requests of one connection take
//   effect in their order.
// - Connections are refused while there are only descriptors left for files (os/net_listen.c).
// - `max.connections` and `max.connection.creation.rate`, of the broker and of each listener,
//   `max.connections.per.ip` and its overrides, and `connections.max.idle.ms` as in Kafka, the limits
//   at run time too. Overrides name addresses or localhost, not other host names.
//
// One thread: the shard's. Where a node has several, one accepts for all of them and deals the
// connections out; the limits above are counted there, those on memory are each shard's.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/trace.h"
#include "broker/request.h"
#include "env/env.h"
#include "env/net.h"
#include "rpc/server.h"

struct connections;

// The limits on who is accepted; they may change at run time.
struct connection_limits {
    int32_t connections_max;            // max.connections
    int32_t connections_per_ip_max;     // max.connections.per.ip
    struct str per_ip_overrides;        // max.connections.per.ip.overrides: "ADDRESS:COUNT,..."; copied
    int32_t connections_per_second_max; // max.connection.creation.rate; 0: unlimited
};

// Those of one listener, beside the broker's own (listener.name.NAME.max.connections and so on).
struct listener_limits {
    int32_t connections_max;
    int32_t connections_per_second_max; // 0: unlimited
};

struct connections_config {
    struct rpc_apis apis;               // served; the table stays the caller's
    void (*handle)(void *context, struct request *request);
    void *context;
    // Whose the next connection that we accept is: ours or those of another shard. NULL: always ours.
    struct connections *(*choose)(void *context);
    struct trace *trace;                // may be NULL

    int32_t request_bytes_max;          // socket.request.max.bytes
    int32_t queued_requests_max;        // queued.max.requests; 0: CONNECTIONS_QUEUED_REQUESTS_MAX
    int64_t queued_bytes_max;           // queued.max.request.bytes; <= 0: CONNECTIONS_QUEUED_BYTES_MAX
    int64_t reserve_bytes;              // for small frames beyond that; 0: CONNECTIONS_RESERVE_BYTES
    size_t arena_bytes_max;             // of one request
    size_t answer_bytes_max;            // memory part of one answer; 0: CONNECTION_ANSWER_BYTES_MAX
    size_t output_bytes_max;            // 0: CONNECTION_OUTPUT_BYTES_MAX
    size_t held_bytes_max;              // 0: as much as queued_bytes_max
    int in_flight_max;                  // 0: CONNECTION_IN_FLIGHT_MAX
    int64_t idle_ms_max;                // connections.max.idle.ms; < 0: never
    struct connection_limits limits;
};

enum {
    CONNECTIONS_QUEUED_REQUESTS_MAX = 500,
    CONNECTIONS_QUEUED_BYTES_MAX = 256 << 20,
    CONNECTIONS_RESERVE_BYTES = 64 << 20,
    CONNECTION_ANSWER_BYTES_MAX = 64 << 20,
    CONNECTION_OUTPUT_BYTES_MAX = 1 << 20,
    CONNECTION_IN_FLIGHT_MAX = 64,
    CONNECTIONS_STALL_MS = 2000,
    CONNECTIONS_PATIENCE_MS = 10000,
};

// No listener yet. `env` must outlive it. Overrides that make no sense are skipped: whoever reads the
// configuration has complained about them.
struct connections *connections_new(struct env *env, const struct connections_config *config);

// Closes everything at once. Requests that still wait are abandoned from here; they stay valid and are
// still to be ended by their owners, afterwards too.
void connections_free(struct connections *c);

// Opens a listener. `name` is copied; *local (may be NULL) gets the address and the port that the
// system chose. It accepts at once.
int connections_listen(struct connections *c, const char *name, const char *host, uint16_t port,
                       struct net_address *local, struct diag *diag);

// Stops in order: no new connections, and nothing more is read; what was read is served and sent,
// then its connection closed. `stopped` is called by a later event when the last one is gone, and may
// free it all. Connections that do not take their answers are the caller's to cut, with
// connections_free() after a time.
void connections_stop(struct connections *c, void (*stopped)(void *context), void *context);

// New limits, at run time. Nobody who is there already is sent away.
void connections_set_limits(struct connections *c, const struct connection_limits *limits);

// The same for the listener of this name; none when it is not there. A listener begins without.
void connections_set_listener_limits(struct connections *c, const char *name,
                                     const struct listener_limits *limits);

struct connections_stats {
    int open_count;
    int64_t accepted_total;
    int64_t refused_total;     // over a limit
    int64_t closed_idle_total;
    int64_t closed_greedy_total; // held too much memory when others needed it
    int64_t closed_bad_total;  // garbage, unknown API or version
    int64_t requests_total;
    int64_t bytes_in_total;
    int64_t bytes_out_total;
    size_t queued_bytes;       // frames held now
};

void connections_stats_get(const struct connections *c, struct connections_stats *out);

// Hangs something on the connection of a request; `release` runs when the connection is freed.
void connection_set_user(struct connection *connection, void *user, void (*release)(void *user));
void *connection_user(const struct connection *connection);

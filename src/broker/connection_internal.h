// SPDX-License-Identifier: Apache-2.0
//
// What connection.c (one connection), connections.c (all of a shard) and request.c share.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "broker/connection.h"
#include "env/mailbox.h"
#include "env/timer.h"
#include "rpc/frame.h"

// All connections from one address.
struct connection_ip {
    struct map_node node; // in connections.ips, by host
    int count;
    char host[NET_ADDRESS_TEXT_MAX];
};

// How many connections were accepted in the second that began at `second_ns`.
struct accept_rate {
    struct connections *owner;
    int32_t per_second_max; // 0: unlimited
    int32_t count;
    int64_t second_ns;
    struct env_timer timer; // set while the rate is used up
};

struct connection_listener {
    struct list_node node; // in connections.listeners
    struct connections *owner;
    struct net_listener *net; // NULL once closed
    char *name;
    int count; // of its connections
    int32_t connections_max;
    struct accept_rate rate;
    bool paused; // by a limit, its own or the broker's
};

// The place of a connection among those that its acceptor counts. It goes with a connection that is
// given to another shard, and comes back when that is closed.
struct connection_place {
    struct env_message message;
    struct connections *acceptor;
    struct connections *home;
    struct connection_listener *listener; // of it only the name is read elsewhere
    struct connection_ip *ip;
    struct net_conn *net;
};

struct connection {
    unsigned magic;
    struct connections *owner;
    struct net_conn *net;
    struct connection_listener *listener;
    struct connection_ip *ip;
    struct connection_place *place; // NULL: it was accepted here
    struct list_node node;       // in connections.all, least recently active first
    struct list_node dirty_node; // in connections.dirty: has something to do
    struct list_node hungry_node; // in connections.hungry: waits for the frame budget
    struct list_node delayed_node; // in connections.delayed
    int64_t active_ns;

    struct rpc_frame_reader reader;
    struct rpc_pipeline pipeline;
    size_t turn_bytes;         // moved since connection__run() was entered
    int64_t turn_end_ns;       // when it must be left
    bool overtime;             // the last turn took all its time: the next comes behind others
    struct list queued;        // requests that are not in the handler's hands yet, by request.node
    size_t held_bytes;         // by its requests, see connections.held_bytes
    int64_t hungry_ns;         // since when its frame waits for the budget; 0: it does not
    int handed_count;          // requests in the handler's hands and not ended
    bool handed_only_produce;  // all of these are Produce
    bool unparsed;             // the reader may have a frame without another read
    bool readable;             // the socket may have bytes
    bool blocked;              // the socket takes no more bytes now
    bool closing;              // reads no more; closed when all answers have been sent
    bool broken;               // to be closed as soon as connection_run() is left
    bool running;              // connection_run() is on the stack

    void *user;
    void (*user_release)(void *user);
};

// A message to the own shard that outlives `owner` if it must.
struct connection_flush {
    struct env_message message;
    struct connections *owner; // NULL: gone, free this
    bool posted;
};

struct connections {
    unsigned magic;
    struct env *env;
    struct connections_config config;
    struct rpc_budget budget;
    uint8_t *scratch; // RPC_SCRATCH_BYTES, for whoever reads
    struct list listeners;
    struct list all;
    struct list dirty;
    struct list hungry;
    struct list delayed;   // connections whose next request waits until abandoned ones have ended
    struct list abandoned; // requests without a connection, by request.node
    size_t held_bytes; // what requests were decoded to, and answers that are not sent yet
    size_t held_abandoned_bytes; // of these by abandoned requests
    int64_t shed_told_ns; // when the operator was told last
    int64_t descriptors_told_ns;
    struct connection_flush *flush;
    struct env_timer idle_timer;
    struct env_timer stall_timer;
    int64_t refusal_told_ns;
    int64_t budget_given_total; // grows when frames are released: the sign of progress
    int64_t budget_given_at_stall;
    struct map ips;
    struct hash_seed ip_seed;
    int count;        // of the connections here
    int admitted;     // of those that were accepted here, wherever they are
    int queued_count; // requests in the `queued` lists of all connections
    char *overrides; // owns config.limits.per_ip_overrides
    struct accept_rate rate;
    bool stopping;
    void (*stopped)(void *context);
    void *stopped_context;
    struct connections_stats stats;
};

// connection.c
void connection__new(struct connections *c, struct connection_listener *listener,
                     struct net_conn *net, struct connection_ip *ip, struct connection_place *place);

// Does everything that can be done now: reads, hands over, sends, closes.
void connection__run(struct connection *conn);

// Frees it at once, or when its connection__run() is left.
void connection__end(struct connection *conn);

// Lets connection__run() look at it after the current event.
void connection__schedule(struct connection *conn);

// Nothing that was asked after `r` is answered any more; closed once what is before it has been.
void connection__cut(struct connection *conn, struct request *r);

// connections.c
void connections__removed(struct connections *c, struct connection *conn);
void connections__starving(struct connections *c, struct connection *conn);
void connections__frame_released(struct connections *c);

// Whether `conn` may hand over another request, as far as memory goes. Closes others to make room.
bool connections__may_hold_more(struct connections *c, struct connection *conn);
void connections__schedule(struct connections *c, struct connection *conn);

// request.c
struct request *request__new(struct connection *conn, struct rpc_frame *frame,
                             const struct rpc_request_header *header);
void request__free(struct request *r);

// The connection goes away under it.
void request__abandon(struct request *r);

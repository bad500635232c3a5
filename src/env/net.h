// SPDX-License-Identifier: Apache-2.0
//
// Stream sockets of one shard, readiness-shaped: a call does what can be done now and says ERR_AGAIN
// for the rest; an event tells when to go on. (Readiness, since for sockets it needs no buffer of
// ours while a connection is idle, and gives back pressure for free: who does not read, stops the
// peer.) All calls and callbacks on the shard's own thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

struct fs_file;

enum { NET_ADDRESS_TEXT_MAX = 64, NET_SLICES_MAX = 64 };

// An address as text: "127.0.0.1" or "::1", without brackets; and a port.
struct net_address {
    char host[NET_ADDRESS_TEXT_MAX];
    uint16_t port;
};

// One piece of what is sent: memory, or a range of a file that goes out without being copied.
struct net_slice {
    const uint8_t *data;  // memory, or
    struct fs_file *file; // a file when not NULL
    int64_t position;     // in the file
    size_t size;
};

enum net_events {
    NET_READABLE = 1,
    NET_WRITABLE = 2,
    NET_FAILED = 4, // reported only: the connection is dead in both directions
};

// A connection. Implementations embed it; the user sets the callback fields right after it got it.
struct net_conn {
    const struct net_conn_ops *ops;
    struct net_address local;
    struct net_address remote;
    // What was wanted is possible. A peer that closed is reported as readable (read then tells).
    // Called only for wanted events, but with NET_FAILED always, and then once.
    void (*ready)(struct net_conn *conn, unsigned events);
    void *user;
};

struct net_conn_ops {
    void (*want)(struct net_conn *conn, unsigned events);
    int64_t (*read)(struct net_conn *conn, void *out, size_t size);
    int64_t (*write)(struct net_conn *conn, const struct net_slice *slices, int count);
    void (*close)(struct net_conn *conn);
    void (*detach)(struct net_conn *conn);
};

// A listening socket. `accept` gets a connection that it owns from then on. Before descriptors run out
// connections are refused (closed at once): what opens files must not fail for them.
struct net_listener {
    struct net_address local; // with the port the system chose, if 0 was asked for
    void (*accept)(struct net_listener *listener, struct net_conn *conn);
    void (*refused)(struct net_listener *listener, int count); // so many, just now; may be NULL
    void *user;
    void (*close)(struct net_listener *listener);
    // Stops and restarts accepting: when descriptors run out or a connection limit is reached.
    void (*pause)(struct net_listener *listener, bool paused);
};

struct env_net {
    int (*listen)(struct env_net *net, const char *host, uint16_t port, struct net_listener **out,
                  struct diag *diag);
    int (*connect)(struct env_net *net, const char *host, uint16_t port, struct net_conn **out,
                   struct diag *diag);
    int (*attach)(struct env_net *net, struct net_conn *conn);
};

// Binds and listens. `host` is a name, an IPv4 or IPv6 address, or "" for all addresses of both
// families. Set accept and user before returning to the event loop.
static inline int net_listen(struct env_net *net, const char *host, uint16_t port,
                             struct net_listener **out, struct diag *diag)
{
    return net->listen(net, host, port, out, diag);
}

// Starts to connect; the connection is writable once it stands, or reports its failure through read.
// Resolving a name may block: give addresses where that matters.
static inline int net_connect(struct env_net *net, const char *host, uint16_t port,
                              struct net_conn **out, struct diag *diag)
{
    return net->connect(net, host, port, out, diag);
}

// Chooses the events that `ready` is called for (NET_READABLE | NET_WRITABLE, or 0).
static inline void net_want(struct net_conn *conn, unsigned events)
{
    conn->ops->want(conn, events);
}

// The bytes read (> 0), ERR_AGAIN, ERR_CLOSED at the end of the stream, or ERR_IO.
static inline int64_t net_read(struct net_conn *conn, void *out, size_t size)
{
    return conn->ops->read(conn, out, size);
}

// Sends as much as the socket takes of up to NET_SLICES_MAX slices, in order: the bytes taken (> 0),
// ERR_AGAIN, ERR_CLOSED or ERR_IO. ERR_TRUNCATED: a file range ends before its slice does.
static inline int64_t net_write(struct net_conn *conn, const struct net_slice *slices, int count)
{
    return conn->ops->write(conn, slices, count);
}

// Frees the connection; may be called from its own callback.
static inline void net_close(struct net_conn *conn)
{
    conn->ops->close(conn);
}

// Takes a connection that was just accepted from its shard, inside the accept callback, so that another
// can have it; until then nothing happens on it.
static inline void net_detach(struct net_conn *conn)
{
    conn->ops->detach(conn);
}

// Gives it to this shard; set ready and user before returning to the event loop. After an error it is
// still to be closed, here.
static inline int net_attach(struct env_net *net, struct net_conn *conn)
{
    return net->attach(net, conn);
}

static inline void net_listener_close(struct net_listener *listener)
{
    listener->close(listener);
}

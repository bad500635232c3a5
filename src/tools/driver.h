// SPDX-License-Identifier: Apache-2.0
//
// Runs a struct client on an env: opens its sockets, moves its bytes, sets its timer; and lets a
// command wait for something. One per running command.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "client/client.h"
#include "env/timer.h"

struct driver;
struct tool;

enum { DRIVER_LINKS_MAX = CLIENT_LINKS_MAX };

// Makes t->driver for the given bootstrap servers: `flag` if not NULL, else CHITIN_BOOTSTRAP, else
// 127.0.0.1:9092. Nothing is connected yet. Returns 0, or an exit status after saying why.
int tool_connect(struct tool *t, const char *bootstrap);

// Closes connections and frees the driver; harmless without one.
void tool_disconnect(struct tool *t);

struct client *driver_client(struct driver *d);
int64_t driver_now_ms(const struct driver *d);  // monotonic
int64_t driver_wall_ms(const struct driver *d);

// Called whenever the client has been driven: the place for a command to look at its own state.
// `next_ms` tells when it wants to be called again at the latest (INT64_MAX = no need).
struct driver_user {
    void (*step)(void *user, int64_t now_ms);
    int64_t (*next_ms)(void *user);
    void *user;
};

void driver_set_user(struct driver *d, const struct driver_user *user);

// Drives until *done becomes true.
void driver_run(struct driver *d, const bool *done);

// The command changed something outside a callback (sent a request): effects are looked at soon.
void driver_kick(struct driver *d);

// Sends a request and waits: 0 and `got` was called with the response, or a negative error. The
// response lives only during `got`.
typedef void (*driver_response_fn)(void *user, const void *response, int16_t version);
int driver_call(struct driver *d, int16_t api_key, int32_t node, const void *body,
                driver_response_fn got, void *user);

// As above with version bounds.
int driver_call_versions(struct driver *d, int16_t api_key, int16_t version_min,
                         int16_t version_max, int32_t node, const void *body,
                         driver_response_fn got, void *user);

// Waits until the topology of all topics (topic NULL) or of one topic is known.
int driver_topology(struct driver *d, const char *topic, bool create);

// Says why a call failed, with what to do about it, and returns the exit status.
int tool_fail_call(struct tool *t, int err);

// The same for an error code of the protocol: "TEXT: MESSAGE" and its fix. `what` is for example
// "topic orders".
int tool_fail_code(struct tool *t, const char *what, int16_t code, struct str message);

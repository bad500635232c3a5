// SPDX-License-Identifier: Apache-2.0
//
// Runs a struct client on an env: opens its sockets, moves its bytes, sets its timer; and lets a
// command wait for something. One per running command.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "client/client.h"
#include "client/list_offsets.h"
#include "env/timer.h"

struct driver;
struct env;
struct tool;

enum { DRIVER_LINKS_MAX = CLIENT_LINKS_MAX };

// The bootstrap servers: `flag` if not NULL, else CHITIN_BOOTSTRAP, else 127.0.0.1:9092.
const char *tool_bootstrap(struct tool *t, const char *flag);

// Makes t->driver for tool_bootstrap(t, bootstrap). Nothing is connected yet. Returns 0, or an exit
// status after saying why.
int tool_connect(struct tool *t, const char *bootstrap);

// Closes connections and frees the driver; harmless without one.
void tool_disconnect(struct tool *t);

struct client *driver_client(struct driver *d);
struct env *driver_env(struct driver *d);
int64_t driver_now_ms(const struct driver *d);  // monotonic
int64_t driver_wall_ms(const struct driver *d);

// `step` is called whenever anything has happened: the place for a command to look at its own state
// and to send requests. `next_ms` (may be NULL) says when it wants to be called at the latest.
struct driver_user {
    void (*step)(void *user, int64_t now_ms);
    int64_t (*next_ms)(void *user);
    void *user;
};

void driver_set_user(struct driver *d, const struct driver_user *user);

// Drives until *done becomes true.
void driver_run(struct driver *d, const bool *done);

// Sends a request and waits: 0 and *out is the answer, to be given back with client_answer_release(),
// or a negative error (client_done_fn lists them).
int driver_call(struct driver *d, int16_t api_key, int32_t node, const void *body,
                struct client_answer *out);

// As above with version bounds.
int driver_call_versions(struct driver *d, int16_t api_key, int16_t version_min,
                         int16_t version_max, int32_t node, const void *body,
                         struct client_answer *out);

// How long calls wait for an answer from now on, connecting included; 0 = the client's time.
void driver_set_timeout(struct driver *d, int64_t ms);

// Asks for a topic and waits until the cluster has said something about it: 0 and the topic is in
// the topology (perhaps with an error), or a negative error. With `create` the broker may create it,
// and is given a few seconds to.
int driver_wait_topic(struct driver *d, struct str topic, bool create);

// Asks for all topics and waits: 0, or a negative error.
int driver_wait_topology(struct driver *d);

// Lets time pass, with everything going on meanwhile.
void driver_pause(struct driver *d, int64_t ms);

// Looks up offsets at the partitions' leaders and waits. Errors are in the queries.
void driver_list_offsets(struct driver *d, struct offset_query *queries, int count,
                         bool read_committed);

// Says why a call failed, with what to do about it, and returns the exit status.
int tool_fail_call(struct tool *t, int err);

// The same for an error code of the protocol: "TEXT: MESSAGE" and its fix. `what` is for example
// "topic orders".
int tool_fail_code(struct tool *t, const char *what, int16_t code, struct str message);

// SPDX-License-Identifier: Apache-2.0
//
// A process that runs one struct client on a host of the simulated network: opens its sockets,
// moves its bytes, sets its timer.
#pragma once

#include <stdint.h>

#include "client/client.h"
#include "sim_net.h"

struct sim_client;

// `step` is called whenever anything has happened, `next_ms` says when it wants to be called at the
// latest. Either may be NULL.
struct sim_client_user {
    void (*step)(void *user, int64_t now_ms);
    int64_t (*next_ms)(void *user);
    void *user;
};

// `bootstrap` as for client_new().
struct sim_client *sim_client_new(struct sim *sim, struct sim_host *host,
                                  const struct client_options *options, const char *bootstrap,
                                  const struct sim_client_user *user);

// Not from its own callbacks. What the user has on the client must be gone.
void sim_client_free(struct sim_client *c);

struct client *sim_client_get(struct sim_client *c);
int64_t sim_client_now_ms(const struct sim_client *c);

// Something new is to be done: looks at it soon.
void sim_client_wake(struct sim_client *c);

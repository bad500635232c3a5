// SPDX-License-Identifier: Apache-2.0
//
// A network on virtual time: hosts, connections between them, and weather. It keeps what env/net.h
// and TCP promise and nothing more: bytes of one direction of a connection arrive in order, once,
// cut into any pieces, at any time; connections overtake each other; reads and writes take a part
// of what they could; buffers fill up; a peer that is gone may say so (closed, reset) or be silent
// for good. One seed decides everything.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/prng.h"
#include "env/net.h"
#include "sim_env.h"

struct sim_net;
struct sim_host;

// What the network is like; may change at any time.
struct sim_weather {
    int64_t delay_ns_min; // one way
    int64_t delay_ns_max;
    unsigned lost_per_mille;  // segments that come only after having been sent again
    unsigned reset_per_mille; // segments with which the connection breaks, for both sides
    unsigned split_per_mille; // reads and writes that take any part of what they could, and
                              // events without a cause
    int64_t buffer_bytes;     // what one direction of a connection holds
};

struct sim_net *sim_net_new(struct sim *sim, uint64_t seed);

// Every connection and listener must be closed.
void sim_net_free(struct sim_net *net);

// Fast, and without faults: what a new network has.
struct sim_weather sim_weather_fair(void);
void sim_net_set_weather(struct sim_net *net, const struct sim_weather *weather);

// A machine with one address ("10.0.0.1"). It is up and its process runs.
struct sim_host *sim_host_add(struct sim_net *net, const char *address);

// The net of a shard of the process that runs there now, for whose env everything there happens; NULL:
// for nobody's, then whoever may use it. (sim_env.h)
struct env_net *sim_host_net(struct sim_host *host, int shard, struct sim_env *env);

// The process asks this before it sends or takes in anything; true: it died in the middle of a call
// and does nothing any more. May be NULL.
void sim_host_set_is_dead(struct sim_host *host, bool (*is_dead)(void *owner), void *owner);

// The process ends. Its connections are closed as a kernel does it: what was written arrives. What
// it held (net_conn, net_listener) is still to be closed by whoever cleans up, which does nothing
// more.
void sim_host_kill(struct sim_host *host);

// The machine stops, without a word to anybody: peers find out when they send and it runs again, or
// after a long time.
void sim_host_cut_power(struct sim_host *host);

// Machine and process run again. All that the former process held must be closed.
void sim_host_boot(struct sim_host *host);

// From now on nothing gets from one host to the other (this direction only), or does again.
void sim_net_set_blocked(struct sim_net *net, struct sim_host *from, struct sim_host *to,
                         bool blocked);

// Takes all blocks away.
void sim_net_heal(struct sim_net *net);

// Breaks one of the connections, any; false if there is none.
bool sim_net_reset_any(struct sim_net *net);

// Connections that are not closed yet, counted at both ends.
int sim_net_open_count(const struct sim_net *net);

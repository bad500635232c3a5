// SPDX-License-Identifier: Apache-2.0
//
// A node as a process on a simulated host with a simulated disk: it starts, runs, stops, is killed
// or loses its power in the middle of anything, and starts again on what is left.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/trace.h"
#include "broker/node.h"
#include "config/config.h"
#include "config/listeners.h"
#include "server/storage.h"
#include "sim_env.h"
#include "sim_fs.h"
#include "sim_net.h"

enum { PROCESS_SHARDS_MAX = 3 };

enum process_state {
    PROCESS_DOWN,
    PROCESS_STARTING,
    PROCESS_READY,
    PROCESS_STOPPING,
    PROCESS_OVER, // it has stopped by itself, or died: to be buried
};

struct process {
    struct sim *sim;
    struct sim_host *host;
    struct sim_fs *disk;
    struct env_fs *fs; // the disk, or something between it and the node
    struct sim_env shards[PROCESS_SHARDS_MAX];
    int shard_count; // of the next life and this one
    struct trace trace; // tells `said`
    struct config *config;
    struct node_config node_config;
    struct storage storage;
    struct node *node;
    enum process_state state;
    bool stopped;      // the node says so
    bool died;         // it did not stop in order
    bool power_failed; // and its machine neither
    bool dir_offline;  // one of its directories failed in this life
    int lives;
    const char *const *settings; // "KEY", "VALUE", ..., NULL; instead of the defaults
    void *owner;
    // A line of the node's log. Not from a process that is dead.
    void (*said)(void *owner, enum trace_level level, const char *line);
};

// Fills in what all lives share, with one shard. `p->settings`, `owner` and `said` are the caller's.
void process_init(struct process *p, struct sim *sim, struct sim_host *host, struct sim_fs *disk);

// A life begins. False, with words, if it ended at once for another reason than its death.
bool process_start(struct process *p, struct diag *diag);

// Asks it to stop in order.
void process_stop(struct process *p);

// It dies now.
void process_kill(struct process *p);

// Notices that it died inside a call. To be asked after every event.
bool process_is_over(struct process *p);

// Cleans up after it. `power_failed`: the machine went down as well, and did not say goodbye.
void process_bury(struct process *p, bool power_failed);

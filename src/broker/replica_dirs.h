// SPDX-License-Identifier: Apache-2.0
//
// Where the replicas of this broker are (KIP-858). With one log directory the controller knows; with
// several it leaves the choice to the broker, which tells it afterwards (AssignReplicasToDirs): so that a
// later start which misses a directory knows what was in it, and does not make it anew, empty.
//
// A shard collects what its partitions found or chose (`replica_dirs_report`) and gives it away in one
// piece; shard 0 tells the controller, a batch at a time (`replica_dirs`).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "broker/quorum.h"
#include "env/timer.h"
#include "wire/api/assign_replicas_to_dirs.h"

struct env;

struct replica_dir {
    struct uuid topic_id;
    int32_t index;
    struct uuid directory_id;
};

// ---- On each shard ----

struct replica_dirs_report {
    struct env *env;
    struct replica_dir *items;
    int count;
    int capacity;
    struct env_timer timer; // set while there are any
    void *owner;
    // Gets all of them, to be freed with mem_free(), in an event of its own.
    void (*give)(void *owner, struct replica_dir *items, int count);
};

void replica_dirs_report_init(struct replica_dirs_report *r, struct env *env, void *owner,
                              void (*give)(void *owner, struct replica_dir *items, int count));

// What was not given away is forgotten: the next start finds it again.
void replica_dirs_report_release(struct replica_dirs_report *r);

void replica_dirs_report_add(struct replica_dirs_report *r, const struct replica_dir *item);

// ---- On shard 0 ----

struct replica_dirs {
    struct env *env;
    struct trace *trace;
    struct quorum *quorum; // NULL before the broker is registered, and after the end
    bool is_over;
    int32_t node_id;
    int64_t broker_epoch;
    struct replica_dir *items; // that the controller has not confirmed, in the order of their coming
    int count;
    int capacity;
    int asked_count; // the first so many have been sent; 0: none
    struct quorum_command command;
    struct assign_replicas_to_dirs_response reply;
    struct arena arena;      // of the request and its reply
    struct env_timer retry;
};

void replica_dirs_init(struct replica_dirs *d, struct env *env, struct trace *trace, int32_t node_id);
void replica_dirs_release(struct replica_dirs *d);

// From now on the controller is told.
void replica_dirs_start(struct replica_dirs *d, struct quorum *quorum, int64_t broker_epoch);

void replica_dirs_add(struct replica_dirs *d, const struct replica_dir *items, int count);

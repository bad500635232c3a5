// SPDX-License-Identifier: Apache-2.0
//
// A coordinator in a simulation: any state machine on src/coordinator over a log of which the end is lost
// in a crash, on the virtual time of a scene. It moves, crashes, cannot append, and is loaded again.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "coordinator/coordinator.h"
#include "group_scene.h"

// The machine; `owner` made it.
struct sim_coordinator_type {
    const struct coordinator_machine *machine;
    const char *name;
    void *(*make)(void *owner);
    void (*attach)(void *state, struct coordinator *c);
    void (*loaded)(void *state, const struct coordinator_time *now);
    void (*end)(void *state, enum kafka_error error);
    void (*free)(void *state);
    void (*dump)(const void *state, struct buf *out); // what is durable, as text
};

// What was appended: where a crash may cut.
struct sim_batch {
    int64_t end_offset;
    size_t end; // in the log's bytes
};

struct sim_coordinator {
    struct group_scene *scene;
    const struct sim_coordinator_type *type;
    void *owner;
    bool has_faults;
    bool is_up;         // it is there and loaded
    bool is_crashing;   // what is answered now goes nowhere
    bool acks_early;    // a bug on purpose: nothing waits for the commit
    bool forgets_loads; // another: nothing goes on after a load
    void *state;        // while it is up
    struct coordinator *coordinator;
    int64_t life;       // events of a former one do nothing
    bool turn_is_due;
    bool commit_is_due;
    int64_t timer_at;
    struct buf log;
    int64_t end_offset;
    int64_t committed_offset;
    struct sim_batch *batches;
    int batch_count;
    int batch_capacity;
    uint64_t crashes;
};

// Nothing is loaded before sim_coordinator_start().
void sim_coordinator_init(struct sim_coordinator *c, struct group_scene *scene,
                          const struct sim_coordinator_type *type, void *owner);
void sim_coordinator_start(struct sim_coordinator *c);
void sim_coordinator_release(struct sim_coordinator *c);

struct coordinator_time sim_coordinator_now(const struct sim_coordinator *c);

// Something was called on the state.
void sim_coordinator_touched(struct sim_coordinator *c);

// It goes, and is back soon; with a crash the end of the log may be lost.
void sim_coordinator_crash(struct sim_coordinator *c);
void sim_coordinator_move(struct sim_coordinator *c);

// Loads the log into another machine, which must say the same. Only when nothing is gathered.
void sim_coordinator_check_replay(struct sim_coordinator *c);

// SPDX-License-Identifier: Apache-2.0
//
// One partition of __consumer_offsets in a simulation: its groups on a coordinator, a log of which
// the end is lost in a crash, virtual time, and requests that travel, are lost, or meet nobody.
// What members live in, for sim_group.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "config/config.h"
#include "coordinator/coordinator.h"
#include "group/groups.h"
#include "group_scene.h"
#include "metadata/image.h"

// Bugs on purpose.
enum world_bug {
    BUG_NONE,
    BUG_EARLY_ACK,   // replies do not wait for the commit
    BUG_NO_TIMEOUTS, // members are not watched after a load
};

struct world_options {
    uint64_t seed;
    enum world_bug bug;
    bool verbose;
};

// What was appended: where a crash may cut.
struct world_batch {
    int64_t end_offset;
    size_t end; // in the log's bytes
};

struct world {
    struct group_scene scene;
    const struct world_options *options;
    bool has_faults;  // the second phase has none
    bool is_up;       // a coordinator is there and loaded
    bool is_crashing; // what is answered now goes nowhere

    struct config *config;
    struct metadata_image *image;

    struct groups *groups;
    struct coordinator *coordinator;
    int64_t life;     // of the coordinator: events of a former one do nothing
    bool has_refused; // a classic group may be Empty without a record then
    bool turn_is_due;
    bool commit_is_due;
    int64_t timer_at; // for which an event is there
    struct buf log;
    int64_t end_offset;
    int64_t committed_offset;
    struct world_batch *batches;
    int batch_count;
    int batch_capacity;
    uint64_t crashes;
};

void world_init(struct world *w, const struct world_options *options);
void world_release(struct world *w); // the members are gone

// Runs what is due next; false when there is nothing before `end_ms`.
bool world_step(struct world *w, int64_t end_ms);

// The coordinator goes: with a crash the end of the log may be lost.
void world_crash(struct world *w);
void world_move(struct world *w);

// More partitions for a topic.
void world_grow(struct world *w, int topic);

// Prints the state of all groups.
void world_show(struct world *w);

// Loads the log into other groups and compares what both say. Only when nothing is gathered.
void world_check_replay(struct world *w);

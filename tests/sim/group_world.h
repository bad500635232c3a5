// SPDX-License-Identifier: Apache-2.0
//
// One partition of __consumer_offsets in a simulation: its groups on a coordinator, a log of which
// the end is lost in a crash, virtual time, and requests that travel, are lost, or meet nobody.
// Used by sim_group and its members (group_members.h).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/prng.h"
#include "base/uuid.h"
#include "config/config.h"
#include "coordinator/coordinator.h"
#include "group/groups.h"
#include "metadata/image.h"

enum { WORLD_TOPICS = 2, WORLD_PARTITIONS_MAX = 6, WORLD_GROUPS = 3, WORLD_MEMBERS_MAX = 12 };

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

struct world;

// Something that happens later. Freed after it ran.
struct world_event {
    struct heap_node node;
    struct world *world;
    void (*run)(struct world_event *event);
};

// What was appended: where a crash may cut.
struct world_batch {
    int64_t end_offset;
    size_t end; // in the log's bytes
};

struct world {
    const struct world_options *options;
    struct prng prng;
    struct coordinator_time now;
    struct heap events;
    bool has_faults;  // the second phase has none
    bool is_up;       // a coordinator is there and loaded
    bool is_crashing; // what is answered now goes nowhere
    bool failed;
    char message[4096];

    struct config *config;
    struct metadata_image *image;
    struct uuid topic_ids[WORLD_TOPICS];
    int32_t partition_counts[WORLD_TOPICS];

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

    // What was promised: the newest commit of each partition that was answered, in the order in
    // which commits were served; and the newest that was served at all.
    int64_t commit_served;
    int64_t commit_promised[WORLD_GROUPS][WORLD_TOPICS][WORLD_PARTITIONS_MAX];

    uint64_t hash; // of everything that happened
    uint64_t requests;
    uint64_t crashes;
    uint64_t rebalances;
};

void world_init(struct world *w, const struct world_options *options);
void world_release(struct world *w);

// The history is wrong: keeps the first reason.
__attribute__((format(printf, 2, 3))) void world_fail(struct world *w, const char *format, ...);

__attribute__((format(printf, 2, 3))) void world_note(struct world *w, const char *format, ...);

uint64_t world_below(struct world *w, uint64_t bound);
bool world_chance(struct world *w, uint64_t numerator, uint64_t denominator);

// `event` is allocated by the caller, with `run` set.
void world_at(struct world *w, struct world_event *event, int64_t delay_ms);

// Runs what is due next; false when there is nothing before `end_ms`.
bool world_step(struct world *w, int64_t end_ms);

// The coordinator goes: with a crash the end of the log may be lost.
void world_crash(struct world *w);
void world_move(struct world *w);

// More partitions for a topic.
void world_grow(struct world *w, int topic);

const char *world_topic_name(int topic);
const char *world_group_id(int group);
int world_topic_of(const struct world *w, struct str name, struct uuid id); // -1: none

// What is done to the groups of the coordinator has consequences.
void world_touched(struct world *w);

// Prints the state of all groups.
void world_show(struct world *w);

// Loads the log into other groups and compares what both say. Only when nothing is gathered.
void world_check_replay(struct world *w);

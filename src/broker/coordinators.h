// SPDX-License-Identifier: Apache-2.0
//
// The coordinators on one shard: for each partition of their topics (coordinator_kind.h) that this broker
// leads and that lives here, a coordinator with its state. Loads their logs, appends their batches, tells
// them what is committed, what time it is and what the metadata says. Belongs to a shard.
//
// A coordinator is made when its partition has a leader and a log here, and ends when that is over, or
// when an append fails: then it is made again, from the log.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/list.h"
#include "broker/coordinator_kind.h"
#include "coordinator/coordinator.h"

struct metadata_image;
struct shard;

#define GROUP_TOPIC "__consumer_offsets"

struct coordinators {
    struct shard *shard;
    struct list slots; // struct coordinator_slot
    bool is_running;
    bool is_applying;
};

// Empty until coordinators_start(), which makes them from the shard's image.
void coordinators_init(struct coordinators *cs, struct shard *s);
void coordinators_start(struct coordinators *cs);

// Before the partitions of the shard follow from one image to the next: ends what is not ours any more.
void coordinators_leave(struct coordinators *cs, const struct metadata_image *to);

// After that: makes what is new, and tells all of the metadata.
void coordinators_apply(struct coordinators *cs, const struct metadata_image *to);

// Ends all: who is parked is answered NOT_COORDINATOR, so is who comes later.
void coordinators_stop(struct coordinators *cs);

// True when no work of a stopped one is under way on a worker.
bool coordinators_are_idle(const struct coordinators *cs);

// After coordinators_stop() and when they are idle, or without a stop when the shard's thread is no more.
void coordinators_release(struct coordinators *cs);

// The partition of the kind's topic that is responsible for an id (of a group, ...), by the shard's image;
// -1: there is no such topic.
int32_t coordinators_partition_of(const struct shard *s, enum coordinator_kind kind, struct str id);

// The state (struct groups, ...) of a partition that lives here, with *error KAFKA_NONE; or NULL with
// COORDINATOR_LOAD_IN_PROGRESS or NOT_COORDINATOR. Whatever was called on it, coordinators_touched()
// follows.
void *coordinators_find(struct coordinators *cs, enum coordinator_kind kind, int32_t partition,
                        enum kafka_error *error);
void coordinators_touched(struct coordinators *cs, enum coordinator_kind kind, int32_t partition);

// What time it is for the coordinators of this shard.
struct coordinator_time coordinators_now(const struct shard *s);

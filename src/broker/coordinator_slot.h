// SPDX-License-Identifier: Apache-2.0
//
// One coordinator of a shard and what moves it: see coordinators.h. Loading reads the log piece by piece
// on a worker and replays each piece on the shard, in turns, so that nobody else waits. Records are
// appended at the end of a turn, but one batch at a time: while a batch is becoming durable the next
// gathers, so the busier it is the more commands share a sync.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/uuid.h"
#include "broker/coordinator_kind.h"
#include "broker/partition.h"
#include "coordinator/coordinator.h"
#include "env/mailbox.h"
#include "env/timer.h"
#include "env/work.h"
#include "log/log.h"

struct shard;

enum { COORDINATOR_NAME_MAX = 64 };

enum slot_state {
    SLOT_WAITING, // for its partition to have a log, or before it is loaded again
    SLOT_LOADING,
    SLOT_ACTIVE,
    SLOT_BROKEN, // its log cannot be loaded: told once, tried again when the broker starts
    SLOT_ENDED,  // to be freed when nothing of it is under way
};

struct coordinator_slot {
    struct list_node node;
    struct shard *shard;
    enum coordinator_kind kind;
    const struct coordinator_kind_type *type;
    char name[COORDINATOR_NAME_MAX]; // of the partition: "__consumer_offsets-7"
    int32_t partition; // of the topic
    struct uuid topic_id;
    int32_t leader_epoch;
    enum slot_state state;
    struct coordinator *coordinator; // of SLOT_LOADING and SLOT_ACTIVE
    void *state_of_kind;             // likewise; the kind's
    bool is_held;              // it uses its log further up the stack
    enum kafka_error end_error; // of SLOT_ENDED: for who is parked
    int32_t linger_ms;  // settings that are looked at in every turn
    size_t piece_bytes;

    // A piece of the log on its way into memory
    struct env_work work;
    bool is_working;
    struct log_slice slice;
    struct log_check found;
    struct buf piece;
    int read_error;
    int64_t load_offset;
    int64_t load_begin_ns;

    struct env_message turn; // the end of this turn, or the next piece
    bool turn_is_posted;
    struct append_wait wait; // for the oldest batch to be committed
    struct env_timer timer;  // earliest deadline of the coordinator, or when to load again
    struct env_timer linger;
};

struct coordinator_slot *coordinator_slot_new(struct shard *s, enum coordinator_kind kind,
                                              int32_t partition, struct uuid topic_id,
                                              int32_t leader_epoch);

// Begins to load, if it waits for that and can.
void coordinator_slot_consider(struct coordinator_slot *slot);

// Something was called on its state: what follows from that is done at the end of this turn.
void coordinator_slot_touched(struct coordinator_slot *slot);

// Answers who is parked, and frees what is not on a worker; in the next turn, if it is using its log.
void coordinator_slot_end(struct coordinator_slot *slot, enum kafka_error error);

// True when it can be freed: it has ended and nothing of it is under way.
bool coordinator_slot_is_idle(const struct coordinator_slot *slot);
void coordinator_slot_free(struct coordinator_slot *slot);

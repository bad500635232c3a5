// SPDX-License-Identifier: Apache-2.0
//
// One partition on this broker: its log, how far consumers may read, and who waits for it. Belongs to
// a shard; everything here runs on that shard's thread.
//
//   log start offset <= last stable offset <= high watermark <= log end offset
//
// With one replica the high watermark is what is durable: an answer to a producer and what a consumer
// sees wait for the sync of the bytes. With `write.caching=true` it is the log end.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/uuid.h"
#include "config/topic_config.h"
#include "env/timer.h"
#include "log/log.h"
#include "wire/errors.h"

struct log_dir;
struct partitions;

enum partition_state {
    PARTITION_ONLINE,
    PARTITION_OFFLINE, // damaged or on a failed directory: requests get KAFKA_STORAGE_ERROR
    // Has no log yet (create_later.h, open_later.h): requests get NOT_LEADER_OR_FOLLOWER.
    PARTITION_WAITING,
};

struct partition {
    unsigned magic;
    struct map_node map_node; // in partitions.by_topic_id
    struct partitions *owner;
    struct uuid topic_id;
    char *topic;
    int32_t index;
    enum partition_state state;
    struct log *log; // NULL while offline or waiting
    struct log_dir *dir;
    struct uuid assigned_dir; // that the metadata names, or named when this came to be
    struct topic_config config;
    int32_t leader_epoch;
    int64_t high_watermark;            // only grows while the partition is open
    struct list append_turns;          // struct append_turn in the order of their arrival
    bool giving_turns;
    struct list txn_waits;             // struct txn_wait in the order of their arrival (txn_verify.h)
    int64_t txn_line_moves;            // the producer whose line moves up just now; -1: none
    struct list append_waits;          // struct append_wait by offset
    struct list fetch_waits;           // struct fetch_wait, no order
    struct list_node create_node;      // while it waits for its log, or its log for being made
    struct env_timer flush_timer;      // flush.ms, while write.caching leaves something unsynced
};

// Somebody who has a batch to append. Batches are appended in the order in which they came, also when
// one of them has to be checked elsewhere first: the others wait behind it.
struct append_turn {
    struct list_node node; // linked from partition_take_turn() until partition_end_turn()
    bool begun;
    int kafka_error; // why the partition has gone away since the turn came: it is not linked any more
    // Its turn has come; or, with an error, the partition goes away before: it is not linked then.
    void (*come)(struct append_turn *turn, int kafka_error);
};

// Somebody who waits until the high watermark has reached an offset.
struct append_wait {
    struct list_node node;
    int64_t offset; // first offset that may lie above the high watermark
    // `kafka_error` is KAFKA_NONE, or why the wait ended otherwise (the partition went offline or was
    // deleted). The wait is no longer linked.
    void (*done)(struct append_wait *wait, int kafka_error);
};

// Somebody who waits for anything new to read. Stays linked until its owner removes it.
struct fetch_wait {
    struct list_node node;
    // The high watermark moved or the partition went away. Must not change the partition; it usually
    // posts a message to look again after the current event.
    void (*wake)(struct fetch_wait *wait);
};

// Where consumers with this isolation level (0 read_uncommitted, 1 read_committed) must stop reading:
// the high watermark or the last stable offset; or ERR_*.
int64_t partition_read_limit(struct partition *p, int isolation_level);

// Calls turn->come when all that were taken before have ended, which may be at once.
void partition_take_turn(struct partition *p, struct append_turn *turn);

// For a turn that has come and is still linked.
void partition_end_turn(struct partition *p, struct append_turn *turn);

// Calls wait->done once the high watermark is at or above wait->offset, at once if it is already.
void partition_wait_append(struct partition *p, struct append_wait *wait);

// Gives up a wait; harmless when it is not linked.
void partition_cancel_append(struct append_wait *wait);

void partition_wait_fetch(struct partition *p, struct fetch_wait *wait);
void partition_cancel_fetch(struct fetch_wait *wait);

// Lets everybody who waits for data look again.
void partition_wake_fetches(struct partition *p);

// After bytes were appended: hands the log to the committer; where caching is allowed it moves the high
// watermark at once instead, and leaves syncing to flush.messages and flush.ms, as Kafka does.
void partition_appended(struct partition *p);

// The error for whoever had something appended; KAFKA_NONE if it is in the log.
enum kafka_error partition_append_error(enum log_verdict verdict);

// The log became durable up to `offset` (the committer's callback ends here).
void partition_durable(struct partition *p, int64_t offset);

// After open and after a change of config: with write.caching everything appended counts.
void partition_set_caching(struct partition *p);

// Ends all waits with this error and marks the partition offline.
void partition_fail(struct partition *p, int kafka_error);

// Ends all waits with this error: the partition is about to go away.
void partition_end_waits(struct partition *p, int kafka_error);

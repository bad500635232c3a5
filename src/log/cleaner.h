// SPDX-License-Identifier: Apache-2.0
//
// Compaction: in the background removes from logs with cleanup.policy=compact the records that a later
// record with the same key has replaced, and what was deleted. Chooses the log that needs it most, as
// Apache Kafka's log cleaner does, and runs it in bulk env_works (cleaner_run.h), throttled.
//
// What is promised: offsets never change and the newest record of a key is never lost; a tombstone is
// seen by everybody who reads the log's end at least once in delete.retention.ms; the active segment,
// what an open transaction may still decide, what is younger than min.compaction.lag.ms, and what is not
// known to be on disk is left alone. A log whose bytes are damaged is not touched.
//
// FROZEN (Apache Kafka's): `cleaner-offset-checkpoint` has for each log the first offset whose key no
// compaction has looked at. It is written when the segments below are in their places, durably.
//
// Memory: the map of keys while a compaction runs (offset_map.h), and buffers; between compactions
// nothing. When nobody writes to a compacted log nothing is set and nothing runs.
//
// Belongs to a shard.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cleaner;
struct env;
struct log;
struct trace;

// The broker's settings, as far as they are this shard's: where shards share what is set for all, its
// part of it.
struct cleaner_config {
    int cleanings_max;       // at the same time; 0: none
    int64_t map_bytes_max;   // of each
    double load_factor;      // of its map
    int64_t io_bytes;        // of each, read at once
    double bytes_per_second; // read and written by all; huge: no limit
    int64_t backoff_ms;      // before it looks again
};

struct cleaner *cleaner_new(struct env *env, struct trace *trace, const struct cleaner_config *config);

// Nothing may be running (cleaner_is_idle()); logs are forgotten.
void cleaner_free(struct cleaner *c);

// Holds for what begins from now on; the rate at once.
void cleaner_configure(struct cleaner *c, const struct cleaner_config *config);

// Begins nothing any more, and ends what is under way as soon as that leaves the log as it should be.
void cleaner_stop(struct cleaner *c);

// False while something of it runs, in a worker or in a save.
bool cleaner_is_idle(const struct cleaner *c);

// The log is looked at from now on, whatever its policy says at the moment. Harmless when it is already.
void cleaner_add(struct cleaner *c, struct log *log);

// The log goes.
void cleaner_remove(struct cleaner *c, struct log *log);

// Something was appended to a log, or its settings changed.
void cleaner_touch(struct cleaner *c);

// ---- What an operator may ask of a log ----

enum log_cleaning_state {
    LOG_CLEANING_OFF,         // its policy has no "compact", or it is offline
    LOG_CLEANING_NOT_DUE,     // not dirty enough
    LOG_CLEANING_DUE,
    LOG_CLEANING_UNDER_WAY,
    LOG_CLEANING_UNCLEANABLE, // `why` says what is in the way
};

struct log_cleaning_info {
    enum log_cleaning_state state;
    int64_t first_dirty;       // offsets below were looked at
    int64_t first_uncleanable; // what lies at or above this has to wait,
    const char *held_by;       // for this
    int64_t clean_bytes;
    int64_t cleanable_bytes;   // dirty, and not held by anything
    bool is_overdue;           // by max.compaction.lag.ms
    bool is_held;              // it would be due, were it not for `held_by`
    bool may_ripen;            // it may become due without another append
    int64_t last_ms;           // when the last compaction ended, wall time; 0: not since the start
    const char *why;           // uncleanable: until when it is valid: the next event
};

// Loads the log only if it is due. ERR_*.
int log_cleaning_info(struct log *log, int64_t now_ms, struct log_cleaning_info *out);

// cleanable / (clean + cleanable), in [0, 1].
double log_cleaning_ratio(const struct log_cleaning_info *info);

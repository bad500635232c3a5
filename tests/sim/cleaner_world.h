// SPDX-License-Identifier: Apache-2.0
//
// The world of sim_cleaner: what lives in it, and the model of what was sent to each partition.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/prng.h"
#include "log/cleaner.h"
#include "log/commit.h"
#include "log/dir.h"
#include "log/log.h"
#include "sim_env.h"
#include "sim_fs.h"
#include "wire/batch.h"

enum {
    PARTITIONS_MAX = 2,
    PRODUCERS = 6, // the upper half writes in transactions
    KEYS = 12,
    RECORDS_MAX = 5,
    VALUE_MAX = 300,
    MESSAGE_MAX = 512,
};

enum bug { BUG_NONE, BUG_EARLY_SWAP, BUG_EARLY_TOMBSTONE, BUG_UNKNOWN };

struct options {
    uint64_t seeds;
    uint64_t start;
    int steps;
    bool verbose;
    enum bug bug;
};

enum fate { FATE_PLAIN, FATE_OPEN, FATE_COMMITTED, FATE_ABORTED };

struct sent_record {
    int64_t time_ms;
    int32_t key;   // -1 none
    int64_t value; // 0: a tombstone
    bool seen;     // by the last check
    bool gone;     // an earlier one did not see it
    bool excused;  // it was gone when what had replaced it was truncated away
};

// A batch that was appended.
struct sent {
    int64_t base_offset;
    int64_t last_offset;
    int64_t producer_id;
    int32_t last_sequence;
    int32_t epoch;
    bool transactional;
    bool control;
    bool aborts; // a marker
    enum fate fate;
    int64_t sent_ms;
    struct sent_record records[RECORDS_MAX];
    int count;
    uint8_t *bytes;
    size_t size;
};

struct part {
    struct harness *h;
    char topic[16];
    struct uuid topic_id;
    struct log *log;
    struct sent *sent;
    int sent_count;
    int sent_capacity;
    int64_t acknowledged;
    int64_t start_durable;
    int64_t start;
    bool existed;
    bool truncating; // one is under way, or was when the process died
    int32_t epoch;
    int64_t first_producer; // id; others from a truncation on, since nobody can say what is known of those
};

struct harness {
    const struct options *options;
    struct totals *totals; // of all seeds
    uint64_t seed;
    struct prng prng;
    struct sim sim;
    struct sim_env shard;
    struct sim_fs *fs;
    struct env_fs planted;     // between the log and its disk
    int planted_syncs;         // that are not done
    struct log_dir *dir;
    struct log_committer *committer;
    struct cleaner *cleaner;
    struct log_config config;
    int64_t delete_retention_ms; // what was asked for
    struct cleaner_config cleaner_config;
    struct part parts[PARTITIONS_MAX];
    int part_count;
    int64_t last_value;
    int crashes;
    bool offline;
    bool disturbed;
    bool failed;
    char message[MESSAGE_MAX];
};

struct totals {
    uint64_t crashes;
    uint64_t appends;
    uint64_t compactions;
    uint64_t tombstones_gone;
    uint64_t records_gone;
    uint64_t hash;
};

// ---- Telling, and chance ----

__attribute__((format(printf, 2, 3))) void fail(struct harness *h, const char *format, ...);
__attribute__((format(printf, 2, 3))) void say(const struct harness *h, const char *format, ...);

uint64_t below(struct harness *h, uint64_t bound);
bool chance(struct harness *h, uint64_t numerator, uint64_t denominator);
int64_t now_ms(struct harness *h);

// The process is dead, or the directory offline.
bool is_down(const struct harness *h);

// True if nothing failed. A failure without a reason fails the history.
bool excused(struct harness *h, int err, const char *what);

// ---- Model ----

// Forgets what reaches `end_offset` or lies above.
void part_cut(struct part *p, int64_t end_offset);
int64_t part_end(const struct part *p, int64_t otherwise);
bool is_data_of(const struct sent *s, int64_t producer_id);

// The last batch with data of a producer, or NULL; *is_open tells of a transaction.
const struct sent *last_of(const struct part *p, int64_t producer_id, bool *is_open);

// Settles the fate of each batch by the markers that are there.
void part_decide(struct part *p);

struct sent *sent_at(const struct part *p, int64_t base_offset);
void value_of(int64_t id, uint8_t out[VALUE_MAX], size_t *size);

// ---- Checking what is there (cleaner_checks.c) ----

// Sees what is there; true if that was possible.
bool part_see(struct harness *h, struct part *p);

// Sees it, and checks that it is what should be.
void check_part(struct harness *h, struct part *p);

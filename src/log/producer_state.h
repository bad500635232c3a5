// SPDX-License-Identifier: Apache-2.0
//
// What a partition knows of the producers that wrote to it: the idempotence window, open transactions,
// and which finished ones still hold back the last stable offset (KIP-98, KIP-890). It is a function
// of the batches below map_end_offset; a snapshot saves reading them all again.
//
// FROZEN, `<offset>.snapshot` (state before that offset), big-endian: int16 version 1, uint32 CRC-32C
// of the rest, int32 count, entries of {producer id int64, epoch int16, last sequence int32, last
// offset int64, offset delta int32, timestamp int64, coordinator epoch int32, current transaction's
// first offset int64}. Only the last batch of a producer is in it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/list.h"
#include "base/map.h"
#include "log/log.h"
#include "wire/batch.h"

enum {
    PRODUCER_BATCHES_MAX = 5, // remembered for duplicates
    SNAPSHOT_HEADER_SIZE = 10,
    SNAPSHOT_ENTRY_SIZE = 46,
    SNAPSHOT_VERSION = 1,
    SNAPSHOT_SIZE_MAX = 1 << 30,
    VERIFICATIONS_MAX = 10000, // the oldest goes for another: its batch is to be sent again
};

struct producer_batch {
    int64_t last_offset;
    int64_t timestamp;
    int32_t last_sequence;
    int32_t offset_delta; // last offset - first offset, also of the sequences
};

struct producer {
    struct map_node node;
    struct list_node txn_node; // in `ongoing` while a transaction is open
    int64_t id;
    int64_t last_timestamp;
    int64_t txn_first_offset; // -1: none open
    int32_t coordinator_epoch;
    int16_t epoch;
    int8_t batch_count;
    struct producer_batch batches[PRODUCER_BATCHES_MAX]; // oldest first
};

// A transaction whose marker was appended.
struct completed_txn {
    int64_t producer_id;
    int64_t first_offset;
    int64_t last_offset; // the marker's
    bool aborted;
};

// A producer whose transaction is being verified (log_begin_verification()).
struct producer_verification {
    struct map_node node;      // in producer_state.verifications
    struct list_node age_node; // in producer_state.verifications_by_age
    int64_t producer_id;
    int64_t guard;
    int64_t begun_ms;
    int32_t lowest_sequence;   // of the epoch's batches: none above it may be the first
    int16_t epoch;             // the latest that came
    bool adds;
};

struct producer_state {
    struct map producers;
    struct list ongoing;                 // producers with an open transaction, by first offset
    struct completed_txn *unreplicated;  // markers not below the high watermark yet
    int unreplicated_count;
    int unreplicated_capacity;
    struct map verifications;          // by producer id, at most VERIFICATIONS_MAX
    struct list verifications_by_age;
    int64_t last_guard;                // never used again
};

void producer_state_init(struct producer_state *s);
void producer_state_release(struct producer_state *s);

// Forgets all.
void producer_state_clear(struct producer_state *s);

struct producer *producer_find(const struct producer_state *s, int64_t id);

// Changes that an append will make, kept apart until its bytes are written.
struct producer_stage {
    struct producer_state *state;
    const struct log_writer *writer; // NULL: a client that needs no verification, or no leader's append
    bool is_transactional;           // one of the batches
    struct producer *items; // copies of producers that are affected
    int count;
    int capacity;
    struct completed_txn *completed;
    int completed_count;
    int completed_capacity;
};

void producer_stage_init(struct producer_stage *g, struct producer_state *s);
void producer_stage_release(struct producer_stage *g);

// Applies one batch. `batch` holds all of its bytes when it is a control batch, its header suffices
// otherwise; offsets in `h` are final. With `checked` (a client's or coordinator's append) the rules
// of idempotence decide; else (replication, replay) the batch is true whatever it says. Fills *info's
// verdict, expected, found and, for a duplicate, base_offset, last_offset, max_timestamp. Returns 0 or
// ERR_CORRUPT for a control batch that cannot be read.
int producer_stage_batch(struct producer_stage *g, const struct batch_header *h, struct bytes batch,
                         bool checked, struct log_append_info *info);

// Makes it so. Whatever it says of a transaction makes verifications of its producers void.
void producer_stage_commit(struct producer_stage *g);

// What a completed transaction leaves as last stable offset, for the transaction index: the first
// offset of another open one, or what follows its marker. Before producer_stage_commit().
int64_t producer_stage_stable_offset(const struct producer_stage *g, const struct completed_txn *txn);

// Forgets markers below `high_watermark`.
void producer_state_set_high_watermark(struct producer_state *s, int64_t high_watermark);

// First offset of the oldest transaction that is open or unreplicated; -1.
int64_t producer_state_first_unstable(const struct producer_state *s);

// ---- Verification (producer_verify.c) ----

// As log_begin_verification().
int64_t producer_verify_begin(struct producer_state *s, const struct log_verification *v, int64_t now_ms);

// NULL: none is under way.
const struct producer_verification *producer_verification_find(const struct producer_state *s,
                                                               int64_t producer_id);
void producer_verification_drop(struct producer_state *s, int64_t producer_id);
void producer_verifications_clear(struct producer_state *s);
void producer_verifications_expire(struct producer_state *s, int64_t now_ms, int64_t expiration_ms);

// ---- Expiry, snapshots ----

// Forgets those idle since `expiration_ms` before `now_ms` (by record time) without open transaction.
void producer_state_expire(struct producer_state *s, int64_t now_ms, int64_t expiration_ms);

// Appends a snapshot: its bytes are the same for the same state (sorted by producer id).
void producer_state_snapshot(const struct producer_state *s, struct buf *out);

// One entry of a snapshot.
struct snapshot_entry {
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t last_sequence;
    int64_t last_offset;
    int32_t offset_delta;
    int64_t timestamp;
    int32_t coordinator_epoch;
    int64_t txn_first_offset;
};

// Checks version, CRC and size; *count is the number of entries. ERR_CORRUPT, ERR_UNSUPPORTED.
int snapshot_check(struct bytes in, int32_t *count);
void snapshot_entry_decode(struct bytes snapshot, int32_t index, struct snapshot_entry *out);

// Replaces the state by a snapshot's, without producers that have expired.
int producer_state_load(struct producer_state *s, struct bytes snapshot, int64_t now_ms,
                        int64_t expiration_ms);

// Remembers a batch from before the snapshot that was loaded, which knows a producer's last one alone.
// Called for batches in their order, up to that snapshot; then the end, where those are forgotten whose
// sequences do not lead up to the last one.
void producer_state_recall(struct producer_state *s, const struct batch_header *h);
void producer_state_end_recall(struct producer_state *s);

// All producers by id; the caller frees the array (the producers stay the state's).
struct producer **producer_state_sorted(const struct producer_state *s);

// SPDX-License-Identifier: Apache-2.0
//
// KRaft, the consensus that orders the metadata log (KIP-595, KIP-996, KIP-853), as a step machine:
// an event goes in, a list of effects comes out, and nothing here reads a clock, waits or touches a
// disk. Owned by the thread that owns the metadata log (shard 0).
//
// Today the quorum is one voter: this node. Everything that one voter needs is here - the rules of
// start-up, epochs that are never used twice, the commit rule, leadership that begins with a
// LeaderChange batch - and received messages (Vote, BeginQuorumEpoch, Fetch, ...) come later as one
// event and one file each.
//
// How a driver uses it:
//
//   raft_new(options)
//   raft_load(...)                 the newest snapshot, then the log behind it, batch by batch
//   raft_step(START)               with what `quorum-state` says and where the log ends
//   then, for every effect in order, do it; and tell by further steps what has happened:
//     PERSIST  -> store the quorum state durably         -> raft_step(PERSISTED)
//     APPEND   -> append the bytes at the log's end      -> raft_step(DURABLE) once synced
//     ROLE     -> tell whoever wants to know
//     HIGH_WATERMARK -> hand the batches below it, in order, to the metadata loader
//     LEAD     -> everything older is committed and was handed over: the controller may begin
//     LOST     -> it may not write any more; what is not committed is void
//
// The effects of one step are in order and must be done in order; a PERSIST stops later effects from
// being listed until PERSISTED comes, so a driver needs no rule of its own. A failed PERSIST or
// append is RAFT_EVENT_FAILED: this node then never leads again until it is started anew.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/diag.h"
#include "base/trace.h"
#include "base/uuid.h"
#include "raft/quorum_state.h"
#include "raft/snapshot_id.h"

enum {
    RAFT_BATCH_SIZE_MAX = 8 * 1024 * 1024, // of a batch in the metadata log, FROZEN by Kafka's reader
    RAFT_BATCH_RECORDS_MAX = 10000,        // of a batch that may be split
};

struct raft;

// Who votes: one entry of the static configuration or of a KRaftVoters record.
struct raft_voter {
    int32_t id;
    struct uuid directory_id; // zero: unknown, matches any
};

struct raft_options {
    int32_t node_id;
    struct uuid directory_id;         // of the metadata log directory (meta.properties)
    const struct raft_voter *voters;  // controller.quorum.voters; none when the log names them
    int voter_count;
    struct trace *trace; // may be NULL
};

enum raft_role {
    RAFT_UNATTACHED, // knows the epoch, follows nobody
    RAFT_CANDIDATE,  // asks for votes in its epoch; its own is on disk
    RAFT_LEADER,
    RAFT_RESIGNED, // led in this epoch and will not again
};

enum raft_event_type {
    RAFT_EVENT_START,     // `start`
    RAFT_EVENT_PERSISTED, // what the last PERSIST asked for is on disk
    RAFT_EVENT_APPEND,    // `append`: the controller's records
    RAFT_EVENT_DURABLE,   // `durable`: the log is on disk below this offset
    RAFT_EVENT_FAILED,    // a PERSIST or an append could not be done
    RAFT_EVENT_RESIGN,    // the node is stopping
};

struct raft_event {
    enum raft_event_type type;
    int64_t now_ms; // Unix time; becomes the timestamp of batches
    union {
        struct {
            const struct quorum_state *state; // what the file says, or quorum_state_init()
            int64_t log_end_offset;           // after recovery; of the snapshot if the log is empty
            int32_t last_epoch;               // of the last batch, else of the snapshot, else 0
        } start;
        struct {
            const struct bytes *values; // framed metadata records; only read during the step
            size_t count;               // at least 1
            bool atomic;                // one batch; otherwise split after RAFT_BATCH_RECORDS_MAX
        } append;
        struct {
            int64_t offset; // exclusive: all records below it are on disk
        } durable;
    };
};

enum raft_effect_type {
    RAFT_EFFECT_PERSIST,
    RAFT_EFFECT_APPEND,
    RAFT_EFFECT_ROLE,
    RAFT_EFFECT_HIGH_WATERMARK,
    RAFT_EFFECT_LEAD,
    RAFT_EFFECT_LOST,
};

struct raft_effect {
    enum raft_effect_type type;
    union {
        struct quorum_state persist;
        struct {
            struct bytes batch;  // one record batch with its offsets; valid until raft_out_clear()
            int64_t base_offset; // where the log must end now
            int64_t end_offset;  // where it ends then
        } append;
        struct {
            enum raft_role role;
            int32_t epoch;
            int32_t leader_id; // -1: none
        } role;
        int64_t high_watermark; // exclusive; only ever rises
        struct {
            int32_t epoch;
            int64_t epoch_start_offset; // of the LeaderChange record
        } lead; // LEAD and LOST
    };
};

// The effects of one step; the caller's, cleared by it after they are done.
struct raft_out {
    struct raft_effect *effects;
    size_t count;
    size_t capacity;
};

void raft_out_init(struct raft_out *out);
void raft_out_clear(struct raft_out *out);   // frees the batches of APPEND effects
void raft_out_release(struct raft_out *out);

// A node that has not started. The options are copied.
struct raft *raft_new(const struct raft_options *options);
void raft_free(struct raft *r);

// Before START: what the newest snapshot and then the log behind it hold, committed or not, so that
// the voters and kraft.version that control records name are known (KIP-853: they hold as soon as
// they are written). `data` is any number of whole record batches. ERR_CORRUPT with words on control
// batches that cannot be read; the CRC of each was checked when the log was recovered, and is
// checked here for snapshots too.
int raft_load(struct raft *r, struct bytes data, struct diag *diag);

// Takes one event, appends its effects to `out` (which the caller has cleared).
//
// START: ERR_UNSUPPORTED with words when this node is not the only voter; ERR_CORRUPT when
// quorum-state and log contradict each other or the state was written by another quorum.
// APPEND: ERR_REFUSED when this node may not write (no LEAD yet, or LOST), ERR_LIMIT when an atomic
// batch would pass RAFT_BATCH_SIZE_MAX, ERR_INVALID for an empty value. Nothing has changed then.
// The other events give 0; ones that come too late (DURABLE after a RESIGN) are without effect, and
// so are RESIGN and FAILED before a START or after one that was refused.
int raft_step(struct raft *r, const struct raft_event *event, struct raft_out *out,
              struct diag *diag);

enum raft_role raft_role(const struct raft *r);
int32_t raft_epoch(const struct raft *r);
int32_t raft_leader_id(const struct raft *r);    // -1: none known
int64_t raft_log_end_offset(const struct raft *r); // the next record's
int64_t raft_high_watermark(const struct raft *r); // -1: not known yet
int16_t raft_kraft_version(const struct raft *r);

// The voters that hold now; valid until the next step.
const struct raft_voter *raft_voters(const struct raft *r, int *count);

// The value of the KRaftVoters record that holds, as it has to be repeated in every snapshot when
// kraft.version is 1; null otherwise. Valid until the next step.
struct bytes raft_voters_record(const struct raft *r);

const char *raft_role_name(enum raft_role role);

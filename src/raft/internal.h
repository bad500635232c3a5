// SPDX-License-Identifier: Apache-2.0
//
// Inside raft: the state of a node of the quorum and what its files say to each other.
#pragma once

#include "raft/raft.h"

enum raft_phase {
    RAFT_NEW,              // before START
    RAFT_PERSIST_CANDIDATE, // waits for its own vote to be on disk
    RAFT_PERSIST_LEADER,    // waits for its election to be on disk
    RAFT_SETTLED,          // nothing is being persisted
    RAFT_FAILED,           // a disk said no: takes no part any more
};

struct raft {
    int32_t node_id;
    struct uuid directory_id;
    struct trace *trace;

    // The voters: static ones until a KRaftVoters record was seen.
    struct raft_voter *voters;
    int voter_count;
    int16_t kraft_version;
    uint8_t *voters_record; // as written, NULL before one was seen
    size_t voters_record_size;
    bool voters_from_bootstrap; // the record stands in the 0-0 snapshot only

    enum raft_phase phase;
    enum raft_role role;
    int32_t epoch;
    int32_t leader_id;
    int32_t voted_id;
    struct uuid voted_directory_id;

    int64_t log_end_offset;
    int64_t durable_offset;     // <= log_end_offset
    int64_t high_watermark;     // -1: unknown; <= durable_offset with one voter
    int64_t epoch_start_offset; // of the LeaderChange record, while leading
    bool lead_announced;        // LEAD was listed and LOST was not
};

// Files that handle one event each.
int raft__start(struct raft *r, const struct raft_event *event, struct raft_out *out,
                struct diag *diag);
void raft__persisted(struct raft *r, const struct raft_event *event, struct raft_out *out);
int raft__append(struct raft *r, const struct raft_event *event, struct raft_out *out,
                 struct diag *diag);
void raft__durable(struct raft *r, const struct raft_event *event, struct raft_out *out);

// Makes every change of role, and lists it.
void raft__become(struct raft *r, enum raft_role role, struct raft_out *out);

// Gives leadership up, whatever the reason.
void raft__resign(struct raft *r, struct raft_out *out);

// Lists a PERSIST of the state as it is, in the version that kraft.version asks for.
void raft__persist(struct raft *r, enum raft_phase phase, struct raft_out *out);

// Appends the LeaderChange batch of the epoch that begins (control.c).
void raft__append_leader_change(struct raft *r, int64_t now_ms, struct raft_out *out);

struct raft_effect *raft__effect(struct raft_out *out, enum raft_effect_type type);

// Lists the append of a finished batch, whose memory goes over to the effect.
void raft__append_batch(struct raft *r, struct buf *batch, size_t record_count,
                        struct raft_out *out);

// Forgets the effects from `count` on.
void raft__out_truncate(struct raft_out *out, size_t count);

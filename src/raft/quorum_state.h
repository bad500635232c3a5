// SPDX-License-Identifier: Apache-2.0
//
// What a node of the quorum must not forget: the epoch, for whom it voted in it, who leads in it.
// The file `quorum-state` beside the metadata log, one line of JSON. FROZEN on disk: the keys, their
// order and data_version 0 (static voters, kraft.version 0) and 1 (KIP-853).
//
// Whoever stores it writes a temporary file, syncs it, renames it and syncs the directory before
// anything is done on the strength of it (see RAFT_EFFECT_PERSIST).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/uuid.h"

enum { QUORUM_VOTERS_MAX = 64, QUORUM_STATE_TEXT_MAX = 16 * 1024 };

#define QUORUM_STATE_FILE "quorum-state"

struct quorum_state {
    int16_t data_version;            // 0 or 1
    int32_t leader_epoch;            // 0 at the beginning, never goes down
    int32_t leader_id;               // -1: none known in this epoch
    int32_t voted_id;                // -1: no vote given in this epoch
    struct uuid voted_directory_id;  // version 1; zero: unknown
    int32_t voters[QUORUM_VOTERS_MAX]; // version 0: the static voters that wrote it
    int voter_count;
};

// What a missing file means: epoch 0, no leader, no vote.
void quorum_state_init(struct quorum_state *s);

// Reads the file's text. Strict: one JSON object with nothing behind it, only the keys of its
// version, each once and within its range. ERR_CORRUPT, or ERR_UNSUPPORTED for a data_version beyond
// ours, with words; *out is untouched then.
int quorum_state_parse(struct quorum_state *out, struct str text, struct diag *diag);

// Appends the text as Apache Kafka writes it, without a final newline.
void quorum_state_format(const struct quorum_state *s, struct buf *out);

bool quorum_state_equal(const struct quorum_state *a, const struct quorum_state *b);

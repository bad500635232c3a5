// SPDX-License-Identifier: Apache-2.0
//
// The name of a snapshot of the metadata log: everything below end_offset, whose last record was
// written in `epoch`. FROZEN on disk: "%020d-%010d.checkpoint" (KIP-630).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct snapshot_id {
    int64_t end_offset; // exclusive
    int32_t epoch;
};

enum { SNAPSHOT_NAME_MAX = 64 };

struct snapshot_name {
    char text[SNAPSHOT_NAME_MAX];
};

enum snapshot_state {
    SNAPSHOT_COMPLETE, // "….checkpoint"
    SNAPSHOT_PARTIAL,  // "…-<anything>.checkpoint.part": being written or fetched; delete at start
    SNAPSHOT_DELETED,  // "….checkpoint.deleted": waits for its deletion; delete at start
};

// "00000000000000000137-0000000001.checkpoint".
struct snapshot_name snapshot_name_format(struct snapshot_id id);

// The same followed by ".part": what a snapshot is called until all of it is on disk.
struct snapshot_name snapshot_part_name_format(struct snapshot_id id);

// Reads a file name; false if it is not that of a snapshot in any state.
bool snapshot_name_parse(struct str name, struct snapshot_id *id, enum snapshot_state *state);

// Orders by epoch, then by offset: the later one is the one to load.
int snapshot_id_compare(struct snapshot_id a, struct snapshot_id b);

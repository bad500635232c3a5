// SPDX-License-Identifier: Apache-2.0
//
// One compaction of one log, as it is done on a worker: in steps of bounded size, with files that it
// opens itself. It reads the dirty part for the last offset of each key (offset_map.h), then copies the
// segments below, a group at a time, to `.cleaned` files with what cleaner_filter.h leaves of them.
// Each group is handed over when it is on disk, under these names; the owner puts it in the place of the
// segments that it was made from (cleaner_swap.h) and lets the run go on.
//
// A group is as many segments in a row as fit the limits of one (segment.bytes, segment.index.bytes,
// offsets within int32), since what is left of several is to be one again. Its last batch stays, without
// records if need be: so the new segment reaches as far as the old ones did, and whoever completes a
// swap after a crash knows which they were.
//
// The log itself is never written to. Whatever is wrong with its bytes ends the run with ERR_CORRUPT and
// words in `problem`.
//
// Belongs to whoever calls it: one thread at a time.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "log/batch_scan.h"
#include "log/cleaner_filter.h"
#include "log/cleaner_txns.h"
#include "log/segment.h"

// A producer that is still known: the batch that says its last sequence, or its last marker, stays.
struct cleaner_producer {
    int64_t producer_id;
    int64_t last_offset; // of its last batch with data; -1 none
    int16_t epoch;
};

// What a run is made from. The arrays are the run's from cleaner_run_begin() on.
struct cleaner_plan {
    struct env_fs *fs;
    struct trace *trace;        // may be NULL
    const char *dir;            // the partition's directory; outlives the run
    int32_t index_interval_bytes;
    int64_t segment_bytes;
    int64_t segment_index_bytes;
    int64_t delete_retention_ms;
    int64_t now_ms;
    int64_t first_dirty;        // below, every key was looked at
    struct segment_span *sources; // all segments of the log,
    int segment_count;
    int source_count;           // of which the first so many may be cleaned
    struct cleaner_producer *producers; // by producer id
    int producer_count;
    struct hash_seed seeds[2];
    int64_t map_bytes_max;
    double load_factor;
    int64_t io_bytes;           // read at once
};

struct cleaner_figures {
    int64_t keys;
    int64_t map_bytes;
    int64_t bytes_before; // of the segments that were replaced
    int64_t bytes_after;
    int64_t segments_before;
    int64_t segments_after;
    int64_t records_before;
    int64_t records_after;
};

struct cleaner_run {
    struct cleaner_plan plan;
    struct cleaner_figures figures;
    int64_t map_end;     // the map speaks of everything below; where the next compaction goes on
    int64_t step_bytes;  // read and written by the last step
    struct segment *output; // of a group that is ready; whoever takes it sets NULL
    int group_first;     // its sources: number of the first, and how many
    int group_count;
    bool is_dropped;     // whatever happens to the files is not ours any more
    char problem[512];

    // Its own.
    int (*next)(struct cleaner_run *r);
    struct segment_env env;
    struct offset_map *map;
    struct cleaner_filter filter;
    struct cleaner_txns txns;
    struct fs_file *file; // of source number `source`, while it is read
    struct batch_scan scan;
    uint8_t *window;
    struct buf spare;
    struct buf out;
    int source;
    int64_t next_offset; // no batch may begin below
    bool group_changed;
};

void cleaner_run_begin(struct cleaner_run *r, const struct cleaner_plan *plan);

enum { CLEANER_MORE = 1, CLEANER_GROUP = 2 };

// Works on: CLEANER_MORE when there is more, CLEANER_GROUP when a group is to be swapped, 0 at the end, or
// an error, with words in `problem`. ERR_NOSPC: no room for the copy. ERR_NOMEM: the map has no room for
// the keys of one batch. ERR_CORRUPT, ERR_LIMIT, ERR_NOT_FOUND: the log cannot be compacted as it is.
int cleaner_run_step(struct cleaner_run *r);

// Removes what the run has written and nobody has taken; not when is_dropped.
void cleaner_run_end(struct cleaner_run *r);

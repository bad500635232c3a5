// SPDX-License-Identifier: Apache-2.0
//
// Reads one segment from end to end and says what is wrong with it: the CRC and the order of its
// batches, and whether each entry of its indexes is true. For `chitin log verify` and the scrubber.
//
// Changes nothing. Everything it reads may say anything. Blocks; belongs to whoever runs it: on a worker,
// in steps of bounded size.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "log/batch_scan.h"
#include "log/epoch_cache.h"
#include "log/producer_state.h"
#include "log/txn_audit.h"

enum segment_part {
    SEGMENT_PART_LOG,
    SEGMENT_PART_INDEX,
    SEGMENT_PART_TIME_INDEX,
    SEGMENT_PART_TXN_INDEX,
};

enum { TXN_INDEX_MAX = 64 << 20 }; // bytes of one that is made in memory

struct segment_finding {
    enum segment_part part;
    const char *what;
    int64_t position;   // in bytes of that file; -1: the whole of it
    // In the .log: bytes [position, end) are bad; end == position where a batch is missing.
    int64_t end;
    int64_t offset;     // first that is affected, and
    int64_t end_offset; // first that is not any more
};

// Entries of an index file, one after the other.
struct entry_reader {
    struct fs_file *file; // NULL: there is none
    int32_t entry_size;
    int64_t size;
    int64_t at;           // of the next entry, in bytes
    int64_t current;      // of the one in `entry`
    uint8_t block[4096];
    size_t block_size;
    size_t block_at;
    uint8_t entry[34];
    bool has_entry;
    int64_t count;        // of entries seen
    bool broken;          // nothing more is compared
    int64_t last_offset;  // of the entry before; -1
    int64_t last_value;   // its position or timestamp; -1
};

struct segment_check {
    // Filled by the caller.
    struct env_fs *fs;
    const char *dir;
    int64_t base_offset;
    int64_t size;       // bytes of the .log that count; -1: all of them
    int64_t end_offset; // where the next segment begins, or the log ends; -1 unknown
    bool active;        // the last one of a log that was not closed: its end may be torn, and its
                        // indexes need not reach it
    bool live;          // it is being written to: what is behind `size` does not matter, and of the
                        // indexes only what is before
    bool times_open;    // the time index need not reach the end
    bool may_have_gaps; // compaction takes batches
    int64_t index_interval_bytes; // a batch that begins behind so many bytes needs an entry before it
    struct producer_state *producers; // before the segment, and then behind it; NULL: unknown, so the
                                      // transaction index is not looked at
    struct epoch_cache *epochs;       // collects the batches' leader epochs; may be NULL
    void (*found)(void *context, const struct segment_finding *f);
    void *context;

    // Results.
    int64_t batches;
    int64_t next_offset;   // behind the last batch
    int64_t max_timestamp; // -1 none
    int64_t torn_at;       // where the torn end of an active segment begins; -1
    struct buf txn_entries; // what the transaction index should hold

    // Its own.
    struct fs_file *file;
    struct batch_scan scan;
    uint8_t *window;
    struct buf spare;
    struct entry_reader index, time_index;
    struct txn_audit txns; // where there may be gaps
    struct batch_header before;
    int64_t before_at;
    bool has_before;
    bool needs_entry;
    bool unreadable; // nothing behind this can be read
};

// Opens the files. ERR_NOT_FOUND: there is no .log. ERR_IO. Call segment_check_release() in any case.
int segment_check_begin(struct segment_check *c);

// Reads on: 1 when there is more, 0 at the end, or an error of I/O.
int segment_check_step(struct segment_check *c, int64_t bytes_max);

void segment_check_release(struct segment_check *c);

// What is known of producers before the segment: nothing at offset 0, or what the snapshot there says.
// False if nobody knows; *bad_snapshot: there is one, but it is damaged. Any thread; blocks.
bool segment_check_load_producers(struct env_fs *fs, const char *dir, int64_t base_offset,
                                  struct producer_state *producers, bool *bad_snapshot);

// SPDX-License-Identifier: Apache-2.0
//
// One segment of a log: a .log file and its indexes, opened when something needs them. Sealed segments
// do not change; the last one of a log is active and takes appends. Belongs to its log.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "log/batch_scan.h"
#include "log/entry_file.h"
#include "log/index.h"
#include "log/names.h"

struct trace;

enum { SEGMENT_RECENT_MAX = 16, SEGMENT_READS_MAX = 8 };

// Under which names the files of a segment stand (log/names.h). A compacted one goes through all of
// them, from the second on to the first (log/cleaner_swap.h).
enum segment_names {
    SEGMENT_LIVE,
    SEGMENT_CLEANED,
    SEGMENT_SWAP,
    SEGMENT_SWAP_INDEXES, // only the indexes still have `.swap` behind their names
};

// Not looked at yet; no timestamp of a record is this.
#define SEGMENT_UNKNOWN INT64_MIN

// Segments whose files are open, least recently used first, so that their number has a bound.
struct segment_pool {
    struct list open;
    int count;
    int count_max;
};

void segment_pool_init(struct segment_pool *pool, int count_max);

// What the segments of one log share.
struct segment_env {
    struct env_fs *fs;
    struct trace *trace;       // hears of indexes that do not fit; may be NULL
    const char *dir;           // the partition's directory
    struct segment_pool *pool; // may be NULL
    int32_t index_interval_bytes;
    bool no_wait; // what segment_find() and segment_find_cut() look at must be in memory: ERR_AGAIN
                  // otherwise, and also where they would have to open or mend files
};

// Where one of the last appends starts: consumers at the end of the log need no index.
struct segment_recent {
    int64_t offset;
    int64_t position;
};

struct segment_files {
    struct segment *segment;
    struct list_node pool_node;
    struct file_ref *log;
    struct entry_file offset_index;
    struct entry_file time_index;
    struct entry_file txn_index; // closed when the segment has none
    int64_t bytes_since_index;
    struct segment_recent recent[SEGMENT_RECENT_MAX]; // a ring
    unsigned recent_next;
    unsigned recent_count;
    struct segment_recent reads[SEGMENT_READS_MAX]; // where reads ended, and the next will most likely
                                                    // start: a ring
    unsigned read_next;
    unsigned read_count;
    bool rebuilt; // the indexes were made again since the files were opened: they are believed
};

struct segment {
    int64_t base_offset;
    int64_t size;          // bytes of whole batches in the file; -1 not looked at
    int64_t synced_size;   // of these, known to be on disk
    int64_t max_timestamp; // of the records; -1 none, SEGMENT_UNKNOWN
    int64_t max_timestamp_offset;
    int64_t first_timestamp; // max timestamp of the first batch; SEGMENT_UNKNOWN
    int64_t created_ms;      // when this process made or opened it
    int64_t jitter_ms;       // segment.ms is less by this
    struct segment_files *files; // NULL: closed
    int64_t checked_from;    // in [checked_from, checked_to) of the file every batch was found good, or was
    int64_t checked_to;      // written, by this process
    int64_t scrubbed_size;   // so much of it was read by the scrubber
    uint32_t cuts;           // times that the file was made shorter; tells a sync under way
    enum segment_names names;
    bool index_unsynced;     // indexes changed since their last sync
    bool preallocated;       // the file is longer than `size`
    bool has_txn_index;      // there is a .txnindex file
    bool txn_checked;        // what it says is true of the log, or was written by this process
    const char *txn_problem; // what is known to be wrong with it, or that it is gone; NULL: nothing
    int64_t txn_known_from;  // all transactions of batches in [txn_known_from, txn_known_to) are told
    int64_t txn_known_to;    // by the indexes
    bool used;               // since the last segment_close_if_idle()
};

// Makes the files. ERR_EXISTS if the .log is there.
int segment_create(const struct segment_env *e, int64_t base_offset, int64_t preallocate_bytes,
                   struct segment **out);

// The same under the names of a segment that is being compacted; nobody else may know of it.
int segment_create_cleaned(const struct segment_env *e, int64_t base_offset, struct segment **out);

// A segment that exists in the directory; nothing is opened.
struct segment *segment_new(int64_t base_offset);

// Where a file of the segment is; false when the path does not fit.
bool segment_path(const struct segment_env *e, const struct segment *s, enum log_file_kind kind,
                  char out[FS_PATH_MAX]);

// Closes the files without writing anything and frees the memory.
void segment_free(const struct segment_env *e, struct segment *s);

// Looks up the size of the .log file if it is not known.
int segment_load_size(const struct segment_env *e, struct segment *s);

// Opens the files if they are closed. Indexes that are missing or whose ends do not fit the log are
// rebuilt (headers of the whole segment are read), durably, and that is said.
int segment_open(const struct segment_env *e, struct segment *s);

// As above but takes the indexes as they are: for recovery, which does not trust them.
int segment_open_unchecked(const struct segment_env *e, struct segment *s);

// Writes out index entries and closes the files, unless bytes wait for a sync. 0 also when nothing
// was open.
int segment_close(const struct segment_env *e, struct segment *s);

// segment_close() if nothing used it since the last call.
void segment_close_if_idle(const struct segment_env *e, struct segment *s);

// Makes max_timestamp known.
int segment_load_times(const struct segment_env *e, struct segment *s);

// As above for an open segment of which only what lies below position `end` is trusted; the time index
// must say nothing of the rest, but need not cover all of that part.
int segment_load_times_below(const struct segment_env *e, struct segment *s, int64_t end);

// Makes first_timestamp known (it stays unknown in an empty segment).
int segment_load_first_timestamp(const struct segment_env *e, struct segment *s);

// True when one more entry could pass segment.index.bytes.
bool segment_index_is_full(const struct segment *s, int64_t index_bytes_max);

// Writes batches at the end. On failure the file is as before, durably (it blocks for that), or ERR_IO
// if that failed too. The segment must be open. segment_note_batch() must follow for each of them.
int segment_write(struct segment *s, const void *data, size_t size);

// Takes a batch into indexes and figures; in order. `position` is where it is.
int segment_note_batch(const struct segment_env *e, struct segment *s, const struct batch_header *h,
                       int64_t position);

// Notes the start of an append.
void segment_note_recent(struct segment *s, int64_t offset, int64_t position);

// Notes the end of a read: all offsets before `position`, a batch boundary, are below `offset`.
void segment_note_read(struct segment *s, int64_t offset, int64_t position);

// Makes the transaction index if the segment has none, which is then believed; segment_append_txn()
// needs it.
int segment_prepare_txn(const struct segment_env *e, struct segment *s);
void segment_append_txn(struct segment *s, const struct txn_entry *entry);

// Puts a transaction index with these bytes in the place of the one that is there, durably.
int segment_replace_txn_index(const struct segment_env *e, struct segment *s, struct bytes entries);

// Ends a segment's active life: last time entry, trimmed files. It may become active again.
int segment_seal(const struct segment_env *e, struct segment *s);

// Where the offset index puts the batch with `offset`, or before it: a batch boundary. *doubtful
// becomes true when an entry did not fit the log. The files must be open.
int segment_lookup(struct segment *s, int64_t offset, int64_t *position, bool *doubtful);

// Where to start looking for the first record with timestamp >= target. A time entry that does not fit
// the log has the indexes rebuilt.
int segment_lookup_time(const struct segment_env *e, struct segment *s, int64_t target,
                        int64_t *position);

// Makes both indexes again from the log, durably, and says why. Not for the active segment.
int segment_remake_indexes(const struct segment_env *e, struct segment *s, const char *why);

// Notes that the batches in a range of the file are good.
void segment_note_checked(struct segment *s, int64_t from, int64_t to);

// The next batch at or behind position `from` that the offset index knows, and its header: 1, 0 or an
// error. For going on behind damage.
int segment_find_behind(const struct segment_env *e, struct segment *s, int64_t from,
                        int64_t *position, struct batch_header *out);

// Where the first batch starts whose last offset is >= `offset`, and its header: 1; 0 when there is
// none in this segment. ERR_CORRUPT and ERR_TRUNCATED give the place that cannot be read in *position.
int segment_find(const struct segment_env *e, struct segment *s, int64_t offset, int64_t *position,
                 struct batch_header *out);

// A batch boundary at or below `limit` and above `from` (itself a boundary), the larger the better,
// with an offset that nothing before it reaches; or `from` when the index knows none.
int segment_find_cut(const struct segment_env *e, struct segment *s, int64_t from, int64_t limit,
                     int64_t *position, int64_t *offset_limit);

// Drops batches that reach `offset` or lie above; syncs. Afterwards `*end_offset` is the offset after
// the last batch that is left (base_offset if none).
int segment_truncate(const struct segment_env *e, struct segment *s, int64_t offset,
                     int64_t *end_offset);

// Cuts .log and indexes at `position`, of which batches below `end_offset` lie before. Does not sync.
int segment_cut(const struct segment_env *e, struct segment *s, int64_t position, int64_t end_offset);

// Renames the files to `<name>.deleted`, or removes them at once.
int segment_remove_files(const struct segment_env *e, int64_t base_offset, bool rename);

// Starts the indexes anew; the caller notes all batches again.
int segment_reset_indexes(struct segment *s);

// SPDX-License-Identifier: Apache-2.0
//
// struct log, for the files of this folder.
#pragma once

#include "base/map.h"
#include "base/trace.h"
#include "log/dir_cache.h"
#include "log/epoch_cache.h"
#include "log/log.h"
#include "log/producer_state.h"
#include "log/segment.h"

struct log_commit_entry;

struct log {
    struct segment_env env;
    struct env_clock *clock;
    struct trace *trace;
    char *path; // env.dir
    char *topic;
    struct uuid topic_id;
    int32_t partition;
    struct log_config config;

    struct segment **segments; // by base offset, never none unless offline or planned; the last is
                               // active
    int segment_count;
    int segment_capacity;

    int64_t start_offset;
    int64_t end_offset;
    int64_t opened_end_offset; // what lies below was there before this process
    int64_t durable_offset;
    int64_t recovery_point;
    int64_t high_watermark;
    int64_t saving_start_offset; // start offset in the checkpoint that is being written; -1
    int64_t saving_recovery_point; // in the checkpoint that is being written
    int64_t saved_recovery_point;  // in the checkpoint on disk, as far as known: a full disk may have
                                   // kept `recovery_point` from getting there; -1
    int64_t snapshot_offset; // of the newest producer snapshot that is known to be on disk; -1

    struct epoch_cache epochs;
    struct producer_state producers;

    struct dir_stamp listed; // of the directory that `segments` were known to be all of; zero: none
    bool topic_id_unread;    // partition.metadata was not looked at: to be done when the log is loaded

    struct log_damage *damages; // found since the log was opened, in no order
    int damage_count;
    int damage_capacity;

    bool read_failed;     // and that was said
    bool compacted;       // it was, maybe in part, by whoever: offsets may be missing
    int64_t cleaner_offset; // of the checkpoint: below, every key was looked at; -1 none
    struct cleaning *cleaning;     // under way (log/cleaner.c); NULL
    struct list_node cleaner_node; // the cleaner's
    int64_t cleaned_ms;            // when a compaction ended here, wall time; 0 not since the start
    char *uncleanable;             // why no compaction is tried any more; NULL
    bool no_room_said;             // that a compaction found no room
    bool hold_said;                // what a compaction waits for
    bool closed;          // log_args.clean: what does not fit together was damaged since
    bool start_unknown;   // log_args.start_unknown
    int64_t found_high_watermark; // log_args.high_watermark
    bool found_synced;    // log_args.synced
    bool planned;         // not on disk yet: no segments, not loaded
    bool loaded;          // sizes, epochs and producers are known
    bool offline;         // damaged: `problem` says how
    int32_t begun_epoch;  // the last log_begin_epoch(), which `epochs` knows once loaded; -1 none
    bool epochs_ahead;    // epochs differ from the file only by what waits for an append
    bool epochs_dirty;    // epochs differ from the file, or its last write has not ended well
    bool epochs_writing;  // a sync has a version of them under way
    bool removed_dirty;   // segments were taken away since our directory's last sync: until then the
                          // checkpoint of start offsets keeps an entry
    bool parent_dirty;    // our directory's own entry was never synced
    uint32_t dir_changes; // of the entries in our directory,
    uint32_t dir_synced;  // and how many of them a finished sync covers
    uint32_t truncations; // tells a sync that what it was begun for has gone meanwhile
    uint32_t swap_steps;  // tells who reads segments by their names that these have changed
    char *problem;

    void *owner;
    void (*on_durable)(struct log *log, void *owner);

    struct log_dir *home;
    struct list_node home_node;
    struct map_node home_map_node;

    struct list_node scrub_node;           // the scrubber's: waiting
    struct list_node commit_node;          // the committer's: waiting for the next group
    struct log_commit_entry *commit_entry; // the committer's: in flight
};

// Bytes of a segment that cannot be read as batches that belong there.
struct log_damage {
    int64_t base_offset; // of the segment
    int64_t position;
    int64_t end;          // of the bytes: batches are good again
    int64_t offset;       // first that is missing, as far as known
    int64_t end_offset;   // first that is good again
};

enum { LOG_DAMAGES_MAX = 100 }; // more, and the partition goes offline

#define LOG_AREA "log"
#define EPOCHS_FILE "leader-epoch-checkpoint"

// 0, or ERR_OFFLINE.
int log__check(const struct log *log);

// For an error of I/O or bytes while doing `what`: takes the directory or the partition offline where
// that is due. Returns the error to give to the caller.
int log__failed(struct log *log, int err, const char *what);

// As log__failed() for a read: bytes that are no batch are no reason to take the rest offline.
int log__read_failed(struct log *log, int err, const char *what);

// Notes that [position, end) of a segment is damaged, and says so once. `what` is what is wrong.
// Returns ERR_CORRUPT.
int log__add_damage(struct log *log, const struct log_damage *damage, const char *what);

// Damage in [position, end) of a segment that comes first there, or NULL.
const struct log_damage *log__damage_in(const struct log *log, const struct segment *s,
                                        int64_t position, int64_t end);

// Damage that begins at `position` of the segment, where no batch can be read: finds where batches go
// on. Returns ERR_CORRUPT or an error of I/O.
int log__note_unreadable(struct log *log, struct segment *s, int64_t position, int64_t offset);

// Takes the partition offline; the reason goes to the trace too.
__attribute__((format(printf, 2, 3))) void log__set_offline(struct log *log, const char *format, ...);

static inline void log__note_dir_change(struct log *log)
{
    log->dir_changes++;
}

static inline bool log__dir_is_dirty(const struct log *log)
{
    return log->dir_synced != log->dir_changes;
}

static inline struct segment *log__active(const struct log *log)
{
    return log->segments[log->segment_count - 1];
}

// Index of the segment that holds `offset` or would: the last whose base is not above it; 0 when all
// are.
int log__segment_at(const struct log *log, int64_t offset);

// First offset after segment number `index`, as far as its successor tells.
int64_t log__segment_end(const struct log *log, int index);

void log__push_segment(struct log *log, struct segment *segment);

// Seals the active segment and starts one at `base_offset`.
int log__roll_to(struct log *log, int64_t base_offset, int64_t now_ms);

// Makes producer state what the batches below the log end say: newest good snapshot, then replay.
// Snapshots above the log end are removed. After a crash nothing from `recovered_from` on can be
// trusted: only snapshots up to there are used, and aborted transactions with markers from there on
// are entered in the transaction index again. INT64_MAX: nothing was recovered.
int log__rebuild_producers(struct log *log, int64_t recovered_from);

// Removes producer snapshots above an offset.
int log__drop_snapshots(struct log *log, int64_t above);

// Opens the transaction index of a segment, and makes it if there is none yet.
int log__prepare_txn(struct log *log, struct segment *s);

// Enters transactions that staged markers aborted into the index of the segment that has the markers.
int log__enter_aborted(struct log *log, struct segment *s, const struct producer_stage *stage);

// As log_each_aborted(), with what the indexes say, and without asking whether they say all. ERR_AGAIN with
// the number of the segment whose index is to be checked first; else that is -1.
int log__each_txn_entry(struct log *log, int64_t offset, int64_t upper_bound_offset,
                        int (*each)(void *context, const struct txn_entry *entry), void *context,
                        int *unchecked);

// True if the segment has the marker that the entry of its transaction index speaks of: 1, 0, or an error.
int log__has_txn_marker(const struct segment_env *e, struct segment *s, const struct txn_entry *entry);

// Writes what is known of producers as the snapshot at `offset`; not synced. There is one at the base
// of each segment, so that truncation can go back to it; those up to the recovery point are on disk.
int log__write_snapshot(struct log *log, int64_t offset);

// Writes leader-epoch-checkpoint now, durably.
int log__write_epochs(struct log *log);

// For dir_cache.h: the segments in the log's directory, which has this stamp now. *segments to be freed
// with mem_free(), also after an error. ERR_BUSY: there are files that the next start has to see to.
int log__list_for_cache(const struct log *log, struct dir_stamp stamp, struct cached_segment **segments,
                        int *count);

// What log_open() does after an unclean stop. Damage takes the log offline and returns 0.
int log__recover(struct log *log);

// Reads leader-epoch-checkpoint. ERR_NOT_FOUND if it is missing or damaged.
int log__load_epochs(struct log *log);

// Enters what log_begin_epoch() left until the log was loaded.
void log__enter_begun_epoch(struct log *log);

// Reads the headers of the whole log for its epochs.
int log__rebuild_epochs(struct log *log);

// Hands the files of a segment, which were renamed to `.deleted`, to whoever removes them.
void log__discard_files(struct log *log, int64_t base_offset);

// Ends a compaction under way: at once, or, where a segment was about to take the place of others, after
// that was finished, for which it blocks (log/cleaner.c).
int log__end_cleaning(struct log *log);

// The log has another configuration: a compaction ends if that is not wanted any more.
void log__cleaning_configured(struct log *log);

// Empties the log and starts it again at `offset`; not durable.
int log__restart_at(struct log *log, int64_t offset, int64_t now_ms);

// ---- Making durable (sync.c), shared by commits and saves ----

struct log_sync {
    struct log *log;            // NULL: it was freed meanwhile
    struct env_fs *fs;
    int64_t end_offset;         // durable when this has succeeded
    uint32_t truncations;
    bool full;                  // recovery point too
    bool whole;                 // the whole file system is to be synced, or was: `files` does not matter
    struct file_ref *volume;    // by which it is; NULL: that is not to be had, go file by file
    int volume_syncs_min;       // it is the cheaper way from so many single syncs on
    bool snapshot_staged;       // on the worker, between the two steps
    bool epochs_staged;
    uint32_t dir_changes;       // covered
    struct file_ref **files;    // to sync
    int file_count;
    int file_capacity;
    struct log_sync_segment {   // sizes that become synced
        int64_t base_offset;
        int64_t size;
        uint32_t cuts;
    } *segments;
    int segment_count;
    int segment_capacity;
    char *path;                 // of the partition's directory
    bool sync_dir;
    bool sync_parent;
    int64_t *bases;             // of segments whose producer snapshots are to be synced
    int base_count;
    int base_capacity;
    bool write_epochs;
    struct buf epochs;
    bool write_snapshot;
    struct buf snapshot;
    int err;                    // a sync failed: nothing is known about the disk any more
    int soft_err;               // a small file could not be written: nothing but it is affected
    char where[FS_PATH_MAX];    // what failed
    uint64_t syncs;             // made
};

enum log_sync_flags {
    LOG_SYNC_FULL = 1,  // what a raised recovery point needs, too
    LOG_SYNC_WHOLE = 2, // the caller knows that there is much to sync: the whole file system will be,
                        // and no file is held open for it. The log's directory must have a volume.
};

// Notes on the shard what has to be synced so that everything appended so far is durable. ERR_AGAIN:
// full, but another sync is at it.
int log__sync_begin(struct log *log, unsigned flags, struct log_sync *s);

// Does it for all of them; any thread. Fills err and where.
void log__sync_run(struct log_sync *const *all, int count);

// True if parts of them may be run side by side instead: no log has to wait for another's files. Not so
// where names in the log directory or the whole file system are synced for several of them.
bool log__sync_is_divisible(struct log_sync *const *all, int count);

// Back on the shard: raises durable_offset and, if full, the recovery point; calls the owner. After a
// failure it takes the directory offline. Releases `s`.
void log__sync_end(struct log_sync *s);

// log_close() in parts, with a full sync between them if the first gives 1 (0: nothing to sync).
int log__close_begin(struct log *log);
int log__close_end(struct log *log);

// Blocks: makes partition.metadata and the entries of the partition's and the log directory durable.
int log__sync_names(struct log *log);

// The log goes while a sync is under way.
void log__sync_forget(struct log_sync *s);

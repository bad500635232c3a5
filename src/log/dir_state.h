// SPDX-License-Identifier: Apache-2.0
//
// struct log_dir, for the files that make it up.
#pragma once

#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "base/properties.h"
#include "base/diag.h"
#include "env/env.h"
#include "env/mailbox.h"
#include "env/timer.h"
#include "env/work.h"
#include "log/checkpoint.h"
#include "log/dir.h"
#include "log/internal.h"

#define CHECKPOINT_RECOVERY_POINTS "recovery-point-offset-checkpoint"
#define CHECKPOINT_START_OFFSETS "log-start-offset-checkpoint"
#define CHECKPOINT_HIGH_WATERMARKS "replication-offset-checkpoint"
#define CHECKPOINT_CLEANER "cleaner-offset-checkpoint"
#define CLEAN_MARKER ".kafka_cleanshutdown"
#define META_PROPERTIES "meta.properties"

enum { LOG_SAVE_KINDS = 4 };

// Saving checkpoints: one at a time. What is asked for meanwhile waits for the next. Each part prepares
// (a work syncs what raised recovery points need, then its entries are noted); when all have, a work of
// the first writes the files; then each part hears how it went.
struct dir_save {
    struct env_work work;
    bool running;          // from the preparation of this part until it has heard
    unsigned what;         // of the one that runs
    unsigned pending;      // of the next
    struct list waits;     // log_save_wait of the one that runs
    struct list pending_waits;
    struct log_sync *syncs; // one for each log with something to sync
    struct log_sync **sync_list;
    int sync_count;
    struct buf entries[LOG_SAVE_KINDS]; // of this part, as lines
    int entry_counts[LOG_SAVE_KINDS];
    int err;                // of the preparation
};

// The save as the first part sees it.
struct dir_gather {
    bool running;
    unsigned what;
    unsigned pending;
    int waiting_count;      // parts that have not prepared, or not heard
    struct env_work work;
    struct buf texts[LOG_SAVE_KINDS];
    unsigned written;       // those of `what` that are on disk
    bool had_cleaned;       // has_cleaned before it
    int err;
    char where[FS_PATH_MAX];
};

// What goes between the first part and another. Each message is at one end or on its way to the other.
struct dir_link {
    struct log_dir *part;
    struct env_message step; // prepare, then finish: to the part and back
    struct env_message ask;  // the part wants a save: to the first and back
    bool asking;             // the part's: that is under way
    unsigned asked;
    unsigned what;           // of the step, and what the part made of it on the way back
    unsigned written;
    int err;
    struct env_message full; // the part found no room: to the first, who tells the operator, and back
    bool telling;            // the part's: that is under way
    bool refused;
};

// Files and directories that are to be removed when their time has come.
struct dir_discards {
    struct list items;     // waiting, in no order
    struct list removing;  // the work's
    struct env_timer timer;
    struct env_work work;
    bool running;
};

// How full the file system is.
struct dir_space {
    int64_t reserve_bytes; // log_dir_args
    int64_t budget_bytes;  // may be appended before the file system is asked again,
    int64_t budget_until_ns; // and for how long: others write there, too
    int64_t full_until_ns; // when it was last seen to be full; 0: never
    bool full;             // appends are refused
    bool refused;          // ... since the file system said so, and not its number of free bytes
    bool said;             // the operator heard that it is full, and not yet that it is over
    struct env_timer timer; // the next look, while full
};

// A partition that was found and whose log was not added yet: its entries stay in the checkpoints.
struct dir_unclaimed {
    char *topic;
    int32_t partition;
    bool claimed;
    int64_t offsets[LOG_SAVE_KINDS]; // in the order of enum log_save; -1 none
};

struct partition_key {
    struct str topic;
    int32_t partition;
};

struct log_dir {
    struct log_dir *first;  // itself, or the part that has what is there once
    struct dir_link **links; // the first's: to the other parts
    int link_count;
    struct dir_link *link;   // another part's, to the first
    struct env *env;
    struct trace *trace;
    char *path;
    void *owner;
    void (*on_offline)(struct log_dir *dir, void *owner, int err, const char *why);
    struct fs_file *lock; // of `.lock`
    struct file_ref *volume; // `.lock` again, for fs_file_sync_all(); open from the first moment on
    int volume_syncs_min;
    int cached_dirs_min;
    bool can_sync_all;       // everything of ours is in one file system, which can
    uint64_t volume_id;      // fs_stat.volume
    struct properties properties;
    struct log_dir_meta meta;
    bool has_meta;
    bool offline;
    bool closed;         // nothing is done by the clock any more
    int close_result;    // another part's, and its words
    struct diag close_diag;
    int open_files_max;  // of all parts
    struct segment_pool pool;
    struct dir_unclaimed *found; // by topic and partition; none once all are claimed
    int found_count;
    int unclaimed_count;         // of these
    bool has_cleaned;            // the first part's: cleaner-offset-checkpoint has entries, or is to have
    struct list logs;
    struct map log_map;
    int log_count;
    struct map former; // names of partitions that are gone, as long as checkpoints may have them
    struct hash_seed seed;
    struct dir_save save;
    struct dir_gather gather;
    struct dir_discards discards;
    struct dir_space space;
};

// True if the whole file system is to be synced when `count` logs need a full sync.
bool dir__syncs_whole(const struct log_dir *dir, int count);

uint64_t dir__key_hash(const struct log_dir *dir, struct partition_key key);

// An empty one, of nothing but this.
struct log_dir *dir__new(struct env *env, struct trace *trace, const char *path);

int dir__path(const struct log_dir *dir, const char *name, char out[FS_PATH_MAX]);

// Notes the entries of this part in every checkpoint as things are now. ERR_LIMIT: too many.
int dir__note_entries(struct log_dir *dir);

void dir__save_init(struct log_dir *dir);
void dir__save_release(struct log_dir *dir);
// Links a new part to the first.
void dir__save_link(struct log_dir *part);
// A log goes while it may be part of a save.
void dir__save_forget(struct log_dir *dir, struct log *log);

// Remembers what a scan found.
void dir__set_unclaimed(struct log_dir *dir, const struct log_dir_scan *scan);
// Leaves what the partitions' directories hold for the next start (dir_cache.h), as far as possible. All
// logs of all parts were closed.
void dir__write_cache(struct log_dir *dir);

// The log was added, or nobody wants it.
void dir__claim(struct log_dir *dir, struct str topic, int32_t partition);
void dir__unclaimed_release(struct log_dir *dir);
// Moves what a part takes to it.
void dir__unclaimed_move(struct log_dir *part, const struct log_dir_part_args *args);

void dir__former_move(struct log_dir *part, const struct log_dir_part_args *args);
void dir__former_release(struct log_dir *dir);
// A partition is gone, or a checkpoint has an entry without one.
void dir__former_add(struct log_dir *dir, struct partition_key key);
bool dir__former_has(const struct log_dir *dir, struct partition_key key);
// A save begins to write, every checkpoint or not; it has written every one.
void dir__former_saving(struct log_dir *dir, bool every);
void dir__former_saved(struct log_dir *dir);

void dir__discards_init(struct log_dir *dir);
void dir__discards_release(struct log_dir *dir);
// Nothing waits for its time any more: room is needed.
void dir__discard_now(struct log_dir *dir);

void dir__space_init(struct log_dir *dir, int64_t reserve_bytes);
void dir__space_release(struct log_dir *dir);

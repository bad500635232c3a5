// SPDX-License-Identifier: Apache-2.0
//
// One entry of log.dirs: its lock, identity, checkpoints and clean-stop marker, the partitions in it,
// and what happens when it fails.
//
// FROZEN on disk (Apache Kafka's): `.lock`, `meta.properties`, `recovery-point-offset-checkpoint`,
// `log-start-offset-checkpoint`, `replication-offset-checkpoint`, `cleaner-offset-checkpoint`,
// `.kafka_cleanshutdown`, and the names of partition directories (log/names.h). One file is our own:
// `.chitin_directories` (log/dir_cache.h).
//
// Order of use: log_dir_open(); log_dir_meta() or log_dir_write_meta(); log_dir_scan(); for each
// partition log_open() (in an env_work if it may take long) and log_dir_add(); ...; log_dir_close().
//
// Where much is to be synced at once (a stop, a save, a large commit, the start after a crash), the
// whole file system is, by a file that is open from log_dir_open() to the end: the system tells of a
// failed write once to each file that was open before. A failure takes the directory offline, also when
// what could not be written belongs to another program. Partitions that lie in another file system (by
// a link, a mount) keep the directory from this.
//
// Shards: a directory whose partitions live on several shards has a part on each (log_dir_part_new()).
// The first, which log_dir_open() gives, has the lock, the identity, the checkpoint files and the marker
// besides partitions of its own. Every part has the logs that were added to it, their open files and
// their deletions. A save gathers: every part syncs what its recovery points need and hands its entries
// to the first, which writes the files and then tells the parts; so all of them must run their events.
//
// Threads: a part belongs to one shard. log_dir_open(), log_dir_scan() and log_dir_close() block.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/uuid.h"
#include "log/log.h"

struct cached_dir;
struct dir_cache;
struct env;
struct log_dir;

struct log_dir_args {
    struct env *env;
    struct trace *trace; // may be NULL
    const char *path;
    int open_files_max; // segments held open by logs of this directory; 0: a default
    int volume_syncs_min; // from so many files to sync on the whole file system is synced; 0: a default
    int cached_dirs_min;  // from so many partitions on log_dir_close() leaves what their directories hold
                          // for the next start (log/dir_cache.h); 0: a default
    int64_t reserve_bytes; // see log_dir_is_full(); 0: nothing is kept free
    void *owner;
    // Called once, when the directory failed: every log in it is offline from now on. `why` names the
    // file and the error.
    void (*on_offline)(struct log_dir *dir, void *owner, int err, const char *why);
};

// Makes the directory if it is missing (with its parents), locks it and reads meta.properties. Changes
// nothing else. ERR_BUSY: another process holds it. ERR_CORRUPT: meta.properties is not readable.
// ERR_UNSUPPORTED: its version is newer than 1.
int log_dir_open(const struct log_dir_args *args, struct log_dir **out, struct diag *diag);

// In place of a directory that cannot be opened: it is offline from the start, and has neither identity nor
// logs. `args` without callbacks.
struct log_dir *log_dir_new_offline(const struct log_dir_args *args);

// Lets go without touching anything but the lock: the way out when the start is refused, and after
// log_dir_close(). Frees the logs that were added. Nothing may be in flight (log_dir_is_idle()).
void log_dir_free(struct log_dir *dir);

const char *log_dir_path(const struct log_dir *dir);
bool log_dir_is_offline(const struct log_dir *dir);

// Takes the directory offline. Harmless when it is already. `why` is copied.
void log_dir_fail(struct log_dir *dir, int err, const char *why);

// ---- Identity ----

// meta.properties. Version 0 (before KRaft) has no directory id and may lack the cluster id.
struct log_dir_meta {
    int version;
    int32_t node_id;         // -1 unknown
    struct str cluster_id;   // as it is written; the null string when absent
    struct uuid directory_id; // zero when absent
};

// What meta.properties says, or NULL if there is none (an unformatted directory, or one that was never
// opened).
const struct log_dir_meta *log_dir_meta(const struct log_dir *dir);

// Blocks; durable when it returns. Writes meta.properties version 1; other keys that are in the file
// are kept.
int log_dir_write_meta(struct log_dir *dir, int32_t node_id, struct str cluster_id,
                       struct uuid directory_id, struct diag *diag);

// ---- Partitions ----

// A partition directory that was found.
struct log_dir_partition {
    char *topic;
    int32_t partition;
    bool future;              // `-future`: a move between directories that was not finished
    struct uuid topic_id;     // zero: partition.metadata is missing or unreadable (a stray)
    int64_t recovery_point;   // from the checkpoints; -1 where they have no entry
    int64_t log_start_offset;
    int64_t high_watermark;
    int64_t cleaner_offset;   // first offset that no compaction has looked at; -1: none worked here
    const struct cached_dir *cached; // what it holds, if that is known; the scan's
};

struct log_dir_scan {
    struct log_dir_partition *partitions; // sorted by topic and partition
    int count;
    bool has_metadata_log;    // `__cluster_metadata-0` is here; it is not among the partitions
    bool clean;               // the clean-stop marker was there (and is gone now)
    bool start_unknown;       // log-start-offset-checkpoint is missing or damaged
    bool synced;              // it was not, and what the last process wrote was made durable at once
    int64_t broker_epoch;     // from the marker; -1 unknown
    struct dir_cache *cache;  // what `cached` of the partitions is from
};

// True if the directory was closed cleanly; before log_dir_scan(), which takes the mark away.
bool log_dir_has_clean_mark(const struct log_dir *dir);

// Blocks. Takes the clean-stop marker away, reads the checkpoints, lists the partitions, queues
// `-delete` directories for removal and leaves `-stray` ones alone. After an unclean stop with many
// partitions syncs the file system, so that each of them need not.
int log_dir_scan(struct log_dir *dir, struct log_dir_scan *out, struct diag *diag);
void log_dir_scan_release(struct log_dir_scan *scan);

// Fills what log_open() needs for a partition that was found; the pointers are to the scan.
void log_dir_partition_args(struct log_dir *dir, const struct log_dir_scan *scan,
                            const struct log_dir_partition *partition,
                            const struct log_config *config, struct log_args *out);

// As above for a partition that is to be created with log_create(). ERR_AGAIN: the checkpoints on disk
// may still have entries of a former partition of that name; not before a LOG_SAVE_ENTRIES has ended
// well.
int log_dir_create_args(struct log_dir *dir, struct str topic, int32_t partition,
                        struct uuid topic_id, const struct log_config *config,
                        struct log_args *out);

// Gives the log to the directory: its checkpoints cover it, its failure takes it offline.
void log_dir_add(struct log_dir *dir, struct log *log);

// The log of a partition, or NULL.
struct log *log_dir_find(struct log_dir *dir, struct str topic, int32_t partition);

int log_dir_log_count(const struct log_dir *dir);

// Calls `each` for every log, in no particular order.
void log_dir_each(struct log_dir *dir, void (*each)(void *context, struct log *log), void *context);

// Renames the partition's directory to `<topic>-<p>.<uuid>-delete`, takes the log from the directory
// and frees it (slices stay readable). The files are removed after file.delete.delay.ms. Remove it
// from its committer first. Its name is free after a LOG_SAVE_ENTRIES.
int log_dir_delete_log(struct log_dir *dir, struct log *log);

// Renames the directory of a partition that nobody wants to `...-stray`; it is never touched again.
int log_dir_set_stray(struct log_dir *dir, const struct log_dir_partition *partition);

// Bytes of everything in the file system that holds the directory: total and usable; ERR_IO.
int log_dir_space(struct log_dir *dir, int64_t *total_bytes, int64_t *usable_bytes);

// True while records are refused with ERR_NOSPC, since less than `reserve_bytes` (or a 20th of the file
// system, if that is less) is free there, or the file system refused to take more. The rest is for what
// has to go on: the metadata log, checkpoints, the next start; and what was deleted goes at once, without
// file.delete.delay.ms. It ends by itself within a second of there being room. The trace has one line
// when it begins and one when it ends.
bool log_dir_is_full(const struct log_dir *dir);

// ---- Parts ----

struct log_dir_part_args {
    struct env *env; // of the part's shard
    void *owner;
    // This part failed; the others do not know of it yet: let it be followed by log_dir_fail() on them.
    void (*on_offline)(struct log_dir *part, void *owner, int err, const char *why);
    // True for the partitions that live on this shard.
    bool (*takes)(void *context, struct str topic, int32_t partition);
    void *context;
};

// Another part of a directory that was scanned, for another shard. Called where `dir` lives, before
// either has logs or saves anything. Freed with log_dir_free(), before `dir`.
struct log_dir *log_dir_part_new(struct log_dir *dir, const struct log_dir_part_args *args);

// Blocks, on the part's shard: closes its logs and prepares its entries for log_dir_close() of the
// first part, which says what went wrong here.
void log_dir_part_close(struct log_dir *part);

// ---- Checkpoints ----

enum log_save {
    LOG_SAVE_RECOVERY_POINTS = 1, // syncs indexes, snapshots producers, raises recovery points
    LOG_SAVE_START_OFFSETS = 2,   // makes log start offsets durable, then deletes segments below
    LOG_SAVE_HIGH_WATERMARKS = 4,
    LOG_SAVE_CLEANER_OFFSETS = 8, // how far logs were compacted (log/cleaner.h)
    LOG_SAVE_ENTRIES = 16,        // takes out those of partitions that are gone, syncs no log
};

// Embedded in whoever waits for a save; `done` gets 0 or an error. May be NULL.
struct log_save_wait {
    void (*done)(struct log_save_wait *wait, int err);
    struct list_node node; // the directory's
};

// Writes the checkpoints named in `what` (enum log_save, or-ed) in an env_work: tmp file, sync, rename,
// directory sync. Saves that are asked for while one is under way share the next. `wait` hears when
// what was true at this call is durable.
void log_dir_save(struct log_dir *dir, unsigned what, struct log_save_wait *wait);

// True when no save and no removal is under way in this part, nor, for the first part, in any other that
// it knows of.
bool log_dir_is_idle(const struct log_dir *dir);

// Blocks. Closes every log cleanly, writes all checkpoints and, if nothing failed, the clean-stop
// marker as the last thing. No commit may be in flight, and other parts must have been closed. Then
// log_dir_free().
int log_dir_close(struct log_dir *dir, int64_t broker_epoch, struct diag *diag);

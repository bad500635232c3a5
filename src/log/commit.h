// SPDX-License-Identifier: Apache-2.0
//
// How appended becomes durable. A committer belongs to a shard and collects the logs that have
// something to make durable; when it has done so, it raises their durable_offset, which calls their
// owners (log_set_owner()). This is the one replaceable part: whoever has another idea (a shared
// journal, nothing at all in a test) fills in the three calls.
//
// The group commit below syncs the files of all logs it was given: the segments written since the last
// commit, the leader epochs if they changed, and first-time directory entries (a new segment, a new
// partition) before anything in them counts as durable. Up to four works share the logs of a group and
// run side by side; the group is done, and its logs are durable, when all of them are. One work does all
// where entries in the log directory are new. One group is in flight while the next gathers. No timer: an
// idle committer starts at the end of the current event, so that all appends of one turn of the event
// loop share a sync. A group with many files syncs the whole file system instead of each
// (fs_file_sync_all(), log_dir_args.volume_syncs_min).
//
// A failed sync takes the log's directory offline (log_dir_fail()) and is never tried again: what is
// on disk is unknown after it. The owners of the logs then hear of the directory, not of each log.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct env;
struct log;
struct log_committer;

struct log_committer_ops {
    void (*add)(struct log_committer *committer, struct log *log);
    void (*remove)(struct log_committer *committer, struct log *log);
    bool (*is_idle)(const struct log_committer *committer);
};

struct log_committer {
    const struct log_committer_ops *ops;
};

// Asks that everything appended to `log` so far becomes durable. Any number of times; cheap.
static inline void log_committer_add(struct log_committer *committer, struct log *log)
{
    committer->ops->add(committer, log);
}

// Forgets the log, which is about to be freed. What is in flight for it goes on, without it.
static inline void log_committer_remove(struct log_committer *committer, struct log *log)
{
    committer->ops->remove(committer, log);
}

// True when nothing gathers and nothing is in flight.
static inline bool log_committer_is_idle(const struct log_committer *committer)
{
    return committer->ops->is_idle(committer);
}

struct group_commit_stats {
    uint64_t groups;     // finished
    uint64_t logs;       // made durable, summed over groups
    uint64_t file_syncs; // made
};

// The group commit of a shard: uses env->mailbox and env->workers.
struct log_committer *group_commit_new(struct env *env);

// The committer must be idle.
void group_commit_free(struct log_committer *committer);

void group_commit_get_stats(const struct log_committer *committer, struct group_commit_stats *out);

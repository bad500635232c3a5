// SPDX-License-Identifier: Apache-2.0
//
// The partitions of this broker that live on one shard, and what keeps them: log directories, the
// committer, checkpoints and retention. Follows the metadata image: what the image assigns to this node
// and to this shard exists here, with its configuration, and what it takes away goes. Belongs to a shard.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/diag.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/uuid.h"
#include "broker/make_later.h"
#include "broker/open_later.h"
#include "broker/replica_dirs.h"
#include "env/timer.h"

struct cleaner;
struct config;
struct create_later;
struct env;
struct log_committer;
struct log_dir;
struct log_dir_scan;
struct metadata_image;
struct partition;
struct scrubber;
struct trace;

struct partitions_args {
    struct env *env;
    struct trace *trace;
    const struct config *config;
    int32_t node_id;
    struct hash_seed seed; // the same on all shards
    int shard;
    int shard_count;
    struct log_committer *committer; // borrowed
    struct log_dir *const *dirs;     // borrowed, with the array
    int dir_count;
    void *owner;
    // Replicas are in other directories than the metadata says, or it does not say.
    void (*on_placed)(void *owner, struct replica_dir *items, int count); // replica_dirs_report.give
};

struct partitions {
    unsigned magic;
    struct env *env;
    struct trace *trace;
    const struct config *config;
    int64_t producer_id_expiration_ms; // of `config`
    int32_t node_id;
    struct hash_seed seed;
    int shard;
    int shard_count;
    struct log_committer *committer;
    struct log_dir *const *dirs;
    int dir_count;
    struct map map; // struct partition by topic id and index
    struct create_later *later;
    struct make_later planned;
    struct open_later unopened;
    struct replica_dirs_report placed;
    bool is_loading;
    // Settings that are read with every append, looked up once; they do not change while we run.
    int64_t checkpoint_interval_ms;
    int64_t high_watermark_interval_ms;
    int64_t retention_interval_ms;
    struct scrubber *scrubber;
    struct cleaner *cleaner;
    struct env_timer checkpoint_timer; // set while something is newer than its checkpoint
    struct env_timer high_watermark_timer;
    struct env_timer retention_timer; // set while there are partitions
    bool closing;
};

// The number of the shard on which a partition lives. Those of one topic are dealt out in turn.
int partitions_shard_of(struct hash_seed seed, int shard_count, struct str topic, int32_t index);

void partitions_init(struct partitions *ps, const struct partitions_args *args);
void partitions_release(struct partitions *ps); // ends all waits; the logs belong to their dirs

// Opens what the scans found and the image wants, moves aside what nobody wants (`-stray`), creates
// what is missing. Blocks; called once, before anything is served. Damaged partitions come up
// offline and are reported. `scans` runs parallel to the directories.
int partitions_load(struct partitions *ps, const struct metadata_image *image,
                    const struct log_dir_scan *scans, struct diag *diag);

// Does what differs between two images.
void partitions_apply(struct partitions *ps, const struct metadata_image *from,
                      const struct metadata_image *to);

// The partition, or NULL when this broker has none of it.
struct partition *partitions_find(struct partitions *ps, struct uuid topic_id, int32_t index);

// False when every log directory is full or offline: nothing can be created.
bool partitions_have_room(const struct partitions *ps);

// Something was appended or a high watermark moved: arms the checkpoint timers.
void partitions_touch(struct partitions *ps);

// The node stops: fetches that wait for data are woken and find nobody to wait for. Nothing is done
// by the clock any more.
void partitions_stop_waiting(struct partitions *ps);

// A log directory failed: its partitions go offline.
void partitions_dir_failed(struct partitions *ps, struct log_dir *dir);

// Calls `each` for every partition, in no particular order; it must not add or remove any.
void partitions_each(struct partitions *ps, void (*each)(void *context, struct partition *p),
                     void *context);

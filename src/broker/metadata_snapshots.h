// SPDX-License-Identifier: Apache-2.0
//
// The snapshots of the metadata log on disk (KIP-630): finding and loading the newest, writing the
// next one when enough was appended, and letting old ones go together with the log they replace.
// Belongs to the quorum driver; encoding is done on its shard, writing and syncing by a worker.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/diag.h"
#include "env/timer.h"
#include "env/work.h"
#include "raft/snapshot_id.h"

struct config;
struct env;
struct log;
struct metadata_image;
struct metadata_loader;
struct raft;
struct trace;

// Kept at once; past it the oldest go whatever the retention says.
enum { METADATA_SNAPSHOTS_MAX = 1000, METADATA_SNAPSHOT_BYTES_MAX = 1 << 30 };

struct metadata_snapshots {
    struct env *env;
    struct trace *trace;
    const struct config *config;
    struct log *log;
    struct snapshot_id *ids; // complete ones on disk, ascending
    int64_t *sizes;          // of their files in bytes, parallel
    int count;
    int64_t bytes_since; // appended since the newest snapshot
    int64_t newest_ms;   // when it was written, or the start of this node
    struct env_timer timer; // set while what changed waits for its interval
    // Set by the owner: an interval is over, and metadata_snapshots_consider() is to be called.
    void (*due)(void *owner);
    void *owner;
    // The one being written.
    struct env_work work;
    bool writing;
    bool stopping;
    struct snapshot_id writing_id;
    struct buf data;
    int result;
};

void metadata_snapshots_init(struct metadata_snapshots *s, struct env *env, struct trace *trace,
                             const struct config *config, struct log *log);
void metadata_snapshots_release(struct metadata_snapshots *s); // nothing may be written any more

// Removes what an interrupted write left, loads the newest snapshot into loader and raft, and the
// bootstrap snapshot (0-0, or `bootstrap.checkpoint` as 4.0 writes it) into *bootstrap, which stays
// NULL when there is none. *latest is 0-0 when no snapshot with state exists. Blocks.
int metadata_snapshots_load(struct metadata_snapshots *s, struct metadata_loader *loader,
                            struct raft *raft, const struct metadata_image **bootstrap,
                            struct snapshot_id *latest, struct diag *diag);

struct snapshot_id metadata_snapshots_latest(const struct metadata_snapshots *s);

// So many bytes of the log were committed.
void metadata_snapshots_add(struct metadata_snapshots *s, size_t bytes);

// Starts a snapshot of this image if one is due (metadata.log.max.record.bytes.between.snapshots,
// metadata.log.max.snapshot.interval.ms), or sees to it that `due` is called when it will be.
void metadata_snapshots_consider(struct metadata_snapshots *s, const struct raft *raft,
                                 const struct metadata_image *image);

// The node stops: starts a snapshot of this image if the next start would have much to replay without.
void metadata_snapshots_last(struct metadata_snapshots *s, const struct raft *raft,
                             const struct metadata_image *image);

// No new ones from here on.
void metadata_snapshots_stop(struct metadata_snapshots *s);

// SPDX-License-Identifier: Apache-2.0
//
// The log directories of a node and who they belong to: opens and locks them, formats empty ones,
// and refuses those of another node or cluster, untouched. What `chitin storage format` does by hand,
// a start does by itself where it cannot do harm: when every directory is empty and no other node is
// configured (a controller of a larger quorum must never come up empty: it could forget what it voted
// for and acknowledged).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/diag.h"
#include "base/uuid.h"
#include "metadata/feature.h"

struct config;
struct env;
struct log_dir;
struct node_config;
struct trace;

enum { STORAGE_DIRS_MAX = 64, CLUSTER_ID_MAX = 128 };

struct storage {
    struct env *env;
    struct trace *trace;
    struct log_dir *dirs[STORAGE_DIRS_MAX];
    int dir_count;
    int metadata_dir;                    // index of metadata.log.dir
    bool metadata_dir_is_apart;          // it is not one of log.dirs, but the last, behind them
    char cluster_id[CLUSTER_ID_MAX + 1]; // "" before it is known
    bool formatted;                      // by this storage_open()
    struct str new_cluster_id;           // of a cluster that storage_identify() creates; null: random
    void *owner;
    // Set by whoever wants to hear of directories that fail.
    void (*on_offline)(void *owner, struct log_dir *dir, const char *why);
};

// Opens and locks all of log.dirs and metadata.log.dir. One that cannot be read is told of and takes part
// offline, as long as it is not that of the metadata; as Kafka does. ERR_* with words; nothing stays open
// then.
int storage_open(struct storage *s, struct env *env, struct trace *trace,
                 const struct config *config, struct diag *diag);

// Lets go of all directories without writing anything.
void storage_close(struct storage *s);

// Checks that all directories belong to this node and to one cluster. Formats them if that is safe
// (see above); gives a new directory beside formatted ones an identity. On an error (with words)
// nothing was written.
int storage_identify(struct storage *s, const struct node_config *node, struct diag *diag);

struct storage_format {
    int32_t node_id;
    struct str cluster_id;               // never empty
    const struct feature_levels *levels; // metadata_format_levels() for the defaults
    // Not NULL: this node is the only voter of a dynamic quorum (KIP-853), reached at its controller
    // listener; NULL: the configuration says who votes.
    const struct node_config *standalone;
};

// Formats one open, unformatted directory; the metadata directory also gets the first snapshot of the
// metadata log. meta.properties comes last: a directory that has one is complete. Blocks; durable when
// it returns.
int storage_format_dir(struct env *env, struct log_dir *dir, bool is_metadata,
                       const struct storage_format *format, struct diag *diag);

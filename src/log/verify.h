// SPDX-License-Identifier: Apache-2.0
//
// Checks a closed entry of log.dirs, Chitin's or Apache Kafka's: meta.properties and the checkpoints, and
// of each partition every batch, every entry of the indexes, the producer snapshots, leader epochs and
// whether segments follow each other and end where the checkpoints say. Reads every byte, changes none.
//
// The metadata log is checked as a log; what its records mean is for whoever knows metadata
// (verify_args.partition tells which topic id each directory claims).
//
// Blocks: for tools. Whatever the files say, memory is bounded by the producers and epochs of one
// partition.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/diag.h"
#include "base/uuid.h"

struct env_fs;

enum verify_level {
    VERIFY_NOTE,   // worth knowing; nothing is wrong with the data
    VERIFY_REPAIR, // damaged, and made again from the log when a broker starts or reads it
    VERIFY_DAMAGE, // records, metadata or the identity of the directory are at stake
};

struct verify_finding {
    enum verify_level level;
    const char *path;
    int64_t position; // in bytes; -1: the file as a whole
    int64_t offset;   // first that is affected; -1
    int64_t end_offset; // first that is not any more; -1
    const char *what;
    const char *remedy; // what it means and what to do
};

struct verify_partition {
    const char *name;     // of the directory
    struct str topic;
    int32_t partition;
    bool has_topic_id;
    struct uuid topic_id; // of partition.metadata
};

struct verify_args {
    struct env_fs *fs;
    const char *dir;
    void *context;
    void (*found)(void *context, const struct verify_finding *f);
    // Both may be NULL. `progress` hears now and then how many bytes of `total` were read; a non-zero
    // result stops the check with that error.
    void (*partition)(void *context, const struct verify_partition *p);
    int (*progress)(void *context, const char *path, int64_t bytes, int64_t total);
};

struct verify_result {
    int64_t partitions;
    int64_t segments;
    int64_t batches;
    int64_t bytes;
    int64_t findings[VERIFY_DAMAGE + 1]; // by level
    bool clean;                          // it has the mark of a clean stop
};

// ERR_NOT_FOUND: no such directory. ERR_BUSY: a broker holds it. ERR_INVALID: not a log directory.
// *out is filled in any case.
int verify_dir(const struct verify_args *args, struct verify_result *out, struct diag *diag);

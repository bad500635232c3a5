// SPDX-License-Identifier: Apache-2.0
//
// What is in a file of a log directory, for people and programs: the facts that Apache Kafka's
// DumpLogSegments prints, as JSON lines or as its text. Reads any of .log, .index, .timeindex,
// .txnindex, .snapshot, metadata snapshots (.checkpoint), leader-epoch-checkpoint, the checkpoint
// files, partition.metadata, meta.properties and quorum-state.
//
// Blocks: for tools, not for a shard. Damage is reported where it is found and does not stop the dump
// as long as something readable follows.
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/diag.h"

struct env_fs;

enum dump_format { DUMP_JSON, DUMP_TEXT };

// What is said of an index.
enum dump_index {
    DUMP_INDEX_ENTRIES,      // each entry
    DUMP_INDEX_ENTRIES_TRUE, // each entry, checked against the log beside it
    DUMP_INDEX_CHECK,        // only entries that are wrong
    DUMP_INDEX_SANITY,       // the same, and a line when none is
};

// What records hold and how keys and values are shown.
enum dump_decoder {
    DUMP_DECODE_AUTO,     // by the partition's directory: __cluster_metadata, __consumer_offsets, ...
    DUMP_DECODE_STRING,
    DUMP_DECODE_METADATA,
    DUMP_DECODE_OFFSETS,
    DUMP_DECODE_TRANSACTIONS,
    DUMP_DECODE_SHARE_STATE,
};

struct dump_options {
    enum dump_format format;
    enum dump_decoder decoder;
    bool records;        // print each record, not only batches
    bool payload;        // with keys and values
    enum dump_index index;
    bool skip_record_metadata;
    size_t chunk_bytes;  // `write` is called about this often; 0: a default
};

// Takes finished lines; a non-zero result stops the dump and is returned.
typedef int (*dump_write_fn)(void *context, struct str lines);

struct dump_result {
    int64_t batches;
    int64_t records;
    int64_t entries;
    int64_t problems; // places of damage that were reported
};

// Dumps one file. ERR_UNSUPPORTED: not a kind of file that it knows. *out is filled in any case.
int dump_file(struct env_fs *fs, const char *path, const struct dump_options *options,
              dump_write_fn write, void *context, struct dump_result *out, struct diag *diag);

// SPDX-License-Identifier: Apache-2.0
//
// Names of files and directories below a log directory. FROZEN (Apache Kafka's):
//   <topic>-<partition>                         a partition
//   <topic>-<partition>.<32 hex>-delete         deleted, to be removed
//   <topic>-<partition>.<32 hex>-future, -stray moving between directories; wanted by nobody
//   <offset, 20 digits>.log .index .timeindex .txnindex .snapshot
//   ... with .deleted, .cleaned or .swap behind it
//   ... with .tmp behind it: ours, of no meaning to others, and gone with the next start
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/uuid.h"
#include "env/fs.h"

// The metadata log: a topic of one partition (KIP-595).
#define METADATA_TOPIC "__cluster_metadata"
#define METADATA_LOG_DIR METADATA_TOPIC "-0"

enum log_file_kind {
    LOG_FILE_OTHER,
    LOG_FILE_LOG,
    LOG_FILE_INDEX,
    LOG_FILE_TIME_INDEX,
    LOG_FILE_TXN_INDEX,
    LOG_FILE_SNAPSHOT,
};

enum log_file_state {
    LOG_FILE_LIVE,
    LOG_FILE_DELETED,
    LOG_FILE_CLEANED, // being written by a compaction
    LOG_FILE_SWAP,    // about to take the place of what was compacted
    LOG_FILE_TEMPORARY,
};

struct log_file_name {
    enum log_file_kind kind;
    enum log_file_state state;
    int64_t offset; // base offset of the segment, or the snapshot's
};

enum { LOG_FILE_NAME_MAX = 64 };

// True if `name` is that of a segment's file or a producer snapshot.
bool log_file_name_parse(const char *name, struct log_file_name *out);

// ".log" for LOG_FILE_LOG and so on.
const char *log_file_suffix(enum log_file_kind kind);

// "<dir>/<offset>.log" for example; false when it does not fit.
bool log_file_path(char out[FS_PATH_MAX], const char *dir, int64_t offset, enum log_file_kind kind);

// The same for a file in another state: "<dir>/<offset>.log.swap" for example.
bool log_file_state_path(char out[FS_PATH_MAX], const char *dir, int64_t offset,
                         enum log_file_kind kind, enum log_file_state state);

// "<dir>/<name>"; false when it does not fit.
bool path_join(char out[FS_PATH_MAX], const char *dir, const char *name);

enum log_dir_kind { LOG_DIR_LIVE, LOG_DIR_DELETE, LOG_DIR_FUTURE, LOG_DIR_STRAY };

struct log_dir_name {
    enum log_dir_kind kind;
    struct str topic; // a view into the name that was parsed
    int32_t partition;
};

// True if `name` is that of a partition's directory.
bool log_dir_name_parse(const char *name, struct log_dir_name *out);

// "<topic>-<partition>" or, for the other kinds, with ".<unique in hex>-<kind>" behind it (cut in the
// topic so that a file system takes the name, 255 bytes).
void log_dir_name_format(char out[256], struct str topic, int32_t partition, enum log_dir_kind kind,
                         struct uuid unique);

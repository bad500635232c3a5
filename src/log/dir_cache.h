// SPDX-License-Identifier: Apache-2.0
//
// What the partitions' directories held when the log directory was closed, so that a start need not
// list each of them: their segments, and the id from partition.metadata. One file of our own in the log
// directory; Apache Kafka passes over it.
//
// An entry is true of a directory whose file id and time of last change are those of the entry: no name
// in it was added, removed or replaced since. So it does not matter who was at work there meanwhile, and
// a file that is old or missing costs nothing but time. To be sure of that,
// - what changed shortly before it was looked at gets no entry: the clock of a file system has ticks,
// - it is kept only on file systems whose directories are known to note changes by this machine's clock,
// - entries count only after a clean stop.
// What is in the files says nothing here: that is found as ever when a log is loaded (log_load()), which
// also compares partition.metadata.
//
// FROZEN: lines of text, "chitin directories 0", then "topic partition topic-id file-id changed-ns" and
// the base offsets of the segments (with a "t" behind those that have a .txnindex), by topic and
// partition, then "crc32c" and that of all lines before in hex.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/diag.h"
#include "base/uuid.h"
#include "env/fs.h"

#define DIR_CACHE_FILE ".chitin_directories"

enum { DIR_CACHE_TEXT_MAX = 256 << 20 };

struct cached_segment {
    int64_t base_offset;
    bool has_txn_index;
};

// Which directory it was, and as of when. Zero: none.
struct dir_stamp {
    uint64_t file_id;
    int64_t changed_ns;
};

struct cached_dir {
    struct str topic; // a view into the cache's text
    int32_t partition;
    struct uuid topic_id;
    struct dir_stamp stamp;
    const struct cached_segment *segments; // by base offset, the cache's; at least one
    int segment_count;
};

struct dir_cache {
    struct buf text;
    struct cached_dir *dirs; // by topic and partition
    int dir_count;
    int dir_capacity;
    struct cached_segment *segments; // of all
    int segment_count;
    int segment_capacity;
};

void dir_cache_init(struct dir_cache *c);
void dir_cache_release(struct dir_cache *c);

// Reads the file; 0 and nothing in it if it is missing. ERR_CORRUPT with words: it is not such a file.
int dir_cache_read(struct dir_cache *c, struct env_fs *fs, const char *path, struct diag *diag);

// Takes what is in c->text; the same errors.
int dir_cache_parse(struct dir_cache *c, struct diag *diag);

static inline bool dir_stamp_equal(struct dir_stamp a, struct dir_stamp b)
{
    return a.file_id == b.file_id && a.changed_ns == b.changed_ns;
}

static inline struct dir_stamp dir_stamp_of(const struct fs_stat *stat)
{
    return (struct dir_stamp){stat->file_id, stat->changed_ns};
}

// The text of a new one; entries in order.
void dir_cache_format_begin(struct buf *out);
void dir_cache_format_entry(struct buf *out, const struct cached_dir *entry);
void dir_cache_format_end(struct buf *out);

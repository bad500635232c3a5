// SPDX-License-Identifier: Apache-2.0
//
// The checkpoint files of a log directory: one offset per partition.
//
// FROZEN: line "0" (version), line with the count, then "<topic> <partition> <offset>" lines. A file
// of 0 bytes means that nothing was written yet.
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/diag.h"
#include "env/fs.h"

struct checkpoint_entry {
    struct str topic; // a view into the checkpoint's text
    int32_t partition;
    int64_t offset;
};

struct checkpoint {
    struct buf text;
    struct checkpoint_entry *entries; // sorted by topic and partition once read
    int count;
    int capacity;
};

enum { CHECKPOINT_TEXT_MAX = 256 << 20 };

void checkpoint_init(struct checkpoint *c);
void checkpoint_release(struct checkpoint *c);

// Replaces the contents. A missing or empty file gives no entries. ERR_CORRUPT with the line in diag.
int checkpoint_read(struct checkpoint *c, struct env_fs *fs, const char *path, struct diag *diag);

// As above for text in memory, which is copied.
int checkpoint_parse(struct checkpoint *c, struct str text, struct diag *diag);

// The offset, or -1.
int64_t checkpoint_find(const struct checkpoint *c, struct str topic, int32_t partition);

// Writing: begin with the number of entries to come, then that many entries.
void checkpoint_format_begin(struct buf *out, int count);
void checkpoint_format_entry(struct buf *out, struct str topic, int32_t partition, int64_t offset);

// SPDX-License-Identifier: Apache-2.0
//
// Which leader epoch starts at which offset (KIP-101), kept in `leader-epoch-checkpoint`.
//
// FROZEN: line "0" (version), line with the count, then "<epoch> <start offset>" lines. Both columns
// grow from line to line.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/diag.h"

struct epoch_entry {
    int32_t epoch;
    int64_t start_offset;
};

struct epoch_cache {
    struct epoch_entry *entries;
    int count;
    int capacity;
};

enum { EPOCH_CACHE_TEXT_MAX = 64 << 20 };

void epoch_cache_init(struct epoch_cache *c);
void epoch_cache_release(struct epoch_cache *c);
void epoch_cache_clear(struct epoch_cache *c);

// Replaces the contents with those of a checkpoint's text. Empty text gives no entries. ERR_CORRUPT.
int epoch_cache_parse(struct epoch_cache *c, struct str text, struct diag *diag);
void epoch_cache_format(const struct epoch_cache *c, struct buf *out);

// Notes that `epoch` starts at `start_offset` at the latest. Entries that contradict it (a larger epoch,
// or one that starts there or later) go. True if that changed anything.
bool epoch_cache_assign(struct epoch_cache *c, int32_t epoch, int64_t start_offset);

// Drops entries that start at or above `end_offset`; true if there were any.
bool epoch_cache_truncate_end(struct epoch_cache *c, int64_t end_offset);

// Drops entries wholly below `start_offset`; the one that covers it starts there from now on.
bool epoch_cache_truncate_start(struct epoch_cache *c, int64_t start_offset);

// The latest epoch, or -1.
int32_t epoch_cache_latest(const struct epoch_cache *c);

// The epoch that covers `offset`, or -1.
int32_t epoch_cache_at(const struct epoch_cache *c, int64_t offset);

// End of `epoch` in a log that ends at `log_end_offset` (kraft: OffsetForLeaderEpoch): both results
// are -1 when that is undefined.
void epoch_cache_end(const struct epoch_cache *c, int32_t epoch, int64_t log_end_offset,
                     int32_t *found_epoch, int64_t *end_offset);

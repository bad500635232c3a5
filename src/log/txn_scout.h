// SPDX-License-Identifier: Apache-2.0
//
// What became of a transaction, as the log itself says: reads ahead of a walk through a log for the marker
// that ends the transaction of a batch. A transaction index could say it, too, but nothing would show that
// it has lost an entry; and a batch that is here has its marker in the log, whatever compaction took.
//
// Each batch that is read on the way has its CRC checked. Where a walk meets no transactional batches
// nothing is read; where it does, each batch is read once, as far ahead as the longest transaction goes.
//
// Reads files by their names, which have to stay; blocks; belongs to one thread at a time.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/map.h"
#include "log/batch_scan.h"

// What a reader of a segment needs to know of it.
struct segment_span {
    int64_t base_offset;
    int64_t size;       // bytes that count
    int64_t end_offset; // base of the next segment, or the log's end
    bool is_swap;       // its .log is still a `.log.swap` (cleaner_swap.h)
};

enum txn_fate {
    TXN_OPEN, // no marker follows
    TXN_COMMITTED,
    TXN_ABORTED,
    TXN_UNKNOWN, // not found yet
};

struct txn_scout {
    struct env_fs *fs;
    const char *dir;
    const struct segment_span *spans; // of all segments up to the last that may hold a marker
    int span_count;
    struct fs_file *file; // of number `span`, while it is read
    int span;
    struct batch_scan scan;
    uint8_t *window; // NULL: nothing was read yet
    struct buf spare;
    struct map producers; // struct scouted by producer id: inside of a transaction, or aborted some
    int64_t read_bytes;   // since it was asked last
    bool read_cold;       // the last it read was not in memory
};

// The caller's spans and `dir` must stay.
void txn_scout_init(struct txn_scout *t, struct env_fs *fs, const char *dir,
                    const struct segment_span *spans, int span_count);
void txn_scout_release(struct txn_scout *t);

// The fate of the transaction of a batch with data, which stands at a position of a span; or an error:
// ERR_CORRUPT, with the place in t->span and t->scan.position, or one of I/O. TXN_UNKNOWN after it has read
// about `bytes_max` bytes: ask again. Batches are asked about in their order.
int txn_scout_ask(struct txn_scout *t, const struct batch_header *h, int span, int64_t position,
                  int64_t bytes_max);

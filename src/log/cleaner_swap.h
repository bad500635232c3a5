// SPDX-License-Identifier: Apache-2.0
//
// Puts a compacted segment in the place of those that it was made from, so that a crash at any moment
// leaves either them or it. What is on disk says which, to us and to Apache Kafka alike (FROZEN):
//
//   step  renames                                    after a crash before the next step
//   0     .cleaned -> .swap, all files               with any .cleaned left: nothing happened
//   1     the old segments -> .deleted               all of it .swap: it holds, the old ones go
//   2     .log.swap -> .log                          the same
//   3     .index.swap, ... -> .index, ...            what is still .swap is renamed
//
// Before each step the directory is synced, so that no later name is on disk without the earlier ones:
// by a worker, while the shard goes on. From step 1 on the log uses the new segment, under whatever
// names its files have. Slices of the old files stay readable.
//
// Belongs to the log's shard. Nothing else may take segments from the log meanwhile.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log;
struct segment;

struct log_swap {
    struct log *log;         // NULL: there is none
    struct segment *segment; // the new one, synced and closed; the log's from step 1 on
    int64_t *bases;          // of the old ones, in order; the first is the new one's, too
    int count;
    int step;                // the next
};

enum { LOG_SWAP_STEPS = 5 }; // the last one clears up

// Takes the segment over; the files have the names of SEGMENT_CLEANED. `bases` is copied.
void log_swap_begin(struct log_swap *s, struct log *log, struct segment *segment, const int64_t *bases,
                    int count);

// Takes the next step: 1 when the directory is to be synced before the one after it, 0 when nothing is
// left to do, or an error, after which the log is offline.
int log_swap_step(struct log_swap *s);

// Blocks: takes all that are left, with the syncs between them.
int log_swap_finish(struct log_swap *s);

// True once the swap can only go on.
static inline bool log_swap_has_begun(const struct log_swap *s)
{
    return s->log != NULL && s->step > 0;
}

void log_swap_release(struct log_swap *s);

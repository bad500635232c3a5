// SPDX-License-Identifier: Apache-2.0
//
// Whether the indexes of a segment fit its log, and making them again: what the other parts of
// log/segment.h need of it. The files of the segment must be open.
#pragma once

#include "log/index.h"
#include "log/segment.h"

// True if a batch begins where the entry says and can have its offset: 1, 0, or an error. (Old Kafka
// entered the last offset of several batches that were appended together.)
int segment__entry_is_true(const struct segment *s, const struct offset_entry *at);

// What the ends of the indexes say that cannot be true of the log beside them: NULL, or *problem set;
// an error otherwise. What lies between is judged when it is used.
int segment__find_misfit(const struct segment_env *e, struct segment *s, const char **problem);

// Rebuilds offset and time index from the headers, durably. The transaction index stays: what it says
// cannot be had from headers alone. Blocks; it is rare.
int segment__rebuild_indexes(const struct segment_env *e, struct segment *s, const char *why);

// The first entry of an index, behind position `from`, that is true: 1, 0 or an error.
int segment__next_true_entry(struct segment *s, struct entry_file *index, int64_t from,
                             struct offset_entry *out);

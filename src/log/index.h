// SPDX-License-Identifier: Apache-2.0
//
// The three indexes of a segment, as codecs of their entries over an entry_file.
//
// FROZEN (Apache Kafka's), big-endian:
//   .index      int32 offset - base, int32 position: the batch at `position` has `offset` as its last
//   .timeindex  int64 timestamp, int32 offset - base: no record up to `offset` is later than it;
//               both columns grow
//   .txnindex   int16 version 0, int64 producer id, first offset, last offset, last stable offset:
//               one aborted transaction, in the order of their markers
#pragma once

#include "log/entry_file.h"

enum { OFFSET_ENTRY_SIZE = 8, TIME_ENTRY_SIZE = 12, TXN_ENTRY_SIZE = 34 };

struct offset_entry {
    int64_t offset;
    int64_t position;
};

struct time_entry {
    int64_t timestamp;
    int64_t offset;
};

struct txn_entry {
    int16_t version;
    int64_t producer_id;
    int64_t first_offset;
    int64_t last_offset;
    int64_t last_stable_offset;
};

void offset_entry_decode(const uint8_t *in, int64_t base_offset, struct offset_entry *out);
void time_entry_decode(const uint8_t *in, int64_t base_offset, struct time_entry *out);
void txn_entry_decode(const uint8_t *in, struct txn_entry *out);

// The last entry with offset <= target: 1 and *out, 0 if there is none.
int offset_index_find(struct entry_file *f, int64_t base_offset, int64_t target,
                      struct offset_entry *out);

// The last entry with position <= target: 1 and *out, 0 if there is none.
int offset_index_find_position(struct entry_file *f, int64_t base_offset, int64_t target,
                               struct offset_entry *out);

// The last entry with timestamp <= target: 1 and *out, 0 if there is none.
int time_index_find(struct entry_file *f, int64_t base_offset, int64_t target,
                    struct time_entry *out);

int offset_index_last(struct entry_file *f, int64_t base_offset, struct offset_entry *out);
int time_index_last(struct entry_file *f, int64_t base_offset, struct time_entry *out);

void offset_index_append(struct entry_file *f, int64_t base_offset, struct offset_entry entry);
void txn_index_append(struct entry_file *f, const struct txn_entry *entry);

// Appends if it is later than the last entry in both columns.
int time_index_append_if_later(struct entry_file *f, int64_t base_offset, struct time_entry entry);

// Drops entries with offsets >= `offset` (offset index, time index: last offsets of batches; txn
// index: last offsets of transactions).
int offset_index_truncate(struct entry_file *f, int64_t base_offset, int64_t offset);
int time_index_truncate(struct entry_file *f, int64_t base_offset, int64_t offset);
int txn_index_truncate(struct entry_file *f, int64_t offset);

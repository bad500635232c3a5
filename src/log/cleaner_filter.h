// SPDX-License-Identifier: Apache-2.0
//
// What a compaction leaves of one batch. The rules are Apache Kafka's:
//   - of each key the record with the largest offset stays; records without key go;
//   - a tombstone (a record without value) stays until the delete horizon of its batch is over. The
//     horizon is set by the first compaction that meets it: attribute bit 6, and the base timestamp is
//     the wall time from which on the tombstones may go (KIP-534);
//   - records of aborted transactions go; a marker goes when it has a horizon that is over, and gets that
//     when a compaction met nothing of its transaction any more;
//   - a batch that loses records keeps its base offset, last offset, producer, sequence, leader epoch,
//     timestamp type and codec. Where somebody needs that, it stays without any record.
//
// A batch of the formats 0 and 1 that loses records, or has a tombstone, is written in format 2.
//
// Pure: the bytes may say anything. ERR_CORRUPT, ERR_TRUNCATED, ERR_UNSUPPORTED: they are no batch.
// ERR_LIMIT: the records decompress to more than CLEANER_RECORDS_MAX.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "log/offset_map.h"
#include "wire/batch.h"

enum { CLEANER_RECORDS_MAX = 1 << 28 };

struct cleaner_filter {
    const struct offset_map *map;
    int64_t map_end;   // what lies at or above it is not looked at
    int64_t now_ms;    // wall time of the compaction's begin
    int64_t delete_retention_ms;
    struct buf scratch; // decompressed records; the maximum is their bound
    struct buf kept;    // a byte for each record of the batch
};

void cleaner_filter_init(struct cleaner_filter *f, const struct offset_map *map, int64_t map_end,
                         int64_t now_ms, int64_t delete_retention_ms);
void cleaner_filter_release(struct cleaner_filter *f);

// What is known of a batch from elsewhere.
struct cleaner_batch {
    bool is_aborted;     // data of an aborted transaction
    bool is_undecided;   // data of a transaction that no marker ends: it stays as it is
    bool is_marker_done; // a control batch, of whose transaction nothing is left
    bool is_needed;      // stays, if need be without records
};

struct cleaner_outcome {
    int32_t records_read;
    int32_t records_kept;
    bool is_kept; // the batch was appended to the output
    bool is_made; // ... and is not the one that came
};

// Appends to `out` what is to stay of the batch, whose CRC was checked.
int cleaner_filter_batch(struct cleaner_filter *f, const struct batch_header *header,
                         struct bytes batch, const struct cleaner_batch *known, struct buf *out,
                         struct cleaner_outcome *outcome);

// Notes the keys of the batch's records at or above `from` in the map: 1, 0 when the map is full before
// the last of them, or an error as above.
int cleaner_note_keys(struct offset_map *map, const struct batch_header *h, struct bytes batch,
                      int64_t from, struct buf *scratch);

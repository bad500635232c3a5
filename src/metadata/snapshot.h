// SPDX-License-Identifier: Apache-2.0
//
// Writes an image as a snapshot of the metadata log (KIP-630) and the first snapshot of a freshly
// formatted directory. FROZEN on disk: a control batch with the header (and with kraft.version 1 the
// version and the voters), data batches, a control batch with the footer; offsets from 0, every
// batch in the snapshot's epoch; records in the order features with metadata.version first, brokers,
// controllers, topics with their partitions, configurations, quotas, producer ids, ACLs, SCRAM
// credentials, delegation tokens.
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "metadata/feature.h"
#include "metadata/image.h"

struct metadata_snapshot_options {
    int32_t epoch;                      // of the snapshot's name
    int64_t now_ms;                     // timestamp of the batches
    int64_t last_contained_log_time_ms; // timestamp of the last batch that is contained
    int16_t kraft_version;
    struct bytes voters_record; // value of the KRaftVoters record (raft_voters_record); null: none
};

// Appends the whole file to `out`. The caller names it by offset + 1 and epoch (raft/snapshot_id.h),
// syncs it and makes it read-only. ERR_NOMEM when `out` may not grow enough.
int metadata_snapshot_write(const struct metadata_image *image,
                            const struct metadata_snapshot_options *options, struct buf *out);

// What a new cluster starts with: the levels of `levels` that are not 0, in the order of the feature
// table, as framed record values. Written twice: to the snapshot 0-0 by whoever formats a directory
// (metadata_format_snapshot), and to the log by the first controller (controller_activate).
void metadata_format_levels(struct feature_levels *levels); // the defaults of this release

// Appends the file `00000000000000000000-0000000000.checkpoint` of a freshly formatted directory.
// `voters_record` is the value of a KRaftVoters record, which makes the quorum a dynamic one (KIP-853,
// kraft.version 1), or null for the voters of the configuration.
int metadata_format_snapshot(const struct feature_levels *levels, struct bytes voters_record,
                             int64_t now_ms, struct buf *out);

// SPDX-License-Identifier: Apache-2.0
//
// What the configs of a topic (and the broker's defaults under them) mean to one partition's log. The
// owner fills it; log_set_config() changes it while the log runs. The names are those of
// topic-configs. Limits on what clients may send (max.message.bytes, timestamps) are the broker's.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct log_config {
    int64_t segment_bytes;                // segment.bytes: a segment file is never larger
    int64_t segment_ms;                   // segment.ms: a segment is rolled after this much record time
    int64_t segment_jitter_ms;            // segment.jitter.ms: each segment takes less by up to this
    int64_t retention_ms;                 // retention.ms; -1 for ever
    int64_t retention_bytes;              // retention.bytes; -1 without bound
    int64_t delete_retention_ms;          // delete.retention.ms: a tombstone stays at least so long once
                                          // a compaction has met it
    int64_t min_compaction_lag_ms;        // min.compaction.lag.ms: what is younger is left alone
    int64_t max_compaction_lag_ms;        // max.compaction.lag.ms: what is older waits for no ratio
    double min_cleanable_dirty_ratio;     // min.cleanable.dirty.ratio
    int64_t file_delete_delay_ms;         // file.delete.delay.ms: between `.deleted` and removal
    int64_t producer_id_expiration_ms;    // producer.id.expiration.ms
    int32_t index_interval_bytes;         // index.interval.bytes
    int32_t segment_index_bytes;          // segment.index.bytes: an index file is never larger
    bool cleanup_delete;                  // cleanup.policy has "delete"
    bool cleanup_compact;                 // cleanup.policy has "compact": offsets may have gaps
    bool preallocate;                     // preallocate
    bool uses_reserve;                    // appends go on while the directory is full (log/dir.h)
};

// Kafka's defaults.
#define LOG_CONFIG_DEFAULTS                                                                       \
    ((struct log_config){                                                                         \
        .segment_bytes = 1073741824,                                                              \
        .segment_ms = INT64_C(604800000),                                                         \
        .retention_ms = INT64_C(604800000),                                                       \
        .retention_bytes = -1,                                                                    \
        .delete_retention_ms = 86400000,                                                          \
        .max_compaction_lag_ms = INT64_MAX,                                                       \
        .min_cleanable_dirty_ratio = 0.5,                                                         \
        .file_delete_delay_ms = 60000,                                                            \
        .producer_id_expiration_ms = 86400000,                                                    \
        .index_interval_bytes = 4096,                                                             \
        .segment_index_bytes = 10485760,                                                          \
        .cleanup_delete = true,                                                                   \
    })

// SPDX-License-Identifier: Apache-2.0
//
// The configuration of a topic as its logs and its broker use it: every value parsed, with the
// topic's own settings above the broker's defaults. A plain value: copy it, hand it to any thread;
// after a change of configuration make a new one and post it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/properties.h"

struct config;

// compression.type; numbers above PRODUCER are the attribute bits of a record batch.
enum topic_compression {
    TOPIC_COMPRESSION_PRODUCER = -1, // keep what the producer sent
    TOPIC_COMPRESSION_NONE = 0,      // "uncompressed"
    TOPIC_COMPRESSION_GZIP = 1,
    TOPIC_COMPRESSION_SNAPPY = 2,
    TOPIC_COMPRESSION_LZ4 = 3,
    TOPIC_COMPRESSION_ZSTD = 4,
};

// message.timestamp.type; numbers are the attribute bit of a record batch.
enum topic_timestamp_type { TOPIC_CREATE_TIME = 0, TOPIC_LOG_APPEND_TIME = 1 };

struct topic_config {
    // Retention and cleaning
    bool cleanup_delete;  // cleanup.policy holds "delete"
    bool cleanup_compact; // cleanup.policy holds "compact"
    int64_t retention_ms;    // -1: for ever
    int64_t retention_bytes; // per partition; -1: no limit
    int64_t local_retention_ms;    // -2: as retention_ms
    int64_t local_retention_bytes; // -2: as retention_bytes
    int64_t delete_retention_ms;   // of tombstones in a compacted topic
    int64_t min_compaction_lag_ms;
    int64_t max_compaction_lag_ms;
    double min_cleanable_dirty_ratio;
    int64_t file_delete_delay_ms; // between renaming a file to .deleted and unlinking it

    // Segments
    int32_t segment_bytes; // internal.segment.bytes wins where a test sets it
    int64_t segment_ms;
    int64_t segment_jitter_ms;
    int32_t segment_index_bytes;
    int32_t index_interval_bytes;
    bool preallocate;

    // What is accepted
    int32_t max_message_bytes; // of a batch as it is stored
    int32_t max_decompressed_message_bytes; // of a batch once it is decompressed
    enum topic_compression compression;
    int32_t compression_gzip_level; // -1: the library's default
    int32_t compression_lz4_level;
    int32_t compression_zstd_level;
    enum topic_timestamp_type timestamp_type;
    int64_t timestamp_before_max_ms;
    int64_t timestamp_after_max_ms;
    int32_t min_insync_replicas;

    // Durability
    bool write_caching; // acknowledge from the page cache, as Kafka does
    int64_t flush_messages; // INT64_MAX: never
    int64_t flush_ms;       // INT64_MAX: never

    bool unclean_leader_election;
};

// The configuration of a topic with these overrides (NULL: none) on this broker. The values were
// validated when they were set; one that cannot be read any more (written by another release) is
// taken as if it were not set.
void topic_config_resolve(struct topic_config *out, const struct config *broker,
                          const struct properties *overrides);

// Whether a topic may have these overrides together: each key known, each value valid, and the
// rules between them (compaction lags, tiered storage). ERR_INVALID with words; for an unknown key
// "Unknown topic config name: x".
int topic_config_validate(const struct config *broker, const struct properties *overrides,
                          struct diag *diag);

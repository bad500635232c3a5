// SPDX-License-Identifier: Apache-2.0
//
// Reading one partition for a fetch: checks what the client believes against what is so, and finds
// the range of a segment file that it gets. Nothing is copied.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "log/log.h"

struct fetch_partition;
struct partition;
struct shard;

struct fetch_limits {
    int64_t bytes_left;   // of the whole answer
    bool min_one_batch;   // nothing was read yet: the first batch is given however large it is
    int isolation_level;  // 0 read_uncommitted, 1 read_committed (KIP-98)
    int16_t api_version;
    bool may_wait; // for the device
};

struct fetch_result {
    int kafka_error;
    struct partition *partition; // NULL after an error
    struct log_slice slice;      // the caller releases it
    int64_t high_watermark;      // -1 after an error, as the next two
    int64_t last_stable_offset;
    int64_t log_start_offset;
    bool cold;      // nothing was read, since it would have to wait for the device
    bool diverging; // the client's log has what ours has not (KIP-595); the next two say where
    int32_t diverging_epoch;
    int64_t diverging_end_offset;
};

// Fills *out, whose slice must be empty.
void fetch_read(struct shard *s, const struct fetch_partition *asked,
                const struct fetch_limits *limits, struct fetch_result *out);

// SPDX-License-Identifier: Apache-2.0
//
// What a group has committed and owns, partition by partition, beside what the partitions hold: the
// rows of `group describe` and kafka-consumer-groups.
#pragma once

#include <stdint.h>

#include "tools/groups.h"

struct driver;
struct group_survey;

struct group_lag_row {
    struct str topic;
    int32_t partition;
    int64_t offset; // committed; -1: none
    int32_t leader_epoch;
    int64_t start_offset;                  // of the log; -1: unknown
    int64_t end_offset;                    // -1: unknown
    int64_t lag;                           // -1: unknown
    int64_t lag_ms;                        // -1: unknown; another broker than Chitin's
    int64_t lost;                          // removed before they were read; -1: unknown
    const struct group_member_info *owner; // NULL: nobody
};

struct group_lag {
    struct group_lag_row *items; // in order of topic and partition
    int count;
    int capacity;
};

// Rows for everything that is committed or owned. `info` and `offsets` outlive the rows.
void group_lag_find(struct driver *d, const struct group_info *info,
                    const struct admin_offsets *offsets, struct group_lag *out);
// Takes from the survey what the protocol does not tell.
void group_lag_add_survey(struct group_lag *lag, const struct group_survey *survey);
void group_lag_release(struct group_lag *lag);

// SPDX-License-Identifier: Apache-2.0
//
// Committed offsets of one group: topic and partition to offset. Made for many: a million of them load in
// under a second and take little more than their bytes.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/uuid.h"

struct committed_offset {
    int32_t partition;
    int32_t leader_epoch;        // -1 unknown
    int64_t offset;
    int64_t commit_timestamp_ms;
    int64_t expire_timestamp_ms; // -1: the broker's retention says
    struct str metadata;         // owned; "" takes no memory
    int64_t record_offset;       // of the record that set it, for the order against transactions
};

struct offsets_topic {
    char *name;
    struct uuid id;              // zero when the commit did not say (before 4.1)
    struct committed_offset *items; // by rising partition
    int32_t count;
    int32_t capacity;
};

struct group_offsets {
    struct offsets_topic *topics; // by rising name
    int32_t count;
    int32_t capacity;
    int64_t total;               // of all topics
};

void group_offsets_release(struct group_offsets *o);

struct offsets_topic *group_offsets_topic(const struct group_offsets *o, struct str name); // or NULL
const struct committed_offset *group_offsets_find(const struct group_offsets *o, struct str topic,
                                                  int32_t partition);                      // or NULL

// Adds or replaces; the metadata is copied.
void group_offsets_set(struct group_offsets *o, struct str topic, struct uuid topic_id,
                       const struct committed_offset *value);
bool group_offsets_remove(struct group_offsets *o, struct str topic, int32_t partition);

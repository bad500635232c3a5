// SPDX-License-Identifier: Apache-2.0
//
// Committed offsets of one group: topic and partition to offset. Made for many: a million of them load in
// under a second and take little more than their bytes.
//
// A commit is about a topic's name; from Kafka 4.1 on its record says the topic's id, too, so that what
// was committed for a topic of the same name that is gone can be told from the rest. A name may so have
// several entries, one for each id, beside one for commits that did not say (id zero); a partition is in
// one of them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/uuid.h"

struct offset_extra;
struct offset_commit_key;
struct offset_commit_value;

struct committed_offset {
    int64_t offset;
    int64_t commit_timestamp_ms;
    int64_t record_offset;      // of the record that says it: the newer one wins
    struct offset_extra *extra; // what few have: metadata, a time to expire; owned, NULL without
    int32_t partition;
    int32_t leader_epoch;       // -1 unknown
};

struct offsets_topic {
    struct uuid id;              // zero when the commits did not say
    char *name;
    struct committed_offset *items; // by rising partition; never none
    int32_t count;
    int32_t capacity;
};

struct group_offsets {
    struct offsets_topic *topics; // by rising name, then id
    int32_t count;
    int32_t capacity;
    int64_t total;               // of all topics
};

void group_offsets_release(struct group_offsets *o);

// The entries of a name stand together: returns how many, the first at *first.
int32_t group_offsets_topics(const struct group_offsets *o, struct str name, int32_t *first);

// NULL: nothing was committed. `topic_id` may be NULL; *topic_id is that of the commit.
const struct committed_offset *group_offsets_find(const struct group_offsets *o, struct str topic,
                                                  int32_t partition, struct uuid *topic_id);

// "" without.
struct str committed_offset_metadata(const struct committed_offset *c);
// -1: the broker's retention says.
int64_t committed_offset_expire_ms(const struct committed_offset *c);

// As a record says it; a view.
struct offset_commit_value committed_offset_value(const struct committed_offset *c, struct uuid topic_id);

// Adds or replaces what a record says; texts are copied.
void group_offsets_set(struct group_offsets *o, struct str topic, int32_t partition,
                       const struct offset_commit_value *value, int64_t record_offset);

// False: there was none.
bool group_offsets_remove(struct group_offsets *o, struct str topic, int32_t partition);

// ---- Records (offsets_record.c) ----

// Keys and values of OffsetCommit records, which are the bulk of every log of groups: they are read by
// straight-line code. It says the same as the tables of wire/schema (a test compares them), strings are
// views into the bytes. ERR_CORRUPT, ERR_TRUNCATED, ERR_UNSUPPORTED, ERR_LIMIT as wire_decode(); *out is
// unspecified then.
int offset_commit_key_read(struct bytes in, struct offset_commit_key *out);
int offset_commit_value_read(struct bytes in, struct offset_commit_value *out);

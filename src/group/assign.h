// SPDX-License-Identifier: Apache-2.0
//
// Who gets which partition: the server-side assignors of KIP-848 as pure functions over plain structs.
// They know nothing of groups; kinds that share partitions in another way bring their own.
//
// Members and topics are numbered by their place in the input, partitions by assign_topic.first plus their
// own number. Assignments are arrays of owners: owners[partition] is a member, or ASSIGN_NOBODY. The same
// input gives the same output: order the members by id.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum { ASSIGN_NOBODY = -1 };

struct assign_topic {
    int32_t partition_count;
    int32_t first; // number of its partition 0: set by assign_number()
};

struct assign_member {
    struct str id;
    struct str instance_id; // null: a dynamic member
    const int32_t *topics;  // that it subscribes to, rising
    int32_t topic_count;
};

struct assign_input {
    struct assign_topic *topics;
    int32_t topic_count;
    const struct assign_member *members;
    int32_t member_count;
    bool is_homogeneous;    // all members subscribe to the same topics
    const int32_t *current; // owners by the last assignment
};

// Numbers the partitions and gives how many there are.
int32_t assign_number(struct assign_topic *topics, int32_t topic_count);

typedef void (*assign_function)(const struct assign_input *in, int32_t *owners);

// Evenly over all topics: no two members that subscribe to the same topics differ by more than one
// partition, and as many partitions as that allows stay where they are. When members subscribe to
// different topics, no single partition can move from a member to one that has two fewer.
// O(partitions + members) when homogeneous.
void assign_uniform(const struct assign_input *in, int32_t *owners);

// Topic by topic in contiguous blocks over its members, static ones by instance id before dynamic ones
// by id: topics of the same members and number of partitions are shared out alike (co-partitioned).
// Does not look at who had what.
void assign_range(const struct assign_input *in, int32_t *owners);

// "uniform", "range", or by the name of Kafka's class; NULL: there is none of this name.
struct assignor {
    const char *name;
    const char *java_class;
    assign_function assign;
};
const struct assignor *assignor_find(struct str name);

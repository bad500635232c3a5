// SPDX-License-Identifier: Apache-2.0
//
// Sets of partitions: what a member has, what it is to have. Topics by rising id, partitions rising
// within them, each with a number beside it: the epoch in which the member got it (KIP-1251), or 0 where
// that means nothing.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"

struct assigned_topic {
    struct uuid id;
    int32_t count;       // > 0 once the set is sorted
    int32_t *partitions; // owned; the epochs stand in the same allocation
    int32_t *epochs;
};

struct assignment {
    struct assigned_topic *topics;
    int32_t count;
    int32_t capacity;
};

void assignment_release(struct assignment *a);

// Makes `out`, which must be empty or not initialised, a copy.
void assignment_copy(struct assignment *out, const struct assignment *from);

// Releases `to` and moves `from` there.
void assignment_move(struct assignment *to, struct assignment *from);

// Appends a topic with room for `count` partitions whose numbers the caller fills in; epochs are 0. In any
// order and more than once for the same topic: assignment_sort() puts it right.
struct assigned_topic *assignment_append(struct assignment *a, struct uuid id, int32_t count);

// Sorts, joins what belongs together, drops what is there twice and topics without partitions.
void assignment_sort(struct assignment *a);

// Adds one partition to a set that is built in order: of the last topic or of a later one, and behind
// its partitions.
void assignment_push(struct assignment *a, struct uuid id, int32_t partition, int32_t epoch);

// NULL: nothing of this topic.
const struct assigned_topic *assignment_topic(const struct assignment *a, struct uuid id);

// The index of a partition, or -1.
int32_t assigned_topic_index(const struct assigned_topic *t, int32_t partition);

bool assignment_has(const struct assignment *a, struct uuid id, int32_t partition);
int64_t assignment_size(const struct assignment *a); // partitions

bool assignment_equal(const struct assignment *a, const struct assignment *b);      // epochs too
bool assignment_same_partitions(const struct assignment *a, const struct assignment *b);

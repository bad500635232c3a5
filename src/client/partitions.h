// SPDX-License-Identifier: Apache-2.0
//
// Partitions by name, and sorted lists of them. A name belongs to whoever made the entry.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct topic_partition {
    struct str topic;
    int32_t partition;
};

// By topic, then by number.
int topic_partition_compare(const struct topic_partition *a, const struct topic_partition *b);

// Grows without bound: what is put in is the owner's business. Zeroed = empty.
struct partition_list {
    struct topic_partition *items;
    int count;
    int capacity;
};

void partition_list_release(struct partition_list *l);
void partition_list_add(struct partition_list *l, struct str topic, int32_t partition);

// Sorts and drops what is there twice; the functions below need that.
void partition_list_sort(struct partition_list *l);

// The index, or -1.
int partition_list_find(const struct partition_list *l, struct str topic, int32_t partition);
bool partition_list_equal(const struct partition_list *a, const struct partition_list *b);

// Adds what `a` has and `b` has not to `out`, which stays sorted if it was empty.
void partition_list_minus(const struct partition_list *a, const struct partition_list *b,
                          struct partition_list *out);

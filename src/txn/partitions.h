// SPDX-License-Identifier: Apache-2.0
//
// The partitions of a transaction: topics in order of name, each with its partitions in order.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "wire/record/transaction_log_value.h"

struct arena;

struct txn_topic {
    char *name;
    int32_t *partitions;
    int32_t count;
    int32_t capacity;
};

struct txn_partitions {
    struct txn_topic *topics;
    int32_t count;
    int32_t capacity;
    int32_t total; // partitions of all topics
};

void txn_partitions_clear(struct txn_partitions *p); // and frees all
bool txn_partitions_has(const struct txn_partitions *p, struct str topic, int32_t partition);

// False: it is there already.
bool txn_partitions_add(struct txn_partitions *p, struct str topic, int32_t partition);

// As a record lists them, sorted or not, with repetitions or not.
void txn_partitions_set(struct txn_partitions *p,
                        const struct transaction_log_value_partitions_schema_array *listed);

// For a record; names are views of the set. False: no memory in the arena.
bool txn_partitions_list(const struct txn_partitions *p, struct arena *arena,
                         struct transaction_log_value_partitions_schema_array *out);

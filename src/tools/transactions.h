// SPDX-License-Identifier: Apache-2.0
//
// What several commands ask about transactions: which there are, where one stands, which producers a
// partition knows, and the two ways to end one that hangs. Blocking calls over a driver.
//
// All return 0 with `result->code` what the cluster said, or a negative error of the call
// (tool_fail_call). Results keep the answers they point into.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tools/admin.h"
#include "wire/api/describe_producers.h"
#include "wire/api/describe_transactions.h"

struct driver;
struct tool;

// ---- Lists ----

struct txn_entry {
    struct str id;
    int64_t producer_id;
    struct str state; // "Ongoing", ...
    int32_t node;     // its coordinator
};

struct txn_filter {
    struct str state;    // null: any
    int64_t duration_ms; // only those that have been running for longer; -1: any
    const char *pattern; // of the transactional id, Java's; NULL: any
};

struct txn_list {
    struct txn_entry *items; // as the brokers said them
    int count;
    struct client_answer *answers;
    int answer_count;
};

// Asks every broker, which apply the filter.
int admin_txns_list(struct driver *d, const struct txn_filter *filter, struct txn_list *out,
                    struct admin_result *result);
void admin_txn_list_release(struct txn_list *list);

// ---- One ----

struct txn_info {
    const struct describe_transactions_response_transaction_state *state;
    int32_t node; // the coordinator
    struct client_answer answer;
};

int admin_txn_describe(struct driver *d, struct str id, struct txn_info *out, struct admin_result *result);
void admin_txn_release(struct txn_info *txn);

// Whether the coordinator still has to end it in this partition.
bool txn_covers(const struct txn_info *txn, struct str topic, int32_t partition);

// Fences whoever uses the id, and so aborts what is open.
int admin_txn_terminate(struct driver *d, struct str id, struct admin_result *result);

// ---- Producers of a partition ----

struct txn_producers {
    const struct describe_producers_response_producer_state *items;
    int32_t count;
    struct client_answer answer;
};

// Of the partition's leader, or, with node >= 0, of that broker.
int admin_producers_describe(struct driver *d, struct str topic, int32_t partition, int32_t node,
                             struct txn_producers *out, struct admin_result *result);
void admin_producers_release(struct txn_producers *producers);

// A transaction in one partition, as its marker needs it.
struct txn_spec {
    struct str topic;
    int32_t partition;
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t coordinator_epoch;
};

// Finds the transaction that begins at `start_offset`. False: there is none.
bool txn_spec_of(const struct txn_producers *producers, struct str topic, int32_t partition,
                 int64_t start_offset, struct txn_spec *out);

// Writes an ABORT marker into that partition, past the coordinator.
int admin_txn_abort(struct driver *d, const struct txn_spec *spec, struct admin_result *result);

// ---- Transactions that hang ----

// Open in a partition for too long, and no coordinator is about to end them.
struct txn_hanging {
    struct txn_spec spec;
    int64_t start_offset;
    int64_t last_timestamp;
};

struct txn_search {
    struct str topic;  // null: all
    int32_t partition; // -1: all
    int32_t node;      // -1: any
    int64_t older_ms;  // open for longer
    int64_t now_ms;
};

// `found` for each; its views live until it returns. `found` NULL is not allowed.
int admin_txns_find_hanging(struct driver *d, const struct txn_search *search,
                            void (*found)(void *context, const struct txn_hanging *txn), void *context,
                            struct admin_result *result);

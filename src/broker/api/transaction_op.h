// SPDX-License-Identifier: Apache-2.0
//
// A request about transactional ids: each part of it is about one id, or about all of one partition of
// __transaction_state, is served where their coordinator lives, and is gathered where the request came in.
//
//   transaction_op_new(s, r, body, reply, part_count, &type), then transaction_op_add() for each part,
//   then transaction_op_start(): the rest happens by itself, and the reply is sent.
//
// About partitions of one transaction: broker/transactions.h.
#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "broker/split.h"
#include "coordinator/coordinator.h"
#include "txn/txns.h"
#include "wire/errors.h"

struct request;
struct shard;
struct transaction_op;

struct transaction_part {
    struct split_item item;
    struct transaction_op *op;
    struct split_share *share;
    struct txn_call call;        // call.response is the part's answer
    struct str transactional_id; // null: the part is about a whole partition
    int32_t partition;           // of __transaction_state; -1: there is no such topic
};

struct transaction_op_type {
    // Hands the part to one of the functions of txn/txns.h, with part->call.
    void (*serve)(struct transaction_part *part, struct txns *t, const struct coordinator_time *now);
    // Makes part->call.response say that there is no coordinator here, it is loading, or the id is empty.
    void (*set_error)(struct transaction_part *part, enum kafka_error error);
    // All parts are done: completes the reply. Sets call.no_memory of a part when the request's arena is
    // full. NULL: it is complete.
    void (*finish)(struct transaction_op *op);
};

struct transaction_op {
    struct split split;
    struct request *request;
    const struct transaction_op_type *type;
    const void *body;
    void *reply;
    struct transaction_part *parts;
    int32_t part_count;
    int32_t part_max;
};

// In the request's arena; NULL when that is full (the request was ended).
struct transaction_op *transaction_op_new(struct shard *s, struct request *r, const void *body,
                                          void *reply, int32_t part_max,
                                          const struct transaction_op_type *type);

// `response` is the answer of the part, initialised, in the request's arena.
void transaction_op_add(struct transaction_op *op, struct str transactional_id, void *response);
void transaction_op_add_partition(struct transaction_op *op, int32_t partition, void *response);

void transaction_op_start(struct transaction_op *op);

// For requests about one id whose reply is the part's answer.
void transaction_op_run(struct shard *s, struct request *r, const void *body, void *reply,
                        struct str transactional_id, const struct transaction_op_type *type);

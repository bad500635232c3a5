// SPDX-License-Identifier: Apache-2.0
//
// A request about groups: each part of it is about one group (or, to list, one partition of the groups'
// topic), is served where the coordinator of that group lives, and is gathered where the request came in.
// The handlers of these APIs are a table of functions each, and this is what runs them.
//
//   group_op_new(s, r, body, reply, part_count, &type), then group_op_add() for each part,
//   then group_op_start(): the rest happens by itself.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "broker/split.h"
#include "coordinator/coordinator.h"
#include "env/mailbox.h"
#include "env/net.h"
#include "group/groups.h"
#include "wire/errors.h"

struct group_op;
struct request;
struct shard;

struct group_part {
    struct split_item item;
    struct group_op *op;
    struct split_share *share;
    struct group_call call;  // call.response is the part's answer
    struct str group_id;     // null: the part is about a whole partition
    int32_t partition;       // of the groups' topic; -1: there is no such topic
    int shard;               // on which that is served
    const void *asked;       // the part of the request that this is about; the API's
};

struct group_op_type {
    // An empty id is answered INVALID_GROUP_ID, whoever coordinates it; so is, always, one with a NUL.
    bool needs_group_id;
    // Hands the part to one of the functions of group/groups.h, with part->call.
    void (*serve)(struct group_part *part, struct groups *g, const struct coordinator_time *now);
    // Makes part->call.response say that there is no coordinator here, or it is loading.
    void (*set_error)(struct group_part *part, enum kafka_error error);
    // All parts are done: the reply may be completed before it is sent. NULL: it is complete. Sets
    // call.no_memory of a part when the request's arena is full.
    void (*finish)(struct group_op *op);
    // After that: has more to do before it sends the reply itself. NULL: the reply is sent.
    void (*reply)(struct group_op *op);
};

struct group_op {
    struct split split;
    struct request *request;
    const struct group_op_type *type;
    const void *body;
    void *reply;
    char host[NET_ADDRESS_TEXT_MAX + 1]; // of the client, as Kafka writes it: "/127.0.0.1"
    struct group_part *parts;
    int32_t part_count;
    int32_t part_max;
    struct env_message gone; // the client has gone: on its way to the shard of the only part, or back
    bool gone_is_away;       // the reply waits for it
    bool is_over;            // and all parts are done
};

// In the request's arena; NULL when that is full (the request was ended).
struct group_op *group_op_new(struct shard *s, struct request *r, const void *body, void *reply,
                              int32_t part_max, const struct group_op_type *type);

// A part about one group. `response` is its answer, initialised, in the request's arena.
struct group_part *group_op_add(struct group_op *op, struct str group_id, const void *asked,
                                void *response);

// A part about each group of one partition.
struct group_part *group_op_add_partition(struct group_op *op, int32_t partition, void *response);

void group_op_start(struct group_op *op);

// For APIs about one group whose reply is the part's answer, which is most of them.
void group_op_run(struct shard *s, struct request *r, const void *body, void *reply, struct str group_id,
                  const struct group_op_type *type);

// SPDX-License-Identifier: Apache-2.0
#include "broker/api/transaction_op.h"

#include "base/check.h"
#include "broker/api/api.h"
#include "broker/coordinators.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "broker/transactions.h"

static void call_done(struct txn_call *call)
{
    split_item_done(container_of(call, struct transaction_part, call)->share);
}

static void serve(struct split_share *share, struct split_item *item)
{
    struct transaction_part *part = container_of(item, struct transaction_part, item);
    struct shard *s = share->shard;
    const struct coordinator_time now = coordinators_now(s);
    int32_t partition = part->partition;
    enum kafka_error error;
    part->share = share;
    struct txns *t = coordinators_find(&s->coordinators, COORDINATOR_TRANSACTION, partition, &error);
    if (part->transactional_id.data != NULL && part->transactional_id.size == 0)
        error = KAFKA_INVALID_REQUEST; // whoever coordinates it
    if (error != KAFKA_NONE) {
        part->op->type->set_error(part, error);
        split_item_done(share);
        return;
    }
    part->call.arena = share->arena;
    part->op->type->serve(part, t, &now); // the part may be gone after this
    coordinators_touched(&s->coordinators, COORDINATOR_TRANSACTION, partition);
}

static bool has_no_memory(const struct transaction_op *op)
{
    for (int32_t i = 0; i < op->part_count; i++)
        if (op->parts[i].call.no_memory)
            return true;
    return false;
}

static void finish(struct split *split)
{
    struct transaction_op *op = container_of(split, struct transaction_op, split);
    if (op->type->finish != NULL && !has_no_memory(op))
        op->type->finish(op);
    if (has_no_memory(op))
        api_no_memory(op->request);
    else
        request_reply(op->request, op->reply);
}

struct transaction_op *transaction_op_new(struct shard *s, struct request *r, const void *body,
                                          void *reply, int32_t part_max,
                                          const struct transaction_op_type *type)
{
    struct transaction_op *op = arena_new(&r->arena, struct transaction_op);
    if (op == NULL || reply == NULL || !split_init(&op->split, s, r) ||
        (op->parts = arena_new_array(&r->arena, (size_t)part_max + 1, struct transaction_part)) ==
            NULL) {
        api_no_memory(r);
        return NULL;
    }
    op->request = r;
    op->type = type;
    op->body = body;
    op->reply = reply;
    op->part_max = part_max;
    return op;
}

static struct transaction_part *add(struct transaction_op *op, int32_t partition, void *response)
{
    check(op->part_count < op->part_max);
    struct transaction_part *part = &op->parts[op->part_count++];
    int shard = op->split.home->index;
    part->op = op;
    part->partition = partition;
    part->call = (struct txn_call){
        .version = op->request->header.api_version,
        .response = response,
        .done = call_done,
    };
    if (partition >= 0)
        shard = split_shard_of(op->split.home, str_from(TRANSACTION_TOPIC), (struct uuid){{0}},
                               partition);
    split_add_to(&op->split, shard, &part->item);
    return part;
}

void transaction_op_add_partition(struct transaction_op *op, int32_t partition, void *response)
{
    add(op, partition, response);
}

void transaction_op_add(struct transaction_op *op, struct str transactional_id, void *response)
{
    int32_t partition =
        coordinators_partition_of(op->split.home, COORDINATOR_TRANSACTION, transactional_id);
    add(op, partition, response)->transactional_id = transactional_id;
}

void transaction_op_start(struct transaction_op *op)
{
    split_start_each(&op->split, serve, finish);
}

void transaction_op_run(struct shard *s, struct request *r, const void *body, void *reply,
                        struct str transactional_id, const struct transaction_op_type *type)
{
    struct transaction_op *op = transaction_op_new(s, r, body, reply, 1, type);
    if (op == NULL)
        return;
    transaction_op_add(op, transactional_id, reply);
    transaction_op_start(op);
}

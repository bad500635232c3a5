// SPDX-License-Identifier: Apache-2.0
//
// AddOffsetsToTxn (key 25, versions 0-4; KIP-98, KIP-447): a transaction is going to commit offsets of a
// group, so the group's partition of __consumer_offsets comes into it; broker/transactions.h.
//   v2: PRODUCER_FENCED.
#include "broker/api/api.h"
#include "broker/coordinators.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "broker/transactions.h"
#include "config/config.h"
#include "wire/api/add_offsets_to_txn.h"

enum { VERSION_FENCED = 2 };

struct add_offsets_op {
    struct transaction_ask ask;
    struct transaction_partition partition;
    struct request *request;
    struct add_offsets_to_txn_response reply;
};

static void answered(struct transaction_ask *ask)
{
    struct add_offsets_op *op = container_of(ask, struct add_offsets_op, ask);
    enum kafka_error error = op->partition.error;
    if (error == KAFKA_PRODUCER_FENCED && op->request->header.api_version < VERSION_FENCED)
        error = KAFKA_INVALID_PRODUCER_EPOCH;
    add_offsets_to_txn_response_init(&op->reply);
    op->reply.error_code = (int16_t)error;
    request_reply(op->request, &op->reply);
}

// As long as there is no such topic: where the group will be when there is.
static int32_t partition_of_group(const struct shard *s, struct str group_id)
{
    int32_t partition = coordinators_partition_of(s, COORDINATOR_GROUP, group_id);
    return partition >= 0 ? partition
                          : coordinator_partition_of(
                                group_id, config_i32(s->config, "offsets.topic.num.partitions"));
}

void api_add_offsets_to_txn(struct shard *s, struct request *r, const void *body)
{
    const struct add_offsets_to_txn_request *request = body;
    struct add_offsets_op *op = arena_new(&r->arena, struct add_offsets_op);
    if (op == NULL) {
        api_no_memory(r);
        return;
    }
    op->request = r;
    op->partition.topic = str_from(GROUP_TOPIC);
    op->partition.partition = partition_of_group(s, request->group_id);
    op->ask = (struct transaction_ask){
        .transactional_id = request->transactional_id,
        .producer_id = request->producer_id,
        .producer_epoch = request->producer_epoch,
        .is_version_1 = true,
        .partitions = &op->partition,
        .partition_count = 1,
        .done = answered,
    };
    transactions_ask(s, &op->ask);
}

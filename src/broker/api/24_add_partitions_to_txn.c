// SPDX-License-Identifier: Apache-2.0
//
// AddPartitionsToTxn (key 24, versions 0-5; KIP-98, KIP-890): partitions come into a transaction, or are
// looked up in it; broker/transactions.h. Versions 0 to 3 are a client's, about one transaction; from 4 on
// it is a broker, about many. Either all partitions of a transaction are added or none.
//   v2: PRODUCER_FENCED. v4: many, verify only. v5: transactions of version 2.
#include "broker/api/api.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "broker/transactions.h"
#include "metadata/image.h"
#include "metadata/topic.h"
#include "wire/api/add_partitions_to_txn.h"

enum {
    VERSION_FENCED = 2,
    VERSION_BATCH = 4,
    VERSION_BUMP = 5,
};

struct add_partitions_op;

// One transaction.
struct addition {
    struct transaction_ask ask;
    struct add_partitions_op *op;
    const struct add_partitions_to_txn_request_add_partitions_to_txn_topic_array *asked;
    struct add_partitions_to_txn_response_add_partitions_to_txn_topic_result_array *results;
};

struct add_partitions_op {
    struct shard *shard;
    struct request *request;
    struct add_partitions_to_txn_response reply;
    struct addition *additions;
    int32_t waiting_count;
};

// ---- The answer ----

static enum kafka_error error_for(const struct request *r, enum kafka_error error)
{
    bool is_old = r->header.api_version < VERSION_FENCED;
    return is_old && error == KAFKA_PRODUCER_FENCED ? KAFKA_INVALID_PRODUCER_EPOCH : error;
}

static void tell(struct addition *a)
{
    const struct transaction_partition *p = a->ask.partitions;
    for (int32_t i = 0; i < a->results->count; i++) {
        struct add_partitions_to_txn_response_add_partitions_to_txn_topic_result *topic =
            &a->results->items[i];
        for (int32_t k = 0; k < topic->results_by_partition.count; k++, p++) {
            topic->results_by_partition.items[k].partition_index = p->partition;
            topic->results_by_partition.items[k].partition_error_code =
                (int16_t)error_for(a->op->request, p->error);
        }
    }
}

static void one_done(struct add_partitions_op *op)
{
    if (--op->waiting_count == 0)
        request_reply(op->request, &op->reply);
}

static void answered(struct transaction_ask *ask)
{
    struct addition *a = container_of(ask, struct addition, ask);
    tell(a);
    one_done(a->op);
}

// ---- The questions ----

// KAFKA_NONE, or why this partition cannot be in a transaction.
static enum kafka_error check_partition(const struct add_partitions_op *op, struct str name,
                                        int32_t partition)
{
    const struct metadata_topic *topic = metadata_image_topic(shard_image(op->shard), name);
    bool is_client = op->request->header.api_version < VERSION_BATCH;
    if (is_client && topic_name_is_internal(name))
        return KAFKA_TOPIC_AUTHORIZATION_FAILED; // as Kafka says it
    if (topic == NULL || partition < 0 || partition >= topic->partition_count)
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    return KAFKA_NONE;
}

// Fills what is asked of each partition. False: some cannot be added, so none is.
static bool list_partitions(struct addition *a)
{
    struct transaction_partition *p = a->ask.partitions;
    bool all_good = true;
    for (int32_t i = 0; i < a->asked->count; i++) {
        const struct add_partitions_to_txn_request_add_partitions_to_txn_topic *topic =
            &a->asked->items[i];
        for (int32_t k = 0; k < topic->partitions.count; k++, p++) {
            p->topic = topic->name;
            p->partition = topic->partitions.items[k];
            p->error = check_partition(a->op, topic->name, p->partition);
            all_good = all_good && p->error == KAFKA_NONE;
        }
    }
    for (int32_t i = 0; !all_good && i < a->ask.partition_count; i++)
        if (a->ask.partitions[i].error == KAFKA_NONE)
            a->ask.partitions[i].error = KAFKA_OPERATION_NOT_ATTEMPTED;
    return all_good;
}

static void ask(struct addition *a)
{
    bool all_good = list_partitions(a);
    a->op->waiting_count++;
    if (all_good && a->ask.partition_count > 0)
        transactions_ask(a->op->shard, &a->ask);
    else
        answered(&a->ask);
}

// Makes room for the questions and answers of one transaction; false: there is no memory.
static bool prepare(struct addition *a)
{
    struct arena *arena = &a->op->request->arena;
    int32_t count = 0;
    a->ask.done = answered;
    a->ask.is_version_1 = a->op->request->header.api_version < VERSION_BUMP;
    if (!add_partitions_to_txn_response_add_partitions_to_txn_topic_result_array_new(
            arena, a->asked->count, a->results))
        return false;
    for (int32_t i = 0; i < a->asked->count; i++) {
        int32_t partition_count = a->asked->items[i].partitions.count;
        a->results->items[i].name = a->asked->items[i].name;
        if (!add_partitions_to_txn_response_add_partitions_to_txn_partition_result_array_new(
                arena, partition_count, &a->results->items[i].results_by_partition))
            return false;
        count += partition_count;
    }
    a->ask.partition_count = count;
    a->ask.partitions = arena_new_array(arena, (size_t)count, struct transaction_partition);
    return a->ask.partitions != NULL;
}

static bool prepare_one(struct add_partitions_op *op, const struct add_partitions_to_txn_request *request)
{
    struct addition *a = op->additions;
    a->op = op;
    a->ask.transactional_id = request->v3_and_below_transactional_id;
    a->ask.producer_id = request->v3_and_below_producer_id;
    a->ask.producer_epoch = request->v3_and_below_producer_epoch;
    a->asked = &request->v3_and_below_topics;
    a->results = &op->reply.results_by_topic_v3_and_below;
    return prepare(a);
}

static bool prepare_all(struct add_partitions_op *op, const struct add_partitions_to_txn_request *request)
{
    int32_t count = request->transactions.count;
    if (!add_partitions_to_txn_response_add_partitions_to_txn_result_array_new(
            &op->request->arena, count, &op->reply.results_by_transaction))
        return false;
    for (int32_t i = 0; i < count; i++) {
        const struct add_partitions_to_txn_request_add_partitions_to_txn_transaction *asked =
            &request->transactions.items[i];
        struct addition *a = &op->additions[i];
        a->op = op;
        a->ask.transactional_id = asked->transactional_id;
        a->ask.producer_id = asked->producer_id;
        a->ask.producer_epoch = asked->producer_epoch;
        a->ask.verify_only = asked->verify_only;
        op->reply.results_by_transaction.items[i].transactional_id = asked->transactional_id;
        a->asked = &asked->topics;
        a->results = &op->reply.results_by_transaction.items[i].topic_results;
        if (!prepare(a))
            return false;
    }
    return true;
}

void api_add_partitions_to_txn(struct shard *s, struct request *r, const void *body)
{
    const struct add_partitions_to_txn_request *request = body;
    bool is_batch = r->header.api_version >= VERSION_BATCH;
    int32_t count = is_batch ? request->transactions.count : 1;
    struct add_partitions_op *op = arena_new(&r->arena, struct add_partitions_op);
    if (op == NULL ||
        (op->additions = arena_new_array(&r->arena, (size_t)count, struct addition)) == NULL) {
        api_no_memory(r);
        return;
    }
    op->shard = s;
    op->request = r;
    add_partitions_to_txn_response_init(&op->reply);
    if (!(is_batch ? prepare_all(op, request) : prepare_one(op, request))) {
        api_no_memory(r);
        return;
    }
    op->waiting_count = 1; // ours: they may be answered at once
    for (int32_t i = 0; i < count; i++)
        ask(&op->additions[i]);
    one_done(op);
}

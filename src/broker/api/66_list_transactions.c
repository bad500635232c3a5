// SPDX-License-Identifier: Apache-2.0
//
// ListTransactions (key 66, versions 0-2; KIP-664): the transactional ids that this broker coordinates,
// from all partitions of __transaction_state that it leads; txn/admin.c.
//   v1: by how long they run (KIP-994). v2: by a pattern of the id, in the syntax of RE2 (KIP-1152).
//
// While one of the partitions is being loaded the answer is COORDINATOR_LOAD_IN_PROGRESS, as Kafka's.
#include "base/diag.h"
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/api/transaction_op.h"
#include "broker/node.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "broker/transactions.h"
#include "group/regex.h"
#include "metadata/image.h"
#include "wire/api/list_transactions.h"

static int compile(struct str pattern, struct regex **out)
{
    struct diag diag = {{0}};
    *out = NULL;
    return pattern.size == 0 ? 0 : regex_new(pattern, out, &diag); // "" filters nothing
}

// Past the bounds of matching it is not told, which only hides one.
static bool matches(void *context, struct str transactional_id)
{
    bool is_match = false;
    return regex_match(context, transactional_id, &is_match) == 0 && is_match;
}

// The pattern is compiled for each part: a compiled one belongs to one thread.
static void serve(struct transaction_part *part, struct txns *t, const struct coordinator_time *now)
{
    const struct list_transactions_request *request = part->op->body;
    struct regex *pattern;
    if (compile(request->transactional_id_pattern, &pattern) == 0) {
        txns_list(t, &part->call, now, request, pattern == NULL ? NULL : matches, pattern);
    } else { // there was memory for it a moment ago
        part->call.no_memory = true;
        part->call.done(&part->call);
    }
    regex_free(pattern);
}

static void set_error(struct transaction_part *part, enum kafka_error error)
{
    struct list_transactions_response *answer = part->call.response;
    answer->error_code = (int16_t)error;
}

static const struct list_transactions_response *answer_of(const struct transaction_op *op, int32_t i)
{
    return op->parts[i].call.response;
}

// How many there are; a partition that is not led any more has none.
static int32_t count_all(const struct transaction_op *op, enum kafka_error *error)
{
    int32_t count = 0;
    *error = KAFKA_NONE;
    for (int32_t i = 0; i < op->part_count; i++) {
        const struct list_transactions_response *answer = answer_of(op, i);
        if (answer->error_code == KAFKA_COORDINATOR_LOAD_IN_PROGRESS)
            *error = KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
        if (answer->error_code == KAFKA_NONE)
            count += answer->transaction_states.count;
    }
    return count;
}

static bool tell_unknown_states(struct transaction_op *op)
{
    const struct list_transactions_request *request = op->body;
    struct list_transactions_response *reply = op->reply;
    size_t max = request->state_filters.count > 0 ? (size_t)request->state_filters.count : 0;
    struct str *unknown = arena_new_array(&op->request->arena, max, struct str);
    int32_t count = 0;
    if (unknown == NULL)
        return false;
    for (size_t i = 0; i < max; i++)
        if (!txns_is_state_name(request->state_filters.items[i]))
            unknown[count++] = request->state_filters.items[i];
    reply->unknown_state_filters.items = unknown;
    reply->unknown_state_filters.count = count;
    return true;
}

static bool gather(struct transaction_op *op)
{
    struct list_transactions_response *reply = op->reply;
    enum kafka_error error;
    int32_t total = count_all(op, &error), n = 0;
    reply->error_code = (int16_t)error;
    if (error != KAFKA_NONE)
        return true;
    if (!tell_unknown_states(op) ||
        !list_transactions_response_transaction_state_array_new(&op->request->arena, total,
                                                                &reply->transaction_states))
        return false;
    for (int32_t i = 0; i < op->part_count; i++) {
        const struct list_transactions_response *answer = answer_of(op, i);
        for (int32_t k = 0; answer->error_code == KAFKA_NONE && k < answer->transaction_states.count; k++)
            reply->transaction_states.items[n++] = answer->transaction_states.items[k];
    }
    return true;
}

static void finish(struct transaction_op *op)
{
    if (!gather(op))
        op->parts[0].call.no_memory = true;
}

static void start(struct shard *s, struct request *r, const void *body,
                  struct list_transactions_response *reply)
{
    static const struct transaction_op_type type = {
        .serve = serve, .set_error = set_error, .finish = finish};
    const struct metadata_topic *topic =
        metadata_image_topic(shard_image(s), str_from(TRANSACTION_TOPIC));
    int32_t count = topic == NULL ? 0 : topic->partition_count;
    struct list_transactions_response *answers =
        arena_new_array(&r->arena, (size_t)count + 1, struct list_transactions_response);
    struct transaction_op *op =
        transaction_op_new(s, r, body, answers == NULL ? NULL : reply, count, &type);
    if (op == NULL)
        return;
    for (int32_t i = 0; i < count; i++) {
        list_transactions_response_init(&answers[i]);
        if (topic->partitions[i]->leader == s->node->node_id)
            transaction_op_add_partition(op, i, &answers[i]);
    }
    transaction_op_start(op);
}

void api_list_transactions(struct shard *s, struct request *r, const void *body)
{
    const struct list_transactions_request *request = body;
    struct list_transactions_response *reply = arena_new(&r->arena, struct list_transactions_response);
    struct regex *pattern;
    if (reply == NULL) {
        api_no_memory(r);
        return;
    }
    list_transactions_response_init(reply);
    if (compile(request->transactional_id_pattern, &pattern) == 0) {
        start(s, r, body, reply);
    } else {
        reply->error_code = KAFKA_INVALID_REGULAR_EXPRESSION;
        request_reply(r, reply);
    }
    regex_free(pattern);
}

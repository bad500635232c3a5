// SPDX-License-Identifier: Apache-2.0
//
// DescribeTransactions (key 65, version 0; KIP-664): transactional ids, each asked of its own coordinator;
// txn/admin.c.
#include "broker/api/api.h"
#include "broker/api/transaction_op.h"
#include "broker/request.h"
#include "wire/api/describe_transactions.h"

static void serve(struct transaction_part *part, struct txns *t, const struct coordinator_time *now)
{
    txns_describe(t, &part->call, now, part->transactional_id);
}

static void set_error(struct transaction_part *part, enum kafka_error error)
{
    struct describe_transactions_response_transaction_state *answer = part->call.response;
    answer->error_code = (int16_t)error;
}

void api_describe_transactions(struct shard *s, struct request *r, const void *body)
{
    static const struct transaction_op_type type = {.serve = serve, .set_error = set_error};
    const struct describe_transactions_request *request = body;
    struct describe_transactions_response *reply =
        arena_new(&r->arena, struct describe_transactions_response);
    int32_t count = request->transactional_ids.count;
    if (reply != NULL)
        describe_transactions_response_init(reply);
    struct transaction_op *op = transaction_op_new(s, r, body, reply, count, &type);
    if (op == NULL)
        return;
    if (!describe_transactions_response_transaction_state_array_new(&r->arena, count,
                                                                    &reply->transaction_states)) {
        api_no_memory(r);
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        struct describe_transactions_response_transaction_state *answer =
            &reply->transaction_states.items[i];
        answer->transactional_id = request->transactional_ids.items[i];
        transaction_op_add(op, answer->transactional_id, answer);
    }
    transaction_op_start(op);
}

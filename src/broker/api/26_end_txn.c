// SPDX-License-Identifier: Apache-2.0
//
// EndTxn (key 26, versions 0-5; KIP-98, KIP-890): a transaction is committed or aborted; txn/end.c. The
// answer is sent when the decision is on disk, before the markers are in the partitions.
//   v2: PRODUCER_FENCED. v5: transactions of version 2, the answer has the producer's next epoch.
#include "broker/api/api.h"
#include "broker/api/transaction_op.h"
#include "broker/request.h"
#include "wire/api/end_txn.h"

enum { VERSION_FENCED = 2 };

static void serve(struct transaction_part *part, struct txns *t, const struct coordinator_time *now)
{
    txns_end(t, &part->call, now, part->op->body);
}

static void set_error(struct transaction_part *part, enum kafka_error error)
{
    struct end_txn_response *reply = part->call.response;
    reply->error_code = (int16_t)error;
}

static void finish(struct transaction_op *op)
{
    struct end_txn_response *reply = op->reply;
    if (reply->error_code == KAFKA_PRODUCER_FENCED && op->parts[0].call.version < VERSION_FENCED)
        reply->error_code = KAFKA_INVALID_PRODUCER_EPOCH;
}

void api_end_txn(struct shard *s, struct request *r, const void *body)
{
    static const struct transaction_op_type type = {
        .serve = serve, .set_error = set_error, .finish = finish};
    const struct end_txn_request *request = body;
    struct end_txn_response *reply = arena_new(&r->arena, struct end_txn_response);
    if (reply != NULL)
        end_txn_response_init(reply);
    transaction_op_run(s, r, body, reply, request->transactional_id, &type);
}

// SPDX-License-Identifier: Apache-2.0
//
// InitProducerId (key 22, versions 0-5; KIP-98, KIP-360). Without a transactional id: a fresh producer id
// at epoch 0. With one: txn/init.c. Version 6 (two-phase commit, KIP-939) is not offered, as Kafka 4.4
// does not unless unstable versions are enabled.
//   v3: the producer says which id and epoch it has. v4: PRODUCER_FENCED. v5: transactions of version 2.
#include "base/check.h"
#include "broker/api/api.h"
#include "broker/api/transaction_op.h"
#include "broker/forward.h"
#include "broker/node.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "wire/api/init_producer_id.h"
#include "wire/errors.h"

enum { VERSION_FENCED = 4 };

static void fail(struct init_producer_id_response *reply, enum kafka_error error)
{
    init_producer_id_response_init(reply);
    reply->error_code = (int16_t)error;
    reply->producer_epoch = -1;
}

// ---- Without a transactional id ----

struct init_producer_id {
    struct producer_id_wait wait;
    struct request *request;
    struct init_producer_id_response reply;
};

static void got_id(struct producer_id_wait *wait, int kafka_error, int64_t producer_id)
{
    struct init_producer_id *op = container_of(wait, struct init_producer_id, wait);
    init_producer_id_response_init(&op->reply);
    if (kafka_error != KAFKA_NONE)
        fail(&op->reply, (enum kafka_error)kafka_error);
    else
        op->reply.producer_id = producer_id;
    request_reply(op->request, &op->reply);
}

static void give_id(struct shard *zero, struct request *r, const void *body)
{
    (void)body;
    struct init_producer_id *op = arena_new(&r->arena, struct init_producer_id);
    if (op == NULL) {
        api_no_memory(r);
        return;
    }
    op->request = r;
    op->wait.done = got_id;
    producer_ids_next(&zero->node->producer_ids, &op->wait);
}

// ---- With one ----

static void serve(struct transaction_part *part, struct txns *t, const struct coordinator_time *now)
{
    txns_init_producer_id(t, &part->call, now, part->op->body);
}

static void set_error(struct transaction_part *part, enum kafka_error error)
{
    fail(part->call.response, error);
}

static void finish(struct transaction_op *op)
{
    struct init_producer_id_response *reply = op->reply;
    if (reply->error_code == KAFKA_PRODUCER_FENCED && op->parts[0].call.version < VERSION_FENCED)
        reply->error_code = KAFKA_INVALID_PRODUCER_EPOCH;
}

void api_init_producer_id(struct shard *s, struct request *r, const void *body)
{
    static const struct transaction_op_type type = {
        .serve = serve, .set_error = set_error, .finish = finish};
    const struct init_producer_id_request *request = body;
    struct init_producer_id_response *reply = arena_new(&r->arena, struct init_producer_id_response);
    if (reply == NULL) {
        api_no_memory(r);
        return;
    }
    init_producer_id_response_init(reply);
    enum kafka_error error = txns_check_init_producer_id(s->config, request);
    if (error != KAFKA_NONE) {
        fail(reply, error);
        request_reply(r, reply);
    } else if (request->transactional_id.data == NULL) {
        forward_to_shard(s, 0, r, body, give_id);
    } else {
        transaction_op_run(s, r, body, reply, request->transactional_id, &type);
    }
}

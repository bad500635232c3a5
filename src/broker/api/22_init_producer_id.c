// SPDX-License-Identifier: Apache-2.0
//
// InitProducerId (key 22, versions 0-5; KIP-98, KIP-360). Without a transactional id: a fresh producer
// id at epoch 0. With one: there is no transaction coordinator yet, and the answer says so in the way
// that clients know (COORDINATOR_NOT_AVAILABLE).
#include "base/check.h"
#include "broker/api/api.h"
#include "broker/node.h"
#include "broker/request.h"
#include "wire/api/init_producer_id.h"
#include "wire/errors.h"

struct init_producer_id {
    struct producer_id_wait wait;
    struct request *request;
};

static void answer(struct request *r, int kafka_error, int64_t producer_id)
{
    struct init_producer_id_response reply;
    init_producer_id_response_init(&reply);
    reply.error_code = (int16_t)kafka_error;
    reply.producer_id = kafka_error == KAFKA_NONE ? producer_id : -1;
    reply.producer_epoch = kafka_error == KAFKA_NONE ? 0 : -1;
    request_reply(r, &reply);
}

static void got_id(struct producer_id_wait *wait, int kafka_error, int64_t producer_id)
{
    answer(container_of(wait, struct init_producer_id, wait)->request, kafka_error, producer_id);
}

void api_init_producer_id(struct node *n, struct request *r, const void *body)
{
    const struct init_producer_id_request *request = body;
    if (request->transactional_id.data != NULL) {
        bool empty = request->transactional_id.size == 0;
        answer(r, empty ? KAFKA_INVALID_REQUEST : KAFKA_COORDINATOR_NOT_AVAILABLE, -1);
        return;
    }
    if ((request->producer_id == -1) != (request->producer_epoch == -1)) {
        answer(r, KAFKA_INVALID_REQUEST, -1);
        return;
    }
    struct init_producer_id *op = arena_new(&r->arena, struct init_producer_id);
    if (op == NULL) {
        api_no_memory(r);
        return;
    }
    op->request = r;
    op->wait.done = got_id;
    producer_ids_next(&n->producer_ids, &op->wait);
}

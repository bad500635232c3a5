// SPDX-License-Identifier: Apache-2.0
//
// FindCoordinator (key 10, versions 0-6). There are no coordinators yet, so every key is answered
// COORDINATOR_NOT_AVAILABLE, which clients take as "ask again later".
//   v4: a list of keys.
#include "broker/api/api.h"
#include "broker/request.h"
#include "wire/api/find_coordinator.h"
#include "wire/errors.h"

enum { KEY_TYPE_MAX = 2 }; // group, transaction, share

static void refuse(struct find_coordinator_response_coordinator *c, struct str key, int kafka_error)
{
    c->key = key;
    c->node_id = -1;
    c->port = -1;
    c->error_code = (int16_t)kafka_error;
    c->error_message = str_from(kafka_error_text(kafka_error));
}

void api_find_coordinator(struct node *n, struct request *r, const void *body)
{
    const struct find_coordinator_request *request = body;
    bool known = request->key_type >= 0 && request->key_type <= KEY_TYPE_MAX;
    int kafka_error = known ? KAFKA_COORDINATOR_NOT_AVAILABLE : KAFKA_INVALID_REQUEST;
    struct find_coordinator_response reply;
    find_coordinator_response_init(&reply);
    if (r->header.api_version < 4) {
        reply.error_code = (int16_t)kafka_error;
        reply.error_message = str_from(kafka_error_text(kafka_error));
        reply.node_id = -1;
        reply.port = -1;
    } else {
        int32_t count = request->coordinator_keys.count;
        if (!find_coordinator_response_coordinator_array_new(&r->arena, count,
                                                             &reply.coordinators)) {
            api_no_memory(r);
            return;
        }
        for (int32_t i = 0; i < count; i++)
            refuse(&reply.coordinators.items[i], request->coordinator_keys.items[i], kafka_error);
    }
    request_reply(r, &reply);
}

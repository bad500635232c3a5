// SPDX-License-Identifier: Apache-2.0
//
// ConsumerGroupDescribe (key 69, versions 0-1, KIP-848). Version 1 says which members speak the classic
// protocol.
#include "broker/api/api.h"
#include "broker/api/group_op.h"
#include "broker/request.h"
#include "wire/api/consumer_group_describe.h"

static void serve(struct group_part *part, struct groups *g, const struct coordinator_time *now)
{
    groups_consumer_describe(g, &part->call, now, part->group_id);
}

static void set_error(struct group_part *part, enum kafka_error error)
{
    struct consumer_group_describe_response_described_group *group = part->call.response;
    group->group_id = part->group_id;
    group->error_code = (int16_t)error;
}

void api_consumer_group_describe(struct shard *s, struct request *r, const void *body)
{
    static const struct group_op_type type = {
        .serve = serve,
        .set_error = set_error,
    };
    const struct consumer_group_describe_request *request = body;
    int32_t count = request->group_ids.count;
    struct consumer_group_describe_response *reply =
        arena_new(&r->arena, struct consumer_group_describe_response);
    if (reply != NULL) {
        consumer_group_describe_response_init(reply);
        if (consumer_group_describe_response_described_group_array_new(&r->arena, count, &reply->groups) ==
            NULL)
            reply = NULL;
    }
    struct group_op *op = group_op_new(s, r, body, reply, count, &type);
    if (op == NULL)
        return;
    for (int32_t i = 0; i < count; i++) {
        if (request->include_authorized_operations)
            reply->groups.items[i].authorized_operations = API_GROUP_OPERATIONS;
        group_op_add(op, request->group_ids.items[i], NULL, &reply->groups.items[i]);
    }
    group_op_start(op);
}

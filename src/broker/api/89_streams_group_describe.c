// SPDX-License-Identifier: Apache-2.0
//
// StreamsGroupDescribe (key 89, versions 0-1, KIP-1071). Version 1 names the assignor (KIP-1357) and can
// ask for a description of the topology (KIP-1331), which only a plugin could store: there is none.
#include "broker/api/api.h"
#include "broker/api/group_op.h"
#include "broker/request.h"
#include "wire/api/streams_group_describe.h"

static void serve(struct group_part *part, struct groups *g, const struct coordinator_time *now)
{
    const struct streams_group_describe_request *request = part->asked;
    groups_streams_describe(g, &part->call, now, part->group_id, request->include_topology_description);
}

static void set_error(struct group_part *part, enum kafka_error error)
{
    struct streams_group_describe_response_described_group *group = part->call.response;
    group->group_id = part->group_id;
    group->error_code = (int16_t)error;
}

// What may be done with a group is said of those that could be described.
static void finish(struct group_op *op)
{
    const struct streams_group_describe_request *request = op->body;
    struct streams_group_describe_response *reply = op->reply;
    for (int32_t i = 0; request->include_authorized_operations && i < reply->groups.count; i++)
        if (reply->groups.items[i].error_code == KAFKA_NONE)
            reply->groups.items[i].authorized_operations = API_GROUP_OPERATIONS;
}

void api_streams_group_describe(struct shard *s, struct request *r, const void *body)
{
    static const struct group_op_type type = {
        .needs_group_id = true,
        .serve = serve,
        .set_error = set_error,
        .finish = finish,
    };
    const struct streams_group_describe_request *request = body;
    int32_t count = request->group_ids.count;
    struct streams_group_describe_response *reply =
        arena_new(&r->arena, struct streams_group_describe_response);
    if (reply != NULL) {
        streams_group_describe_response_init(reply);
        if (streams_group_describe_response_described_group_array_new(&r->arena, count, &reply->groups) ==
            NULL)
            reply = NULL;
    }
    struct group_op *op = group_op_new(s, r, body, reply, count, &type);
    if (op == NULL)
        return;
    for (int32_t i = 0; i < count; i++)
        group_op_add(op, request->group_ids.items[i], request, &reply->groups.items[i]);
    group_op_start(op);
}

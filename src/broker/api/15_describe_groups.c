// SPDX-License-Identifier: Apache-2.0
//
// DescribeGroups (key 15, versions 0-6): classic groups, each asked of its own coordinator;
// group/admin_describe.c.
//   v3: authorized operations (KIP-430). v4: static members. v6: an error for what is not there (KIP-1043).
#include "broker/api/api.h"
#include "broker/api/group_op.h"
#include "broker/request.h"
#include "wire/api/describe_groups.h"

static void serve(struct group_part *part, struct groups *g, const struct coordinator_time *now)
{
    groups_describe(g, &part->call, now, part->group_id);
}

static void set_error(struct group_part *part, enum kafka_error error)
{
    struct describe_groups_response_described_group *answer = part->call.response;
    answer->error_code = (int16_t)error;
}

static void finish(struct group_op *op)
{
    const struct describe_groups_request *request = op->body;
    for (int32_t i = 0; i < op->part_count; i++) {
        struct describe_groups_response_described_group *answer = op->parts[i].call.response;
        if (request->include_authorized_operations && answer->error_code == KAFKA_NONE)
            answer->authorized_operations = API_GROUP_OPERATIONS;
    }
}

void api_describe_groups(struct shard *s, struct request *r, const void *body)
{
    static const struct group_op_type type = {.serve = serve, .set_error = set_error, .finish = finish};
    const struct describe_groups_request *request = body;
    struct describe_groups_response *reply = arena_new(&r->arena, struct describe_groups_response);
    int32_t count = request->groups.count;
    if (reply == NULL) {
        api_no_memory(r);
        return;
    }
    describe_groups_response_init(reply);
    struct group_op *op = group_op_new(s, r, body, reply, count, &type);
    if (op == NULL)
        return;
    if (!describe_groups_response_described_group_array_new(&r->arena, count, &reply->groups)) {
        api_no_memory(r);
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        reply->groups.items[i].group_id = request->groups.items[i];
        group_op_add(op, request->groups.items[i], NULL, &reply->groups.items[i]);
    }
    group_op_start(op);
}

// SPDX-License-Identifier: Apache-2.0
//
// LeaveGroup (key 13, versions 0-5): group/classic_leave.c says what each version brought.
#include "broker/api/api.h"
#include "broker/api/group_op.h"
#include "broker/request.h"
#include "wire/api/leave_group.h"

static void serve(struct group_part *part, struct groups *g, const struct coordinator_time *now)
{
    groups_leave(g, &part->call, now, part->asked);
}

static void set_error(struct group_part *part, enum kafka_error error)
{
    struct leave_group_response *reply = part->call.response;
    reply->error_code = (int16_t)error;
}

void api_leave_group(struct shard *s, struct request *r, const void *body)
{
    static const struct group_op_type type = {
        .needs_group_id = true,
        .serve = serve,
        .set_error = set_error,
    };
    const struct leave_group_request *request = body;
    struct leave_group_response *reply = arena_new(&r->arena, struct leave_group_response);
    if (reply != NULL)
        leave_group_response_init(reply);
    group_op_run(s, r, body, reply, request->group_id, &type);
}

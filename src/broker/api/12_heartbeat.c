// SPDX-License-Identifier: Apache-2.0
//
// Heartbeat of classic members (key 12, versions 0-4). While the coordinator is loading all is well: the
// members of its groups cannot be judged yet, and need not do anything.
#include "broker/api/api.h"
#include "broker/api/group_op.h"
#include "broker/request.h"
#include "wire/api/heartbeat.h"

static void serve(struct group_part *part, struct groups *g, const struct coordinator_time *now)
{
    groups_heartbeat(g, &part->call, now, part->asked);
}

static void set_error(struct group_part *part, enum kafka_error error)
{
    struct heartbeat_response *reply = part->call.response;
    reply->error_code = (int16_t)(error == KAFKA_COORDINATOR_LOAD_IN_PROGRESS ? KAFKA_NONE : error);
}

void api_heartbeat(struct shard *s, struct request *r, const void *body)
{
    static const struct group_op_type type = {
        .needs_group_id = true,
        .serve = serve,
        .set_error = set_error,
    };
    const struct heartbeat_request *request = body;
    struct heartbeat_response *reply = arena_new(&r->arena, struct heartbeat_response);
    if (reply != NULL)
        heartbeat_response_init(reply);
    group_op_run(s, r, body, reply, request->group_id, &type);
}

// SPDX-License-Identifier: Apache-2.0
//
// JoinGroup (key 11, versions 0-9): group/classic_join.c says what each version brought. Parked until the
// next generation begins.
#include "broker/api/api.h"
#include "broker/api/group_op.h"
#include "broker/request.h"
#include "wire/api/join_group.h"

enum { VERSION_NULL_PROTOCOL = 7 };

static void serve(struct group_part *part, struct groups *g, const struct coordinator_time *now)
{
    groups_join(g, &part->call, now, part->asked);
}

static void set_error(struct group_part *part, enum kafka_error error)
{
    const struct join_group_request *request = part->asked;
    struct join_group_response *reply = part->call.response;
    reply->error_code = (int16_t)error;
    if (error == KAFKA_INVALID_GROUP_ID)
        reply->member_id = request->member_id;
    if (part->call.version >= VERSION_NULL_PROTOCOL)
        reply->protocol_name = (struct str){NULL, 0};
}

void api_join_group(struct shard *s, struct request *r, const void *body)
{
    static const struct group_op_type type = {
        .needs_group_id = true,
        .serve = serve,
        .set_error = set_error,
    };
    const struct join_group_request *request = body;
    struct join_group_response *reply = arena_new(&r->arena, struct join_group_response);
    if (reply != NULL)
        join_group_response_init(reply);
    group_op_run(s, r, body, reply, request->group_id, &type);
}

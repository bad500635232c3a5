// SPDX-License-Identifier: Apache-2.0
//
// SyncGroup (key 14, versions 0-5): group/classic_sync.c says what each version brought. Parked until the
// leader has assigned.
#include "broker/api/api.h"
#include "broker/api/group_op.h"
#include "broker/request.h"
#include "wire/api/sync_group.h"

enum { VERSION_PROTOCOL = 5 };

static void serve(struct group_part *part, struct groups *g, const struct coordinator_time *now)
{
    groups_sync(g, &part->call, now, part->asked);
}

// What the request itself lacks goes before everything else.
static void set_error(struct group_part *part, enum kafka_error error)
{
    const struct sync_group_request *request = part->asked;
    struct sync_group_response *reply = part->call.response;
    bool is_whole = part->call.version < VERSION_PROTOCOL ||
                    (request->protocol_type.data != NULL && request->protocol_name.data != NULL);
    reply->error_code = (int16_t)(is_whole ? error : KAFKA_INCONSISTENT_GROUP_PROTOCOL);
}

void api_sync_group(struct shard *s, struct request *r, const void *body)
{
    static const struct group_op_type type = {
        .needs_group_id = true,
        .serve = serve,
        .set_error = set_error,
    };
    const struct sync_group_request *request = body;
    struct sync_group_response *reply = arena_new(&r->arena, struct sync_group_response);
    if (reply != NULL)
        sync_group_response_init(reply);
    group_op_run(s, r, body, reply, request->group_id, &type);
}

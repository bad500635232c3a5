// SPDX-License-Identifier: Apache-2.0
//
// DeleteGroups (key 42, versions 0-3): groups of every kind without members, each asked of its own
// coordinator; group/admin.c.
//   v3: an error message, which Kafka leaves null.
#include "broker/api/api.h"
#include "broker/api/group_op.h"
#include "broker/request.h"
#include "wire/api/delete_groups.h"

static void serve(struct group_part *part, struct groups *g, const struct coordinator_time *now)
{
    groups_delete(g, &part->call, now, part->group_id);
}

static void set_error(struct group_part *part, enum kafka_error error)
{
    struct delete_groups_response_deletable_group_result *answer = part->call.response;
    answer->error_code = (int16_t)error;
}

void api_delete_groups(struct shard *s, struct request *r, const void *body)
{
    static const struct group_op_type type = {.serve = serve, .set_error = set_error};
    const struct delete_groups_request *request = body;
    struct delete_groups_response *reply = arena_new(&r->arena, struct delete_groups_response);
    int32_t count = request->groups_names.count;
    if (reply == NULL) {
        api_no_memory(r);
        return;
    }
    delete_groups_response_init(reply);
    struct group_op *op = group_op_new(s, r, body, reply, count, &type);
    if (op == NULL)
        return;
    if (!delete_groups_response_deletable_group_result_array_new(&r->arena, count, &reply->results)) {
        api_no_memory(r);
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        reply->results.items[i].group_id = request->groups_names.items[i];
        group_op_add(op, request->groups_names.items[i], NULL, &reply->results.items[i]);
    }
    group_op_start(op);
}

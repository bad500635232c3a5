// SPDX-License-Identifier: Apache-2.0
//
// DeleteTopics (key 20, versions 1-6): decided by controller/delete_topics.c.
//   v5: error messages. v6: topics by id (KIP-516).
#include "broker/api/api.h"
#include "broker/api/controller_op.h"
#include "broker/node.h"
#include "broker/request.h"
#include "wire/api/delete_topics.h"

static void call(struct controller *c, struct controller_command *cmd, const void *request,
                 void *reply, struct arena *arena)
{
    controller_delete_topics(c, cmd, request, reply, arena);
}

void api_delete_topics(struct node *n, struct request *r, const void *body)
{
    controller_op_run(n, r, body, arena_new(&r->arena, struct delete_topics_response), call);
}

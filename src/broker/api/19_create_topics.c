// SPDX-License-Identifier: Apache-2.0
//
// CreateTopics (key 19, versions 2-7): decided by controller/create_topics.c.
//   v4: -1 for the default number of partitions and replicas (KIP-464). v5: what was made is said.
//   v7: topic ids.
#include "broker/api/api.h"
#include "broker/api/controller_op.h"
#include "broker/node.h"
#include "broker/request.h"
#include "wire/api/create_topics.h"

static void call(struct controller *c, struct controller_command *cmd, const void *request,
                 void *reply, struct arena *arena)
{
    controller_create_topics(c, cmd, request, reply, arena);
}

void api_create_topics(struct node *n, struct request *r, const void *body)
{
    controller_op_run(n, r, body, arena_new(&r->arena, struct create_topics_response), call);
}

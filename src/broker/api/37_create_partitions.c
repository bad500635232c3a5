// SPDX-License-Identifier: Apache-2.0
//
// CreatePartitions (key 37, versions 0-3; KIP-195): decided by controller/create_partitions.c.
#include "broker/api/api.h"
#include "broker/api/controller_op.h"
#include "broker/node.h"
#include "broker/request.h"
#include "wire/api/create_partitions.h"

static void call(struct controller *c, struct controller_command *cmd, const void *request,
                 void *reply, struct arena *arena)
{
    controller_create_partitions(c, cmd, request, reply, arena);
}

void api_create_partitions(struct node *n, struct request *r, const void *body)
{
    controller_op_run(n, r, body, arena_new(&r->arena, struct create_partitions_response), call);
}

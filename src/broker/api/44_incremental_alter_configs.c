// SPDX-License-Identifier: Apache-2.0
//
// IncrementalAlterConfigs (key 44, versions 0-1; KIP-339): decided by the controller.
#include "broker/api/api.h"
#include "broker/api/controller_op.h"
#include "broker/node.h"
#include "broker/request.h"
#include "wire/api/incremental_alter_configs.h"

static void call(struct controller *c, struct controller_command *cmd, const void *request,
                 void *reply, struct arena *arena)
{
    controller_incremental_alter_configs(c, cmd, request, reply, arena);
}

void api_incremental_alter_configs(struct node *n, struct request *r, const void *body)
{
    controller_op_run(n, r, body, arena_new(&r->arena, struct incremental_alter_configs_response), call);
}

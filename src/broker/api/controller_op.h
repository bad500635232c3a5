// SPDX-License-Identifier: Apache-2.0
//
// A request that the controller answers: its command runs, and the reply goes out when the records
// are committed and all shards of this broker follow them.
#pragma once

struct arena;
struct controller;
struct controller_command;
struct node;
struct request;

// One command of controller/controller.h with its types forgotten.
typedef void (*controller_call)(struct controller *c, struct controller_command *cmd,
                                const void *request, void *reply, struct arena *arena);

// Runs the command for this request. `reply` is the (uninitialised) response struct in the request's
// arena, which the command fills; NULL ends the request.
void controller_op_run(struct node *n, struct request *r, const void *body, void *reply,
                       controller_call call);

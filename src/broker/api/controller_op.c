// SPDX-License-Identifier: Apache-2.0
#include "broker/api/controller_op.h"

#include "base/arena.h"
#include "broker/api/api.h"
#include "broker/node.h"
#include "broker/request.h"
#include "wire/errors.h"

struct controller_op {
    struct quorum_command command;
    struct follow_wait followed;
    struct node *node;
    struct request *request;
    const void *body;
    void *reply;
    controller_call call;
};

static void run(struct quorum_command *command, struct controller *controller,
                struct controller_command *cc)
{
    struct controller_op *op = container_of(command, struct controller_op, command);
    op->call(controller, cc, op->body, op->reply, &op->request->arena);
}

static void followed(struct follow_wait *wait)
{
    struct controller_op *op = container_of(wait, struct controller_op, followed);
    request_reply(op->request, op->reply);
}

static void done(struct quorum_command *command, int kafka_error)
{
    struct controller_op *op = container_of(command, struct controller_op, command);
    // Whether the change holds is not known then; a closed connection says just that.
    if (kafka_error != KAFKA_NONE) {
        request_close_connection(op->request, kafka_error_text(kafka_error));
        return;
    }
    op->followed.done = followed;
    shards_when_followed(op->node, &op->followed);
}

void controller_op_run(struct node *n, struct request *r, const void *body, void *reply,
                       controller_call call)
{
    struct controller_op *op = arena_new(&r->arena, struct controller_op);
    if (op == NULL || reply == NULL) {
        api_no_memory(r);
        return;
    }
    op->node = n;
    op->request = r;
    op->body = body;
    op->reply = reply;
    op->call = call;
    op->command.run = run;
    op->command.done = done;
    quorum_submit(n->quorum, &op->command);
}

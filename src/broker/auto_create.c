// SPDX-License-Identifier: Apache-2.0
#include "broker/auto_create.h"

#include "base/list.h"
#include "broker/node.h"
#include "broker/request.h"
#include "controller/controller.h"
#include "wire/errors.h"

void auto_create_init(struct auto_create *a, struct node *n, struct request *r,
                      void (*done)(struct auto_create *a))
{
    *a = (struct auto_create){.node = n, .request = r, .done = done};
    create_topics_request_init(&a->wanted);
    create_topics_response_init(&a->answered);
}

static void run(struct quorum_command *command, struct controller *controller,
                struct controller_command *cc)
{
    struct auto_create *a = container_of(command, struct auto_create, command);
    controller_create_topics(controller, cc, &a->wanted, &a->answered, &a->request->arena);
}

static void followed(struct follow_wait *wait)
{
    struct auto_create *a = container_of(wait, struct auto_create, followed);
    if (request_is_abandoned(a->request))
        request_drop(a->request); // nobody left to say through which listener it came
    else
        a->done(a);
}

static void answered(struct quorum_command *command, int kafka_error)
{
    struct auto_create *a = container_of(command, struct auto_create, command);
    if (kafka_error != KAFKA_NONE)
        a->answered.topics.count = 0;
    a->followed.done = followed;
    shards_when_followed(a->node, &a->followed);
}

void auto_create_start(struct auto_create *a)
{
    a->command.run = run;
    a->command.done = answered;
    quorum_submit(a->node->quorum, &a->command);
}

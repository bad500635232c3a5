// SPDX-License-Identifier: Apache-2.0
#include "broker/producer_ids.h"

#include "wire/errors.h"

enum { PRODUCER_IDS_ARENA_MAX = 4096 };

void producer_ids_init(struct producer_ids *ids, int32_t node_id)
{
    *ids = (struct producer_ids){.node_id = node_id, .broker_epoch = -1};
    list_init(&ids->waits);
    arena_init(&ids->arena, PRODUCER_IDS_ARENA_MAX);
}

static void end_waits(struct producer_ids *ids, int kafka_error)
{
    struct list_node *node;
    while ((node = list_pop(&ids->waits)) != NULL) {
        struct producer_id_wait *wait = container_of(node, struct producer_id_wait, node);
        wait->done(wait, kafka_error, -1);
    }
}

void producer_ids_release(struct producer_ids *ids)
{
    end_waits(ids, KAFKA_COORDINATOR_NOT_AVAILABLE);
    arena_release(&ids->arena);
}

void producer_ids_start(struct producer_ids *ids, struct quorum *quorum, int64_t broker_epoch)
{
    ids->quorum = quorum;
    ids->broker_epoch = broker_epoch;
}

static void run_allocate(struct quorum_command *command, struct controller *controller,
                         struct controller_command *cc)
{
    struct producer_ids *ids = container_of(command, struct producer_ids, command);
    struct allocate_producer_ids_request request;
    allocate_producer_ids_request_init(&request);
    request.broker_id = ids->node_id;
    request.broker_epoch = ids->broker_epoch;
    controller_allocate_producer_ids(controller, cc, &request, &ids->reply, &ids->arena);
}

static void serve(struct producer_ids *ids);

static void allocated(struct quorum_command *command, int kafka_error)
{
    struct producer_ids *ids = container_of(command, struct producer_ids, command);
    ids->asking = false;
    if (kafka_error == KAFKA_NONE)
        kafka_error = ids->reply.error_code;
    if (kafka_error == KAFKA_NONE) {
        ids->next = ids->reply.producer_id_start;
        ids->end = ids->next + ids->reply.producer_id_len;
    }
    arena_release(&ids->arena);
    if (kafka_error == KAFKA_NONE)
        serve(ids);
    else
        // Clients try again on this one; what went wrong inside is not theirs to know.
        end_waits(ids, KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
}

static void ask(struct producer_ids *ids)
{
    ids->asking = true;
    ids->command.run = run_allocate;
    ids->command.done = allocated;
    quorum_submit(ids->quorum, &ids->command);
}

static void serve(struct producer_ids *ids)
{
    while (ids->next < ids->end) {
        struct list_node *node = list_pop(&ids->waits);
        if (node == NULL)
            return;
        struct producer_id_wait *wait = container_of(node, struct producer_id_wait, node);
        wait->done(wait, KAFKA_NONE, ids->next++);
    }
    if (!list_empty(&ids->waits) && !ids->asking)
        ask(ids);
}

void producer_ids_next(struct producer_ids *ids, struct producer_id_wait *wait)
{
    if (ids->quorum == NULL) {
        wait->done(wait, KAFKA_COORDINATOR_NOT_AVAILABLE, -1);
        return;
    }
    list_append(&ids->waits, &wait->node);
    serve(ids);
}

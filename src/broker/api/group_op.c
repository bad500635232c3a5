// SPDX-License-Identifier: Apache-2.0
#include "broker/api/group_op.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "broker/api/api.h"
#include "broker/coordinators.h"
#include "broker/node.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "env/env.h"
#include "env/net.h"

static void call_done(struct group_call *call)
{
    split_item_done(container_of(call, struct group_part, call)->share);
}

static bool is_valid_id(const struct group_part *part)
{
    struct str id = part->group_id;
    if (id.size == 0)
        return !part->op->type->needs_group_id;
    return memchr(id.data, '\0', id.size) == NULL;
}

static void serve(struct split_share *share, struct split_item *item)
{
    struct group_part *part = container_of(item, struct group_part, item);
    struct shard *s = share->shard;
    enum kafka_error error;
    const struct coordinator_time now = coordinators_now(s);
    int32_t partition = part->partition;
    part->share = share;
    struct groups *g = coordinators_find(&s->coordinators, COORDINATOR_GROUP, partition, &error);
    if (!is_valid_id(part))
        error = KAFKA_INVALID_GROUP_ID;
    if (error != KAFKA_NONE) {
        part->op->type->set_error(part, error);
        split_item_done(share);
        return;
    }
    part->call.arena = share->arena;
    part->op->type->serve(part, g, &now); // the part may be gone after this
    coordinators_touched(&s->coordinators, COORDINATOR_GROUP, partition);
}

static bool has_no_memory(const struct group_op *op)
{
    for (int32_t i = 0; i < op->part_count; i++)
        if (op->parts[i].call.no_memory)
            return true;
    return false;
}

static void end(struct group_op *op)
{
    if (op->type->finish != NULL && !has_no_memory(op))
        op->type->finish(op);
    if (has_no_memory(op))
        api_no_memory(op->request);
    else if (op->type->reply != NULL)
        op->type->reply(op);
    else
        request_reply(op->request, op->reply);
}

static void finish(struct split *split)
{
    struct group_op *op = container_of(split, struct group_op, split);
    op->is_over = true;
    if (!op->gone_is_away)
        end(op);
}

// ---- Clients that go while they wait ----

// Only a join or a sync waits for long, and these are about one group.
static void tell_gone(struct group_part *part)
{
    struct shard *s = part->share->shard;
    enum kafka_error error;
    const struct coordinator_time now = coordinators_now(s);
    int32_t partition = part->partition;
    struct groups *g = coordinators_find(&s->coordinators, COORDINATOR_GROUP, partition, &error);
    if (g == NULL)
        return;
    groups_call_gone(g, &part->call, &now); // the part may be gone after this
    coordinators_touched(&s->coordinators, COORDINATOR_GROUP, partition);
}

static void gone_came_back(struct env_message *message)
{
    struct group_op *op = container_of(message, struct group_op, gone);
    op->split.home->away_count--;
    op->gone_is_away = false;
    if (op->is_over)
        end(op);
}

static void gone_came(struct env_message *message)
{
    struct group_op *op = container_of(message, struct group_op, gone);
    tell_gone(&op->parts[0]);
    message->receive = gone_came_back;
    env_post(op->split.home->env->mailbox, message);
}

static void client_has_gone(struct request *r)
{
    struct group_op *op = r->user;
    struct shard *home = op->split.home;
    struct group_part *part = &op->parts[0];
    struct shard *there = &home->node->shards[part->shard];
    if (op->is_over)
        return;
    if (there == home) {
        tell_gone(part);
        return;
    }
    op->gone_is_away = true;
    home->away_count++;
    op->gone.receive = gone_came;
    env_post(there->env->mailbox, &op->gone);
}

struct group_op *group_op_new(struct shard *s, struct request *r, const void *body, void *reply,
                              int32_t part_max, const struct group_op_type *type)
{
    struct group_op *op = arena_new(&r->arena, struct group_op);
    if (op == NULL || reply == NULL || !split_init(&op->split, s, r) ||
        (op->parts = arena_new_array(&r->arena, (size_t)part_max + 1, struct group_part)) == NULL) {
        api_no_memory(r);
        return NULL;
    }
    op->request = r;
    op->type = type;
    op->body = body;
    op->reply = reply;
    op->part_max = part_max;
    if (!request_is_abandoned(r))
        snprintf(op->host, sizeof op->host, "/%s", request_remote_address(r)->host);
    return op;
}

static struct group_part *add(struct group_op *op, void *response)
{
    check(op->part_count < op->part_max);
    struct group_part *part = &op->parts[op->part_count++];
    part->op = op;
    part->call = (struct group_call){
        .version = op->request->header.api_version,
        .client_id = op->request->header.client_id,
        .client_host = str_from(op->host),
        .response = response,
        .done = call_done,
    };
    return part;
}

struct group_part *group_op_add_partition(struct group_op *op, int32_t partition, void *response)
{
    struct group_part *part = add(op, response);
    part->partition = partition;
    part->shard = partition < 0 ? op->split.home->index
                                : split_shard_of(op->split.home, str_from(GROUP_TOPIC),
                                                 (struct uuid){{0}}, partition);
    split_add_to(&op->split, part->shard, &part->item);
    return part;
}

struct group_part *group_op_add(struct group_op *op, struct str group_id, const void *asked,
                                void *response)
{
    int32_t partition = coordinators_partition_of(op->split.home, COORDINATOR_GROUP, group_id);
    struct group_part *part = group_op_add_partition(op, partition, response);
    part->group_id = group_id;
    part->asked = asked;
    return part;
}

void group_op_start(struct group_op *op)
{
    if (op->part_count == 1) {
        op->request->user = op;
        op->request->abandoned = client_has_gone;
    }
    split_start_each(&op->split, serve, finish);
}

void group_op_run(struct shard *s, struct request *r, const void *body, void *reply, struct str group_id,
                  const struct group_op_type *type)
{
    struct group_op *op = group_op_new(s, r, body, reply, 1, type);
    if (op == NULL)
        return;
    group_op_add(op, group_id, body, reply);
    group_op_start(op);
}

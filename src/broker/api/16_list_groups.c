// SPDX-License-Identifier: Apache-2.0
//
// ListGroups (key 16, versions 0-5): the groups that this broker coordinates, from all partitions of
// __consumer_offsets that it leads; group/admin.c.
//   v4: by state (KIP-518). v5: by type (KIP-848).
#include <string.h>

#include "broker/api/api.h"
#include "broker/api/group_op.h"
#include "broker/coordinators.h"
#include "broker/node.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "metadata/image.h"
#include "wire/api/list_groups.h"

static void serve(struct group_part *part, struct groups *g, const struct coordinator_time *now)
{
    groups_list(g, &part->call, now, part->op->body);
}

static void set_error(struct group_part *part, enum kafka_error error)
{
    struct list_groups_response *answer = part->call.response;
    answer->error_code = (int16_t)error;
}

// A partition that went to another broker meanwhile is that one's business; any other error is for all.
static bool gather(struct group_op *op)
{
    struct list_groups_response *reply = op->reply;
    int32_t count = 0;
    for (int32_t i = 0; i < op->part_count; i++) {
        const struct list_groups_response *answer = op->parts[i].call.response;
        if (answer->error_code == KAFKA_NONE)
            count += answer->groups.count;
        else if (answer->error_code != KAFKA_NOT_COORDINATOR)
            reply->error_code = answer->error_code;
    }
    if (reply->error_code != KAFKA_NONE)
        return true;
    if (!list_groups_response_listed_group_array_new(&op->request->arena, count, &reply->groups))
        return false;
    int32_t n = 0;
    for (int32_t i = 0; i < op->part_count; i++) {
        const struct list_groups_response *answer = op->parts[i].call.response;
        for (int32_t g = 0; answer->error_code == KAFKA_NONE && g < answer->groups.count; g++)
            reply->groups.items[n++] = answer->groups.items[g];
    }
    return true;
}

static void finish(struct group_op *op)
{
    if (!gather(op))
        op->parts[0].call.no_memory = true;
}

void api_list_groups(struct shard *s, struct request *r, const void *body)
{
    static const struct group_op_type type = {.serve = serve, .set_error = set_error, .finish = finish};
    const struct metadata_topic *topic = metadata_image_topic(shard_image(s), str_from(GROUP_TOPIC));
    int32_t count = topic == NULL ? 0 : topic->partition_count;
    struct list_groups_response *reply = arena_new(&r->arena, struct list_groups_response);
    struct list_groups_response *answers =
        arena_new_array(&r->arena, (size_t)count + 1, struct list_groups_response);
    if (reply == NULL || answers == NULL) {
        api_no_memory(r);
        return;
    }
    list_groups_response_init(reply);
    struct group_op *op = group_op_new(s, r, body, reply, count, &type);
    if (op == NULL)
        return;
    for (int32_t i = 0; i < count; i++) {
        list_groups_response_init(&answers[i]);
        if (topic->partitions[i]->leader == s->node->node_id)
            group_op_add_partition(op, i, &answers[i]);
    }
    group_op_start(op);
}

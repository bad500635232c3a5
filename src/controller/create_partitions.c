// SPDX-License-Identifier: Apache-2.0
//
// CreatePartitions (37), versions 0 to 3: a topic gets more partitions, never fewer.
#include "base/check.h"
#include "base/err.h"
#include "controller/internal.h"
#include "wire/api/create_partitions.h"

enum { CREATE_MEMORY_MAX = 32 * 1024 * 1024 };

struct growth {
    struct controller_command *cmd;
    const struct create_partitions_request_create_partitions_topic *topic;
    const struct metadata_topic *old; // of the state before this topic's records
    struct arena arena;
    struct placement placement;
};

static bool count_check(const struct growth *x, struct api_error *e)
{
    int32_t old = x->old->partition_count, new = x->topic->count;
    if (new == old)
        return api_fail(e, KAFKA_INVALID_PARTITIONS, "Topic already has %d partition(s).", old);
    if (new < old)
        return api_fail(e, KAFKA_INVALID_PARTITIONS,
                        "The topic %.*s currently has %d partition(s); %d would not be an increase.",
                        STR_ARG(x->topic->name), old, new);
    if (new - old > CONTROLLER_RECORDS_MAX)
        return api_fail(e, KAFKA_POLICY_VIOLATION,
                        "Excessively large number of additional partitions per request.");
    if (x->topic->assignments.count >= 0 && x->topic->assignments.count != new - old)
        return api_fail(e, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                        "Attempted to add %d additional partition(s), but only %d assignment(s) "
                        "were specified.",
                        new - old, x->topic->assignments.count);
    return true;
}

static bool assignments_take(struct growth *x, int32_t factor, struct api_error *e)
{
    int32_t count = x->topic->assignments.count;
    int32_t *replicas =
        arena_alloc_array(&x->arena, (size_t)count * (size_t)factor, sizeof *replicas);
    if (replicas == NULL)
        return api_fail_emit(e, ERR_NOMEM, NULL);
    for (int32_t i = 0; i < count; i++) {
        struct wire_int32_array ids = x->topic->assignments.items[i].broker_ids;
        if (!assignment_check(x->cmd->image, ids, factor, e))
            return false;
        memcpy(replicas + (size_t)i * (size_t)factor, ids.items, (size_t)factor * sizeof *replicas);
    }
    x->placement = (struct placement){count, (int16_t)factor, replicas};
    return true;
}

static bool records_emit(struct growth *x, struct api_error *e)
{
    int32_t first = x->old->partition_count;
    struct uuid id = x->old->id; // `old` is not looked at any more once records are replayed
    const struct placement *p = &x->placement;
    for (int32_t i = 0; i < p->partition_count; i++)
        if (!partition_emit(x->cmd, id, first + i,
                            p->replicas + (size_t)i * (size_t)p->replication_factor,
                            p->replication_factor, e))
            return false;
    return true;
}

static bool topic_grow(struct growth *x, struct api_error *e)
{
    x->old = metadata_image_topic(x->cmd->image, x->topic->name);
    if (x->old == NULL)
        return api_fail(e, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, NULL);
    if (!count_check(x, e))
        return false;
    int32_t factor =
        x->old->partition_count > 0 ? x->old->partitions[0]->replicas.count : 1;
    bool chosen = x->topic->assignments.count >= 0
                      ? assignments_take(x, factor, e)
                      : placement_make(x->cmd->image, x->cmd->input.prng, x->old->partition_count,
                                       x->topic->count - x->old->partition_count, (int16_t)factor,
                                       &x->arena, &x->placement, e);
    return chosen && records_emit(x, e);
}

static void topic_answer(struct controller_command *cmd,
                         const struct create_partitions_request_create_partitions_topic *topic,
                         struct api_error *e)
{
    struct growth x = {.cmd = cmd, .topic = topic};
    arena_init(&x.arena, CREATE_MEMORY_MAX);
    struct command_mark mark = command_mark(cmd);
    if (topic_grow(&x, e))
        command_keep(&mark);
    else
        command_rollback(cmd, &mark);
    arena_release(&x.arena);
}

void controller_create_partitions(struct controller *c, struct controller_command *cmd,
                                  const struct create_partitions_request *request,
                                  struct create_partitions_response *reply, struct arena *arena)
{
    create_partitions_response_init(reply);
    int32_t count = request->topics.count > 0 ? request->topics.count : 0;
    void *room = create_partitions_response_create_partitions_topic_result_array_new(
        arena, count, &reply->results);
    reply->results.count = 0;
    if (room == NULL)
        return;
    struct names *names = names_new();
    for (int32_t i = 0; i < count; i++)
        names_add(names, str_bytes(request->topics.items[i].name));
    for (int32_t i = 0; i < count; i++) {
        int uses = names_take(names, str_bytes(request->topics.items[i].name));
        if (uses == 0)
            continue;
        struct create_partitions_response_create_partitions_topic_result *result =
            &reply->results.items[reply->results.count++];
        struct api_error e = {0};
        if (cmd->image == NULL)
            api_fail(&e, KAFKA_NOT_CONTROLLER, NULL);
        else if (cmd->input.no_room != NULL)
            api_fail(&e, KAFKA_KAFKA_STORAGE_ERROR, "%s", cmd->input.no_room);
        else if (uses > 1)
            api_fail(&e, KAFKA_INVALID_REQUEST, "Duplicate topic name.");
        else
            topic_answer(cmd, &request->topics.items[i], &e);
        result->name = request->topics.items[i].name;
        result->error_code = e.code;
        result->error_message = api_error_text(&e, arena);
    }
    names_free(names);
    if (request->validate_only)
        command_clear(c, cmd);
}

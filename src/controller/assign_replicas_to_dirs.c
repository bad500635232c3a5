// SPDX-License-Identifier: Apache-2.0
//
// AssignReplicasToDirs (73): a broker with several log directories says where it put a replica
// (KIP-858). A replica that moves to a directory which is not online leaves its partition's ISR.
#include "base/check.h"
#include "base/err.h"
#include "controller/internal.h"
#include "wire/api/assign_replicas_to_dirs.h"

struct assignment {
    struct controller *c;
    struct controller_command *cmd;
    int32_t broker_id;
    struct uuid directory;
};

static int16_t partition_assign(const struct assignment *x, struct uuid topic_id, int32_t index)
{
    const struct metadata_topic *t = metadata_image_topic_by_id(x->cmd->image, topic_id);
    if (t == NULL)
        return KAFKA_UNKNOWN_TOPIC_ID;
    const struct metadata_partition *p = metadata_topic_partition(t, index);
    if (p == NULL)
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (!replicas_contain(p->replicas, x->broker_id))
        return KAFKA_NOT_LEADER_OR_FOLLOWER;
    const struct metadata_broker *b = metadata_image_broker(x->cmd->image, x->broker_id);
    struct partition_update u = PARTITION_UPDATE_NONE;
    u.directory = &x->directory;
    u.set_directory_of = x->broker_id;
    if (!metadata_broker_directory_online(b, x->directory))
        u.remove = x->broker_id;
    struct diag diag;
    int err = partition_update(x->c, x->cmd, t, p, &u, &diag);
    if (err != 0)
        trace_error(x->c->trace, "controller", "assigning a directory: %s", diag.text);
    return err == 0 ? KAFKA_NONE : KAFKA_UNKNOWN_SERVER_ERROR;
}

static void topic_assign(const struct assignment *x,
                         const struct assign_replicas_to_dirs_request_topic_data *topic,
                         struct assign_replicas_to_dirs_response_topic_data *result,
                         struct arena *arena)
{
    int32_t count = topic->partitions.count > 0 ? topic->partitions.count : 0;
    result->topic_id = topic->topic_id;
    if (assign_replicas_to_dirs_response_partition_data_array_new(arena, count,
                                                                  &result->partitions) == NULL) {
        result->partitions.count = 0;
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        int32_t index = topic->partitions.items[i].partition_index;
        result->partitions.items[i].partition_index = index;
        result->partitions.items[i].error_code = partition_assign(x, topic->topic_id, index);
    }
}

static void directory_assign(struct assignment *x,
                             const struct assign_replicas_to_dirs_request_directory_data *directory,
                             struct assign_replicas_to_dirs_response_directory_data *result,
                             struct arena *arena)
{
    int32_t count = directory->topics.count > 0 ? directory->topics.count : 0;
    x->directory = result->id = directory->id;
    if (assign_replicas_to_dirs_response_topic_data_array_new(arena, count, &result->topics) ==
        NULL) {
        result->topics.count = 0;
        return;
    }
    for (int32_t i = 0; i < count; i++)
        topic_assign(x, &directory->topics.items[i], &result->topics.items[i], arena);
}

void controller_assign_replicas_to_dirs(struct controller *c, struct controller_command *cmd,
                                        const struct assign_replicas_to_dirs_request *request,
                                        struct assign_replicas_to_dirs_response *reply,
                                        struct arena *arena)
{
    assign_replicas_to_dirs_response_init(reply);
    cmd->atomic = false;
    const struct metadata_broker *b =
        cmd->image != NULL ? metadata_image_broker(cmd->image, request->broker_id) : NULL;
    if (cmd->image == NULL)
        reply->error_code = KAFKA_NOT_CONTROLLER;
    else if (b == NULL || b->epoch != request->broker_epoch)
        reply->error_code = KAFKA_STALE_BROKER_EPOCH;
    else if (command_metadata_version(cmd) < METADATA_VERSION_DIRECTORIES)
        reply->error_code = KAFKA_UNSUPPORTED_VERSION;
    if (reply->error_code != KAFKA_NONE)
        return;
    struct assignment x = {.c = c, .cmd = cmd, .broker_id = request->broker_id};
    int32_t count = request->directories.count > 0 ? request->directories.count : 0;
    if (assign_replicas_to_dirs_response_directory_data_array_new(arena, count,
                                                                  &reply->directories) == NULL) {
        reply->directories.count = 0;
        return;
    }
    for (int32_t i = 0; i < count; i++)
        directory_assign(&x, &request->directories.items[i], &reply->directories.items[i], arena);
}

// SPDX-License-Identifier: Apache-2.0
//
// DeleteRecords (key 21, versions 0-2; KIP-107): raises the log start offset of partitions; offset -1
// means "up to the high watermark". Answered when the new start is on disk: unlike in Apache Kafka,
// what was deleted does not come back after a crash.
#include "base/check.h"
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/node.h"
#include "broker/partition.h"
#include "broker/request.h"
#include "log/dir.h"
#include "log/log.h"
#include "wire/api/delete_records.h"
#include "wire/errors.h"

struct delete_records_op;

// One log directory whose checkpoint has to be written.
struct pending_save {
    struct log_save_wait wait;
    struct delete_records_op *op;
    struct log_dir *dir;
    bool needed;
};

struct delete_records_op {
    struct node *node;
    struct request *request;
    struct delete_records_response reply;
    struct pending_save *saves; // parallel to the node's directories
    int waiting_count;
};

static void finish(struct delete_records_op *op)
{
    request_reply(op->request, &op->reply);
}

// The answers of one directory's partitions depend on its checkpoint alone, but which these are is
// not remembered: a directory that fails has failed for all of them.
static void saved(struct log_save_wait *wait, int err)
{
    struct pending_save *save = container_of(wait, struct pending_save, wait);
    struct delete_records_op *op = save->op;
    for (int32_t t = 0; err != ERR_OK && t < op->reply.topics.count; t++) {
        struct delete_records_response_delete_records_topic_result *topic =
            &op->reply.topics.items[t];
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            if (topic->partitions.items[i].error_code != KAFKA_NONE)
                continue;
            topic->partitions.items[i].error_code = KAFKA_KAFKA_STORAGE_ERROR;
            topic->partitions.items[i].low_watermark = -1;
        }
    }
    if (--op->waiting_count == 0)
        finish(op);
}

static void mark_dir(struct delete_records_op *op, struct log_dir *dir)
{
    for (int i = 0; i < op->node->args.dir_count; i++)
        if (op->node->args.dirs[i] == dir)
            op->saves[i].needed = true;
}

static void delete_up_to(struct delete_records_op *op, struct str topic,
                         const struct delete_records_request_delete_records_partition *asked,
                         struct delete_records_response_delete_records_partition_result *answer)
{
    struct partition *p;
    answer->partition_index = asked->partition_index;
    answer->low_watermark = -1;
    int kafka_error = api_find_leader(op->node, topic, (struct uuid){{0}}, asked->partition_index,
                                      -1, &p);
    if (kafka_error == KAFKA_NONE && !p->config.cleanup_delete && p->config.cleanup_compact)
        kafka_error = KAFKA_POLICY_VIOLATION;
    if (kafka_error == KAFKA_NONE && asked->offset < -1)
        kafka_error = KAFKA_OFFSET_OUT_OF_RANGE;
    if (kafka_error == KAFKA_NONE) {
        int64_t offset = asked->offset == -1 ? p->high_watermark : asked->offset;
        kafka_error = api_log_error(log_set_start_offset(p->log, offset));
    }
    answer->error_code = (int16_t)kafka_error;
    if (kafka_error != KAFKA_NONE)
        return;
    answer->low_watermark = log_start_offset(p->log);
    mark_dir(op, p->dir);
}

static bool begin(struct delete_records_op *op, const struct delete_records_request *request)
{
    struct arena *arena = &op->request->arena;
    op->saves = arena_new_array(arena, (size_t)op->node->args.dir_count, struct pending_save);
    if (op->saves == NULL || !delete_records_response_delete_records_topic_result_array_new(
                                 arena, request->topics.count, &op->reply.topics))
        return false;
    for (int32_t t = 0; t < request->topics.count; t++) {
        const struct delete_records_request_delete_records_topic *topic = &request->topics.items[t];
        struct delete_records_response_delete_records_topic_result *answer =
            &op->reply.topics.items[t];
        answer->name = topic->name;
        if (!delete_records_response_delete_records_partition_result_array_new(
                arena, topic->partitions.count, &answer->partitions))
            return false;
        for (int32_t i = 0; i < topic->partitions.count; i++)
            delete_up_to(op, topic->name, &topic->partitions.items[i],
                         &answer->partitions.items[i]);
    }
    return true;
}

static void save_all(struct delete_records_op *op)
{
    // Counted first: a save may end at once.
    op->waiting_count = 1;
    for (int i = 0; i < op->node->args.dir_count; i++)
        op->waiting_count += op->saves[i].needed;
    for (int i = 0; i < op->node->args.dir_count; i++) {
        if (!op->saves[i].needed)
            continue;
        op->saves[i].op = op;
        op->saves[i].wait.done = saved;
        log_dir_save(op->node->args.dirs[i], LOG_SAVE_START_OFFSETS, &op->saves[i].wait);
    }
    if (--op->waiting_count == 0)
        finish(op);
}

void api_delete_records(struct node *n, struct request *r, const void *body)
{
    struct delete_records_op *op = arena_new(&r->arena, struct delete_records_op);
    if (op == NULL) {
        api_no_memory(r);
        return;
    }
    op->node = n;
    op->request = r;
    delete_records_response_init(&op->reply);
    if (begin(op, body))
        save_all(op);
    else
        api_no_memory(r);
}

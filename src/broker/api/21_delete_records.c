// SPDX-License-Identifier: Apache-2.0
//
// DeleteRecords (key 21, versions 0-2; KIP-107): raises the log start offset of partitions; offset -1
// means "up to the high watermark". Answered when the new start is on disk: unlike in Apache Kafka,
// what was deleted does not come back after a crash.
#include "base/check.h"
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/partition.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "broker/split.h"
#include "log/dir.h"
#include "log/log.h"
#include "wire/api/delete_records.h"
#include "wire/errors.h"

struct delete_records_share;

// One log directory whose checkpoint has to be written.
struct pending_save {
    struct log_save_wait wait;
    struct delete_records_share *share;
    bool needed;
};

struct delete_records_item {
    struct split_item item;
    struct str topic;
    const struct delete_records_request_delete_records_partition *asked;
    struct delete_records_response_delete_records_partition_result *answer;
};

struct delete_records_op {
    struct split split;
    struct delete_records_response reply;
};

// The partitions that live on one shard.
struct delete_records_share {
    struct split_share *split_share;
    struct pending_save *saves; // parallel to the directories
    int waiting_count;
};

// The answers of one directory's partitions depend on its checkpoint alone, but which these are is
// not remembered: a directory that fails has failed for all of them.
static void saved(struct log_save_wait *wait, int err)
{
    struct delete_records_share *share = container_of(wait, struct pending_save, wait)->share;
    if (err != ERR_OK)
        split_for_each(item, share->split_share) {
            struct delete_records_response_delete_records_partition_result *answer =
                container_of(item, struct delete_records_item, item)->answer;
            if (answer->error_code != KAFKA_NONE)
                continue;
            answer->error_code = KAFKA_KAFKA_STORAGE_ERROR;
            answer->low_watermark = -1;
        }
    if (--share->waiting_count == 0)
        split_share_done(share->split_share);
}

static void mark_dir(struct delete_records_share *share, const struct log_dir *dir)
{
    const struct shard *s = share->split_share->shard;
    for (int i = 0; i < s->dir_count; i++)
        if (s->dirs[i] == dir)
            share->saves[i].needed = true;
}

static void delete_up_to(struct delete_records_share *share, const struct delete_records_item *item)
{
    struct partition *p;
    int64_t offset = item->asked->offset;
    int kafka_error = api_find_leader(share->split_share->shard, item->topic, (struct uuid){{0}},
                                      item->asked->partition_index, -1, &p);
    if (kafka_error == KAFKA_NONE && !p->config.cleanup_delete && p->config.cleanup_compact)
        kafka_error = KAFKA_POLICY_VIOLATION;
    if (kafka_error == KAFKA_NONE && offset < -1)
        kafka_error = KAFKA_OFFSET_OUT_OF_RANGE;
    if (kafka_error == KAFKA_NONE)
        kafka_error = api_log_error(
            log_set_start_offset(p->log, offset == -1 ? p->high_watermark : offset));
    item->answer->error_code = (int16_t)kafka_error;
    if (kafka_error != KAFKA_NONE)
        return;
    item->answer->low_watermark = log_start_offset(p->log);
    mark_dir(share, p->dir);
}

static void save_all(struct delete_records_share *share)
{
    const struct shard *s = share->split_share->shard;
    // Counted first: a save may end at once.
    share->waiting_count = 1;
    for (int i = 0; i < s->dir_count; i++)
        share->waiting_count += share->saves[i].needed;
    for (int i = 0; i < s->dir_count; i++) {
        if (!share->saves[i].needed)
            continue;
        share->saves[i].share = share;
        share->saves[i].wait.done = saved;
        log_dir_save(s->dirs[i], LOG_SAVE_START_OFFSETS, &share->saves[i].wait);
    }
    if (--share->waiting_count == 0)
        split_share_done(share->split_share);
}

static void run(struct split_share *split_share)
{
    struct delete_records_share *share = split_share->user;
    share->split_share = split_share;
    split_for_each(item, split_share)
        delete_up_to(share, container_of(item, struct delete_records_item, item));
    save_all(share);
}

static void done(struct split *split)
{
    request_reply(split->request, &container_of(split, struct delete_records_op, split)->reply);
}

static bool add_topic(struct delete_records_op *op,
                      const struct delete_records_request_delete_records_topic *topic,
                      struct delete_records_response_delete_records_topic_result *answer)
{
    struct arena *arena = &op->split.request->arena;
    int32_t count = topic->partitions.count;
    struct delete_records_item *items =
        arena_new_array(arena, (size_t)count, struct delete_records_item);
    answer->name = topic->name;
    if (items == NULL || !delete_records_response_delete_records_partition_result_array_new(
                             arena, count, &answer->partitions))
        return false;
    for (int32_t i = 0; i < count; i++) {
        items[i].topic = topic->name;
        items[i].asked = &topic->partitions.items[i];
        items[i].answer = &answer->partitions.items[i];
        items[i].answer->partition_index = items[i].asked->partition_index;
        items[i].answer->low_watermark = -1;
        split_add(&op->split, topic->name, (struct uuid){{0}}, items[i].asked->partition_index,
                  &items[i].item);
    }
    return true;
}

// What each shard needs is made here, where the arena is.
static bool new_shares(struct delete_records_op *op)
{
    struct split *split = &op->split;
    if (!split_new_users(split, sizeof(struct delete_records_share)))
        return false;
    for (int i = 0; i < split->share_count; i++) {
        struct delete_records_share *share = split->shares[i].user;
        if (share == NULL)
            continue;
        share->saves = arena_new_array(&split->request->arena, (size_t)split->home->dir_count,
                                       struct pending_save);
        if (share->saves == NULL)
            return false;
    }
    return true;
}

void api_delete_records(struct shard *s, struct request *r, const void *body)
{
    const struct delete_records_request *request = body;
    struct delete_records_op *op = arena_new(&r->arena, struct delete_records_op);
    bool ok = op != NULL && split_init(&op->split, s, r);
    if (ok) {
        delete_records_response_init(&op->reply);
        ok = delete_records_response_delete_records_topic_result_array_new(
            &r->arena, request->topics.count, &op->reply.topics);
    }
    for (int32_t t = 0; ok && t < request->topics.count; t++)
        ok = add_topic(op, &request->topics.items[t], &op->reply.topics.items[t]);
    if (ok && new_shares(op))
        split_start(&op->split, run, done);
    else
        api_no_memory(r);
}

// SPDX-License-Identifier: Apache-2.0
//
// DescribeLogDirs (key 35, versions 1-5; KIP-113): each log directory with the partitions in it and
// their sizes. v3: an error at the top. v4: size of the file system and what is free (KIP-827).
// v5: cordoned directories (KIP-1066).
#include <stdlib.h>

#include "base/check.h"
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/partition.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "broker/split.h"
#include "config/config.h"
#include "log/dir.h"
#include "log/log.h"
#include "metadata/image.h"
#include "wire/api/describe_log_dirs.h"
#include "wire/errors.h"

// What is found on a shard; the name is a copy, since the partition may go while this travels.
struct found {
    struct str topic;
    int32_t index;
    int dir;
    int64_t size_bytes;
};

struct log_dirs_item {
    struct split_item item;
    struct str topic; // null: all
    int32_t index;
};

struct log_dirs_share {
    struct split_share *split_share;
    struct found *found;
    int32_t count;
    bool failed; // no memory
};

struct log_dirs_op {
    struct split split;
    struct describe_log_dirs_response reply;
};

// --- On each shard ---

static int number_of_dir(const struct shard *s, const struct log_dir *dir)
{
    int number = 0;
    while (s->dirs[number] != dir)
        number++;
    return number;
}

static void collect(void *context, struct partition *p)
{
    struct log_dirs_share *share = context;
    if (p->log == NULL || share->failed)
        return;
    struct str topic = arena_copy_str(share->split_share->arena, str_from(p->topic));
    int64_t size_bytes = log_size_bytes(p->log);
    if (topic.data == NULL) {
        share->failed = true;
        return;
    }
    share->found[share->count++] = (struct found){
        .topic = topic,
        .index = p->index,
        .dir = number_of_dir(share->split_share->shard, p->dir),
        .size_bytes = size_bytes >= 0 ? size_bytes : 0,
    };
}

static void collect_item(struct log_dirs_share *share, const struct log_dirs_item *item)
{
    struct shard *s = share->split_share->shard;
    if (item->topic.data == NULL) {
        partitions_each(&s->partitions, collect, share);
        return;
    }
    const struct metadata_topic *topic = metadata_image_topic(shard_image(s), item->topic);
    struct partition *p =
        topic != NULL ? partitions_find(&s->partitions, topic->id, item->index) : NULL;
    if (p != NULL)
        collect(share, p);
}

static void run(struct split_share *split_share)
{
    struct log_dirs_share *share = split_share->user;
    size_t count_max = (size_t)split_share->count + split_share->shard->partitions.map.count;
    share->split_share = split_share;
    share->found = arena_new_array(split_share->arena, count_max, struct found);
    share->failed = share->found == NULL;
    split_for_each(item, split_share)
        if (!share->failed)
            collect_item(share, container_of(item, struct log_dirs_item, item));
    split_share_done(split_share);
}

// --- The answer ---

static int compare_found(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int order = (x->dir > y->dir) - (x->dir < y->dir);
    if (order == 0)
        order = str_compare(x->topic, y->topic);
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

static int32_t fill_topic(struct request *r, const struct found *found, int32_t count,
                          struct describe_log_dirs_response_describe_log_dirs_topic *topic)
{
    int32_t same = 1;
    while (same < count && str_equal(found[same].topic, found[0].topic))
        same++;
    topic->name = found[0].topic;
    if (!describe_log_dirs_response_describe_log_dirs_partition_array_new(&r->arena, same,
                                                                          &topic->partitions))
        return -1;
    for (int32_t i = 0; i < same; i++) {
        topic->partitions.items[i].partition_index = found[i].index;
        topic->partitions.items[i].partition_size = found[i].size_bytes;
    }
    return same;
}

static bool fill_topics(struct request *r, const struct found *found, int32_t count,
                        struct describe_log_dirs_response_describe_log_dirs_result *result)
{
    if (!describe_log_dirs_response_describe_log_dirs_topic_array_new(&r->arena, count,
                                                                      &result->topics))
        return false;
    result->topics.count = 0;
    for (int32_t i = 0; i < count;) {
        int32_t filled =
            fill_topic(r, found + i, count - i, &result->topics.items[result->topics.count]);
        if (filled < 0)
            return false;
        result->topics.count++;
        i += filled;
    }
    return true;
}

static bool fill_dir(const struct shard *s, struct request *r, struct log_dir *dir,
                     const struct found *found, int32_t count,
                     struct describe_log_dirs_response_describe_log_dirs_result *result)
{
    result->log_dir = str_from(log_dir_path(dir));
    result->is_cordoned = config_log_dir_is_cordoned(s->config, log_dir_path(dir));
    if (log_dir_is_offline(dir)) {
        result->error_code = KAFKA_KAFKA_STORAGE_ERROR;
        return true;
    }
    if (log_dir_space(dir, &result->total_bytes, &result->usable_bytes) != ERR_OK)
        result->total_bytes = result->usable_bytes = -1;
    return fill_topics(r, found, count, result);
}

// All that was found, sorted; NULL if there is no memory.
static const struct found *gather(struct split *split, int32_t *count)
{
    *count = 0;
    for (int i = 0; i < split->share_count; i++) {
        const struct log_dirs_share *share = split->shares[i].user;
        if (share != NULL && share->failed)
            return NULL;
        *count += share != NULL ? share->count : 0;
    }
    struct found *all = arena_new_array(&split->request->arena, (size_t)*count + 1, struct found);
    int32_t at = 0;
    for (int i = 0; all != NULL && i < split->share_count; i++) {
        const struct log_dirs_share *share = split->shares[i].user;
        for (int32_t j = 0; share != NULL && j < share->count; j++)
            all[at++] = share->found[j];
    }
    if (all != NULL)
        qsort(all, (size_t)at, sizeof *all, compare_found);
    return all;
}

static void done(struct split *split)
{
    struct log_dirs_op *op = container_of(split, struct log_dirs_op, split);
    const struct shard *s = split->home;
    struct request *r = split->request;
    int32_t count, from = 0;
    const struct found *found = gather(split, &count);
    bool ok = found != NULL && describe_log_dirs_response_describe_log_dirs_result_array_new(
                                   &r->arena, s->partitions.dir_count, &op->reply.results);
    for (int i = 0; ok && i < s->partitions.dir_count; i++) {
        int32_t until = from;
        while (until < count && found[until].dir == i)
            until++;
        ok = fill_dir(s, r, s->dirs[i], found + from, until - from, &op->reply.results.items[i]);
        from = until;
    }
    if (ok)
        request_reply(r, &op->reply);
    else
        api_no_memory(r);
}

// --- The question ---

static bool add_asked(struct log_dirs_op *op, const struct describe_log_dirs_request *request)
{
    struct arena *arena = &op->split.request->arena;
    for (int32_t t = 0; t < request->topics.count; t++) {
        const struct describe_log_dirs_request_describable_log_dir_topic *asked =
            &request->topics.items[t];
        struct log_dirs_item *items =
            arena_new_array(arena, (size_t)asked->partitions.count, struct log_dirs_item);
        if (items == NULL)
            return false;
        for (int32_t i = 0; i < asked->partitions.count; i++) {
            items[i] = (struct log_dirs_item){.topic = asked->topic,
                                              .index = asked->partitions.items[i]};
            split_add(&op->split, asked->topic, (struct uuid){{0}}, items[i].index, &items[i].item);
        }
    }
    return true;
}

static bool add_all(struct log_dirs_op *op)
{
    int count = op->split.share_count;
    struct log_dirs_item *items =
        arena_new_array(&op->split.request->arena, (size_t)count, struct log_dirs_item);
    for (int i = 0; items != NULL && i < count; i++)
        split_add_to(&op->split, i, &items[i].item);
    return items != NULL;
}

void api_describe_log_dirs(struct shard *s, struct request *r, const void *body)
{
    const struct describe_log_dirs_request *request = body;
    struct log_dirs_op *op = arena_new(&r->arena, struct log_dirs_op);
    bool ok = op != NULL && split_init(&op->split, s, r);
    if (ok) {
        describe_log_dirs_response_init(&op->reply);
        ok = request->topics.count < 0 ? add_all(op) : add_asked(op, request);
    }
    if (ok && split_new_users(&op->split, sizeof(struct log_dirs_share)))
        split_start(&op->split, run, done);
    else
        api_no_memory(r);
}

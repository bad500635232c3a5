// SPDX-License-Identifier: Apache-2.0
//
// DescribeLogDirs (key 35, versions 1-5; KIP-113): each log directory with the partitions in it and
// their sizes. v3: an error at the top. v4: size of the file system and what is free (KIP-827).
// v5: cordoned directories (KIP-1066), which this broker has none of.
#include <stdlib.h>

#include "base/err.h"
#include "broker/api/api.h"
#include "broker/node.h"
#include "broker/partition.h"
#include "broker/request.h"
#include "log/dir.h"
#include "log/log.h"
#include "metadata/image.h"
#include "wire/api/describe_log_dirs.h"
#include "wire/errors.h"

struct collector {
    struct log_dir *dir;
    struct partition **found;
    int32_t count;
};

static void collect(void *context, struct partition *p)
{
    struct collector *c = context;
    if (p->dir == c->dir && p->log != NULL)
        c->found[c->count++] = p;
}

static void collect_asked(struct node *n, const struct describe_log_dirs_request *request,
                          struct collector *c)
{
    for (int32_t t = 0; t < request->topics.count; t++) {
        const struct describe_log_dirs_request_describable_log_dir_topic *asked =
            &request->topics.items[t];
        const struct metadata_topic *topic = metadata_image_topic(node_image(n), asked->topic);
        for (int32_t i = 0; topic != NULL && i < asked->partitions.count; i++) {
            struct partition *p =
                partitions_find(&n->partitions, topic->id, asked->partitions.items[i]);
            if (p != NULL)
                collect(c, p);
        }
    }
}

static int32_t count_asked(const struct node *n, const struct describe_log_dirs_request *request)
{
    if (request->topics.count < 0)
        return (int32_t)n->partitions.map.count;
    int32_t count = 0;
    for (int32_t t = 0; t < request->topics.count; t++)
        count += request->topics.items[t].partitions.count;
    return count;
}

static int compare_partitions(const void *a, const void *b)
{
    const struct partition *x = *(struct partition *const *)a;
    const struct partition *y = *(struct partition *const *)b;
    int order = strcmp(x->topic, y->topic);
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

static int32_t fill_topic(struct request *r, struct partition *const *found, int32_t count,
                          struct describe_log_dirs_response_describe_log_dirs_topic *topic)
{
    int32_t same = 1;
    while (same < count && strcmp(found[same]->topic, found[0]->topic) == 0)
        same++;
    topic->name = str_from(found[0]->topic);
    if (!describe_log_dirs_response_describe_log_dirs_partition_array_new(&r->arena, same,
                                                                          &topic->partitions))
        return -1;
    for (int32_t i = 0; i < same; i++) {
        int64_t size = log_size_bytes(found[i]->log);
        topic->partitions.items[i].partition_index = found[i]->index;
        topic->partitions.items[i].partition_size = size >= 0 ? size : 0;
    }
    return same;
}

static bool fill_topics(struct node *n, struct request *r,
                        const struct describe_log_dirs_request *request, struct log_dir *dir,
                        struct describe_log_dirs_response_describe_log_dirs_result *result)
{
    struct collector c = {.dir = dir};
    c.found = arena_alloc_array(&r->arena, (size_t)count_asked(n, request), sizeof *c.found);
    if (c.found == NULL)
        return false;
    if (request->topics.count < 0)
        partitions_each(&n->partitions, collect, &c);
    else
        collect_asked(n, request, &c);
    qsort(c.found, (size_t)c.count, sizeof *c.found, compare_partitions);
    if (!describe_log_dirs_response_describe_log_dirs_topic_array_new(&r->arena, c.count,
                                                                      &result->topics))
        return false;
    result->topics.count = 0;
    for (int32_t i = 0; i < c.count;) {
        int32_t filled = fill_topic(r, c.found + i, c.count - i,
                                    &result->topics.items[result->topics.count]);
        if (filled < 0)
            return false;
        result->topics.count++;
        i += filled;
    }
    return true;
}

static bool fill_dir(struct node *n, struct request *r,
                     const struct describe_log_dirs_request *request, struct log_dir *dir,
                     struct describe_log_dirs_response_describe_log_dirs_result *result)
{
    result->log_dir = str_from(log_dir_path(dir));
    if (log_dir_is_offline(dir)) {
        result->error_code = KAFKA_KAFKA_STORAGE_ERROR;
        return true;
    }
    if (log_dir_space(dir, &result->total_bytes, &result->usable_bytes) != ERR_OK)
        result->total_bytes = result->usable_bytes = -1;
    return fill_topics(n, r, request, dir, result);
}

void api_describe_log_dirs(struct node *n, struct request *r, const void *body)
{
    struct describe_log_dirs_response reply;
    describe_log_dirs_response_init(&reply);
    bool ok = describe_log_dirs_response_describe_log_dirs_result_array_new(
        &r->arena, n->args.dir_count, &reply.results);
    for (int i = 0; ok && i < n->args.dir_count; i++)
        ok = fill_dir(n, r, body, n->args.dirs[i], &reply.results.items[i]);
    if (ok)
        request_reply(r, &reply);
    else
        api_no_memory(r);
}

// SPDX-License-Identifier: Apache-2.0
//
// Committed offsets of a group, and the group's end.
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "tools/groups.h"
#include "tools/groups_call.h"
#include "wire/api/delete_groups.h"
#include "wire/api/offset_commit.h"
#include "wire/api/offset_delete.h"
#include "wire/api/offset_fetch.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

struct admin_offset *admin_offsets_add(struct admin_offsets *o, struct str topic, int32_t partition)
{
    mem_grow(o->items, o->count, o->capacity);
    struct admin_offset *item = &o->items[o->count++];
    *item = (struct admin_offset){.topic = topic,
                                  .partition = partition,
                                  .offset = -1,
                                  .leader_epoch = -1,
                                  .metadata = str_from("")};
    return item;
}

static int order(const void *a, const void *b)
{
    const struct admin_offset *x = a, *y = b;
    int c = str_compare(x->topic, y->topic);
    return c != 0 ? c : (x->partition > y->partition) - (x->partition < y->partition);
}

void admin_offsets_sort(struct admin_offsets *o)
{
    if (o->count > 0)
        qsort(o->items, (size_t)o->count, sizeof *o->items, order);
}

void admin_offsets_drop_doubles(struct admin_offsets *o)
{
    int kept = 0;
    for (int i = 0; i < o->count; i++)
        if (kept == 0 || order(&o->items[i], &o->items[kept - 1]) != 0)
            o->items[kept++] = o->items[i];
    o->count = kept;
}

const struct admin_offset *admin_offsets_find(const struct admin_offsets *o, struct str topic,
                                              int32_t partition)
{
    for (int i = 0; i < o->count; i++)
        if (o->items[i].partition == partition && str_equal(o->items[i].topic, topic))
            return &o->items[i];
    return NULL;
}

void admin_offsets_release(struct admin_offsets *o)
{
    mem_free(o->items);
    client_answer_release(&o->answer);
    *o = (struct admin_offsets){0};
}

// ---- Fetching ----

static void read_fetch_code(const struct client_answer *answer, struct admin_result *result)
{
    const struct offset_fetch_response *r = answer->response;
    bool is_new = answer->version >= 8 && r->groups.count == 1;
    int16_t code = is_new ? r->groups.items[0].error_code : r->error_code;
    groups_result(result, code, (struct str){0});
}

static void take_new(struct admin_offsets *out,
                     const struct offset_fetch_response_offset_fetch_response_group *g)
{
    for (int32_t t = 0; t < g->topics.count; t++)
        for (int32_t p = 0; p < g->topics.items[t].partitions.count; p++) {
            const struct offset_fetch_response_offset_fetch_response_partitions *from =
                &g->topics.items[t].partitions.items[p];
            if (from->error_code != KAFKA_NONE || from->committed_offset < 0)
                continue;
            struct admin_offset *to =
                admin_offsets_add(out, g->topics.items[t].name, from->partition_index);
            to->offset = from->committed_offset;
            to->leader_epoch = from->committed_leader_epoch;
            to->metadata = from->metadata;
        }
}

static void take_old(struct admin_offsets *out, const struct offset_fetch_response *r)
{
    for (int32_t t = 0; t < r->topics.count; t++)
        for (int32_t p = 0; p < r->topics.items[t].partitions.count; p++) {
            const struct offset_fetch_response_offset_fetch_response_partition *from =
                &r->topics.items[t].partitions.items[p];
            if (from->error_code != KAFKA_NONE || from->committed_offset < 0)
                continue;
            struct admin_offset *to =
                admin_offsets_add(out, r->topics.items[t].name, from->partition_index);
            to->offset = from->committed_offset;
            to->leader_epoch = from->committed_leader_epoch;
            to->metadata = from->metadata;
        }
}

int admin_offsets_fetch(struct driver *d, struct str id, struct admin_offsets *out,
                        struct admin_result *result)
{
    struct offset_fetch_request body;
    struct offset_fetch_request_offset_fetch_request_group group;
    int32_t node;
    *out = (struct admin_offsets){0};
    offset_fetch_request_init(&body);
    offset_fetch_request_offset_fetch_request_group_init(&group);
    group.group_id = id;
    group.topics.count = -1; // all
    body.groups.items = &group;
    body.groups.count = 1;
    // Version 10 names topics by id alone.
    struct groups_request request = {API_OFFSET_FETCH, 8, 9, id, &body, read_fetch_code};
    int err = groups_call(d, &request, &node, &out->answer, result);
    if (err == ERR_UNSUPPORTED) {
        offset_fetch_request_init(&body);
        body.group_id = id;
        body.topics.count = -1;
        request.version_min = 2;
        request.version_max = 7;
        err = groups_call(d, &request, &node, &out->answer, result);
    }
    if (err < 0 || result->code != KAFKA_NONE)
        return err;
    const struct offset_fetch_response *r = out->answer.response;
    if (out->answer.version >= 8)
        take_new(out, &r->groups.items[0]);
    else
        take_old(out, r);
    admin_offsets_sort(out);
    return 0;
}

// ---- Committing and deleting: topics of a request from items in order ----

static int topic_run(const struct admin_offset *items, int count, int from)
{
    int to = from + 1;
    while (to < count && str_equal(items[to].topic, items[from].topic))
        to++;
    return to;
}

static int topic_count(const struct admin_offset *items, int count)
{
    int n = 0;
    for (int i = 0; i < count; i = topic_run(items, count, i))
        n++;
    return n;
}

static void note_code(struct admin_offset *items, int count, struct str topic, int32_t partition,
                      int16_t code)
{
    for (int i = 0; i < count; i++)
        if (items[i].partition == partition && str_equal(items[i].topic, topic))
            items[i].code = code;
}

static void read_commit_code(const struct client_answer *answer, struct admin_result *result)
{
    const struct offset_commit_response *r = answer->response;
    groups_result(result, KAFKA_NONE, (struct str){0});
    // What concerns the group is said of each partition.
    if (r->topics.count > 0 && r->topics.items[0].partitions.count > 0)
        groups_result(result, r->topics.items[0].partitions.items[0].error_code, (struct str){0});
}

int admin_offsets_commit(struct driver *d, struct str id, struct admin_offset *items, int count,
                         struct admin_result *result)
{
    struct offset_commit_request body;
    struct client_answer answer = {0};
    int32_t node;
    int t = 0;
    offset_commit_request_init(&body);
    body.group_id = id;
    body.topics.count = topic_count(items, count);
    body.topics.items = mem_alloc_array((size_t)body.topics.count + 1, sizeof *body.topics.items);
    struct offset_commit_request_offset_commit_request_partition *parts =
        mem_alloc_array((size_t)count + 1, sizeof *parts);
    for (int i = 0, end; i < count; i = end, t++) {
        end = topic_run(items, count, i);
        offset_commit_request_offset_commit_request_topic_init(&body.topics.items[t]);
        body.topics.items[t].name = items[i].topic;
        body.topics.items[t].partitions.items = &parts[i];
        body.topics.items[t].partitions.count = end - i;
        for (int k = i; k < end; k++) {
            offset_commit_request_offset_commit_request_partition_init(&parts[k]);
            parts[k].partition_index = items[k].partition;
            parts[k].committed_offset = items[k].offset;
            parts[k].committed_leader_epoch = items[k].leader_epoch;
            parts[k].committed_metadata = items[k].metadata;
        }
    }
    struct groups_request request = {API_OFFSET_COMMIT, 2, 9, id, &body, read_commit_code};
    int err = groups_call(d, &request, &node, &answer, result);
    const struct offset_commit_response *r = answer.response;
    for (int32_t i = 0; err == 0 && r != NULL && i < r->topics.count; i++)
        for (int32_t k = 0; k < r->topics.items[i].partitions.count; k++)
            note_code(items, count, r->topics.items[i].name,
                      r->topics.items[i].partitions.items[k].partition_index,
                      r->topics.items[i].partitions.items[k].error_code);
    client_answer_release(&answer);
    mem_free(parts);
    mem_free(body.topics.items);
    return err;
}

static void read_delete_code(const struct client_answer *answer, struct admin_result *result)
{
    groups_result(result, ((const struct offset_delete_response *)answer->response)->error_code,
                  (struct str){0});
}

int admin_offsets_delete(struct driver *d, struct str id, struct admin_offset *items, int count,
                         struct admin_result *result)
{
    struct offset_delete_request body;
    struct client_answer answer = {0};
    int32_t node;
    int t = 0;
    offset_delete_request_init(&body);
    body.group_id = id;
    body.topics.count = topic_count(items, count);
    body.topics.items = mem_alloc_array((size_t)body.topics.count + 1, sizeof *body.topics.items);
    struct offset_delete_request_offset_delete_request_partition *parts =
        mem_alloc_array((size_t)count + 1, sizeof *parts);
    for (int i = 0, end; i < count; i = end, t++) {
        end = topic_run(items, count, i);
        body.topics.items[t].name = items[i].topic;
        body.topics.items[t].partitions.items = &parts[i];
        body.topics.items[t].partitions.count = end - i;
        for (int k = i; k < end; k++)
            parts[k].partition_index = items[k].partition;
    }
    struct groups_request request = {API_OFFSET_DELETE, 0, 0, id, &body, read_delete_code};
    int err = groups_call(d, &request, &node, &answer, result);
    const struct offset_delete_response *r = answer.response;
    for (int32_t i = 0; err == 0 && r != NULL && i < r->topics.count; i++)
        for (int32_t k = 0; k < r->topics.items[i].partitions.count; k++)
            note_code(items, count, r->topics.items[i].name,
                      r->topics.items[i].partitions.items[k].partition_index,
                      r->topics.items[i].partitions.items[k].error_code);
    client_answer_release(&answer);
    mem_free(parts);
    mem_free(body.topics.items);
    return err;
}

// ---- The group ----

static void read_group_code(const struct client_answer *answer, struct admin_result *result)
{
    const struct delete_groups_response *r = answer->response;
    if (r->results.count == 1)
        groups_result(result, r->results.items[0].error_code, r->results.items[0].error_message);
    else
        groups_result(result, KAFKA_UNKNOWN_SERVER_ERROR, (struct str){0});
}

int admin_group_delete(struct driver *d, struct str id, struct admin_result *result)
{
    struct delete_groups_request body;
    struct client_answer answer = {0};
    int32_t node;
    delete_groups_request_init(&body);
    body.groups_names = (struct wire_string_array){&id, 1};
    struct groups_request request = {API_DELETE_GROUPS, 0, 3, id, &body, read_group_code};
    int err = groups_call(d, &request, &node, &answer, result);
    client_answer_release(&answer);
    return err;
}

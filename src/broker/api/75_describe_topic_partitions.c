// SPDX-License-Identifier: Apache-2.0
//
// DescribeTopicPartitions (key 75, version 0; KIP-966): topics and partitions with their eligible
// leader replicas, in pages. Topics come sorted by name; a page ends after response_partition_limit
// partitions, and the next one begins at the cursor.
#include <stdlib.h>

#include "broker/api/api.h"
#include "broker/node.h"
#include "broker/request.h"
#include "config/config.h"
#include "metadata/image.h"
#include "wire/api/describe_topic_partitions.h"
#include "wire/errors.h"

struct page {
    struct node *node;
    struct request *request;
    struct describe_topic_partitions_response reply;
    int32_t left;         // partitions that still fit
    struct str from;      // cursor: first topic, null for the beginning
    int32_t from_index;   // and first partition in it
    bool full;
};

static bool fill_partition(
    struct page *page, const struct metadata_partition *p, int32_t index,
    struct describe_topic_partitions_response_describe_topic_partitions_response_partition *item)
{
    struct request *r = page->request;
    const struct metadata_broker *leader =
        p->leader != NO_LEADER ? metadata_image_broker(node_image(page->node), p->leader) : NULL;
    bool available = leader != NULL && !leader->fenced;
    item->error_code = (int16_t)(available ? KAFKA_NONE : KAFKA_LEADER_NOT_AVAILABLE);
    item->partition_index = index;
    item->leader_id = available ? p->leader : NO_LEADER;
    item->leader_epoch = p->leader_epoch;
    return api_copy_replicas(r, p->replicas, &item->replica_nodes) &&
           api_copy_replicas(r, p->isr, &item->isr_nodes) &&
           api_copy_replicas(r, p->elr, &item->eligible_leader_replicas) &&
           api_copy_replicas(r, p->last_known_elr, &item->last_known_elr) &&
           api_offline_replicas(page->node, r, p, &item->offline_replicas);
}

static bool set_cursor(struct page *page, struct str topic, int32_t index)
{
    page->full = true;
    page->reply.next_cursor =
        arena_new(&page->request->arena, struct describe_topic_partitions_response_cursor);
    if (page->reply.next_cursor == NULL)
        return false;
    page->reply.next_cursor->topic_name = topic;
    page->reply.next_cursor->partition_index = index;
    return true;
}

static bool add_topic(struct page *page, const struct metadata_topic *topic)
{
    bool is_first = page->from.data != NULL && str_equal(topic->name, page->from);
    int32_t begin = is_first ? page->from_index : 0;
    int32_t count = topic->partition_count > begin ? topic->partition_count - begin : 0;
    int32_t shown = count < page->left ? count : page->left;
    if (shown == 0 && count > 0)
        return set_cursor(page, topic->name, begin);
    struct describe_topic_partitions_response_describe_topic_partitions_response_topic *item =
        &page->reply.topics.items[page->reply.topics.count++];
    item->name = topic->name;
    item->topic_id = topic->id;
    item->is_internal = topic_name_is_internal(topic->name);
    item->topic_authorized_operations = API_TOPIC_OPERATIONS;
    if (!describe_topic_partitions_response_describe_topic_partitions_response_partition_array_new(
            &page->request->arena, shown, &item->partitions))
        return false;
    for (int32_t i = 0; i < shown; i++)
        if (!fill_partition(page, topic->partitions[begin + i], begin + i, &item->partitions.items[i]))
            return false;
    page->left -= shown;
    return shown == count || set_cursor(page, topic->name, begin + shown);
}

static bool add_missing(struct page *page, struct str name)
{
    if (page->left == 0)
        return set_cursor(page, name, 0);
    struct describe_topic_partitions_response_describe_topic_partitions_response_topic *item =
        &page->reply.topics.items[page->reply.topics.count++];
    struct diag reason;
    item->name = name;
    item->error_code = (int16_t)(topic_name_check(name, &reason) ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION
                                                                 : KAFKA_INVALID_TOPIC_EXCEPTION);
    item->topic_authorized_operations = API_TOPIC_OPERATIONS;
    return true;
}

static bool new_topics(struct page *page, int32_t count)
{
    if (!describe_topic_partitions_response_describe_topic_partitions_response_topic_array_new(
            &page->request->arena, count, &page->reply.topics))
        return false;
    page->reply.topics.count = 0;
    return true;
}

static bool add_all(struct page *page)
{
    const struct metadata_image *image = node_image(page->node);
    struct pmap_iter iter;
    if (!new_topics(page, (int32_t)metadata_image_topic_count(image)))
        return false;
    for (const struct metadata_topic *t = metadata_topic_first(image, page->from, &iter);
         t != NULL && !page->full; t = metadata_topic_next(&iter))
        if (!add_topic(page, t))
            return false;
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static bool add_listed(struct page *page, const struct describe_topic_partitions_request *body)
{
    int32_t count = body->topics.count;
    struct str *names = arena_new_array(&page->request->arena, (size_t)count, struct str);
    if (names == NULL || !new_topics(page, count))
        return false;
    for (int32_t i = 0; i < count; i++)
        names[i] = body->topics.items[i].name;
    qsort(names, (size_t)count, sizeof *names, compare_names);
    for (int32_t i = 0; i < count && !page->full; i++) {
        if ((i > 0 && str_equal(names[i], names[i - 1])) ||
            (page->from.data != NULL && str_compare(names[i], page->from) < 0))
            continue;
        const struct metadata_topic *topic = metadata_image_topic(node_image(page->node), names[i]);
        if (!(topic != NULL ? add_topic(page, topic) : add_missing(page, names[i])))
            return false;
    }
    return true;
}

// A cursor is what an earlier page ended with: a topic of the list, if there is one.
static bool cursor_is_valid(const struct describe_topic_partitions_request *body)
{
    if (body->cursor == NULL)
        return true;
    bool found = body->topics.count == 0;
    for (int32_t i = 0; i < body->topics.count && !found; i++)
        found = str_equal(body->topics.items[i].name, body->cursor->topic_name);
    return found && body->cursor->partition_index >= 0;
}

static bool refuse_all(struct page *page, const struct describe_topic_partitions_request *body)
{
    if (!new_topics(page, body->topics.count))
        return false;
    page->reply.topics.count = body->topics.count;
    for (int32_t i = 0; i < body->topics.count; i++) {
        page->reply.topics.items[i].name = body->topics.items[i].name;
        page->reply.topics.items[i].error_code = KAFKA_INVALID_REQUEST;
    }
    return true;
}

void api_describe_topic_partitions(struct node *n, struct request *r, const void *body)
{
    const struct describe_topic_partitions_request *request = body;
    struct page page = {.node = n, .request = r};
    describe_topic_partitions_response_init(&page.reply);
    int32_t limit = config_i32(n->config, "max.request.partition.size.limit");
    page.left = request->response_partition_limit < limit ? request->response_partition_limit : limit;
    if (page.left < 1)
        page.left = 1;
    if (request->cursor != NULL) {
        page.from = request->cursor->topic_name;
        page.from_index = request->cursor->partition_index;
    }
    bool done = !cursor_is_valid(request)    ? refuse_all(&page, request)
                : request->topics.count == 0 ? add_all(&page)
                                             : add_listed(&page, request);
    if (!done)
        api_no_memory(r);
    else
        request_reply(r, &page.reply);
}

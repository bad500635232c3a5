// SPDX-License-Identifier: Apache-2.0
//
// Metadata (key 3, versions 0-13): brokers, topics, and who leads what; creates topics that are asked
// for and missing, if `auto.create.topics.enable` and the client want it.
//   v0: an empty list asks for all topics; from v1 on null does. v4: the client may forbid creation.
//   v8: authorized operations. v10: topic ids in answers. v12: topics may be asked for by id.
//   v13: an error at the top.
//
// Where Kafka answers a first request for a missing topic with an error while the topic is being
// created, this waits for the creation, which takes about a millisecond, and answers in full.
#include "base/check.h"
#include "broker/api/api.h"
#include "broker/auto_create.h"
#include "broker/limits.h"
#include "broker/node.h"
#include "broker/request.h"
#include "config/config.h"
#include "metadata/image.h"
#include "wire/api/metadata.h"
#include "wire/errors.h"

struct metadata_op {
    struct auto_create create;
    struct node *node;
    struct request *request;
    const struct metadata_request *body;
};

static bool wants_all_topics(const struct request *r, const struct metadata_request *body)
{
    return body->topics.count < 0 || (body->topics.count == 0 && r->header.api_version == 0);
}

// --- Parts of the answer ---

static bool add_brokers(struct node *n, struct request *r, struct metadata_response *reply)
{
    const struct metadata_image *image = node_image(n);
    struct pmap_iter iter;
    if (!metadata_response_metadata_response_broker_array_new(
            &r->arena, metadata_image_broker_count(image), &reply->brokers))
        return false;
    reply->brokers.count = 0;
    for (const struct metadata_broker *b = metadata_broker_first(image, &iter); b != NULL;
         b = metadata_broker_next(&iter)) {
        struct api_endpoint endpoint;
        if (b->fenced || !api_endpoint_of(n, r, b, &endpoint))
            continue;
        struct metadata_response_metadata_response_broker *item =
            &reply->brokers.items[reply->brokers.count++];
        item->node_id = b->node.id;
        item->host = endpoint.host;
        item->port = endpoint.port;
        item->rack = b->rack;
    }
    return true;
}

static int partition_error(struct node *n, struct request *r, const struct metadata_partition *p)
{
    struct api_endpoint endpoint;
    const struct metadata_broker *leader =
        p->leader != NO_LEADER ? metadata_image_broker(node_image(n), p->leader) : NULL;
    if (leader == NULL || leader->fenced)
        return KAFKA_LEADER_NOT_AVAILABLE;
    return api_endpoint_of(n, r, leader, &endpoint) ? KAFKA_NONE : KAFKA_LISTENER_NOT_FOUND;
}

static bool fill_partition(struct node *n, struct request *r, const struct metadata_partition *p,
                           int32_t index,
                           struct metadata_response_metadata_response_partition *item)
{
    item->error_code = (int16_t)partition_error(n, r, p);
    item->partition_index = index;
    item->leader_id = item->error_code == KAFKA_NONE ? p->leader : NO_LEADER;
    item->leader_epoch = p->leader_epoch;
    return api_copy_replicas(r, p->replicas, &item->replica_nodes) &&
           api_copy_replicas(r, p->isr, &item->isr_nodes) &&
           api_offline_replicas(n, r, p, &item->offline_replicas);
}

static bool fill_topic(struct node *n, struct request *r, const struct metadata_request *body,
                       const struct metadata_topic *topic,
                       struct metadata_response_metadata_response_topic *item)
{
    item->name = topic->name;
    item->topic_id = topic->id;
    item->is_internal = topic_name_is_internal(topic->name);
    if (body->include_topic_authorized_operations)
        item->topic_authorized_operations = API_TOPIC_OPERATIONS;
    if (!metadata_response_metadata_response_partition_array_new(
            &r->arena, topic->partition_count, &item->partitions))
        return false;
    for (int32_t i = 0; i < topic->partition_count; i++)
        if (!fill_partition(n, r, topic->partitions[i], i, &item->partitions.items[i]))
            return false;
    return true;
}

// Why a topic that the client named is not there.
static int missing_error(const struct metadata_op *op, struct str name)
{
    struct diag reason;
    if (!topic_name_check(name, &reason))
        return KAFKA_INVALID_TOPIC_EXCEPTION;
    for (int32_t i = 0; i < op->create.answered.topics.count; i++)
        if (str_equal(op->create.answered.topics.items[i].name, name))
            return op->create.answered.topics.items[i].error_code == KAFKA_INVALID_TOPIC_EXCEPTION
                       ? KAFKA_INVALID_TOPIC_EXCEPTION
                       : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
}

static bool fill_asked(struct metadata_op *op, const struct metadata_request_metadata_request_topic *asked,
                       struct metadata_response_metadata_response_topic *item)
{
    const struct metadata_image *image = node_image(op->node);
    bool by_name = uuid_is_zero(asked->topic_id); // an id goes before a name
    const struct metadata_topic *topic = by_name && asked->name.data == NULL ? NULL
                                         : by_name ? metadata_image_topic(image, asked->name)
                                                 : metadata_image_topic_by_id(image, asked->topic_id);
    if (topic != NULL)
        return fill_topic(op->node, op->request, op->body, topic, item);
    item->name = asked->name;
    item->topic_id = asked->topic_id;
    item->error_code =
        (int16_t)(by_name ? missing_error(op, asked->name) : KAFKA_UNKNOWN_TOPIC_ID);
    return true;
}

static bool add_all_topics(struct metadata_op *op, struct metadata_response *reply)
{
    const struct metadata_image *image = node_image(op->node);
    struct pmap_iter iter;
    int32_t at = 0;
    if (!metadata_response_metadata_response_topic_array_new(
            &op->request->arena, (int32_t)metadata_image_topic_count(image), &reply->topics))
        return false;
    for (const struct metadata_topic *t = metadata_topic_first(image, (struct str){0}, &iter);
         t != NULL; t = metadata_topic_next(&iter))
        if (!fill_topic(op->node, op->request, op->body, t, &reply->topics.items[at++]))
            return false;
    return true;
}

static bool add_asked_topics(struct metadata_op *op, struct metadata_response *reply)
{
    if (!metadata_response_metadata_response_topic_array_new(
            &op->request->arena, op->body->topics.count, &reply->topics))
        return false;
    for (int32_t i = 0; i < op->body->topics.count; i++)
        if (!fill_asked(op, &op->body->topics.items[i], &reply->topics.items[i]))
            return false;
    return true;
}

static void answer(struct metadata_op *op)
{
    struct request *r = op->request;
    struct metadata_response reply;
    metadata_response_init(&reply);
    reply.cluster_id = str_from(op->node->cluster_id);
    reply.controller_id = quorum_leader_id(op->node->quorum);
    if (op->body->include_cluster_authorized_operations)
        reply.cluster_authorized_operations = API_CLUSTER_OPERATIONS;
    bool all = wants_all_topics(r, op->body);
    if (!add_brokers(op->node, r, &reply) ||
        !(all ? add_all_topics(op, &reply) : add_asked_topics(op, &reply)))
        api_no_memory(r);
    else
        request_reply(r, &reply);
}

// --- Creating what is missing ---

static void created(struct auto_create *create)
{
    answer(container_of(create, struct metadata_op, create));
}

static bool is_listed(const struct create_topics_request *create, struct str name)
{
    for (int32_t i = 0; i < create->topics.count; i++)
        if (str_equal(create->topics.items[i].name, name))
            return true;
    return false;
}

// Internal topics are made by their coordinators, with other settings than the defaults.
static bool should_create(const struct metadata_op *op, struct str name)
{
    struct diag reason;
    return name.data != NULL && !is_listed(&op->create.wanted, name) && topic_name_check(name, &reason) &&
           !topic_name_is_internal(name) &&
           metadata_image_topic(node_image(op->node), name) == NULL;
}

static bool list_missing(struct metadata_op *op)
{
    int32_t asked = op->body->topics.count;
    int32_t count_max = asked < AUTO_CREATE_TOPICS_MAX ? asked : AUTO_CREATE_TOPICS_MAX;
    if (!create_topics_request_creatable_topic_array_new(&op->request->arena, count_max,
                                                         &op->create.wanted.topics))
        return false;
    op->create.wanted.topics.count = 0;
    for (int32_t i = 0; i < asked && op->create.wanted.topics.count < count_max; i++) {
        struct str name = op->body->topics.items[i].name;
        if (!should_create(op, name))
            continue;
        struct create_topics_request_creatable_topic *item =
            &op->create.wanted.topics.items[op->create.wanted.topics.count++];
        item->name = name;
        item->num_partitions = -1;
        item->replication_factor = -1;
    }
    return true;
}

static bool may_create(const struct metadata_op *op)
{
    bool wanted = op->request->header.api_version < 4 || op->body->allow_auto_topic_creation;
    return wanted && !wants_all_topics(op->request, op->body) &&
           config_bool(op->node->config, "auto.create.topics.enable");
}

// Versions 10 and 11 have a field for ids that must not be used; see KAFKA-12701.
static bool is_valid(const struct request *r, const struct metadata_request *body)
{
    for (int32_t i = 0; i < body->topics.count; i++)
        if (r->header.api_version < 12 &&
            (!uuid_is_zero(body->topics.items[i].topic_id) || body->topics.items[i].name.data == NULL))
            return false;
    return true;
}

static void refuse(struct metadata_op *op)
{
    struct metadata_response reply;
    metadata_response_init(&reply);
    int32_t count = op->body->topics.count;
    if (!metadata_response_metadata_response_topic_array_new(&op->request->arena, count,
                                                             &reply.topics)) {
        api_no_memory(op->request);
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        struct str name = op->body->topics.items[i].name;
        reply.topics.items[i].name = name.data != NULL ? name : str_from("");
        reply.topics.items[i].topic_id = op->body->topics.items[i].topic_id;
        reply.topics.items[i].error_code = KAFKA_INVALID_REQUEST;
    }
    request_reply(op->request, &reply);
}

void api_metadata(struct node *n, struct request *r, const void *body)
{
    struct metadata_op *op = arena_new(&r->arena, struct metadata_op);
    if (op == NULL) {
        api_no_memory(r);
        return;
    }
    op->node = n;
    op->request = r;
    op->body = body;
    auto_create_init(&op->create, n, r, created);
    if (!is_valid(r, op->body)) {
        refuse(op);
    } else if (may_create(op) && !list_missing(op)) {
        api_no_memory(r);
    } else if (op->create.wanted.topics.count > 0) {
        auto_create_start(&op->create);
    } else {
        answer(op);
    }
}

// SPDX-License-Identifier: Apache-2.0
//
// FindCoordinator (key 10, versions 0-6): which broker coordinates a group. The partition of
// __consumer_offsets that a group's id points to has a leader: that one. The topic is created for the first
// group. Transactional ids and share groups have no coordinators yet: COORDINATOR_NOT_AVAILABLE, which
// clients take as "ask again later".
//   v1: key types. v4: a list of keys (KIP-699). v6: share partitions (KIP-932).
//
// Where Kafka answers a first request with an error while the topic is being created, this waits for the
// creation, which takes about a millisecond.
#include "base/check.h"
#include "broker/api/api.h"
#include "broker/auto_create.h"
#include "broker/coordinators.h"
#include "broker/node.h"
#include "broker/request.h"
#include "config/config.h"
#include "coordinator/coordinator.h"
#include "metadata/image.h"
#include "wire/api/find_coordinator.h"
#include "wire/errors.h"

enum {
    KEY_GROUP = 0,
    KEY_TRANSACTION = 1,
    KEY_SHARE = 2,
    VERSION_LIST = 4,  // from here on
    VERSION_SHARE = 6, // from here on
    NO_NODE = -1,
    NO_PORT = -1,
};

struct find_coordinator_op {
    struct auto_create create;
    struct node *node;
    struct request *request;
    const struct find_coordinator_request *body;
};

// ---- The answer ----

struct found {
    enum kafka_error error;
    int32_t node_id;
    struct api_endpoint endpoint;
};

static struct found find_group(const struct find_coordinator_op *op, struct str group_id)
{
    struct found none = {KAFKA_COORDINATOR_NOT_AVAILABLE, NO_NODE, {str_of("", 0), NO_PORT}};
    const struct metadata_image *image = node_image(op->node);
    const struct metadata_topic *topic = metadata_image_topic(image, str_from(GROUP_TOPIC));
    if (topic == NULL)
        return none;
    int32_t index = coordinator_partition_of(group_id, topic->partition_count);
    int32_t leader = topic->partitions[index]->leader;
    const struct metadata_broker *broker =
        leader == NO_LEADER ? NULL : metadata_image_broker(image, leader);
    struct found found = {KAFKA_NONE, leader, {str_of("", 0), NO_PORT}};
    if (broker == NULL || broker->fenced ||
        !api_endpoint_of(op->node, op->request, broker, &found.endpoint))
        return none;
    return found;
}

static struct found find(const struct find_coordinator_op *op, struct str key)
{
    int8_t type = op->body->key_type;
    int8_t type_max = op->request->header.api_version >= VERSION_SHARE ? KEY_SHARE : KEY_TRANSACTION;
    if (type == KEY_GROUP)
        return find_group(op, key);
    bool is_known = type > KEY_GROUP && type <= type_max;
    return (struct found){is_known ? KAFKA_COORDINATOR_NOT_AVAILABLE : KAFKA_INVALID_REQUEST, NO_NODE,
                          {str_of("", 0), NO_PORT}};
}

static void answer_one(const struct find_coordinator_op *op)
{
    struct find_coordinator_response reply;
    struct found found = find(op, op->body->key);
    find_coordinator_response_init(&reply);
    reply.error_code = (int16_t)found.error;
    reply.error_message = str_from(found.error == KAFKA_NONE ? "NONE" : kafka_error_text(found.error));
    reply.node_id = found.node_id;
    reply.host = found.endpoint.host;
    reply.port = found.endpoint.port;
    request_reply(op->request, &reply);
}

static void answer_list(const struct find_coordinator_op *op)
{
    struct find_coordinator_response reply;
    const struct wire_string_array *keys = &op->body->coordinator_keys;
    find_coordinator_response_init(&reply);
    if (!find_coordinator_response_coordinator_array_new(&op->request->arena, keys->count,
                                                         &reply.coordinators)) {
        api_no_memory(op->request);
        return;
    }
    for (int32_t i = 0; i < keys->count; i++) {
        struct find_coordinator_response_coordinator *c = &reply.coordinators.items[i];
        struct found found = find(op, keys->items[i]);
        c->key = keys->items[i];
        c->error_code = (int16_t)found.error;
        bool is_refused = found.error == KAFKA_INVALID_REQUEST; // Kafka has words for this alone
        c->error_message = is_refused ? str_from(kafka_error_text(found.error)) : str_of("", 0);
        c->node_id = found.node_id;
        c->host = found.endpoint.host;
        c->port = found.endpoint.port;
    }
    request_reply(op->request, &reply);
}

static void answer(const struct find_coordinator_op *op)
{
    if (op->request->header.api_version < VERSION_LIST)
        answer_one(op);
    else
        answer_list(op);
}

// ---- Creating the topic ----

// Whether it was created, here or by somebody else, shows in the image.
static void created(struct auto_create *create)
{
    answer(container_of(create, struct find_coordinator_op, create));
}

// offsets.topic.replication.factor, or as many as there are brokers: a small cluster has groups, too.
static int16_t replication_factor(const struct node *n)
{
    const struct metadata_image *image = node_image(n);
    struct pmap_iter iter;
    int32_t wanted = config_i32(n->config, "offsets.topic.replication.factor"), there = 0;
    for (const struct metadata_broker *b = metadata_broker_first(image, &iter); b != NULL;
         b = metadata_broker_next(&iter))
        there += !b->fenced;
    return (int16_t)(there > 0 && there < wanted ? there : wanted);
}

// As Kafka creates it.
static bool list_topic(struct find_coordinator_op *op)
{
    struct arena *arena = &op->request->arena;
    struct create_topics_request_creatable_topic_config_array configs;
    if (!create_topics_request_creatable_topic_array_new(arena, 1, &op->create.wanted.topics) ||
        !create_topics_request_creatable_topic_config_array_new(arena, 3, &configs))
        return false;
    configs.items[0].name = str_from("compression.type");
    configs.items[0].value = str_from("producer");
    configs.items[1].name = str_from("cleanup.policy");
    configs.items[1].value = str_from("compact");
    configs.items[2].name = str_from("segment.bytes");
    configs.items[2].value = str_from(config_text(op->node->config, "offsets.topic.segment.bytes"));
    struct create_topics_request_creatable_topic *topic = &op->create.wanted.topics.items[0];
    topic->name = str_from(GROUP_TOPIC);
    topic->num_partitions = config_i32(op->node->config, "offsets.topic.num.partitions");
    topic->replication_factor = replication_factor(op->node);
    topic->configs = configs;
    return true;
}

static bool needs_topic(const struct find_coordinator_op *op)
{
    bool has_keys = op->request->header.api_version < VERSION_LIST || op->body->coordinator_keys.count > 0;
    return op->body->key_type == KEY_GROUP && has_keys &&
           metadata_image_topic(node_image(op->node), str_from(GROUP_TOPIC)) == NULL;
}

void api_find_coordinator(struct node *n, struct request *r, const void *body)
{
    struct find_coordinator_op *op = arena_new(&r->arena, struct find_coordinator_op);
    if (op == NULL) {
        api_no_memory(r);
        return;
    }
    op->node = n;
    op->request = r;
    op->body = body;
    auto_create_init(&op->create, n, r, created);
    if (!needs_topic(op)) {
        answer(op);
    } else if (!list_topic(op)) {
        api_no_memory(r);
    } else {
        auto_create_start(&op->create);
    }
}

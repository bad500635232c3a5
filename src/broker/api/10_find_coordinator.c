// SPDX-License-Identifier: Apache-2.0
//
// FindCoordinator (key 10, versions 0-6): which broker coordinates a group or a transactional id. The
// partition of __consumer_offsets or __transaction_state that an id points to has a leader: that one. The
// topic is created for the first that asks. Share groups have no coordinators yet:
// COORDINATOR_NOT_AVAILABLE, which clients take as "ask again later".
//   v1: key types. v4: a list of keys (KIP-699). v6: share partitions (KIP-932).
//
// Where Kafka answers a first request with an error while the topic is being created, this waits for the
// creation, which takes about a millisecond.
#include <stdio.h>

#include "base/check.h"
#include "base/trace.h"
#include "broker/api/api.h"
#include "broker/auto_create.h"
#include "broker/coordinators.h"
#include "broker/node.h"
#include "broker/request.h"
#include "config/config.h"
#include "coordinator/coordinator.h"
#include "env/clock.h"
#include "env/env.h"
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

// Whose topic keys of this type are kept in; false: of none, yet.
static bool kind_of(int8_t key_type, enum coordinator_kind *kind)
{
    *kind = key_type == KEY_GROUP ? COORDINATOR_GROUP : COORDINATOR_TRANSACTION;
    return key_type == KEY_GROUP || key_type == KEY_TRANSACTION;
}

static const struct metadata_topic *topic_of(const struct find_coordinator_op *op,
                                             enum coordinator_kind kind)
{
    return metadata_image_topic(node_image(op->node), str_from(coordinator_kind_type(kind)->topic));
}

static struct found find_in(const struct find_coordinator_op *op, enum coordinator_kind kind,
                            struct str key)
{
    struct found none = {KAFKA_COORDINATOR_NOT_AVAILABLE, NO_NODE, {str_of("", 0), NO_PORT}};
    const struct metadata_image *image = node_image(op->node);
    const struct metadata_topic *topic = topic_of(op, kind);
    if (topic == NULL)
        return none;
    int32_t index = coordinator_partition_of(key, topic->partition_count);
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
    enum coordinator_kind kind;
    if (kind_of(type, &kind))
        return find_in(op, kind, key);
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

static const int64_t WARN_INTERVAL_NS = INT64_C(60000000000);

// Clients ask again all the time: the operator hears of it once in a while.
static void warn_of_failure(struct node *n, const struct create_topics_response *answered)
{
    int64_t now_ns = env_mono_ns(n->env->clock);
    bool is_known = n->no_coordinator_warned_ns != 0 &&
                    now_ns - n->no_coordinator_warned_ns < WARN_INTERVAL_NS;
    if (answered->topics.count == 0 || is_known)
        return;
    const struct create_topics_response_creatable_topic_result *topic = &answered->topics.items[0];
    if (topic->error_code == KAFKA_NONE || topic->error_code == KAFKA_TOPIC_ALREADY_EXISTS)
        return;
    n->no_coordinator_warned_ns = now_ns;
    trace_warn(n->trace, "coordinator",
               "%.*s cannot be created, so clients get COORDINATOR_NOT_AVAILABLE: %s: %.*s",
               STR_ARG(topic->name), kafka_error_name(topic->error_code), STR_ARG(topic->error_message));
}

// Whether it was created, here or by somebody else, shows in the image.
static void created(struct auto_create *create)
{
    warn_of_failure(create->node, &create->answered);
    answer(container_of(create, struct find_coordinator_op, create));
}

// As many as the setting says, or as there are brokers: a small cluster has coordinators, too.
static int16_t replication_factor(const struct node *n, const char *key)
{
    const struct metadata_image *image = node_image(n);
    struct pmap_iter iter;
    int32_t wanted = config_i32(n->config, key), there = 0;
    for (const struct metadata_broker *b = metadata_broker_first(image, &iter); b != NULL;
         b = metadata_broker_next(&iter))
        there += !b->fenced;
    return (int16_t)(there > 0 && there < wanted ? there : wanted);
}

enum { TOPIC_CONFIGS_MAX = 5, NUMBER_MAX = 12 };

// Topics as Kafka creates them.
struct topic_settings {
    const char *partitions_key;
    const char *replication_factor_key;
    struct {
        const char *name;
        const char *value; // or the setting that has it:
        const char *key;
    } configs[TOPIC_CONFIGS_MAX];
};

static const struct topic_settings topic_settings[COORDINATOR_KINDS] = {
    [COORDINATOR_GROUP] = {
        "offsets.topic.num.partitions",
        "offsets.topic.replication.factor",
        {{"compression.type", "producer", NULL},
         {"cleanup.policy", "compact", NULL},
         {"segment.bytes", NULL, "offsets.topic.segment.bytes"}},
    },
    [COORDINATOR_TRANSACTION] = {
        "transaction.state.log.num.partitions",
        "transaction.state.log.replication.factor",
        {{"compression.type", "uncompressed", NULL},
         {"cleanup.policy", "compact", NULL},
         {"unclean.leader.election.enable", "false", NULL},
         {"segment.bytes", NULL, "transaction.state.log.segment.bytes"},
         {"min.insync.replicas", NULL, "transaction.state.log.min.isr"}},
    },
};

static bool list_configs(struct find_coordinator_op *op, const struct topic_settings *settings,
                         struct create_topics_request_creatable_topic *topic)
{
    struct arena *arena = &op->request->arena;
    struct create_topics_request_creatable_topic_config_array configs;
    int32_t count = 0;
    while (count < TOPIC_CONFIGS_MAX && settings->configs[count].name != NULL)
        count++;
    if (!create_topics_request_creatable_topic_config_array_new(arena, count, &configs))
        return false;
    for (int32_t i = 0; i < count; i++) {
        const char *key = settings->configs[i].key;
        configs.items[i].name = str_from(settings->configs[i].name);
        configs.items[i].value = str_from(key == NULL ? settings->configs[i].value
                                                      : config_text(op->node->config, key));
    }
    topic->configs = configs;
    return true;
}

// With fewer replicas than it wants, fewer need to be in sync.
static bool limit_min_isr(struct find_coordinator_op *op, const char *key,
                          struct create_topics_request_creatable_topic *topic)
{
    struct create_topics_request_creatable_topic_config *config =
        &topic->configs.items[topic->configs.count - 1];
    if (config_i32(op->node->config, key) <= topic->replication_factor)
        return true;
    char text[NUMBER_MAX];
    snprintf(text, sizeof text, "%d", topic->replication_factor);
    config->value = arena_copy_str(&op->request->arena, str_from(text));
    return config->value.data != NULL;
}

static bool list_topic(struct find_coordinator_op *op, enum coordinator_kind kind)
{
    const struct topic_settings *settings = &topic_settings[kind];
    if (!create_topics_request_creatable_topic_array_new(&op->request->arena, 1,
                                                         &op->create.wanted.topics))
        return false;
    struct create_topics_request_creatable_topic *topic = &op->create.wanted.topics.items[0];
    topic->name = str_from(coordinator_kind_type(kind)->topic);
    topic->num_partitions = config_i32(op->node->config, settings->partitions_key);
    topic->replication_factor = replication_factor(op->node, settings->replication_factor_key);
    return list_configs(op, settings, topic) &&
           (kind != COORDINATOR_TRANSACTION ||
            limit_min_isr(op, "transaction.state.log.min.isr", topic));
}

static bool needs_topic(const struct find_coordinator_op *op, enum coordinator_kind *kind)
{
    bool has_keys = op->request->header.api_version < VERSION_LIST || op->body->coordinator_keys.count > 0;
    return has_keys && kind_of(op->body->key_type, kind) && topic_of(op, *kind) == NULL;
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
    enum coordinator_kind kind;
    if (!needs_topic(op, &kind)) {
        answer(op);
    } else if (!list_topic(op, kind)) {
        api_no_memory(r);
    } else {
        auto_create_start(&op->create);
    }
}

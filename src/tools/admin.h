// SPDX-License-Identifier: Apache-2.0
//
// What several commands ask of a cluster: topics with their partitions and configurations, and the
// four changes of topics. Blocking calls over a driver; results keep the answers they point into.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "client/client.h"
#include "wire/api/describe_configs.h"
#include "wire/wire.h"

struct driver;

// Kinds of resources that have configurations. FROZEN by the protocol.
enum admin_resource {
    RESOURCE_TOPIC = 2,
    RESOURCE_BROKER = 4,
    RESOURCE_BROKER_LOGGER = 8,
    RESOURCE_CLIENT_METRICS = 16,
    RESOURCE_GROUP = 32,
};

// Where the value of a configuration comes from. FROZEN by the protocol.
enum admin_source {
    SOURCE_UNKNOWN = 0,
    SOURCE_TOPIC = 1,
    SOURCE_BROKER = 2,
    SOURCE_BROKER_DEFAULT = 3,
    SOURCE_STATIC = 4,
    SOURCE_DEFAULT = 5,
    SOURCE_BROKER_LOGGER = 6,
    SOURCE_CLIENT_METRICS = 7,
    SOURCE_GROUP = 8,
};

// "DYNAMIC_TOPIC_CONFIG" for example, as Kafka's tools print it.
const char *config_source_name(int8_t source);

struct admin_partition {
    int32_t index;
    int32_t leader; // -1 = none
    int32_t leader_epoch;
    int16_t error;
    struct wire_int32_array replicas;
    struct wire_int32_array isr;
    struct wire_int32_array elr;            // count -1 = the broker does not say
    struct wire_int32_array last_known_elr; // as above
};

struct admin_topic {
    struct str name;
    struct uuid id;
    bool internal;
    int16_t error;
    struct admin_partition *partitions; // in order of index
    int partition_count;
    const struct describe_configs_response_describe_configs_result *configs; // NULL = not asked
};

struct admin_topics {
    struct admin_topic *items; // in order of name
    int count;
    struct client_answer *answers; // what the views are of
    int answer_count;
};

// All topics, without partitions' ELRs and without configurations.
int admin_topics_list(struct driver *d, struct admin_topics *out);

// These topics; one that does not exist has its error set. `page` partitions per answer, 0 = 2000.
int admin_topics_describe(struct driver *d, const struct str *names, int count, bool with_configs,
                          int32_t page, struct admin_topics *out);
void admin_topics_release(struct admin_topics *t);

const struct admin_topic *admin_topics_find(const struct admin_topics *t, struct str name);

struct admin_config {
    struct str name;
    struct str value; // null = delete
};

struct admin_new_topic {
    struct str name;
    int32_t partition_count;    // -1 = the cluster's default
    int16_t replication_factor; // -1 = the cluster's default
    const struct admin_config *configs;
    int config_count;
    const struct wire_int32_array *assignment; // brokers by partition, NULL = chosen by the cluster
    int assignment_count;
    bool validate_only;
};

// What became of one change: the error code and the broker's words (empty = none).
struct admin_result {
    int16_t code;
    char message[512];
    struct uuid id;             // of a created topic
    int32_t partition_count;    // of a created topic, -1 = not said
    int32_t replication_factor; // of a created topic, -1 = not said
};

int admin_topic_create(struct driver *d, const struct admin_new_topic *topic, struct admin_result *out);
int admin_topic_delete(struct driver *d, struct str name, struct admin_result *out);
// Deletes all of them at once; codes[i] says what became of each.
int admin_topics_delete(struct driver *d, const struct str *names, int count, int16_t *codes);
int admin_topic_grow(struct driver *d, struct str name, int32_t partition_count,
                     const struct wire_int32_array *assignment, int assignment_count,
                     struct admin_result *out);

// Operations of IncrementalAlterConfigs. FROZEN by the protocol.
enum config_operation { CONFIG_SET = 0, CONFIG_DELETE = 1, CONFIG_APPEND = 2, CONFIG_SUBTRACT = 3 };

struct admin_config_change {
    struct str name;
    struct str value;
    enum config_operation operation;
};

// `node` is CLIENT_NODE_ANY, but for a broker's own resources its id.
int admin_configs_alter(struct driver *d, enum admin_resource type, struct str name, int32_t node,
                        const struct admin_config_change *changes, int count,
                        struct admin_result *out);

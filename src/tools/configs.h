// SPDX-License-Identifier: Apache-2.0
//
// Configurations of one resource, for `chitin config` and kafka-configs.
#pragma once

#include "tools/admin.h"

struct tool;

// The node that has to be asked about a resource: a broker about itself, any node otherwise.
int32_t config_node(enum admin_resource type, struct str name);

// Asks. 0 and *out is a DescribeConfigs answer with one result (release it), or an error.
int configs_read(struct driver *d, enum admin_resource type, struct str name, bool synonyms,
                 struct client_answer *out);

// One configuration of a result: views of the answer.
struct config_entry {
    struct str name;
    struct str value; // null when it is sensitive
    int8_t source;    // enum admin_source
    bool sensitive;
    bool read_only;
    const struct describe_configs_response_describe_configs_synonym *synonyms;
    int synonym_count;
};

// The entries of a result by name, result->configs.count of them; free the list with mem_free().
struct config_entry *
configs_sorted(const struct describe_configs_response_describe_configs_result *result);

// The same as the broker sent them.
struct config_entry *
configs_list(const struct describe_configs_response_describe_configs_result *result);

// Makes the topology of brokers known, which asking a broker by its id needs; 0 or an exit status.
int configs_prepare(struct tool *t, enum admin_resource type, struct str name);

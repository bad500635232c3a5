// SPDX-License-Identifier: Apache-2.0
#include "tools/configs.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "tools/common.h"
#include "wire/api_keys.h"

int32_t config_node(enum admin_resource type, struct str name)
{
    int32_t id;
    bool broker = type == RESOURCE_BROKER || type == RESOURCE_BROKER_LOGGER;
    return broker && str_parse_i32(name, &id) ? id : CLIENT_NODE_ANY;
}

int configs_prepare(struct tool *t, enum admin_resource type, struct str name)
{
    int32_t node = config_node(type, name);
    if (node == CLIENT_NODE_ANY)
        return EXIT_OK;
    int err = driver_wait_topology(t->driver);
    if (err < 0)
        return tool_fail_call(t, err);
    if (topology_node(client_topology(driver_client(t->driver)), node) == NULL)
        return tool_fail(t, EXIT_NOT_FOUND, "there is no broker %d", node);
    return EXIT_OK;
}

int configs_read(struct driver *d, enum admin_resource type, struct str name, bool synonyms,
                 struct client_answer *out)
{
    struct describe_configs_request_describe_configs_resource resource;
    describe_configs_request_describe_configs_resource_init(&resource);
    resource.resource_type = (int8_t)type;
    resource.resource_name = name;
    resource.configuration_keys.count = -1;
    struct describe_configs_request body;
    describe_configs_request_init(&body);
    body.resources.items = &resource;
    body.resources.count = 1;
    body.include_synonyms = synonyms;
    int err = driver_call(d, API_DESCRIBE_CONFIGS, config_node(type, name), &body, out);
    if (err == 0 && ((const struct describe_configs_response *)out->response)->results.count != 1) {
        client_answer_release(out);
        err = ERR_CORRUPT;
    }
    return err;
}

struct config_entry *
configs_list(const struct describe_configs_response_describe_configs_result *result)
{
    int count = result->configs.count > 0 ? result->configs.count : 0;
    struct config_entry *list = mem_alloc_array((size_t)count + 1, sizeof *list);
    for (int i = 0; i < count; i++) {
        const struct describe_configs_response_describe_configs_resource_result *from =
            &result->configs.items[i];
        list[i] = (struct config_entry){
            .name = from->name,
            .value = from->is_sensitive ? (struct str){0} : from->value,
            .source = from->config_source,
            .sensitive = from->is_sensitive,
            .read_only = from->read_only,
            .synonyms = from->synonyms.items,
            .synonym_count = from->synonyms.count,
        };
    }
    return list;
}

static int compare_entries(const void *a, const void *b)
{
    return str_compare(((const struct config_entry *)a)->name,
                       ((const struct config_entry *)b)->name);
}

struct config_entry *
configs_sorted(const struct describe_configs_response_describe_configs_result *result)
{
    struct config_entry *list = configs_list(result);
    if (result->configs.count > 0)
        qsort(list, (size_t)result->configs.count, sizeof *list, compare_entries);
    return list;
}

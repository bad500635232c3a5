// SPDX-License-Identifier: Apache-2.0
//
// ListConfigResources (key 74, versions 0-1; KIP-1142): names of what can be configured. Version 0
// was ListClientMetricsResources (KIP-714) and lists those alone.
#include "broker/api/api.h"
#include "broker/node.h"
#include "broker/request.h"
#include "metadata/image.h"
#include "wire/api/list_config_resources.h"
#include "wire/errors.h"

struct listing {
    struct node *node;
    struct request *request;
    struct list_config_resources_response_config_resource *items; // NULL: only count
    int32_t count;
};

static void add(struct listing *l, enum config_resource type, struct str name)
{
    if (l->items != NULL) {
        l->items[l->count].resource_type = (int8_t)type;
        l->items[l->count].resource_name = name;
    }
    l->count++;
}

static void add_topics(struct listing *l)
{
    struct pmap_iter iter;
    for (const struct metadata_topic *t =
             metadata_topic_first(node_image(l->node), (struct str){0}, &iter);
         t != NULL; t = metadata_topic_next(&iter))
        add(l, CONFIG_RESOURCE_TOPIC, t->name);
}

static void add_brokers(struct listing *l, enum config_resource type)
{
    struct pmap_iter iter;
    for (const struct metadata_broker *b = metadata_broker_first(node_image(l->node), &iter);
         b != NULL; b = metadata_broker_next(&iter)) {
        char text[16];
        struct buf out;
        buf_init(&out, sizeof text);
        buf_printf(&out, "%d", b->node.id);
        add(l, type, arena_copy_str(&l->request->arena, buf_str(&out)));
        buf_release(&out);
    }
}

// Resources that exist because something was set for them.
static void add_configured(struct listing *l, enum config_resource type)
{
    struct pmap_iter iter;
    for (const struct metadata_configs *c =
             metadata_configs_first(node_image(l->node), type, &iter);
         c != NULL; c = metadata_configs_next(&iter, type))
        add(l, type, c->resource_name);
}

static bool wants(const struct request *r, const struct list_config_resources_request *body,
                  enum config_resource type)
{
    if (r->header.api_version == 0)
        return type == CONFIG_RESOURCE_CLIENT_METRICS;
    if (body->resource_types.count == 0)
        return true;
    for (int32_t i = 0; i < body->resource_types.count; i++)
        if (body->resource_types.items[i] == (int8_t)type)
            return true;
    return false;
}

static void add_all(struct listing *l, const struct list_config_resources_request *body)
{
    const struct request *r = l->request;
    l->count = 0;
    if (wants(r, body, CONFIG_RESOURCE_GROUP))
        add_configured(l, CONFIG_RESOURCE_GROUP);
    if (wants(r, body, CONFIG_RESOURCE_CLIENT_METRICS))
        add_configured(l, CONFIG_RESOURCE_CLIENT_METRICS);
    if (wants(r, body, CONFIG_RESOURCE_BROKER_LOGGER))
        add_brokers(l, CONFIG_RESOURCE_BROKER_LOGGER);
    if (wants(r, body, CONFIG_RESOURCE_BROKER))
        add_brokers(l, CONFIG_RESOURCE_BROKER);
    if (wants(r, body, CONFIG_RESOURCE_TOPIC))
        add_topics(l);
}

static bool is_known(int8_t type)
{
    return type == CONFIG_RESOURCE_TOPIC || type == CONFIG_RESOURCE_BROKER ||
           type == CONFIG_RESOURCE_BROKER_LOGGER || type == CONFIG_RESOURCE_CLIENT_METRICS ||
           type == CONFIG_RESOURCE_GROUP;
}

void api_list_config_resources(struct node *n, struct request *r, const void *body)
{
    const struct list_config_resources_request *request = body;
    struct list_config_resources_response reply;
    struct listing listing = {.node = n, .request = r};
    list_config_resources_response_init(&reply);
    for (int32_t i = 0; i < request->resource_types.count; i++)
        if (!is_known(request->resource_types.items[i]))
            reply.error_code = KAFKA_UNSUPPORTED_VERSION;
    if (reply.error_code == KAFKA_NONE) {
        add_all(&listing, request);
        if (!list_config_resources_response_config_resource_array_new(&r->arena, listing.count,
                                                                      &reply.config_resources)) {
            api_no_memory(r);
            return;
        }
        listing.items = reply.config_resources.items;
        add_all(&listing, request);
    }
    request_reply(r, &reply);
}

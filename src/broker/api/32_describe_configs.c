// SPDX-License-Identifier: Apache-2.0
//
// DescribeConfigs (key 32, versions 1-4; KIP-133, KIP-226, KIP-569): the settings of topics, groups
// and this broker, with where each value comes from.
//   v1: source and synonyms. v3: type and documentation.
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/node.h"
#include "broker/request.h"
#include "config/config.h"
#include "metadata/image.h"
#include "wire/api/describe_configs.h"
#include "wire/errors.h"

struct describing {
    struct node *node;
    struct request *request;
    const struct describe_configs_request *body;
    const struct describe_configs_request_describe_configs_resource *asked;
    struct describe_configs_response_describe_configs_result *result;
    const struct properties *overrides; // of the topic or group
    bool only_dynamic;                  // cluster defaults: what was set there alone
};

static bool is_asked(const struct describing *d, const char *name)
{
    const struct wire_string_array *keys = &d->asked->configuration_keys;
    if (keys->count <= 0)
        return true; // null and empty both mean all
    for (int32_t i = 0; i < keys->count; i++)
        if (str_is(keys->items[i], name))
            return true;
    return false;
}

static struct str copy_text(struct request *r, const char *text)
{
    return text != NULL ? arena_copy_str(&r->arena, str_from(text)) : (struct str){0};
}

static bool fill_synonyms(const struct describing *d, const struct config_view *view,
                          struct describe_configs_response_describe_configs_resource_result *out)
{
    if (!d->body->include_synonyms)
        return true;
    if (!describe_configs_response_describe_configs_synonym_array_new(
            &d->request->arena, view->synonym_count, &out->synonyms))
        return false;
    for (int i = 0; i < view->synonym_count; i++) {
        out->synonyms.items[i].name = copy_text(d->request, view->synonyms[i].name);
        out->synonyms.items[i].value = copy_text(d->request, view->synonyms[i].value);
        out->synonyms.items[i].source = (int8_t)view->synonyms[i].source;
    }
    return true;
}

// Values are copied: the configuration may change before the answer has been encoded.
static bool add_view(struct describing *d, const struct config_view *view)
{
    struct request *r = d->request;
    struct describe_configs_response_describe_configs_resource_result *out =
        &d->result->configs.items[d->result->configs.count++];
    out->name = copy_text(r, view->name);
    out->value = copy_text(r, view->value);
    out->read_only = view->read_only;
    out->config_source = (int8_t)view->source;
    out->is_sensitive = view->sensitive;
    out->config_type = (int8_t)config_key_type(view->key);
    out->documentation =
        d->body->include_documentation ? str_from(config_key_doc(view->key)) : (struct str){0};
    return out->name.data != NULL && fill_synonyms(d, view, out);
}

// broker.id is the old name of node.id, and says the same where only node.id is set.
static int describe_broker_id(const struct describing *d, struct config_view *view)
{
    struct config_view node_id;
    int err = config_describe(d->node->config, "node.id", &node_id);
    if (err == ERR_OK && view->source == CONFIG_SOURCE_DEFAULT) {
        view->source = node_id.source;
        view->value = node_id.value;
    }
    return err;
}

// The defaults of the cluster are what was set for all brokers, and nothing above or below that.
static void keep_cluster_default(struct config_view *view)
{
    struct str own = str_from(view->name), base = str_from(config_key_name(view->key));
    int kept = 0;
    view->source = CONFIG_SOURCE_DEFAULT;
    for (int i = 0; i < view->synonym_count; i++) {
        const struct config_synonym *s = &view->synonyms[i];
        // For a listener: what it has itself, then what all have.
        if (s->source == CONFIG_SOURCE_BROKER_DEFAULT &&
            (str_is(own, s->name) || (kept > 0 && str_is(base, s->name))))
            view->synonyms[kept++] = *s;
    }
    view->synonym_count = kept;
    if (kept > 0) {
        view->source = CONFIG_SOURCE_BROKER_DEFAULT;
        view->value = view->synonyms[0].value;
    }
}

static int view_of(const struct describing *d, enum config_scope scope, const char *name,
                   struct config_view *view)
{
    if (scope == CONFIG_TOPIC)
        return config_describe_topic(d->node->config, d->overrides, name, &d->request->arena, view);
    if (scope == CONFIG_GROUP)
        return config_describe_group(d->node->config, d->overrides, name, &d->request->arena, view);
    int err = config_describe(d->node->config, name, view);
    if (err == ERR_OK && d->only_dynamic)
        keep_cluster_default(view);
    if (err == ERR_OK && str_is(str_from(name), "broker.id"))
        err = describe_broker_id(d, view);
    return err;
}

static bool add_key(struct describing *d, enum config_scope scope, const char *name)
{
    struct config_view view;
    if (!is_asked(d, name) || view_of(d, scope, name, &view) != ERR_OK ||
        (d->only_dynamic && view.source != CONFIG_SOURCE_BROKER_DEFAULT))
        return true;
    return add_view(d, &view);
}

static bool add_keys(struct describing *d, enum config_scope scope)
{
    int count = config_key_count(scope), listener_count = 0;
    const char **names;
    if (scope == CONFIG_BROKER)
        listener_count = config_listener_names(d->node->config, &d->request->arena, &names);
    if (listener_count < 0 ||
        !describe_configs_response_describe_configs_resource_result_array_new(
            &d->request->arena, count + listener_count, &d->result->configs))
        return false;
    d->result->configs.count = 0;
    for (int i = 0; i < count; i++) {
        const struct config_key *key = config_key_at(scope, i);
        if (!config_key_is_internal(key) && !add_key(d, scope, config_key_name(key)))
            return false;
    }
    for (int i = 0; i < listener_count; i++)
        if (!add_key(d, scope, names[i]))
            return false;
    return true;
}

static bool fail(struct describing *d, int kafka_error, const char *message)
{
    d->result->error_code = (int16_t)kafka_error;
    d->result->error_message = copy_text(d->request, message);
    return d->result->error_message.data != NULL;
}

static bool describe_topic(struct describing *d)
{
    const struct metadata_image *image = node_image(d->node);
    struct diag reason;
    if (!topic_name_check(d->asked->resource_name, &reason)) {
        diag_prefix(&reason, "Topic name is invalid");
        return fail(d, KAFKA_INVALID_TOPIC_EXCEPTION, reason.text);
    }
    if (metadata_image_topic(image, d->asked->resource_name) == NULL)
        return fail(d, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, "");
    d->overrides = metadata_image_configs(image, CONFIG_RESOURCE_TOPIC, d->asked->resource_name);
    return add_keys(d, CONFIG_TOPIC);
}

static bool describe_broker(struct describing *d)
{
    int32_t id;
    if (d->asked->resource_name.size == 0) {
        d->only_dynamic = true;
        return add_keys(d, CONFIG_BROKER);
    }
    if (!str_parse_i32(d->asked->resource_name, &id)) {
        return fail(d, KAFKA_INVALID_REQUEST, "Broker id must be an integer");
    }
    if (id != d->node->node_id)
        return fail(d, KAFKA_INVALID_REQUEST,
                    "Unexpected broker id: a broker describes only itself and the cluster's "
                    "defaults (the empty name)");
    return add_keys(d, CONFIG_BROKER);
}

static bool describe_group(struct describing *d)
{
    if (d->asked->resource_name.size == 0)
        return fail(d, KAFKA_INVALID_REQUEST, "Group name must not be empty");
    d->overrides =
        metadata_image_configs(node_image(d->node), CONFIG_RESOURCE_GROUP, d->asked->resource_name);
    return add_keys(d, CONFIG_GROUP);
}

static bool describe(struct describing *d)
{
    d->result->resource_type = d->asked->resource_type;
    d->result->resource_name = d->asked->resource_name;
    d->result->error_message = str_from("");
    switch (d->asked->resource_type) {
    case CONFIG_RESOURCE_TOPIC: return describe_topic(d);
    case CONFIG_RESOURCE_BROKER: return describe_broker(d);
    case CONFIG_RESOURCE_GROUP: return describe_group(d);
    default: return fail(d, KAFKA_INVALID_REQUEST, "Unsupported resource type");
    }
}

void api_describe_configs(struct node *n, struct request *r, const void *body)
{
    const struct describe_configs_request *request = body;
    struct describe_configs_response reply;
    describe_configs_response_init(&reply);
    bool ok = describe_configs_response_describe_configs_result_array_new(
        &r->arena, request->resources.count, &reply.results);
    for (int32_t i = 0; ok && i < request->resources.count; i++) {
        struct describing d = {
            .node = n,
            .request = r,
            .body = request,
            .asked = &request->resources.items[i],
            .result = &reply.results.items[i],
        };
        ok = describe(&d);
    }
    if (ok)
        request_reply(r, &reply);
    else
        api_no_memory(r);
}

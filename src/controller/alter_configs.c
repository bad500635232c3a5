// SPDX-License-Identifier: Apache-2.0
//
// IncrementalAlterConfigs (44) and AlterConfigs (33): settings of topics, groups and brokers. Both come
// down to what a resource shall have set afterwards; that is validated as a whole, and what differs is
// written. A resource changes completely or not at all.
#include "base/check.h"
#include "base/err.h"
#include "config/config.h"
#include "config/group_config.h"
#include "config/topic_config.h"
#include "controller/internal.h"
#include "wire/api/alter_configs.h"
#include "wire/api/incremental_alter_configs.h"
#include "wire/record/clear_elr_record.h"
#include "wire/record/config_record.h"

enum alter_op { OP_SET = 0, OP_DELETE = 1, OP_APPEND = 2, OP_SUBTRACT = 3 };

enum { LIST_SIZE_MAX = 64 * 1024 };

static const char min_isr_name[] = "min.insync.replicas";

// One resource of a request.
struct alteration {
    struct controller *c;
    struct controller_command *cmd;
    int8_t type;
    struct str resource;
    const struct properties *before; // may be NULL
    struct properties after;
    struct names *touched; // names that the request sets, for brokers, which are always written
};

static const char *value_before(const struct alteration *x, const char *name)
{
    return x->before != NULL ? properties_get(x->before, name) : NULL;
}

static enum config_scope scope_of(int8_t type)
{
    return type == CONFIG_RESOURCE_TOPIC   ? CONFIG_TOPIC
           : type == CONFIG_RESOURCE_GROUP ? CONFIG_GROUP
                                           : CONFIG_BROKER;
}

// --- What the resource may be ---

static bool broker_name_check(const struct alteration *x, struct api_error *e)
{
    int32_t id;
    if (x->resource.size == 0)
        return true; // all brokers
    if (!str_parse_i32(x->resource, &id))
        return api_fail(e, KAFKA_INVALID_REQUEST,
                        "Unable to parse broker name as a base 10 number.");
    if (id < 0)
        return api_fail(e, KAFKA_INVALID_REQUEST, "Invalid negative broker ID.");
    return true;
}

static bool topic_resource_name_check(const struct alteration *x, struct api_error *e)
{
    struct diag reason;
    if (x->resource.size == 0)
        return api_fail(e, KAFKA_INVALID_REQUEST, "Default topic resources are not allowed.");
    if (!topic_name_check(x->resource, &reason))
        return api_fail(e, KAFKA_INVALID_TOPIC_EXCEPTION, "Topic name is invalid: %s", reason.text);
    return true;
}

static bool resource_check(const struct alteration *x, struct api_error *e)
{
    switch (x->type) {
    case CONFIG_RESOURCE_TOPIC:
        return topic_resource_name_check(x, e);
    case CONFIG_RESOURCE_BROKER:
        return broker_name_check(x, e);
    case CONFIG_RESOURCE_BROKER_LOGGER:
        return api_fail(e, KAFKA_INVALID_REQUEST, "Unknown resource type BROKER_LOGGER");
    case CONFIG_RESOURCE_GROUP: // it need not be there
        return x->resource.size > 0 ||
               api_fail(e, KAFKA_INVALID_REQUEST, "Default group resources are not allowed.");
    case CONFIG_RESOURCE_CLIENT_METRICS: // as a broker that does not have this type
        return api_fail(e, KAFKA_UNSUPPORTED_VERSION, "Unknown resource type %d.", x->type);
    default:
        return api_fail(e, KAFKA_INVALID_REQUEST, "Unknown resource type %d", x->type);
    }
}

// Looked at after the values, as in Kafka: a bad value for a topic that is not there is a bad value.
static bool resource_exists(const struct alteration *x, struct api_error *e)
{
    int32_t id = -1;
    if (x->type == CONFIG_RESOURCE_TOPIC && metadata_image_topic(x->cmd->image, x->resource) == NULL)
        return api_fail(e, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, "The topic '%.*s' does not exist.",
                        STR_ARG(x->resource));
    if (x->type == CONFIG_RESOURCE_BROKER && str_parse_i32(x->resource, &id) &&
        metadata_image_broker(x->cmd->image, id) == NULL &&
        metadata_image_controller(x->cmd->image, id) == NULL)
        return api_fail(e, KAFKA_BROKER_ID_NOT_REGISTERED, "No node with id %d found.", id);
    return true;
}

// --- What the values may be ---

static bool topic_values_check(const struct alteration *x, struct api_error *e)
{
    struct diag reason;
    diag_clear(&reason);
    if (topic_config_validate(x->c->config, &x->after, &reason) != 0)
        return api_fail(e, KAFKA_INVALID_CONFIG, "%s", reason.text);
    return true;
}

static bool group_values_check(const struct alteration *x, struct api_error *e)
{
    struct diag reason;
    diag_clear(&reason);
    if (group_config_validate(x->c->config, &x->after, &reason) != 0)
        return api_fail(e, KAFKA_INVALID_CONFIG, "%s", reason.text);
    return true;
}

// Only what changes is looked at: a cluster that was upgraded may hold what this release refuses.
static bool broker_values_check(const struct alteration *x, struct api_error *e)
{
    enum config_source layer =
        x->resource.size > 0 ? CONFIG_SOURCE_BROKER : CONFIG_SOURCE_BROKER_DEFAULT;
    for (int i = 0; i < x->after.count; i++) {
        struct str name = str_from(x->after.items[i].key), value = str_from(x->after.items[i].value);
        const char *before = value_before(x, name.data);
        struct diag reason;
        diag_clear(&reason);
        if (before != NULL && str_is(value, before))
            continue;
        int err = config_validate_dynamic(layer, name, value, &reason);
        if (err != 0)
            return api_fail(e, err == ERR_NOT_FOUND ? KAFKA_INVALID_CONFIG : KAFKA_INVALID_REQUEST,
                            "%s", reason.text);
    }
    struct diag conflict;
    if (config_validate_layer(x->c->config, layer, &x->after, &conflict) != 0)
        return api_fail(e, KAFKA_INVALID_REQUEST, "%s", conflict.text);
    return true;
}

// With eligible leader replicas the cluster's own min.insync.replicas is what the controller counts
// with (KIP-966).
static bool min_isr_check(const struct alteration *x, struct api_error *e)
{
    if (x->type != CONFIG_RESOURCE_BROKER || !command_has_elr(x->cmd))
        return true;
    const char *after = properties_get(&x->after, min_isr_name);
    const char *before = value_before(x, min_isr_name);
    if (x->resource.size > 0 && after != NULL)
        return api_fail(e, KAFKA_INVALID_CONFIG,
                        "Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
    if (x->resource.size == 0 && after == NULL && before != NULL)
        return api_fail(e, KAFKA_INVALID_CONFIG,
                        "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.");
    return true;
}

// --- Records ---

static bool config_emit(const struct alteration *x, struct str name, struct str value,
                        struct api_error *e)
{
    struct config_record record = {.resource_type = x->type,
                                   .resource_name = x->resource,
                                   .name = name,
                                   .value = value};
    return command_put(x->cmd, METADATA_CONFIG_RECORD, 0, &record, e);
}

static bool same_value(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : str_is(str_from(a), b);
}

static bool records_emit(const struct alteration *x, struct api_error *e)
{
    bool min_isr_changes =
        !same_value(value_before(x, min_isr_name), properties_get(&x->after, min_isr_name));
    for (int i = 0; i < x->after.count; i++) {
        const struct property *p = &x->after.items[i];
        // A broker's setting is written even if it is the same: brokers read files again then.
        bool again = x->type == CONFIG_RESOURCE_BROKER &&
                     names_contain(x->touched, str_bytes(str_from(p->key)));
        if ((again || !same_value(value_before(x, p->key), p->value)) &&
            !config_emit(x, str_from(p->key), str_from(p->value), e))
            return false;
    }
    for (int i = 0; x->before != NULL && i < x->before->count; i++) {
        const char *key = x->before->items[i].key;
        if (properties_get(&x->after, key) == NULL &&
            !config_emit(x, str_from(key), str_of(NULL, 0), e))
            return false;
    }
    if (!min_isr_changes || !command_has_elr(x->cmd))
        return true;
    struct clear_elr_record record = {
        .topic_name = x->type == CONFIG_RESOURCE_TOPIC ? x->resource : str_from("")};
    return command_put(x->cmd, METADATA_CLEAR_ELR_RECORD, 0, &record, e);
}

static bool alteration_finish(struct alteration *x, struct api_error *e)
{
    bool good = x->type == CONFIG_RESOURCE_TOPIC   ? topic_values_check(x, e)
                : x->type == CONFIG_RESOURCE_GROUP ? group_values_check(x, e)
                                                   : broker_values_check(x, e);
    if (!good || !resource_exists(x, e) || !min_isr_check(x, e))
        return false;
    // `before` belongs to a state that the records below leave behind.
    struct metadata_image *keep = metadata_image_ref(x->cmd->image);
    struct command_mark mark = command_mark(x->cmd);
    bool done = records_emit(x, e);
    if (done)
        command_keep(&mark);
    else
        command_rollback(x->cmd, &mark);
    metadata_image_unref(keep);
    return done;
}

static void alteration_init(struct alteration *x, struct controller *c,
                            struct controller_command *cmd, int8_t type, struct str resource)
{
    *x = (struct alteration){
        .c = c, .cmd = cmd, .type = type, .resource = resource, .touched = names_new()};
    x->before = metadata_image_configs(cmd->image, (enum config_resource)type, resource);
    properties_init(&x->after);
}

static void alteration_release(struct alteration *x)
{
    properties_release(&x->after);
    names_free(x->touched);
}

// --- All resources of a request ---

struct answer {
    int16_t error_code;
    int8_t type;
    struct str error_message;
    struct str name;
};

// Both requests are a list of resources, which are altered one by one and answered one by one.
struct resources {
    const void *request;
    bool (*alter)(struct controller *c, struct controller_command *cmd, const void *request,
                  int32_t index, struct api_error *e);
    int32_t count;
    struct bytes *keys;     // type and name of each, to tell them apart
    struct answer *answers; // of those that are answered
    int32_t answer_count;
};

static bool resources_init(struct resources *r, int32_t count, struct arena *arena)
{
    r->count = count > 0 ? count : 0;
    r->keys = arena_new_array(arena, (size_t)r->count, struct bytes);
    r->answers = arena_new_array(arena, (size_t)r->count, struct answer);
    return r->keys != NULL && r->answers != NULL;
}

static void resource_name(struct resources *r, int32_t index, int8_t type, struct str name,
                          struct arena *arena)
{
    uint8_t *key = arena_alloc(arena, name.size + 1);
    if (key != NULL) {
        key[0] = (uint8_t)type;
        if (name.size > 0)
            memcpy(key + 1, name.data, name.size);
    }
    r->keys[index] = bytes_of(key, key != NULL ? name.size + 1 : 0);
}

static void resource_alter(struct resources *r, struct controller *c,
                           struct controller_command *cmd, int32_t index, int uses,
                           struct arena *arena)
{
    struct api_error e = {0};
    struct bytes key = r->keys[index];
    if (cmd->image == NULL)
        api_fail(&e, KAFKA_NOT_CONTROLLER, NULL);
    else if (key.size == 0)
        api_fail(&e, KAFKA_INVALID_REQUEST, "The request is too large.");
    else if (uses > 1)
        api_fail(&e, KAFKA_INVALID_REQUEST, "Each resource must appear at most once.");
    else
        r->alter(c, cmd, r->request, index, &e);
    r->answers[r->answer_count++] = (struct answer){
        .error_code = e.code,
        .error_message = api_error_text(&e, arena),
        .type = key.size > 0 ? (int8_t)key.data[0] : 0,
        .name = key.size > 0 ? str_of((const char *)key.data + 1, key.size - 1) : str_from(""),
    };
}

// One that is named twice is answered once.
static void resources_alter(struct resources *r, struct controller *c,
                            struct controller_command *cmd, bool validate_only, struct arena *arena)
{
    struct names *names = names_new();
    cmd->atomic = false; // each resource for itself
    for (int32_t i = 0; i < r->count; i++)
        names_add(names, r->keys[i]);
    for (int32_t i = 0; i < r->count; i++) {
        int uses = names_take(names, r->keys[i]);
        if (uses > 0)
            resource_alter(r, c, cmd, i, uses, arena);
    }
    names_free(names);
    if (validate_only)
        command_clear(c, cmd);
}

// --- The incremental form ---

static void after_remove(struct alteration *x, struct str name)
{
    struct properties kept;
    properties_init(&kept);
    for (int i = 0; i < x->after.count; i++)
        if (!str_equal(str_from(x->after.items[i].key), name))
            properties_set(&kept, str_from(x->after.items[i].key),
                           str_from(x->after.items[i].value), 0);
    properties_release(&x->after);
    x->after = kept;
}

static bool list_has(struct str list, struct str wanted)
{
    struct str item;
    while (config_list_next(&list, &item))
        if (str_equal(item, wanted))
            return true;
    return false;
}

static void list_add(struct buf *out, struct str item)
{
    if (item.size == 0 || list_has(buf_str(out), item))
        return;
    if (out->size > 0)
        buf_append_u8(out, ',');
    buf_append_str(out, item);
}

// The list with `items` added, or without them.
static void list_change(struct str list, struct str items, enum alter_op op, struct buf *out)
{
    struct str item, rest = list;
    while (config_list_next(&rest, &item))
        if (op == OP_APPEND || !list_has(items, item))
            list_add(out, item);
    rest = items;
    while (op == OP_APPEND && config_list_next(&rest, &item))
        list_add(out, item);
}

static bool list_op(struct alteration *x, struct str name, struct str value, enum alter_op op,
                    struct api_error *e)
{
    const struct config_key *key = config_key_find(scope_of(x->type), name);
    bool is_list = key != NULL && config_key_type(key) == CONFIG_TYPE_LIST;
    if (!is_list && x->type == CONFIG_RESOURCE_BROKER) // in Kafka the broker says it
        return api_fail(e, KAFKA_INVALID_CONFIG,
                        "Config value %s is not allowed for config key: %.*s",
                        op == OP_APPEND ? "append" : "subtract", STR_ARG(name));
    if (!is_list)
        return api_fail(e, KAFKA_INVALID_CONFIG,
                        "Can't %s to key %.*s because its type is not LIST.",
                        op == OP_APPEND ? "APPEND" : "SUBTRACT", STR_ARG(name));
    const char *now = properties_get(&x->after, config_key_name(key));
    if (now == NULL)
        now = config_key_default(key);
    struct buf list;
    buf_init(&list, LIST_SIZE_MAX);
    list_change(str_from(now != NULL ? now : ""), value, op, &list);
    bool fits = !list.failed;
    if (fits)
        properties_set(&x->after, name, list.size > 0 ? buf_str(&list) : str_from(""), 0);
    buf_release(&list);
    return fits || api_fail(e, KAFKA_INVALID_CONFIG, "The list %.*s is longer than %d bytes.",
                            STR_ARG(name), LIST_SIZE_MAX);
}

static bool op_apply(struct alteration *x,
                     const struct incremental_alter_configs_request_alterable_config *op,
                     struct api_error *e)
{
    if (op->config_operation == OP_DELETE) {
        after_remove(x, op->name);
        return true;
    }
    if (op->value.data == NULL)
        return api_fail(e, KAFKA_INVALID_REQUEST, "Null value not supported for : %.*s",
                        STR_ARG(op->name));
    switch (op->config_operation) {
    case OP_SET:
        properties_set(&x->after, op->name, op->value, 0);
        return true;
    case OP_APPEND:
    case OP_SUBTRACT:
        return list_op(x, op->name, op->value, (enum alter_op)op->config_operation, e);
    default:
        return api_fail(e, KAFKA_INVALID_REQUEST, "Unknown operation type %d.",
                        op->config_operation);
    }
}

static bool text_is_clean(struct str s)
{
    return s.size == 0 || memchr(s.data, '\0', s.size) == NULL;
}

// Notes the name; false if it came before, or if name or value could not be kept.
static bool name_touch(struct alteration *x, struct str name, struct str value, struct api_error *e)
{
    if (!text_is_clean(name) || !text_is_clean(value))
        return api_fail(e, KAFKA_INVALID_CONFIG, "A configuration may not hold a NUL character.");
    if (names_contain(x->touched, str_bytes(name)))
        return api_fail(e, KAFKA_INVALID_REQUEST, "Error due to duplicate config keys");
    names_add(x->touched, str_bytes(name));
    return true;
}

static bool incremental_resource(struct controller *c, struct controller_command *cmd,
                                 const void *request, int32_t index, struct api_error *e)
{
    const struct incremental_alter_configs_request *body = request;
    const struct incremental_alter_configs_request_alter_configs_resource *resource =
        &body->resources.items[index];
    struct alteration x;
    alteration_init(&x, c, cmd, resource->resource_type, resource->resource_name);
    for (int i = 0; x.before != NULL && i < x.before->count; i++)
        properties_set(&x.after, str_from(x.before->items[i].key),
                       str_from(x.before->items[i].value), 0);
    bool good = resource_check(&x, e);
    for (int32_t i = 0; good && i < resource->configs.count; i++)
        good = name_touch(&x, resource->configs.items[i].name, resource->configs.items[i].value, e) &&
               op_apply(&x, &resource->configs.items[i], e);
    good = good && alteration_finish(&x, e);
    alteration_release(&x);
    return good;
}

void controller_incremental_alter_configs(struct controller *c, struct controller_command *cmd,
                                          const struct incremental_alter_configs_request *request,
                                          struct incremental_alter_configs_response *reply,
                                          struct arena *arena)
{
    struct resources r = {.request = request, .alter = incremental_resource};
    incremental_alter_configs_response_init(reply);
    if (!resources_init(&r, request->resources.count, arena) ||
        !incremental_alter_configs_response_alter_configs_resource_response_array_new(
            arena, r.count, &reply->responses))
        return;
    for (int32_t i = 0; i < r.count; i++)
        resource_name(&r, i, request->resources.items[i].resource_type,
                      request->resources.items[i].resource_name, arena);
    resources_alter(&r, c, cmd, request->validate_only, arena);
    reply->responses.count = r.answer_count;
    for (int32_t i = 0; i < r.answer_count; i++)
        reply->responses.items[i] =
            (struct incremental_alter_configs_response_alter_configs_resource_response){
                .error_code = r.answers[i].error_code,
                .error_message = r.answers[i].error_message,
                .resource_type = r.answers[i].type,
                .resource_name = r.answers[i].name};
}

// --- The old form ---

static bool whole_resource(struct controller *c, struct controller_command *cmd,
                           const void *request, int32_t index, struct api_error *e)
{
    const struct alter_configs_request *body = request;
    const struct alter_configs_request_alter_configs_resource *resource =
        &body->resources.items[index];
    struct alteration x;
    alteration_init(&x, c, cmd, resource->resource_type, resource->resource_name);
    bool good = resource_check(&x, e);
    for (int32_t i = 0; good && i < resource->configs.count; i++) {
        const struct alter_configs_request_alterable_config *config = &resource->configs.items[i];
        if (config->value.data == NULL)
            good = api_fail(e, KAFKA_INVALID_REQUEST, "Null value not supported for : %.*s",
                            STR_ARG(config->name));
        else if ((good = name_touch(&x, config->name, config->value, e)))
            properties_set(&x.after, config->name, config->value, 0);
    }
    good = good && alteration_finish(&x, e);
    alteration_release(&x);
    return good;
}

void controller_alter_configs(struct controller *c, struct controller_command *cmd,
                              const struct alter_configs_request *request,
                              struct alter_configs_response *reply, struct arena *arena)
{
    struct resources r = {.request = request, .alter = whole_resource};
    alter_configs_response_init(reply);
    if (!resources_init(&r, request->resources.count, arena) ||
        !alter_configs_response_alter_configs_resource_response_array_new(arena, r.count,
                                                                          &reply->responses))
        return;
    for (int32_t i = 0; i < r.count; i++)
        resource_name(&r, i, request->resources.items[i].resource_type,
                      request->resources.items[i].resource_name, arena);
    resources_alter(&r, c, cmd, request->validate_only, arena);
    reply->responses.count = r.answer_count;
    for (int32_t i = 0; i < r.answer_count; i++)
        reply->responses.items[i] = (struct alter_configs_response_alter_configs_resource_response){
            .error_code = r.answers[i].error_code,
            .error_message = r.answers[i].error_message,
            .resource_type = r.answers[i].type,
            .resource_name = r.answers[i].name};
}

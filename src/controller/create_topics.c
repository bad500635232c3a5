// SPDX-License-Identifier: Apache-2.0
//
// CreateTopics (19), versions 2 to 7. Per topic: the record of the topic, those of its
// configuration, ClearElr when min.insync.replicas is among it (KIP-966), one per partition. Error
// codes and messages are Kafka's.
#include "base/check.h"
#include "base/err.h"
#include "config/config.h"
#include "config/topic_config.h"
#include "controller/internal.h"
#include "wire/api/create_topics.h"
#include "wire/record/clear_elr_record.h"
#include "wire/record/config_record.h"
#include "wire/record/topic_record.h"

enum { CREATE_MEMORY_MAX = 32 * 1024 * 1024 };

// One topic of a request on its way to records and a result.
struct creation {
    struct controller *c;
    struct controller_command *cmd;
    const struct create_topics_request_creatable_topic *topic;
    struct properties configs;
    struct arena arena;
    struct placement placement;
    struct uuid id;
};

static bool name_check(const struct creation *x, struct api_error *e)
{
    struct str name = x->topic->name;
    struct diag reason;
    if (str_is(name, "__cluster_metadata"))
        return api_fail(e, KAFKA_INVALID_REQUEST,
                        "Creation of internal topic __cluster_metadata is prohibited.");
    if (!topic_name_check(name, &reason))
        return api_fail(e, KAFKA_INVALID_TOPIC_EXCEPTION, "Topic name is invalid: %s", reason.text);
    if (metadata_image_topic(x->cmd->image, name) != NULL)
        return api_fail(e, KAFKA_TOPIC_ALREADY_EXISTS, "Topic '%.*s' already exists.",
                        STR_ARG(name));
    const struct metadata_topic *other = metadata_image_topic_colliding(x->cmd->image, name);
    if (other != NULL)
        return api_fail(e, KAFKA_INVALID_TOPIC_EXCEPTION,
                        "Topic '%.*s' collides with existing topic: %s", STR_ARG(name),
                        other->name.data);
    return true;
}

static bool configs_take(struct creation *x, struct api_error *e)
{
    for (int32_t i = 0; i < x->topic->configs.count; i++) {
        const struct create_topics_request_creatable_topic_config *config =
            &x->topic->configs.items[i];
        if (config->value.data == NULL)
            return api_fail(e, KAFKA_INVALID_CONFIG,
                            "Null value not supported for topic configs: %.*s",
                            STR_ARG(config->name));
        properties_set(&x->configs, config->name, config->value, 0);
    }
    struct diag reason;
    diag_clear(&reason);
    if (topic_config_validate(x->c->config, &x->configs, &reason) != 0)
        return api_fail(e, KAFKA_INVALID_CONFIG, "%s", reason.text);
    return true;
}

// Assignments may come in any order, but must be those of partitions 0, 1, 2...
static bool assignments_order(const struct creation *x, int32_t *by_partition, struct api_error *e)
{
    int32_t count = x->topic->assignments.count;
    for (int32_t i = 0; i < count; i++)
        by_partition[i] = -1;
    bool consecutive = true;
    for (int32_t i = 0; i < count; i++) {
        int32_t id = x->topic->assignments.items[i].partition_index;
        if (id < 0 || id >= count)
            consecutive = false;
        else if (by_partition[id] >= 0)
            return api_fail(e, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                            "Found multiple manual partition assignments for partition %d", id);
        else
            by_partition[id] = i;
    }
    if (!consecutive)
        return api_fail(e, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                        "partitions should be a consecutive 0-based integer sequence");
    return true;
}

static bool assignments_take(struct creation *x, struct api_error *e)
{
    int32_t count = x->topic->assignments.count;
    if (x->topic->replication_factor != -1)
        return api_fail(e, KAFKA_INVALID_REQUEST,
                        "A manual partition assignment was specified, but replication factor was "
                        "not set to -1.");
    if (x->topic->num_partitions != -1)
        return api_fail(e, KAFKA_INVALID_REQUEST,
                        "A manual partition assignment was specified, but numPartitions was not set "
                        "to -1.");
    int32_t *by_partition = arena_new_array(&x->arena, (size_t)count, int32_t);
    if (by_partition == NULL)
        return api_fail_emit(e, ERR_NOMEM, NULL);
    if (!assignments_order(x, by_partition, e))
        return false;
    int32_t factor = 0;
    for (int32_t i = 0; i < count; i++) {
        struct wire_int32_array ids = x->topic->assignments.items[by_partition[i]].broker_ids;
        if (!assignment_check(x->cmd->image, ids, factor, e))
            return false;
        factor = ids.count;
    }
    int32_t *replicas = arena_alloc_array(&x->arena, (size_t)count * (size_t)factor, sizeof *replicas);
    if (replicas == NULL)
        return api_fail_emit(e, ERR_NOMEM, NULL);
    for (int32_t i = 0; i < count; i++)
        memcpy(replicas + (size_t)i * (size_t)factor,
               x->topic->assignments.items[by_partition[i]].broker_ids.items,
               (size_t)factor * sizeof *replicas);
    x->placement = (struct placement){count, (int16_t)factor, replicas};
    return true;
}

static bool replicas_choose(struct creation *x, struct api_error *e)
{
    if (x->topic->assignments.count > 0)
        return assignments_take(x, e);
    int32_t factor = x->topic->replication_factor, partitions = x->topic->num_partitions;
    if (factor < -1 || factor == 0)
        return api_fail(e, KAFKA_INVALID_REPLICATION_FACTOR,
                        "Replication factor must be larger than 0, or -1 to use the default value.");
    if (partitions < -1 || partitions == 0)
        return api_fail(e, KAFKA_INVALID_PARTITIONS,
                        "Number of partitions was set to an invalid non-positive value.");
    if (factor == -1)
        factor = config_i32(x->c->config, "default.replication.factor");
    if (partitions == -1)
        partitions = config_i32(x->c->config, "num.partitions");
    return placement_make(x->cmd->image, x->cmd->input.prng, 0, partitions, (int16_t)factor,
                          &x->arena, &x->placement, e);
}

static bool configs_emit(struct creation *x, struct api_error *e)
{
    for (int i = 0; i < x->configs.count; i++) {
        struct config_record record = {.resource_type = CONFIG_RESOURCE_TOPIC,
                                       .resource_name = x->topic->name,
                                       .name = str_from(x->configs.items[i].key),
                                       .value = str_from(x->configs.items[i].value)};
        if (!command_put(x->cmd, METADATA_CONFIG_RECORD, 0, &record, e))
            return false;
    }
    if (!command_has_elr(x->cmd) || properties_get(&x->configs, "min.insync.replicas") == NULL)
        return true;
    struct clear_elr_record record = {.topic_name = x->topic->name};
    return command_put(x->cmd, METADATA_CLEAR_ELR_RECORD, 0, &record, e);
}

static bool records_emit(struct creation *x, struct api_error *e)
{
    x->id = command_new_id(x->cmd);
    struct topic_record record = {.name = x->topic->name, .topic_id = x->id};
    if (!command_put(x->cmd, METADATA_TOPIC_RECORD, 0, &record, e) || !configs_emit(x, e))
        return false;
    const struct placement *p = &x->placement;
    for (int32_t i = 0; i < p->partition_count; i++)
        if (!partition_emit(x->cmd, x->id, i,
                            p->replicas + (size_t)i * (size_t)p->replication_factor,
                            p->replication_factor, e))
            return false;
    return true;
}

// The configuration that the new topic has, defaults included (KIP-525).
static void result_add_configs(const struct creation *x,
                               struct create_topics_response_creatable_topic_result *result,
                               struct arena *arena)
{
    int count = config_key_count(CONFIG_TOPIC);
    struct create_topics_response_creatable_topic_configs *items =
        create_topics_response_creatable_topic_configs_array_new(arena, count, &result->configs);
    result->configs.count = 0;
    for (int i = 0; items != NULL && i < count; i++) {
        const struct config_key *key = config_key_at(CONFIG_TOPIC, i);
        struct config_view view;
        if (config_key_is_internal(key) ||
            config_describe_topic(x->c->config, &x->configs, config_key_name(key), arena, &view) !=
                0)
            continue;
        struct create_topics_response_creatable_topic_configs *item =
            &items[result->configs.count++];
        item->name = str_from(config_key_name(key));
        item->value = view.value != NULL ? arena_copy_str(arena, str_from(view.value))
                                         : str_of(NULL, 0);
        item->read_only = view.read_only;
        item->config_source = (int8_t)view.source;
        item->is_sensitive = view.sensitive;
    }
}

static void topic_create(struct controller *c, struct controller_command *cmd,
                         const struct create_topics_request_creatable_topic *topic,
                         struct create_topics_response_creatable_topic_result *result,
                         struct arena *arena)
{
    struct creation x = {.c = c, .cmd = cmd, .topic = topic};
    struct api_error e = {0};
    arena_init(&x.arena, CREATE_MEMORY_MAX);
    properties_init(&x.configs);
    struct command_mark mark = command_mark(cmd);
    if (name_check(&x, &e) && configs_take(&x, &e) && replicas_choose(&x, &e) &&
        records_emit(&x, &e)) {
        command_keep(&mark);
        result->topic_id = x.id;
        result->num_partitions = x.placement.partition_count;
        result->replication_factor = x.placement.replication_factor;
        result_add_configs(&x, result, arena);
    } else {
        command_rollback(cmd, &mark);
        result->error_code = e.code;
        result->error_message = api_error_text(&e, arena);
    }
    properties_release(&x.configs);
    arena_release(&x.arena);
}

// How many partitions all topics together ask for.
static int64_t partitions_wanted(const struct controller *c,
                                 const struct create_topics_request *request)
{
    int64_t total = 0;
    for (int32_t i = 0; i < request->topics.count; i++) {
        const struct create_topics_request_creatable_topic *t = &request->topics.items[i];
        if (t->assignments.count > 0)
            total += t->assignments.count;
        else if (t->num_partitions == -1)
            total += config_i32(c->config, "num.partitions");
        else if (t->num_partitions > 0)
            total += t->num_partitions;
    }
    return total;
}

void controller_create_topics(struct controller *c, struct controller_command *cmd,
                              const struct create_topics_request *request,
                              struct create_topics_response *reply, struct arena *arena)
{
    create_topics_response_init(reply);
    int32_t count = request->topics.count > 0 ? request->topics.count : 0;
    if (create_topics_response_creatable_topic_result_array_new(arena, count, &reply->topics) ==
            NULL &&
        count > 0) {
        reply->topics.count = 0;
        return;
    }
    struct names *names = names_new();
    struct api_error all = {0};
    if (cmd->image == NULL)
        api_fail(&all, KAFKA_NOT_CONTROLLER, NULL);
    else if (cmd->input.no_room != NULL)
        api_fail(&all, KAFKA_KAFKA_STORAGE_ERROR, "%s", cmd->input.no_room);
    else if (partitions_wanted(c, request) > CONTROLLER_RECORDS_MAX)
        api_fail(&all, KAFKA_POLICY_VIOLATION,
                 "Excessively large number of partitions per request.");
    for (int32_t i = 0; i < count; i++)
        names_add(names, str_bytes(request->topics.items[i].name));
    reply->topics.count = 0;
    for (int32_t i = 0; i < count; i++) {
        // A name that comes twice is answered once.
        int uses = names_take(names, str_bytes(request->topics.items[i].name));
        if (uses == 0)
            continue;
        struct create_topics_response_creatable_topic_result *result =
            &reply->topics.items[reply->topics.count++];
        result->name = request->topics.items[i].name;
        struct api_error e = all;
        if (e.code == 0 && uses > 1)
            api_fail(&e, KAFKA_INVALID_REQUEST, "Duplicate topic name.");
        result->error_code = e.code;
        result->error_message = api_error_text(&e, arena);
        if (e.code == 0)
            topic_create(c, cmd, &request->topics.items[i], result, arena);
    }
    names_free(names);
    if (request->validate_only)
        command_clear(c, cmd);
}

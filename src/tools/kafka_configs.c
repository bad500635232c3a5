// SPDX-License-Identifier: Apache-2.0
//
// kafka-configs: Kafka's ConfigCommand for topics, brokers and what else has configurations. (Users,
// clients and addresses have quotas and credentials, which are other APIs.) What it prints on standard
// output is FROZEN.
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "tools/commands.h"
#include "tools/configs.h"
#include "tools/kafka.h"
#include "wire/errors.h"

enum {
    BOOTSTRAP,
    CONTROLLER,
    COMMAND_CONFIG,
    ZOOKEEPER,
    VERSION,
    DESCRIBE,
    ALTER,
    ALL,
    ENTITY_TYPE,
    ENTITY_NAME,
    ENTITY_DEFAULT,
    ADD_CONFIG,
    ADD_CONFIG_FILE,
    DELETE_CONFIG,
    TOPIC,
    BROKER,
    BROKER_DEFAULTS,
    BROKER_LOGGER,
    GROUP,
    CLIENT_METRICS,
    USER,
    USER_DEFAULTS,
    CLIENT,
    CLIENT_DEFAULTS,
    IP,
    IP_DEFAULTS,
    FORCE,
};

enum { CHANGES_MAX = 1024 };

static const struct flag_def configs_flags[] = {
    [BOOTSTRAP] = KAFKA_BOOTSTRAP,
    [CONTROLLER] = {.names = "--bootstrap-controller", .argument = "HOST:PORT[,...]",
                    .kind = FLAG_TEXT, .help = "The controllers to connect to instead."},
    [COMMAND_CONFIG] = KAFKA_COMMAND_CONFIG,
    [ZOOKEEPER] = KAFKA_ZOOKEEPER,
    [VERSION] = KAFKA_VERSION_FLAG,
    [DESCRIBE] = {.names = "--describe", .kind = FLAG_BOOL, .help = "Print configurations."},
    [ALTER] = {.names = "--alter", .kind = FLAG_BOOL, .help = "Change configurations."},
    [ALL] = {.names = "--all", .kind = FLAG_BOOL, .help = "Print static and default values too."},
    [ENTITY_TYPE] = {.names = "--entity-type", .argument = "TYPE", .kind = FLAG_LIST,
                     .help = "topics, brokers, broker-loggers, groups or client-metrics."},
    [ENTITY_NAME] = {.names = "--entity-name", .argument = "NAME", .kind = FLAG_LIST,
                     .help = "The name of the topic, the id of the broker..."},
    [ENTITY_DEFAULT] = {.names = "--entity-default", .kind = FLAG_BOOL,
                        .help = "The default of all brokers."},
    [ADD_CONFIG] = {.names = "--add-config", .argument = "K=V,...", .kind = FLAG_TEXT,
                    .help = "Configurations to set; values with commas in brackets: k=[a,b]."},
    [ADD_CONFIG_FILE] = {.names = "--add-config-file", .argument = "FILE", .kind = FLAG_TEXT,
                         .help = "Properties file of configurations to set."},
    [DELETE_CONFIG] = {.names = "--delete-config", .argument = "K,...", .kind = FLAG_LIST,
                       .help = "Configurations to take back to their defaults."},
    [TOPIC] = {.names = "--topic", .argument = "TOPIC", .kind = FLAG_TEXT,
               .help = "The same as --entity-type topics --entity-name TOPIC."},
    [BROKER] = {.names = "--broker", .argument = "ID", .kind = FLAG_TEXT,
                .help = "The same as --entity-type brokers --entity-name ID."},
    [BROKER_DEFAULTS] = {.names = "--broker-defaults", .kind = FLAG_BOOL,
                         .help = "The same as --entity-type brokers --entity-default."},
    [BROKER_LOGGER] = {.names = "--broker-logger", .argument = "ID", .kind = FLAG_TEXT,
                       .help = "The same as --entity-type broker-loggers --entity-name ID."},
    [GROUP] = {.names = "--group", .argument = "GROUP", .kind = FLAG_TEXT,
               .help = "The same as --entity-type groups --entity-name GROUP."},
    [CLIENT_METRICS] = {.names = "--client-metrics", .argument = "NAME", .kind = FLAG_TEXT,
                        .help = "The same as --entity-type client-metrics --entity-name NAME."},
    [USER] = {.names = "--user", .argument = "USER", .kind = FLAG_TEXT, .help = NULL},
    [USER_DEFAULTS] = {.names = "--user-defaults", .kind = FLAG_BOOL, .help = NULL},
    [CLIENT] = {.names = "--client", .argument = "CLIENT", .kind = FLAG_TEXT, .help = NULL},
    [CLIENT_DEFAULTS] = {.names = "--client-defaults", .kind = FLAG_BOOL, .help = NULL},
    [IP] = {.names = "--ip", .argument = "IP", .kind = FLAG_TEXT, .help = NULL},
    [IP_DEFAULTS] = {.names = "--ip-defaults", .kind = FLAG_BOOL, .help = NULL},
    [FORCE] = {.names = "--force", .kind = FLAG_BOOL, .help = NULL},
};

// What is described or altered.
struct entity {
    enum admin_resource type;
    const char *plural;   // "topics"
    const char *singular; // "topic"
    int8_t source;        // of what was set for it
    struct str name;      // "" = the default, null = all
};

static const struct entity types[] = {
    {RESOURCE_TOPIC, "topics", "topic", SOURCE_TOPIC, {0}},
    {RESOURCE_BROKER, "brokers", "broker", SOURCE_BROKER, {0}},
    {RESOURCE_BROKER_LOGGER, "broker-loggers", "broker-logger", SOURCE_BROKER_LOGGER, {0}},
    {RESOURCE_GROUP, "groups", "group", SOURCE_GROUP, {0}},
    {RESOURCE_CLIENT_METRICS, "client-metrics", "client-metric", SOURCE_CLIENT_METRICS, {0}},
};

enum { TYPE_COUNT = sizeof types / sizeof *types };

// --- Which entity ---

static int find_type(struct tool *t, const char *plural, struct entity *out)
{
    for (int i = 0; i < TYPE_COUNT; i++) {
        if (strcmp(plural, types[i].plural) == 0) {
            *out = types[i];
            return EXIT_OK;
        }
    }
    static const char *const quotas[] = {"users", "clients", "ips"};
    for (int i = 0; i < 3; i++)
        if (strcmp(plural, quotas[i]) == 0)
            return tool_fail(t, EXIT_FAILED, "quotas and credentials of %s are not there yet", plural);
    return tool_usage(t,
                      "Invalid entity type %s, the entity type must be one of topics, clients, users, "
                      "brokers, ips, client-metrics, groups, broker-loggers with a --bootstrap-server "
                      "or --bootstrap-controller argument",
                      plural);
}

static int find_entity(struct tool *t, struct entity *out)
{
    const struct flags *f = &t->flags;
    static const struct {
        int flag;
        const char *plural;
    } shorts[] = {
        {TOPIC, "topics"},         {BROKER, "brokers"},
        {BROKER_DEFAULTS, "brokers"}, {BROKER_LOGGER, "broker-loggers"},
        {GROUP, "groups"},         {CLIENT_METRICS, "client-metrics"},
        {USER, "users"},           {USER_DEFAULTS, "users"},
        {CLIENT, "clients"},       {CLIENT_DEFAULTS, "clients"},
        {IP, "ips"},               {IP_DEFAULTS, "ips"},
    };
    for (size_t i = 0; i < sizeof shorts / sizeof *shorts; i++) {
        if (!flags_given(f, shorts[i].flag))
            continue;
        int status = find_type(t, shorts[i].plural, out);
        out->name = str_from(shorts[i].flag == BROKER_DEFAULTS ? "" : flags_text(f, shorts[i].flag));
        return status;
    }
    if (f->values[ENTITY_TYPE].count == 0)
        return tool_usage(t, "At least one entity type must be specified");
    if (f->values[ENTITY_TYPE].count > 1 && flags_given(f, ENTITY_NAME))
        return tool_fail(t, EXIT_FAILED, "quotas of users and clients are not there yet");
    int status = find_type(t, f->values[ENTITY_TYPE].list[0], out);
    if (flags_given(f, ENTITY_DEFAULT))
        out->name = str_from("");
    else
        out->name = str_from(flags_text(f, ENTITY_NAME));
    return status;
}

// --- Describe ---

static void print_value(struct buf *out, struct str value)
{
    if (value.data == NULL)
        buf_append_text(out, "null");
    else
        buf_append_str(out, value);
}

static void print_entry(struct buf *out, const struct config_entry *e)
{
    buf_printf(out, "  %.*s=", STR_ARG(e->name));
    print_value(out, e->value);
    buf_printf(out, " sensitive=%s synonyms={", e->sensitive ? "true" : "false");
    for (int i = 0; i < e->synonym_count; i++) {
        buf_printf(out, "%s%s:%.*s=", i > 0 ? ", " : "", config_source_name(e->synonyms[i].source),
                   STR_ARG(e->synonyms[i].name));
        print_value(out, e->synonyms[i].value);
    }
    buf_append_text(out, "}\n");
}

static int describe_one(struct tool *t, const struct entity *entity)
{
    int status = configs_prepare(t, entity->type, entity->name);
    if (status != EXIT_OK)
        return status;
    struct client_answer answer = {0};
    int err = configs_read(t->driver, entity->type, entity->name, true, &answer);
    if (err < 0)
        return tool_fail_call(t, err);
    const struct describe_configs_response *r = answer.response;
    const struct describe_configs_response_describe_configs_result *result = &r->results.items[0];
    struct buf *out = &t->out.buf;
    bool all = flags_given(&t->flags, ALL), default_entity = entity->name.size == 0;
    int8_t source = default_entity && entity->type == RESOURCE_BROKER ? SOURCE_BROKER_DEFAULT
                                                                      : entity->source;
    if (result->error_code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION) {
        buf_printf(out, "The topic '%.*s' doesn't exist and doesn't have dynamic config.\n",
                   STR_ARG(entity->name));
    } else if (result->error_code != 0) {
        status = tool_fail_code(t, entity->singular, result->error_code, result->error_message);
    } else {
        if (default_entity)
            buf_printf(out, "Default configs for %s in the cluster are:\n", entity->plural);
        else
            buf_printf(out, "%s configs for %s %.*s are:\n", all ? "All" : "Dynamic",
                       entity->singular, STR_ARG(entity->name));
        struct config_entry *list = configs_sorted(result);
        for (int i = 0; i < result->configs.count; i++)
            if (all || list[i].source == source)
                print_entry(out, &list[i]);
        mem_free(list);
    }
    client_answer_release(&answer);
    return status;
}

static int describe_all_topics(struct tool *t, struct entity *entity)
{
    struct admin_topics all;
    int status = EXIT_OK;
    int err = admin_topics_list(t->driver, &all);
    if (err < 0)
        return tool_fail_call(t, err);
    for (int i = 0; i < all.count && status == EXIT_OK; i++) {
        entity->name = all.items[i].name;
        status = describe_one(t, entity);
    }
    admin_topics_release(&all);
    return status;
}

static int describe_all_brokers(struct tool *t, struct entity *entity)
{
    int err = driver_wait_topology(t->driver);
    if (err < 0)
        return tool_fail_call(t, err);
    int32_t ids[1024];
    int count = 0, status = EXIT_OK;
    const struct topology *topology = client_topology(driver_client(t->driver));
    for (int i = 0; i < topology->node_count && count < 1024; i++)
        ids[count++] = topology->nodes[i].id;
    for (int i = 0; i < count && status == EXIT_OK; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", ids[i]);
        entity->name = str_from(text);
        status = describe_one(t, entity);
    }
    entity->name = str_from("");
    return status == EXIT_OK && entity->type == RESOURCE_BROKER ? describe_one(t, entity) : status;
}

static int run_describe(struct tool *t, struct entity *entity)
{
    if (entity->name.data != NULL)
        return describe_one(t, entity);
    if (entity->type == RESOURCE_TOPIC)
        return describe_all_topics(t, entity);
    if (entity->type == RESOURCE_BROKER || entity->type == RESOURCE_BROKER_LOGGER)
        return describe_all_brokers(t, entity);
    return tool_usage(t, "--entity-name is needed for %s", entity->plural);
}

// --- Alter ---

struct changes {
    struct admin_config_change items[CHANGES_MAX];
    int count;
};

static int change_add(struct tool *t, struct changes *c, struct str name, struct str value,
                      enum config_operation operation)
{
    if (c->count == CHANGES_MAX)
        return tool_usage(t, "more than %d configurations at once", CHANGES_MAX);
    c->items[c->count++] =
        (struct admin_config_change){.name = name, .value = value, .operation = operation};
    return EXIT_OK;
}

// Cuts "k=v" or "k=[a,b]" from *rest.
static struct str cut_pair(struct str *rest)
{
    struct str all = *rest;
    int depth = 0;
    for (size_t i = 0; i < all.size; i++) {
        depth += (all.data[i] == '[') - (all.data[i] == ']');
        if (all.data[i] == ',' && depth <= 0) {
            *rest = str_of(all.data + i + 1, all.size - i - 1);
            return str_of(all.data, i);
        }
    }
    *rest = (struct str){0};
    return all;
}

static int parse_added(struct tool *t, struct changes *c)
{
    struct str rest = str_from(flags_text(&t->flags, ADD_CONFIG));
    int status = EXIT_OK;
    while (rest.data != NULL && status == EXIT_OK) {
        struct str value = str_trim(cut_pair(&rest)), name;
        if (value.size == 0)
            continue;
        name = str_trim(str_cut(&value, '='));
        if (value.data == NULL || name.size == 0)
            return tool_usage(t, "Invalid entity config: all configs to be added must be in the format "
                                 "\"key=val\".");
        value = str_trim(value);
        if (value.size >= 2 && value.data[0] == '[' && value.data[value.size - 1] == ']')
            value = str_of(value.data + 1, value.size - 2);
        status = change_add(t, c, name, value, CONFIG_SET);
    }
    return status;
}

static int parse_deleted(struct tool *t, struct changes *c)
{
    const struct flag_value *v = &t->flags.values[DELETE_CONFIG];
    int status = EXIT_OK;
    for (int i = 0; i < v->count; i++) {
        struct str rest = str_from(v->list[i]);
        while (rest.data != NULL && status == EXIT_OK)
            status = change_add(t, c, str_trim(str_cut(&rest, ',')), (struct str){0}, CONFIG_DELETE);
    }
    return status;
}

static int parse_changes(struct tool *t, const struct properties *file, struct changes *c)
{
    int status = parse_added(t, c);
    for (int i = 0; i < file->count && status == EXIT_OK; i++)
        status = change_add(t, c, str_from(file->items[i].key), str_from(file->items[i].value),
                            CONFIG_SET);
    return status == EXIT_OK ? parse_deleted(t, c) : status;
}

static int send_changes(struct tool *t, const struct entity *entity, const struct changes *c)
{
    int status = configs_prepare(t, entity->type, entity->name);
    if (status != EXIT_OK)
        return status;
    struct admin_result r;
    int err = admin_configs_alter(t->driver, entity->type, entity->name,
                                  config_node(entity->type, entity->name), c->items, c->count, &r);
    if (err < 0)
        return tool_fail_call(t, err);
    if (r.code != 0)
        return tool_fail(t, EXIT_FAILED, "Error while executing config command: %s (%s)",
                         r.message[0] != '\0' ? r.message : java_message(r.code),
                         kafka_error_name(r.code));
    if (entity->name.size == 0)
        buf_printf(&t->out.buf, "Completed updating default config for %s in the cluster.\n",
                   entity->plural);
    else
        buf_printf(&t->out.buf, "Completed updating config for %s %.*s.\n", entity->singular,
                   STR_ARG(entity->name));
    return EXIT_OK;
}

static int run_alter(struct tool *t, const struct entity *entity)
{
    struct properties file;
    struct changes *changes = mem_new(struct changes);
    int status = kafka_properties_read(t, flags_text(&t->flags, ADD_CONFIG_FILE), &file);
    if (status == EXIT_OK)
        status = parse_changes(t, &file, changes);
    if (status == EXIT_OK)
        status = send_changes(t, entity, changes);
    properties_release(&file);
    mem_free(changes);
    return status;
}

// --- The command line ---

static int configs_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    if (kafka_version(t, VERSION))
        return EXIT_OK;
    if (flags_given(f, DESCRIBE) + flags_given(f, ALTER) != 1)
        return tool_usage(t, "Command must include exactly one action: --describe, --alter");
    struct entity entity = {0};
    int status = find_entity(t, &entity);
    if (status != EXIT_OK)
        return status;
    if (flags_given(f, ALTER)) {
        if (!flags_given(f, ADD_CONFIG) && !flags_given(f, ADD_CONFIG_FILE) &&
            !flags_given(f, DELETE_CONFIG))
            return tool_usage(t, "At least one of --add-config, --add-config-file, or --delete-config "
                                 "must be specified with --alter");
        if (entity.name.data == NULL)
            return tool_usage(t, "an entity name must be specified with --alter of %s", entity.plural);
    }
    status = kafka_connect_flags(t, flags_given(f, CONTROLLER) ? CONTROLLER : BOOTSTRAP,
                                 COMMAND_CONFIG, ZOOKEEPER);
    if (status != EXIT_OK)
        return status;
    return flags_given(f, ALTER) ? run_alter(t, &entity) : run_describe(t, &entity);
}

const struct command alias_configs = {
    .name = "kafka-configs",
    .arguments = "",
    .summary = "Show and change configurations of topics and brokers.",
    .text = "Examples:\n"
            "  kafka-configs --bootstrap-server localhost:9092 --describe --topic test --all\n"
            "  kafka-configs --bootstrap-server localhost:9092 --alter --topic test \\\n"
            "    --add-config retention.ms=3600000",
    COMMAND_FLAGS(configs_flags),
    .mode = FLAGS_ABBREVIATED,
    .run = configs_run,
};

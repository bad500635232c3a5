// SPDX-License-Identifier: Apache-2.0
//
// `chitin config`: describe and alter, for topics and brokers.
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "tools/configs.h"
#include "wire/errors.h"

enum { CHANGES_MAX = 256 };

// "topic orders", "broker 1", "broker default".
static int find_resource(struct tool *t, enum admin_resource *type, struct str *name)
{
    const char *kind = t->flags.args[0];
    *name = str_from(t->flags.args[1]);
    if (strcmp(kind, "topic") == 0)
        *type = RESOURCE_TOPIC;
    else if (strcmp(kind, "broker") == 0)
        *type = RESOURCE_BROKER;
    else
        return tool_usage(t, "\"%s\" is neither topic nor broker", kind);
    if (*type == RESOURCE_BROKER && str_is(*name, "default"))
        *name = str_from("");
    return EXIT_OK;
}

static int resource_failed(struct tool *t, enum admin_resource type, struct str name, int16_t code,
                           struct str message)
{
    char what[300];
    snprintf(what, sizeof what, "%s \"%.*s\"", type == RESOURCE_TOPIC ? "topic" : "broker",
             STR_ARG(name));
    if (code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
        return tool_no_such_topic(t, name);
    return tool_fail_code(t, what, code, message);
}

// --- describe ---

enum { DESCRIBE_BOOTSTRAP, DESCRIBE_OUTPUT, DESCRIBE_ALL };

static const struct flag_def describe_flags[] = {
    [DESCRIBE_BOOTSTRAP] = COMMON_BOOTSTRAP,
    [DESCRIBE_OUTPUT] = COMMON_OUTPUT,
    [DESCRIBE_ALL] = {.names = "-a, --all", .kind = FLAG_BOOL, .help = "Show defaults too."},
};

static const struct column config_columns[] = {
    {"NAME", "name", CELL_TEXT},
    {"VALUE", "value", CELL_TEXT},
    {"SOURCE", "source", CELL_TEXT},
    {"READ-ONLY", "read_only", CELL_BOOL},
    {"SENSITIVE", "sensitive", CELL_BOOL},
};

static int describe_run(struct tool *t)
{
    enum admin_resource type;
    struct str name;
    int status = find_resource(t, &type, &name);
    if (status == EXIT_OK)
        status = tool_connect(t, flags_text(&t->flags, DESCRIBE_BOOTSTRAP));
    if (status == EXIT_OK)
        status = configs_prepare(t, type, name);
    if (status != EXIT_OK)
        return status;
    struct client_answer answer = {0};
    int err = configs_read(t->driver, type, name, false, &answer);
    if (err < 0)
        return tool_fail_call(t, err);
    const struct describe_configs_response *r = answer.response;
    const struct describe_configs_response_describe_configs_result *result = &r->results.items[0];
    if (result->error_code != 0) {
        status = resource_failed(t, type, name, result->error_code, result->error_message);
    } else {
        struct rows rows;
        rows_init(&rows, config_columns, sizeof config_columns / sizeof *config_columns);
        struct config_entry *list = configs_sorted(result);
        for (int i = 0; i < result->configs.count; i++) {
            if (list[i].source == SOURCE_DEFAULT && !flags_given(&t->flags, DESCRIBE_ALL))
                continue;
            rows_str(&rows, list[i].name);
            rows_str(&rows, list[i].value);
            rows_text(&rows, config_source_name(list[i].source));
            rows_bool(&rows, list[i].read_only);
            rows_bool(&rows, list[i].sensitive);
        }
        mem_free(list);
        rows_write(&rows, &t->out.buf, wants_json(t, DESCRIBE_OUTPUT));
        rows_release(&rows);
    }
    client_answer_release(&answer);
    return status;
}

const struct command command_config_describe = {
    .name = "config describe",
    .arguments = "topic NAME | broker ID | broker default",
    .summary = "Show configurations of a topic or a broker.",
    .text = "Examples:\n"
            "  chitin config describe topic orders --all\n"
            "  chitin config describe broker 1 -o json\n"
            "  chitin config describe broker default      what was set for all brokers",
    COMMAND_FLAGS(describe_flags),
    .arg_min = 2,
    .arg_max = 2,
    .run = describe_run,
};

// --- alter ---

enum { ALTER_BOOTSTRAP, ALTER_SET, ALTER_DELETE, ALTER_APPEND, ALTER_SUBTRACT };

static const struct flag_def alter_flags[] = {
    [ALTER_BOOTSTRAP] = COMMON_BOOTSTRAP,
    [ALTER_SET] = {.names = "-c, --set", .argument = "KEY=VALUE", .kind = FLAG_LIST,
                   .help = "Set a configuration; repeatable."},
    [ALTER_DELETE] = {.names = "-d, --delete", .argument = "KEY", .kind = FLAG_LIST,
                      .help = "Take a configuration back to its default; repeatable."},
    [ALTER_APPEND] = {.names = "--append", .argument = "KEY=VALUE", .kind = FLAG_LIST,
                      .help = "Add to a list; repeatable."},
    [ALTER_SUBTRACT] = {.names = "--subtract", .argument = "KEY=VALUE", .kind = FLAG_LIST,
                        .help = "Remove from a list; repeatable."},
};

static int collect_changes(struct tool *t, struct admin_config_change *changes, int *count)
{
    static const struct {
        int flag;
        enum config_operation operation;
    } kinds[] = {
        {ALTER_SET, CONFIG_SET},
        {ALTER_DELETE, CONFIG_DELETE},
        {ALTER_APPEND, CONFIG_APPEND},
        {ALTER_SUBTRACT, CONFIG_SUBTRACT},
    };
    *count = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const struct flag_value *v = &t->flags.values[kinds[k].flag];
        for (int i = 0; i < v->count; i++) {
            struct admin_config config = {.name = str_from(v->list[i])};
            if (kinds[k].operation != CONFIG_DELETE && !config_parse(v->list[i], &config))
                return tool_usage(t, "\"%s\" is not KEY=VALUE", v->list[i]);
            if (*count == CHANGES_MAX)
                return tool_usage(t, "more than %d changes at once", CHANGES_MAX);
            changes[(*count)++] = (struct admin_config_change){
                .name = config.name, .value = config.value, .operation = kinds[k].operation};
        }
    }
    return *count > 0 ? EXIT_OK : tool_usage(t, "nothing to change: give --set or --delete");
}

static int alter_run(struct tool *t)
{
    enum admin_resource type;
    struct str name;
    struct admin_config_change changes[CHANGES_MAX];
    int count;
    int status = find_resource(t, &type, &name);
    if (status == EXIT_OK)
        status = collect_changes(t, changes, &count);
    if (status == EXIT_OK)
        status = tool_connect(t, flags_text(&t->flags, ALTER_BOOTSTRAP));
    if (status == EXIT_OK)
        status = configs_prepare(t, type, name);
    if (status != EXIT_OK)
        return status;
    struct admin_result r;
    int err = admin_configs_alter(t->driver, type, name, config_node(type, name), changes, count, &r);
    if (err < 0)
        return tool_fail_call(t, err);
    return r.code != 0 ? resource_failed(t, type, name, r.code, str_from(r.message)) : EXIT_OK;
}

const struct command command_config_alter = {
    .name = "config alter",
    .arguments = "topic NAME | broker ID | broker default",
    .summary = "Change configurations of a topic or of brokers.",
    .text = "Examples:\n"
            "  chitin config alter topic orders -c retention.ms=3600000 -d segment.ms\n"
            "  chitin config alter broker default -c log.retention.ms=86400000",
    COMMAND_FLAGS(alter_flags),
    .arg_min = 2,
    .arg_max = 2,
    .run = alter_run,
};

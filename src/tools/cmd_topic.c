// SPDX-License-Identifier: Apache-2.0
//
// `chitin topic`: list, create, alter, delete.
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "wire/errors.h"

enum { CONFIGS_MAX = 256 };

static int topic_fail(struct tool *t, const char *name, const struct admin_result *r)
{
    char what[300];
    snprintf(what, sizeof what, "topic \"%s\"", name);
    if (r->code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
        return tool_no_such_topic(t, str_from(name));
    return tool_fail_code(t, what, r->code, str_from(r->message));
}

// The worse of two exit statuses is the first that is not 0.
static int first_status(int before, int now)
{
    return before != EXIT_OK ? before : now;
}

// --- list ---

enum { LIST_BOOTSTRAP, LIST_OUTPUT, LIST_INTERNAL, LIST_REGEX };

static const struct flag_def list_flags[] = {
    [LIST_BOOTSTRAP] = COMMON_BOOTSTRAP,
    [LIST_OUTPUT] = COMMON_OUTPUT,
    [LIST_INTERNAL] = {.names = "-i, --internal", .kind = FLAG_BOOL,
                       .help = "Show internal topics too."},
    [LIST_REGEX] = {.names = "-r, --regex", .argument = "PATTERN", .kind = FLAG_TEXT,
                    .help = "Only topics whose whole name fits this regular expression."},
};

static const struct column list_columns[] = {
    {"NAME", "name", CELL_TEXT},
    {"PARTITIONS", "partitions", CELL_NUMBER},
    {"REPLICAS", "replicas", CELL_NUMBER},
    {"ID", "id", CELL_TEXT},
};

static void list_row(struct rows *rows, const struct admin_topic *topic)
{
    rows_str(rows, topic->name);
    rows_i64(rows, topic->partition_count);
    rows_i64(rows, topic->partition_count > 0 ? topic->partitions[0].replicas.count : 0);
    rows_text(rows, uuid_is_zero(topic->id) ? NULL : uuid_format(topic->id).text);
}

static int list_run(struct tool *t)
{
    struct diag diag;
    struct pattern *pattern = NULL;
    if (flags_given(&t->flags, LIST_REGEX)) {
        pattern = pattern_new(flags_text(&t->flags, LIST_REGEX), &diag);
        if (pattern == NULL)
            return tool_usage(t, "%s", diag.text);
    }
    struct admin_topics topics = {0};
    int status = tool_connect(t, flags_text(&t->flags, LIST_BOOTSTRAP));
    int err = status == 0 ? admin_topics_list(t->driver, &topics) : 0;
    if (err < 0)
        status = tool_fail_call(t, err);
    if (status == EXIT_OK) {
        struct rows rows;
        rows_init(&rows, list_columns, sizeof list_columns / sizeof *list_columns);
        for (int i = 0; i < topics.count; i++) {
            const struct admin_topic *topic = &topics.items[i];
            bool shown = !topic->internal || flags_given(&t->flags, LIST_INTERNAL);
            if (shown && (pattern == NULL || pattern_matches(pattern, topic->name)))
                list_row(&rows, topic);
        }
        rows_write(&rows, &t->out.buf, wants_json(t, LIST_OUTPUT));
        rows_release(&rows);
    }
    admin_topics_release(&topics);
    pattern_free(pattern);
    return status;
}

const struct command command_topic_list = {
    .name = "topic list",
    .arguments = "",
    .summary = "List topics.",
    .text = "Examples:\n"
            "  chitin topic list\n"
            "  chitin topic list -r 'orders.*' -o json",
    COMMAND_FLAGS(list_flags),
    .run = list_run,
};

// --- create ---

enum {
    CREATE_BOOTSTRAP,
    CREATE_OUTPUT,
    CREATE_PARTITIONS,
    CREATE_REPLICAS,
    CREATE_CONFIG,
    CREATE_ASSIGNMENT,
    CREATE_IF_NOT_EXISTS,
    CREATE_DRY_RUN,
};

static const struct flag_def create_flags[] = {
    [CREATE_BOOTSTRAP] = COMMON_BOOTSTRAP,
    [CREATE_OUTPUT] = COMMON_OUTPUT,
    [CREATE_PARTITIONS] = {.names = "-p, --partitions", .argument = "N", .kind = FLAG_I32, .min = 1,
                           .max = 1000000,
                           .help = "Number of partitions. [default: the cluster's num.partitions]"},
    [CREATE_REPLICAS] = {.names = "-r, --replicas, --replication-factor", .argument = "N",
                         .kind = FLAG_I32, .min = 1, .max = INT16_MAX,
                         .help = "Copies of each partition. [default: the cluster's "
                                 "default.replication.factor]"},
    [CREATE_CONFIG] = {.names = "-c, --config, --topic-config", .argument = "KEY=VALUE",
                       .kind = FLAG_LIST, .help = "A configuration of the topic; repeatable."},
    [CREATE_ASSIGNMENT] = {.names = "--replica-assignment", .argument = "0:1,1:2",
                           .kind = FLAG_TEXT,
                           .help = "Which brokers hold each partition, the preferred leader first; "
                                   "instead of -p and -r."},
    [CREATE_IF_NOT_EXISTS] = {.names = "--if-not-exists", .kind = FLAG_BOOL,
                              .help = "A topic that is there already is not an error."},
    [CREATE_DRY_RUN] = {.names = "--dry-run", .kind = FLAG_BOOL,
                        .help = "Let the broker check everything, but create nothing."},
};

static const struct column create_columns[] = {
    {"NAME", "name", CELL_TEXT},
    {"STATUS", "status", CELL_TEXT},
    {"PARTITIONS", "partitions", CELL_NUMBER},
    {"REPLICAS", "replicas", CELL_NUMBER},
    {"ID", "id", CELL_TEXT},
};

static int create_one(struct tool *t, const char *name, struct admin_new_topic *topic,
                      struct rows *rows)
{
    struct admin_result r;
    topic->name = str_from(name);
    int err = admin_topic_create(t->driver, topic, &r);
    if (err < 0)
        return tool_fail_call(t, err);
    bool exists = r.code == KAFKA_TOPIC_ALREADY_EXISTS && flags_given(&t->flags, CREATE_IF_NOT_EXISTS);
    if (r.code != 0 && !exists)
        return topic_fail(t, name, &r);
    rows_text(rows, name);
    rows_text(rows, exists ? "exists" : topic->validate_only ? "valid" : "created");
    for (int i = 0; i < 2; i++) {
        int32_t value = i == 0 ? r.partition_count : r.replication_factor;
        if (value >= 0)
            rows_i64(rows, value);
        else
            rows_text(rows, NULL);
    }
    rows_text(rows, uuid_is_zero(r.id) ? NULL : uuid_format(r.id).text);
    return EXIT_OK;
}

static int create_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    struct admin_config configs[CONFIGS_MAX];
    struct diag diag;
    const struct flag_value *given = &f->values[CREATE_CONFIG];
    if (given->count > CONFIGS_MAX)
        return tool_usage(t, "more than %d --config", CONFIGS_MAX);
    for (int i = 0; i < given->count; i++)
        if (!config_parse(given->list[i], &configs[i]))
            return tool_usage(t, "--config needs KEY=VALUE, not \"%s\"", given->list[i]);
    struct wire_int32_array *assignment = NULL;
    int assignment_count = 0;
    if (flags_given(f, CREATE_ASSIGNMENT)) {
        if (flags_given(f, CREATE_PARTITIONS) || flags_given(f, CREATE_REPLICAS))
            return tool_usage(t, "--replica-assignment says it all: leave --partitions and "
                                 "--replicas away");
        if (assignment_parse(flags_text(f, CREATE_ASSIGNMENT), &assignment, &assignment_count,
                             &diag) < 0)
            return tool_usage(t, "%s", diag.text);
    }
    struct admin_new_topic topic = {
        .partition_count = flags_given(f, CREATE_PARTITIONS)
                               ? (int32_t)flags_number(f, CREATE_PARTITIONS)
                               : -1,
        .replication_factor =
            flags_given(f, CREATE_REPLICAS) ? (int16_t)flags_number(f, CREATE_REPLICAS) : -1,
        .configs = configs,
        .config_count = given->count,
        .assignment = assignment,
        .assignment_count = assignment_count,
        .validate_only = flags_given(f, CREATE_DRY_RUN),
    };
    struct rows rows;
    rows_init(&rows, create_columns, sizeof create_columns / sizeof *create_columns);
    int status = tool_connect(t, flags_text(f, CREATE_BOOTSTRAP));
    for (int i = 0; status != EXIT_UNREACHABLE && status != EXIT_USAGE && i < f->arg_count; i++)
        status = first_status(status, create_one(t, f->args[i], &topic, &rows));
    if (rows.cell_count > 0)
        rows_write(&rows, &t->out.buf, wants_json(t, CREATE_OUTPUT));
    rows_release(&rows);
    assignment_free(assignment, assignment_count);
    return status;
}

const struct command command_topic_create = {
    .name = "topic create",
    .arguments = "TOPIC...",
    .summary = "Create topics.",
    .text = "Examples:\n"
            "  chitin topic create orders\n"
            "  chitin topic create orders -p 6 -r 3 -c retention.ms=86400000\n"
            "  chitin topic create snapshots -c cleanup.policy=compact --if-not-exists",
    COMMAND_FLAGS(create_flags),
    .arg_min = 1,
    .arg_max = -1,
    .run = create_run,
};

// --- alter ---

enum {
    ALTER_BOOTSTRAP,
    ALTER_PARTITIONS,
    ALTER_CONFIG,
    ALTER_DELETE_CONFIG,
    ALTER_ASSIGNMENT,
};

static const struct flag_def alter_flags[] = {
    [ALTER_BOOTSTRAP] = COMMON_BOOTSTRAP,
    [ALTER_PARTITIONS] = {.names = "-p, --partitions", .argument = "N", .kind = FLAG_I32, .min = 1,
                          .max = 1000000,
                          .help = "Grow the topic to this many partitions. Keys may then map to "
                                  "other partitions."},
    [ALTER_CONFIG] = {.names = "-c, --config, --set", .argument = "KEY=VALUE", .kind = FLAG_LIST,
                      .help = "Set a configuration; repeatable."},
    [ALTER_DELETE_CONFIG] = {.names = "-d, --delete-config", .argument = "KEY", .kind = FLAG_LIST,
                             .help = "Take a configuration back to its default; repeatable."},
    [ALTER_ASSIGNMENT] = {.names = "--replica-assignment", .argument = "0:1,1:2",
                          .kind = FLAG_TEXT,
                          .help = "Which brokers hold each new partition; with --partitions."},
};

static int alter_configs(struct tool *t, const char *name)
{
    const struct flag_value *set = &t->flags.values[ALTER_CONFIG];
    const struct flag_value *unset = &t->flags.values[ALTER_DELETE_CONFIG];
    struct admin_config_change changes[CONFIGS_MAX];
    int count = 0;
    if (set->count + unset->count == 0)
        return EXIT_OK;
    for (int i = 0; i < set->count; i++) {
        struct admin_config config;
        if (!config_parse(set->list[i], &config))
            return tool_usage(t, "--config needs KEY=VALUE, not \"%s\"", set->list[i]);
        changes[count++] = (struct admin_config_change){
            .name = config.name, .value = config.value, .operation = CONFIG_SET};
    }
    for (int i = 0; i < unset->count; i++)
        changes[count++] = (struct admin_config_change){.name = str_from(unset->list[i]),
                                                        .operation = CONFIG_DELETE};
    struct admin_result r;
    int err = admin_configs_alter(t->driver, RESOURCE_TOPIC, str_from(name), CLIENT_NODE_ANY, changes,
                                  count, &r);
    if (err < 0)
        return tool_fail_call(t, err);
    return r.code != 0 ? topic_fail(t, name, &r) : EXIT_OK;
}

static int alter_partitions(struct tool *t, const char *name)
{
    const struct flags *f = &t->flags;
    if (!flags_given(f, ALTER_PARTITIONS))
        return EXIT_OK;
    struct wire_int32_array *assignment = NULL;
    int assignment_count = 0;
    struct diag diag;
    if (flags_given(f, ALTER_ASSIGNMENT) &&
        assignment_parse(flags_text(f, ALTER_ASSIGNMENT), &assignment, &assignment_count, &diag) < 0)
        return tool_usage(t, "%s", diag.text);
    struct admin_result r;
    int err = admin_topic_grow(t->driver, str_from(name), (int32_t)flags_number(f, ALTER_PARTITIONS),
                               assignment, assignment_count, &r);
    assignment_free(assignment, assignment_count);
    if (err < 0)
        return tool_fail_call(t, err);
    return r.code != 0 ? topic_fail(t, name, &r) : EXIT_OK;
}

static int alter_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    if (f->values[ALTER_CONFIG].count + f->values[ALTER_DELETE_CONFIG].count > CONFIGS_MAX)
        return tool_usage(t, "more than %d configurations", CONFIGS_MAX);
    if (!flags_given(f, ALTER_PARTITIONS) && !flags_given(f, ALTER_CONFIG) &&
        !flags_given(f, ALTER_DELETE_CONFIG))
        return tool_usage(t, "nothing to change: give --partitions, --config or --delete-config");
    int status = tool_connect(t, flags_text(f, ALTER_BOOTSTRAP));
    for (int i = 0; status == EXIT_OK && i < f->arg_count; i++) {
        status = alter_configs(t, f->args[i]);
        if (status == EXIT_OK)
            status = alter_partitions(t, f->args[i]);
    }
    return status;
}

const struct command command_topic_alter = {
    .name = "topic alter",
    .arguments = "TOPIC...",
    .summary = "Change configurations or the number of partitions.",
    .text = "Examples:\n"
            "  chitin topic alter orders -p 12\n"
            "  chitin topic alter orders -c retention.ms=3600000 -d max.message.bytes",
    COMMAND_FLAGS(alter_flags),
    .arg_min = 1,
    .arg_max = -1,
    .run = alter_run,
};

// --- delete ---

enum { DELETE_BOOTSTRAP, DELETE_IF_EXISTS };

static const struct flag_def delete_flags[] = {
    [DELETE_BOOTSTRAP] = COMMON_BOOTSTRAP,
    [DELETE_IF_EXISTS] = {.names = "--if-exists", .kind = FLAG_BOOL,
                          .help = "A topic that is not there is not an error."},
};

static int delete_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    int status = tool_connect(t, flags_text(f, DELETE_BOOTSTRAP));
    for (int i = 0; status != EXIT_UNREACHABLE && status != EXIT_USAGE && i < f->arg_count; i++) {
        struct admin_result r;
        int err = admin_topic_delete(t->driver, str_from(f->args[i]), &r);
        bool gone = r.code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION && flags_given(f, DELETE_IF_EXISTS);
        if (err < 0)
            status = first_status(status, tool_fail_call(t, err));
        else if (r.code != 0 && !gone)
            status = first_status(status, topic_fail(t, f->args[i], &r));
    }
    return status;
}

const struct command command_topic_delete = {
    .name = "topic delete",
    .arguments = "TOPIC...",
    .summary = "Delete topics and everything in them.",
    .text = "Example:\n"
            "  chitin topic delete orders --if-exists",
    COMMAND_FLAGS(delete_flags),
    .arg_min = 1,
    .arg_max = -1,
    .run = delete_run,
};

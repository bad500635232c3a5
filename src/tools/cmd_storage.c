// SPDX-License-Identifier: Apache-2.0
//
// `chitin storage` (format, info, random-uuid) and kafka-storage, Kafka's StorageTool, whose output is
// FROZEN.
#include <string.h>

#include "base/mem.h"
#include "env/env.h"
#include "env/random.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "tools/node_storage.h"

#include "metadata/snapshot.h"

// --- What both share ---

static int random_uuid(struct tool *t)
{
    struct diag diag;
    struct env *env = t->host->env(t->host, &diag);
    if (env == NULL)
        return tool_fail(t, EXIT_FAILED, "%s", diag.text);
    buf_printf(&t->out.buf, "%s\n", uuid_format(env_random_uuid(env->random)).text);
    return EXIT_OK;
}

// "name=level" of --feature.
static int set_feature(struct tool *t, const char *text, struct feature_levels *levels)
{
    struct str value = str_from(text), name = str_cut(&value, '=');
    int32_t level;
    struct diag diag;
    if (value.data == NULL || !str_parse_i32(value, &level) || level < 0 || level > INT16_MAX)
        return tool_usage(t, "--feature needs NAME=LEVEL, not \"%s\"", text);
    int feature = feature_find(name);
    if (feature < 0 || feature_check(name, (int16_t)level, &diag) < 0)
        return tool_fail(t, EXIT_FAILED, feature < 0 ? "unknown feature \"%.*s\"" : "%.*s%s",
                         feature < 0 ? (int)name.size : 0, name.data, feature < 0 ? "" : diag.text);
    levels->level[feature] = (int16_t)level;
    return EXIT_OK;
}

static int set_features(struct tool *t, const struct flag_value *given, struct feature_levels *levels)
{
    int status = EXIT_OK;
    metadata_format_levels(levels);
    for (int i = 0; i < given->count && status == EXIT_OK; i++)
        status = set_feature(t, given->list[i], levels);
    return status;
}

// As Kafka's StorageTool prints it.
static int print_info(struct tool *t, const struct node_storage *s)
{
    struct node_storage_dir dir, found = {0};
    struct buf *out = &t->out.buf, dirs, problems;
    int dir_count = 0, problem_count = 0;
    buf_init(&dirs, 1 << 20);
    buf_init(&problems, 1 << 20);
    for (int i = 0; i < s->dir_count; i++) {
        node_storage_look(t, s->dirs[i], &dir);
        if (dir.exists) {
            buf_printf(&dirs, "  %s\n", s->dirs[i]);
            dir_count++;
        }
        if (dir.problem[0] != '\0') {
            buf_printf(&problems, "  %s\n", dir.problem);
            problem_count++;
        }
        if (dir.formatted && !found.formatted)
            found = dir;
    }
    if (dir_count > 0)
        buf_printf(out, "Found log director%s:\n%s\n", dir_count == 1 ? "y" : "ies", buf_text(&dirs));
    if (found.formatted) {
        buf_printf(out, "Found metadata: {cluster.id=%s, ", found.cluster_id);
        if (found.directory_id[0] != '\0')
            buf_printf(out, "directory.id=%s, ", found.directory_id);
        buf_printf(out, "node.id=%s, version=%s}\n\n", found.node_id, found.version);
    }
    if (problem_count > 0)
        buf_printf(out, "Found problem%s:\n%s\n", problem_count == 1 ? "" : "s", buf_text(&problems));
    buf_release(&dirs);
    buf_release(&problems);
    return problem_count > 0 ? EXIT_FAILED : EXIT_OK;
}

// --- chitin storage format ---

enum {
    FORMAT_CONFIG,
    FORMAT_OUTPUT,
    FORMAT_CLUSTER_ID,
    FORMAT_FEATURE,
    FORMAT_STANDALONE,
    FORMAT_IGNORE,
};

static const struct flag_def format_flags[] = {
    [FORMAT_CONFIG] = {.names = "-c, --config", .argument = "FILE", .kind = FLAG_TEXT,
                       .help = "The node's server.properties. [default: none, as 'chitin server']"},
    [FORMAT_OUTPUT] = COMMON_OUTPUT,
    [FORMAT_CLUSTER_ID] = {.names = "-t, --cluster-id", .argument = "ID", .kind = FLAG_TEXT,
                           .help = "The id of the cluster. [default: a new one]"},
    [FORMAT_FEATURE] = {.names = "-f, --feature", .argument = "NAME=LEVEL", .kind = FLAG_LIST,
                        .help = "A feature level to start with; repeatable."},
    [FORMAT_STANDALONE] = {.names = "-s, --standalone", .kind = FLAG_BOOL,
                           .help = "Write this node down as the only voter, so that others can join "
                                   "later."},
    [FORMAT_IGNORE] = {.names = "-g, --ignore-formatted", .kind = FLAG_BOOL,
                       .help = "Skip directories that are formatted for this cluster and node."},
};

static const struct column dir_columns[] = {
    {"DIRECTORY", "directory", CELL_TEXT},       {"CLUSTER ID", "cluster_id", CELL_TEXT},
    {"DIRECTORY ID", "directory_id", CELL_TEXT}, {"NODE", "node", CELL_NUMBER},
    {"PROBLEM", "problem", CELL_TEXT},
};

static int print_dirs(struct tool *t, const struct node_storage *s, bool json)
{
    struct rows rows;
    int status = EXIT_OK;
    rows_init(&rows, dir_columns, sizeof dir_columns / sizeof *dir_columns);
    for (int i = 0; i < s->dir_count; i++) {
        struct node_storage_dir dir;
        node_storage_look(t, s->dirs[i], &dir);
        const char *const cells[] = {s->dirs[i], dir.cluster_id, dir.directory_id, dir.node_id,
                                     dir.problem};
        for (int c = 0; c < 5; c++)
            rows_text(&rows, cells[c][0] != '\0' ? cells[c] : NULL);
        if (dir.problem[0] != '\0')
            status = EXIT_NOT_FOUND;
    }
    rows_write(&rows, &t->out.buf, json);
    rows_release(&rows);
    return status;
}

static int format_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    struct node_storage s;
    struct node_storage_format format = {
        .cluster_id = flags_text(f, FORMAT_CLUSTER_ID),
        .standalone = flags_given(f, FORMAT_STANDALONE),
        .ignore_formatted = flags_given(f, FORMAT_IGNORE),
        .quiet = true,
    };
    struct uuid_text fresh;
    int status = node_storage_load(t, flags_text(f, FORMAT_CONFIG), &s);
    if (status == EXIT_OK)
        status = set_features(t, &f->values[FORMAT_FEATURE], &format.levels);
    struct diag diag;
    if (status == EXIT_OK && format.cluster_id == NULL) {
        struct env *env = t->host->env(t->host, &diag);
        if (env == NULL)
            status = tool_fail(t, EXIT_FAILED, "%s", diag.text);
        else
            fresh = uuid_format(env_random_uuid(env->random));
        format.cluster_id = fresh.text;
    }
    if (status == EXIT_OK)
        status = node_storage_format(t, &s, &format);
    if (status == EXIT_OK)
        status = print_dirs(t, &s, wants_json(t, FORMAT_OUTPUT));
    node_storage_release(&s);
    return status;
}

const struct command command_storage_format = {
    .name = "storage format",
    .arguments = "",
    .summary = "Prepare the directories of a node ('chitin server' does it by itself).",
    .text = "A single node formats its empty directory at its first start. Do it by hand to choose the\n"
            "cluster id or the feature levels.\n"
            "\n"
            "Examples:\n"
            "  chitin storage format -c server.properties\n"
            "  chitin storage format -c server.properties -t \"$(chitin storage random-uuid)\"",
    COMMAND_FLAGS(format_flags),
    .run = format_run,
};

// --- chitin storage info, random-uuid ---

enum { INFO_CONFIG, INFO_OUTPUT };

static const struct flag_def info_flags[] = {
    [INFO_CONFIG] = {.names = "-c, --config", .argument = "FILE", .kind = FLAG_TEXT,
                     .help = "The node's server.properties. [default: none, as 'chitin server']"},
    [INFO_OUTPUT] = COMMON_OUTPUT,
};

static int info_run(struct tool *t)
{
    struct node_storage s;
    int status = node_storage_load(t, flags_text(&t->flags, INFO_CONFIG), &s);
    if (status == EXIT_OK)
        status = print_dirs(t, &s, wants_json(t, INFO_OUTPUT));
    node_storage_release(&s);
    return status;
}

const struct command command_storage_info = {
    .name = "storage info",
    .arguments = "",
    .summary = "Show whose data the directories of a node hold.",
    .text = "Example:\n"
            "  chitin storage info -c server.properties",
    COMMAND_FLAGS(info_flags),
    .run = info_run,
};

const struct command command_storage_random_uuid = {
    .name = "storage random-uuid",
    .arguments = "",
    .summary = "Print a new cluster id.",
    .run = random_uuid,
};

// --- kafka-storage ---

enum {
    CONFIG,
    CLUSTER_ID,
    ADD_SCRAM,
    IGNORE_FORMATTED,
    RELEASE_VERSION,
    FEATURE,
    STANDALONE,
    NO_INITIAL_CONTROLLERS,
    INITIAL_CONTROLLERS,
};

static const struct flag_def storage_flags[] = {
    [CONFIG] = {.names = "-c, --config", .argument = "FILE", .kind = FLAG_TEXT,
                .help = "The node's properties file."},
    [CLUSTER_ID] = {.names = "-t, --cluster-id", .argument = "ID", .kind = FLAG_TEXT,
                    .help = "The cluster id to format with."},
    [ADD_SCRAM] = {.names = "-S, --add-scram", .argument = "CREDENTIAL", .kind = FLAG_LIST,
                   .help = NULL},
    [IGNORE_FORMATTED] = {.names = "-g, --ignore-formatted", .kind = FLAG_BOOL,
                          .help = "Skip directories that are formatted already."},
    [RELEASE_VERSION] = {.names = "-r, --release-version", .argument = "VERSION",
                         .kind = FLAG_TEXT, .help = NULL},
    [FEATURE] = {.names = "-f, --feature", .argument = "NAME=LEVEL", .kind = FLAG_LIST,
                 .help = "A feature level; repeatable."},
    [STANDALONE] = {.names = "-s, --standalone", .kind = FLAG_BOOL,
                    .help = "Start a dynamic quorum of this controller alone."},
    [NO_INITIAL_CONTROLLERS] = {.names = "-N, --no-initial-controllers", .kind = FLAG_BOOL,
                                .help = "Start without voters: join a quorum later."},
    [INITIAL_CONTROLLERS] = {.names = "-I, --initial-controllers", .argument = "LIST",
                             .kind = FLAG_TEXT, .help = NULL},
};

static int alias_format(struct tool *t, const struct node_storage *s)
{
    const struct flags *f = &t->flags;
    struct node_storage_format format = {
        .cluster_id = flags_text(f, CLUSTER_ID),
        .standalone = flags_given(f, STANDALONE),
        .ignore_formatted = flags_given(f, IGNORE_FORMATTED),
    };
    static const struct {
        int flag;
        const char *what;
    } missing[] = {
        {ADD_SCRAM, "SCRAM credentials (--add-scram) are"},
        {RELEASE_VERSION, "formatting for another release (--release-version) is"},
        {INITIAL_CONTROLLERS, "quorums of several controllers (--initial-controllers) are"},
        {NO_INITIAL_CONTROLLERS, "joining a quorum (--no-initial-controllers) is"},
    };
    if (format.cluster_id == NULL)
        return tool_usage(t, "kafka-storage: error: argument --cluster-id/-t is required");
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        if (flags_given(f, missing[i].flag))
            return tool_fail(t, EXIT_FAILED, "%s not there yet", missing[i].what);
    if (s->node.voter_count == 0 && !format.standalone)
        return tool_fail(t, EXIT_FAILED,
                         "Because controller.quorum.voters is not set on this controller, you must "
                         "specify one of the following: --standalone, --initial-controllers, or "
                         "--no-initial-controllers.");
    if (s->node.voter_count > 0 && format.standalone)
        return tool_fail(t, EXIT_FAILED, "You cannot specify --standalone when controller.quorum.voters "
                                         "is set: the voters are those.");
    int status = set_features(t, &f->values[FEATURE], &format.levels);
    return status == EXIT_OK ? node_storage_format(t, s, &format) : status;
}

static void print_mapping(struct tool *t)
{
    struct feature_levels levels;
    metadata_format_levels(&levels);
    // In Kafka's order.
    static const enum feature order[] = {
        FEATURE_TRANSACTION_VERSION, FEATURE_GROUP_VERSION, FEATURE_ELIGIBLE_LEADER_REPLICAS_VERSION,
        FEATURE_SHARE_VERSION, FEATURE_STREAMS_VERSION,
    };
    int16_t version = levels.level[FEATURE_METADATA_VERSION];
    buf_printf(&t->out.buf, "metadata.version=%d (%s)\nkraft.version=1\n", version,
               metadata_version_name(version));
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        buf_printf(&t->out.buf, "%s=%d\n", feature_info(order[i])->name, levels.level[order[i]]);
}

static int storage_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    const char *action = f->args[0];
    if (strcmp(action, "random-uuid") == 0)
        return random_uuid(t);
    if (strcmp(action, "version-mapping") == 0) {
        if (flags_given(f, RELEASE_VERSION))
            return tool_fail(t, EXIT_FAILED, "levels of other releases (--release-version) are not "
                                             "there yet");
        print_mapping(t);
        return EXIT_OK;
    }
    bool format = strcmp(action, "format") == 0;
    if (!format && strcmp(action, "info") != 0)
        return tool_usage(t, "kafka-storage: error: \"%s\" is none of info, format, version-mapping, "
                             "random-uuid",
                          action);
    if (!flags_given(f, CONFIG))
        return tool_usage(t, "kafka-storage: error: argument --config/-c is required");
    struct node_storage s;
    int status = node_storage_load(t, flags_text(f, CONFIG), &s);
    if (status == EXIT_OK)
        status = format ? alias_format(t, &s) : print_info(t, &s);
    node_storage_release(&s);
    return status;
}

const struct command alias_storage = {
    .name = "kafka-storage",
    .arguments = "info|format|version-mapping|random-uuid",
    .summary = "Format the storage of a node, or show it.",
    .text = "Example:\n"
            "  kafka-storage format -t \"$(kafka-storage random-uuid)\" -c server.properties --standalone",
    COMMAND_FLAGS(storage_flags),
    .arg_min = 1,
    .arg_max = 1,
    .mode = FLAGS_ABBREVIATED,
    .run = storage_run,
};

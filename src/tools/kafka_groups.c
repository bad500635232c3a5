// SPDX-License-Identifier: Apache-2.0
//
// kafka-groups: Kafka's GroupsCommand, which lists groups of every type. Its output is FROZEN.
#include <string.h>

#include "base/mem.h"
#include "tools/commands.h"
#include "tools/groups.h"
#include "tools/kafka.h"
#include "wire/errors.h"

enum { BOOTSTRAP, COMMAND_CONFIG, VERSION, LIST, GROUP_TYPE, PROTOCOL, CONSUMER, SHARE, STREAMS };

enum { WIDTH = 20 };

static const struct flag_def groups_flags[] = {
    [BOOTSTRAP] = KAFKA_BOOTSTRAP,
    [COMMAND_CONFIG] = KAFKA_COMMAND_CONFIG,
    [VERSION] = KAFKA_VERSION_FLAG,
    [LIST] = {.names = "--list", .kind = FLAG_BOOL, .help = "List the groups."},
    [GROUP_TYPE] = {.names = "--group-type",
                    .argument = "TYPE",
                    .kind = FLAG_TEXT,
                    .help = "Only groups of this type: classic, consumer, share or streams."},
    [PROTOCOL] = {.names = "--protocol",
                  .argument = "PROTOCOL",
                  .kind = FLAG_TEXT,
                  .help = "Only groups of this protocol type."},
    [CONSUMER] = {.names = "--consumer",
                  .kind = FLAG_BOOL,
                  .help = "Only groups of consumers, of both protocols, and those that only have\n"
                          "offsets."},
    [SHARE] = {.names = "--share", .kind = FLAG_BOOL, .help = "Only share groups."},
    [STREAMS] = {.names = "--streams", .kind = FLAG_BOOL, .help = "Only streams groups."},
};

static bool has_type(const struct group_entry *g, const char *type)
{
    return str_equal_nocase(g->type, str_from(type));
}

static bool is_shown(const struct flags *f, const struct group_entry *g)
{
    const char *protocol = flags_text(f, PROTOCOL), *type = flags_text(f, GROUP_TYPE);
    if (type != NULL && !has_type(g, type))
        return false;
    if (protocol != NULL)
        return str_is(g->protocol_type, protocol);
    if (flags_given(f, CONSUMER))
        return g->protocol_type.size == 0 || str_is(g->protocol_type, "consumer") ||
               has_type(g, "Consumer");
    if (flags_given(f, SHARE))
        return has_type(g, "Share");
    return !flags_given(f, STREAMS) || has_type(g, "Streams");
}

static int widen(int width, struct str text)
{
    return (int)text.size > width ? (int)text.size : width;
}

static void show(struct tool *t, const struct group_list *list)
{
    struct buf *out = &t->out.buf;
    struct str *ids = mem_alloc_array((size_t)list->count + 1, sizeof *ids);
    int *order = mem_alloc_array((size_t)list->count + 1, sizeof *order);
    int width = WIDTH;
    for (int i = 0; i < list->count; i++) {
        const struct group_entry *g = &list->items[i];
        ids[i] = g->id;
        if (is_shown(&t->flags, g))
            width = widen(widen(widen(width, g->id), g->type), g->protocol_type);
    }
    java_order(ids, list->count, java_capacity_grown(list->count), order);
    buf_printf(out, "%-*s %-*s %-*s\n", width, "GROUP", width, "TYPE", width, "PROTOCOL");
    for (int i = 0; i < list->count; i++) {
        const struct group_entry *g = &list->items[order[i]];
        if (is_shown(&t->flags, g))
            buf_printf(out, "%-*.*s %-*.*s %-*.*s \n", width, STR_ARG(g->id), width,
                       STR_ARG(java_group_type(g->type)), width, STR_ARG(g->protocol_type));
    }
    mem_free(order);
    mem_free(ids);
}

static int check(struct tool *t)
{
    static const char *const types[] = {"classic", "consumer", "share", "streams"};
    // What --consumer, --share and --streams do not go with.
    static const int filters[] = {CONSUMER, SHARE, STREAMS, GROUP_TYPE, PROTOCOL};
    const struct flags *f = &t->flags;
    const char *type = flags_text(f, GROUP_TYPE);
    bool known = type == NULL;
    if (!flags_given(f, LIST))
        return tool_usage(t, "Command must include exactly one action: --list.");
    for (int i = 0; i < 4 && !known; i++)
        known = str_equal_nocase(str_from(type), str_from(types[i]));
    if (!known)
        return tool_usage(t, "--group-type must be a valid group type.");
    for (int i = 0; i < 3; i++)
        for (int k = i + 1; k < 5; k++)
            if (flags_given(f, filters[i]) && flags_given(f, filters[k]))
                return tool_usage(t, "Option \"[%s]\" can't be used with option \"[%s]\"",
                                  groups_flags[filters[i]].names + 2,
                                  groups_flags[filters[k]].names + 2);
    return EXIT_OK;
}

static int groups_run(struct tool *t)
{
    struct group_list list = {0};
    struct admin_result r = {0};
    if (kafka_version(t, VERSION))
        return EXIT_OK;
    int status = check(t);
    if (status == EXIT_OK)
        status = kafka_connect_flags(t, BOOTSTRAP, COMMAND_CONFIG, -1);
    if (status != EXIT_OK)
        return status;
    int err = admin_groups_list(t->driver, (struct wire_string_array){0},
                                (struct wire_string_array){0}, &list, &r);
    if (err < 0) {
        status = tool_fail_call(t, err);
    } else if (r.code != KAFKA_NONE) {
        buf_printf(&t->out.buf, "Error while executing groups command : %s\n",
                   java_message(r.code));
        status = EXIT_FAILED;
    } else {
        show(t, &list);
    }
    admin_group_list_release(&list);
    return status;
}

const struct command alias_groups = {
    .name = "kafka-groups",
    .arguments = "",
    .summary = "List groups of every type.",
    .text = "Example:\n"
            "  kafka-groups --bootstrap-server localhost:9092 --list --consumer",
    COMMAND_FLAGS(groups_flags),
    .mode = FLAGS_ABBREVIATED,
    .run = groups_run,
};

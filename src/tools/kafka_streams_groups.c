// SPDX-License-Identifier: Apache-2.0
//
// kafka-streams-groups: Kafka's StreamsGroupCommand. Its outputs are FROZEN.
#include "tools/kafka_streams_groups.h"

#include "base/mem.h"
#include "tools/commands.h"
#include "wire/errors.h"

const struct group_tool streams_groups_tool = {
    .kind = "streams",
    .failed = EXIT_FAILED,
};

static const struct flag_def groups_flags[] = {
    GROUP_TOOL_FLAGS,
    [GF_GROUP] = {.names = "--group",
                  .argument = "GROUP",
                  .kind = FLAG_LIST,
                  .help = "The group to act on; repeatable."},
    [GF_TOPIC] = {.names = "--input-topic",
                  .argument = "TOPIC[:0,1,...]",
                  .kind = FLAG_LIST,
                  .help = "With --reset-offsets and --delete-offsets: an input topic, or partitions of\n"
                          "it; repeatable."},
    [GF_ALL_TOPICS] = {.names = "--all-input-topics",
                       .kind = FLAG_BOOL,
                       .help = "With --reset-offsets and --delete-offsets: all that the group has\n"
                               "committed for its input topics."},
    [GF_DESCRIBE] = {.names = "--describe",
                     .kind = FLAG_BOOL,
                     .help = "Show how far groups are behind in what they read just now; or --members,\n"
                             "or --state."},
    [GF_DELETE] = {.names = "--delete",
                   .kind = FLAG_BOOL,
                   .help = "Delete groups without members, with what they have committed."},
    [GF_RESET] = {.names = "--reset-offsets",
                  .kind = FLAG_BOOL,
                  .help = "Set where groups without members go on: with --dry-run or --execute."},
    [GF_DELETE_OFFSETS] = {.names = "--delete-offsets",
                           .kind = FLAG_BOOL,
                           .help = "Forget what a group has committed for its input topics."},
    [GF_STATE] = {.names = "--state",
                  .argument = "STATE[,...]",
                  .kind = FLAG_OPTIONAL,
                  .help = "With --describe: the state of the group. With --list: show states, or\n"
                          "only groups in these."},
    [GF_VERBOSE] = {.names = "--verbose",
                    .kind = FLAG_BOOL,
                    .help = "With --describe: epochs, targets and offsets, too."},
    [GF_DRY_RUN] = {.names = "--dry-run",
                    .kind = FLAG_BOOL,
                    .help = "With --reset-offsets: only show the plan."},
    [GF_DELETE_INTERNAL_TOPIC] = {.names = "--delete-internal-topic",
                                  .argument = "TOPIC",
                                  .kind = FLAG_LIST,
                                  .help = "With --reset-offsets --execute: delete this internal topic\n"
                                          "of the group; repeatable."},
    [GF_DELETE_ALL_INTERNAL_TOPICS] = {.names = "--delete-all-internal-topics",
                                       .kind = FLAG_BOOL,
                                       .help = "With --delete, and with --reset-offsets --execute:\n"
                                               "delete the internal topics of the group, too."},
};

// ---- list ----

// In the order in which Kafka's tool lists them.
static const char *const state_names[] = {"Assigning", "Stable",   "Empty", "Reconciling",
                                          "NotReady",  "Dead",     NULL};

int streams_groups_find(struct tool *t, struct wire_string_array states, struct group_list *out)
{
    struct str type = str_from("Streams");
    struct admin_result r = {0};
    int err = admin_groups_list(t->driver, states, (struct wire_string_array){&type, 1}, out, &r);
    if (err < 0)
        return tool_fail_call(t, err);
    if (r.code != KAFKA_NONE)
        return group_tool_failed(t, &streams_groups_tool, r.code, str_from(r.message), true);
    group_tool_sort(out);
    return EXIT_OK;
}

static void show_states(struct buf *out, const struct group_list *list)
{
    int width = 15;
    for (int i = 0; i < list->count; i++)
        width = group_tool_width(width, list->items[i].id);
    group_tool_cell(out, width, str_from("GROUP"));
    buf_append_text(out, "STATE\n");
    for (int i = 0; i < list->count; i++) {
        group_tool_cell(out, width, list->items[i].id);
        buf_printf(out, "%.*s\n", STR_ARG(list->items[i].state));
    }
}

static int list(struct tool *t)
{
    struct wire_string_array states = {0};
    struct group_list found = {0};
    int status = group_tool_parse_names(t, GF_STATE, "state", state_names, &states);
    if (status == EXIT_OK)
        status = streams_groups_find(t, states, &found);
    if (status == EXIT_OK && flags_given(&t->flags, GF_STATE))
        show_states(&t->out.buf, &found);
    else
        for (int i = 0; status == EXIT_OK && i < found.count; i++)
            buf_printf(&t->out.buf, "%.*s\n", STR_ARG(found.items[i].id));
    admin_group_list_release(&found);
    mem_free(states.items);
    return status;
}

// ---- delete-offsets ----

int streams_groups_info(struct tool *t, struct str id, struct group_info *out)
{
    struct admin_result r = {0};
    int err = admin_streams_describe(t->driver, id, out, &r);
    if (err < 0)
        return tool_fail_call(t, err);
    if (r.code != KAFKA_NONE)
        return group_tool_failed(t, &streams_groups_tool, r.code, str_from(r.message), true);
    return EXIT_OK;
}

// What the group has committed for its input topics. *info outlives `out`.
static int choose_all(struct tool *t, struct str id, struct group_info *info, struct admin_offsets *out)
{
    struct admin_result r = {0};
    int status = streams_groups_info(t, id, info);
    if (status != EXIT_OK)
        return status;
    int err = admin_offsets_fetch(t->driver, id, out, &r);
    if (err < 0)
        return tool_fail_call(t, err);
    if (r.code != KAFKA_NONE)
        return group_tool_failed(t, &streams_groups_tool, r.code, str_from(r.message), true);
    int kept = 0;
    for (int i = 0; i < out->count; i++)
        if (group_is_source(info, out->items[i].topic))
            out->items[kept++] = out->items[i];
    out->count = kept;
    return EXIT_OK;
}

static int delete_offsets(struct tool *t, struct str id)
{
    struct admin_offsets items = {0};
    struct group_info info = {0};
    int err = driver_wait_topology(t->driver);
    int status = err < 0 ? tool_fail_call(t, err) : EXIT_OK;
    if (status == EXIT_OK)
        status = flags_given(&t->flags, GF_ALL_TOPICS) ? choose_all(t, id, &info, &items)
                                                       : group_tool_choose(t, &items);
    if (status == EXIT_OK)
        status = group_tool_delete_offsets(t, id, &items);
    admin_offsets_release(&items);
    admin_group_release(&info);
    return status;
}

// ---- The command line ----

static int check_delete_offsets(struct tool *t)
{
    const struct flags *f = &t->flags;
    if ((!flags_given(f, GF_TOPIC) && !flags_given(f, GF_ALL_TOPICS)) || !flags_given(f, GF_GROUP))
        return tool_usage(t, "Option [delete-offsets] takes the [group] and one of these options: "
                             "[all-input-topics], [input-topic]");
    if (f->values[GF_GROUP].count > 1)
        return tool_usage(t, "Option [delete-offsets] supports only one [group] at a time");
    return EXIT_OK;
}

static int check_reset(struct tool *t)
{
    const struct flags *f = &t->flags;
    if (flags_given(f, GF_DRY_RUN) && flags_given(f, GF_EXECUTE))
        return tool_usage(t, "Option [reset-offsets] only accepts one of [execute] and [dry-run]");
    if (!flags_given(f, GF_DRY_RUN) && !flags_given(f, GF_EXECUTE))
        return tool_usage(t, "Option [reset-offsets] takes the option: [execute] or [dry-run]");
    return group_tool_check_scenario(t, "--all-input-topics, --input-topic");
}

static int check_internal_topics(struct tool *t)
{
    const struct flags *f = &t->flags;
    bool resets = flags_given(f, GF_RESET), all = flags_given(f, GF_DELETE_ALL_INTERNAL_TOPICS);
    if (all && !resets && !flags_given(f, GF_DELETE))
        return tool_usage(t, "Option [delete-all-internal-topics] takes one of these options: [delete], "
                             "[reset-offsets]");
    if (all && resets && !flags_given(f, GF_EXECUTE))
        return tool_usage(t, "Option [delete-all-internal-topics] takes [execute] when [reset-offsets] is "
                             "used.");
    if (flags_given(f, GF_DELETE_INTERNAL_TOPIC) && !(resets && flags_given(f, GF_EXECUTE)))
        return tool_usage(t, "Option [delete-internal-topic] takes [reset-offsets] with [execute].");
    return EXIT_OK;
}

static int check(struct tool *t)
{
    static const int actions[] = {GF_LIST, GF_DESCRIBE, GF_DELETE, GF_RESET, GF_DELETE_OFFSETS};
    const struct flags *f = &t->flags;
    if (group_tool_count_given(f, actions, 5) != 1)
        return tool_usage(t, "Command must include exactly one action: --list, --describe, --delete, "
                             "--reset-offsets, or --delete-offsets.");
    if ((flags_given(f, GF_DRY_RUN) || flags_given(f, GF_EXECUTE)) && !flags_given(f, GF_RESET))
        return tool_usage(t, "Only Option [reset-offsets] accepts [execute] or [dry-run]");
    if (flags_given(f, GF_DELETE) && (flags_given(f, GF_TOPIC) || flags_given(f, GF_ALL_TOPICS)))
        return tool_usage(t, "Kafka Streams does not support topic-specific offset deletion from a streams "
                             "group.");
    int status = group_tool_check_scope(t);
    if (status == EXIT_OK && flags_given(f, GF_DELETE_OFFSETS))
        status = check_delete_offsets(t);
    if (status == EXIT_OK && flags_given(f, GF_RESET))
        status = check_reset(t);
    return status == EXIT_OK ? check_internal_topics(t) : status;
}

static int act(struct tool *t, const struct group_ids *ids)
{
    const struct flags *f = &t->flags;
    if (flags_given(f, GF_DESCRIBE))
        return streams_groups_describe(t, ids);
    if (flags_given(f, GF_DELETE))
        return streams_groups_delete(t, ids);
    if (flags_given(f, GF_RESET))
        return streams_groups_reset(t, ids);
    return delete_offsets(t, ids->items[0]);
}

static int groups_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    struct group_ids ids = {0};
    struct group_list all = {0};
    if (kafka_version(t, GF_VERSION))
        return EXIT_OK;
    int status = check(t);
    if (status == EXIT_OK)
        status = kafka_connect_flags(t, GF_BOOTSTRAP, GF_COMMAND_CONFIG, -1);
    if (status != EXIT_OK)
        return status;
    driver_set_timeout(t->driver, flags_number(f, GF_TIMEOUT));
    if (flags_given(f, GF_LIST))
        return list(t);
    for (int i = 0; i < f->values[GF_GROUP].count; i++)
        group_ids_add(&ids, str_from(f->values[GF_GROUP].list[i]));
    if (flags_given(f, GF_ALL_GROUPS))
        status = streams_groups_find(t, (struct wire_string_array){0}, &all);
    for (int i = 0; i < all.count; i++)
        group_ids_add(&ids, all.items[i].id);
    if (status == EXIT_OK)
        status = act(t, &ids);
    mem_free(ids.items);
    admin_group_list_release(&all);
    return status;
}

const struct command alias_streams_groups = {
    .name = "kafka-streams-groups",
    .arguments = "",
    .summary = "List, describe, reset and delete streams groups.",
    .text = "Examples:\n"
            "  kafka-streams-groups --bootstrap-server localhost:9092 --list --state\n"
            "  kafka-streams-groups --bootstrap-server localhost:9092 --describe --group words --members\n"
            "  kafka-streams-groups --bootstrap-server localhost:9092 --group words \\\n"
            "      --reset-offsets --all-input-topics --to-earliest --execute \\\n"
            "      --delete-all-internal-topics",
    COMMAND_FLAGS(groups_flags),
    .mode = FLAGS_ABBREVIATED,
    .run = groups_run,
};

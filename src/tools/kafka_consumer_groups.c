// SPDX-License-Identifier: Apache-2.0
//
// kafka-consumer-groups: Kafka's ConsumerGroupCommand. Its outputs are FROZEN.
#include "tools/kafka_consumer_groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "client/topology.h"
#include "group/regex.h"
#include "tools/commands.h"
#include "wire/errors.h"

enum { GF_TYPE = GF_COUNT, GF_VALIDATE_REGEX };

static const struct flag_def groups_flags[] = {
    GROUP_TOOL_FLAGS,
    [GF_GROUP] = {.names = "--group",
                  .argument = "GROUP",
                  .kind = FLAG_LIST,
                  .help = "The group to act on; repeatable."},
    [GF_TOPIC] = {.names = "--topic",
                  .argument = "TOPIC[:0,1,...]",
                  .kind = FLAG_LIST,
                  .help = "With --reset-offsets and --delete-offsets: a topic, or partitions of it;\n"
                          "repeatable."},
    [GF_ALL_TOPICS] = {.names = "--all-topics",
                       .kind = FLAG_BOOL,
                       .help = "With --reset-offsets: all that the group has committed."},
    [GF_DESCRIBE] = {.names = "--describe",
                     .kind = FLAG_BOOL,
                     .help = "Show what groups have committed and how far they are behind; or\n"
                             "--members, or --state."},
    [GF_DELETE] = {.names = "--delete",
                   .kind = FLAG_BOOL,
                   .help = "Delete groups without members, with what they have committed."},
    [GF_RESET] = {.names = "--reset-offsets",
                  .kind = FLAG_BOOL,
                  .help = "Set where groups without members go on: a plan, done with --execute."},
    [GF_DELETE_OFFSETS] = {.names = "--delete-offsets",
                           .kind = FLAG_BOOL,
                           .help = "Forget what a group has committed for topics that it does not "
                                   "read."},
    [GF_VALIDATE_REGEX] = {.names = "--validate-regex",
                           .argument = "REGEX",
                           .kind = FLAG_TEXT,
                           .help = "Tell whether this is a regular expression that members of consumer\n"
                                   "groups can subscribe to (RE2's syntax). No broker is asked."},
    [GF_STATE] = {.names = "--state",
                  .argument = "STATE[,...]",
                  .kind = FLAG_OPTIONAL,
                  .help = "With --describe: the state of the group. With --list: show states, or\n"
                          "only groups in these."},
    [GF_TYPE] = {.names = "--type",
                 .argument = "TYPE[,...]",
                 .kind = FLAG_OPTIONAL,
                 .help = "With --list: show types, or only groups of these (classic, consumer)."},
    [GF_VERBOSE] = {.names = "--verbose",
                    .kind = FLAG_BOOL,
                    .help = "With --describe: epochs and assignments, too."},
    [GF_DRY_RUN] = {.names = "--dry-run",
                    .kind = FLAG_BOOL,
                    .help = "With --reset-offsets: only show the plan. The default."},
};

const struct group_tool consumer_groups_tool = {
    .kind = "consumer",
    .failed = EXIT_OK,
};

// ---- Names of states and types ----

// In the order in which Kafka's tool lists them.
static const char *const state_names[] = {"Reconciling", "Stable",    "CompletingRebalance",
                                          "Empty",       "PreparingRebalance", "Assigning",
                                          "Dead",        NULL};
static const char *const type_names[] = {"Consumer", "Classic", NULL};

// ---- list ----

// The consumer groups of both protocols, in the order of Kafka's tool. EXIT_OK, or the exit status
// after saying why not; *failed is then set although Kafka's tool exits with 0.
static int find_groups(struct tool *t, struct wire_string_array states,
                       struct wire_string_array types, struct group_list *out, bool *failed)
{
    struct str both[] = {str_from(type_names[0]), str_from(type_names[1])};
    struct admin_result r = {0};
    if (types.count == 0)
        types = (struct wire_string_array){both, 2};
    int err = admin_groups_list(t->driver, states, types, out, &r);
    *failed = err < 0 || r.code != KAFKA_NONE;
    if (err < 0)
        return tool_fail_call(t, err);
    if (r.code != KAFKA_NONE)
        return group_tool_failed(t, &consumer_groups_tool, r.code, str_from(r.message), true);
    int kept = 0;
    for (int i = 0; i < out->count; i++)
        if (out->items[i].protocol_type.size == 0 || str_is(out->items[i].protocol_type, "consumer"))
            out->items[kept++] = out->items[i];
    out->count = kept;
    group_tool_sort(out);
    return EXIT_OK;
}

static void show_list(struct tool *t, const struct group_list *list)
{
    bool with_type = flags_given(&t->flags, GF_TYPE), with_state = flags_given(&t->flags, GF_STATE);
    struct buf *out = &t->out.buf;
    int width = 15;
    for (int i = 0; i < list->count; i++)
        width = group_tool_width(width, list->items[i].id);
    for (int i = -1; i < list->count; i++) {
        const struct group_entry *g = i >= 0 ? &list->items[i] : NULL;
        group_tool_cell(out, width + 10, g != NULL ? g->id : str_from("GROUP"));
        if (with_type)
            group_tool_cell(out, 20, g != NULL ? java_group_type(g->type) : str_from("TYPE"));
        if (with_state)
            group_tool_cell(out, 20, g != NULL ? g->state : str_from("STATE"));
        out->data[out->size - 1] = '\n'; // instead of the space behind the last cell
    }
}

static int list(struct tool *t)
{
    struct wire_string_array states = {0}, types = {0};
    struct group_list found = {0};
    bool failed = false;
    bool is_table = flags_given(&t->flags, GF_TYPE) || flags_given(&t->flags, GF_STATE);
    int status = group_tool_parse_names(t, GF_STATE, "state", state_names, &states);
    if (status == EXIT_OK)
        status = group_tool_parse_names(t, GF_TYPE, "types", type_names, &types);
    if (status == EXIT_OK)
        status = find_groups(t, states, types, &found, &failed);
    if (status == EXIT_OK && !failed && is_table)
        show_list(t, &found);
    for (int i = 0; status == EXIT_OK && !failed && !is_table && i < found.count; i++)
        buf_printf(&t->out.buf, "%.*s\n", STR_ARG(found.items[i].id));
    admin_group_list_release(&found);
    mem_free(states.items);
    mem_free(types.items);
    return status;
}

// ---- delete ----

static void show_ids(struct buf *out, const struct str *ids, const int16_t *codes,
                     const int *order, int count)
{
    const char *separator = "";
    for (int i = 0; i < count; i++)
        if (codes[order[i]] == KAFKA_NONE) {
            buf_printf(out, "%s'%.*s'", separator, STR_ARG(ids[order[i]]));
            separator = ", ";
        }
}

static void show_deleted(struct tool *t, const struct group_ids *ids, const int16_t *codes)
{
    struct buf *out = &t->out.buf;
    int *order = group_tool_order(ids->items, ids->count);
    int failed = 0;
    for (int i = 0; i < ids->count; i++)
        failed += codes[i] != KAFKA_NONE;
    if (failed == 0) {
        buf_append_text(out, "Deletion of requested consumer groups (");
        show_ids(out, ids->items, codes, order, ids->count);
        buf_append_text(out, ") was successful.\n");
    } else {
        group_tool_error(t, "Deletion of some consumer groups failed:");
        for (int i = 0; i < ids->count; i++)
            if (codes[order[i]] != KAFKA_NONE)
                buf_printf(out,
                           "* Group '%.*s' could not be deleted due to: "
                           "org.apache.kafka.common.errors.%s: %s\n",
                           STR_ARG(ids->items[order[i]]), java_exception(codes[order[i]]),
                           java_message(codes[order[i]]));
    }
    if (failed > 0 && failed < ids->count) {
        buf_append_text(out, "\nThese consumer groups were deleted successfully: ");
        show_ids(out, ids->items, codes, order, ids->count);
        buf_append_u8(out, '\n');
    }
    mem_free(order);
}

static int delete_groups(struct tool *t, const struct group_ids *ids)
{
    int16_t *codes = mem_alloc_array((size_t)ids->count + 1, sizeof *codes);
    int err = 0;
    for (int i = 0; i < ids->count && err == 0; i++) {
        struct admin_result r = {0};
        err = admin_group_delete(t->driver, ids->items[i], &r);
        codes[i] = r.code;
    }
    int status = EXIT_OK;
    if (err < 0)
        status = tool_fail_call(t, err);
    else
        show_deleted(t, ids, codes);
    mem_free(codes);
    return status;
}

// As Kafka's tool, of one group at a time; the last counts.
static int delete_offsets(struct tool *t, const struct group_ids *ids)
{
    struct admin_offsets items = {0};
    int err = driver_wait_topology(t->driver);
    int status = err < 0 ? tool_fail_call(t, err) : group_tool_choose(t, &items);
    if (status == EXIT_OK)
        status = group_tool_delete_offsets(t, ids->items[ids->count - 1], &items);
    admin_offsets_release(&items);
    return status;
}

// ---- The command line ----

static int check_reset(struct tool *t)
{
    const struct flags *f = &t->flags;
    if (flags_given(f, GF_DRY_RUN) && flags_given(f, GF_EXECUTE))
        return tool_usage(t,
                          "Option [reset-offsets] only accepts one of [execute] and [dry-run]");
    if (!flags_given(f, GF_DRY_RUN) && !flags_given(f, GF_EXECUTE))
        tool_warn(t, "nothing is changed without --execute; say --dry-run in scripts that want this");
    return group_tool_check_scenario(t, "--all-topics, --topic");
}

static int check(struct tool *t)
{
    static const int actions[] = {GF_LIST, GF_DESCRIBE, GF_DELETE, GF_RESET, GF_DELETE_OFFSETS,
                                  GF_VALIDATE_REGEX};
    const struct flags *f = &t->flags;
    if (group_tool_count_given(f, actions, 6) != 1)
        return tool_usage(t, "Command must include exactly one action: --list, --describe, "
                             "--delete, --reset-offsets, --delete-offsets, --validate-regex");
    if (flags_given(f, GF_TYPE) && !flags_given(f, GF_LIST))
        return tool_usage(t, "--type goes with --list alone");
    if (flags_given(f, GF_DELETE) && flags_given(f, GF_TOPIC))
        return tool_usage(t, "The consumer does not support topic-specific offset deletion from a "
                             "consumer group.");
    if (flags_given(f, GF_DELETE_OFFSETS) && (!flags_given(f, GF_GROUP) || !flags_given(f, GF_TOPIC)))
        return tool_usage(t, "Option [delete-offsets] takes the following options: [topic], [group]");
    int status = group_tool_check_scope(t);
    return status == EXIT_OK && flags_given(f, GF_RESET) ? check_reset(t) : status;
}

static int act(struct tool *t, const struct group_ids *ids)
{
    const struct flags *f = &t->flags;
    if (flags_given(f, GF_DESCRIBE))
        return consumer_groups_describe(t, ids);
    if (flags_given(f, GF_DELETE))
        return delete_groups(t, ids);
    if (flags_given(f, GF_RESET))
        return consumer_groups_reset(t, ids);
    return delete_offsets(t, ids);
}

static int validate_regex(struct tool *t)
{
    struct str pattern = str_from(flags_text(&t->flags, GF_VALIDATE_REGEX));
    struct regex *regex;
    struct diag diag;
    diag_clear(&diag);
    if (regex_new(pattern, &regex, &diag) < 0) {
        buf_printf(&t->out.buf, "The regular expression `%.*s` is invalid: %s.\n", STR_ARG(pattern),
                   diag.text);
        return EXIT_OK;
    }
    buf_printf(&t->out.buf, "The regular expression `%.*s` is valid.\n", STR_ARG(pattern));
    regex_free(regex);
    return EXIT_OK;
}

static int groups_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    struct group_ids ids = {0};
    struct group_list all = {0};
    bool failed = false;
    if (kafka_version(t, GF_VERSION))
        return EXIT_OK;
    int status = check(t);
    if (status == EXIT_OK && flags_given(f, GF_VALIDATE_REGEX))
        return validate_regex(t);
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
        status = find_groups(t, (struct wire_string_array){0}, (struct wire_string_array){0}, &all,
                             &failed);
    for (int i = 0; i < all.count; i++)
        group_ids_add(&ids, all.items[i].id);
    if (status == EXIT_OK && !failed)
        status = act(t, &ids);
    mem_free(ids.items);
    admin_group_list_release(&all);
    return status;
}

const struct command alias_consumer_groups = {
    .name = "kafka-consumer-groups",
    .arguments = "",
    .summary = "List, describe, reset and delete consumer groups.",
    .text = "Examples:\n"
            "  kafka-consumer-groups --bootstrap-server localhost:9092 --list --state\n"
            "  kafka-consumer-groups --bootstrap-server localhost:9092 --describe --group billing\n"
            "  kafka-consumer-groups --bootstrap-server localhost:9092 --group billing \\\n"
            "      --reset-offsets --topic orders --to-earliest --execute",
    COMMAND_FLAGS(groups_flags),
    .mode = FLAGS_ABBREVIATED,
    .run = groups_run,
};

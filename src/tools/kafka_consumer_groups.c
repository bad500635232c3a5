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

enum { NAMES_MAX = 8 };

static const struct flag_def groups_flags[] = {
    [CG_BOOTSTRAP] = KAFKA_BOOTSTRAP,
    [CG_COMMAND_CONFIG] = KAFKA_COMMAND_CONFIG,
    [CG_VERSION] = KAFKA_VERSION_FLAG,
    [CG_GROUP] = {.names = "--group",
                  .argument = "GROUP",
                  .kind = FLAG_LIST,
                  .help = "The group to act on; repeatable."},
    [CG_ALL_GROUPS] = {.names = "--all-groups", .kind = FLAG_BOOL, .help = "Act on all groups."},
    [CG_TOPIC] = {.names = "--topic",
                  .argument = "TOPIC[:0,1,...]",
                  .kind = FLAG_LIST,
                  .help = "With --reset-offsets and --delete-offsets: a topic, or partitions of it;\n"
                          "repeatable."},
    [CG_ALL_TOPICS] = {.names = "--all-topics",
                       .kind = FLAG_BOOL,
                       .help = "With --reset-offsets: all that the group has committed."},
    [CG_TIMEOUT] = {.names = "--timeout",
                    .argument = "MS",
                    .kind = FLAG_I64,
                    .min = 1,
                    .max = INT32_MAX,
                    .fallback = "30000",
                    .help = "How long to wait for each answer."},
    [CG_LIST] = {.names = "--list", .kind = FLAG_BOOL, .help = "List groups."},
    [CG_DESCRIBE] = {.names = "--describe",
                     .kind = FLAG_BOOL,
                     .help = "Show what groups have committed and how far they are behind; or\n"
                             "--members, or --state."},
    [CG_DELETE] = {.names = "--delete",
                   .kind = FLAG_BOOL,
                   .help = "Delete groups without members, with what they have committed."},
    [CG_RESET] = {.names = "--reset-offsets",
                  .kind = FLAG_BOOL,
                  .help = "Set where groups without members go on: a plan, done with --execute."},
    [CG_DELETE_OFFSETS] = {.names = "--delete-offsets",
                           .kind = FLAG_BOOL,
                           .help = "Forget what a group has committed for topics that it does not "
                                   "read."},
    [CG_VALIDATE_REGEX] = {.names = "--validate-regex",
                           .argument = "REGEX",
                           .kind = FLAG_TEXT,
                           .help = "Tell whether this is a regular expression that members of consumer\n"
                                   "groups can subscribe to (RE2's syntax). No broker is asked."},
    [CG_STATE] = {.names = "--state",
                  .argument = "STATE[,...]",
                  .kind = FLAG_OPTIONAL,
                  .help = "With --describe: the state of the group. With --list: show states, or\n"
                          "only groups in these."},
    [CG_TYPE] = {.names = "--type",
                 .argument = "TYPE[,...]",
                 .kind = FLAG_OPTIONAL,
                 .help = "With --list: show types, or only groups of these (classic, consumer)."},
    [CG_MEMBERS] = {.names = "--members",
                    .kind = FLAG_BOOL,
                    .help = "With --describe: the members of the group."},
    [CG_OFFSETS] = {.names = "--offsets",
                    .kind = FLAG_BOOL,
                    .help = "With --describe: offsets and lag. The default."},
    [CG_VERBOSE] = {.names = "--verbose",
                    .kind = FLAG_BOOL,
                    .help = "With --describe: epochs and assignments, too."},
    [CG_DRY_RUN] = {.names = "--dry-run",
                    .kind = FLAG_BOOL,
                    .help = "With --reset-offsets: only show the plan. The default."},
    [CG_EXECUTE] = {.names = "--execute",
                    .kind = FLAG_BOOL,
                    .help = "With --reset-offsets: do it."},
    [CG_EXPORT] = {.names = "--export",
                   .kind = FLAG_BOOL,
                   .help = "With --reset-offsets: show the plan as CSV, for --from-file."},
    [CG_TO_OFFSET] = {.names = "--to-offset",
                      .argument = "OFFSET",
                      .kind = FLAG_I64,
                      .help = "Reset to this offset."},
    [CG_TO_EARLIEST] = {.names = "--to-earliest", .kind = FLAG_BOOL, .help = "Reset to the start."},
    [CG_TO_LATEST] = {.names = "--to-latest", .kind = FLAG_BOOL, .help = "Reset to the end."},
    [CG_TO_CURRENT] = {.names = "--to-current",
                       .kind = FLAG_BOOL,
                       .help = "Reset to what is committed, else to the end."},
    [CG_TO_DATETIME] = {.names = "--to-datetime",
                        .argument = "YYYY-MM-DDThh:mm:ss.sss",
                        .kind = FLAG_TEXT,
                        .help = "Reset to the first record at or after this time (UTC, or with a\n"
                                "zone such as +02:00)."},
    [CG_BY_DURATION] = {.names = "--by-duration",
                        .argument = "PnDTnHnMnS",
                        .kind = FLAG_TEXT,
                        .help = "Reset to the first record that is at most this old."},
    [CG_SHIFT_BY] = {.names = "--shift-by",
                     .argument = "N",
                     .kind = FLAG_I64,
                     .help = "Reset to N after (or, negative, before) what is committed."},
    [CG_FROM_FILE] = {.names = "--from-file",
                      .argument = "FILE",
                      .kind = FLAG_TEXT,
                      .help = "Reset to the offsets in a CSV file: topic,partition,offset, or with\n"
                              "several groups group,topic,partition,offset."},
};

// ---- What the parts share ----

void consumer_groups_error(struct tool *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_append_text(&t->out.buf, "\nError: ");
    buf_vprintf(&t->out.buf, format, args);
    buf_append_u8(&t->out.buf, '\n');
    va_end(args);
}

int consumer_groups_failed(struct tool *t, int16_t code, struct str message, bool with_class)
{
    if (message.size == 0)
        message = str_from(java_message(code));
    consumer_groups_error(t, "Executing consumer group command failed due to %s%s%s%.*s",
                          with_class ? "org.apache.kafka.common.errors." : "",
                          with_class ? java_exception(code) : "", with_class ? ": " : "",
                          STR_ARG(message));
    return EXIT_OK;
}

void consumer_groups_cell(struct buf *out, int width, struct str text)
{
    buf_printf(out, "%-*.*s ", width, STR_ARG(text));
}

void consumer_groups_number(struct buf *out, int width, int64_t value)
{
    char digits[24] = "-";
    if (value >= 0)
        snprintf(digits, sizeof digits, "%lld", (long long)value);
    consumer_groups_cell(out, width, str_from(digits));
}

int consumer_groups_width(int width, struct str text)
{
    return (int)text.size > width ? (int)text.size : width;
}

int *consumer_groups_order(const struct str *ids, int count)
{
    int *order = mem_alloc_array((size_t)count + 1, sizeof *order);
    java_order(ids, count, java_capacity_grown(count), order);
    return order;
}

// ---- Names of states and types ----

// In the order in which Kafka's tool lists them.
static const char *const state_names[] = {"Reconciling", "Stable",    "CompletingRebalance",
                                          "Empty",       "PreparingRebalance", "Assigning",
                                          "Dead",        NULL};
static const char *const type_names[] = {"Consumer", "Classic", NULL};

static const char *known_name(struct str text, const char *const *names)
{
    for (; *names != NULL; names++)
        if (str_equal_nocase(text, str_from(*names)))
            return *names;
    return NULL;
}

// Reads "stable, empty"; EXIT_OK, or the exit status after saying which there are. Free the items
// with mem_free().
static int parse_names(struct tool *t, int flag, const char *what, const char *const *names,
                       struct wire_string_array *out)
{
    struct str rest = str_from(flags_text(&t->flags, flag));
    out->items = mem_alloc_array(NAMES_MAX, sizeof *out->items);
    out->count = 0;
    while (rest.size > 0) {
        const char *name = known_name(str_trim(str_cut(&rest, ',')), names);
        if (name == NULL || out->count == NAMES_MAX) {
            char list[200] = "";
            for (; *names != NULL; names++)
                snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s",
                         list[0] != '\0' ? ", " : "", *names);
            return tool_usage(t, "Invalid %s list '%s'. Valid %s are: %s", what,
                              flags_text(&t->flags, flag), what, list);
        }
        out->items[out->count++] = str_from(name);
    }
    return EXIT_OK;
}

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
        return consumer_groups_failed(t, r.code, str_from(r.message), true);
    int kept = 0;
    for (int i = 0; i < out->count; i++)
        if (out->items[i].protocol_type.size == 0 || str_is(out->items[i].protocol_type, "consumer"))
            out->items[kept++] = out->items[i];
    struct str *ids = mem_alloc_array((size_t)kept + 1, sizeof *ids);
    struct group_entry *sorted = mem_alloc_array((size_t)kept + 1, sizeof *sorted);
    for (int i = 0; i < kept; i++)
        ids[i] = out->items[i].id;
    int *order = consumer_groups_order(ids, kept);
    for (int i = 0; i < kept; i++)
        sorted[i] = out->items[order[i]];
    mem_free(order);
    mem_free(ids);
    mem_free(out->items);
    out->items = sorted;
    out->count = kept;
    return EXIT_OK;
}

static void show_list(struct tool *t, const struct group_list *list)
{
    bool with_type = flags_given(&t->flags, CG_TYPE), with_state = flags_given(&t->flags, CG_STATE);
    struct buf *out = &t->out.buf;
    int width = 15;
    for (int i = 0; i < list->count; i++)
        width = consumer_groups_width(width, list->items[i].id);
    for (int i = -1; i < list->count; i++) {
        const struct group_entry *g = i >= 0 ? &list->items[i] : NULL;
        consumer_groups_cell(out, width + 10, g != NULL ? g->id : str_from("GROUP"));
        if (with_type)
            consumer_groups_cell(out, 20, g != NULL ? java_group_type(g->type) : str_from("TYPE"));
        if (with_state)
            consumer_groups_cell(out, 20, g != NULL ? g->state : str_from("STATE"));
        out->data[out->size - 1] = '\n'; // instead of the space behind the last cell
    }
}

static int list(struct tool *t)
{
    struct wire_string_array states = {0}, types = {0};
    struct group_list found = {0};
    bool failed = false;
    bool is_table = flags_given(&t->flags, CG_TYPE) || flags_given(&t->flags, CG_STATE);
    int status = parse_names(t, CG_STATE, "state", state_names, &states);
    if (status == EXIT_OK)
        status = parse_names(t, CG_TYPE, "types", type_names, &types);
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
    int *order = consumer_groups_order(ids->items, ids->count);
    int failed = 0;
    for (int i = 0; i < ids->count; i++)
        failed += codes[i] != KAFKA_NONE;
    if (failed == 0) {
        buf_append_text(out, "Deletion of requested consumer groups (");
        show_ids(out, ids->items, codes, order, ids->count);
        buf_append_text(out, ") was successful.\n");
    } else {
        consumer_groups_error(t, "Deletion of some consumer groups failed:");
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

// ---- delete-offsets ----

// Adds the partitions that --topic names. Those of a topic that is not there become one with
// number -1 and an error.
static int choose(struct tool *t, struct admin_offsets *out)
{
    const struct flag_value *given = &t->flags.values[CG_TOPIC];
    const struct topology *topology = client_topology(driver_client(t->driver));
    for (int i = 0; i < given->count; i++) {
        struct str ids = str_from(given->list[i]), topic = str_cut(&ids, ':');
        struct wire_int32_array numbers = {0};
        if (ids.data != NULL && ids_parse(ids, ',', &numbers) < 0)
            return tool_usage(t, "Invalid partition '%.*s' specified in topic arg '%s''",
                              STR_ARG(ids), given->list[i]);
        for (int32_t k = 0; k < numbers.count; k++)
            admin_offsets_add(out, topic, numbers.items[k]);
        mem_free(numbers.items);
        if (ids.data != NULL)
            continue;
        const struct topology_topic *known = topology_topic(topology, topic);
        bool is_there = known != NULL && known->error == KAFKA_NONE;
        for (int k = 0; is_there && k < known->partition_count; k++)
            admin_offsets_add(out, topic, k);
        if (!is_there)
            admin_offsets_add(out, topic, -1)->code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    }
    admin_offsets_sort(out);
    return EXIT_OK;
}

static void show_offsets_result(struct tool *t, struct str id, int16_t code)
{
    switch (code) {
    case KAFKA_NONE:
        buf_printf(&t->out.buf, "Request succeeded for deleting offsets from group %.*s.\n",
                   STR_ARG(id));
        break;
    case KAFKA_INVALID_GROUP_ID:
    case KAFKA_GROUP_ID_NOT_FOUND:
    case KAFKA_GROUP_AUTHORIZATION_FAILED:
    case KAFKA_NON_EMPTY_GROUP:
        consumer_groups_error(t, "%s", java_message(code));
        break;
    case KAFKA_GROUP_SUBSCRIBED_TO_TOPIC:
    case KAFKA_TOPIC_AUTHORIZATION_FAILED:
    case KAFKA_UNKNOWN_TOPIC_OR_PARTITION:
        consumer_groups_error(t,
                              "Encountered some partition-level error, see the follow-up details.");
        break;
    default:
        consumer_groups_error(t, "Encountered some unknown error: %s", kafka_error_name(code));
    }
}

static void show_offsets_items(struct tool *t, const struct admin_offsets *items)
{
    struct buf *out = &t->out.buf;
    int width = 15;
    for (int i = 0; i < items->count; i++)
        width = consumer_groups_width(width, items->items[i].topic);
    buf_append_u8(out, '\n');
    consumer_groups_cell(out, width, str_from("TOPIC"));
    buf_printf(out, "%-10s %-15s", "PARTITION", "STATUS");
    for (int i = 0; i < items->count; i++) {
        const struct admin_offset *item = &items->items[i];
        buf_append_u8(out, '\n');
        consumer_groups_cell(out, width, item->topic);
        consumer_groups_number(out, 10, item->partition);
        if (item->code == KAFKA_NONE)
            buf_printf(out, "%-15s", "Successful");
        else
            buf_printf(out, "Error: org.apache.kafka.common.errors.%s: %s",
                       java_exception(item->code), java_message(item->code));
    }
    buf_append_u8(out, '\n');
}

static int delete_offsets(struct tool *t, struct str id)
{
    struct admin_offsets items = {0};
    struct admin_result r = {0};
    int err = driver_wait_topology(t->driver);
    int status = err < 0 ? tool_fail_call(t, err) : choose(t, &items);
    if (status == EXIT_OK) {
        int known = 0; // -1 sorts before a topic's partitions; what is there goes to the broker
        struct admin_offset *sent = mem_alloc_array((size_t)items.count + 1, sizeof *sent);
        for (int i = 0; i < items.count; i++)
            if (items.items[i].partition >= 0)
                sent[known++] = items.items[i];
        err = admin_offsets_delete(t->driver, id, sent, known, &r);
        int16_t code = r.code;
        for (int i = 0, k = 0; i < items.count && err == 0; i++) {
            if (items.items[i].partition < 0)
                continue;
            items.items[i].code = r.code != KAFKA_NONE ? r.code : sent[k].code;
            code = code != KAFKA_NONE ? code : sent[k].code;
            k++;
        }
        mem_free(sent);
        if (err < 0) {
            status = tool_fail_call(t, err);
        } else {
            show_offsets_result(t, id, code);
            show_offsets_items(t, &items);
        }
    }
    admin_offsets_release(&items);
    return status;
}

// ---- The command line ----

static int count_given(const struct flags *f, const int *ids, int count)
{
    int given = 0;
    for (int i = 0; i < count; i++)
        given += flags_given(f, ids[i]);
    return given;
}

// "members" of "--members": how Kafka's tool calls a flag.
static const char *bare_name(int flag)
{
    return groups_flags[flag].names + 2;
}

// Refuses any two of the flags together.
static int check_exclusive(struct tool *t, const int *ids, int count)
{
    for (int i = 0; i < count; i++)
        for (int k = i + 1; k < count; k++)
            if (flags_given(&t->flags, ids[i]) && flags_given(&t->flags, ids[k]))
                return tool_usage(t, "Option \"[%s]\" can't be used with option \"[%s]\"",
                                  bare_name(ids[i]), bare_name(ids[k]));
    return EXIT_OK;
}

static int check_describe(struct tool *t)
{
    static const int views[] = {CG_MEMBERS, CG_OFFSETS, CG_STATE};
    const struct flags *f = &t->flags;
    if (count_given(f, views, 3) > 1)
        return tool_usage(
            t, "Option [describe] takes at most one of these options: [members], [offsets], [state]");
    if (flags_text(f, CG_STATE) != NULL)
        return tool_usage(t, "Option [describe] does not take a value for [state]");
    return EXIT_OK;
}

static int check_reset(struct tool *t)
{
    static const int scenarios[] = {CG_TO_OFFSET,   CG_TO_DATETIME, CG_BY_DURATION, CG_TO_EARLIEST,
                                    CG_TO_LATEST,   CG_TO_CURRENT,  CG_SHIFT_BY,    CG_FROM_FILE};
    int count = sizeof scenarios / sizeof *scenarios;
    const struct flags *f = &t->flags;
    if (flags_given(f, CG_DRY_RUN) && flags_given(f, CG_EXECUTE))
        return tool_usage(t,
                          "Option [reset-offsets] only accepts one of [execute] and [dry-run]");
    if (!flags_given(f, CG_DRY_RUN) && !flags_given(f, CG_EXECUTE))
        tool_warn(t, "nothing is changed without --execute; say --dry-run in scripts that want this");
    int status = check_exclusive(t, scenarios, count);
    if (status != EXIT_OK)
        return status;
    if (!flags_given(f, CG_ALL_TOPICS) && !flags_given(f, CG_TOPIC) && !flags_given(f, CG_FROM_FILE))
        return tool_usage(t, "One of the reset scopes should be defined: --all-topics, --topic.");
    if (count_given(f, scenarios, count) == 0)
        return tool_usage(
            t, "Option '[reset-offsets]' requires one of the following scenarios: [[by-duration], "
               "[to-latest], [to-current], [to-earliest], [to-offset], [shift-by], [from-file], "
               "[to-datetime]]");
    return EXIT_OK;
}

// What only goes with certain actions.
static int check_views(struct tool *t)
{
    static const int of_describe[] = {CG_MEMBERS, CG_OFFSETS, CG_VERBOSE};
    const struct flags *f = &t->flags;
    bool describes = flags_given(f, CG_DESCRIBE), lists = flags_given(f, CG_LIST);
    for (int i = 0; i < 3; i++)
        if (flags_given(f, of_describe[i]) && !describes)
            return tool_usage(t, "--%s goes with --describe alone", bare_name(of_describe[i]));
    if (flags_given(f, CG_STATE) && !describes && !lists)
        return tool_usage(t, "--state goes with --describe and --list alone");
    if (flags_given(f, CG_TYPE) && !lists)
        return tool_usage(t, "--type goes with --list alone");
    return EXIT_OK;
}

static int check(struct tool *t)
{
    static const int actions[] = {CG_LIST, CG_DESCRIBE, CG_DELETE, CG_RESET, CG_DELETE_OFFSETS,
                                  CG_VALIDATE_REGEX};
    static const int scopes[] = {CG_GROUP, CG_ALL_GROUPS};
    static const int list_group[] = {CG_GROUP, CG_LIST}, list_topic[] = {CG_TOPIC, CG_LIST},
                     describe_topic[] = {CG_TOPIC, CG_DESCRIBE};
    const struct flags *f = &t->flags;
    if (count_given(f, actions, 6) != 1)
        return tool_usage(t, "Command must include exactly one action: --list, --describe, "
                             "--delete, --reset-offsets, --delete-offsets, --validate-regex");
    int status = check_views(t);
    bool has_group = count_given(f, scopes, 2) > 0;
    for (int i = 1; i < 4 && status == EXIT_OK; i++)
        if (flags_given(f, actions[i]) && !has_group)
            status = tool_usage(t, "Option [%s] takes one of these options: [all-groups], [group]",
                                bare_name(actions[i]));
    if (status == EXIT_OK && flags_given(f, CG_DESCRIBE))
        status = check_describe(t);
    if (status == EXIT_OK && flags_given(f, CG_DELETE) && flags_given(f, CG_TOPIC))
        status = tool_usage(t, "The consumer does not support topic-specific offset deletion from a "
                               "consumer group.");
    if (status == EXIT_OK && flags_given(f, CG_DELETE_OFFSETS) &&
        (!flags_given(f, CG_GROUP) || !flags_given(f, CG_TOPIC)))
        status =
            tool_usage(t, "Option [delete-offsets] takes the following options: [topic], [group]");
    if (status == EXIT_OK)
        status = check_exclusive(t, scopes, 2);
    if (status == EXIT_OK)
        status = check_exclusive(t, list_group, 2);
    if (status == EXIT_OK)
        status = check_exclusive(t, list_topic, 2);
    if (status == EXIT_OK)
        status = check_exclusive(t, describe_topic, 2);
    return status == EXIT_OK && flags_given(f, CG_RESET) ? check_reset(t) : status;
}

static void add_id(struct group_ids *ids, struct str id)
{
    for (int i = 0; i < ids->count; i++)
        if (str_equal(ids->items[i], id))
            return;
    ids->items = mem_resize(ids->items, (size_t)(ids->count + 1) * sizeof *ids->items);
    ids->items[ids->count++] = id;
}

static int act(struct tool *t, const struct group_ids *ids)
{
    const struct flags *f = &t->flags;
    if (flags_given(f, CG_DESCRIBE))
        return consumer_groups_describe(t, ids);
    if (flags_given(f, CG_DELETE))
        return delete_groups(t, ids);
    if (flags_given(f, CG_RESET))
        return consumer_groups_reset(t, ids);
    // As Kafka's tool, of one group at a time; the last counts.
    return delete_offsets(t, ids->items[ids->count - 1]);
}

static int validate_regex(struct tool *t)
{
    struct str pattern = str_from(flags_text(&t->flags, CG_VALIDATE_REGEX));
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
    if (kafka_version(t, CG_VERSION))
        return EXIT_OK;
    int status = check(t);
    if (status == EXIT_OK && flags_given(f, CG_VALIDATE_REGEX))
        return validate_regex(t);
    if (status == EXIT_OK)
        status = kafka_connect_flags(t, CG_BOOTSTRAP, CG_COMMAND_CONFIG, -1);
    if (status != EXIT_OK)
        return status;
    driver_set_timeout(t->driver, flags_number(f, CG_TIMEOUT));
    if (flags_given(f, CG_LIST))
        return list(t);
    for (int i = 0; i < f->values[CG_GROUP].count; i++)
        add_id(&ids, str_from(f->values[CG_GROUP].list[i]));
    if (flags_given(f, CG_ALL_GROUPS))
        status = find_groups(t, (struct wire_string_array){0}, (struct wire_string_array){0}, &all,
                             &failed);
    for (int i = 0; i < all.count; i++)
        add_id(&ids, all.items[i].id);
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

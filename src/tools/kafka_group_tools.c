// SPDX-License-Identifier: Apache-2.0
//
// What the tools for groups share.
#include "tools/kafka_group_tools.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "client/topology.h"
#include "tools/group_lag.h"
#include "wire/errors.h"

enum { NAMES_MAX = 8 };

// ---- Printing ----

void group_tool_error(struct tool *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_append_text(&t->out.buf, "\nError: ");
    buf_vprintf(&t->out.buf, format, args);
    buf_append_u8(&t->out.buf, '\n');
    va_end(args);
}

int group_tool_failed(struct tool *t, const struct group_tool *tool, int16_t code, struct str message,
                      bool with_class)
{
    if (message.size == 0)
        message = str_from(java_message(code));
    group_tool_error(t, "Executing %s group command failed due to %s%s%s%.*s", tool->kind,
                     with_class ? "org.apache.kafka.common.errors." : "",
                     with_class ? java_exception(code) : "", with_class ? ": " : "", STR_ARG(message));
    return tool->failed;
}

void group_tool_cell(struct buf *out, int width, struct str text)
{
    buf_printf(out, "%-*.*s ", width, STR_ARG(text));
}

void group_tool_number(struct buf *out, int width, int64_t value)
{
    char digits[24] = "-";
    if (value >= 0)
        snprintf(digits, sizeof digits, "%lld", (long long)value);
    group_tool_cell(out, width, str_from(digits));
}

int group_tool_width(int width, struct str text)
{
    return (int)text.size > width ? (int)text.size : width;
}

int group_tool_show_lag(struct tool *t, const struct group_tool *tool, const struct group_info *g,
                        void (*show)(struct tool *t, const struct group_info *g,
                                     const struct group_lag *lag))
{
    struct admin_offsets offsets = {0};
    struct admin_result r = {0};
    int status = EXIT_OK;
    int err = admin_offsets_fetch(t->driver, g->id, &offsets, &r);
    if (err < 0) {
        status = tool_fail_call(t, err);
    } else if (r.code != KAFKA_NONE) {
        status = group_tool_failed(t, tool, r.code, str_from(r.message), true);
    } else {
        struct group_lag lag;
        group_lag_find(t->driver, g, &offsets, &lag);
        show(t, g, &lag);
        group_lag_release(&lag);
    }
    admin_offsets_release(&offsets);
    return status;
}

void group_tool_coordinator(struct tool *t, const struct group_info *g, const char *separator,
                            struct buf *out)
{
    const struct topology_node *node =
        topology_node(client_topology(driver_client(t->driver)), g->node);
    if (node != NULL)
        buf_printf(out, "%s:%d", node->host, node->port);
    buf_printf(out, "%s(%d)", separator, g->node);
}

int *group_tool_order(const struct str *ids, int count)
{
    int *order = mem_alloc_array((size_t)count + 1, sizeof *order);
    java_order(ids, count, java_capacity_grown(count), order);
    return order;
}

void group_tool_sort(struct group_list *list)
{
    struct str *ids = mem_alloc_array((size_t)list->count + 1, sizeof *ids);
    struct group_entry *sorted = mem_alloc_array((size_t)list->count + 1, sizeof *sorted);
    for (int i = 0; i < list->count; i++)
        ids[i] = list->items[i].id;
    int *order = group_tool_order(ids, list->count);
    for (int i = 0; i < list->count; i++)
        sorted[i] = list->items[order[i]];
    mem_free(order);
    mem_free(ids);
    mem_free(list->items);
    list->items = sorted;
}

// ---- Names ----

static const char *known_name(struct str text, const char *const *names)
{
    for (; *names != NULL; names++)
        if (str_equal_nocase(text, str_from(*names)))
            return *names;
    return NULL;
}

int group_tool_parse_names(struct tool *t, int flag, const char *what, const char *const *names,
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

// ---- The command line ----

int group_tool_count_given(const struct flags *f, const int *ids, int count)
{
    int given = 0;
    for (int i = 0; i < count; i++)
        given += flags_given(f, ids[i]);
    return given;
}

const char *group_tool_bare_name(const struct tool *t, int flag)
{
    return t->flags.defs[flag].names + 2;
}

int group_tool_check_exclusive(struct tool *t, const int *ids, int count)
{
    for (int i = 0; i < count; i++)
        for (int k = i + 1; k < count; k++)
            if (flags_given(&t->flags, ids[i]) && flags_given(&t->flags, ids[k]))
                return tool_usage(t, "Option \"[%s]\" can't be used with option \"[%s]\"",
                                  group_tool_bare_name(t, ids[i]), group_tool_bare_name(t, ids[k]));
    return EXIT_OK;
}

static int check_describe(struct tool *t)
{
    static const int views[] = {GF_MEMBERS, GF_OFFSETS, GF_STATE};
    const struct flags *f = &t->flags;
    if (group_tool_count_given(f, views, 3) > 1)
        return tool_usage(
            t, "Option [describe] takes at most one of these options: [members], [offsets], [state]");
    if (flags_text(f, GF_STATE) != NULL)
        return tool_usage(t, "Option [describe] does not take a value for [state]");
    return EXIT_OK;
}

// What only goes with certain actions.
static int check_views(struct tool *t)
{
    static const int of_describe[] = {GF_MEMBERS, GF_OFFSETS, GF_VERBOSE};
    const struct flags *f = &t->flags;
    bool describes = flags_given(f, GF_DESCRIBE);
    for (int i = 0; i < 3; i++)
        if (flags_given(f, of_describe[i]) && !describes)
            return tool_usage(t, "--%s goes with --describe alone",
                              group_tool_bare_name(t, of_describe[i]));
    if (flags_given(f, GF_STATE) && !describes && !flags_given(f, GF_LIST))
        return tool_usage(t, "--state goes with --describe and --list alone");
    return describes ? check_describe(t) : EXIT_OK;
}

int group_tool_check_scope(struct tool *t)
{
    static const int needy[] = {GF_DESCRIBE, GF_DELETE, GF_RESET};
    static const int scopes[] = {GF_GROUP, GF_ALL_GROUPS};
    static const int apart[][2] = {{GF_GROUP, GF_ALL_GROUPS},
                                   {GF_GROUP, GF_LIST},
                                   {GF_TOPIC, GF_LIST},
                                   {GF_TOPIC, GF_DESCRIBE}};
    const struct flags *f = &t->flags;
    for (int i = 0; i < 3; i++)
        if (flags_given(f, needy[i]) && group_tool_count_given(f, scopes, 2) == 0)
            return tool_usage(t, "Option [%s] takes one of these options: [all-groups], [group]",
                              group_tool_bare_name(t, needy[i]));
    int status = check_views(t);
    for (int i = 0; i < 4 && status == EXIT_OK; i++)
        status = group_tool_check_exclusive(t, apart[i], 2);
    return status;
}

int group_tool_check_scenario(struct tool *t, const char *scopes)
{
    static const int scenarios[] = {GF_TO_OFFSET, GF_TO_DATETIME, GF_BY_DURATION, GF_TO_EARLIEST,
                                    GF_TO_LATEST, GF_TO_CURRENT,  GF_SHIFT_BY,    GF_FROM_FILE};
    int count = sizeof scenarios / sizeof *scenarios;
    const struct flags *f = &t->flags;
    int status = group_tool_check_exclusive(t, scenarios, count);
    if (status != EXIT_OK)
        return status;
    if (!flags_given(f, GF_ALL_TOPICS) && !flags_given(f, GF_TOPIC) && !flags_given(f, GF_FROM_FILE))
        return tool_usage(t, "One of the reset scopes should be defined: %s.", scopes);
    if (group_tool_count_given(f, scenarios, count) == 0)
        return tool_usage(
            t, "Option '[reset-offsets]' requires one of the following scenarios: [[by-duration], "
               "[to-latest], [to-current], [to-earliest], [to-offset], [shift-by], [from-file], "
               "[to-datetime]]");
    return EXIT_OK;
}

void group_ids_add(struct group_ids *ids, struct str id)
{
    for (int i = 0; i < ids->count; i++)
        if (str_equal(ids->items[i], id))
            return;
    ids->items = mem_resize(ids->items, (size_t)(ids->count + 1) * sizeof *ids->items);
    ids->items[ids->count++] = id;
}

// ---- delete-offsets ----

int group_tool_choose(struct tool *t, struct admin_offsets *out)
{
    const struct flag_value *given = &t->flags.values[GF_TOPIC];
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
        group_tool_error(t, "%s", java_message(code));
        break;
    case KAFKA_GROUP_SUBSCRIBED_TO_TOPIC:
    case KAFKA_TOPIC_AUTHORIZATION_FAILED:
    case KAFKA_UNKNOWN_TOPIC_OR_PARTITION:
        group_tool_error(t,
                              "Encountered some partition-level error, see the follow-up details.");
        break;
    default:
        group_tool_error(t, "Encountered some unknown error: %s", kafka_error_name(code));
    }
}

static void show_offsets_items(struct tool *t, const struct admin_offsets *items)
{
    struct buf *out = &t->out.buf;
    int width = 15;
    for (int i = 0; i < items->count; i++)
        width = group_tool_width(width, items->items[i].topic);
    buf_append_u8(out, '\n');
    group_tool_cell(out, width, str_from("TOPIC"));
    buf_printf(out, "%-10s %-15s", "PARTITION", "STATUS");
    for (int i = 0; i < items->count; i++) {
        const struct admin_offset *item = &items->items[i];
        buf_append_u8(out, '\n');
        group_tool_cell(out, width, item->topic);
        group_tool_number(out, 10, item->partition);
        if (item->code == KAFKA_NONE)
            buf_printf(out, "%-15s", "Successful");
        else
            buf_printf(out, "Error: org.apache.kafka.common.errors.%s: %s",
                       java_exception(item->code), java_message(item->code));
    }
    buf_append_u8(out, '\n');
}

int group_tool_delete_offsets(struct tool *t, struct str id, struct admin_offsets *items)
{
    struct admin_result r = {0};
    int known = 0; // -1 sorts before a topic's partitions; what is there goes to the broker
    struct admin_offset *sent = mem_alloc_array((size_t)items->count + 1, sizeof *sent);
    for (int i = 0; i < items->count; i++)
        if (items->items[i].partition >= 0)
            sent[known++] = items->items[i];
    int err = admin_offsets_delete(t->driver, id, sent, known, &r);
    int16_t code = r.code;
    for (int i = 0, k = 0; i < items->count && err == 0; i++) {
        if (items->items[i].partition < 0)
            continue;
        items->items[i].code = r.code != KAFKA_NONE ? r.code : sent[k].code;
        code = code != KAFKA_NONE ? code : sent[k].code;
        k++;
    }
    mem_free(sent);
    if (err < 0)
        return tool_fail_call(t, err);
    show_offsets_result(t, id, code);
    show_offsets_items(t, items);
    return EXIT_OK;
}

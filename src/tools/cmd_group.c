// SPDX-License-Identifier: Apache-2.0
//
// `chitin group`: list, describe, members, delete, offset-delete.
#include "tools/cmd_group.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "tools/group_lag.h"
#include "tools/group_survey.h"
#include "tools/groups.h"
#include "wire/errors.h"

int group_fail(struct tool *t, struct str id, const struct admin_result *r)
{
    char what[300];
    snprintf(what, sizeof what, "group \"%.*s\"", STR_ARG(id));
    if (r->code == KAFKA_GROUP_ID_NOT_FOUND)
        return tool_fail(t, EXIT_NOT_FOUND,
                         "there is no %s: `chitin group list` shows those that there are", what);
    if (r->code == KAFKA_NON_EMPTY_GROUP)
        return tool_fail(t, EXIT_FAILED, "%s has members: stop its consumers first", what);
    if (r->code == KAFKA_GROUP_SUBSCRIBED_TO_TOPIC)
        return tool_fail(t, EXIT_FAILED, "%s reads that topic just now: stop its consumers first",
                         what);
    return tool_fail_code(t, what, r->code, str_from(r->message));
}

int group_find(struct tool *t, struct str id, struct group_info *out)
{
    struct admin_result r = {0};
    int err = admin_any_group_describe(t->driver, id, out, &r);
    if (err < 0)
        return tool_fail_call(t, err);
    if (r.code == 0 && str_is(out->state, "Dead"))
        r.code = KAFKA_GROUP_ID_NOT_FOUND;
    return r.code != 0 ? group_fail(t, id, &r) : EXIT_OK;
}

static int first_status(int before, int now)
{
    return before != EXIT_OK ? before : now;
}

int group_for_each(struct tool *t, int bootstrap, int (*each)(struct tool *t, struct str id))
{
    int status = tool_connect(t, flags_text(&t->flags, bootstrap));
    if (status != EXIT_OK)
        return status;
    for (int i = 0; i < t->flags.arg_count && status != EXIT_UNREACHABLE; i++)
        status = first_status(status, each(t, str_from(t->flags.args[i])));
    return status;
}

// --- list ---

enum { LIST_BOOTSTRAP, LIST_OUTPUT, LIST_STATE, LIST_TYPE };

static const struct flag_def list_flags[] = {
    [LIST_BOOTSTRAP] = COMMON_BOOTSTRAP,
    [LIST_OUTPUT] = COMMON_OUTPUT,
    [LIST_STATE] = {.names = "-s, --state",
                    .argument = "STATE",
                    .kind = FLAG_LIST,
                    .help = "Only groups in this state (Stable, Empty, ...); repeatable."},
    [LIST_TYPE] = {.names = "-t, --type",
                   .argument = "TYPE",
                   .kind = FLAG_LIST,
                   .help =
                       "Only groups of this type (classic, consumer, streams, share); repeatable."},
};

static const struct column list_columns[] = {
    {"GROUP", "group", CELL_TEXT},
    {"TYPE", "type", CELL_TEXT},
    {"STATE", "state", CELL_TEXT},
    {"PROTOCOL", "protocol_type", CELL_TEXT},
    {"COORDINATOR", "coordinator", CELL_NUMBER},
};

// Free items with mem_free().
static struct wire_string_array texts_of(const struct tool *t, int flag)
{
    const struct flag_value *given = &t->flags.values[flag];
    struct wire_string_array out = {mem_alloc_array((size_t)given->count + 1, sizeof(struct str)),
                                    given->count};
    for (int i = 0; i < given->count; i++)
        out.items[i] = str_from(given->list[i]);
    return out;
}

static void show_list(struct tool *t, struct group_list *list)
{
    struct rows rows;
    rows_init(&rows, list_columns, sizeof list_columns / sizeof *list_columns);
    admin_group_list_sort(list);
    for (int i = 0; i < list->count; i++) {
        rows_str(&rows, list->items[i].id);
        rows_str(&rows, list->items[i].type);
        rows_str(&rows, list->items[i].state);
        rows_str(&rows, list->items[i].protocol_type);
        rows_i64(&rows, list->items[i].node);
    }
    rows_write(&rows, &t->out.buf, wants_json(t, LIST_OUTPUT));
    rows_release(&rows);
}

static int list_run(struct tool *t)
{
    struct group_list list = {0};
    struct admin_result r = {0};
    struct wire_string_array states = texts_of(t, LIST_STATE), types = texts_of(t, LIST_TYPE);
    int status = tool_connect(t, flags_text(&t->flags, LIST_BOOTSTRAP));
    int err = status == EXIT_OK ? admin_groups_list(t->driver, states, types, &list, &r) : 0;
    if (err < 0)
        status = tool_fail_call(t, err);
    else if (r.code != 0)
        status = tool_fail_code(t, "listing groups", r.code, str_from(r.message));
    if (status == EXIT_OK)
        show_list(t, &list);
    admin_group_list_release(&list);
    mem_free(states.items);
    mem_free(types.items);
    return status;
}

const struct command command_group_list = {
    .name = "group list",
    .arguments = "",
    .summary = "List groups.",
    .text = "Examples:\n"
            "  chitin group list\n"
            "  chitin group list --state Empty -o json",
    COMMAND_FLAGS(list_flags),
    .run = list_run,
};

// --- describe ---

enum { DESCRIBE_BOOTSTRAP, DESCRIBE_OUTPUT };

static const struct flag_def describe_flags[] = {
    [DESCRIBE_BOOTSTRAP] = COMMON_BOOTSTRAP,
    [DESCRIBE_OUTPUT] = COMMON_OUTPUT,
};

static const struct column lag_columns[] = {
    {"TOPIC", "topic", CELL_TEXT},
    {"PARTITION", "partition", CELL_NUMBER},
    {"COMMITTED", "committed", CELL_NUMBER},
    {"START", "start", CELL_NUMBER},
    {"END", "end", CELL_NUMBER},
    {"LAG", "lag", CELL_NUMBER},
    {"SECONDS", "lag_ms", CELL_SECONDS},
    {"LOST", "lost", CELL_NUMBER},
    {"MEMBER", "member", CELL_TEXT},
    {"CLIENT", "client", CELL_TEXT},
    {"HOST", "host", CELL_TEXT},
};

static void number_or_none(struct rows *rows, int64_t value)
{
    if (value >= 0)
        rows_i64(rows, value);
    else
        rows_text(rows, NULL);
}

static void fill_lag(struct rows *rows, const struct group_lag *lag)
{
    rows_init(rows, lag_columns, sizeof lag_columns / sizeof *lag_columns);
    for (int i = 0; i < lag->count; i++) {
        const struct group_lag_row *row = &lag->items[i];
        rows_str(rows, row->topic);
        rows_i64(rows, row->partition);
        number_or_none(rows, row->offset);
        number_or_none(rows, row->start_offset);
        number_or_none(rows, row->end_offset);
        number_or_none(rows, row->lag);
        number_or_none(rows, row->lag_ms);
        number_or_none(rows, row->lost);
        rows_str(rows, row->owner != NULL ? row->owner->id : (struct str){0});
        rows_str(rows, row->owner != NULL ? row->owner->client_id : (struct str){0});
        rows_str(rows, row->owner != NULL ? row->owner->host : (struct str){0});
    }
}

static int64_t total_lag(const struct group_lag *lag)
{
    int64_t total = 0;
    for (int i = 0; i < lag->count; i++)
        total += lag->items[i].lag > 0 ? lag->items[i].lag : 0;
    return total;
}

static void write_table(struct buf *out, const struct group_info *g, const struct group_lag *lag,
                        const struct rows *rows)
{
    buf_printf(out, "Group %.*s, %s protocol, %.*s", STR_ARG(g->id),
               g->protocol, STR_ARG(g->state));
    if (g->assignor.size > 0)
        buf_printf(out, ", assignor %.*s", STR_ARG(g->assignor));
    if (g->epoch >= 0)
        buf_printf(out, ", epoch %d (assigned: %d)", g->epoch, g->target_epoch);
    buf_printf(out, ", %d member%s, coordinator %d, lag %lld\n\n", g->member_count,
               g->member_count == 1 ? "" : "s", g->node, (long long)total_lag(lag));
    rows_write(rows, out, false);
}

static void write_json(struct buf *out, const struct group_info *g, const struct group_lag *lag,
                       const struct rows *rows)
{
    struct json_printer p;
    json_printer_init(&p, out);
    json_object_begin(&p);
    json_member_str(&p, "group", g->id);
    json_member_str(&p, "protocol", str_from(g->protocol));
    json_member_str(&p, "protocol_type", g->protocol_type);
    json_member_str(&p, "state", g->state);
    json_member_str(&p, "assignor", g->assignor);
    if (g->epoch >= 0) {
        json_member_int(&p, "epoch", g->epoch);
        json_member_int(&p, "assignment_epoch", g->target_epoch);
    }
    json_member_int(&p, "members", g->member_count);
    json_member_int(&p, "coordinator", g->node);
    json_member_int(&p, "lag", total_lag(lag));
    json_key(&p, "partitions");
    rows_write_array(rows, &p);
    json_object_end(&p);
    buf_append_u8(out, '\n');
}

static int describe_one(struct tool *t, struct str id)
{
    struct group_info info = {0};
    struct admin_offsets offsets = {0};
    struct admin_result r = {0};
    int status = group_find(t, id, &info);
    int err = status == EXIT_OK ? admin_offsets_fetch(t->driver, id, &offsets, &r) : 0;
    if (err < 0)
        status = tool_fail_call(t, err);
    else if (status == EXIT_OK && r.code != 0)
        status = group_fail(t, id, &r);
    if (status == EXIT_OK) {
        struct group_lag lag;
        struct group_survey survey;
        struct rows rows;
        group_lag_find(t->driver, &info, &offsets, &lag);
        // Other brokers do not know this API, and an error is none of what is shown.
        if (admin_group_survey(t->driver, id, false, &survey, &r) == 0)
            group_lag_add_survey(&lag, &survey);
        admin_group_survey_release(&survey);
        fill_lag(&rows, &lag);
        if (t->out.buf.size > 0 && !wants_json(t, DESCRIBE_OUTPUT))
            buf_append_u8(&t->out.buf, '\n');
        (wants_json(t, DESCRIBE_OUTPUT) ? write_json : write_table)(&t->out.buf, &info, &lag,
                                                                    &rows);
        rows_release(&rows);
        group_lag_release(&lag);
    }
    admin_offsets_release(&offsets);
    admin_group_release(&info);
    return status;
}

static int describe_run(struct tool *t)
{
    return group_for_each(t, DESCRIBE_BOOTSTRAP, describe_one);
}

const struct command command_group_describe = {
    .name = "group describe",
    .arguments = "GROUP...",
    .summary = "Show what groups have committed, how far behind they are, and who reads what.",
    .text =
        "COMMITTED is where the group goes on, LAG the records that it has not read, up to END.\n"
        "\n"
        "Examples:\n"
        "  chitin group describe billing\n"
        "  chitin group describe billing -o json",
    COMMAND_FLAGS(describe_flags),
    .arg_min = 1,
    .arg_max = -1,
    .run = describe_run,
};

// --- members ---

enum { MEMBERS_BOOTSTRAP, MEMBERS_OUTPUT };

static const struct flag_def members_flags[] = {
    [MEMBERS_BOOTSTRAP] = COMMON_BOOTSTRAP,
    [MEMBERS_OUTPUT] = COMMON_OUTPUT,
};

static const struct column members_columns[] = {
    {"GROUP", "group", CELL_TEXT},
    {"MEMBER", "member", CELL_TEXT},
    {"INSTANCE", "instance", CELL_TEXT},
    {"CLIENT", "client", CELL_TEXT},
    {"HOST", "host", CELL_TEXT},
    {"EPOCH", "epoch", CELL_NUMBER},
    {"PARTITIONS", "partitions", CELL_NUMBER},
    {"OWNS", "owns", CELL_TEXT},
    {"IS TO OWN", "target", CELL_TEXT},
};

// "orders:0,1 payments:2"
static void rows_shares(struct rows *rows, const struct group_share *shares, int count)
{
    struct buf text;
    buf_init(&text, 16 << 20);
    for (int i = 0; i < count; i++) {
        buf_printf(&text, "%s%.*s:", i > 0 ? " " : "", STR_ARG(shares[i].topic));
        for (int32_t p = 0; p < shares[i].partitions.count; p++)
            buf_printf(&text, "%s%d", p > 0 ? "," : "", shares[i].partitions.items[p]);
    }
    rows_str(rows, buf_str(&text));
    buf_release(&text);
}

static void members_row(struct rows *rows, const struct group_info *g,
                        const struct group_member_info *m)
{
    int64_t partitions = 0;
    for (int i = 0; i < m->share_count; i++)
        partitions += m->shares[i].partitions.count;
    rows_str(rows, g->id);
    rows_str(rows, m->id);
    rows_str(rows, m->instance_id);
    rows_str(rows, m->client_id);
    rows_str(rows, m->host);
    number_or_none(rows, m->epoch);
    rows_i64(rows, partitions);
    rows_shares(rows, m->shares, m->share_count);
    rows_shares(rows, m->target, m->target_count);
}

static int members_one(struct tool *t, struct str id)
{
    struct group_info info = {0};
    struct rows rows;
    int status = group_find(t, id, &info);
    rows_init(&rows, members_columns, sizeof members_columns / sizeof *members_columns);
    for (int i = 0; status == EXIT_OK && i < info.member_count; i++)
        members_row(&rows, &info, &info.members[i]);
    if (status == EXIT_OK)
        rows_write(&rows, &t->out.buf, wants_json(t, MEMBERS_OUTPUT));
    rows_release(&rows);
    admin_group_release(&info);
    return status;
}

static int members_run(struct tool *t)
{
    return group_for_each(t, MEMBERS_BOOTSTRAP, members_one);
}

const struct command command_group_members = {
    .name = "group members",
    .arguments = "GROUP...",
    .summary = "Show the members of groups and what each of them owns.",
    .text = "Example:\n"
            "  chitin group members billing",
    COMMAND_FLAGS(members_flags),
    .arg_min = 1,
    .arg_max = -1,
    .run = members_run,
};

// --- delete ---

enum { DELETE_BOOTSTRAP, DELETE_IF_EXISTS };

static const struct flag_def delete_flags[] = {
    [DELETE_BOOTSTRAP] = COMMON_BOOTSTRAP,
    [DELETE_IF_EXISTS] = {.names = "--if-exists",
                          .kind = FLAG_BOOL,
                          .help = "A group that is not there is not an error."},
};

static int delete_one(struct tool *t, struct str id)
{
    struct admin_result r = {0};
    int err = admin_group_delete(t->driver, id, &r);
    if (err < 0)
        return tool_fail_call(t, err);
    if (r.code == KAFKA_GROUP_ID_NOT_FOUND && flags_given(&t->flags, DELETE_IF_EXISTS))
        return EXIT_OK;
    return r.code != 0 ? group_fail(t, id, &r) : EXIT_OK;
}

static int delete_run(struct tool *t)
{
    return group_for_each(t, DELETE_BOOTSTRAP, delete_one);
}

const struct command command_group_delete = {
    .name = "group delete",
    .arguments = "GROUP...",
    .summary = "Delete groups without members, with everything that they have committed.",
    .text = "Example:\n"
            "  chitin group delete billing --if-exists",
    COMMAND_FLAGS(delete_flags),
    .arg_min = 1,
    .arg_max = -1,
    .run = delete_run,
};

// --- offset-delete ---

enum { OFFSET_BOOTSTRAP, OFFSET_TOPIC };

static const struct flag_def offset_flags[] = {
    [OFFSET_BOOTSTRAP] = COMMON_BOOTSTRAP,
    [OFFSET_TOPIC] = {.names = "-t, --topic",
                      .argument = "TOPIC[:0,1,...]",
                      .kind = FLAG_LIST,
                      .help = "All partitions of a topic, or some; repeatable. Needed."},
};

static int offset_delete_run(struct tool *t)
{
    struct admin_offsets chosen = {0}, committed = {0};
    struct admin_result r = {0};
    struct str id = str_from(t->flags.args[0]);
    if (!flags_given(&t->flags, OFFSET_TOPIC))
        return tool_usage(t, "say with --topic what to forget");
    int status = tool_connect(t, flags_text(&t->flags, OFFSET_BOOTSTRAP));
    int err = status == EXIT_OK ? admin_offsets_fetch(t->driver, id, &committed, &r) : 0;
    if (status == EXIT_OK && err == 0 && r.code == 0)
        status = group_choose(t, OFFSET_TOPIC, &committed, &chosen);
    if (status == EXIT_OK && err == 0 && r.code == 0)
        err = admin_offsets_delete(t->driver, id, chosen.items, chosen.count, &r);
    if (err < 0)
        status = tool_fail_call(t, err);
    else if (status == EXIT_OK && r.code != 0)
        status = group_fail(t, id, &r);
    for (int i = 0; status == EXIT_OK && i < chosen.count; i++) {
        r.code = chosen.items[i].code;
        if (r.code != 0)
            status = group_fail(t, id, &r);
    }
    admin_offsets_release(&chosen);
    admin_offsets_release(&committed);
    return status;
}

const struct command command_group_offset_delete = {
    .name = "group offset-delete",
    .arguments = "GROUP",
    .summary = "Forget what a group has committed for topics that it does not read.",
    .text = "Examples:\n"
            "  chitin group offset-delete billing --topic orders\n"
            "  chitin group offset-delete billing --topic orders:0,3",
    COMMAND_FLAGS(offset_flags),
    .arg_min = 1,
    .arg_max = 1,
    .run = offset_delete_run,
};

// SPDX-License-Identifier: Apache-2.0
//
// kafka-consumer-groups --reset-offsets: a plan of where groups are to go on, shown or exported, and
// with --execute committed.
#include "base/mem.h"
#include "tools/kafka_consumer_groups.h"
#include "tools/kafka_group_reset.h"
#include "wire/errors.h"

// *committed outlives the plan: topics are views into it.
static int plan_group(struct reset *r, struct reset_plan *plan)
{
    struct admin_result result = {0};
    struct admin_offsets committed = {0};
    const struct admin_offsets *given = NULL;
    if (r->target.kind == SEEK_TO_FILE && (given = reset_given(r, plan->group)) == NULL)
        return EXIT_OK;
    int err = admin_offsets_fetch(r->tool->driver, plan->group, &committed, &result);
    client_answer_move(&plan->items.answer, &committed.answer);
    int status = EXIT_OK;
    if (err < 0)
        status = reset_end(r, tool_fail_call(r->tool, err));
    else if (result.code != KAFKA_NONE && result.code != KAFKA_GROUP_ID_NOT_FOUND)
        status = reset_end(r, group_tool_failed(r->tool, r->kind, result.code, (struct str){0}, true));
    else
        status = reset_choose(r, &committed, given, &plan->items);
    if (!r->ended)
        status = reset_make(r, plan, &committed, given);
    admin_offsets_release(&committed);
    return status;
}

static bool is_streams(const struct group_list *streams, struct str id)
{
    for (int i = 0; i < streams->count; i++)
        if (str_equal(streams->items[i].id, id))
            return true;
    return false;
}

// Whether the group may be reset; says so if not.
static bool is_inactive(struct reset *r, const struct group_list *streams, struct str id, int *status)
{
    struct group_info info;
    struct admin_result result = {0};
    bool inactive = false;
    if (is_streams(streams, id)) {
        group_tool_error(r->tool,
                              "Group '%.*s' is a streams group. Use kafka-streams-groups.sh to "
                              "reset its offsets.",
                              STR_ARG(id));
        return false;
    }
    int err = admin_group_describe(r->tool->driver, id, &info, &result);
    if (err < 0)
        *status = reset_end(r, tool_fail_call(r->tool, err));
    else if (result.code == KAFKA_GROUP_ID_NOT_FOUND)
        inactive = true;
    else if (result.code != KAFKA_NONE)
        *status = reset_end(
            r, group_tool_failed(r->tool, r->kind, result.code, str_from(result.message), true));
    else if (str_is(info.state, "Empty") || str_is(info.state, "Dead"))
        inactive = true;
    else
        group_tool_error(r->tool,
                              "Assignments can only be reset if the group '%.*s' is inactive, but "
                              "the current state is %.*s.",
                              STR_ARG(id), STR_ARG(info.state));
    admin_group_release(&info);
    return inactive;
}

static void show_plan(struct buf *out, const struct reset_plan *plan, int group_width,
                      int topic_width)
{
    int *order = reset_order(&plan->items);
    for (int i = 0; i < plan->items.count; i++) {
        const struct admin_offset *item = &plan->items.items[order[i]];
        buf_append_u8(out, '\n');
        group_tool_cell(out, group_width, plan->group);
        group_tool_cell(out, topic_width, item->topic);
        group_tool_number(out, 10, item->partition);
        buf_printf(out, "%lld", (long long)item->offset);
    }
    mem_free(order);
}

static void show(struct reset *r)
{
    struct buf *out = &r->tool->out.buf;
    int group_width = 15, topic_width = 15;
    for (int i = 0; i < r->plan_count; i++) {
        group_width = group_tool_width(group_width, r->plans[i].group);
        for (int k = 0; k < r->plans[i].items.count; k++)
            topic_width = group_tool_width(topic_width, r->plans[i].items.items[k].topic);
    }
    if (r->plan_count > 0) {
        buf_append_u8(out, '\n');
        group_tool_cell(out, group_width, str_from("GROUP"));
        group_tool_cell(out, topic_width, str_from("TOPIC"));
        buf_printf(out, "%-10s NEW-OFFSET", "PARTITION");
    }
    for (int i = 0; i < r->plan_count; i++)
        show_plan(out, &r->plans[i], group_width, topic_width);
}

// ---- The command ----

static int find_streams(struct reset *r, struct group_list *out)
{
    struct str type = str_from("Streams");
    struct admin_result result = {0};
    int err = admin_groups_list(r->tool->driver, (struct wire_string_array){0},
                                (struct wire_string_array){&type, 1}, out, &result);
    if (err < 0)
        return reset_end(r, tool_fail_call(r->tool, err));
    if (result.code != KAFKA_NONE)
        return reset_end(
            r, group_tool_failed(r->tool, r->kind, result.code, str_from(result.message), true));
    return EXIT_OK;
}

static void show_plans(struct reset *r)
{
    if (flags_given(&r->tool->flags, GF_EXPORT))
        reset_export(r);
    else
        show(r);
    buf_append_u8(&r->tool->out.buf, '\n');
}

int consumer_groups_reset(struct tool *t, const struct group_ids *ids)
{
    struct reset r;
    struct group_list streams = {0};
    int *order = group_tool_order(ids->items, ids->count);
    reset_init(&r, t, &consumer_groups_tool);
    int status = reset_prepare(&r, ids);
    if (!r.ended)
        status = find_streams(&r, &streams);
    for (int i = 0; i < ids->count && !r.ended; i++) {
        struct reset_plan *plan = reset_add(&r, ids->items[order[i]]);
        if (is_inactive(&r, &streams, plan->group, &status))
            status = plan_group(&r, plan);
    }
    if (!r.ended)
        show_plans(&r);
    admin_group_list_release(&streams);
    reset_release(&r);
    mem_free(order);
    return status;
}

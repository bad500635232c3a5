// SPDX-License-Identifier: Apache-2.0
//
// kafka-streams-groups --reset-offsets: a plan of where groups are to go on in their input topics, shown or
// exported, and with --execute committed; then internal topics can go, too.
#include "base/mem.h"
#include "tools/kafka_group_reset.h"
#include "tools/kafka_streams_groups.h"
#include "wire/errors.h"

// Takes out what is no input topic.
static void keep_sources(const struct group_info *g, struct admin_offsets *offsets)
{
    int kept = 0;
    for (int i = 0; i < offsets->count; i++)
        if (group_is_source(g, offsets->items[i].topic))
            offsets->items[kept++] = offsets->items[i];
    offsets->count = kept;
}

// A topic of the flags that the group has committed nothing for belongs to somebody else.
static void check_members(struct reset *r, struct reset_plan *plan, const struct admin_offsets *committed)
{
    for (int i = 0; i < plan->items.count; i++)
        if (admin_offsets_find(committed, plan->items.items[i].topic, plan->items.items[i].partition) ==
            NULL) {
            group_tool_error(r->tool, "One or more topics are not part of the group '%.*s'.",
                             STR_ARG(plan->group));
            plan->items.count = 0;
        }
}

// *committed outlives the plan: topics are views into it.
static int plan_offsets(struct reset *r, struct reset_plan *plan, const struct group_info *info,
                        struct admin_offsets *committed)
{
    const struct flags *f = &r->tool->flags;
    const struct admin_offsets *given = NULL;
    bool by_name = r->target.kind != SEEK_TO_FILE && !flags_given(f, GF_ALL_TOPICS);
    if (r->target.kind == SEEK_TO_FILE && (given = reset_given(r, plan->group)) == NULL)
        return EXIT_OK;
    if (!by_name)
        keep_sources(info, committed);
    int status = reset_choose(r, committed, given, &plan->items);
    if (!r->ended && by_name)
        check_members(r, plan, committed);
    return r->ended ? status : reset_make(r, plan, committed, given);
}

static int plan_group(struct reset *r, struct reset_plan *plan, const struct group_info *info)
{
    struct admin_result result = {0};
    struct admin_offsets committed = {0};
    int status;
    int err = admin_offsets_fetch(r->tool->driver, plan->group, &committed, &result);
    client_answer_move(&plan->items.answer, &committed.answer);
    if (err < 0)
        status = reset_end(r, tool_fail_call(r->tool, err));
    else if (result.code != KAFKA_NONE)
        status = reset_end(r, group_tool_failed(r->tool, r->kind, result.code, (struct str){0}, true));
    else
        status = plan_offsets(r, plan, info, &committed);
    admin_offsets_release(&committed);
    return status;
}

// ---- Internal topics ----

static void choose_topics(struct tool *t, const struct group_info *info, struct internal_topics *out)
{
    const struct flag_value *named = &t->flags.values[GF_DELETE_INTERNAL_TOPIC];
    *out = (struct internal_topics){0};
    if (flags_given(&t->flags, GF_DELETE_ALL_INTERNAL_TOPICS)) {
        internal_topics_find(t, info, out);
        return;
    }
    out->items = mem_alloc_array((size_t)named->count + 1, sizeof *out->items);
    for (int i = 0; i < named->count; i++)
        out->items[out->count++] = str_from(named->list[i]);
}

static int delete_topics(struct reset *r, const struct group_info *info)
{
    struct internal_topics topics;
    int16_t code = KAFKA_NONE;
    choose_topics(r->tool, info, &topics);
    int err = topics.count > 0 ? internal_topics_delete(r->tool, &topics, &code) : 0;
    internal_topics_release(&topics);
    if (err < 0)
        return reset_end(r, tool_fail_call(r->tool, err));
    if (code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
        group_tool_error(r->tool,
                         "Deleting internal topics for group '%.*s' failed because the topics do not "
                         "exist.",
                         STR_ARG(info->id));
    else if (code != KAFKA_NONE)
        group_tool_error(r->tool, "Deleting internal topics for group '%.*s' failed due to "
                                  "org.apache.kafka.common.errors.%s: %s",
                         STR_ARG(info->id), java_exception(code), java_message(code));
    return EXIT_OK;
}

// ---- The command ----

// A group that is not there: Kafka's tool says so as what ended its look at the group.
static int fail_missing(struct reset *r, struct str id)
{
    group_tool_error(r->tool,
                     "Executing streams group command failed due to "
                     "java.util.concurrent.ExecutionException: "
                     "org.apache.kafka.common.errors.GroupIdNotFoundException: Group %.*s not found.",
                     STR_ARG(id));
    return reset_end(r, r->kind->failed);
}

static int reset_group(struct reset *r, struct str id)
{
    struct group_info info;
    struct admin_result result = {0};
    int status = EXIT_OK;
    int err = admin_streams_describe(r->tool->driver, id, &info, &result);
    if (err < 0)
        status = reset_end(r, tool_fail_call(r->tool, err));
    else if (result.code == KAFKA_GROUP_ID_NOT_FOUND)
        status = fail_missing(r, id);
    else if (result.code != KAFKA_NONE)
        status = reset_end(r, group_tool_failed(r->tool, r->kind, result.code, str_from(result.message),
                                                true));
    else if (!str_is(info.state, "Empty")) {
        reset_add(r, id);
        group_tool_error(r->tool, "Assignments can only be reset if the group '%.*s' is inactive, but the "
                                  "current state is %.*s.", STR_ARG(id), STR_ARG(info.state));
    } else {
        status = plan_group(r, reset_add(r, id), &info);
        if (!r->ended && flags_given(&r->tool->flags, GF_EXECUTE))
            status = delete_topics(r, &info);
    }
    admin_group_release(&info);
    return status;
}

static void show(struct reset *r)
{
    struct buf *out = &r->tool->out.buf;
    if (r->plan_count > 0)
        buf_printf(out, "\n%-30s %-30s %-10s %-15s", "GROUP", "TOPIC", "PARTITION", "NEW-OFFSET");
    for (int i = 0; i < r->plan_count; i++) {
        const struct reset_plan *plan = &r->plans[i];
        int *order = reset_order(&plan->items);
        for (int k = 0; k < plan->items.count; k++) {
            const struct admin_offset *item = &plan->items.items[order[k]];
            buf_printf(out, "\n%-30.*s %-30.*s %-10d %-15lld", STR_ARG(plan->group), STR_ARG(item->topic),
                       item->partition, (long long)item->offset);
        }
        mem_free(order);
    }
}

int streams_groups_reset(struct tool *t, const struct group_ids *ids)
{
    struct reset r;
    int *order = group_tool_order(ids->items, ids->count);
    reset_init(&r, t, &streams_groups_tool);
    int status = reset_prepare(&r, ids);
    for (int i = 0; i < ids->count && !r.ended; i++)
        status = reset_group(&r, ids->items[order[i]]);
    if (!r.ended && flags_given(&t->flags, GF_EXPORT))
        reset_export(&r);
    else if (!r.ended)
        show(&r);
    if (!r.ended)
        buf_append_u8(&t->out.buf, '\n');
    reset_release(&r);
    mem_free(order);
    return status;
}

// SPDX-License-Identifier: Apache-2.0
//
// `chitin group explain` and `chitin group watch`: what Chitin's brokers know of groups.
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "tools/cmd_group.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "tools/group_explain.h"
#include "tools/group_survey.h"
#include "wire/errors.h"

enum { BOOTSTRAP, OUTPUT, EXPLAIN_FLAG_COUNT };

enum { WATCH_INTERVAL = EXPLAIN_FLAG_COUNT, WATCH_COUNT };

// EXIT_OK, or the exit status after saying why not.
static int survey(struct tool *t, struct str id, struct group_survey *out)
{
    struct admin_result r = {0};
    int err = admin_group_survey(t->driver, id, true, out, &r);
    if (err == ERR_UNSUPPORTED)
        return tool_fail(t, EXIT_FAILED,
                         "this broker does not tell why groups rebalance; only Chitin's do: try "
                         "`chitin group describe`");
    if (err < 0)
        return tool_fail_call(t, err);
    return r.code != KAFKA_NONE ? group_fail(t, id, &r) : EXIT_OK;
}

// ---- explain, for people ----

static void write_head(struct buf *out,
                       const struct chitin_describe_groups_response_described_group *g)
{
    buf_printf(out, "Group %.*s, %.*s protocol, %.*s, %d member%s\n", STR_ARG(g->group_id),
               STR_ARG(g->group_type), STR_ARG(g->group_state), g->member_count,
               g->member_count == 1 ? "" : "s");
    buf_printf(out, "%lld rebalance%s since its coordinator was loaded",
               (long long)g->rebalance_count, g->rebalance_count == 1 ? "" : "s");
    if (g->rebalance_count > 0) {
        buf_append_text(out, ", which took ");
        group_explain_duration(out, g->rebalance_ms);
    }
    buf_append_u8(out, '\n');
}

static void write_lag(struct buf *out, const struct group_survey *s)
{
    struct group_survey_total sum = group_survey_sum(s);
    buf_printf(out, "Behind by %lld records", (long long)sum.lag_records);
    if (sum.worst_partition >= 0) {
        buf_append_text(out, " and at most ");
        group_explain_duration(out, sum.lag_ms);
        buf_printf(out, " (%.*s:%d)", STR_ARG(sum.worst_topic), sum.worst_partition);
    }
    buf_append_u8(out, '\n');
}

static void write_rebalance(struct buf *out,
                            const struct chitin_describe_groups_response_rebalance *r)
{
    buf_append_text(out, "  ");
    time_format_rfc3339(out, r->begin_time_ms);
    buf_append_text(out, "  ");
    group_explain_cause(out, r);
    if (r->duration_ms < 0) {
        buf_printf(out, "; %d members before, goes on\n", r->members_before);
        return;
    }
    buf_printf(out, "; %d -> %d members, epoch %d, ", r->members_before, r->members_after, r->epoch);
    group_explain_duration(out, r->duration_ms);
    if (r->last_member.size > 0) {
        buf_printf(out, ", last to answer %.*s after ", STR_ARG(r->last_member));
        group_explain_duration(out, r->last_member_ms);
    }
    buf_append_u8(out, '\n');
}

static void write_text(struct buf *out, const struct group_survey *s,
                       const struct group_findings *found)
{
    write_head(out, s->group);
    write_lag(out, s);
    if (s->group->journal.count > 0)
        buf_append_text(out, "\nRebalances, newest first:\n");
    for (int32_t i = 0; i < s->group->journal.count; i++)
        write_rebalance(out, &s->group->journal.items[i]);
    buf_append_text(out, found->count > 0 ? "\nWhat stands out:\n" : "\nNothing stands out.\n");
    for (int i = 0; i < found->count; i++)
        buf_printf(out, "  * %s.\n    %s\n", found->items[i].text, found->items[i].change);
}

// ---- explain, for programs ----

static void json_nullable(struct json_printer *p, const char *name, struct str value)
{
    json_member_bytes(p, name, bytes_of((const uint8_t *)value.data, value.size));
}

static void write_json_rebalance(struct json_printer *p,
                                 const struct chitin_describe_groups_response_rebalance *r)
{
    json_object_begin(p);
    json_member_str(p, "cause", r->cause);
    json_nullable(p, "member", r->member);
    json_nullable(p, "client", r->client);
    json_nullable(p, "reason", r->reason);
    json_member_int(p, "begin_ms", r->begin_time_ms);
    json_member_int(p, "duration_ms", r->duration_ms);
    json_member_int(p, "members_before", r->members_before);
    json_member_int(p, "members_after", r->members_after);
    json_member_int(p, "epoch", r->epoch);
    json_member_int(p, "causes", r->causes);
    json_nullable(p, "last_member", r->last_member);
    json_member_int(p, "last_member_ms", r->last_member_ms);
    json_object_end(p);
}

static void json_head(struct json_printer *p, const struct group_survey *s)
{
    struct group_survey_total sum = group_survey_sum(s);
    json_member_str(p, "group", s->group->group_id);
    json_member_str(p, "type", s->group->group_type);
    json_member_str(p, "state", s->group->group_state);
    json_member_int(p, "members", s->group->member_count);
    json_member_int(p, "rebalances", s->group->rebalance_count);
    json_member_int(p, "rebalance_ms", s->group->rebalance_ms);
    json_member_int(p, "lag", sum.lag_records);
    json_member_int(p, "lag_ms", sum.lag_ms);
    json_member_int(p, "lost", sum.lost_records);
}

static void write_json(struct buf *out, const struct group_survey *s,
                       const struct group_findings *found)
{
    struct json_printer p;
    json_printer_init(&p, out);
    json_object_begin(&p);
    json_head(&p, s);
    json_key(&p, "journal");
    json_array_begin(&p);
    for (int32_t i = 0; i < s->group->journal.count; i++)
        write_json_rebalance(&p, &s->group->journal.items[i]);
    json_array_end(&p);
    json_key(&p, "findings");
    json_array_begin(&p);
    for (int i = 0; i < found->count; i++) {
        json_object_begin(&p);
        json_member_str(&p, "name", str_from(found->items[i].name));
        json_member_int(&p, "rebalances", found->items[i].rebalances);
        json_member_str(&p, "text", str_from(found->items[i].text));
        json_member_str(&p, "change", str_from(found->items[i].change));
        json_object_end(&p);
    }
    json_array_end(&p);
    json_object_end(&p);
    buf_append_u8(out, '\n');
}

// ---- explain ----

static const struct flag_def explain_flags[] = {
    [BOOTSTRAP] = COMMON_BOOTSTRAP,
    [OUTPUT] = COMMON_OUTPUT,
};

static int explain_one(struct tool *t, struct str id)
{
    struct group_survey s;
    struct group_info info = {0};
    struct group_findings found;
    int status = survey(t, id, &s);
    if (status == EXIT_OK)
        status = group_find(t, id, &info);
    if (status == EXIT_OK) {
        group_explain(&s, &info, &found);
        if (t->out.buf.size > 0 && !wants_json(t, OUTPUT))
            buf_append_u8(&t->out.buf, '\n');
        (wants_json(t, OUTPUT) ? write_json : write_text)(&t->out.buf, &s, &found);
    }
    admin_group_release(&info);
    admin_group_survey_release(&s);
    return status;
}

static int explain_run(struct tool *t)
{
    return group_for_each(t, BOOTSTRAP, explain_one);
}

const struct command command_group_explain = {
    .name = "group explain",
    .arguments = "GROUP...",
    .summary = "Tell why groups rebalanced, who is slow, and what to change.",
    .text = "The coordinator remembers the last 16 rebalances of each group since it was loaded.\n"
            "\n"
            "Examples:\n"
            "  chitin group explain billing\n"
            "  chitin group explain billing -o json",
    COMMAND_FLAGS(explain_flags),
    .arg_min = 1,
    .arg_max = -1,
    .run = explain_run,
};

// ---- watch ----

static const struct flag_def watch_flags[] = {
    [BOOTSTRAP] = COMMON_BOOTSTRAP,
    [OUTPUT] = COMMON_OUTPUT,
    [WATCH_INTERVAL] = {.names = "-i, --interval",
                        .argument = "SECONDS",
                        .kind = FLAG_I64,
                        .min = 1,
                        .max = 86400,
                        .fallback = "2",
                        .help = "Between two looks."},
    [WATCH_COUNT] = {.names = "-n, --count",
                     .argument = "N",
                     .kind = FLAG_I64,
                     .min = 1,
                     .max = INT64_MAX,
                     .help = "Stop after N looks. [default: go on until Ctrl-C]"},
};

// Rebalances that began after `seen_ms`, oldest first. Returns the begin of the newest.
static int64_t write_news(struct buf *out, const struct group_survey *s, int64_t seen_ms)
{
    const struct chitin_describe_groups_response_rebalance_array *journal = &s->group->journal;
    for (int32_t i = journal->count - 1; i >= 0; i--)
        if (journal->items[i].begin_time_ms > seen_ms)
            write_rebalance(out, &journal->items[i]);
    return journal->count > 0 ? journal->items[0].begin_time_ms : seen_ms;
}

static void write_look(struct tool *t, const struct group_survey *s, int64_t now_ms)
{
    struct buf *out = &t->out.buf;
    struct group_survey_total sum = group_survey_sum(s);
    time_format_rfc3339(out, now_ms);
    buf_printf(out, "  %.*s  %.*s  %d members  lag %lld", STR_ARG(s->group->group_id),
               STR_ARG(s->group->group_state), s->group->member_count, (long long)sum.lag_records);
    if (sum.worst_partition >= 0) {
        buf_append_text(out, ", ");
        group_explain_duration(out, sum.lag_ms);
    }
    if (sum.lost_records > 0)
        buf_printf(out, "  lost %lld", (long long)sum.lost_records);
    buf_printf(out, "  rebalances %lld\n", (long long)s->group->rebalance_count);
}

static void write_look_json(struct tool *t, const struct group_survey *s, int64_t now_ms)
{
    struct json_printer p;
    json_printer_init(&p, &t->out.buf);
    json_object_begin(&p);
    json_member_int(&p, "time_ms", now_ms);
    json_head(&p, s);
    json_object_end(&p);
    buf_append_u8(&t->out.buf, '\n');
}

static int look(struct tool *t, struct str id, int64_t *seen_ms)
{
    struct group_survey s;
    int status = survey(t, id, &s);
    int64_t now_ms = driver_wall_ms(t->driver);
    if (status == EXIT_OK && wants_json(t, OUTPUT)) {
        write_look_json(t, &s, now_ms);
    } else if (status == EXIT_OK) {
        write_look(t, &s, now_ms);
        *seen_ms = write_news(&t->out.buf, &s, *seen_ms);
    }
    admin_group_survey_release(&s);
    return status;
}

static int watch_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    int status = tool_connect(t, flags_text(f, BOOTSTRAP));
    if (status != EXIT_OK)
        return status;
    int64_t *seen_ms = mem_alloc_array((size_t)f->arg_count, sizeof *seen_ms);
    for (int i = 0; i < f->arg_count; i++)
        seen_ms[i] = driver_wall_ms(t->driver); // what was before is for `explain`
    int64_t looks_max = flags_given(f, WATCH_COUNT) ? flags_number(f, WATCH_COUNT) : INT64_MAX;
    for (int64_t n = 0; n < looks_max && status == EXIT_OK && !t->out.broken; n++) {
        if (n > 0)
            driver_pause(t->driver, flags_number(f, WATCH_INTERVAL) * 1000);
        for (int i = 0; i < f->arg_count && status == EXIT_OK; i++)
            status = look(t, str_from(f->args[i]), &seen_ms[i]);
        sink_flush(&t->out);
    }
    mem_free(seen_ms);
    return status;
}

const struct command command_group_watch = {
    .name = "group watch",
    .arguments = "GROUP...",
    .summary = "Show state, lag and rebalances of groups as they change.",
    .text = "A line for each look, and one for each rebalance that has begun since the last.\n"
            "\n"
            "Examples:\n"
            "  chitin group watch billing -i 5\n"
            "  chitin group watch billing payments -o json -n 10",
    COMMAND_FLAGS(watch_flags),
    .arg_min = 1,
    .arg_max = -1,
    .run = watch_run,
};

// SPDX-License-Identifier: Apache-2.0
//
// kafka-streams-groups --describe: offsets, members, state.
#include "base/mem.h"
#include "client/topology.h"
#include "tools/group_lag.h"
#include "tools/kafka_streams_groups.h"
#include "wire/api/streams_group_describe.h"
#include "wire/errors.h"

static void show_empty(struct tool *t, const struct group_info *g)
{
    if (str_is(g->state, "Empty"))
        group_tool_error(t, "Streams group '%.*s' has no active members.", STR_ARG(g->id));
}

// ---- Offsets ----

// What is read just now, in the order of Kafka's tool: numbers of rows, to be freed with mem_free().
static int *order_rows(const struct group_lag *lag, int *count)
{
    int *rows = mem_alloc_array((size_t)lag->count + 1, sizeof *rows);
    int *order = mem_alloc_array((size_t)lag->count + 1, sizeof *order);
    uint32_t *hashes = mem_alloc_array((size_t)lag->count + 1, sizeof *hashes);
    *count = 0;
    for (int i = 0; i < lag->count; i++)
        if (lag->items[i].owner != NULL) {
            hashes[*count] = java_hash_partition(lag->items[i].topic, lag->items[i].partition);
            rows[(*count)++] = i;
        }
    java_order_hashes(hashes, *count, java_capacity_grown(*count), order);
    for (int i = 0; i < *count; i++)
        order[i] = rows[order[i]];
    mem_free(hashes);
    mem_free(rows);
    return order;
}

// What is not committed is behind from the start of the log on.
static int64_t lag_of(const struct group_lag_row *row)
{
    if (row->end_offset < 0)
        return -1;
    return row->end_offset - (row->offset >= 0 ? row->offset : row->start_offset);
}

static void show_offset(struct buf *out, const struct group_info *g, const struct group_lag_row *row,
                        const int *widths, bool verbose)
{
    group_tool_cell(out, widths[0], g->id);
    group_tool_cell(out, widths[1], row->topic);
    group_tool_number(out, 10, row->partition);
    if (verbose) {
        group_tool_number(out, 15, row->offset);
        group_tool_number(out, 15, row->leader_epoch);
        group_tool_number(out, 15, row->end_offset);
        buf_printf(out, "%-15lld\n", (long long)lag_of(row));
    } else {
        buf_printf(out, "%lld\n", (long long)lag_of(row));
    }
}

static void show_offsets(struct tool *t, const struct group_info *g, const struct group_lag *lag)
{
    struct buf *out = &t->out.buf;
    bool verbose = flags_given(&t->flags, GF_VERBOSE);
    int widths[] = {group_tool_width(15, g->id), 15}, count;
    int *order = order_rows(lag, &count);
    for (int i = 0; i < count; i++)
        widths[1] = group_tool_width(widths[1], lag->items[order[i]].topic);
    group_tool_cell(out, widths[0], str_from("GROUP"));
    group_tool_cell(out, widths[1], str_from("TOPIC"));
    if (verbose)
        buf_printf(out, "%-10s %-15s %-15s %-15s %-15s\n", "PARTITION", "CURRENT-OFFSET", "LEADER-EPOCH",
                   "LOG-END-OFFSET", "OFFSET-LAG");
    else
        buf_printf(out, "%-10s OFFSET-LAG\n", "PARTITION");
    for (int i = 0; i < count; i++)
        show_offset(out, g, &lag->items[order[i]], widths, verbose);
    mem_free(order);
}

// ---- Members ----

static void show_tasks(struct buf *out, const char *role,
                       const struct streams_group_describe_response_task_ids_array *tasks)
{
    if (tasks->count > 0)
        buf_printf(out, "%s: ", role);
    for (int32_t i = 0; i < tasks->count; i++) {
        const struct wire_int32_array *p = &tasks->items[i].partitions;
        buf_printf(out, "%.*s:[", STR_ARG(tasks->items[i].subtopology_id));
        for (int32_t k = 0; k < p->count; k++)
            buf_printf(out, "%s%d", k > 0 ? "," : "", p->items[k]);
        buf_append_text(out, "]; ");
    }
}

static void show_assignments(struct buf *out, const struct streams_group_describe_response_member *m,
                             bool verbose)
{
    show_tasks(out, "ACTIVE", &m->assignment.active_tasks);
    show_tasks(out, "STANDBY", &m->assignment.standby_tasks);
    show_tasks(out, "WARMUP", &m->assignment.warmup_tasks);
    if (verbose) {
        show_tasks(out, "TARGET-ACTIVE", &m->target_assignment.active_tasks);
        show_tasks(out, "TARGET-STANDBY", &m->target_assignment.standby_tasks);
        show_tasks(out, "TARGET-WARMUP", &m->target_assignment.warmup_tasks);
    }
    buf_append_u8(out, '\n');
}

struct member_widths {
    int group;
    int member;
    int process;
    int client;
};

static void head_members(struct buf *out, const struct member_widths *w, bool verbose)
{
    group_tool_cell(out, w->group, str_from("GROUP"));
    if (verbose)
        buf_printf(out, "%-25s %-15s", "TARGET-ASSIGNMENT-EPOCH", "TOPOLOGY-EPOCH");
    group_tool_cell(out, w->member, str_from("MEMBER"));
    if (verbose)
        buf_printf(out, "%-15s %-15s ", "MEMBER-PROTOCOL", "MEMBER-EPOCH");
    group_tool_cell(out, w->process, str_from("PROCESS"));
    group_tool_cell(out, w->client, str_from("CLIENT-ID"));
    buf_append_text(out, "ASSIGNMENTS\n");
}

static void show_member(struct buf *out, const struct group_info *g,
                        const struct streams_group_describe_response_member *m,
                        const struct member_widths *w, bool verbose)
{
    group_tool_cell(out, w->group, g->id);
    if (verbose) {
        group_tool_number(out, 25, g->target_epoch);
        buf_printf(out, "%-15d", g->streams->topology != NULL ? g->streams->topology->epoch : -1);
    }
    group_tool_cell(out, w->member, m->member_id);
    if (verbose) {
        group_tool_cell(out, 15, str_from(m->is_classic ? "classic" : "streams"));
        buf_printf(out, "%-15d ", m->member_epoch);
    }
    group_tool_cell(out, w->process, m->process_id);
    group_tool_cell(out, w->client, m->client_id);
    show_assignments(out, m, verbose);
}

static int describe_members(struct tool *t, const struct group_info *g)
{
    bool verbose = flags_given(&t->flags, GF_VERBOSE);
    struct member_widths w = {group_tool_width(15, g->id), 15, 15, 15};
    for (int32_t i = 0; i < g->streams->members.count; i++) {
        const struct streams_group_describe_response_member *m = &g->streams->members.items[i];
        w.member = group_tool_width(w.member, m->member_id);
        w.process = group_tool_width(w.process, m->process_id);
        w.client = group_tool_width(w.client, m->client_id);
    }
    if (g->streams->members.count > 0)
        head_members(&t->out.buf, &w, verbose);
    for (int32_t i = 0; i < g->streams->members.count; i++)
        show_member(&t->out.buf, g, &g->streams->members.items[i], &w, verbose);
    return EXIT_OK;
}

// ---- State ----

static int describe_state(struct tool *t, const struct group_info *g)
{
    struct buf *out = &t->out.buf, where;
    bool verbose = flags_given(&t->flags, GF_VERBOSE);
    show_empty(t, g);
    buf_init(&where, 4096);
    group_tool_coordinator(t, g, " ", &where);
    int group = group_tool_width(15, g->id), at = group_tool_width(25, buf_str(&where));
    group_tool_cell(out, group, str_from("GROUP"));
    group_tool_cell(out, at, str_from("COORDINATOR (ID)"));
    group_tool_cell(out, 25, str_from("STATE"));
    if (verbose)
        buf_printf(out, "%-15s %-25s ", "GROUP-EPOCH", "TARGET-ASSIGNMENT-EPOCH");
    buf_append_text(out, "#MEMBERS\n");
    group_tool_cell(out, group, g->id);
    group_tool_cell(out, at, buf_str(&where));
    group_tool_cell(out, 25, g->state);
    if (verbose) {
        group_tool_number(out, 15, g->epoch);
        group_tool_number(out, 25, g->target_epoch);
    }
    buf_printf(out, "%d\n", g->member_count);
    buf_release(&where);
    return EXIT_OK;
}

int streams_groups_describe(struct tool *t, const struct group_ids *ids)
{
    int status = EXIT_OK;
    for (int i = 0; i < ids->count && status == EXIT_OK; i++) {
        struct group_info info;
        status = streams_groups_info(t, ids->items[i], &info);
        if (status == EXIT_OK && flags_given(&t->flags, GF_MEMBERS))
            status = describe_members(t, &info);
        else if (status == EXIT_OK && flags_given(&t->flags, GF_STATE))
            status = describe_state(t, &info);
        else if (status == EXIT_OK && info.member_count > 0)
            status = group_tool_show_lag(t, &streams_groups_tool, &info, show_offsets);
        admin_group_release(&info);
    }
    return status;
}

// SPDX-License-Identifier: Apache-2.0
//
// kafka-consumer-groups --describe: offsets, members, state.
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "client/topology.h"
#include "tools/group_lag.h"
#include "tools/kafka_consumer_groups.h"
#include "wire/errors.h"

// Says what there is to say of the group's state; whether a table follows that has `rows` rows.
static bool show_state(struct tool *t, const struct group_info *g, int rows)
{
    if (str_is(g->state, "Dead"))
        group_tool_error(t, "Consumer group '%.*s' does not exist.", STR_ARG(g->id));
    else if (str_is(g->state, "Empty"))
        buf_printf(&t->err.buf, "\nConsumer group '%.*s' has no active members.\n", STR_ARG(g->id));
    else if (!str_is(g->state, "Stable"))
        buf_printf(&t->err.buf, "\nWarning: Consumer group '%.*s' is rebalancing.\n",
                   STR_ARG(g->id));
    return !str_is(g->state, "Dead") && rows > 0;
}

static struct str or_dash(struct str text)
{
    return text.size > 0 ? text : str_from("-");
}

// ---- Offsets ----

struct offset_widths {
    int group;
    int topic;
    int member;
    int host;
};

static int share_size(const struct group_share *shares, int count)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        n += shares[i].partitions.count;
    return n;
}

static void head_offsets(struct buf *out, const struct offset_widths *w, bool verbose)
{
    buf_append_u8(out, '\n');
    group_tool_cell(out, w->group, str_from("GROUP"));
    group_tool_cell(out, w->topic, str_from("TOPIC"));
    buf_printf(out, "%-10s ", "PARTITION");
    if (verbose)
        buf_printf(out, "%-15s ", "LEADER-EPOCH");
    buf_printf(out, "%-15s %-15s %-15s ", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG");
    group_tool_cell(out, w->member, str_from("CONSUMER-ID"));
    group_tool_cell(out, w->host, str_from("HOST"));
    buf_append_text(out, "CLIENT-ID");
}

static void show_lag(struct buf *out, const struct group_lag_row *row)
{
    // Kafka's tool shows it below 0, too, where the log has been cut behind the group.
    if (row->offset >= 0 && row->end_offset >= 0)
        buf_printf(out, "%-15lld ", (long long)(row->end_offset - row->offset));
    else
        buf_printf(out, "%-15s ", "-");
}

static void show_offset(struct buf *out, const struct group_info *g,
                        const struct group_lag_row *row, const struct offset_widths *w,
                        bool verbose)
{
    struct str dash = str_from("-");
    buf_append_u8(out, '\n');
    group_tool_cell(out, w->group, g->id);
    group_tool_cell(out, w->topic, row->topic);
    group_tool_number(out, 10, row->partition);
    if (verbose)
        group_tool_number(out, 15, row->leader_epoch);
    group_tool_number(out, 15, row->offset);
    group_tool_number(out, 15, row->end_offset);
    show_lag(out, row);
    group_tool_cell(out, w->member, row->owner != NULL ? row->owner->id : dash);
    group_tool_cell(out, w->host, row->owner != NULL ? row->owner->host : dash);
    buf_printf(out, "%.*s", STR_ARG(row->owner != NULL ? row->owner->client_id : dash));
}

static void show_offsets_of(struct buf *out, const struct group_info *g,
                            const struct group_lag *lag, const struct group_member_info *owner,
                            const struct offset_widths *w, bool verbose)
{
    for (int i = 0; i < lag->count; i++)
        if (lag->items[i].owner == owner)
            show_offset(out, g, &lag->items[i], w, verbose);
}

// Members with the most partitions come first, what nobody owns last.
static void show_offsets(struct tool *t, const struct group_info *g, const struct group_lag *lag)
{
    bool verbose = flags_given(&t->flags, GF_VERBOSE);
    struct offset_widths w = {15, 15, 15, 15};
    int most = 0;
    if (!show_state(t, g, lag->count))
        return;
    w.group = group_tool_width(w.group, g->id);
    for (int i = 0; i < lag->count; i++) {
        w.topic = group_tool_width(w.topic, lag->items[i].topic);
        if (lag->items[i].owner == NULL)
            continue;
        w.member = group_tool_width(w.member, lag->items[i].owner->id);
        w.host = group_tool_width(w.host, lag->items[i].owner->host);
    }
    for (int i = 0; i < g->member_count; i++) {
        int size = share_size(g->members[i].shares, g->members[i].share_count);
        most = size > most ? size : most;
    }
    head_offsets(&t->out.buf, &w, verbose);
    for (int size = most; size > 0; size--)
        for (int i = 0; i < g->member_count; i++)
            if (share_size(g->members[i].shares, g->members[i].share_count) == size)
                show_offsets_of(&t->out.buf, g, lag, &g->members[i], &w, verbose);
    show_offsets_of(&t->out.buf, g, lag, NULL, &w, verbose);
    buf_append_u8(&t->out.buf, '\n');
}

// ---- Members ----

static int order_numbers(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static int order_shares(const void *a, const void *b)
{
    return str_compare(((const struct group_share *)a)->topic,
                       ((const struct group_share *)b)->topic);
}

// "orders:0,1;payments:2", sorted; "-" for nothing.
static void assignment_text(struct buf *out, struct group_share *shares, int count)
{
    if (count > 0)
        qsort(shares, (size_t)count, sizeof *shares, order_shares);
    for (int i = 0; i < count; i++) {
        struct wire_int32_array p = shares[i].partitions;
        if (p.count > 0)
            qsort(p.items, (size_t)p.count, sizeof *p.items, order_numbers);
        buf_printf(out, "%s%.*s:", i > 0 ? ";" : "", STR_ARG(shares[i].topic));
        for (int32_t k = 0; k < p.count; k++)
            buf_printf(out, "%s%d", k > 0 ? "," : "", p.items[k]);
    }
    if (out->size == 0)
        buf_append_u8(out, '-');
}

struct member_table {
    int group;
    int member;
    int instance;
    int host;
    int client;
    int assignment;
    int target;
    bool with_instance;
    bool with_upgraded; // members of both protocols are there
    bool verbose;
    struct buf *texts; // two per member: what it owns, what it is to own
};

static void measure_members(struct member_table *w, struct group_info *g)
{
    bool classic = false, consumer = false;
    for (int i = 0; i < g->member_count; i++) {
        struct group_member_info *m = &g->members[i];
        struct buf *text = &w->texts[2 * i];
        buf_init(&text[0], 1 << 28);
        buf_init(&text[1], 1 << 28);
        assignment_text(&text[0], m->shares, m->share_count);
        assignment_text(&text[1], m->target, m->target_count);
        w->group = group_tool_width(w->group, g->id);
        w->member = group_tool_width(w->member, m->id);
        w->instance = group_tool_width(w->instance, m->instance_id);
        w->host = group_tool_width(w->host, m->host);
        w->client = group_tool_width(w->client, m->client_id);
        w->assignment = group_tool_width(w->assignment, buf_str(&text[0]));
        w->target = group_tool_width(w->target, buf_str(&text[1]));
        w->with_instance = w->with_instance || m->instance_id.size > 0;
        classic = classic || m->is_classic;
        consumer = consumer || !m->is_classic;
    }
    w->with_upgraded = g->epoch >= 0 && classic && consumer;
}

static void head_members(struct buf *out, const struct member_table *w)
{
    buf_append_u8(out, '\n');
    group_tool_cell(out, w->group, str_from("GROUP"));
    group_tool_cell(out, w->member, str_from("CONSUMER-ID"));
    if (w->with_instance)
        group_tool_cell(out, w->instance, str_from("GROUP-INSTANCE-ID"));
    group_tool_cell(out, w->host, str_from("HOST"));
    group_tool_cell(out, w->client, str_from("CLIENT-ID"));
    buf_printf(out, "%-15s ", "#PARTITIONS");
    if (w->verbose) {
        buf_printf(out, "%-15s %-*s %-15s %-*s", "CURRENT-EPOCH", w->assignment,
                   "CURRENT-ASSIGNMENT", "TARGET-EPOCH", w->target, "TARGET-ASSIGNMENT");
        if (w->with_upgraded)
            buf_append_text(out, " UPGRADED");
    }
    buf_append_u8(out, '\n');
}

static void show_member(struct buf *out, const struct member_table *w, const struct group_info *g,
                        int i)
{
    const struct group_member_info *m = &g->members[i];
    group_tool_cell(out, w->group, g->id);
    group_tool_cell(out, w->member, m->id);
    if (w->with_instance)
        group_tool_cell(out, w->instance, m->instance_id);
    group_tool_cell(out, w->host, m->host);
    group_tool_cell(out, w->client, m->client_id);
    group_tool_number(out, 15, share_size(m->shares, m->share_count));
    if (w->verbose) {
        group_tool_number(out, 15, m->epoch);
        group_tool_cell(out, w->assignment, buf_str(&w->texts[2 * i]));
        group_tool_number(out, 15, g->target_epoch);
        buf_printf(out, "%-*.*s", w->target, STR_ARG(buf_str(&w->texts[2 * i + 1])));
        if (w->with_upgraded)
            buf_append_text(out, m->is_classic ? " false" : " true");
    }
    buf_append_u8(out, '\n');
}

static int describe_members(struct tool *t, struct group_info *g)
{
    struct member_table w = {15, 15, 17, 15, 15, 20, 20, false, false, false, NULL};
    w.verbose = flags_given(&t->flags, GF_VERBOSE);
    w.texts = mem_alloc_array(2 * (size_t)g->member_count + 1, sizeof *w.texts);
    show_state(t, g, g->member_count);
    measure_members(&w, g);
    head_members(&t->out.buf, &w);
    for (int i = 0; i < g->member_count; i++) {
        show_member(&t->out.buf, &w, g, i);
        buf_release(&w.texts[2 * i]);
        buf_release(&w.texts[2 * i + 1]);
    }
    mem_free(w.texts);
    return EXIT_OK;
}

// ---- State ----

static int describe_state(struct tool *t, const struct group_info *g)
{
    struct buf *out = &t->out.buf, where;
    bool verbose = flags_given(&t->flags, GF_VERBOSE);
    if (!show_state(t, g, 1))
        return EXIT_OK;
    buf_init(&where, 4096);
    group_tool_coordinator(t, g, "  ", &where);
    int group = group_tool_width(15, g->id), at = group_tool_width(25, buf_str(&where));
    buf_printf(out, "\n%-*s %-*s %-20s %-20s ", group, "GROUP", at, "COORDINATOR (ID)",
               "ASSIGNMENT-STRATEGY", "STATE");
    if (verbose)
        buf_printf(out, "%-15s %-25s ", "GROUP-EPOCH", "TARGET-ASSIGNMENT-EPOCH");
    buf_append_text(out, "#MEMBERS\n");
    group_tool_cell(out, group, g->id);
    group_tool_cell(out, at, buf_str(&where));
    group_tool_cell(out, 20, or_dash(g->assignor));
    group_tool_cell(out, 20, g->state);
    if (verbose) {
        group_tool_number(out, 15, g->epoch);
        group_tool_number(out, 25, g->target_epoch);
    }
    buf_printf(out, "%d\n", g->member_count);
    buf_release(&where);
    return EXIT_OK;
}

// ---- All groups ----

static int order_ids(const void *a, const void *b)
{
    return str_compare(((const struct group_info *)a)->id, ((const struct group_info *)b)->id);
}

// Describes all of them before anything is shown: one that cannot be ends the command, as in
// Kafka's tool. EXIT_OK with *count set, or the exit status.
static int find_all(struct tool *t, const struct group_ids *ids, struct group_info *infos,
                    int *count, bool *failed)
{
    for (*count = 0; *count < ids->count; (*count)++) {
        struct group_info *g = &infos[*count];
        struct admin_result r = {0};
        int err = admin_group_describe(t->driver, ids->items[*count], g, &r);
        *failed = err < 0 || r.code != KAFKA_NONE;
        if (!*failed && g->protocol_type.size > 0 && !str_is(g->protocol_type, "consumer")) {
            *failed = true;
            group_tool_error(t,
                                  "Executing consumer group command failed due to "
                                  "java.lang.IllegalArgumentException: GroupId %.*s is not a "
                                  "consumer group (%.*s).",
                                  STR_ARG(g->id), STR_ARG(g->protocol_type));
        } else if (r.code != KAFKA_NONE) {
            group_tool_failed(t, &consumer_groups_tool, r.code, str_from(r.message), true);
        }
        if (*failed) {
            admin_group_release(g);
            return err < 0 ? tool_fail_call(t, err) : EXIT_OK;
        }
    }
    return EXIT_OK;
}

int consumer_groups_describe(struct tool *t, const struct group_ids *ids)
{
    struct group_info *infos = mem_alloc_array((size_t)ids->count + 1, sizeof *infos);
    bool failed = false;
    int count = 0;
    int status = find_all(t, ids, infos, &count, &failed);
    if (count > 0)
        qsort(infos, (size_t)count, sizeof *infos, order_ids);
    for (int i = 0; i < count && !failed && status == EXIT_OK; i++) {
        if (flags_given(&t->flags, GF_MEMBERS))
            status = describe_members(t, &infos[i]);
        else if (flags_given(&t->flags, GF_STATE))
            status = describe_state(t, &infos[i]);
        else
            status = group_tool_show_lag(t, &consumer_groups_tool, &infos[i], show_offsets);
    }
    for (int i = 0; i < count; i++)
        admin_group_release(&infos[i]);
    mem_free(infos);
    return status;
}

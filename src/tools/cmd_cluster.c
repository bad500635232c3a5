// SPDX-License-Identifier: Apache-2.0
//
// `chitin cluster`.
#include <string.h>

#include "tools/commands.h"
#include "tools/common.h"
#include "wire/api/describe_cluster.h"
#include "wire/api_keys.h"

enum { BOOTSTRAP, OUTPUT };

static const struct flag_def cluster_flags[] = {
    [BOOTSTRAP] = COMMON_BOOTSTRAP,
    [OUTPUT] = COMMON_OUTPUT,
};

static const struct column node_columns[] = {
    {"NODE", "node", CELL_NUMBER},       {"HOST", "host", CELL_TEXT},
    {"PORT", "port", CELL_NUMBER},       {"RACK", "rack", CELL_TEXT},
    {"LEADERS", "leaders", CELL_NUMBER}, {"REPLICAS", "replicas", CELL_NUMBER},
};

// How many partitions a node leads and holds.
static void count_partitions(const struct admin_topics *topics, int32_t node, int *leaders,
                             int *replicas)
{
    *leaders = *replicas = 0;
    for (int i = 0; i < topics->count; i++) {
        for (int k = 0; k < topics->items[i].partition_count; k++) {
            const struct admin_partition *p = &topics->items[i].partitions[k];
            *leaders += p->leader == node;
            for (int r = 0; r < p->replicas.count; r++)
                *replicas += p->replicas.items[r] == node;
        }
    }
}

static void fill_nodes(struct rows *rows, const struct describe_cluster_response *r,
                       const struct admin_topics *topics)
{
    rows_init(rows, node_columns, sizeof node_columns / sizeof *node_columns);
    for (int i = 0; i < r->brokers.count; i++) {
        int leaders, replicas;
        count_partitions(topics, r->brokers.items[i].broker_id, &leaders, &replicas);
        rows_i64(rows, r->brokers.items[i].broker_id);
        rows_str(rows, r->brokers.items[i].host);
        rows_i64(rows, r->brokers.items[i].port);
        rows_str(rows, r->brokers.items[i].rack);
        rows_i64(rows, leaders);
        rows_i64(rows, replicas);
    }
}

static void print_cluster(struct tool *t, const struct describe_cluster_response *r,
                          const struct admin_topics *topics)
{
    struct rows rows;
    struct buf *out = &t->out.buf;
    int partitions = 0, leaderless = 0, under_replicated = 0;
    for (int i = 0; i < topics->count; i++) {
        for (int k = 0; k < topics->items[i].partition_count; k++) {
            const struct admin_partition *p = &topics->items[i].partitions[k];
            partitions++;
            leaderless += p->leader < 0;
            under_replicated += p->isr.count < p->replicas.count;
        }
    }
    fill_nodes(&rows, r, topics);
    if (wants_json(t, OUTPUT)) {
        struct json_printer p;
        json_printer_init(&p, out);
        json_object_begin(&p);
        json_member_str(&p, "cluster_id", r->cluster_id);
        json_member_int(&p, "controller", r->controller_id);
        json_member_int(&p, "topics", topics->count);
        json_member_int(&p, "partitions", partitions);
        json_member_int(&p, "leaderless", leaderless);
        json_member_int(&p, "under_replicated", under_replicated);
        json_key(&p, "nodes");
        rows_write_array(&rows, &p);
        json_object_end(&p);
        buf_append_u8(out, '\n');
    } else {
        buf_printf(out, "Cluster %.*s, controller %d, %d topic%s, %d partition%s",
                   STR_ARG(r->cluster_id), r->controller_id, topics->count,
                   topics->count == 1 ? "" : "s", partitions, partitions == 1 ? "" : "s");
        buf_printf(out, ", %d without leader, %d under-replicated\n\n", leaderless, under_replicated);
        rows_write(&rows, out, false);
    }
    rows_release(&rows);
}

static int cluster_run(struct tool *t)
{
    int status = tool_connect(t, flags_text(&t->flags, BOOTSTRAP));
    if (status != EXIT_OK)
        return status;
    struct describe_cluster_request body;
    describe_cluster_request_init(&body);
    struct client_answer answer = {0};
    struct admin_topics topics = {0};
    int err = driver_call(t->driver, API_DESCRIBE_CLUSTER, CLIENT_NODE_ANY, &body, &answer);
    if (err == 0)
        err = admin_topics_list(t->driver, &topics);
    const struct describe_cluster_response *r = answer.response;
    if (err < 0)
        status = tool_fail_call(t, err);
    else if (r->error_code != 0)
        status = tool_fail_code(t, "cluster", r->error_code, r->error_message);
    else
        print_cluster(t, r, &topics);
    admin_topics_release(&topics);
    client_answer_release(&answer);
    return status;
}

const struct command command_cluster_info = {
    .name = "cluster",
    .arguments = "",
    .summary = "Show the cluster's id, nodes and health.",
    .text = "Examples:\n"
            "  chitin cluster\n"
            "  chitin cluster -b broker-1:9092 -o json",
    COMMAND_FLAGS(cluster_flags),
    .run = cluster_run,
};

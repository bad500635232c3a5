// SPDX-License-Identifier: Apache-2.0
//
// `chitin topic describe`.
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "wire/errors.h"

enum { DESCRIBE_BOOTSTRAP, DESCRIBE_OUTPUT, DESCRIBE_CONFIGS };

static const struct flag_def describe_flags[] = {
    [DESCRIBE_BOOTSTRAP] = COMMON_BOOTSTRAP,
    [DESCRIBE_OUTPUT] = COMMON_OUTPUT,
    [DESCRIBE_CONFIGS] = {.names = "-a, --all-configs", .kind = FLAG_BOOL,
                          .help = "Show default configurations too."},
};

static const struct column partition_columns[] = {
    {"PARTITION", "partition", CELL_NUMBER}, {"LEADER", "leader", CELL_NUMBER},
    {"EPOCH", "leader_epoch", CELL_NUMBER},  {"REPLICAS", "replicas", CELL_NUMBERS},
    {"ISR", "isr", CELL_NUMBERS},            {"START", "log_start_offset", CELL_NUMBER},
    {"END", "high_watermark", CELL_NUMBER},
};

static const struct column config_columns[] = {
    {"CONFIG", "name", CELL_TEXT},
    {"VALUE", "value", CELL_TEXT},
    {"SOURCE", "source", CELL_TEXT},
};

static void offset_cell(struct rows *rows, const struct offset_query *q)
{
    if (q->code == 0 && q->err == 0)
        rows_i64(rows, q->offset);
    else
        rows_text(rows, NULL);
}

// A row per partition; queries are the starts of all, then the ends of all.
static void fill_partitions(struct rows *rows, const struct admin_topic *topic,
                            const struct offset_query *queries)
{
    rows_init(rows, partition_columns, sizeof partition_columns / sizeof *partition_columns);
    for (int i = 0; i < topic->partition_count; i++) {
        const struct admin_partition *p = &topic->partitions[i];
        rows_i64(rows, p->index);
        if (p->leader >= 0)
            rows_i64(rows, p->leader);
        else
            rows_text(rows, NULL);
        rows_i64(rows, p->leader_epoch);
        rows_list(rows, p->replicas.items, (size_t)p->replicas.count);
        rows_list(rows, p->isr.items, (size_t)p->isr.count);
        offset_cell(rows, &queries[i]);
        offset_cell(rows, &queries[topic->partition_count + i]);
    }
}

static void fill_configs(struct rows *rows, const struct admin_topic *topic, bool all)
{
    rows_init(rows, config_columns, sizeof config_columns / sizeof *config_columns);
    for (int i = 0; topic->configs != NULL && i < topic->configs->configs.count; i++) {
        const struct describe_configs_response_describe_configs_resource_result *c =
            &topic->configs->configs.items[i];
        if (c->config_source == SOURCE_DEFAULT && !all)
            continue;
        rows_str(rows, c->name);
        rows_str(rows, c->value);
        rows_text(rows, config_source_name(c->config_source));
    }
}

static void write_table(struct buf *out, const struct admin_topic *topic,
                        const struct rows *partitions, const struct rows *configs)
{
    int replicas = topic->partition_count > 0 ? topic->partitions[0].replicas.count : 0;
    buf_printf(out, "Topic %.*s, id %s, %d partition%s, %d replica%s%s\n\n", STR_ARG(topic->name),
               uuid_format(topic->id).text, topic->partition_count,
               topic->partition_count == 1 ? "" : "s", replicas, replicas == 1 ? "" : "s",
               topic->internal ? ", internal" : "");
    rows_write(partitions, out, false);
    if (configs->cell_count > 0) {
        buf_append_u8(out, '\n');
        rows_write(configs, out, false);
    }
}

static void write_json(struct buf *out, const struct admin_topic *topic,
                       const struct rows *partitions, const struct rows *configs)
{
    struct json_printer p;
    json_printer_init(&p, out);
    json_object_begin(&p);
    json_member_str(&p, "name", topic->name);
    json_member_str(&p, "id", str_from(uuid_format(topic->id).text));
    json_member_bool(&p, "internal", topic->internal);
    json_key(&p, "partitions");
    rows_write_array(partitions, &p);
    json_key(&p, "configs");
    rows_write_array(configs, &p);
    json_object_end(&p);
    buf_append_u8(out, '\n');
}

static void describe_one(struct tool *t, const struct admin_topic *topic)
{
    int count = topic->partition_count;
    struct offset_query *queries = mem_alloc_array((size_t)count * 2 + 1, sizeof *queries);
    for (int i = 0; i < 2 * count; i++)
        queries[i] = (struct offset_query){
            .topic = topic->name,
            .partition = topic->partitions[i % count].index,
            .timestamp = i < count ? LIST_EARLIEST : LIST_LATEST,
        };
    driver_list_offsets(t->driver, queries, count, false);
    driver_list_offsets(t->driver, queries + count, count, false);
    struct rows partitions, configs;
    fill_partitions(&partitions, topic, queries);
    fill_configs(&configs, topic, flags_given(&t->flags, DESCRIBE_CONFIGS));
    if (wants_json(t, DESCRIBE_OUTPUT))
        write_json(&t->out.buf, topic, &partitions, &configs);
    else
        write_table(&t->out.buf, topic, &partitions, &configs);
    rows_release(&partitions);
    rows_release(&configs);
    mem_free(queries);
}

static int describe_named(struct tool *t, struct str name, bool first)
{
    struct admin_topics topics;
    int err = admin_topics_describe(t->driver, &name, 1, true, 0, &topics);
    if (err < 0)
        return tool_fail_call(t, err);
    const struct admin_topic *topic = admin_topics_find(&topics, name);
    int status = EXIT_OK;
    if (topic == NULL || topic->error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION) {
        status = tool_no_such_topic(t, name);
    } else if (topic->error != 0) {
        char what[300];
        snprintf(what, sizeof what, "topic \"%.*s\"", STR_ARG(name));
        status = tool_fail_code(t, what, topic->error, (struct str){0});
    } else {
        if (!first && !wants_json(t, DESCRIBE_OUTPUT))
            buf_append_u8(&t->out.buf, '\n');
        describe_one(t, topic);
    }
    admin_topics_release(&topics);
    return status;
}

static int describe_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    int status = tool_connect(t, flags_text(f, DESCRIBE_BOOTSTRAP));
    if (status != EXIT_OK)
        return status;
    for (int i = 0; i < f->arg_count && status != EXIT_UNREACHABLE; i++) {
        int now = describe_named(t, str_from(f->args[i]), i == 0);
        status = status != EXIT_OK ? status : now;
    }
    return status;
}

const struct command command_topic_describe = {
    .name = "topic describe",
    .arguments = "TOPIC...",
    .summary = "Show partitions, leaders, offsets and configurations.",
    .text = "Examples:\n"
            "  chitin topic describe orders\n"
            "  chitin topic describe orders -a -o json",
    COMMAND_FLAGS(describe_flags),
    .arg_min = 1,
    .arg_max = -1,
    .run = describe_run,
};

// SPDX-License-Identifier: Apache-2.0
//
// kafka-log-dirs: Kafka's LogDirsCommand. Its output is FROZEN.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tools/commands.h"
#include "tools/kafka.h"
#include "wire/api/describe_log_dirs.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

enum { BOOTSTRAP, COMMAND_CONFIG, VERSION, DESCRIBE, TOPIC_LIST, BROKER_LIST };

static const struct flag_def log_dirs_flags[] = {
    [BOOTSTRAP] = KAFKA_BOOTSTRAP,
    [COMMAND_CONFIG] = KAFKA_COMMAND_CONFIG,
    [VERSION] = KAFKA_VERSION_FLAG,
    [DESCRIBE] = {.names = "--describe", .kind = FLAG_BOOL,
                  .help = "Print the log directories, and the size of each partition in them."},
    [TOPIC_LIST] = {.names = "--topic-list", .argument = "TOPIC,...", .kind = FLAG_TEXT,
                    .help = "Only these topics. [default: all]"},
    [BROKER_LIST] = {.names = "--broker-list", .argument = "0,1,...", .kind = FLAG_TEXT,
                     .help = "Only these brokers. [default: all]"},
};

static bool is_listed(const char *list, struct str topic)
{
    struct str rest = str_from(list);
    while (rest.data != NULL)
        if (str_equal(str_trim(str_cut(&rest, ',')), topic))
            return true;
    return list == NULL || list[0] == '\0';
}

static void print_partition(struct json_printer *p, struct str topic,
                            const struct describe_log_dirs_response_describe_log_dirs_partition *from)
{
    struct buf name;
    buf_init(&name, 1024);
    buf_printf(&name, "%.*s-%d", STR_ARG(topic), from->partition_index);
    json_object_begin(p);
    json_member_str(p, "partition", buf_str(&name));
    json_member_int(p, "size", from->partition_size);
    json_member_int(p, "offsetLag", from->offset_lag);
    json_member_bool(p, "isFuture", from->is_future_key);
    json_object_end(p);
    buf_release(&name);
}

static int compare_topics(const void *a, const void *b)
{
    const struct describe_log_dirs_response_describe_log_dirs_topic *x = a, *y = b;
    return str_compare(x->name, y->name);
}

static void print_dir(struct tool *t, struct json_printer *p,
                      const struct describe_log_dirs_response_describe_log_dirs_result *dir)
{
    const char *list = flags_text(&t->flags, TOPIC_LIST);
    if (dir->topics.count > 0)
        qsort(dir->topics.items, (size_t)dir->topics.count, sizeof *dir->topics.items,
              compare_topics);
    json_object_begin(p);
    json_key(p, "partitions");
    json_array_begin(p);
    for (int i = 0; i < dir->topics.count; i++)
        for (int k = 0; k < dir->topics.items[i].partitions.count; k++)
            if (is_listed(list, dir->topics.items[i].name))
                print_partition(p, dir->topics.items[i].name,
                                &dir->topics.items[i].partitions.items[k]);
    json_array_end(p);
    json_key(p, "error");
    if (dir->error_code == 0) {
        json_print_null(p);
    } else {
        char text[256];
        snprintf(text, sizeof text, "org.apache.kafka.common.errors.%s: %s",
                 java_exception(dir->error_code), java_message(dir->error_code));
        json_print_text(p, text);
    }
    json_member_str(p, "logDir", dir->log_dir);
    json_object_end(p);
}

// Asks one broker and adds its object.
static int print_broker(struct tool *t, struct json_printer *p, int32_t id)
{
    struct describe_log_dirs_request body;
    describe_log_dirs_request_init(&body);
    body.topics.count = -1;
    struct client_answer answer = {0};
    int err = driver_call(t->driver, API_DESCRIBE_LOG_DIRS, id, &body, &answer);
    if (err < 0)
        return tool_fail_call(t, err);
    const struct describe_log_dirs_response *r = answer.response;
    int status = EXIT_OK;
    if (r->error_code != 0)
        status = tool_fail_code(t, "log directories", r->error_code, (struct str){0});
    json_object_begin(p);
    json_member_int(p, "broker", id);
    json_key(p, "logDirs");
    json_array_begin(p);
    for (int i = 0; i < r->results.count; i++)
        print_dir(t, p, &r->results.items[i]);
    json_array_end(p);
    json_object_end(p);
    client_answer_release(&answer);
    return status;
}

static int compare_ids(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static void print_ids(struct buf *out, const struct wire_int32_array *ids)
{
    for (int i = 0; i < ids->count; i++)
        buf_printf(out, i > 0 ? ",%d" : "%d", ids->items[i]);
}

// The brokers to ask; an exit status. Free ids->items with mem_free().
static int choose_brokers(struct tool *t, struct wire_int32_array *ids)
{
    const char *list = flags_text(&t->flags, BROKER_LIST);
    *ids = (struct wire_int32_array){0};
    int err = driver_wait_topology(t->driver);
    if (err < 0)
        return tool_fail_call(t, err);
    const struct topology *topology = client_topology(driver_client(t->driver));
    struct wire_int32_array known = {0}, missing = {0};
    known.items = mem_alloc_array((size_t)topology->node_count + 1, sizeof *known.items);
    for (int i = 0; i < topology->node_count; i++)
        known.items[known.count++] = topology->nodes[i].id;
    qsort(known.items, (size_t)known.count, sizeof *known.items, compare_ids);
    if (list == NULL || list[0] == '\0') {
        *ids = known;
        return EXIT_OK;
    }
    int status = EXIT_OK;
    if (ids_parse(str_from(list), ',', ids) < 0) {
        status = tool_usage(t, "--broker-list needs numbers joined by ',', not \"%s\"", list);
    } else {
        missing.items = mem_alloc_array((size_t)ids->count + 1, sizeof *missing.items);
        for (int i = 0; i < ids->count; i++)
            if (topology_node(topology, ids->items[i]) == NULL)
                missing.items[missing.count++] = ids->items[i];
    }
    if (missing.count > 0) {
        buf_append_text(&t->err.buf, "ERROR: The given brokers do not exist from --broker-list: ");
        print_ids(&t->err.buf, &missing);
        buf_append_text(&t->err.buf, ". Current existent brokers: ");
        print_ids(&t->err.buf, &known);
        buf_append_u8(&t->err.buf, '\n');
        status = EXIT_FAILED;
    }
    mem_free(missing.items);
    mem_free(known.items);
    return status;
}

static int log_dirs_run(struct tool *t)
{
    if (kafka_version(t, VERSION))
        return EXIT_OK;
    if (!flags_given(&t->flags, DESCRIBE))
        return tool_usage(t, "Missing required argument \"[describe]\"");
    int status = kafka_connect_flags(t, BOOTSTRAP, COMMAND_CONFIG, -1);
    struct wire_int32_array ids = {0};
    if (status == EXIT_OK)
        status = choose_brokers(t, &ids);
    if (status == EXIT_OK) {
        struct buf *out = &t->out.buf;
        struct json_printer p;
        buf_append_text(out, "Querying brokers for log directories information\n"
                             "Received log directory information from brokers ");
        print_ids(out, &ids);
        buf_append_u8(out, '\n');
        json_printer_init(&p, out);
        json_object_begin(&p);
        json_key(&p, "brokers");
        json_array_begin(&p);
        for (int i = 0; i < ids.count && status == EXIT_OK; i++)
            status = print_broker(t, &p, ids.items[i]);
        json_array_end(&p);
        json_member_int(&p, "version", 1);
        json_object_end(&p);
        buf_append_u8(out, '\n');
    }
    mem_free(ids.items);
    return status;
}

const struct command alias_log_dirs = {
    .name = "kafka-log-dirs",
    .arguments = "",
    .summary = "Print how much space each partition takes in which directory.",
    COMMAND_FLAGS(log_dirs_flags),
    .mode = FLAGS_ABBREVIATED,
    .run = log_dirs_run,
};

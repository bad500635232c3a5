// SPDX-License-Identifier: Apache-2.0
//
// kafka-delete-records: Kafka's DeleteRecordsCommand. Its output is FROZEN.
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "tools/commands.h"
#include "tools/kafka.h"
#include "wire/api/delete_records.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

enum { BOOTSTRAP, COMMAND_CONFIG, VERSION, FILE_FLAG };

enum { FILE_BYTES_MAX = 16 << 20, TIMEOUT_MS = 30000 };

static const struct flag_def delete_flags[] = {
    [BOOTSTRAP] = KAFKA_BOOTSTRAP,
    [COMMAND_CONFIG] = KAFKA_COMMAND_CONFIG,
    [VERSION] = KAFKA_VERSION_FLAG,
    [FILE_FLAG] = {.names = "--offset-json-file", .argument = "FILE", .kind = FLAG_TEXT,
                   .help = "{\"partitions\": [{\"topic\": \"foo\", \"partition\": 1, \"offset\": 10}],\n"
                           "\"version\": 1}; everything below the offset goes, -1 is the end."},
};

static const char *text_member(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void print_error(struct tool *t, struct str topic, int32_t partition, int16_t code)
{
    buf_printf(&t->out.buf, "partition: %.*s-%d\terror: org.apache.kafka.common.errors.%s: %s\n",
               STR_ARG(topic), partition, java_exception(code), java_message(code));
}

static int16_t known_error(const struct topology *topology, struct str topic, int32_t partition)
{
    const struct topology_topic *found = topology_topic(topology, topic);
    if (found == NULL || (found->error == 0 && partition >= found->partition_count) || partition < 0)
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (found->error != 0)
        return found->error;
    return found->partitions[partition].leader < 0 ? KAFKA_LEADER_NOT_AVAILABLE : 0;
}

// Deletes in one partition, at its leader.
static int delete_one(struct tool *t, struct str topic, int32_t partition, int64_t offset)
{
    int err = driver_wait_topic(t->driver, topic, false);
    if (err < 0)
        return err;
    const struct topology *topology = client_topology(driver_client(t->driver));
    int16_t code = known_error(topology, topic, partition);
    if (code != 0) {
        print_error(t, topic, partition, code);
        return 0;
    }
    struct delete_records_request_delete_records_partition item;
    delete_records_request_delete_records_partition_init(&item);
    item.partition_index = partition;
    item.offset = offset;
    struct delete_records_request_delete_records_topic entry;
    delete_records_request_delete_records_topic_init(&entry);
    entry.name = topic;
    entry.partitions.items = &item;
    entry.partitions.count = 1;
    struct delete_records_request body;
    delete_records_request_init(&body);
    body.topics.items = &entry;
    body.topics.count = 1;
    body.timeout_ms = TIMEOUT_MS;
    struct client_answer answer = {0};
    err = driver_call(t->driver, API_DELETE_RECORDS, topology_leader(topology, topic, partition),
                      &body, &answer);
    if (err < 0)
        return err;
    const struct delete_records_response *r = answer.response;
    if (r->topics.count == 1 && r->topics.items[0].partitions.count == 1) {
        code = r->topics.items[0].partitions.items[0].error_code;
        if (code != 0)
            print_error(t, topic, partition, code);
        else
            buf_printf(&t->out.buf, "partition: %.*s-%d\tlow_watermark: %lld\n", STR_ARG(topic),
                       partition, (long long)r->topics.items[0].partitions.items[0].low_watermark);
    } else {
        err = ERR_CORRUPT;
    }
    client_answer_release(&answer);
    return err;
}

// Whether every entry of the file has what it needs.
static bool is_valid(const json_t *list)
{
    size_t i;
    const json_t *item;
    if (!json_is_array(list))
        return false;
    json_array_foreach(list, i, item)
        if (text_member(item, "topic") == NULL ||
            !json_is_integer(json_object_get(item, "partition")) ||
            !json_is_integer(json_object_get(item, "offset")))
            return false;
    return true;
}

static int find_duplicate(struct tool *t, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        for (size_t k = 0; k < i; k++) {
            const json_t *a = json_array_get(list, i), *b = json_array_get(list, k);
            json_int_t partition = json_integer_value(json_object_get(a, "partition"));
            if (strcmp(text_member(a, "topic"), text_member(b, "topic")) == 0 &&
                partition == json_integer_value(json_object_get(b, "partition")))
                return tool_fail(t, EXIT_FAILED,
                                 "Offset json file contains duplicate topic partitions: %s-%lld",
                                 text_member(a, "topic"), (long long)partition);
        }
    }
    return EXIT_OK;
}

static int delete_all(struct tool *t, const json_t *root)
{
    const json_t *list = json_object_get(root, "partitions");
    const json_t *version = json_object_get(root, "version");
    if (version != NULL && json_integer_value(version) != 1)
        return tool_fail(t, EXIT_FAILED, "Not supported version field value %lld",
                         (long long)json_integer_value(version));
    if (!is_valid(list))
        return tool_fail(t, EXIT_FAILED, "Missing or invalid partitions field: each entry needs "
                                         "topic, partition and offset");
    int status = find_duplicate(t, list);
    if (status == EXIT_OK)
        status = kafka_connect_flags(t, BOOTSTRAP, COMMAND_CONFIG, -1);
    if (status != EXIT_OK)
        return status;
    buf_append_text(&t->out.buf, "Executing records delete operation\n"
                                 "Records delete operation completed:\n");
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item) {
        int err = delete_one(t, str_from(text_member(item, "topic")),
                             (int32_t)json_integer_value(json_object_get(item, "partition")),
                             json_integer_value(json_object_get(item, "offset")));
        if (err < 0)
            return tool_fail_call(t, err);
    }
    return EXIT_OK;
}

static int delete_run(struct tool *t)
{
    if (kafka_version(t, VERSION))
        return EXIT_OK;
    if (!flags_given(&t->flags, FILE_FLAG))
        return tool_usage(t, "Missing required argument \"[offset-json-file]\"");
    const char *path = flags_text(&t->flags, FILE_FLAG);
    struct buf text;
    struct diag diag;
    json_t *root = NULL;
    int status = EXIT_OK;
    int err = read_whole_file(t, path, FILE_BYTES_MAX, &text);
    if (err < 0)
        status = tool_fail(t, EXIT_FAILED, "%s: %s", path, err_text(err));
    else if (json_read(buf_str(&text), &root, &diag) < 0)
        status = tool_fail(t, EXIT_FAILED, "The input string is not a valid JSON\n  %s: %s", path,
                           diag.text);
    else
        status = delete_all(t, root);
    json_decref(root);
    buf_release(&text);
    return status;
}

const struct command alias_delete_records = {
    .name = "kafka-delete-records",
    .arguments = "",
    .summary = "Delete records of partitions up to an offset.",
    COMMAND_FLAGS(delete_flags),
    .mode = FLAGS_ABBREVIATED,
    .run = delete_run,
};

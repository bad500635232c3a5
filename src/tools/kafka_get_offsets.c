// SPDX-License-Identifier: Apache-2.0
//
// kafka-get-offsets: Kafka's GetOffsetShell. Its lines, topic:partition:offset, are FROZEN.
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "tools/commands.h"
#include "tools/kafka.h"
#include "wire/errors.h"

enum {
    BOOTSTRAP,
    BROKER_LIST,
    COMMAND_CONFIG,
    VERSION,
    TOPIC,
    PARTITIONS,
    TOPIC_PARTITIONS,
    TIME,
    EXCLUDE_INTERNAL,
};

static const struct flag_def offsets_flags[] = {
    [BOOTSTRAP] = KAFKA_BOOTSTRAP,
    [BROKER_LIST] = {.names = "--broker-list", .argument = "HOST:PORT[,...]", .kind = FLAG_TEXT,
                     .help = "Old name of --bootstrap-server."},
    [COMMAND_CONFIG] = KAFKA_COMMAND_CONFIG,
    [VERSION] = KAFKA_VERSION_FLAG,
    [TOPIC] = {.names = "--topic", .argument = "TOPIC", .kind = FLAG_TEXT,
               .help = "Topics whose name fits this regular expression. [default: all]"},
    [PARTITIONS] = {.names = "--partitions", .argument = "0,1,...", .kind = FLAG_TEXT,
                    .help = "Only these partitions."},
    [TOPIC_PARTITIONS] = {.names = "--topic-partitions", .argument = "t1:1,t2:0-3,t3,t4:5-,t5:-3",
                          .kind = FLAG_TEXT,
                          .help = "Topics (regular expressions) with a partition or a range; the "
                                  "upper end is not included."},
    [TIME] = {.names = "--time", .argument = "TIME", .kind = FLAG_TEXT, .fallback = "latest",
              .help = "The first offset at or after this time in ms; or -1 latest, -2 earliest,\n"
                      "-3 max-timestamp, -4 earliest-local, -5 latest-tiered,\n"
                      "-6 earliest-pending-upload."},
    [EXCLUDE_INTERNAL] = {.names = "--exclude-internal-topics", .kind = FLAG_BOOL,
                          .help = "Leave internal topics out."},
};

// One of the patterns that choose partitions.
struct choice {
    struct pattern *topic; // NULL = every topic
    int32_t from;
    int32_t to; // exclusive
};

struct choices {
    struct choice *items;
    int count;
};

__attribute__((format(printf, 2, 3))) static int failed(struct tool *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_append_text(&t->err.buf, "Error occurred: ");
    buf_vprintf(&t->err.buf, format, args);
    buf_append_u8(&t->err.buf, '\n');
    va_end(args);
    return EXIT_FAILED;
}

static int parse_time(struct tool *t, int64_t *out)
{
    static const struct {
        const char *name;
        int64_t time;
    } names[] = {
        {"latest", LIST_LATEST},
        {"earliest", LIST_EARLIEST},
        {"max-timestamp", LIST_MAX_TIMESTAMP},
        {"earliest-local", LIST_EARLIEST_LOCAL},
        {"latest-tiered", LIST_LATEST_TIERED},
        {"earliest-pending-upload", LIST_EARLIEST_PENDING_UPLOAD},
    };
    const char *text = flags_text(&t->flags, TIME);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i].name) == 0) {
            *out = names[i].time;
            return EXIT_OK;
        }
    }
    if (str_parse_i64(str_from(text), out))
        return EXIT_OK;
    return failed(t,
                  "Malformed time argument %s. Please use -1 or latest / -2 or earliest / -3 or "
                  "max-timestamp / -4 or earliest-local / -5 or latest-tiered / -6 or "
                  "earliest-pending-upload, or a specified long format timestamp",
                  text);
}

static struct choice *choice_add(struct choices *c)
{
    c->items = mem_resize(c->items, (size_t)(c->count + 1) * sizeof *c->items);
    c->items[c->count] = (struct choice){.to = INT32_MAX};
    return &c->items[c->count++];
}

static void choices_release(struct choices *c)
{
    for (int i = 0; i < c->count; i++)
        pattern_free(c->items[i].topic);
    mem_free(c->items);
}

static bool parse_range(struct str text, struct choice *out)
{
    struct str high = text, low = str_cut(&high, '-');
    if (text.size == 0)
        return true;
    if (low.size > 0 && !str_parse_i32(low, &out->from))
        return false;
    if (high.data == NULL) {
        out->to = out->from + 1;
        return true;
    }
    return high.size == 0 || str_parse_i32(high, &out->to);
}

static int parse_topic_partitions(struct tool *t, struct choices *out)
{
    struct str rest = str_from(flags_text(&t->flags, TOPIC_PARTITIONS));
    while (rest.data != NULL) {
        struct str item = str_cut(&rest, ','), range = item, topic = str_cut(&range, ':');
        struct choice *c = choice_add(out);
        if (range.data != NULL && !parse_range(range, c))
            return failed(t, "Invalid partition rule: %.*s", STR_ARG(item));
        if (topic.size == 0)
            continue;
        struct diag diag;
        char *copy = mem_copy_str(topic);
        c->topic = pattern_new(copy, &diag);
        mem_free(copy);
        if (c->topic == NULL)
            return failed(t, "%s", diag.text);
    }
    return EXIT_OK;
}

static int parse_topic_and_partitions(struct tool *t, struct choices *out)
{
    const struct flags *f = &t->flags;
    struct wire_int32_array ids = {0};
    if (flags_given(f, PARTITIONS) &&
        ids_parse(str_from(flags_text(f, PARTITIONS)), ',', &ids) < 0)
        return failed(t,
                      "--partitions expects a comma separated list of numeric partition ids, but "
                      "received: %s",
                      flags_text(f, PARTITIONS));
    int status = EXIT_OK;
    for (int i = 0; i < (ids.count > 0 ? ids.count : 1) && status == EXIT_OK; i++) {
        struct choice *c = choice_add(out);
        struct diag diag;
        if (ids.count > 0) {
            c->from = ids.items[i];
            c->to = c->from + 1;
        }
        if (!flags_given(f, TOPIC))
            continue;
        c->topic = pattern_new(flags_text(f, TOPIC), &diag);
        if (c->topic == NULL)
            status = failed(t, "%s", diag.text);
    }
    mem_free(ids.items);
    return status;
}

static bool is_chosen(const struct choices *c, struct str topic, int32_t partition)
{
    for (int i = 0; i < c->count; i++)
        if (partition >= c->items[i].from && partition < c->items[i].to &&
            (c->items[i].topic == NULL || pattern_matches(c->items[i].topic, topic)))
            return true;
    return false;
}

static void print_offsets(struct tool *t, const struct offset_query *queries, int count)
{
    for (int i = 0; i < count; i++) {
        const struct offset_query *q = &queries[i];
        if (q->code != 0 || q->err != 0)
            buf_printf(&t->err.buf,
                       "Skip getting offsets for topic-partition %.*s:%d due to error: %s\n",
                       STR_ARG(q->topic), q->partition,
                       q->code != 0 ? java_message(q->code) : err_text(q->err));
        else if (q->offset >= 0)
            buf_printf(&t->out.buf, "%.*s:%d:%lld\n", STR_ARG(q->topic), q->partition,
                       (long long)q->offset);
    }
}

static int list_chosen(struct tool *t, const struct choices *choices, int64_t time)
{
    struct admin_topics all;
    int err = admin_topics_list(t->driver, &all);
    if (err < 0)
        return tool_fail_call(t, err);
    struct offset_query *queries = NULL;
    int count = 0, capacity = 0;
    for (int i = 0; i < all.count; i++) {
        if (all.items[i].internal && flags_given(&t->flags, EXCLUDE_INTERNAL))
            continue;
        for (int k = 0; k < all.items[i].partition_count; k++) {
            int32_t partition = all.items[i].partitions[k].index;
            if (!is_chosen(choices, all.items[i].name, partition))
                continue;
            mem_grow(queries, count, capacity);
            queries[count++] = (struct offset_query){
                .topic = all.items[i].name, .partition = partition, .timestamp = time};
        }
    }
    int status = EXIT_OK;
    if (count == 0) {
        status = failed(t, "Could not match any topic-partitions with the specified filters");
    } else {
        driver_list_offsets(t->driver, queries, count, false);
        print_offsets(t, queries, count);
    }
    mem_free(queries);
    admin_topics_release(&all);
    return status;
}

static int offsets_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    if (kafka_version(t, VERSION))
        return EXIT_OK;
    if (flags_given(f, TOPIC_PARTITIONS) && (flags_given(f, TOPIC) || flags_given(f, PARTITIONS)))
        return failed(t, "--topic-partitions cannot be used with --topic or --partitions");
    struct choices choices = {0};
    int64_t time;
    int status = parse_time(t, &time);
    if (status == EXIT_OK)
        status = flags_given(f, TOPIC_PARTITIONS) ? parse_topic_partitions(t, &choices)
                                                  : parse_topic_and_partitions(t, &choices);
    if (status == EXIT_OK)
        status = kafka_connect_flags(t, flags_given(f, BROKER_LIST) ? BROKER_LIST : BOOTSTRAP,
                                     COMMAND_CONFIG, -1);
    if (status == EXIT_OK)
        status = list_chosen(t, &choices, time);
    choices_release(&choices);
    return status;
}

const struct command alias_get_offsets = {
    .name = "kafka-get-offsets",
    .arguments = "",
    .summary = "Print the offsets of partitions.",
    .text = "Examples:\n"
            "  kafka-get-offsets --bootstrap-server localhost:9092 --topic test\n"
            "  kafka-get-offsets --bootstrap-server localhost:9092 --topic test --time earliest",
    COMMAND_FLAGS(offsets_flags),
    .mode = FLAGS_ABBREVIATED,
    .run = offsets_run,
};

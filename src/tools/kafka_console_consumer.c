// SPDX-License-Identifier: Apache-2.0
//
// kafka-console-consumer: Kafka's ConsoleConsumer with its DefaultMessageFormatter. What it prints is
// FROZEN. It is a member of a group, unless --partition is given.
#include <stdio.h>
#include <string.h>

#include "base/be.h"
#include "base/err.h"
#include "base/mem.h"
#include "tools/commands.h"
#include "tools/consumer.h"
#include "tools/kafka.h"
#include "tools/kafka_console_group.h"

enum {
    BOOTSTRAP,
    ZOOKEEPER,
    VERSION,
    TOPIC,
    INCLUDE,
    WHITELIST,
    PARTITION,
    OFFSET,
    FROM_BEGINNING,
    MAX_MESSAGES,
    TIMEOUT_MS,
    GROUP,
    ISOLATION_LEVEL,
    COMMAND_PROPERTY,
    CONSUMER_PROPERTY,
    COMMAND_CONFIG,
    CONSUMER_CONFIG,
    FORMATTER,
    FORMATTER_PROPERTY,
    PROPERTY,
    FORMATTER_CONFIG,
    KEY_DESERIALIZER,
    VALUE_DESERIALIZER,
    SKIP_MESSAGE_ON_ERROR,
    SYSTEST_EVENTS,
};

static const struct flag_def consumer_flags[] = {
    [BOOTSTRAP] = KAFKA_BOOTSTRAP,
    [ZOOKEEPER] = KAFKA_ZOOKEEPER,
    [VERSION] = KAFKA_VERSION_FLAG,
    [TOPIC] = {.names = "--topic", .argument = "TOPIC", .kind = FLAG_TEXT,
               .help = "The topic to read."},
    [INCLUDE] = {.names = "--include", .argument = "REGEX", .kind = FLAG_TEXT,
                 .help = "Read all topics whose name fits this regular expression."},
    [WHITELIST] = {.names = "--whitelist", .argument = "REGEX", .kind = FLAG_TEXT, .help = NULL},
    [PARTITION] = {.names = "--partition", .argument = "N", .kind = FLAG_I32, .min = 0,
                   .max = INT32_MAX,
                   .help = "Read only this partition; from its end unless --offset says otherwise."},
    [OFFSET] = {.names = "--offset", .argument = "OFFSET", .kind = FLAG_TEXT,
                .help = "Where to start: a number, earliest or latest. Needs --partition."},
    [FROM_BEGINNING] = {.names = "--from-beginning", .kind = FLAG_BOOL,
                        .help = "Start with the earliest record instead of the latest."},
    [MAX_MESSAGES] = {.names = "--max-messages", .argument = "N", .kind = FLAG_I32,
                      .help = "Stop after this many records."},
    [TIMEOUT_MS] = {.names = "--timeout-ms", .argument = "MS", .kind = FLAG_I64, .min = 0,
                    .max = INT64_MAX / 2,
                    .help = "Stop when nothing arrives for this long."},
    [GROUP] = {.names = "--group", .argument = "GROUP", .kind = FLAG_TEXT,
               .help = "The group to be a member of; without one a new group that commits nothing."},
    [ISOLATION_LEVEL] = {.names = "--isolation-level", .argument = "LEVEL", .kind = FLAG_TEXT,
                         .values = "read_committed|read_uncommitted",
                         .fallback = "read_uncommitted",
                         .help = "read_committed hides aborted and open transactions."},
    [COMMAND_PROPERTY] = {.names = "--command-property", .argument = "KEY=VALUE",
                          .kind = FLAG_LIST, .help = "A client setting; repeatable."},
    [CONSUMER_PROPERTY] = {.names = "--consumer-property", .argument = "KEY=VALUE",
                           .kind = FLAG_LIST, .help = "Old name of --command-property."},
    [COMMAND_CONFIG] = KAFKA_COMMAND_CONFIG,
    [CONSUMER_CONFIG] = {.names = "--consumer.config", .argument = "FILE", .kind = FLAG_TEXT,
                         .help = "Old name of --command-config."},
    [FORMATTER] = {.names = "--formatter", .argument = "CLASS", .kind = FLAG_TEXT,
                   .fallback = "DefaultMessageFormatter",
                   .help = "DefaultMessageFormatter, LoggingMessageFormatter or "
                           "NoOpMessageFormatter, with or without package."},
    [FORMATTER_PROPERTY] =
        {.names = "--formatter-property", .argument = "KEY=VALUE", .kind = FLAG_LIST,
         .help = "print.timestamp, print.key, print.value, print.offset, print.partition,\n"
                 "print.headers, print.epoch, print.delivery (true or false); key.separator,\n"
                 "line.separator, headers.separator, null.literal; key.deserializer,\n"
                 "value.deserializer, header.deserializer."},
    [PROPERTY] = {.names = "--property", .argument = "KEY=VALUE", .kind = FLAG_LIST,
                  .help = "Old name of --formatter-property."},
    [FORMATTER_CONFIG] = {.names = "--formatter-config", .argument = "FILE", .kind = FLAG_TEXT,
                          .help = "Properties file of formatter settings."},
    [KEY_DESERIALIZER] = {.names = "--key-deserializer", .argument = "CLASS", .kind = FLAG_TEXT,
                          .help = "String, Long, Integer or Short deserializer of keys."},
    [VALUE_DESERIALIZER] = {.names = "--value-deserializer", .argument = "CLASS",
                            .kind = FLAG_TEXT, .help = "The same for values."},
    [SKIP_MESSAGE_ON_ERROR] = {.names = "--skip-message-on-error", .kind = FLAG_BOOL,
                               .help = "Go on behind a record that cannot be printed."},
    [SYSTEST_EVENTS] = {.names = "--enable-systest-events", .kind = FLAG_BOOL, .help = NULL},
};

enum deserializer { AS_STRING, AS_LONG, AS_INTEGER, AS_SHORT };

struct formatter {
    bool none; // NoOpMessageFormatter
    bool timestamp, key, value, offset, partition, headers, epoch, delivery;
    const char *key_separator;
    const char *line_separator;
    const char *headers_separator;
    const char *null_literal;
    enum deserializer key_as, value_as, header_as;
};

// --- Printing ---

static void print_as(const struct formatter *f, enum deserializer as, struct bytes b,
                     struct buf *out)
{
    if (b.data == NULL)
        buf_append_text(out, f->null_literal);
    else if (as == AS_LONG && b.size == 8)
        buf_printf(out, "%lld", (long long)be64_load(b.data));
    else if (as == AS_INTEGER && b.size == 4)
        buf_printf(out, "%d", (int32_t)be32_load(b.data));
    else if (as == AS_SHORT && b.size == 2)
        buf_printf(out, "%d", (int16_t)be16_load(b.data));
    else
        buf_append(out, b.data, b.size);
}

static void separate(const struct formatter *f, bool *first, struct buf *out)
{
    if (!*first)
        buf_append_text(out, f->key_separator);
    *first = false;
}

static void print_headers(const struct formatter *f, const struct record *r, struct buf *out)
{
    struct bytes rest = r->headers;
    struct record_header h;
    bool any = false;
    while (record_header_next(&rest, &h) == 1) {
        if (any)
            buf_append_text(out, f->headers_separator);
        buf_append_str(out, h.key);
        buf_append_u8(out, ':');
        print_as(f, f->header_as, h.value, out);
        any = true;
    }
    if (!any)
        buf_append_text(out, "NO_HEADERS");
}

static void print_timestamp(const struct fetched *r, struct buf *out)
{
    if (r->record.timestamp == TIMESTAMP_NONE)
        buf_append_text(out, "NO_TIMESTAMP");
    else
        buf_printf(out, "%s:%lld",
                   batch_is_log_append_time(&r->batch) ? "LogAppendTime" : "CreateTime",
                   (long long)r->record.timestamp);
}

static void print_record(void *user, const struct fetched *r, int64_t count, struct buf *out)
{
    const struct formatter *f = user;
    bool first = true;
    if (f->none)
        return;
    if (f->timestamp) {
        separate(f, &first, out);
        print_timestamp(r, out);
    }
    if (f->partition) {
        separate(f, &first, out);
        buf_printf(out, "Partition:%d", r->partition);
    }
    if (f->offset) {
        separate(f, &first, out);
        buf_printf(out, "Offset:%lld", (long long)r->record.offset);
    }
    if (f->delivery) {
        separate(f, &first, out);
        buf_append_text(out, "Delivery:NOT_PRESENT");
    }
    if (f->epoch) {
        separate(f, &first, out);
        if (r->leader_epoch >= 0)
            buf_printf(out, "Epoch:%d", r->leader_epoch);
        else
            buf_append_text(out, "Epoch:NOT_PRESENT");
    }
    if (f->headers) {
        separate(f, &first, out);
        print_headers(f, &r->record, out);
    }
    if (f->key) {
        separate(f, &first, out);
        print_as(f, f->key_as, r->record.key, out);
    }
    if (f->value) {
        separate(f, &first, out);
        print_as(f, f->value_as, r->record.value, out);
    }
    buf_append_text(out, f->line_separator);
}

// --- Settings ---

static bool is_true(const struct properties *p, const char *key, bool fallback)
{
    const char *value = properties_get(p, key);
    return value != NULL ? str_equal_nocase(str_trim(str_from(value)), str_from("true")) : fallback;
}

static const char *text_of(const struct properties *p, const char *key, const char *fallback)
{
    const char *value = properties_get(p, key);
    return value != NULL ? value : fallback;
}

static int deserializer_of(struct tool *t, const char *class, enum deserializer *out)
{
    static const char *const names[] = {
        [AS_STRING] = "StringDeserializer",
        [AS_LONG] = "LongDeserializer",
        [AS_INTEGER] = "IntegerDeserializer",
        [AS_SHORT] = "ShortDeserializer",
    };
    *out = AS_STRING;
    if (class == NULL || str_ends_with(str_from(class), "ByteArrayDeserializer"))
        return EXIT_OK;
    for (int i = 0; i < 4; i++) {
        if (str_ends_with(str_from(class), names[i])) {
            *out = (enum deserializer)i;
            return EXIT_OK;
        }
    }
    return tool_usage(t, "deserializer %s is a Java class that is not built in: String, Long, Integer "
                         "and Short are",
                      class);
}

// All formatter settings in one: file, flags, the two deserializer flags.
static int read_formatter_properties(struct tool *t, struct properties *p)
{
    const struct flags *f = &t->flags;
    if (flags_given(f, PROPERTY) && flags_given(f, FORMATTER_PROPERTY)) {
        properties_init(p);
        return tool_usage(t, "Options --property and --formatter-property cannot be specified "
                             "together.");
    }
    int status = kafka_properties_read(t, flags_text(f, FORMATTER_CONFIG), p);
    if (flags_given(f, PROPERTY))
        tool_warn(t, "--property is deprecated and will be removed in a future version. Use "
                     "--formatter-property instead.");
    static const int lists[] = {PROPERTY, FORMATTER_PROPERTY};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < f->values[lists[k]].count && status == EXIT_OK; i++)
            status = kafka_property_add(t, f->values[lists[k]].list[i], p);
    return status;
}

static int make_formatter(struct tool *t, const struct properties *p, struct formatter *out)
{
    struct str class = str_from(flags_text(&t->flags, FORMATTER));
    *out = (struct formatter){
        .timestamp = is_true(p, "print.timestamp", false),
        .key = is_true(p, "print.key", false),
        .value = is_true(p, "print.value", true),
        .offset = is_true(p, "print.offset", false),
        .partition = is_true(p, "print.partition", false),
        .headers = is_true(p, "print.headers", false),
        .epoch = is_true(p, "print.epoch", false),
        .delivery = is_true(p, "print.delivery", false),
        .key_separator = text_of(p, "key.separator", "\t"),
        .line_separator = text_of(p, "line.separator", "\n"),
        .headers_separator = text_of(p, "headers.separator", ","),
        .null_literal = text_of(p, "null.literal", "null"),
    };
    if (str_ends_with(class, "NoOpMessageFormatter"))
        out->none = true;
    else if (!str_ends_with(class, "DefaultMessageFormatter") &&
             !str_ends_with(class, "LoggingMessageFormatter"))
        return tool_usage(t, "formatter %.*s is a Java class that is not built in: "
                             "DefaultMessageFormatter, LoggingMessageFormatter and "
                             "NoOpMessageFormatter are",
                          STR_ARG(class));
    const char *key = flags_text(&t->flags, KEY_DESERIALIZER);
    const char *value = flags_text(&t->flags, VALUE_DESERIALIZER);
    int status =
        deserializer_of(t, key != NULL ? key : properties_get(p, "key.deserializer"), &out->key_as);
    if (status == EXIT_OK)
        status = deserializer_of(t, value != NULL ? value : properties_get(p, "value.deserializer"),
                                 &out->value_as);
    if (status == EXIT_OK)
        status = deserializer_of(t, properties_get(p, "header.deserializer"), &out->header_as);
    return status;
}

static int read_client_properties(struct tool *t, struct properties *p)
{
    const struct flags *f = &t->flags;
    const char *file = flags_text(f, COMMAND_CONFIG);
    int status = kafka_properties_read(t, file != NULL ? file : flags_text(f, CONSUMER_CONFIG), p);
    static const int lists[] = {CONSUMER_PROPERTY, COMMAND_PROPERTY};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < f->values[lists[k]].count && status == EXIT_OK; i++)
            status = kafka_property_add(t, f->values[lists[k]].list[i], p);
    return status;
}

// --- Where to start ---

// Of the one partition that is read without a group.
static int find_position(struct tool *t, struct fetch_position *out)
{
    const struct flags *f = &t->flags;
    const char *text = flags_text(f, OFFSET);
    *out = (struct fetch_position){
        .kind = flags_given(f, FROM_BEGINNING) ? FETCH_FROM_EARLIEST : FETCH_FROM_LATEST};
    if (text == NULL)
        return EXIT_OK;
    int64_t value;
    if (!flags_given(f, PARTITION))
        return tool_usage(t, "The partition is required when offset is specified.");
    if (flags_given(f, FROM_BEGINNING))
        return tool_usage(t, "Options from-beginning and offset cannot be specified together.");
    if (str_equal_nocase(str_from(text), str_from("earliest")))
        out->kind = FETCH_FROM_EARLIEST;
    else if (str_equal_nocase(str_from(text), str_from("latest")))
        out->kind = FETCH_FROM_LATEST;
    else if (str_parse_i64(str_from(text), &value) && value >= 0)
        *out = (struct fetch_position){.kind = FETCH_FROM_OFFSET, .value = value};
    else
        return tool_usage(t, "The provided offset value '%s' is incorrect. Valid values are "
                             "'earliest', 'latest', or a non-negative long.",
                          text);
    return EXIT_OK;
}

static int check_flags(struct tool *t)
{
    const struct flags *f = &t->flags;
    int sources = flags_given(f, TOPIC) + flags_given(f, INCLUDE) + flags_given(f, WHITELIST);
    if (sources != 1)
        return tool_usage(t, "Exactly one of the following arguments is required: [topic], [include]");
    if (flags_given(f, PARTITION) && !flags_given(f, TOPIC))
        return tool_usage(t, "The topic is required when partition is specified.");
    if (flags_given(f, CONSUMER_PROPERTY) && flags_given(f, COMMAND_PROPERTY))
        return tool_usage(t, "Options --consumer-property and --command-property cannot be specified "
                             "together.");
    if (flags_given(f, CONSUMER_CONFIG) && flags_given(f, COMMAND_CONFIG))
        return tool_usage(t, "Options --consumer.config and --command-config cannot be specified "
                             "together.");
    if (flags_given(f, CONSUMER_PROPERTY))
        buf_append_text(&t->out.buf, "Option --consumer-property is deprecated and will be removed in a "
                                     "future version. Use --command-property instead.\n");
    if (flags_given(f, CONSUMER_CONFIG))
        buf_append_text(&t->out.buf, "Option --consumer.config is deprecated and will be removed in a "
                                     "future version. Use --command-config instead.\n");
    return EXIT_OK;
}

// --- Reading ---

static struct fetcher_options fetch_options(const struct flags *f)
{
    return (struct fetcher_options){
        .read_committed = strcmp(flags_text(f, ISOLATION_LEVEL), "read_committed") == 0,
        .check_crcs = true,
    };
}

static int64_t count_max(const struct flags *f)
{
    bool limited = flags_given(f, MAX_MESSAGES) && flags_number(f, MAX_MESSAGES) >= 0;
    return limited ? flags_number(f, MAX_MESSAGES) : -1;
}

static int64_t idle_ms_max(const struct flags *f)
{
    return flags_given(f, TIMEOUT_MS) ? flags_number(f, TIMEOUT_MS) : -1;
}

static int read_partition(struct tool *t, struct formatter *formatter, int64_t *count)
{
    const struct flags *f = &t->flags;
    int32_t partition = (int32_t)flags_number(f, PARTITION);
    struct str topic = str_from(flags_text(f, TOPIC));
    struct consumer c = {
        .tool = t,
        .topics = &topic,
        .topic_count = 1,
        .create_topics = true, // as Kafka's consumer does
        .partitions = &partition,
        .partition_count = 1,
        .options = fetch_options(f),
        .count_max = count_max(f),
        .idle_ms_max = idle_ms_max(f),
        .print = print_record,
        .user = formatter,
    };
    int status = find_position(t, &c.position);
    if (status == EXIT_OK)
        status = consumer_run(&c);
    *count = c.count;
    return status;
}

static int read_as_member(struct tool *t, struct properties *client, struct formatter *formatter,
                          int64_t *count)
{
    const struct flags *f = &t->flags;
    struct console_group g = {
        .group = flags_text(f, GROUP),
        .topic = flags_text(f, TOPIC),
        .include = flags_text(f, flags_given(f, INCLUDE) ? INCLUDE : WHITELIST),
        .from_beginning = flags_given(f, FROM_BEGINNING),
    };
    struct group_consumer c = {
        .tool = t,
        .options = {.fetch = fetch_options(f)},
        .count_max = count_max(f),
        .idle_ms_max = idle_ms_max(f),
        .idle_from_start = true,
        .no_offset_fix = " (auto.offset.reset=none)",
        .print = print_record,
        .user = formatter,
    };
    int status = console_group_run(t, client, &g, &c);
    *count = c.count;
    return status;
}

static int run_with(struct tool *t, struct properties *client, struct formatter *formatter)
{
    const struct flags *f = &t->flags;
    struct fetch_position ignored;
    int64_t count = 0;
    bool alone = flags_given(f, PARTITION);
    int status = find_position(t, &ignored); // says what is wrong before anything is connected
    if (status == EXIT_OK)
        status = console_group_check(t, client, flags_text(f, GROUP), alone);
    if (status == EXIT_OK)
        status = kafka_connect(t, flags_text(f, BOOTSTRAP), client);
    if (status != EXIT_OK)
        return status;
    status = alone ? read_partition(t, formatter, &count) : read_as_member(t, client, formatter, &count);
    sink_flush(&t->out);
    if (status == EXIT_OK)
        buf_printf(&t->err.buf, "Processed a total of %lld messages\n", (long long)count);
    if (status == EXIT_OK && flags_given(f, SYSTEST_EVENTS))
        buf_append_text(&t->out.buf, "shutdown_complete\n");
    return status;
}

static int consumer_main(struct tool *t)
{
    if (kafka_version(t, VERSION))
        return EXIT_OK;
    struct properties client, settings;
    struct formatter formatter;
    properties_init(&client);
    properties_init(&settings);
    int status = check_flags(t);
    if (status == EXIT_OK)
        status = read_client_properties(t, &client);
    if (status == EXIT_OK)
        status = read_formatter_properties(t, &settings);
    if (status == EXIT_OK)
        status = make_formatter(t, &settings, &formatter);
    if (status == EXIT_OK && flags_given(&t->flags, ZOOKEEPER))
        tool_warn(t, "there is no ZooKeeper any more: --zookeeper is ignored, the broker at %s is "
                     "asked. Use --bootstrap-server HOST:PORT.",
                  tool_bootstrap(t, flags_text(&t->flags, BOOTSTRAP)));
    if (status == EXIT_OK)
        status = run_with(t, &client, &formatter);
    properties_release(&client);
    properties_release(&settings);
    return status;
}

const struct command alias_console_consumer = {
    .name = "kafka-console-consumer",
    .arguments = "",
    .summary = "Read data from Kafka topics and print it.",
    .text = "Example:\n"
            "  kafka-console-consumer --bootstrap-server localhost:9092 --topic test --from-beginning\n"
            "\n'chitin consume --help' has more.",
    COMMAND_FLAGS(consumer_flags),
    .mode = FLAGS_ABBREVIATED,
    .run = consumer_main,
};

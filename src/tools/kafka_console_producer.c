// SPDX-License-Identifier: Apache-2.0
//
// kafka-console-producer: Kafka's ConsoleProducer with its LineMessageReader.
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "env/env.h"
#include "env/random.h"
#include "tools/commands.h"
#include "tools/kafka.h"
#include "tools/kafka_producer.h"
#include "tools/sender.h"

enum {
    BOOTSTRAP,
    BROKER_LIST,
    VERSION,
    TOPIC,
    SYNC,
    COMPRESSION,
    BATCH_SIZE,
    PARTITION_MEMORY,
    RETRIES,
    RETRY_BACKOFF,
    LINGER,
    ACKS,
    REQUEST_TIMEOUT,
    METADATA_EXPIRY,
    MAX_BLOCK,
    MAX_MEMORY,
    SOCKET_BUFFER,
    LINE_READER,
    READER_PROPERTY,
    PROPERTY,
    READER_CONFIG,
    COMMAND_PROPERTY,
    PRODUCER_PROPERTY,
    COMMAND_CONFIG,
    PRODUCER_CONFIG,
};

static const struct flag_def producer_flags[] = {
    [BOOTSTRAP] = KAFKA_BOOTSTRAP,
    [BROKER_LIST] = {.names = "--broker-list", .argument = "HOST:PORT[,...]", .kind = FLAG_TEXT,
                     .help = "Old name of --bootstrap-server."},
    [VERSION] = KAFKA_VERSION_FLAG,
    [TOPIC] = {.names = "--topic", .argument = "TOPIC", .kind = FLAG_TEXT,
               .help = "The topic to send to."},
    [SYNC] = {.names = "--sync", .kind = FLAG_BOOL,
              .help = "Wait for each record before the next one is read."},
    [COMPRESSION] = {.names = "--compression-codec", .argument = "CODEC", .kind = FLAG_OPTIONAL,
                     .values = "none|gzip|snappy|lz4|zstd", .fallback = "gzip",
                     .help = "none, gzip, snappy, lz4 or zstd; without a value gzip."},
    [BATCH_SIZE] = {.names = "--batch-size", .argument = "BYTES", .kind = FLAG_I32, .min = 1,
                    .max = 1 << 30, .fallback = "16384",
                    .help = "Records are sent together up to this size."},
    [PARTITION_MEMORY] = {.names = "--max-partition-memory-bytes", .argument = "BYTES",
                          .kind = FLAG_I32, .min = 1, .max = 1 << 30,
                          .help = "Old name of --batch-size."},
    [RETRIES] = {.names = "--message-send-max-retries", .argument = "N", .kind = FLAG_I32,
                 .min = 0, .max = INT32_MAX, .help = "How often a batch is tried again."},
    [RETRY_BACKOFF] = {.names = "--retry-backoff-ms", .argument = "MS", .kind = FLAG_I64,
                       .help = NULL},
    [LINGER] = {.names = "--timeout", .argument = "MS", .kind = FLAG_I64, .min = 0,
                .max = 3600000,
                .help = "How long a batch waits for more records. [default: 5]"},
    [ACKS] = {.names = "--request-required-acks", .argument = "ACKS", .kind = FLAG_TEXT,
              .values = "all|-1|1|0", .fallback = "-1", .help = "0, 1, -1 or all."},
    [REQUEST_TIMEOUT] = {.names = "--request-timeout-ms", .argument = "MS", .kind = FLAG_I32,
                         .min = 1, .max = INT32_MAX,
                         .help = "How long to wait for an answer. [default: 30000]"},
    [METADATA_EXPIRY] = {.names = "--metadata-expiry-ms", .argument = "MS", .kind = FLAG_I64,
                         .help = NULL},
    [MAX_BLOCK] = {.names = "--max-block-ms", .argument = "MS", .kind = FLAG_I64, .help = NULL},
    [MAX_MEMORY] = {.names = "--max-memory-bytes", .argument = "BYTES", .kind = FLAG_I64,
                    .min = 1, .max = INT64_MAX, .fallback = "33554432",
                    .help = "Bound of what is not delivered yet."},
    [SOCKET_BUFFER] = {.names = "--socket-buffer-size", .argument = "BYTES", .kind = FLAG_I32,
                       .help = NULL},
    [LINE_READER] = {.names = "--line-reader", .argument = "CLASS", .kind = FLAG_TEXT,
                     .fallback = "LineMessageReader", .help = "LineMessageReader is built in."},
    [READER_PROPERTY] =
        {.names = "--reader-property", .argument = "KEY=VALUE", .kind = FLAG_LIST,
         .help = "parse.key, parse.headers, ignore.error (true or false); key.separator,\n"
                 "headers.delimiter, headers.separator, headers.key.separator, null.marker."},
    [PROPERTY] = {.names = "--property", .argument = "KEY=VALUE", .kind = FLAG_LIST,
                  .help = "Old name of --reader-property."},
    [READER_CONFIG] = {.names = "--reader-config", .argument = "FILE", .kind = FLAG_TEXT,
                       .help = "Properties file of reader settings."},
    [COMMAND_PROPERTY] = {.names = "--command-property", .argument = "KEY=VALUE",
                          .kind = FLAG_LIST, .help = "A client setting; repeatable."},
    [PRODUCER_PROPERTY] = {.names = "--producer-property", .argument = "KEY=VALUE",
                           .kind = FLAG_LIST, .help = "Old name of --command-property."},
    [COMMAND_CONFIG] = KAFKA_COMMAND_CONFIG,
    [PRODUCER_CONFIG] = {.names = "--producer.config", .argument = "FILE", .kind = FLAG_TEXT,
                         .help = "Old name of --command-config."},
};

struct reader {
    bool parse_key;
    bool parse_headers;
    bool ignore_error;
    const char *key_separator;
    const char *headers_delimiter;
    const char *headers_separator;
    const char *headers_key_separator;
    const char *null_marker; // NULL = none
    struct record_header *headers;
    int header_capacity;
};

// --- Lines ---

static struct bytes or_null(const struct reader *r, struct str s)
{
    bool null = r->null_marker != NULL && str_is(s, r->null_marker);
    return null ? (struct bytes){0} : str_bytes(s);
}

// Cuts *rest at `separator`; the null string when there is none.
static struct str cut_at(struct str *rest, const char *separator)
{
    size_t size = strlen(separator);
    const char *at = size > 0 ? memmem(rest->data, rest->size, separator, size) : NULL;
    if (at == NULL)
        return (struct str){0};
    struct str head = str_of(rest->data, (size_t)(at - rest->data));
    *rest = str_of(at + size, rest->size - head.size - size);
    return head;
}

static enum sender_parse parse_header(struct reader *r, struct str pair, int64_t number, int at,
                                      struct diag *diag)
{
    struct str value = pair, key = cut_at(&value, r->headers_key_separator);
    if (key.data == NULL && !r->ignore_error) {
        diag_set(diag, ERR_INVALID, "No header key separator found in pair '%.*s' on line number %lld",
                 STR_ARG(pair), (long long)number);
        return SENDER_ERROR;
    }
    if (key.data != NULL && r->null_marker != NULL && str_is(key, r->null_marker)) {
        diag_set(diag, ERR_INVALID,
                 "Header keys should not be equal to the null marker '%s' as they can't be null",
                 r->null_marker);
        return SENDER_ERROR;
    }
    r->headers[at] = key.data != NULL
                         ? (struct record_header){.key = key, .value = or_null(r, value)}
                         : (struct record_header){.key = pair};
    return SENDER_RECORD;
}

static enum sender_parse parse_headers(struct reader *r, struct str text, int64_t number,
                                       struct produce_record *out, struct diag *diag)
{
    if (or_null(r, text).data == NULL)
        return SENDER_RECORD;
    while (text.data != NULL) {
        struct str rest = text, pair = cut_at(&rest, r->headers_separator);
        mem_grow(r->headers, out->header_count, r->header_capacity);
        enum sender_parse parsed = parse_header(r, pair.data != NULL ? pair : text, number,
                                                out->header_count, diag);
        if (parsed == SENDER_ERROR)
            return parsed;
        out->header_count++;
        text = pair.data != NULL ? rest : (struct str){0};
    }
    out->headers = r->headers;
    return SENDER_RECORD;
}

static enum sender_parse no_separator(struct str line, int64_t number, const char *what,
                                      struct diag *diag)
{
    diag_set(diag, ERR_INVALID, "No %s found on line number %lld: '%.*s'", what, (long long)number,
             STR_ARG(line));
    return SENDER_ERROR;
}

static enum sender_parse parse_line(void *user, struct str line, int64_t number,
                                    struct produce_record *out, struct diag *diag)
{
    struct reader *r = user;
    struct str rest = line;
    if (rest.size > 0 && rest.data[rest.size - 1] == '\r')
        rest.size--; // as Java's readLine
    if (r->parse_headers) {
        struct str headers = cut_at(&rest, r->headers_delimiter);
        if (headers.data == NULL && !r->ignore_error)
            return no_separator(line, number, "headers delimiter", diag);
        if (headers.data != NULL &&
            parse_headers(r, headers, number, out, diag) == SENDER_ERROR)
            return SENDER_ERROR;
    }
    if (r->parse_key) {
        struct str key = cut_at(&rest, r->key_separator);
        if (key.data == NULL && !r->ignore_error)
            return no_separator(line, number, "key separator", diag);
        out->key = key.data != NULL ? or_null(r, key) : (struct bytes){0};
    }
    out->value = or_null(r, rest);
    return SENDER_RECORD;
}

// --- Settings ---

static int read_list(struct tool *t, int file, int old_list, int list, struct properties *p)
{
    const struct flags *f = &t->flags;
    int status = kafka_properties_read(t, file >= 0 ? flags_text(f, file) : NULL, p);
    const int lists[] = {old_list, list};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < f->values[lists[k]].count && status == EXIT_OK; i++)
            status = kafka_property_add(t, f->values[lists[k]].list[i], p);
    return status;
}

static bool is_true(const struct properties *p, const char *key)
{
    const char *value = properties_get(p, key);
    return value != NULL && str_equal_nocase(str_trim(str_from(value)), str_from("true"));
}

static const char *text_of(const struct properties *p, const char *key, const char *fallback)
{
    const char *value = properties_get(p, key);
    return value != NULL ? value : fallback;
}

static void make_reader(const struct properties *p, struct reader *out)
{
    *out = (struct reader){
        .parse_key = is_true(p, "parse.key"),
        .parse_headers = is_true(p, "parse.headers"),
        .ignore_error = is_true(p, "ignore.error"),
        .key_separator = text_of(p, "key.separator", "\t"),
        .headers_delimiter = text_of(p, "headers.delimiter", "\t"),
        .headers_separator = text_of(p, "headers.separator", ","),
        .headers_key_separator = text_of(p, "headers.key.separator", ":"),
        .null_marker = properties_get(p, "null.marker"),
    };
}

// Flags win over client settings, as in Kafka's tool.
static void add_flags(const struct flags *f, struct properties *p)
{
    static const struct {
        int flag;
        const char *key;
    } settings[] = {
        {ACKS, "acks"},
        {COMPRESSION, "compression.type"},
        {LINGER, "linger.ms"},
        {BATCH_SIZE, "batch.size"},
        {PARTITION_MEMORY, "batch.size"},
        {MAX_MEMORY, "buffer.memory"},
        {MAX_BLOCK, "max.block.ms"},
        {REQUEST_TIMEOUT, "request.timeout.ms"},
        {RETRIES, "retries"},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (flags_given(f, settings[i].flag))
            properties_set(p, str_from(settings[i].key), str_from(flags_text(f, settings[i].flag)), 0);
}

static int check_flags(struct tool *t)
{
    const struct flags *f = &t->flags;
    if (!flags_given(f, TOPIC))
        return tool_usage(t, "Missing required argument \"[topic]\"");
    if (flags_given(f, PROPERTY) && flags_given(f, READER_PROPERTY))
        return tool_usage(t, "Options --property and --reader-property cannot be specified together.");
    if (!str_ends_with(str_from(flags_text(f, LINE_READER)), "LineMessageReader"))
        return tool_usage(t, "line reader %s is a Java class that is not built in: LineMessageReader "
                             "is",
                          flags_text(f, LINE_READER));
    if (flags_given(f, PROPERTY))
        tool_warn(t, "--property is deprecated and will be removed in a future version. Use "
                     "--reader-property instead.");
    return EXIT_OK;
}

static int run_with(struct tool *t, struct properties *client, struct reader *reader)
{
    const struct flags *f = &t->flags;
    const char *servers = flags_text(f, BOOTSTRAP);
    struct sender s = {
        .tool = t,
        .topic = str_from(flags_text(f, TOPIC)),
        .prompt = t->host->input_is_terminal,
        .prompt_text = ">",
        .one_by_one = flags_given(f, SYNC),
        .parse = parse_line,
        .user = reader,
    };
    add_flags(f, client);
    int status = kafka_producer_options(t, client, &s.options);
    if (status == EXIT_OK)
        status = kafka_connect(t, servers != NULL ? servers : flags_text(f, BROKER_LIST), client);
    if (status != EXIT_OK)
        return status;
    env_random_fill(driver_env(t->driver)->random, &s.options.seed, sizeof s.options.seed);
    return sender_run(&s);
}

static int producer_main(struct tool *t)
{
    if (kafka_version(t, VERSION))
        return EXIT_OK;
    struct properties client, settings;
    struct reader reader = {0};
    properties_init(&client);
    properties_init(&settings);
    int status = check_flags(t);
    int file = flags_given(&t->flags, COMMAND_CONFIG) ? COMMAND_CONFIG : PRODUCER_CONFIG;
    if (status == EXIT_OK)
        status = read_list(t, file, PRODUCER_PROPERTY, COMMAND_PROPERTY, &client);
    if (status == EXIT_OK)
        status = read_list(t, READER_CONFIG, PROPERTY, READER_PROPERTY, &settings);
    if (status == EXIT_OK) {
        make_reader(&settings, &reader);
        status = run_with(t, &client, &reader);
    }
    mem_free(reader.headers);
    properties_release(&client);
    properties_release(&settings);
    return status;
}

const struct command alias_console_producer = {
    .name = "kafka-console-producer",
    .arguments = "",
    .summary = "Read lines from standard input and send them to Kafka.",
    .text = "Example:\n"
            "  kafka-console-producer --bootstrap-server localhost:9092 --topic test\n"
            "\n'chitin produce --help' has more.",
    COMMAND_FLAGS(producer_flags),
    .mode = FLAGS_ABBREVIATED,
    .run = producer_main,
};

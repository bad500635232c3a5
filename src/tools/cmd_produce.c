// SPDX-License-Identifier: Apache-2.0
//
// `chitin produce`.
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "env/env.h"
#include "env/random.h"
#include "tools/commands.h"
#include "tools/common.h"
#include "tools/sender.h"

enum {
    BOOTSTRAP,
    OUTPUT,
    KEY,
    KEY_SEPARATOR,
    HEADER,
    PARTITION,
    TOMBSTONES,
    TIMESTAMP,
    COMPRESSION,
    LEVEL,
    ACKS,
    IDEMPOTENT,
    BATCH,
    LINGER,
    TIMEOUT,
};

static const struct flag_def produce_flags[] = {
    [BOOTSTRAP] = COMMON_BOOTSTRAP,
    [OUTPUT] = {.names = "-o, --output", .argument = "none|json", .kind = FLAG_TEXT,
                .values = "none|json", .fallback = "none",
                .help = "json prints partition, offset and timestamp of each delivered record."},
    [KEY] = {.names = "-k, --key", .argument = "KEY", .kind = FLAG_TEXT,
             .help = "The key of every record."},
    [KEY_SEPARATOR] = {.names = "-K, --key-separator", .argument = "TEXT", .kind = FLAG_TEXT,
                       .help = "Lines are KEY TEXT VALUE; \\t is a tab. A line without it is an "
                               "error."},
    [HEADER] = {.names = "-H, --header", .argument = "KEY:VALUE", .kind = FLAG_LIST,
                .help = "A header of every record; repeatable."},
    [PARTITION] = {.names = "-p, --partition", .argument = "N", .kind = FLAG_I32, .min = 0,
                   .max = INT32_MAX,
                   .help = "Send everything there. [default: by key as Java's clients do, else "
                           "batch by batch to any]"},
    [TOMBSTONES] = {.names = "-Z, --tombstone", .kind = FLAG_BOOL,
                    .help = "An empty value is sent as null: a delete on a compacted topic."},
    [TIMESTAMP] = {.names = "--timestamp", .argument = "TIME", .kind = FLAG_TEXT,
                   .help = "The time of every record: milliseconds or a date. [default: now]"},
    [COMPRESSION] = {.names = "-z, --compression", .argument = "CODEC", .kind = FLAG_TEXT,
                     .values = "none|gzip|snappy|lz4|zstd", .fallback = "none",
                     .help = "none, gzip, snappy, lz4 or zstd."},
    [LEVEL] = {.names = "--compression-level", .argument = "N", .kind = FLAG_I32,
               .help = "For gzip, lz4 and zstd."},
    [ACKS] = {.names = "--acks", .argument = "all|1|0", .kind = FLAG_TEXT, .values = "all|-1|1|0",
              .fallback = "all",
              .help = "all: every in-sync replica has it; 1: the leader has it; 0: do not wait."},
    [IDEMPOTENT] = {.names = "--no-idempotence", .kind = FLAG_BOOL,
                    .help = "Retries may then store a record twice."},
    [BATCH] = {.names = "--batch-size", .argument = "BYTES", .kind = FLAG_I32, .min = 1,
               .max = 1 << 30, .fallback = "65536",
               .help = "Records are sent together up to this size."},
    [LINGER] = {.names = "--linger", .argument = "MS", .kind = FLAG_I32, .min = 0, .max = 3600000,
                .fallback = "5",
                .help = "How long a batch waits for more records, in milliseconds."},
    [TIMEOUT] = {.names = "--timeout", .argument = "DURATION", .kind = FLAG_TEXT,
                 .fallback = "30s", .help = "When a record counts as not delivered."},
};

struct producing {
    struct tool *tool;
    struct str key;        // of every record; null = none
    char *separator;       // NULL = lines are values
    struct record_header *headers;
    int header_count;
    int64_t timestamp_ms;  // -1 = now
    int32_t partition;
    bool tombstones;
};

static enum sender_parse parse_line(void *user, struct str line, int64_t number,
                                    struct produce_record *out, struct diag *diag)
{
    const struct producing *p = user;
    struct str key = p->key, value = line;
    if (p->separator != NULL) {
        size_t size = strlen(p->separator);
        const char *at = memmem(line.data, line.size, p->separator, size);
        if (at == NULL) {
            diag_set(diag, ERR_INVALID,
                     "line %lld has no key separator \"%s\": \"%.*s\"; nothing behind it was sent",
                     (long long)number, p->separator, (int)(line.size < 60 ? line.size : 60),
                     line.data);
            return SENDER_ERROR;
        }
        key = str_of(line.data, (size_t)(at - line.data));
        value = str_of(at + size, line.size - key.size - size);
    }
    out->key = str_bytes(key);
    out->value = str_bytes(value);
    if (p->tombstones && value.size == 0)
        out->value = (struct bytes){0};
    out->headers = p->headers;
    out->header_count = p->header_count;
    out->partition = p->partition;
    if (p->timestamp_ms >= 0)
        out->timestamp_ms = p->timestamp_ms;
    return SENDER_RECORD;
}

static void print_result(void *user, const struct produce_result *r)
{
    struct producing *p = user;
    struct json_printer json;
    json_printer_init(&json, &p->tool->out.buf);
    json_object_begin(&json);
    json_member_str(&json, "topic", r->topic);
    json_member_int(&json, "partition", r->partition);
    json_member_int(&json, "offset", r->offset);
    json_member_int(&json, "timestamp", r->timestamp_ms);
    json_object_end(&json);
    buf_append_u8(&p->tool->out.buf, '\n');
    sink_flush_if_large(&p->tool->out);
}

// "\t" and "\n" as people type them, the rest as it is.
static char *unescape(const char *text)
{
    char *out = mem_copy_text(text), *to = out;
    for (const char *from = text; *from != '\0'; from++) {
        if (from[0] == '\\' && (from[1] == 't' || from[1] == 'n' || from[1] == '\\')) {
            from++;
            *to++ = *from == 't' ? '\t' : *from == 'n' ? '\n' : '\\';
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return out;
}

static int parse_headers(struct tool *t, struct producing *p)
{
    const struct flag_value *v = &t->flags.values[HEADER];
    p->headers = mem_alloc_array((size_t)v->count + 1, sizeof *p->headers);
    for (int i = 0; i < v->count; i++) {
        struct str value = str_from(v->list[i]), key = str_cut(&value, ':');
        if (value.data == NULL || key.size == 0)
            return tool_usage(t, "--header needs KEY:VALUE, not \"%s\"", v->list[i]);
        p->headers[p->header_count++] =
            (struct record_header){.key = key, .value = str_bytes(value)};
    }
    return EXIT_OK;
}

static int parse_options(struct tool *t, struct producing *p, struct producer_options *o)
{
    const struct flags *f = &t->flags;
    const char *acks = flags_text(f, ACKS);
    *o = (struct producer_options){
        .acks = strcmp(acks, "0") == 0   ? ACKS_NONE
                : strcmp(acks, "1") == 0 ? ACKS_LEADER
                                         : ACKS_ALL,
        .codec_level = CODEC_LEVEL_DEFAULT,
        .linger_ms = flags_number(f, LINGER),
        .batch_bytes_max = (size_t)flags_number(f, BATCH),
        .create_topics = true,
    };
    o->idempotent = o->acks == ACKS_ALL && !flags_given(f, IDEMPOTENT);
    codec_parse(str_from(flags_text(f, COMPRESSION)), &o->codec);
    if (flags_given(f, LEVEL))
        o->codec_level = (int)flags_number(f, LEVEL);
    if (!codec_level_is_valid(o->codec, o->codec_level))
        return tool_usage(t, "--compression-level %d is not one of %s", o->codec_level,
                          codec_name(o->codec));
    if (!duration_parse(str_from(flags_text(f, TIMEOUT)), &o->delivery_timeout_ms) ||
        o->delivery_timeout_ms <= 0)
        return tool_usage(t, "--timeout needs a duration such as 30s, not \"%s\"",
                          flags_text(f, TIMEOUT));
    o->request_timeout_ms = o->delivery_timeout_ms < 30000 ? o->delivery_timeout_ms : 30000;
    const char *time = flags_text(f, TIMESTAMP);
    p->timestamp_ms = -1;
    if (time != NULL && !str_parse_i64(str_from(time), &p->timestamp_ms) &&
        !time_parse(str_from(time), &p->timestamp_ms))
        return tool_usage(t, "--timestamp needs milliseconds or a date, not \"%s\"", time);
    if (flags_given(f, KEY) && flags_given(f, KEY_SEPARATOR))
        return tool_usage(t, "--key and --key-separator exclude each other");
    if (flags_given(f, KEY_SEPARATOR) && flags_text(f, KEY_SEPARATOR)[0] == '\0')
        return tool_usage(t, "--key-separator is empty");
    return EXIT_OK;
}

static int produce_run(struct tool *t)
{
    const struct flags *f = &t->flags;
    struct producing p = {.tool = t};
    struct sender s = {.tool = t, .topic = str_from(f->args[0]), .parse = parse_line, .user = &p};
    p.key = str_from(flags_text(f, KEY));
    p.partition = flags_given(f, PARTITION) ? (int32_t)flags_number(f, PARTITION) : -1;
    p.tombstones = flags_given(f, TOMBSTONES);
    if (flags_given(f, KEY_SEPARATOR))
        p.separator = unescape(flags_text(f, KEY_SEPARATOR));
    if (wants_json(t, OUTPUT))
        s.delivered = print_result;
    int status = parse_options(t, &p, &s.options);
    if (status == EXIT_OK)
        status = parse_headers(t, &p);
    if (status == EXIT_OK)
        status = tool_connect(t, flags_text(f, BOOTSTRAP));
    if (status == EXIT_OK) {
        env_random_fill(driver_env(t->driver)->random, &s.options.seed, sizeof s.options.seed);
        s.prompt = t->host->input_is_terminal && t->host->output_is_terminal;
        s.prompt_text = "> ";
        status = sender_run(&s);
    }
    mem_free(p.separator);
    mem_free(p.headers);
    return status;
}

const struct command command_produce = {
    .name = "produce",
    .arguments = "TOPIC",
    .summary = "Send lines of standard input as records.",
    .text = "Examples:\n"
            "  echo hello | chitin produce greetings\n"
            "  chitin produce orders -K : < orders.txt       lines are key:value\n"
            "  chitin produce orders -K '\\t' -z zstd -o json < orders.tsv\n"
            "  echo hi | chitin produce orders -k customer-7 -H source:web -H trace:42\n"
            "  echo 'customer-7:' | chitin produce orders -K : -Z    a tombstone\n"
            "\n"
            "The exit status is 0 only if every record was delivered; each one that was not is named\n"
            "with its line on standard error.",
    COMMAND_FLAGS(produce_flags),
    .arg_min = 1,
    .arg_max = 1,
    .run = produce_run,
};

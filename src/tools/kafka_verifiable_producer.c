// SPDX-License-Identifier: Apache-2.0
//
// kafka-verifiable-producer: counts upwards into a topic and says of each record what became of it, a
// JSON object a line. Those who test clusters with it read these lines, so names and order of their
// members are FROZEN.
//
// Of each record only its number is kept: key and value follow from it.
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "env/env.h"
#include "env/random.h"
#include "tools/commands.h"
#include "tools/kafka.h"
#include "tools/kafka_events.h"
#include "tools/kafka_producer.h"
#include "wire/errors.h"

enum {
    BOOTSTRAP,
    TOPIC,
    MAX_MESSAGES,
    THROUGHPUT,
    ACKS,
    PRODUCER_CONFIG,
    CREATE_TIME,
    VALUE_PREFIX,
    REPEATING_KEYS,
    COMMAND_CONFIG,
};

enum {
    PENDING_MAX = 4096, // records on their way
    NUMBER_SIZE = 48,   // "PREFIX.NUMBER"
};

static const struct flag_def verifiable_flags[] = {
    [BOOTSTRAP] = KAFKA_BOOTSTRAP,
    [TOPIC] = {.names = "--topic", .argument = "TOPIC", .kind = FLAG_TEXT,
               .help = "Produce messages to this topic."},
    [MAX_MESSAGES] = {.names = "--max-messages", .argument = "N", .kind = FLAG_I64,
                      .fallback = "-1", .help = "So many records; -1: until the process is ended."},
    [THROUGHPUT] = {.names = "--throughput", .argument = "N", .kind = FLAG_I32, .fallback = "-1",
                    .help = "About so many records a second at most; -1: as many as go."},
    [ACKS] = {.names = "--acks", .argument = "ACKS", .kind = FLAG_TEXT, .values = "0|1|-1",
              .fallback = "-1", .help = "Acknowledgements that each record needs: 0, 1 or -1."},
    [PRODUCER_CONFIG] = {.names = "--producer.config", .argument = "FILE", .kind = FLAG_TEXT,
                         .help = "Old name of --command-config."},
    [CREATE_TIME] = {.names = "--message-create-time", .argument = "MS", .kind = FLAG_I64,
                     .fallback = "-1",
                     .help = "Time of the first record, in milliseconds since 1970; -1: now."},
    [VALUE_PREFIX] = {.names = "--value-prefix", .argument = "N", .kind = FLAG_I32,
                      .help = "Values are this number, a dot and the record's number."},
    [REPEATING_KEYS] = {.names = "--repeating-keys", .argument = "N", .kind = FLAG_I32,
                        .help = "Records have keys: 0 up to, not including, N, and again from 0."},
    [COMMAND_CONFIG] = KAFKA_COMMAND_CONFIG,
};

struct run {
    struct tool *tool;
    struct producer *producer;
    struct producer_options options;
    struct str topic;
    int64_t record_count; // to send
    int64_t sent;
    int64_t acked;
    int64_t start_ms;     // wall clock
    int64_t create_ms;    // time of the next record, -1: when it is sent
    bool stopped;         // no more are sent
    bool done;
    int status;
};

// ---- What it prints ----

// The key of a record; the null string without --repeating-keys.
static struct str record_key(const struct run *r, int64_t number, char *text)
{
    const struct flags *f = &r->tool->flags;
    if (!flags_given(f, REPEATING_KEYS))
        return (struct str){0};
    int64_t keys = flags_number(f, REPEATING_KEYS);
    snprintf(text, NUMBER_SIZE, "%lld", (long long)(keys > 0 ? number % keys : number));
    return str_from(text);
}

static struct str record_value(const struct run *r, int64_t number, char *text)
{
    const struct flags *f = &r->tool->flags;
    if (flags_given(f, VALUE_PREFIX))
        snprintf(text, NUMBER_SIZE, "%lld.%lld", (long long)flags_number(f, VALUE_PREFIX),
                 (long long)number);
    else
        snprintf(text, NUMBER_SIZE, "%lld", (long long)number);
    return str_from(text);
}

static void say_record(const struct run *r, struct json_printer *p, int64_t number)
{
    char text[NUMBER_SIZE];
    json_member_str(p, "key", record_key(r, number, text));
    json_member_str(p, "value", record_value(r, number, text));
}

static void say_success(struct run *r, const struct produce_result *result)
{
    struct json_printer p;
    kafka_event_begin(r->tool, &p, "producer_send_success");
    say_record(r, &p, (int64_t)result->tag);
    json_member_int(&p, "offset", result->offset);
    json_member_str(&p, "topic", r->topic);
    json_member_int(&p, "partition", result->partition);
    kafka_event_end(r->tool, &p);
}

// What Java's client would have thrown: the class without its package, and its words in `message`.
static const char *unanswered(const struct run *r, const struct produce_result *result,
                              struct buf *message)
{
    switch (result->err) {
    case ERR_TIMEOUT:
        buf_printf(message,
                   "Expiring 1 record(s) for %.*s-%d:%lld ms has passed since batch creation. The "
                   "request has not been sent, or no server response has been received yet.",
                   STR_ARG(r->topic), result->partition, (long long)r->options.delivery_timeout_ms);
        return "TimeoutException";
    case ERR_CLOSED:
        buf_printf(message, "Disconnected from node %d",
                   topology_leader(client_topology(driver_client(r->tool->driver)), r->topic,
                                   result->partition));
        return "NetworkException";
    case ERR_UNSUPPORTED:
        buf_append_text(message, err_text(result->err));
        return "UnsupportedVersionException";
    default:
        buf_append_text(message, err_text(result->err));
        return "UnknownServerException";
    }
}

static const char *failure(const struct run *r, const struct produce_result *result, struct buf *message)
{
    bool absent = result->err == ERR_TIMEOUT || result->err == ERR_REFUSED ||
                  result->code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (result->partition < 0 && absent) {
        buf_printf(message, "Topic %.*s not present in metadata after %lld ms.", STR_ARG(r->topic),
                   (long long)r->options.topic_wait_ms);
        return "TimeoutException";
    }
    if (result->err != 0)
        return unanswered(r, result, message);
    if (result->partition < 0 && result->code == KAFKA_INVALID_TOPIC_EXCEPTION)
        buf_printf(message, result->tag == 0 ? "Invalid topics: [%.*s]" : "%.*s", STR_ARG(r->topic));
    else if (result->message.size > 0)
        buf_append_str(message, result->message);
    else
        buf_append_text(message, java_message(result->code));
    return java_exception(result->code);
}

static void say_error(struct run *r, const struct produce_result *result)
{
    struct json_printer p;
    struct buf message;
    char class[128];
    buf_init(&message, 1 << 16);
    snprintf(class, sizeof class, "class org.apache.kafka.common.errors.%s",
             failure(r, result, &message));
    kafka_event_begin(r->tool, &p, "producer_send_error");
    json_member_str(&p, "topic", r->topic);
    say_record(r, &p, (int64_t)result->tag);
    json_member_str(&p, "exception", str_from(class));
    json_member_str(&p, "message", buf_str(&message));
    kafka_event_end(r->tool, &p);
    buf_release(&message);
}

static void say_summary(struct run *r)
{
    struct json_printer p;
    int64_t took_ms = driver_wall_ms(r->tool->driver) - r->start_ms;
    kafka_event_begin(r->tool, &p, "tool_data");
    json_member_int(&p, "sent", r->sent);
    json_member_int(&p, "acked", r->acked);
    json_member_int(&p, "target_throughput", flags_number(&r->tool->flags, THROUGHPUT));
    json_key(&p, "avg_throughput");
    json_print_double(&p, 1000 * ((double)r->acked / (double)(took_ms > 0 ? took_ms : 1)));
    kafka_event_end(r->tool, &p);
}

// ---- Sending ----

static void on_result(void *user, const struct produce_result *result)
{
    struct run *r = user;
    if (result->code == 0 && result->err == 0) {
        r->acked++;
        say_success(r, result);
        return;
    }
    say_error(r, result);
    if (result->err == ERR_REFUSED && !r->stopped) {
        r->status = tool_fail_call(r->tool, ERR_REFUSED); // nobody has ever been there
        r->stopped = true;
    }
}

// When the next record may be sent, by the wall clock. As in Kafka's tool a record waits for the rate of
// those before the last one; so a throughput of 0 lets two pass.
static int64_t next_send_ms(const struct run *r)
{
    int64_t rate = flags_number(&r->tool->flags, THROUGHPUT);
    if (r->stopped || r->sent >= r->record_count || producer_pending(r->producer) >= PENDING_MAX)
        return INT64_MAX;
    if (rate < 0 || r->sent <= 1)
        return r->start_ms;
    int64_t before = r->sent - 1;
    return rate == 0 ? INT64_MAX : r->start_ms + before / rate * 1000 + before % rate * 1000 / rate;
}

// Records are not put aside for a topic that may not come: each one waits for it by itself.
static bool is_topic_known(const struct run *r)
{
    const struct topology *known = client_topology(driver_client(r->tool->driver));
    const struct topology_topic *topic = topology_topic(known, r->topic);
    return topic != NULL && topic->error == 0 && topic->partition_count > 0;
}

// The next record's time. --message-create-time is the first one's; each later one is ahead of the one
// before by the time that the tool has run, which is how Kafka's tool lets time pass.
static int64_t take_create_ms(struct run *r, int64_t wall_ms)
{
    if (r->create_ms < 0)
        return wall_ms;
    int64_t ms = r->create_ms;
    r->create_ms += wall_ms - r->start_ms;
    return ms;
}

// False when the buffer is full.
static bool send_one(struct run *r, int64_t now_ms, int64_t wall_ms)
{
    char key[NUMBER_SIZE], value[NUMBER_SIZE];
    struct str key_text = record_key(r, r->sent, key);
    struct produce_record record = {
        .topic = r->topic,
        .partition = -1,
        .key = key_text.data != NULL ? str_bytes(key_text) : (struct bytes){0},
        .value = str_bytes(record_value(r, r->sent, value)),
        .tag = (uint64_t)r->sent,
    };
    int64_t create_ms = r->create_ms;
    record.timestamp_ms = take_create_ms(r, wall_ms);
    int err = producer_add(r->producer, &record, now_ms);
    if (err == ERR_AGAIN) {
        r->create_ms = create_ms;
        return false;
    }
    r->sent++;
    if (err < 0) {
        struct produce_result result = {.tag = record.tag, .partition = -1,
                                        .code = KAFKA_MESSAGE_TOO_LARGE};
        say_error(r, &result);
    }
    return true;
}

static void run_step(void *user, int64_t now_ms)
{
    struct run *r = user;
    int64_t wall_ms = driver_wall_ms(r->tool->driver);
    while (next_send_ms(r) <= wall_ms && (is_topic_known(r) || producer_pending(r->producer) == 0) &&
           send_one(r, now_ms, wall_ms))
        ;
    bool ended = r->stopped || r->sent >= r->record_count;
    if (ended)
        producer_flush(r->producer, now_ms);
    else
        producer_on_time(r->producer, now_ms);
    sink_flush(&r->tool->out);
    r->done = (ended && producer_pending(r->producer) == 0) || r->tool->out.broken;
}

static int64_t run_next_ms(void *user)
{
    const struct run *r = user;
    const struct driver *d = r->tool->driver;
    int64_t producer_ms = producer_next_ms(r->producer), send_ms = next_send_ms(r);
    if (send_ms == INT64_MAX)
        return producer_ms;
    // The rate goes by the wall clock, timers by the other one.
    int64_t wait_ms = send_ms - driver_wall_ms(d);
    send_ms = driver_now_ms(d) + (wait_ms > 0 ? wait_ms : 1);
    return send_ms < producer_ms ? send_ms : producer_ms;
}

static void on_stop(void *context)
{
    struct run *r = context;
    r->stopped = true;
}

// ---- The command ----

static int run_connected(struct tool *t, struct run *r)
{
    struct driver *d = t->driver;
    struct diag diag;
    diag_clear(&diag);
    env_random_fill(driver_env(d)->random, &r->options.seed, sizeof r->options.seed);
    if (producer_new(driver_client(d), &r->options, on_result, r, &r->producer, &diag) < 0)
        return tool_usage(t, "%s", diag.text);
    if (t->host->catch_stop(t->host, on_stop, r, &diag) < 0) {
        producer_free(r->producer);
        return tool_fail(t, EXIT_FAILED, "%s", diag.text);
    }
    r->start_ms = driver_wall_ms(d);
    kafka_event(t, "startup_complete");
    struct driver_user user = {.step = run_step, .next_ms = run_next_ms, .user = r};
    driver_set_user(d, &user);
    driver_run(d, &r->done);
    driver_set_user(d, NULL);
    producer_free(r->producer);
    kafka_event(t, "shutdown_complete");
    say_summary(r);
    t->host->catch_stop(t->host, NULL, NULL, NULL);
    return r->status;
}

static void set_unless_given(struct properties *p, const char *key, const char *value)
{
    if (properties_get(p, key) == NULL)
        properties_set(p, str_from(key), str_from(value), 0);
}

// The file's settings win over the flags, as in Kafka's tool. Nothing is tried again by default: who
// tests wants to see each failure.
static int read_settings(struct tool *t, struct properties *p)
{
    const struct flags *f = &t->flags;
    int file = flags_given(f, COMMAND_CONFIG) ? COMMAND_CONFIG : PRODUCER_CONFIG;
    int status = kafka_properties_read(t, flags_text(f, file), p);
    set_unless_given(p, "acks", flags_text(f, ACKS));
    set_unless_given(p, "retries", "0");
    return status;
}

static int verifiable_main(struct tool *t)
{
    const struct flags *f = &t->flags;
    if (!flags_given(f, TOPIC))
        return tool_usage(t, "argument --topic is required");
    if (flags_given(f, COMMAND_CONFIG) && flags_given(f, PRODUCER_CONFIG))
        return tool_usage(t, "Options --producer.config and --command-config are mutually exclusive.");
    int64_t max = flags_number(f, MAX_MESSAGES), create_ms = flags_number(f, CREATE_TIME);
    struct run r = {
        .tool = t,
        .topic = str_from(flags_text(f, TOPIC)),
        .record_count = max >= 0 ? max : INT64_MAX,
        .create_ms = create_ms >= 0 ? create_ms : -1,
    };
    struct properties p;
    int status = read_settings(t, &p);
    if (status == EXIT_OK)
        status = kafka_producer_options(t, &p, &r.options);
    if (status == EXIT_OK)
        status = kafka_connect(t, flags_text(f, BOOTSTRAP), &p);
    properties_release(&p);
    return status != EXIT_OK ? status : run_connected(t, &r);
}

const struct command alias_verifiable_producer = {
    .name = "kafka-verifiable-producer",
    .arguments = "",
    .summary = "Send increasing numbers, and print what became of each.",
    .text = "Prints a JSON object a line: startup_complete, producer_send_success,\n"
            "producer_send_error, shutdown_complete, tool_data. SIGTERM or Ctrl-C ends it orderly.\n"
            "\n"
            "Example:\n"
            "  kafka-verifiable-producer --bootstrap-server localhost:9092 --topic test \\\n"
            "      --max-messages 1000 --throughput 100",
    COMMAND_FLAGS(verifiable_flags),
    .mode = FLAGS_ABBREVIATED,
    .run = verifiable_main,
};

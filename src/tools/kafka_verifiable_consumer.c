// SPDX-License-Identifier: Apache-2.0
//
// kafka-verifiable-consumer: a member of a group that says what happens to it, a JSON object a line. Those
// who test clusters with it read these lines, so names and order of their members are FROZEN.
//
// It works in rounds, as the loop of a Java consumer does: what is there is read, told and committed, and
// nothing more is read before the commit was answered.
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/json.h"
#include "env/env.h"
#include "env/random.h"
#include "tools/commands.h"
#include "tools/kafka.h"
#include "tools/kafka_consumer.h"
#include "tools/kafka_events.h"
#include "wire/errors.h"

enum {
    BOOTSTRAP,
    TOPIC,
    GROUP_PROTOCOL,
    GROUP_REMOTE_ASSIGNOR,
    GROUP_ID,
    GROUP_INSTANCE_ID,
    MAX_MESSAGES,
    SESSION_TIMEOUT,
    VERBOSE,
    ENABLE_AUTOCOMMIT,
    CLOSE_TIMEOUT,
    RESET_POLICY,
    ASSIGNMENT_STRATEGY,
    CONSUMER_CONFIG,
    COMMAND_CONFIG,
};

enum { ROUND_MAX = 500 }; // records, as max.poll.records of a Java consumer

static const struct flag_def verifiable_flags[] = {
    [BOOTSTRAP] = KAFKA_BOOTSTRAP,
    [TOPIC] = {.names = "--topic", .argument = "TOPIC", .kind = FLAG_TEXT,
               .help = "Consume messages from this topic."},
    [GROUP_PROTOCOL] = {.names = "--group-protocol", .argument = "PROTOCOL", .kind = FLAG_TEXT,
                        .fallback = "classic", .help = "classic or consumer."},
    [GROUP_REMOTE_ASSIGNOR] = {.names = "--group-remote-assignor", .argument = "NAME",
                               .kind = FLAG_TEXT,
                               .help = "The broker's assignor, with the consumer protocol."},
    [GROUP_ID] = {.names = "--group-id", .argument = "GROUP", .kind = FLAG_TEXT,
                  .help = "The group to be a member of."},
    [GROUP_INSTANCE_ID] = {.names = "--group-instance-id", .argument = "ID", .kind = FLAG_TEXT,
                           .help = "Be the static member of this name."},
    [MAX_MESSAGES] = {.names = "--max-messages", .argument = "N", .kind = FLAG_I64,
                      .fallback = "-1", .help = "So many records; -1: until the process is ended."},
    [SESSION_TIMEOUT] = {.names = "--session-timeout", .argument = "MS", .kind = FLAG_I32,
                         .help = "Session timeout, with the classic protocol."},
    [VERBOSE] = {.names = "--verbose", .kind = FLAG_BOOL, .help = "Print each record, too."},
    [ENABLE_AUTOCOMMIT] = {.names = "--enable-autocommit", .kind = FLAG_BOOL,
                           .help = "Commit every five seconds instead of after each round."},
    [CLOSE_TIMEOUT] = {.names = "--close-timeout", .argument = "MS", .kind = FLAG_I64, .min = 1,
                       .max = INT32_MAX, .fallback = "30000",
                       .help = "How long leaving the group may take."},
    [RESET_POLICY] = {.names = "--reset-policy", .argument = "POLICY", .kind = FLAG_TEXT,
                      .fallback = "earliest",
                      .help = "Where to begin without a committed offset: earliest, latest, none."},
    [ASSIGNMENT_STRATEGY] = {.names = "--assignment-strategy", .argument = "CLASS",
                             .kind = FLAG_TEXT,
                             .fallback = "org.apache.kafka.clients.consumer.RangeAssignor",
                             .help = "The assignor, with the classic protocol."},
    [CONSUMER_CONFIG] = {.names = "--consumer.config", .argument = "FILE", .kind = FLAG_TEXT,
                         .help = "Old name of --command-config."},
    [COMMAND_CONFIG] = KAFKA_COMMAND_CONFIG,
};

// What a round has of a partition.
struct part {
    int32_t partition;
    int32_t leader_epoch; // of the last record
    int64_t count;
    int64_t min_offset;
    int64_t max_offset;
};

struct run {
    struct tool *tool;
    struct group_reader *reader;
    struct str topic;
    int64_t record_max;
    int64_t consumed;
    int64_t round_count;  // records of the round, those beyond record_max too
    struct part *parts;   // those that were consumed
    int part_count;
    int part_capacity;
    bool committing;      // `parts` are being committed
    bool leaving;
    bool asked_to_stop;
    int64_t stop_ms;      // then at the latest it leaves, with a commit under way
    bool failed;          // why was said
    bool done;
    int status;
};

static bool is_enough(const struct run *r)
{
    return r->consumed >= r->record_max;
}

// ---- What it prints ----

static void say_partition(const struct run *r, struct json_printer *p, int32_t partition)
{
    json_object_begin(p);
    json_member_str(p, "topic", r->topic);
    json_member_int(p, "partition", partition);
}

static void say_partitions(struct run *r, const char *name, const struct group_member_event *e)
{
    struct json_printer p;
    kafka_event_begin(r->tool, &p, name);
    json_key(&p, "partitions");
    json_array_begin(&p);
    for (int i = 0; i < e->count; i++) {
        say_partition(r, &p, e->positions[i].partition);
        json_object_end(&p);
    }
    json_array_end(&p);
    kafka_event_end(r->tool, &p);
}

static void say_record(struct run *r, const struct fetched *f)
{
    struct json_printer p;
    kafka_event_begin(r->tool, &p, "record_data");
    json_member_str(&p, "key", bytes_str(f->record.key));
    json_member_str(&p, "value", bytes_str(f->record.value));
    json_member_str(&p, "topic", f->topic);
    json_member_int(&p, "partition", f->partition);
    json_member_int(&p, "offset", f->record.offset);
    kafka_event_end(r->tool, &p);
}

static void say_round(struct run *r)
{
    struct json_printer p;
    kafka_event_begin(r->tool, &p, "records_consumed");
    json_member_int(&p, "count", r->round_count);
    json_key(&p, "partitions");
    json_array_begin(&p);
    for (int i = 0; i < r->part_count; i++) {
        say_partition(r, &p, r->parts[i].partition);
        json_member_int(&p, "count", r->parts[i].count);
        json_member_int(&p, "minOffset", r->parts[i].min_offset);
        json_member_int(&p, "maxOffset", r->parts[i].max_offset);
        json_object_end(&p);
    }
    json_array_end(&p);
    kafka_event_end(r->tool, &p);
}

// `error` NULL: they are.
static void say_committed(struct run *r, const char *error)
{
    struct json_printer p;
    kafka_event_begin(r->tool, &p, "offsets_committed");
    json_key(&p, "offsets");
    json_array_begin(&p);
    for (int i = 0; i < r->part_count; i++) {
        say_partition(r, &p, r->parts[i].partition);
        json_member_int(&p, "offset", r->parts[i].max_offset + 1);
        json_object_end(&p);
    }
    json_array_end(&p);
    if (error != NULL)
        json_member_str(&p, "error", str_from(error));
    json_member_bool(&p, "success", error == NULL);
    kafka_event_end(r->tool, &p);
}

// ---- What happens to the member ----

// As of Kafka's tool the exit status is 0 all the same, as long as somebody was there.
static void member_failed(struct run *r, const struct group_member_event *e)
{
    r->failed = true;
    if (e->err == ERR_REFUSED)
        r->status = tool_fail_call(r->tool, e->err);
    else if (e->err != 0)
        tool_fail_call(r->tool, e->err);
    else
        tool_fail_code(r->tool, "the group", e->code, e->text);
}

static void partition_failed(struct run *r, const struct fetch_event *e)
{
    r->failed = true;
    if (e->err != 0)
        tool_fail_call(r->tool, e->err);
    else
        tool_fail_code(r->tool, "a partition cannot be read", e->code, (struct str){0});
}

static void no_offset(struct run *r, const struct fetch_event *e)
{
    r->failed = true;
    if (e->offset < 0)
        tool_fail(r->tool, EXIT_FAILED,
                  "the group has committed nothing for %.*s-%d, and its reset policy is none",
                  STR_ARG(e->topic), e->partition);
    else
        tool_fail(r->tool, EXIT_FAILED,
                  "%.*s-%d has no offset %lld, where the group stands, and its reset policy is none",
                  STR_ARG(e->topic), e->partition, (long long)e->offset);
}

// The answer to a commit. What may pass is tried again by the member, and told when it has; a commit in a
// rebalance is not, since the partitions may be gone.
static void on_commit(struct run *r, const struct group_member_event *e)
{
    int16_t code = 0;
    for (int i = 0; i < e->count; i++)
        if (e->positions[i].code != 0)
            code = e->positions[i].code;
    if (!r->committing || (kafka_error_is_retriable(code) && code != KAFKA_REBALANCE_IN_PROGRESS))
        return;
    r->committing = false;
    say_committed(r, code != 0 ? java_message(code) : NULL);
}

static void on_member(struct run *r, const struct group_member_event *e)
{
    switch (e->kind) {
    case GROUP_MEMBER_ASSIGNED:
        say_partitions(r, "partitions_assigned", e);
        break;
    case GROUP_MEMBER_REVOKED:
    case GROUP_MEMBER_LOST:
        if (e->count > 0)
            say_partitions(r, "partitions_revoked", e);
        break;
    case GROUP_MEMBER_COMMITTED:
        on_commit(r, e);
        break;
    case GROUP_MEMBER_FAILED:
        if (!r->failed)
            member_failed(r, e);
        break;
    case GROUP_MEMBER_POSITIONS:
    case GROUP_MEMBER_TROUBLE: // it goes on by itself
        break;
    }
}

static void on_event(void *user, const struct group_reader_event *e)
{
    struct run *r = user;
    if (e->kind == GROUP_READER_MEMBER)
        on_member(r, e->member);
    else if (e->kind == GROUP_READER_NO_OFFSET && !r->failed)
        no_offset(r, e->fetch);
    else if (e->kind == GROUP_READER_FAILED && !r->failed)
        partition_failed(r, e->fetch);
}

// ---- Rounds ----

static struct part *part_of(struct run *r, int32_t partition)
{
    for (int i = 0; i < r->part_count; i++)
        if (r->parts[i].partition == partition)
            return &r->parts[i];
    mem_grow(r->parts, r->part_count, r->part_capacity);
    r->parts[r->part_count] = (struct part){.partition = partition};
    return &r->parts[r->part_count++];
}

static void consume(struct run *r, const struct fetched *f)
{
    struct part *part = part_of(r, f->partition);
    if (part->count++ == 0)
        part->min_offset = f->record.offset;
    part->max_offset = f->record.offset;
    part->leader_epoch = f->leader_epoch;
    r->consumed++;
    if (flags_given(&r->tool->flags, VERBOSE))
        say_record(r, f);
}

// Says which records are done with.
static void settle_round(struct run *r)
{
    struct group_member *m = group_reader_member(r->reader);
    if (flags_given(&r->tool->flags, ENABLE_AUTOCOMMIT)) {
        group_reader_accept(r->reader);
        return;
    }
    for (int i = 0; i < r->part_count; i++)
        group_member_mark(m, r->topic, r->parts[i].partition, r->parts[i].max_offset + 1,
                          r->parts[i].leader_epoch);
    r->committing = true;
    group_member_commit(m);
}

// Takes what is there; false when that is nothing.
static bool take_round(struct run *r, int64_t now_ms)
{
    struct fetched f;
    r->round_count = r->part_count = 0;
    while (r->round_count < ROUND_MAX && group_reader_next(r->reader, &f, now_ms) == 1) {
        r->round_count++;
        if (!is_enough(r))
            consume(r, &f);
    }
    if (r->round_count == 0)
        return false;
    say_round(r);
    settle_round(r);
    return true;
}

// A commit ends without an answer when its partitions were lost meanwhile.
static void look_at_commit(struct run *r)
{
    if (!r->committing || group_member_commit(group_reader_member(r->reader)))
        return;
    r->committing = false;
    say_committed(r, "Offset commit cannot be completed since the consumer is not part of an active group "
                     "for auto partition assignment; it is likely that the consumer was kicked out of the "
                     "group.");
}

static void run_step(void *user, int64_t now_ms)
{
    struct run *r = user;
    group_reader_on_time(r->reader, now_ms);
    look_at_commit(r);
    while (!r->leaving && !r->failed && !r->committing && !r->asked_to_stop && !is_enough(r) &&
           take_round(r, now_ms))
        ;
    bool is_over = r->failed || r->tool->out.broken || now_ms >= r->stop_ms ||
                   ((is_enough(r) || r->asked_to_stop) && !r->committing);
    if (is_over && !r->leaving) {
        r->leaving = true;
        group_reader_leave(r->reader, now_ms);
    }
    group_reader_on_time(r->reader, now_ms); // sends what came up: a commit, the good-bye
    sink_flush(&r->tool->out);
    r->done = r->leaving && group_reader_has_ended(r->reader);
}

static int64_t run_next_ms(void *user)
{
    const struct run *r = user;
    int64_t next_ms = group_reader_next_ms(r->reader);
    return !r->leaving && r->stop_ms < next_ms ? r->stop_ms : next_ms;
}

static void on_stop(void *context)
{
    struct run *r = context;
    if (r->asked_to_stop)
        return;
    r->asked_to_stop = true;
    r->stop_ms = driver_now_ms(r->tool->driver) + flags_number(&r->tool->flags, CLOSE_TIMEOUT);
    kafka_event(r->tool, "shutdown_requested");
}

// ---- The command ----

static int run_connected(struct tool *t, struct run *r, struct group_reader_options *o)
{
    struct driver *d = t->driver;
    struct diag diag;
    diag_clear(&diag);
    o->member.topics = &r->topic;
    o->member.topic_count = 1;
    o->member.member_id = env_random_uuid(driver_env(d)->random);
    o->member.leave_timeout_ms = flags_number(&t->flags, CLOSE_TIMEOUT);
    o->wall_ahead_ms = driver_wall_ms(d) - driver_now_ms(d);
    if (group_reader_new(driver_client(d), o, on_event, r, &r->reader, &diag) < 0)
        return tool_usage(t, "%s", diag.text);
    if (t->host->catch_stop(t->host, on_stop, r, &diag) < 0) {
        group_reader_free(r->reader);
        return tool_fail(t, EXIT_FAILED, "%s", diag.text);
    }
    kafka_event(t, "startup_complete");
    struct driver_user user = {.step = run_step, .next_ms = run_next_ms, .user = r};
    driver_set_user(d, &user);
    driver_run(d, &r->done);
    driver_set_user(d, NULL);
    group_reader_free(r->reader);
    mem_free(r->parts);
    kafka_event(t, "shutdown_complete");
    if (!r->asked_to_stop)
        kafka_event(t, "shutdown_requested");
    t->host->catch_stop(t->host, NULL, NULL, NULL);
    return r->status;
}

// The flags win over the file, as in Kafka's tool.
static int read_settings(struct tool *t, struct properties *p)
{
    static const struct {
        int flag;
        const char *key;
    } settings[] = {
        {GROUP_PROTOCOL, "group.protocol"},       {GROUP_ID, "group.id"},
        {GROUP_INSTANCE_ID, "group.instance.id"}, {SESSION_TIMEOUT, "session.timeout.ms"},
        {RESET_POLICY, "auto.offset.reset"},
    };
    const struct flags *f = &t->flags;
    int file = flags_given(f, COMMAND_CONFIG) ? COMMAND_CONFIG : CONSUMER_CONFIG;
    int status = kafka_properties_read(t, flags_text(f, file), p);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (flags_text(f, settings[i].flag) != NULL)
            properties_set(p, str_from(settings[i].key), str_from(flags_text(f, settings[i].flag)), 0);
    properties_set(p, str_from("enable.auto.commit"),
                   str_from(flags_given(f, ENABLE_AUTOCOMMIT) ? "true" : "false"), 0);
    bool is_consumer = str_equal_nocase(str_from(flags_text(f, GROUP_PROTOCOL)), str_from("consumer"));
    int assignor = is_consumer ? GROUP_REMOTE_ASSIGNOR : ASSIGNMENT_STRATEGY;
    if (flags_text(f, assignor) != NULL)
        properties_set(p, str_from(is_consumer ? "group.remote.assignor" : "partition.assignment.strategy"),
                       str_from(flags_text(f, assignor)), 0);
    return status;
}

static int verifiable_main(struct tool *t)
{
    const struct flags *f = &t->flags;
    if (!flags_given(f, TOPIC))
        return tool_usage(t, "argument --topic is required");
    if (!flags_given(f, GROUP_ID))
        return tool_usage(t, "argument --group-id is required");
    if (flags_given(f, COMMAND_CONFIG) && flags_given(f, CONSUMER_CONFIG))
        return tool_usage(t, "Options --consumer.config and --command-config are mutually exclusive.");
    int64_t max = flags_number(f, MAX_MESSAGES);
    struct run r = {.tool = t,
                    .topic = str_from(flags_text(f, TOPIC)),
                    .record_max = max >= 0 ? max : INT64_MAX,
                    .stop_ms = INT64_MAX};
    struct group_reader_options options;
    struct properties p;
    int status = read_settings(t, &p);
    if (status == EXIT_OK)
        status = kafka_consumer_options(t, &p, &options);
    if (status == EXIT_OK)
        status = kafka_connect(t, flags_text(f, BOOTSTRAP), &p);
    if (status == EXIT_OK)
        status = run_connected(t, &r, &options);
    properties_release(&p);
    return status;
}

const struct command alias_verifiable_consumer = {
    .name = "kafka-verifiable-consumer",
    .arguments = "",
    .summary = "Consume a topic as a member of a group, and print what happens.",
    .text = "Prints a JSON object a line: startup_complete, partitions_assigned, partitions_revoked,\n"
            "records_consumed, record_data, offsets_committed, shutdown_requested, shutdown_complete.\n"
            "SIGTERM or Ctrl-C ends it orderly.\n"
            "\n"
            "Example:\n"
            "  kafka-verifiable-consumer --bootstrap-server localhost:9092 --topic test \\\n"
            "      --group-id checkers --group-protocol consumer",
    COMMAND_FLAGS(verifiable_flags),
    .mode = FLAGS_ABBREVIATED,
    .run = verifiable_main,
};

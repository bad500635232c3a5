// SPDX-License-Identifier: Apache-2.0
#include "tools/sender.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "tools/common.h"
#include "tools/input.h"
#include "wire/errors.h"

enum { LINE_SHOWN_MAX = 60, FAILURES_SHOWN_MAX = 20 };

struct run {
    struct sender *sender;
    struct tool *tool;
    struct input *input;
    struct producer *producer;
    int64_t line_number;
    bool prompted; // for the line that is waited for
    bool ended;    // no more lines are taken
    bool done;
    bool stopped;
    int status;
};

static void run_fail(struct run *r, int status)
{
    if (r->status == EXIT_OK)
        r->status = status;
}

// The beginning of a record's value, printable.
static void show_value(struct bytes value, char *out, size_t size)
{
    size_t n = 0;
    if (value.data == NULL) {
        out[0] = '\0';
        return;
    }
    for (size_t i = 0; i < value.size && n < LINE_SHOWN_MAX && n + 8 < size; i++) {
        uint8_t c = value.data[i];
        out[n++] = (char)(c < 0x20 || c == 0x7f ? '.' : c);
    }
    snprintf(out + n, size - n, "%s", value.size > n ? "..." : "");
}

static void say_failure(struct run *r, const struct produce_result *result)
{
    char value[LINE_SHOWN_MAX + 8], what[160];
    show_value(result->value, value, sizeof value);
    snprintf(what, sizeof what, "line %llu%s%s%s", (unsigned long long)result->tag,
             value[0] != '\0' ? " \"" : "", value, value[0] != '\0' ? "\"" : "");
    if (result->err == ERR_TIMEOUT)
        run_fail(r, tool_fail(r->tool, EXIT_UNREACHABLE, "%s: not delivered in time (%s)", what,
                              client_trouble(driver_client(r->tool->driver))));
    else if (result->err != 0)
        run_fail(r, tool_fail(r->tool, EXIT_FAILED, "%s: %s", what, err_text(result->err)));
    else
        run_fail(r, tool_fail_code(r->tool, what, result->code, result->message));
}

static void on_result(void *user, const struct produce_result *result)
{
    struct run *r = user;
    struct sender *s = r->sender;
    if (result->code == 0 && result->err == 0) {
        s->delivered_count++;
        if (s->delivered != NULL)
            s->delivered(s->user, result);
        return;
    }
    if (result->err == ERR_REFUSED) {
        if (s->failed_count++ == 0)
            run_fail(r, tool_fail_call(r->tool, ERR_REFUSED));
        r->ended = true;
        return;
    }
    if (s->failed_count++ < FAILURES_SHOWN_MAX)
        say_failure(r, result);
}

static void show_prompt(struct run *r)
{
    if (!r->sender->prompt || r->prompted)
        return;
    r->prompted = true;
    buf_append_text(&r->tool->out.buf, r->sender->prompt_text);
    sink_flush(&r->tool->out);
}

// Takes one line; false when there is none now or ever.
static bool take_line(struct run *r, int64_t now_ms)
{
    struct str line;
    struct diag diag;
    int got = input_line(r->input, &line);
    if (got == 0) {
        show_prompt(r);
        return false;
    }
    if (got < 0) {
        r->ended = true;
        if (got != ERR_CLOSED)
            run_fail(r, tool_fail(r->tool, EXIT_FAILED, "line %lld: %s",
                                  (long long)r->line_number + 1, err_text(got)));
        return false;
    }
    struct produce_record record = {
        .topic = r->sender->topic, .partition = -1, .tag = (uint64_t)r->line_number + 1};
    record.timestamp_ms = driver_wall_ms(r->tool->driver);
    diag_clear(&diag);
    switch (r->sender->parse(r->sender->user, line, r->line_number + 1, &record, &diag)) {
    case SENDER_ERROR:
        r->ended = true;
        run_fail(r, tool_fail(r->tool, EXIT_FAILED, "%s", diag.text));
        return false;
    case SENDER_SKIP:
        break;
    case SENDER_RECORD: {
        int err = producer_add(r->producer, &record, now_ms);
        if (err == ERR_AGAIN) {
            input_unread(r->input);
            return false;
        }
        if (err < 0) {
            r->sender->failed_count++;
            run_fail(r, tool_fail(r->tool, EXIT_FAILED, "line %lld: %zu bytes are too many",
                                  (long long)r->line_number + 1, line.size));
        }
        break;
    }
    }
    r->line_number++;
    r->prompted = false;
    return true;
}

static void run_step(void *user, int64_t now_ms)
{
    struct run *r = user;
    bool wait = r->sender->one_by_one;
    while (!r->ended && !(wait && producer_pending(r->producer) > 0) && take_line(r, now_ms))
        ;
    if (r->ended || wait)
        producer_flush(r->producer, now_ms);
    else
        producer_on_time(r->producer, now_ms);
    sink_flush(&r->tool->out);
    if (r->ended && producer_pending(r->producer) == 0)
        r->done = true;
}

static int64_t run_next_ms(void *user)
{
    const struct run *r = user;
    return producer_next_ms(r->producer);
}

// The first time: what was read is sent. The second time the process ends.
static void on_stop(void *context)
{
    struct run *r = context;
    r->ended = r->stopped = true;
}

static int check_topic(struct tool *t, struct str name)
{
    const struct topology_topic *topic =
        topology_topic(client_topology(driver_client(t->driver)), name);
    char what[300];
    snprintf(what, sizeof what, "topic \"%.*s\"", STR_ARG(name));
    if (topic == NULL || topic->error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION) {
        int status = tool_no_such_topic(t, name);
        tool_warn(t, "the broker does not create topics by itself (auto.create.topics.enable): "
                     "use 'chitin topic create %.*s'",
                  STR_ARG(name));
        return status;
    }
    if (topic->error != 0)
        return tool_fail_code(t, what, topic->error, (struct str){0});
    return EXIT_OK;
}

static void summarize(struct run *r)
{
    const struct sender *s = r->sender;
    if (s->failed_count > FAILURES_SHOWN_MAX)
        tool_warn(r->tool, "%lld more records failed",
                  (long long)(s->failed_count - FAILURES_SHOWN_MAX));
    if (s->failed_count > 0)
        tool_warn(r->tool, "%lld of %lld records were not delivered", (long long)s->failed_count,
                  (long long)(s->failed_count + s->delivered_count));
}

int sender_run(struct sender *s)
{
    struct tool *t = s->tool;
    struct driver *d = t->driver;
    struct run run = {.sender = s, .tool = t};
    struct diag diag;
    diag_clear(&diag);
    if (producer_new(driver_client(d), &s->options, on_result, &run, &run.producer, &diag) < 0)
        return tool_usage(t, "%s", diag.text);
    int status = EXIT_OK;
    int err = driver_wait_topic(d, s->topic, s->options.create_topics);
    if (err < 0)
        status = tool_fail_call(t, err);
    else
        status = check_topic(t, s->topic);
    if (status == EXIT_OK && t->host->catch_stop(t->host, on_stop, &run, &diag) < 0)
        status = tool_fail(t, EXIT_FAILED, "%s", diag.text);
    if (status == EXIT_OK) {
        struct driver_user user = {.step = run_step, .next_ms = run_next_ms, .user = &run};
        run.input = input_new(t);
        driver_set_user(d, &user);
        driver_run(d, &run.done);
        driver_set_user(d, NULL);
        summarize(&run);
        status = run.status;
        input_free(run.input);
        t->host->catch_stop(t->host, NULL, NULL, NULL);
    }
    producer_free(run.producer);
    return status;
}

// SPDX-License-Identifier: Apache-2.0
#include "tools/consumer.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "tools/common.h"
#include "wire/errors.h"

struct run {
    struct consumer *consumer;
    struct tool *tool;
    struct fetcher *fetcher;
    int64_t idle_since_ms;
    struct consumer_trouble trouble;
    int status;
    bool done;
};

static void run_end(struct run *r, int status)
{
    r->done = true;
    if (r->status == EXIT_OK)
        r->status = status;
}

static const char *event_text(const struct fetch_event *e)
{
    return e->code != 0 ? kafka_error_text(e->code) : err_text(e->err);
}

void consumer_warn_trouble(struct tool *t, const struct fetch_event *e, struct consumer_trouble *last)
{
    struct consumer_trouble now;
    snprintf(now.text, sizeof now.text, "%.*s[%d]: %s Trying again.", STR_ARG(e->topic), e->partition,
             event_text(e));
    if (strcmp(now.text, last->text) == 0)
        return;
    *last = now;
    tool_warn(t, "%s", now.text);
}

void consumer_warn_reset(struct tool *t, const struct fetch_event *e)
{
    tool_warn(t,
              "%.*s[%d]: offset %lld is not in the log (deleted by retention, or not written yet); "
              "going on at %lld",
              STR_ARG(e->topic), e->partition, (long long)e->offset, (long long)e->value);
}

int consumer_fail_fetch(struct tool *t, const struct fetch_event *e)
{
    char what[300];
    snprintf(what, sizeof what, "%.*s[%d]", STR_ARG(e->topic), e->partition);
    if (e->code == 0 && e->err == ERR_CORRUPT)
        return tool_fail(t, EXIT_FAILED, "%s: damaged records at offset %lld; go on behind them with -o",
                         what, (long long)e->offset);
    if (e->code == 0)
        return tool_fail_call(t, e->err);
    return tool_fail_code(t, what, e->code, (struct str){0});
}

static void on_event(void *user, const struct fetch_event *e)
{
    struct run *r = user;
    if (e->kind == FETCH_RESET)
        consumer_warn_reset(r->tool, e);
    else if (e->kind == FETCH_TROUBLE)
        consumer_warn_trouble(r->tool, e, &r->trouble);
    else if (e->kind == FETCH_FAILED)
        run_end(r, consumer_fail_fetch(r->tool, e));
}

static void run_step(void *user, int64_t now_ms)
{
    struct run *r = user;
    struct consumer *c = r->consumer;
    struct sink *out = &r->tool->out;
    fetcher_on_time(r->fetcher, now_ms);
    struct fetched record;
    bool any = false;
    while (!r->done && c->count != c->count_max && !out->broken &&
           fetcher_next(r->fetcher, &record, now_ms) == 1) {
        c->print(c->user, &record, c->count, &out->buf);
        c->count++;
        any = true;
        sink_flush_if_large(out);
    }
    if (any) {
        r->idle_since_ms = now_ms;
        r->trouble.text[0] = '\0';
        sink_flush(out);
    }
    if (c->count == c->count_max || out->broken || fetcher_active(r->fetcher) == 0)
        run_end(r, EXIT_OK);
    if (c->idle_ms_max >= 0 && now_ms - r->idle_since_ms >= c->idle_ms_max && !r->done) {
        c->idle = true;
        run_end(r, EXIT_OK);
    }
}

static int64_t run_next_ms(void *user)
{
    const struct run *r = user;
    int64_t next_ms = fetcher_next_ms(r->fetcher);
    int64_t idle_ms = r->consumer->idle_ms_max;
    if (idle_ms >= 0 && r->idle_since_ms + idle_ms < next_ms)
        next_ms = r->idle_since_ms + idle_ms;
    return next_ms;
}

static void on_stop(void *context)
{
    struct run *r = context;
    r->consumer->stopped = true;
    r->done = true;
}

static bool is_wanted(const struct consumer *c, int32_t partition)
{
    for (int i = 0; i < c->partition_count; i++)
        if (c->partitions[i] == partition)
            return true;
    return c->partitions == NULL;
}

// Adds the partitions of a topic; an exit status.
static int add_topic(struct run *r, struct str name)
{
    struct consumer *c = r->consumer;
    const struct topology *topology = client_topology(driver_client(r->tool->driver));
    const struct topology_topic *topic = topology_topic(topology, name);
    char what[300];
    snprintf(what, sizeof what, "topic \"%.*s\"", STR_ARG(name));
    if (topic == NULL || topic->error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
        return tool_no_such_topic(r->tool, name);
    if (topic->error != 0)
        return tool_fail_code(r->tool, what, topic->error, (struct str){0});
    for (int i = 0; i < c->partition_count; i++)
        if (c->partitions[i] < 0 || c->partitions[i] >= topic->partition_count)
            return tool_fail(r->tool, EXIT_NOT_FOUND, "%s has partitions 0 to %d, not %d", what,
                             topic->partition_count - 1, c->partitions[i]);
    int64_t now_ms = driver_now_ms(r->tool->driver);
    for (int32_t i = 0; i < topic->partition_count; i++)
        if (is_wanted(c, i))
            fetcher_add(r->fetcher, name, i, c->position, c->limit, now_ms);
    return EXIT_OK;
}

int consumer_run(struct consumer *c)
{
    struct tool *t = c->tool;
    struct driver *d = t->driver;
    struct run run = {.consumer = c, .tool = t};
    struct diag diag;
    diag_clear(&diag);
    if (t->host->catch_stop(t->host, on_stop, &run, &diag) < 0)
        return tool_fail(t, EXIT_FAILED, "%s", diag.text);
    for (int i = 0; i < c->topic_count; i++) {
        int err = driver_wait_topic(d, c->topics[i], c->create_topics);
        if (err < 0)
            return tool_fail_call(t, err);
    }
    run.fetcher = fetcher_new(driver_client(d), &c->options, on_event, &run);
    int status = EXIT_OK;
    for (int i = 0; i < c->topic_count && status == EXIT_OK; i++)
        status = add_topic(&run, c->topics[i]);
    run.idle_since_ms = driver_now_ms(d);
    if (status == EXIT_OK) {
        struct driver_user user = {.step = run_step, .next_ms = run_next_ms, .user = &run};
        driver_set_user(d, &user);
        driver_run(d, &run.done);
        driver_set_user(d, NULL);
        status = run.status;
    }
    sink_flush(&t->out);
    t->host->catch_stop(t->host, NULL, NULL, NULL);
    fetcher_free(run.fetcher);
    return status;
}

// SPDX-License-Identifier: Apache-2.0
#include "tools/group_consumer.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "env/env.h"
#include "env/random.h"
#include "tools/common.h"
#include "wire/errors.h"

// How long leaving may take. Who presses Ctrl-C waits for it.
enum { LEAVE_TIMEOUT_MS = 5000 };

struct run {
    struct group_consumer *consumer;
    struct tool *tool;
    struct group_reader *reader;
    int64_t idle_since_ms;
    bool assigned; // at least once
    struct consumer_trouble trouble;
    int status;
    bool ending;
    bool done;
};

static void run_end(struct run *r, int status)
{
    r->ending = true;
    if (r->status == EXIT_OK)
        r->status = status;
}

// Writes out what was printed; what is written is done with.
static void settle(struct run *r)
{
    sink_flush(&r->tool->out);
    if (r->tool->out.broken)
        return;
    group_reader_accept(r->reader);
    if (r->consumer->commit_each)
        group_member_commit(group_reader_member(r->reader));
}

// --- Events ---

static void say_partitions(struct run *r, const char *what, const struct group_member_event *e)
{
    struct buf *b = &r->tool->err.buf;
    if (!r->consumer->verbose)
        return;
    buf_printf(b, "%s", what);
    for (int i = 0; i < e->count; i++) {
        bool same = i > 0 && str_equal(e->positions[i].topic, e->positions[i - 1].topic);
        if (same)
            buf_printf(b, ",%d", e->positions[i].partition);
        else
            buf_printf(b, "%s %.*s[%d", i > 0 ? "]" : "", STR_ARG(e->positions[i].topic),
                       e->positions[i].partition);
    }
    buf_append_text(b, e->count > 0 ? "]\n" : " nothing\n");
    sink_flush(&r->tool->err);
}

static void say_trouble(struct run *r, const struct group_member_event *e)
{
    struct consumer_trouble now;
    // A rebalance or a new coordinator is everyday life; what lasts shows in what is not read.
    if (!r->consumer->verbose)
        return;
    snprintf(now.text, sizeof now.text, "group \"%s\": %s Trying again.",
             r->consumer->options.member.group_id,
             e->code != 0 ? kafka_error_text(e->code) : err_text(e->err));
    if (strcmp(now.text, r->trouble.text) != 0)
        tool_warn(r->tool, "%s", now.text);
    r->trouble = now;
}

static void say_refused_commits(struct run *r, const struct group_member_event *e)
{
    for (int i = 0; i < e->count; i++)
        if (e->positions[i].code != 0 && !kafka_error_is_retriable(e->positions[i].code))
            tool_warn(r->tool, "%.*s[%d]: offset %lld was not committed: %s",
                      STR_ARG(e->positions[i].topic), e->positions[i].partition,
                      (long long)e->positions[i].offset, kafka_error_text(e->positions[i].code));
}

static int fail_member(struct run *r, const struct group_member_event *e)
{
    char what[300];
    if (e->code == 0)
        return tool_fail_call(r->tool, e->err);
    snprintf(what, sizeof what, "group \"%s\"", r->consumer->options.member.group_id);
    return tool_fail_code(r->tool, what, e->code, e->text);
}

static void on_member(struct run *r, const struct group_member_event *e)
{
    switch (e->kind) {
    case GROUP_MEMBER_ASSIGNED:
        if (!r->assigned && !r->consumer->idle_from_start)
            r->idle_since_ms = driver_now_ms(r->tool->driver);
        r->assigned = true;
        say_partitions(r, "assigned", e);
        break;
    case GROUP_MEMBER_REVOKED:
        settle(r);
        say_partitions(r, "revoked", e);
        break;
    case GROUP_MEMBER_LOST:
        say_partitions(r, "lost", e);
        break;
    case GROUP_MEMBER_COMMITTED:
        say_refused_commits(r, e);
        break;
    case GROUP_MEMBER_TROUBLE:
        say_trouble(r, e);
        break;
    case GROUP_MEMBER_FAILED:
        run_end(r, fail_member(r, e));
        break;
    case GROUP_MEMBER_POSITIONS:
        break;
    }
}

static void on_event(void *user, const struct group_reader_event *e)
{
    struct run *r = user;
    switch (e->kind) {
    case GROUP_READER_MEMBER:
        on_member(r, e->member);
        break;
    case GROUP_READER_FETCH:
        if (e->fetch->kind == FETCH_RESET)
            consumer_warn_reset(r->tool, e->fetch);
        else
            consumer_warn_trouble(r->tool, e->fetch, &r->trouble);
        break;
    case GROUP_READER_NO_OFFSET:
        run_end(r, tool_fail(r->tool, EXIT_FAILED,
                             "%.*s[%d]: the group has no offset that is in the log%s",
                             STR_ARG(e->fetch->topic), e->fetch->partition,
                             r->consumer->no_offset_fix));
        break;
    case GROUP_READER_FAILED:
        run_end(r, consumer_fail_fetch(r->tool, e->fetch));
        break;
    }
}

static void on_stop(void *context)
{
    struct run *r = context;
    r->consumer->stopped = true;
    r->ending = true;
}

// --- Steps ---

static void read_records(struct run *r, int64_t now_ms)
{
    struct group_consumer *c = r->consumer;
    struct sink *out = &r->tool->out;
    struct fetched record;
    bool any = false;
    while (!r->ending && c->count != c->count_max && !out->broken &&
           group_reader_next(r->reader, &record, now_ms) == 1) {
        c->print(c->user, &record, c->count, &out->buf);
        c->count++;
        any = true;
        sink_flush_if_large(out);
    }
    if (any) {
        r->idle_since_ms = now_ms;
        r->trouble.text[0] = '\0';
        settle(r);
    }
    if (c->count == c->count_max || out->broken)
        r->ending = true;
}

static bool counts_idle(const struct run *r)
{
    return r->consumer->idle_ms_max >= 0 && !r->ending &&
           (r->assigned || r->consumer->idle_from_start);
}

static void run_step(void *user, int64_t now_ms)
{
    struct run *r = user;
    struct group_consumer *c = r->consumer;
    group_reader_on_time(r->reader, now_ms);
    if (!r->ending)
        read_records(r, now_ms);
    if (counts_idle(r) && now_ms - r->idle_since_ms >= c->idle_ms_max)
        c->idle = r->ending = true;
    if (r->ending) {
        group_reader_leave(r->reader, now_ms);
        r->done = group_reader_has_ended(r->reader);
    }
}

static int64_t run_next_ms(void *user)
{
    const struct run *r = user;
    int64_t next_ms = group_reader_next_ms(r->reader);
    int64_t idle_ms = r->consumer->idle_ms_max;
    if (counts_idle(r) && r->idle_since_ms + idle_ms < next_ms)
        next_ms = r->idle_since_ms + idle_ms;
    return next_ms;
}

static int start(struct run *r)
{
    struct group_consumer *c = r->consumer;
    struct tool *t = r->tool;
    struct driver *d = t->driver;
    struct diag diag;
    diag_clear(&diag);
    if (t->host->catch_stop(t->host, on_stop, r, &diag) < 0)
        return tool_fail(t, EXIT_FAILED, "%s", diag.text);
    c->options.wall_ahead_ms = driver_wall_ms(d) - driver_now_ms(d);
    c->options.member.member_id = env_random_uuid(driver_env(d)->random);
    c->options.member.leave_timeout_ms = LEAVE_TIMEOUT_MS;
    if (group_reader_new(driver_client(d), &c->options, on_event, r, &r->reader, &diag) < 0)
        return tool_usage(t, "%s", diag.text);
    r->idle_since_ms = driver_now_ms(d);
    return EXIT_OK;
}

int group_consumer_run(struct group_consumer *c)
{
    struct tool *t = c->tool;
    struct run r = {.consumer = c, .tool = t};
    int status = start(&r);
    if (status == EXIT_OK) {
        struct driver_user user = {.step = run_step, .next_ms = run_next_ms, .user = &r};
        driver_set_user(t->driver, &user);
        driver_run(t->driver, &r.done);
        driver_set_user(t->driver, NULL);
        status = r.status;
    }
    sink_flush(&t->out);
    t->host->catch_stop(t->host, NULL, NULL, NULL);
    group_reader_free(r.reader);
    return status;
}

// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/mailbox.h"
#include "env/random.h"
#include "env/timer.h"
#include "env/work.h"
#include "os/loop.h"
#include "os/process.h"

static struct os_loop *make_loop(const struct os_loop_options *options)
{
    struct os_loop *loop = NULL;
    struct diag diag;
    assert_int_equal(os_loop_new(options, &loop, &diag), 0);
    return loop;
}

// --- timers

struct timer_case {
    struct env_timer timer;
    struct os_loop *loop;
    char name;
    char *log;
    int again_count;
};

static void timer_fired(struct env_timer *timer)
{
    struct timer_case *t = container_of(timer, struct timer_case, timer);
    size_t size = strlen(t->log);
    t->log[size] = t->name;
    t->log[size + 1] = '\0';
    if (t->again_count-- > 0)
        env_timer_set(os_loop_env(t->loop)->timers, timer, 0);
}

static void test_timers_fire_in_order(void **state)
{
    struct os_loop *loop = make_loop(NULL);
    struct env *env = os_loop_env(loop);
    char log[16] = "";
    int64_t now = env_mono_ns(env->clock);
    struct timer_case a = {.timer.fire = timer_fired, .name = 'a', .log = log};
    struct timer_case b = {.timer.fire = timer_fired, .name = 'b', .log = log};
    struct timer_case c = {.timer.fire = timer_fired, .name = 'c', .log = log};
    env_timer_set(env->timers, &c.timer, now + 3000000);
    env_timer_set(env->timers, &a.timer, now + 50000000);
    env_timer_set(env->timers, &a.timer, now + 1000000); // replaces
    env_timer_set(env->timers, &b.timer, now + 2000000);
    env_timer_cancel(env->timers, &b.timer);
    env_timer_cancel(env->timers, &b.timer);
    assert_false(env_timer_is_set(&b.timer));
    while (strlen(log) < 2)
        os_loop_step(loop, true);
    assert_string_equal(log, "ac");
    assert_true(env_mono_ns(env->clock) >= now + 3000000); // never early
    assert_false(os_loop_step(loop, false));
    os_loop_free(loop);
}

// A timer that sets itself to a time that has passed fires once per round, not forever.
static void test_timer_set_in_its_callback_waits_for_the_next_round(void **state)
{
    struct os_loop *loop = make_loop(NULL);
    char log[16] = "";
    struct timer_case t = {
        .timer.fire = timer_fired, .loop = loop, .name = 't', .log = log, .again_count = 2};
    env_timer_set(os_loop_env(loop)->timers, &t.timer, 0);
    os_loop_step(loop, false);
    assert_string_equal(log, "t");
    os_loop_step(loop, false);
    os_loop_step(loop, false);
    os_loop_step(loop, false);
    assert_string_equal(log, "ttt");
    os_loop_free(loop);
}

// --- messages

struct numbered {
    struct env_message message;
    struct counter *counter;
    int number;
};

struct counter {
    struct os_loop *loop;
    int seen;
    int expected;
    int wrong;
    struct numbered extra;
};

static void count_message(struct env_message *message)
{
    struct numbered *n = container_of(message, struct numbered, message);
    struct counter *c = n->counter;
    c->wrong += n->number != c->seen;
    if (++c->seen == c->expected)
        os_loop_stop(c->loop);
}

enum { MESSAGES = 20000 };

static void *post_all(void *argument)
{
    struct numbered *messages = argument;
    struct env_mailbox *mailbox = os_loop_env(messages[0].counter->loop)->mailbox;
    for (int i = 0; i < MESSAGES; i++)
        env_post(mailbox, &messages[i].message);
    return NULL;
}

static void messages_from_a_thread(int64_t spin_ns)
{
    struct os_loop_options options = {.spin_ns = spin_ns};
    struct counter counter = {.loop = make_loop(&options), .expected = MESSAGES};
    struct numbered *messages = calloc(MESSAGES, sizeof *messages);
    for (int i = 0; i < MESSAGES; i++)
        messages[i] = (struct numbered){
            .message.receive = count_message, .counter = &counter, .number = i};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_all, messages), 0);
    os_loop_run(counter.loop);
    pthread_join(thread, NULL);
    assert_int_equal(counter.seen, MESSAGES);
    assert_int_equal(counter.wrong, 0); // of one sender: in order
    os_loop_free(counter.loop);
    free(messages);
}

static void test_messages_from_another_thread(void **state)
{
    messages_from_a_thread(0);
    messages_from_a_thread(20000);
}

// Ping-pong between two loops: each message finds the other loop asleep, or about to be.
struct player {
    struct env_message message;
    struct os_loop *loop;
    struct player *other;
    int count;
};

static void play(struct env_message *message)
{
    struct player *p = container_of(message, struct player, message);
    if (--p->count <= 0) {
        os_loop_stop(p->loop);
        os_loop_stop(p->other->loop);
        return;
    }
    env_post(os_loop_env(p->other->loop)->mailbox, &p->other->message);
}

static void *run_loop(void *loop)
{
    os_loop_run(loop);
    return NULL;
}

static void test_no_wake_up_is_lost(void **state)
{
    struct player a = {.message.receive = play, .loop = make_loop(NULL), .count = 3000};
    struct player b = {.message.receive = play, .loop = make_loop(NULL), .count = 3000};
    pthread_t thread;
    a.other = &b;
    b.other = &a;
    assert_int_equal(pthread_create(&thread, NULL, run_loop, b.loop), 0);
    env_post(os_loop_env(a.loop)->mailbox, &a.message);
    os_loop_run(a.loop);
    pthread_join(thread, NULL);
    assert_int_equal(a.count, 0);
    os_loop_free(a.loop);
    os_loop_free(b.loop);
}

static void post_extra(struct env_message *message)
{
    struct numbered *n = container_of(message, struct numbered, message);
    struct counter *c = n->counter;
    c->extra = (struct numbered){.message.receive = count_message, .counter = c, .number = 0};
    env_post(os_loop_env(c->loop)->mailbox, &c->extra.message);
    c->wrong += c->seen; // it must not have been received inside post
}

static void test_post_to_oneself_runs_later(void **state)
{
    struct counter counter = {.loop = make_loop(NULL), .expected = 1};
    struct numbered first = {.message.receive = post_extra, .counter = &counter};
    env_post(os_loop_env(counter.loop)->mailbox, &first.message);
    os_loop_run(counter.loop);
    assert_int_equal(counter.seen, 1);
    assert_int_equal(counter.wrong, 0);
    os_loop_free(counter.loop);
}

// --- works

struct job {
    struct env_work work;
    struct jobs *jobs;
    pthread_t ran_on;
    int value;
};

enum { JOBS = 500 };

struct jobs {
    struct os_loop *loop;
    pthread_t loop_thread;
    struct job items[JOBS];
    int done_count;
    int wrong;
    pthread_mutex_t gate;
};

static void job_run(struct env_work *work)
{
    struct job *j = container_of(work, struct job, work);
    j->ran_on = pthread_self();
    j->value++; // the worker's alone: a race would show under TSan
}

static void job_done(struct env_work *work)
{
    struct job *j = container_of(work, struct job, work);
    struct jobs *jobs = j->jobs;
    jobs->wrong += j->value != 1 || pthread_equal(j->ran_on, jobs->loop_thread) ||
                   !pthread_equal(pthread_self(), jobs->loop_thread);
    if (++jobs->done_count == JOBS)
        os_loop_stop(jobs->loop);
}

static void test_works_run_elsewhere_and_end_here(void **state)
{
    struct jobs *jobs = calloc(1, sizeof *jobs);
    jobs->loop = make_loop(NULL);
    jobs->loop_thread = pthread_self();
    for (int i = 0; i < JOBS; i++) {
        jobs->items[i] = (struct job){.work = {.run = job_run, .done = job_done}, .jobs = jobs};
        env_work_submit(os_loop_env(jobs->loop)->workers, &jobs->items[i].work);
    }
    os_loop_run(jobs->loop);
    assert_int_equal(jobs->done_count, JOBS);
    assert_int_equal(jobs->wrong, 0);
    os_loop_free(jobs->loop);
    free(jobs);
}

// Two works that wait for each other end only if they run at the same time.
struct meeting {
    struct env_work work;
    pthread_barrier_t *barrier;
    struct os_loop *loop;
    int *left;
};

static void meet(struct env_work *work)
{
    pthread_barrier_wait(container_of(work, struct meeting, work)->barrier);
}

static void met(struct env_work *work)
{
    struct meeting *m = container_of(work, struct meeting, work);
    if (--*m->left == 0)
        os_loop_stop(m->loop);
}

static void test_works_run_side_by_side(void **state)
{
    struct os_loop_options options = {.worker_count_max = 3};
    struct os_loop *loop = make_loop(&options);
    pthread_barrier_t barrier;
    int left = 3;
    struct meeting meetings[3];
    pthread_barrier_init(&barrier, NULL, 3);
    for (int i = 0; i < 3; i++) {
        meetings[i] = (struct meeting){
            .work = {.run = meet, .done = met}, .barrier = &barrier, .loop = loop, .left = &left};
        env_work_submit(os_loop_env(loop)->workers, &meetings[i].work);
    }
    os_loop_run(loop);
    os_loop_free(loop);
    pthread_barrier_destroy(&barrier);
}

struct favour {
    struct env_work work;
    sem_t *done;
    struct os_loop *loop;
    int *left;
};

static void favour_run(struct env_work *work)
{
    struct favour *f = container_of(work, struct favour, work);
    if (work->bulk)
        sem_wait(f->done);
    else
        sem_post(f->done);
}

static void favour_done(struct env_work *work)
{
    struct favour *f = container_of(work, struct favour, work);
    if (--*f->left == 0)
        os_loop_stop(f->loop);
}

// A turn beside another work is short, though it is not kept for long; one alone is long.
struct turn {
    struct env_work work;
    struct os_loop *loop;
    pthread_barrier_t *barrier;
    int *left; // works not done
    int bytes;
};

static void turn_run(struct env_work *work)
{
    struct turn *t = container_of(work, struct turn, work);
    if (t->barrier != NULL)
        pthread_barrier_wait(t->barrier); // the other one is under way
    if (work->bulk)
        t->bytes = env_work_turn(os_loop_env(t->loop)->workers);
    if (t->barrier != NULL)
        pthread_barrier_wait(t->barrier); // ... and stays so for the whole turn
}

static void turn_done(struct env_work *work)
{
    struct turn *t = container_of(work, struct turn, work);
    if (--*t->left == 0)
        os_loop_stop(t->loop);
}

static void test_bulk_works_let_others_go_first(void **state)
{
    struct os_loop *loop = make_loop(NULL);
    pthread_barrier_t barrier;
    int left = 1;
    struct turn alone = {
        .work = {.run = turn_run, .done = turn_done, .bulk = true}, .loop = loop, .left = &left};
    env_work_submit(os_loop_env(loop)->workers, &alone.work);
    os_loop_run(loop);
    assert_int_equal(alone.bytes, ENV_WORK_TURN_MAX);
    pthread_barrier_init(&barrier, NULL, 2);
    struct turn bulk = alone, prompt = alone;
    bulk.barrier = prompt.barrier = &barrier;
    prompt.work.bulk = false;
    left = 2;
    env_work_submit(os_loop_env(loop)->workers, &bulk.work);
    env_work_submit(os_loop_env(loop)->workers, &prompt.work);
    os_loop_run(loop);
    assert_int_equal(bulk.bytes, ENV_WORK_TURN_MIN);
    pthread_barrier_destroy(&barrier);
    os_loop_free(loop);
}

// Bulk works that all wait for plain ones, which come later, end only if they leave a thread to these.
static void test_bulk_works_leave_threads_free(void **state)
{
    struct os_loop_options options = {.worker_count_max = 4};
    struct os_loop *loop = make_loop(&options);
    sem_t done;
    int left = 8;
    struct favour favours[8];
    sem_init(&done, 0, 0);
    for (int i = 0; i < 8; i++) {
        favours[i] = (struct favour){.work = {.run = favour_run, .done = favour_done, .bulk = i < 4},
                                     .done = &done, .loop = loop, .left = &left};
        env_work_submit(os_loop_env(loop)->workers, &favours[i].work);
    }
    os_loop_run(loop);
    assert_int_equal(left, 0);
    os_loop_free(loop);
    sem_destroy(&done);
}

// --- clock, random, process

static void test_clock_and_random(void **state)
{
    struct os_loop *loop = make_loop(NULL);
    struct env *env = os_loop_env(loop);
    uint8_t a[32] = {0}, b[32] = {0};
    int64_t t0 = env_mono_ns(env->clock);
    assert_true(env_wall_ms(env->clock) > INT64_C(1600000000000));
    assert_true(env_mono_ns(env->clock) >= t0);
    env_random_fill(env->random, a, sizeof a);
    env_random_fill(env->random, b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_false(uuid_is_reserved(env_random_uuid(env->random)));
    int64_t started = os_process_started_ns();
    assert_true(started > 0 && started <= env_mono_ns(env->clock));
    os_loop_free(loop);
}

struct ended {
    struct os_loop *loop;
    int signal;
    int count;
};

static void on_terminate(void *context, int signal, int count)
{
    struct ended *e = context;
    e->signal = signal;
    e->count = count;
    if (count == 2)
        os_loop_stop(e->loop);
    else
        kill(getpid(), SIGINT);
}

static void test_signals(void **state)
{
    struct os_loop *loop = make_loop(NULL);
    struct ended ended = {.loop = loop};
    struct os_signals *signals = NULL;
    assert_int_equal(os_signals_new(loop, on_terminate, &ended, &signals, NULL), 0);
    kill(getpid(), SIGHUP); // ignored
    kill(getpid(), SIGTERM);
    os_loop_run(loop);
    assert_int_equal(ended.signal, SIGINT);
    assert_int_equal(ended.count, 2);
    os_signals_free(signals);
    os_loop_free(loop);
}

static void test_file_limit(void **state)
{
    int64_t limit = os_process_raise_file_limit();
    assert_true(limit >= 256);
    assert_int_equal(os_process_raise_file_limit(), limit);
}

static void test_time_format(void **state)
{
    static const struct {
        int64_t wall_ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1, "1970-01-01T00:00:00.001Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {INT64_C(1795277015123), "2026-11-21T16:03:35.123Z"},
        {INT64_C(951826554999), "2000-02-29T12:15:54.999Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[OS_TIME_TEXT_MAX];
        os_time_format(cases[i].wall_ms, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_trace_lines(void **state)
{
    int ends[2];
    char text[4096];
    struct os_trace trace;
    assert_int_equal(pipe(ends), 0);
    os_trace_init(&trace, ends[1], TRACE_INFO);
    trace_debug(&trace.trace, "log", "not shown");
    trace_info(&trace.trace, "log", "opened %d\nlines", 3);
    ssize_t n = read(ends[0], text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(text + 24, " INFO  log: opened 3?lines\n");
    assert_int_equal(text[23], 'Z');
    char *longest = malloc(TRACE_LINE_MAX + 100);
    memset(longest, 'x', TRACE_LINE_MAX + 99);
    longest[TRACE_LINE_MAX + 99] = '\0';
    trace_error(&trace.trace, "an area with a long name", "%s", longest);
    n = read(ends[0], text, sizeof text);
    assert_true(n > TRACE_LINE_MAX);
    assert_int_equal(text[n - 1], '\n');
    free(longest);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_fire_in_order),
        cmocka_unit_test(test_timer_set_in_its_callback_waits_for_the_next_round),
        cmocka_unit_test(test_messages_from_another_thread),
        cmocka_unit_test(test_no_wake_up_is_lost),
        cmocka_unit_test(test_post_to_oneself_runs_later),
        cmocka_unit_test(test_works_run_elsewhere_and_end_here),
        cmocka_unit_test(test_works_run_side_by_side),
        cmocka_unit_test(test_bulk_works_leave_threads_free),
        cmocka_unit_test(test_bulk_works_let_others_go_first),
        cmocka_unit_test(test_clock_and_random),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_file_limit),
        cmocka_unit_test(test_time_format),
        cmocka_unit_test(test_trace_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
//
// Threads for what may block. Works are taken in the order of their submission, but bulk works by no
// more than half of the threads, so that a commit never waits behind somebody's cold reads. A thread is
// started when a work is submitted and none is idle, until the maximum is reached, and then waits for
// more: an idle one costs a few pages. The only lock of the program is here.
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "base/check.h"
#include "base/mem.h"
#include "os/loop_internal.h"

enum { THREADS_MAX = 64, THREAD_STACK_BYTES = 256 * 1024 };

// A bulk work waits for other works this long at most, and none of them for so long means that it may
// have the device for itself.
static const int64_t turn_wait_ns = 10000000;
static const int64_t calm_ns = 100000000;

struct work_queue {
    struct env_work *first;
    struct env_work *last;
};

struct os_workers {
    struct env_workers workers;
    struct os_loop *loop;
    int thread_count_max;
    int unfinished_count; // submitted and not yet done; the loop thread's

    pthread_mutex_t lock; // over everything below
    pthread_cond_t work_came;
    struct work_queue submitted;
    struct work_queue submitted_bulk;
    int bulk_running_count;
    pthread_cond_t prompt_ended; // one that is not bulk; told while turn_waiting_count > 0
    int turn_waiting_count;
    int prompt_count;            // submitted and not ended
    uint64_t prompt_ended_count;
    int64_t prompt_ns;           // when one ended last
    struct work_queue done;
    pthread_t threads[THREADS_MAX];
    int thread_count;
    int idle_count;
    int submitted_count;
    bool ending;

    atomic_bool has_done; // `done` is not empty; lets the loop look without the lock
};

static void queue_push(struct work_queue *q, struct env_work *work)
{
    work->next = NULL;
    if (q->first == NULL)
        q->first = work;
    else
        q->last->next = work;
    q->last = work;
}

static struct env_work *queue_pop(struct work_queue *q)
{
    struct env_work *work = q->first;
    if (work != NULL)
        q->first = work->next;
    return work;
}

// With one thread it does everything.
static int bulk_max(const struct os_workers *w)
{
    return (w->thread_count_max + 1) / 2;
}

// Under the lock.
static struct env_work *take(struct os_workers *w)
{
    struct env_work *work = queue_pop(&w->submitted);
    if (work == NULL && w->bulk_running_count < bulk_max(w)) {
        work = queue_pop(&w->submitted_bulk);
        w->bulk_running_count += work != NULL;
    }
    return work;
}

static int64_t mono_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

// Under the lock.
static void note_ended(struct os_workers *w, const struct env_work *work)
{
    if (work->bulk) {
        w->bulk_running_count--;
        return;
    }
    w->prompt_count--;
    w->prompt_ended_count++;
    w->prompt_ns = mono_ns();
    if (w->turn_waiting_count > 0)
        pthread_cond_broadcast(&w->prompt_ended);
}

// Under the lock. Until one ends that is under way: another may follow at once.
static void wait_for_prompt(struct os_workers *w)
{
    uint64_t ended_count = w->prompt_ended_count;
    int64_t until_ns = mono_ns() + turn_wait_ns;
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    w->turn_waiting_count++;
    while (w->prompt_count > 0 && w->prompt_ended_count == ended_count)
        if (pthread_cond_timedwait(&w->prompt_ended, &w->lock, &until) != 0)
            break;
    w->turn_waiting_count--;
}

static int workers_turn(struct env_workers *workers)
{
    struct os_workers *w = container_of(workers, struct os_workers, workers);
    pthread_mutex_lock(&w->lock);
    bool calm = w->prompt_count == 0 && (w->prompt_ns == 0 || mono_ns() - w->prompt_ns > calm_ns);
    if (w->prompt_count > 0)
        wait_for_prompt(w);
    pthread_mutex_unlock(&w->lock);
    return calm ? ENV_WORK_TURN_MAX : ENV_WORK_TURN_MIN;
}

static void *worker_main(void *argument)
{
    struct os_workers *w = argument;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        struct env_work *work = take(w);
        if (work == NULL && w->ending)
            break;
        if (work == NULL) {
            w->idle_count++;
            pthread_cond_wait(&w->work_came, &w->lock);
            w->idle_count--;
            continue;
        }
        w->submitted_count--;
        pthread_mutex_unlock(&w->lock);
        work->run(work);
        pthread_mutex_lock(&w->lock);
        note_ended(w, work);
        queue_push(&w->done, work);
        atomic_store(&w->has_done, true);
        pthread_mutex_unlock(&w->lock);
        os__loop_wake(w->loop);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

// Under the lock. A thread that cannot be started is not missed while another one runs.
static void start_thread(struct os_workers *w)
{
    sigset_t all;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    pthread_attr_setsigmask_np(&attributes, &all);
    int result = pthread_create(&w->threads[w->thread_count], &attributes, worker_main, w);
    pthread_attr_destroy(&attributes);
    if (result == 0)
        w->thread_count++;
    check(w->thread_count > 0);
}

static void workers_submit(struct env_workers *workers, struct env_work *work)
{
    struct os_workers *w = container_of(workers, struct os_workers, workers);
    w->unfinished_count++;
    pthread_mutex_lock(&w->lock);
    queue_push(work->bulk ? &w->submitted_bulk : &w->submitted, work);
    w->submitted_count++;
    w->prompt_count += !work->bulk;
    if (w->submitted_count > w->idle_count && w->thread_count < w->thread_count_max)
        start_thread(w);
    pthread_cond_signal(&w->work_came);
    pthread_mutex_unlock(&w->lock);
}

bool os__workers_has_done(struct os_workers *w)
{
    return atomic_load(&w->has_done);
}

bool os__workers_run_done(struct os_workers *w)
{
    if (!atomic_load_explicit(&w->has_done, memory_order_relaxed))
        return false;
    pthread_mutex_lock(&w->lock);
    struct work_queue done = w->done;
    w->done = (struct work_queue){0};
    atomic_store(&w->has_done, false);
    pthread_mutex_unlock(&w->lock);
    struct env_work *work;
    while ((work = queue_pop(&done)) != NULL) {
        w->unfinished_count--;
        work->done(work);
    }
    return true;
}

struct os_workers *os__workers_new(struct os_loop *loop, int thread_count_max)
{
    struct os_workers *w = mem_new(struct os_workers);
    w->workers.submit = workers_submit;
    w->workers.turn = workers_turn;
    w->loop = loop;
    w->thread_count_max = thread_count_max < THREADS_MAX ? thread_count_max : THREADS_MAX;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work_came, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->prompt_ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return w;
}

void os__workers_free(struct os_workers *w)
{
    check(w->unfinished_count == 0);
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_broadcast(&w->work_came);
    pthread_mutex_unlock(&w->lock);
    for (int i = 0; i < w->thread_count; i++)
        pthread_join(w->threads[i], NULL);
    pthread_cond_destroy(&w->work_came);
    pthread_cond_destroy(&w->prompt_ended);
    pthread_mutex_destroy(&w->lock);
    mem_free(w);
}

struct env_workers *os__workers_env(struct os_workers *w)
{
    return &w->workers;
}

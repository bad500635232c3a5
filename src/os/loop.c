// SPDX-License-Identifier: Apache-2.0
//
// How a sleeping loop is woken without losing a wake-up and without a system call when it is awake:
// the loop says `sleeping`, then looks at its queues once more, then sleeps; whoever puts something
// into a queue does so first and then takes `sleeping` away, and if it was there writes to the
// eventfd. All four steps are sequentially consistent, so at least one side sees the other. The
// eventfd is edge-triggered and therefore never read.
#include "os/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "os/error.h"
#include "os/loop_internal.h"

enum { LOOP_MAGIC = 0x6f736c70, EVENTS_MAX = 128, WORKERS_DEFAULT = 4 };

// --- clock and random

static int64_t clock_wall_ms(struct env_clock *clock)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t clock_mono_ns(struct env_clock *clock)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void random_fill(struct env_random *random, void *out, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = getrandom((char *)out + done, size - done, 0);
        if (n > 0)
            done += (size_t)n;
        else
            check(errno == EINTR);
    }
}

// --- timers

static void timers_set(struct env_timers *timers, struct env_timer *timer, int64_t mono_ns)
{
    struct os_loop *loop = container_of(timers, struct os_loop, timers);
    heap_remove(&loop->timer_heap, &timer->node);
    heap_insert(&loop->timer_heap, &timer->node, mono_ns);
}

static void timers_cancel(struct env_timers *timers, struct env_timer *timer)
{
    struct os_loop *loop = container_of(timers, struct os_loop, timers);
    heap_remove(&loop->timer_heap, &timer->node);
}

// Fires what is due now. A timer set again by a callback waits for the next round, even if it is
// due already, so that it cannot keep the loop from everything else.
static bool run_timers(struct os_loop *loop)
{
    struct heap_node *node = heap_min(&loop->timer_heap);
    if (node == NULL)
        return false;
    int64_t now_ns = clock_mono_ns(&loop->clock);
    uint64_t order_end = loop->timer_heap.order_next;
    bool busy = false;
    while (node != NULL && node->key <= now_ns && node->order < order_end) {
        struct env_timer *timer = container_of(node, struct env_timer, node);
        heap_remove(&loop->timer_heap, node);
        timer->fire(timer);
        busy = true;
        node = heap_min(&loop->timer_heap);
    }
    return busy;
}

// --- messages

void os__loop_wake(struct os_loop *loop)
{
    if (!atomic_exchange(&loop->sleeping, false))
        return;
    uint64_t one = 1;
    ssize_t n = write(loop->wake.fd, &one, sizeof one);
    check(n == (ssize_t)sizeof one);
}

static void mailbox_post(struct env_mailbox *mailbox, struct env_message *message)
{
    struct os_loop *loop = container_of(mailbox, struct os_loop, mailbox);
    struct env_message *head = atomic_load_explicit(&loop->messages, memory_order_relaxed);
    do
        message->next = head;
    while (!atomic_compare_exchange_weak(&loop->messages, &head, message));
    os__loop_wake(loop);
}

static bool run_messages(struct os_loop *loop)
{
    if (atomic_load_explicit(&loop->messages, memory_order_relaxed) == NULL)
        return false;
    struct env_message *newest = atomic_exchange(&loop->messages, NULL);
    struct env_message *oldest = NULL;
    while (newest != NULL) {
        struct env_message *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        struct env_message *message = oldest;
        oldest = message->next;
        message->next = NULL;
        message->receive(message);
    }
    return true;
}

// --- watches

int os__watch_add(struct os_loop *loop, struct os_watch *watch, int fd, uint32_t epoll_events)
{
    struct epoll_event event = {.events = epoll_events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        return os_error(errno);
    watch->fd = fd;
    return 0;
}

int os__watch_change(struct os_loop *loop, struct os_watch *watch, uint32_t epoll_events)
{
    struct epoll_event event = {.events = epoll_events, .data.ptr = watch};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) == 0 ? 0 : os_error(errno);
}

void os__watch_remove(struct os_loop *loop, struct os_watch *watch)
{
    int result = epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    check(result == 0);
}

void os__watch_close(struct os_watch *watch)
{
    if (watch->fd >= 0)
        close(watch->fd);
    watch->fd = -1;
}

void os__loop_bury(struct os_loop *loop, struct os_corpse *corpse)
{
    list_append(&loop->corpses, &corpse->node);
}

static void free_corpses(struct os_loop *loop)
{
    struct list_node *node;
    while ((node = list_pop(&loop->corpses)) != NULL) {
        struct os_corpse *corpse = container_of(node, struct os_corpse, node);
        corpse->free(corpse);
    }
}

static void wake_event(struct os_watch *watch, uint32_t epoll_events)
{
    // The queues are looked at anyway.
}

// --- sleeping

// Nanoseconds until the first timer; 0 when it is due, -1 when there is none.
static int64_t timer_wait_ns(struct os_loop *loop)
{
    struct heap_node *node = heap_min(&loop->timer_heap);
    if (node == NULL)
        return -1;
    int64_t left_ns = node->key - clock_mono_ns(&loop->clock);
    return left_ns > 0 ? left_ns : 0;
}

static int wait_events(struct os_loop *loop, struct epoll_event *events, int64_t wait_ns)
{
    if (!loop->pwait2_missing && wait_ns > 0) {
        struct timespec ts = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
        int count = epoll_pwait2(loop->epoll_fd, events, EVENTS_MAX, &ts, NULL);
        if (count >= 0 || errno == EINTR)
            return count;
        loop->pwait2_missing = true;
    }
    int wait_ms = -1;
    if (wait_ns >= 0) // rounded up: a timer never fires early
        wait_ms = wait_ns > INT64_C(1000000000000) ? 1000000 : (int)((wait_ns + 999999) / 1000000);
    return epoll_wait(loop->epoll_fd, events, EVENTS_MAX, wait_ms);
}

static bool has_queued(struct os_loop *loop)
{
    return atomic_load(&loop->messages) != NULL || os__workers_has_done(loop->workers) ||
           os__net_has_ready(&loop->net) || atomic_load(&loop->stopping);
}

static bool run_events(struct os_loop *loop, bool may_sleep)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t wait_ns = may_sleep ? timer_wait_ns(loop) : 0;
    if (wait_ns != 0) {
        atomic_store(&loop->sleeping, true);
        if (has_queued(loop))
            wait_ns = 0;
    }
    int count = wait_events(loop, events, wait_ns);
    atomic_store(&loop->sleeping, false);
    for (int i = 0; i < count; i++) {
        struct os_watch *watch = events[i].data.ptr;
        if (watch->fd >= 0)
            watch->event(watch, events[i].events);
    }
    return count > 0;
}

bool os_loop_step(struct os_loop *loop, bool wait)
{
    check(loop->magic == LOOP_MAGIC);
    bool busy = run_messages(loop);
    busy |= os__workers_run_done(loop->workers);
    busy |= run_timers(loop);
    busy |= os__net_run_ready(&loop->net);
    busy |= run_events(loop, wait && !busy);
    free_corpses(loop);
    return busy;
}

// sendfile() on a connection that the peer closed raises SIGPIPE, and unlike send() it has no flag
// against it. Blocked, it stays pending on this thread and harms nobody.
static void block_sigpipe(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void os_loop_run(struct os_loop *loop)
{
    block_sigpipe();
    int64_t busy_until_ns = 0;
    while (!atomic_load_explicit(&loop->stopping, memory_order_relaxed)) {
        bool spinning = loop->spin_ns > 0 && clock_mono_ns(&loop->clock) < busy_until_ns;
        if (os_loop_step(loop, !spinning) && loop->spin_ns > 0)
            busy_until_ns = clock_mono_ns(&loop->clock) + loop->spin_ns;
    }
    atomic_store(&loop->stopping, false);
}

void os_loop_stop(struct os_loop *loop)
{
    atomic_store(&loop->stopping, true);
    os__loop_wake(loop);
}

// --- a thread of its own

static void *thread_main(void *argument)
{
    os_loop_run(argument);
    return NULL;
}

int os_loop_start(struct os_loop *loop, struct diag *diag)
{
    sigset_t all;
    pthread_attr_t attributes;
    check(loop->magic == LOOP_MAGIC && !loop->has_thread);
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setsigmask_np(&attributes, &all);
    int error = pthread_create(&loop->thread, &attributes, thread_main, loop);
    pthread_attr_destroy(&attributes);
    if (error != 0)
        return diag_set(diag, ERR_LIMIT, "cannot start a thread: %s", strerror(error));
    loop->has_thread = true;
    return 0;
}

void os_loop_end(struct os_loop *loop)
{
    if (!loop->has_thread)
        return;
    os_loop_stop(loop);
    pthread_join(loop->thread, NULL);
    loop->has_thread = false;
}

// --- life

static void loop_init(struct os_loop *loop, const struct os_loop_options *options)
{
    loop->magic = LOOP_MAGIC;
    loop->clock = (struct env_clock){.wall_ms = clock_wall_ms, .mono_ns = clock_mono_ns};
    loop->random.fill = random_fill;
    loop->mailbox.post = mailbox_post;
    loop->timers = (struct env_timers){.set = timers_set, .cancel = timers_cancel};
    loop->spin_ns = options->spin_ns;
    os_fs_init(&loop->fs);
    heap_init(&loop->timer_heap);
    list_init(&loop->corpses);
    os__net_init(&loop->net, loop, options);
    int worker_count_max = options->worker_count_max;
    loop->workers = os__workers_new(loop, worker_count_max > 0 ? worker_count_max : WORKERS_DEFAULT);
    loop->env = (struct env){
        .clock = &loop->clock,
        .timers = &loop->timers,
        .fs = &loop->fs.fs,
        .workers = os__workers_env(loop->workers),
        .net = &loop->net.net,
        .random = &loop->random,
        .mailbox = &loop->mailbox,
    };
}

int os_loop_new(const struct os_loop_options *options, struct os_loop **out, struct diag *diag)
{
    static const struct os_loop_options defaults = {0};
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (epoll_fd < 0 || wake_fd < 0) {
        int result = os_error(errno);
        if (epoll_fd >= 0)
            close(epoll_fd);
        return diag_set(diag, result, "cannot make an event loop: %s (raise `ulimit -n`?)",
                        err_text(result));
    }
    struct os_loop *loop = mem_new(struct os_loop);
    loop_init(loop, options != NULL ? options : &defaults);
    loop->epoll_fd = epoll_fd;
    loop->wake.event = wake_event;
    int result = os__watch_add(loop, &loop->wake, wake_fd, EPOLLIN | EPOLLET);
    check(result == 0);
    *out = loop;
    return 0;
}

void os_loop_free(struct os_loop *loop)
{
    check(loop->magic == LOOP_MAGIC);
    os__workers_free(loop->workers);
    free_corpses(loop);
    os__net_release(&loop->net);
    heap_release(&loop->timer_heap);
    os__watch_close(&loop->wake);
    close(loop->epoll_fd);
    loop->magic = 0;
    mem_free(loop);
}

struct env *os_loop_env(struct os_loop *loop)
{
    return &loop->env;
}

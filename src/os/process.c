// SPDX-License-Identifier: Apache-2.0
#include "os/process.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "os/error.h"
#include "os/loop_internal.h"

enum { TRACE_TEXT_MAX = 1 << 20 };

static int64_t clock_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t os_process_started_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC) - clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t os_process_raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (before != limit.rlim_max && setrlimit(RLIMIT_NOFILE, &limit) != 0)
        limit.rlim_cur = before;
    return limit.rlim_cur == RLIM_INFINITY ? INT64_MAX : (int64_t)limit.rlim_cur;
}

int os_process_cpu_count(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? count : 1;
}

void os_process_ignore_sigpipe(void)
{
    signal(SIGPIPE, SIG_IGN);
}

// --- signals

struct os_signals {
    struct os_watch watch;
    struct os_corpse corpse;
    struct os_loop *loop;
    void (*on_terminate)(void *context, int signal, int count);
    void *context;
    int count;
    sigset_t mask_before;
};

static void signals_event(struct os_watch *watch, uint32_t epoll_events)
{
    struct os_signals *s = container_of(watch, struct os_signals, watch);
    struct signalfd_siginfo info;
    while (watch->fd >= 0 && read(watch->fd, &info, sizeof info) == (ssize_t)sizeof info)
        s->on_terminate(s->context, (int)info.ssi_signo, ++s->count);
}

static void signals_free(struct os_corpse *corpse)
{
    mem_free(container_of(corpse, struct os_signals, corpse));
}

int os_signals_new(struct os_loop *loop, void (*on_terminate)(void *context, int signal, int count),
                   void *context, struct os_signals **out, struct diag *diag)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return diag_set(diag, os_error(errno), "cannot listen to signals: %s", strerror(errno));
    struct os_signals *s = mem_new(struct os_signals);
    s->watch = (struct os_watch){.event = signals_event, .fd = -1};
    s->corpse.free = signals_free;
    s->loop = loop;
    s->on_terminate = on_terminate;
    s->context = context;
    int result = os__watch_add(loop, &s->watch, fd, EPOLLIN);
    if (result != 0) {
        close(fd);
        mem_free(s);
        return diag_set(diag, result, "cannot listen to signals: %s", err_text(result));
    }
    pthread_sigmask(SIG_BLOCK, &set, &s->mask_before);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    *out = s;
    return 0;
}

void os_signals_free(struct os_signals *s)
{
    pthread_sigmask(SIG_SETMASK, &s->mask_before, NULL);
    os__watch_close(&s->watch);
    os__loop_bury(s->loop, &s->corpse);
}

// --- lines

void os_time_format(int64_t wall_ms, char out[OS_TIME_TEXT_MAX])
{
    int64_t seconds = wall_ms / 1000;
    int64_t rest_ms = wall_ms % 1000;
    if (rest_ms < 0) {
        rest_ms += 1000;
        seconds--;
    }
    time_t t = (time_t)seconds;
    struct tm tm = {0};
    gmtime_r(&t, &tm);
    snprintf(out, OS_TIME_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)rest_ms);
}

static void line_format(struct buf *out, const char *time, enum trace_level level, const char *area,
                        const char *line, const struct trace_field *fields)
{
    buf_printf(out, "%s %-5s %s: %s", time, trace_level_name(level), area, line);
}

static void trace_write_event(struct trace *trace, enum trace_level level, const char *area,
                              const char *line, const struct trace_field *fields)
{
    struct os_trace *t = container_of(trace, struct os_trace, trace);
    char when[OS_TIME_TEXT_MAX];
    struct buf text;
    buf_init(&text, TRACE_TEXT_MAX);
    os_time_format(clock_ns(CLOCK_REALTIME) / 1000000, when);
    (t->format != NULL ? t->format : line_format)(&text, when, level, area, line, fields);
    buf_append_u8(&text, '\n');
    // One call per line, so that lines of several threads do not mix. If nobody reads it, nobody
    // can be told.
    ssize_t n = write(t->descriptor, text.data, text.size);
    (void)n;
    buf_release(&text);
}

static void trace_write(struct trace *trace, enum trace_level level, const char *area,
                        const char *line)
{
    trace_write_event(trace, level, area, line, NULL);
}

void os_trace_init(struct os_trace *t, int descriptor, enum trace_level level_min)
{
    *t = (struct os_trace){
        .trace = {.emit = trace_write, .emit_event = trace_write_event, .level_min = level_min},
        .descriptor = descriptor,
    };
}

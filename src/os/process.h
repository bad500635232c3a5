// SPDX-License-Identifier: Apache-2.0
//
// What concerns the process as a whole: signals, descriptor limit, its age, lines on stderr.
// For main() functions; everything else gets what it needs from an env.
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/trace.h"

struct os_loop;

// When this process started, on the clock of env_mono_ns(). Call it first thing in main(). The time
// before main (loading the program and its libraries) is taken to be the CPU time the process has
// used so far: /proc knows the start only to 10 ms. A shell that turns itself into this program
// with `exec` adds its own CPU time, so the figure never flatters.
int64_t os_process_started_ns(void);

// Raises the soft limit of open files to the hard one and returns the limit in force. (The kernel
// keeps the soft limit low for programs that use select(); there is none here.)
int64_t os_process_raise_file_limit(void);

// Processors that this process may use; at least 1.
int os_process_cpu_count(void);

struct os_signals;

// SIGTERM and SIGINT are delivered to `on_terminate` on the loop's thread, with the number of such
// signals so far (1: stop in order; 2: at once). SIGHUP and SIGPIPE are ignored. Call it before any
// other thread is started, as the signals are blocked in this thread and those it will start.
int os_signals_new(struct os_loop *loop, void (*on_terminate)(void *context, int signal, int count),
                   void *context, struct os_signals **out, struct diag *diag);
void os_signals_free(struct os_signals *signals);

// Ignores SIGPIPE and nothing else: for programs that write to a pipe and sockets and want errors.
void os_process_ignore_sigpipe(void);

enum { OS_TIME_TEXT_MAX = 32 };

// A trace that writes each line with one write() to a descriptor, from any thread:
// "2026-11-21T16:03:35.123Z INFO  log: ...".
struct os_trace {
    struct trace trace; // hand this out
    int descriptor;
    // Another form of the line: appends it without newline. Called from any thread. May be NULL.
    // `time` is that of os_time_format(), `fields` may be NULL.
    void (*format)(struct buf *out, const char *time, enum trace_level level, const char *area,
                   const char *line, const struct trace_field *fields);
};

// `descriptor` stays the caller's (2 for stderr). Set `format` before the first line.
void os_trace_init(struct os_trace *t, int descriptor, enum trace_level level_min);

// Wall time as RFC 3339 in UTC with milliseconds.
void os_time_format(int64_t wall_ms, char out[OS_TIME_TEXT_MAX]);

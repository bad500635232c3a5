// SPDX-License-Identifier: Apache-2.0
//
// The record of what the node does, one line per event. (Called trace, since "log" is what a
// partition is.) Where the lines go is decided by whoever made the trace: stderr in the server,
// memory in a test. Secrets must not be handed to it.
#pragma once

#include <stdint.h>

enum trace_level { TRACE_DEBUG, TRACE_INFO, TRACE_WARN, TRACE_ERROR };

enum { TRACE_LINE_MAX = 2048 };

// A fact of an event for programs that read the lines, beside the words that tell it to people.
struct trace_field {
    const char *name; // snake case; not time, level, area or message. NULL ends a list
    const char *text; // NULL: a number
    int64_t number;
};

struct trace {
    // Takes one line without newline, already cut to TRACE_LINE_MAX and free of control characters.
    // May be called from any thread.
    void (*emit)(struct trace *t, enum trace_level level, const char *area, const char *line);
    // The same with the facts of the event; NULL: they are dropped.
    void (*emit_event)(struct trace *t, enum trace_level level, const char *area, const char *line,
                       const struct trace_field *fields);
    enum trace_level level_min; // lines below are not formatted
};

// `area` is the folder or subject, "log" or "controller" for example. `t` may be NULL.
__attribute__((format(printf, 4, 5))) void trace_emit(struct trace *t, enum trace_level level,
                                                      const char *area, const char *format, ...);

// The same with fields, a list that ends with {0}; they are read before it returns.
__attribute__((format(printf, 5, 6))) void trace_event(struct trace *t, enum trace_level level,
                                                       const char *area,
                                                       const struct trace_field *fields,
                                                       const char *format, ...);

#define trace_debug(t, area, ...) trace_emit((t), TRACE_DEBUG, (area), __VA_ARGS__)
#define trace_info(t, area, ...) trace_emit((t), TRACE_INFO, (area), __VA_ARGS__)
#define trace_warn(t, area, ...) trace_emit((t), TRACE_WARN, (area), __VA_ARGS__)
#define trace_error(t, area, ...) trace_emit((t), TRACE_ERROR, (area), __VA_ARGS__)

const char *trace_level_name(enum trace_level level);

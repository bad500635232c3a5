// SPDX-License-Identifier: Apache-2.0
#include "base/trace.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

__attribute__((format(printf, 5, 0)))
static void emit(struct trace *t, enum trace_level level, const char *area,
                 const struct trace_field *fields, const char *format, va_list args)
{
    char line[TRACE_LINE_MAX];
    vsnprintf(line, sizeof line, format, args);
    // What peers name must not be able to forge lines or drive a terminal.
    for (char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    if (fields != NULL && t->emit_event != NULL)
        t->emit_event(t, level, area, line, fields);
    else
        t->emit(t, level, area, line);
}

void trace_emit(struct trace *t, enum trace_level level, const char *area, const char *format, ...)
{
    if (t == NULL || level < t->level_min)
        return;
    va_list args;
    va_start(args, format);
    emit(t, level, area, NULL, format, args);
    va_end(args);
}

void trace_event(struct trace *t, enum trace_level level, const char *area,
                 const struct trace_field *fields, const char *format, ...)
{
    if (t == NULL || level < t->level_min)
        return;
    va_list args;
    va_start(args, format);
    emit(t, level, area, fields, format, args);
    va_end(args);
}

const char *trace_level_name(enum trace_level level)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    return names[level];
}

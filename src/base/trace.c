// SPDX-License-Identifier: Apache-2.0
#include "base/trace.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

void trace_emit(struct trace *t, enum trace_level level, const char *area, const char *format, ...)
{
    if (t == NULL || level < t->level_min)
        return;
    char line[TRACE_LINE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    // What peers name must not be able to forge lines or drive a terminal.
    for (char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    t->emit(t, level, area, line);
}

const char *trace_level_name(enum trace_level level)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    return names[level];
}

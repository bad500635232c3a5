// SPDX-License-Identifier: Apache-2.0
#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>

int diag_set(struct diag *d, int err, const char *format, ...)
{
    if (d == NULL)
        return err;
    va_list args;
    va_start(args, format);
    vsnprintf(d->text, sizeof d->text, format, args);
    va_end(args);
    return err;
}

void diag_prefix(struct diag *d, const char *format, ...)
{
    if (d == NULL)
        return;
    char text[DIAG_TEXT_MAX];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size >= 0 && (size_t)size < sizeof text)
        snprintf(text + size, sizeof text - (size_t)size, ": %s", d->text);
    memcpy(d->text, text, sizeof text);
    d->text[sizeof d->text - 1] = '\0';
}

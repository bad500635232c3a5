// SPDX-License-Identifier: Apache-2.0
//
// Words for an error on its way to a person: what happened, with which name and value, and what to
// do. Library code fills one and returns; the outermost caller prints it.
#pragma once

#include "base/bytes.h"

enum { DIAG_TEXT_MAX = 1024 };

struct diag {
    char text[DIAG_TEXT_MAX]; // one line or more, without a final newline; "" when nothing was said
};

static inline void diag_clear(struct diag *d)
{
    d->text[0] = '\0';
}

// Replaces the text (cut at the maximum) and returns `err`, so that `return diag_set(d, ERR_X,
// ...)` works. `d` may be NULL.
__attribute__((format(printf, 3, 4))) int diag_set(struct diag *d, int err, const char *format,
                                                   ...);

// Puts "prefix: " in front of the text. `d` may be NULL.
__attribute__((format(printf, 2, 3))) void diag_prefix(struct diag *d, const char *format, ...);

// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void check_failed(const char *condition, const char *file, int line,
                            const char *function)
{
    fprintf(stderr, "chitin: bug: %s:%d: %s: check failed: %s\n", file, line, function, condition);
    fflush(stderr);
    abort();
}

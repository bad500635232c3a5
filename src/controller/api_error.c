// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"
#include "controller/internal.h"

bool api_fail(struct api_error *e, int16_t code, const char *format, ...)
{
    e->code = code;
    diag_clear(&e->text);
    if (format == NULL)
        return false;
    va_list args;
    va_start(args, format);
    vsnprintf(e->text.text, sizeof e->text.text, format, args);
    va_end(args);
    return false;
}

bool api_fail_emit(struct api_error *e, int err, const struct diag *diag)
{
    switch (err) {
    case ERR_LIMIT:
    case ERR_NOMEM: // more than one operation may do
        return api_fail(e, KAFKA_POLICY_VIOLATION,
                        "Unable to perform excessively large batch operation.");
    default:
        return api_fail(e, KAFKA_UNKNOWN_SERVER_ERROR, "%s", diag->text);
    }
}

struct str api_error_text(const struct api_error *e, struct arena *arena)
{
    return e->text.text[0] != '\0' ? arena_copy_str(arena, str_from(e->text.text))
                                   : str_of(NULL, 0);
}

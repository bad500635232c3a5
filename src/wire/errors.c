// SPDX-License-Identifier: Apache-2.0
#include "wire/errors.h"

struct kafka_error_entry {
    const char *name;
    const char *text;
    bool retriable;
};

// By code - KAFKA_ERROR_MIN; the codes have no gaps, which a test checks.
static const struct kafka_error_entry errors[] = {
#define KAFKA_ERROR_ENTRY(code, error_name, can_retry, error_text)                                \
    [code - KAFKA_ERROR_MIN] = {.name = #error_name, .text = error_text, .retriable = can_retry},
    KAFKA_ERRORS(KAFKA_ERROR_ENTRY)
#undef KAFKA_ERROR_ENTRY
};

static const struct kafka_error_entry *error_find(int code)
{
    return kafka_error_is_known(code) ? &errors[code - KAFKA_ERROR_MIN] : NULL;
}

const char *kafka_error_name(int code)
{
    const struct kafka_error_entry *e = error_find(code);
    return e != NULL ? e->name : "UNKNOWN_ERROR";
}

const char *kafka_error_text(int code)
{
    const struct kafka_error_entry *e = error_find(code);
    return e != NULL ? e->text : "The error code is not known here.";
}

bool kafka_error_is_retriable(int code)
{
    const struct kafka_error_entry *e = error_find(code);
    return e != NULL && e->retriable;
}

bool kafka_error_find(struct str name, int16_t *code)
{
    for (int c = KAFKA_ERROR_MIN; c <= KAFKA_ERROR_MAX; c++) {
        if (str_equal_nocase(name, str_from(kafka_error_name(c)))) {
            *code = (int16_t)c;
            return true;
        }
    }
    return false;
}

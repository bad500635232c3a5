// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"

#include <stddef.h>

static const struct {
    const char *name;
    const char *text;
} errors[] = {
    {"ERR_OK", "no error"},
    {"ERR_NOMEM", "out of memory"},
    {"ERR_IO", "input/output error"},
    {"ERR_NOSPC", "no space left on device"},
    {"ERR_CORRUPT", "corrupt data"},
    {"ERR_TRUNCATED", "data ends too early"},
    {"ERR_LIMIT", "larger than the limit"},
    {"ERR_INVALID", "invalid value"},
    {"ERR_NOT_FOUND", "not found"},
    {"ERR_EXISTS", "exists already"},
    {"ERR_BUSY", "in use"},
    {"ERR_AGAIN", "not ready yet"},
    {"ERR_UNSUPPORTED", "not supported"},
    {"ERR_CLOSED", "connection closed"},
    {"ERR_REFUSED", "refused"},
    {"ERR_TIMEOUT", "timed out"},
    {"ERR_OFFLINE", "log directory is offline"},
};

static size_t err_index(int err)
{
    return (size_t)-(long)err;
}

const char *err_name(int err)
{
    size_t count = sizeof errors / sizeof errors[0];
    return err <= 0 && err_index(err) < count ? errors[err_index(err)].name : "ERR_UNKNOWN";
}

const char *err_text(int err)
{
    size_t count = sizeof errors / sizeof errors[0];
    return err <= 0 && err_index(err) < count ? errors[err_index(err)].text : "unknown error";
}

// SPDX-License-Identifier: Apache-2.0
//
// JSON: reading is jansson's, with bounds and our errors; writing is a printer on struct buf that
// places the commas. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/diag.h"

enum { JSON_TEXT_MAX = 64 << 20, JSON_DEPTH_MAX = 64 };

// Parses one JSON value that fills `text`. The caller gives the result back with json_decref().
// ERR_INVALID with line and column in `diag` (may be NULL); ERR_LIMIT beyond JSON_TEXT_MAX.
int json_read(struct str text, json_t **out, struct diag *diag);

// Writes values in order; objects and arrays nest to JSON_DEPTH_MAX (deeper is a bug). The buffer's
// sticky failure is the only error.
struct json_printer {
    struct buf *out;
    int depth;
    bool after_key;               // the next value belongs to a key that is written
    bool filled[JSON_DEPTH_MAX];  // the value at this depth has members already
};

void json_printer_init(struct json_printer *p, struct buf *out);
void json_object_begin(struct json_printer *p);
void json_object_end(struct json_printer *p);
void json_array_begin(struct json_printer *p);
void json_array_end(struct json_printer *p);
void json_key(struct json_printer *p, const char *key);
void json_key_str(struct json_printer *p, struct str key);

// Escapes quotes, backslashes and control characters; bytes that are not UTF-8 become U+FFFD. The
// null string prints as null.
void json_print_str(struct json_printer *p, struct str value);
void json_print_text(struct json_printer *p, const char *value);
void json_print_int(struct json_printer *p, int64_t value);
void json_print_uint(struct json_printer *p, uint64_t value);
void json_print_bool(struct json_printer *p, bool value);
void json_print_null(struct json_printer *p);
// Shortest form that reads back the same; not-a-number and infinities print as null.
void json_print_double(struct json_printer *p, double value);
// Lower-case hex in quotes; null bytes print as null.
void json_print_hex(struct json_printer *p, struct bytes value);

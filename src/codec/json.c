// SPDX-License-Identifier: Apache-2.0
#include "codec/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"

int json_read(struct str text, json_t **out, struct diag *diag)
{
    if (text.size > JSON_TEXT_MAX)
        return diag_set(diag, ERR_LIMIT, "JSON text of %zu bytes is larger than the maximum of %d",
                        text.size, JSON_TEXT_MAX);
    json_error_t error;
    json_t *value = json_loadb(text.data != NULL ? text.data : "", text.size,
                               JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (value == NULL)
        return diag_set(diag, ERR_INVALID, "bad JSON in line %d, column %d: %s", error.line,
                        error.column, error.text);
    *out = value;
    return 0;
}

void json_printer_init(struct json_printer *p, struct buf *out)
{
    memset(p, 0, sizeof *p);
    p->out = out;
}

// What stands between the former value and the next.
static void separate(struct json_printer *p)
{
    if (p->after_key) {
        p->after_key = false;
        return;
    }
    if (p->depth > 0 && p->filled[p->depth - 1])
        buf_append_u8(p->out, ',');
    if (p->depth > 0)
        p->filled[p->depth - 1] = true;
}

static void begin(struct json_printer *p, char bracket)
{
    separate(p);
    check(p->depth < JSON_DEPTH_MAX);
    p->filled[p->depth++] = false;
    buf_append_u8(p->out, (uint8_t)bracket);
}

static void end(struct json_printer *p, char bracket)
{
    check(p->depth > 0 && !p->after_key);
    p->depth--;
    buf_append_u8(p->out, (uint8_t)bracket);
}

void json_object_begin(struct json_printer *p)
{
    begin(p, '{');
}

void json_object_end(struct json_printer *p)
{
    end(p, '}');
}

void json_array_begin(struct json_printer *p)
{
    begin(p, '[');
}

void json_array_end(struct json_printer *p)
{
    end(p, ']');
}

// Bytes of the well-formed UTF-8 sequence at the start of s, or 0.
static size_t utf8_sequence(struct str s)
{
    for (size_t size = 1; size <= 4 && size <= s.size; size++) {
        if (str_is_utf8(str_of(s.data, size)))
            return size;
    }
    return 0;
}

static void append_escape(struct buf *out, uint8_t c)
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (size_t i = 0; i + 1 < sizeof letters; i += 2) {
        if ((uint8_t)letters[i] == c) {
            buf_append_u8(out, '\\');
            buf_append_u8(out, (uint8_t)letters[i + 1]);
            return;
        }
    }
    buf_printf(out, "\\u%04x", c);
}

static void append_quoted(struct buf *out, struct str s)
{
    buf_append_u8(out, '"');
    while (s.size > 0) {
        uint8_t c = (uint8_t)s.data[0];
        size_t size = 1;
        if (c < 0x20 || c == '"' || c == '\\') {
            append_escape(out, c);
        } else if (c < 0x80) {
            buf_append_u8(out, c);
        } else if ((size = utf8_sequence(s)) > 0) {
            buf_append(out, s.data, size);
        } else {
            buf_append_text(out, "\xef\xbf\xbd");
            size = 1;
        }
        s = str_of(s.data + size, s.size - size);
    }
    buf_append_u8(out, '"');
}

void json_key_str(struct json_printer *p, struct str key)
{
    check(!p->after_key);
    separate(p);
    append_quoted(p->out, key);
    buf_append_u8(p->out, ':');
    p->after_key = true;
}

void json_key(struct json_printer *p, const char *key)
{
    json_key_str(p, str_from(key));
}

void json_print_str(struct json_printer *p, struct str value)
{
    if (value.data == NULL) {
        json_print_null(p);
        return;
    }
    separate(p);
    append_quoted(p->out, value);
}

void json_print_text(struct json_printer *p, const char *value)
{
    json_print_str(p, str_from(value));
}

void json_print_int(struct json_printer *p, int64_t value)
{
    separate(p);
    buf_printf(p->out, "%" PRId64, value);
}

void json_print_uint(struct json_printer *p, uint64_t value)
{
    separate(p);
    buf_printf(p->out, "%" PRIu64, value);
}

void json_print_bool(struct json_printer *p, bool value)
{
    separate(p);
    buf_append_text(p->out, value ? "true" : "false");
}

void json_print_null(struct json_printer *p)
{
    separate(p);
    buf_append_text(p->out, "null");
}

void json_print_double(struct json_printer *p, double value)
{
    if (!isfinite(value)) {
        json_print_null(p);
        return;
    }
    separate(p);
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buf_append_text(p->out, text);
    if (strpbrk(text, ".e") == NULL)
        buf_append_text(p->out, ".0");
}

void json_print_hex(struct json_printer *p, struct bytes value)
{
    static const char digits[] = "0123456789abcdef";
    if (value.data == NULL) {
        json_print_null(p);
        return;
    }
    separate(p);
    buf_append_u8(p->out, '"');
    for (size_t i = 0; i < value.size; i++) {
        buf_append_u8(p->out, (uint8_t)digits[value.data[i] >> 4]);
        buf_append_u8(p->out, (uint8_t)digits[value.data[i] & 15]);
    }
    buf_append_u8(p->out, '"');
}

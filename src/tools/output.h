// SPDX-License-Identifier: Apache-2.0
//
// The two shapes of results: a table for people and one JSON object per line for programs. A command
// describes a row once; which shape comes out is the user's choice (`-o table|json`).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

// A JSON writer: commas and escapes are its business, nesting is the caller's.
struct json {
    struct buf *out;
    bool comma; // the next item needs one
};

void json_init(struct json *j, struct buf *out);
void json_object(struct json *j, const char *key); // key NULL at top level and in arrays
void json_array(struct json *j, const char *key);
void json_end_object(struct json *j);
void json_end_array(struct json *j);
void json_str(struct json *j, const char *key, struct str value); // the null string gives null
void json_text(struct json *j, const char *key, const char *value);
void json_i64(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);

// Bytes as a JSON string: as text when they are UTF-8, else the key gets the suffix "_base64" and the
// value is base64.
void json_bytes(struct json *j, const char *key, struct bytes value);

// Appends a quoted and escaped JSON string. Malformed UTF-8 becomes U+FFFD.
void json_quote(struct buf *out, struct str s);

enum cell_kind { CELL_TEXT, CELL_NUMBER, CELL_BOOL, CELL_SIZE, CELL_LIST };

struct column {
    const char *title;   // "PARTITIONS" in the table
    const char *name;    // "partitions" in JSON
    enum cell_kind kind; // numbers are right-aligned; sizes human in tables, raw in JSON
};

// Rows of cells, shown at the end (a table needs its widths).
struct rows {
    const struct column *columns;
    int column_count;
    struct buf text;   // the cells' texts
    struct row_cell *cells;
    int cell_count;
    int cell_capacity;
};

void rows_init(struct rows *r, const struct column *columns, int column_count);
void rows_release(struct rows *r);

// Cells of a row, left to right.
void rows_str(struct rows *r, struct str value);
void rows_text(struct rows *r, const char *value);
void rows_i64(struct rows *r, int64_t value);
void rows_bool(struct rows *r, bool value);

// A list of numbers: "1,2,3" in a table, [1,2,3] in JSON.
void rows_list(struct rows *r, const int32_t *values, size_t count);

void rows_write(const struct rows *r, struct buf *out, bool as_json, bool header);

// "12.3 KiB" style.
void size_format(struct buf *out, int64_t bytes);

// RFC 3339 in UTC with milliseconds: "2026-11-21T16:05:00.123Z".
void time_format_rfc3339(struct buf *out, int64_t wall_ms);

// strftime in UTC.
void time_format(struct buf *out, const char *format, int64_t wall_ms);

// Reads "2026-11-21", "2026-11-21T16:05", "2026-11-21 16:05:00.123", with "Z" or "+01:00" (UTC when
// missing); false on anything else.
bool time_parse(struct str text, int64_t *wall_ms);

// Reads "10m", "1h30m", "500ms", "2d"; false on anything else.
bool duration_parse(struct str text, int64_t *ms);

void base64_append(struct buf *out, struct bytes data);
void hex_append(struct buf *out, struct bytes data);

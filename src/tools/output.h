// SPDX-License-Identifier: Apache-2.0
//
// The two shapes of results: a table for people and one JSON object per line for programs. A command
// describes a row once; which shape comes out is the user's choice (`-o table|json`).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "codec/json.h"

enum cell_kind { CELL_TEXT, CELL_NUMBER, CELL_BOOL, CELL_SIZE, CELL_SECONDS, CELL_NUMBERS };

struct column {
    const char *title;   // "PARTITIONS" in the table
    const char *name;    // "partitions" in JSON
    enum cell_kind kind; // numbers are right-aligned; sizes human in tables, milliseconds as
                         // seconds, both raw in JSON
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

// Appends all rows: a table with a header line and columns two spaces apart, or JSON lines.
void rows_write(const struct rows *r, struct buf *out, bool as_json);

// The rows as a JSON array of objects, where a value is due.
void rows_write_array(const struct rows *r, struct json_printer *p);

// A member of a JSON object for bytes: `name` and a string when they are UTF-8 (or null), else
// `name` with the suffix "_base64".
void json_member_bytes(struct json_printer *p, const char *name, struct bytes value);

// Members of a JSON object.
void json_member_str(struct json_printer *p, const char *name, struct str value);
void json_member_int(struct json_printer *p, const char *name, int64_t value);
void json_member_bool(struct json_printer *p, const char *name, bool value);

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

// Reads "P1DT2H3M4.5S" (ISO 8601, as java.time.Duration has it) in milliseconds; false on anything else.
bool iso_duration_parse(struct str text, int64_t *ms);

// SPDX-License-Identifier: Apache-2.0
#include "tools/output.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "codec/base64.h"

enum { ROWS_TEXT_MAX = 256 << 20, COLUMN_GAP = 2 };

struct row_cell {
    size_t start; // in rows.text
    size_t size;
    bool null;
};

void rows_init(struct rows *r, const struct column *columns, int column_count)
{
    *r = (struct rows){.columns = columns, .column_count = column_count};
    buf_init(&r->text, ROWS_TEXT_MAX);
}

void rows_release(struct rows *r)
{
    buf_release(&r->text);
    mem_free(r->cells);
    *r = (struct rows){0};
}

static const struct column *next_column(const struct rows *r)
{
    return &r->columns[r->cell_count % r->column_count];
}

void rows_str(struct rows *r, struct str value)
{
    mem_grow(r->cells, r->cell_count, r->cell_capacity);
    r->cells[r->cell_count++] =
        (struct row_cell){.start = r->text.size, .size = value.size, .null = value.data == NULL};
    buf_append_str(&r->text, value);
}

void rows_text(struct rows *r, const char *value)
{
    rows_str(r, str_from(value));
}

void rows_i64(struct rows *r, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    rows_text(r, text);
}

void rows_bool(struct rows *r, bool value)
{
    check(next_column(r)->kind == CELL_BOOL);
    rows_text(r, value ? "true" : "false");
}

void rows_list(struct rows *r, const int32_t *values, size_t count)
{
    check(next_column(r)->kind == CELL_NUMBERS);
    struct buf b;
    buf_init(&b, ROWS_TEXT_MAX);
    for (size_t i = 0; i < count; i++)
        buf_printf(&b, i > 0 ? ",%d" : "%d", values[i]);
    rows_str(r, str_of(buf_text(&b), b.size));
    buf_release(&b);
}

static struct str cell_str(const struct rows *r, const struct row_cell *cell)
{
    if (cell->null || r->text.failed)
        return (struct str){0};
    return str_of((const char *)r->text.data + cell->start, cell->size);
}

void size_format(struct buf *out, int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1024;
        unit++;
    }
    buf_printf(out, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

// How a cell looks in a table.
static void cell_show(const struct rows *r, const struct row_cell *cell, const struct column *column,
                      struct buf *out)
{
    struct str s = cell_str(r, cell);
    int64_t bytes;
    if (column->kind == CELL_SIZE && str_parse_i64(s, &bytes))
        size_format(out, bytes);
    else if (column->kind == CELL_SECONDS && str_parse_i64(s, &bytes))
        buf_printf(out, "%lld.%03d", (long long)(bytes / 1000), (int)(bytes % 1000));
    else if (s.size == 0)
        buf_append_u8(out, '-');
    else
        buf_append_str(out, s);
}

// Columns that a person sees, not bytes: UTF-8 sequences count once.
static int display_width(struct str s)
{
    int width = 0;
    for (size_t i = 0; i < s.size; i++)
        width += ((unsigned char)s.data[i] & 0xc0) != 0x80;
    return width;
}

static bool is_right_aligned(const struct column *column)
{
    return column->kind == CELL_NUMBER || column->kind == CELL_SIZE ||
           column->kind == CELL_SECONDS;
}

static void write_cell(struct buf *out, struct str s, int width, bool right, bool last)
{
    int pad = width - display_width(s);
    if (right)
        buf_printf(out, "%*s", pad, "");
    buf_append_str(out, s);
    if (!right && !last)
        buf_printf(out, "%*s", pad, "");
    if (!last)
        buf_printf(out, "%*s", COLUMN_GAP, "");
}

static void write_table(const struct rows *r, struct buf *out)
{
    int *widths = mem_alloc_array((size_t)r->column_count, sizeof *widths);
    struct buf b;
    buf_init(&b, ROWS_TEXT_MAX);
    for (int c = 0; c < r->column_count; c++)
        widths[c] = display_width(str_from(r->columns[c].title));
    for (int i = 0; i < r->cell_count; i++) {
        int c = i % r->column_count;
        buf_clear(&b);
        cell_show(r, &r->cells[i], &r->columns[c], &b);
        int width = display_width(buf_str(&b));
        widths[c] = width > widths[c] ? width : widths[c];
    }
    for (int c = 0; c < r->column_count; c++)
        write_cell(out, str_from(r->columns[c].title), widths[c], is_right_aligned(&r->columns[c]),
                   c + 1 == r->column_count);
    buf_append_u8(out, '\n');
    for (int i = 0; i < r->cell_count; i++) {
        int c = i % r->column_count;
        bool last = c + 1 == r->column_count;
        buf_clear(&b);
        cell_show(r, &r->cells[i], &r->columns[c], &b);
        write_cell(out, buf_str(&b), widths[c], is_right_aligned(&r->columns[c]), last);
        if (last)
            buf_append_u8(out, '\n');
    }
    buf_release(&b);
    mem_free(widths);
}

static void write_json_cell(const struct rows *r, const struct row_cell *cell,
                            const struct column *column, struct json_printer *p)
{
    struct str s = cell_str(r, cell);
    int64_t number;
    json_key(p, column->name);
    if (cell->null) {
        json_print_null(p);
    } else if (column->kind == CELL_BOOL) {
        json_print_bool(p, str_is(s, "true"));
    } else if (column->kind == CELL_NUMBERS) {
        json_array_begin(p);
        while (s.data != NULL && str_parse_i64(str_cut(&s, ','), &number))
            json_print_int(p, number);
        json_array_end(p);
    } else if (column->kind != CELL_TEXT && str_parse_i64(s, &number)) {
        json_print_int(p, number);
    } else {
        json_print_str(p, s);
    }
}

static void write_json_row(const struct rows *r, int first, struct json_printer *p)
{
    json_object_begin(p);
    for (int c = 0; c < r->column_count; c++)
        write_json_cell(r, &r->cells[first + c], &r->columns[c], p);
    json_object_end(p);
}

static void write_json(const struct rows *r, struct buf *out)
{
    for (int i = 0; i < r->cell_count; i += r->column_count) {
        struct json_printer p;
        json_printer_init(&p, out);
        write_json_row(r, i, &p);
        buf_append_u8(out, '\n');
    }
}

void rows_write_array(const struct rows *r, struct json_printer *p)
{
    json_array_begin(p);
    for (int i = 0; i < r->cell_count; i += r->column_count)
        write_json_row(r, i, p);
    json_array_end(p);
}

void rows_write(const struct rows *r, struct buf *out, bool as_json)
{
    check(r->cell_count % r->column_count == 0);
    if (as_json)
        write_json(r, out);
    else
        write_table(r, out);
}

void json_member_str(struct json_printer *p, const char *name, struct str value)
{
    json_key(p, name);
    json_print_str(p, value);
}

void json_member_int(struct json_printer *p, const char *name, int64_t value)
{
    json_key(p, name);
    json_print_int(p, value);
}

void json_member_bool(struct json_printer *p, const char *name, bool value)
{
    json_key(p, name);
    json_print_bool(p, value);
}

void json_member_bytes(struct json_printer *p, const char *name, struct bytes value)
{
    struct str s = bytes_str(value);
    if (value.data == NULL || str_is_utf8(s)) {
        json_member_str(p, name, s);
        return;
    }
    char key[64];
    snprintf(key, sizeof key, "%s_base64", name);
    struct buf b;
    buf_init(&b, ROWS_TEXT_MAX);
    base64_encode(value, &b);
    json_member_str(p, key, buf_str(&b));
    buf_release(&b);
}

// SPDX-License-Identifier: Apache-2.0
#include "log/dump_line.h"

#include <inttypes.h>

void dump_line_begin(struct dump_line *l, enum dump_format format, struct buf *out,
                     const char *file, const char *kind, const char *prefix)
{
    *l = (struct dump_line){.format = format, .out = out, .first = true};
    if (format == DUMP_TEXT) {
        buf_append_text(out, prefix);
        return;
    }
    json_printer_init(&l->json, out);
    json_object_begin(&l->json);
    json_key(&l->json, "file");
    json_print_text(&l->json, file);
    json_key(&l->json, "kind");
    json_print_text(&l->json, kind);
}

void dump_line_end(struct dump_line *l)
{
    if (l->format == DUMP_JSON)
        json_object_end(&l->json);
    buf_append_u8(l->out, '\n');
}

static void name_in_text(struct dump_line *l, const char *name)
{
    buf_printf(l->out, "%s%s: ", l->first ? "" : " ", name);
    l->first = false;
}

void dump_line_int(struct dump_line *l, const char *name, int64_t value)
{
    if (l->format == DUMP_JSON) {
        json_key(&l->json, name);
        json_print_int(&l->json, value);
        return;
    }
    name_in_text(l, name);
    buf_printf(l->out, "%" PRId64, value);
}

void dump_line_bool(struct dump_line *l, const char *name, bool value)
{
    if (l->format == DUMP_JSON) {
        json_key(&l->json, name);
        json_print_bool(&l->json, value);
        return;
    }
    name_in_text(l, name);
    buf_append_text(l->out, value ? "true" : "false");
}

void dump_line_str(struct dump_line *l, const char *name, struct str value)
{
    if (l->format == DUMP_JSON) {
        json_key(&l->json, name);
        json_print_str(&l->json, value);
        return;
    }
    name_in_text(l, name);
    buf_append_str(l->out, value);
}

void dump_line_optional(struct dump_line *l, const char *name, int64_t value)
{
    if (l->format == DUMP_JSON) {
        json_key(&l->json, name);
        if (value < 0)
            json_print_null(&l->json);
        else
            json_print_int(&l->json, value);
        return;
    }
    name_in_text(l, name);
    if (value < 0)
        buf_append_text(l->out, "OptionalLong.empty");
    else
        buf_printf(l->out, "OptionalLong[%" PRId64 "]", value);
}

void dump_line_json(struct dump_line *l, const char *name, struct str json)
{
    if (l->format == DUMP_TEXT) {
        name_in_text(l, name);
        buf_append_str(l->out, json);
        return;
    }
    json_key(&l->json, name);
    json_print_null(&l->json); // the printer places the comma; then the value takes its place
    l->out->size -= l->out->failed ? 0 : strlen("null");
    buf_append_str(l->out, json);
}

void dump_line_control(struct dump_line *l, const char *type, struct str json)
{
    buf_printf(l->out, "%s%s%s ", l->first ? "" : " ", type,
               strcmp(type, "LeaderChange") == 0 ? ":" : "");
    buf_append_str(l->out, json);
    l->first = false;
}

void dump_line_text(struct dump_line *l, const char *text)
{
    if (l->format == DUMP_JSON)
        dump_line_str(l, "text", str_from(text));
    else
        buf_append_text(l->out, text);
    l->first = false;
}

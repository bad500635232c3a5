// SPDX-License-Identifier: Apache-2.0
#include "server/trace_json.h"

#include "codec/json.h"

static void member(struct json_printer *p, const char *key, const char *text)
{
    json_key(p, key);
    json_print_text(p, text);
}

void trace_json_format(struct buf *out, const char *time, enum trace_level level, const char *area,
                       const char *line, const struct trace_field *fields)
{
    struct json_printer p;
    json_printer_init(&p, out);
    json_object_begin(&p);
    member(&p, "time", time);
    member(&p, "level", trace_level_name(level));
    member(&p, "area", area);
    member(&p, "message", line);
    for (; fields != NULL && fields->name != NULL; fields++) {
        json_key(&p, fields->name);
        if (fields->text != NULL)
            json_print_text(&p, fields->text);
        else
            json_print_int(&p, fields->number);
    }
    json_object_end(&p);
}

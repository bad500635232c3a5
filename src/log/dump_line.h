// SPDX-License-Identifier: Apache-2.0
//
// One line of a dump, in either format: names and values go in once.
#pragma once

#include "codec/json.h"
#include "log/dump.h"

enum { DUMP_LINE_MAX = 1 << 28 };

struct dump_line {
    enum dump_format format;
    struct buf *out;
    struct json_printer json;
    bool first; // no value yet
};

// `prefix` stands before the values in text ("| " for records); `file` and `kind` only in JSON.
void dump_line_begin(struct dump_line *l, enum dump_format format, struct buf *out,
                     const char *file, const char *kind, const char *prefix);
void dump_line_end(struct dump_line *l);
void dump_line_int(struct dump_line *l, const char *name, int64_t value);
void dump_line_bool(struct dump_line *l, const char *name, bool value);
void dump_line_str(struct dump_line *l, const char *name, struct str value);

// -1 is none: null in JSON, Java's OptionalLong in text.
void dump_line_optional(struct dump_line *l, const char *name, int64_t value);

// `json` is a whole JSON value.
void dump_line_json(struct dump_line *l, const char *name, struct str json);

// In text only: what a control record of this type says, as Kafka prints it (after LeaderChange with a
// colon, after the others without).
void dump_line_control(struct dump_line *l, const char *type, struct str json);

// Text without a name in front; "text" in JSON.
void dump_line_text(struct dump_line *l, const char *text);

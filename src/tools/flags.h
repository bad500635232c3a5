// SPDX-License-Identifier: Apache-2.0
//
// Flags of a command as one table: parsing, help and shell completion all come from it. A command
// names its flags by an enum and fills the table with designated initialisers, so that a flag's
// value is read by its enum.
//
// Grammar: `--name VALUE`, `--name=VALUE`, `-x VALUE`, `-xVALUE`, boolean short flags joined (`-eZ`),
// `--` ends flags, a single `-` is an argument. With FLAGS_ABBREVIATED (the kafka-* aliases) an
// unambiguous beginning of a long name is enough, and `-name` means `--name`, as those tools' parser
// has it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/diag.h"

enum flag_kind {
    FLAG_BOOL,     // no value
    FLAG_TEXT,     // one value; given twice, the last one counts
    FLAG_OPTIONAL, // a value or none (`--flag`, `--flag=x`, `--flag x`)
    FLAG_LIST,     // repeatable
    FLAG_I32,      // one value, a number in [min, max]
    FLAG_I64,
};

struct flag_def {
    const char *names;    // "-p, --partition": short names first, separated by ", "
    const char *argument; // how help shows the value: "HOST:PORT"; NULL for FLAG_BOOL
    const char *help;     // one sentence, or more lines; NULL hides the flag from help and completion
    const char *fallback; // the default as text, which parsing fills in; NULL = none
    const char *values;   // "none|gzip|snappy": nothing else is accepted; NULL = anything
    enum flag_kind kind;
    int64_t min; // for numbers; min == max == 0 = the whole range of the type
    int64_t max;
};

struct flag_value {
    bool given; // on the command line (a fallback does not count)
    const char *text; // the last value or the fallback; NULL = neither
    int64_t number;   // of FLAG_I32 and FLAG_I64
    const char **list; // of FLAG_LIST, `count` entries
    int count;
};

// What was on the command line. Texts point into argv.
struct flags {
    const struct flag_def *defs;
    int def_count;
    struct flag_value *values; // by index of the definition
    const char **args;         // what is not a flag, in order
    int arg_count;
};

enum flags_mode { FLAGS_STRICT, FLAGS_ABBREVIATED };

// Reads argv[0..argc): the command's own name is not among them. ERR_INVALID with the flag, the cause
// and the nearest flag in `diag`; `f` is then empty. Release `f` in any case.
int flags_parse(struct flags *f, const struct flag_def *defs, int def_count, enum flags_mode mode,
                int argc, char **argv, struct diag *diag);
void flags_release(struct flags *f);

static inline bool flags_given(const struct flags *f, int id)
{
    return f->values[id].given;
}

// The last value, the fallback, or NULL.
static inline const char *flags_text(const struct flags *f, int id)
{
    return f->values[id].text;
}

static inline int64_t flags_number(const struct flags *f, int id)
{
    return f->values[id].number;
}

// "--partition" of "-p, --partition": how messages call the flag.
struct str flag_long_name(const struct flag_def *def);

// Appends the table as help text: two columns, values and defaults included.
void flags_help(struct buf *out, const struct flag_def *defs, int def_count);

// The entry of `names` (count strings) that is most like `text`, or NULL when none is near.
const char *nearest_name(struct str text, const char *const *names, int count);

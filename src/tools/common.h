// SPDX-License-Identifier: Apache-2.0
//
// Flags that many commands share, and the small things that many commands do.
#pragma once

#include <stdbool.h>

#include "tools/admin.h"
#include "tools/driver.h"
#include "tools/output.h"
#include "tools/tool.h"

#define COMMON_BOOTSTRAP                                                                           \
    {                                                                                              \
        .names = "-b, --bootstrap-server", .argument = "HOST:PORT[,...]", .kind = FLAG_TEXT,       \
        .help = "The brokers to ask first. [default: CHITIN_BOOTSTRAP, else 127.0.0.1:9092]"       \
    }

#define COMMON_OUTPUT                                                                              \
    {                                                                                              \
        .names = "-o, --output", .argument = "table|json", .kind = FLAG_TEXT,                      \
        .values = "table|json", .fallback = "table",                                               \
        .help = "A table for people, or one JSON object per line."                                 \
    }

#define COMMAND_FLAGS(defs) .flags = (defs), .flag_count = (int)(sizeof(defs) / sizeof *(defs))

static inline bool wants_json(const struct tool *t, int flag)
{
    return strcmp(flags_text(&t->flags, flag), "json") == 0;
}

// Reads "k=v"; false when there is no '=' or no key.
bool config_parse(const char *text, struct admin_config *out);

// "1,2,3" (or with another separator) as numbers; count -1 and ERR_INVALID on anything else. Free
// items with mem_free().
int ids_parse(struct str text, char separator, struct wire_int32_array *out);

// "0:1,1:2": brokers by partition. *out has *count entries; free it with assignment_free().
int assignment_parse(const char *text, struct wire_int32_array **out, int *count, struct diag *diag);
void assignment_free(struct wire_int32_array *assignment, int count);

// Says that a topic is not there, with the nearest names; returns EXIT_NOT_FOUND.
int tool_no_such_topic(struct tool *t, struct str name);

// A pattern that must fit the whole of a name (POSIX extended); NULL with diag set if it is none.
struct pattern;
struct pattern *pattern_new(const char *text, struct diag *diag);
bool pattern_matches(const struct pattern *p, struct str text);
void pattern_free(struct pattern *p);

// Reads a whole file; *out is initialised in any case. ERR_NOT_FOUND, ERR_LIMIT...
int read_whole_file(struct tool *t, const char *path, size_t size_max, struct buf *out);

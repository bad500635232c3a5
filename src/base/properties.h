// SPDX-License-Identifier: Apache-2.0
//
// Java's properties text: `server.properties`, `meta.properties` (java.util.Properties.load):
// comment lines with # or !, `=`, `:` or white space between key and value, a backslash at the end
// of a line continues it, \t \n \r \f \\ and \uXXXX escapes.
#pragma once

#include "base/buf.h"
#include "base/diag.h"

struct property {
    char *key;
    char *value;
    int line; // where it stands, counted from 1; 0 when it was set by a program
};

struct properties {
    struct property *items; // in order of first appearance; a repeated key keeps the last value
    int count;
    int capacity;
};

enum { PROPERTIES_TEXT_MAX = 1 << 20, PROPERTIES_COUNT_MAX = 10000 };

void properties_init(struct properties *p);
void properties_release(struct properties *p);

// Adds what `text` says. ERR_INVALID with the line on a bad \u escape, ERR_LIMIT past the maxima.
// What was read before the error stays in `p`.
int properties_parse(struct properties *p, struct str text, struct diag *diag);

// The value, or NULL.
const char *properties_get(const struct properties *p, const char *key);

// Adds or replaces.
void properties_set(struct properties *p, struct str key, struct str value, int line);

// Removes a key; harmless when it is not there.
void properties_unset(struct properties *p, const char *key);

// Appends "key=value\n" with what has to be escaped escaped, as java.util.Properties.store does.
void properties_format_line(struct buf *out, struct str key, struct str value);

// SPDX-License-Identifier: Apache-2.0
//
// Borrowed views of memory: bytes and text. A view owns nothing; whoever hands it out says how long
// the memory behind it lives. `data == NULL` is null where a format knows null, and then size is 0.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data;
    size_t size;
};

// Text, not terminated, not necessarily valid UTF-8 unless it was checked.
struct str {
    const char *data;
    size_t size;
};

// For printf("%.*s", STR_ARG(s)).
#define STR_ARG(s) (int)(s).size, (s).data != NULL ? (s).data : ""

static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){.data = data, .size = size};
}

static inline struct str str_of(const char *data, size_t size)
{
    return (struct str){.data = data, .size = size};
}

// The view of a C string; NULL gives the null string.
static inline struct str str_from(const char *text)
{
    return (struct str){.data = text, .size = text != NULL ? strlen(text) : 0};
}

static inline struct bytes str_bytes(struct str s)
{
    return (struct bytes){.data = (const uint8_t *)s.data, .size = s.size};
}

static inline struct str bytes_str(struct bytes b)
{
    return (struct str){.data = (const char *)b.data, .size = b.size};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool str_equal(struct str a, struct str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool str_is(struct str a, const char *text)
{
    return str_equal(a, str_from(text));
}

// Orders by bytes, then by length: negative, 0 or positive, as strcmp.
int str_compare(struct str a, struct str b);

bool str_starts_with(struct str s, const char *prefix);
bool str_ends_with(struct str s, const char *suffix);

// Without the white space at both ends (space, tab, CR, LF, FF).
struct str str_trim(struct str s);

// Cuts `*rest` at the first `separator`: returns what stands before it and leaves what follows in
// *rest, or returns all and leaves the null string when there is none. Start with a non-null rest;
// the loop ends when rest->data == NULL.
struct str str_cut(struct str *rest, char separator);

// Reads a whole decimal integer with optional sign. False, and *out untouched, on anything else:
// empty, white space, trailing characters, out of range.
bool str_parse_i64(struct str s, int64_t *out);
bool str_parse_i32(struct str s, int32_t *out);

// As above for a decimal fraction in C's notation.
bool str_parse_double(struct str s, double *out);

// Case-insensitive for ASCII letters.
bool str_equal_nocase(struct str a, struct str b);

// True if every byte sequence is well-formed UTF-8 (no surrogates, no overlong forms).
bool str_is_utf8(struct str s);

// Copies into a terminated buffer of `size` bytes; false (and an empty string) if it does not fit.
bool str_copy_to(struct str s, char *out, size_t size);

// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <errno.h>
#include <stdlib.h>

int str_compare(struct str a, struct str b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

bool str_starts_with(struct str s, const char *prefix)
{
    size_t size = strlen(prefix);
    return s.size >= size && (size == 0 || memcmp(s.data, prefix, size) == 0);
}

bool str_ends_with(struct str s, const char *suffix)
{
    size_t size = strlen(suffix);
    return s.size >= size && (size == 0 || memcmp(s.data + s.size - size, suffix, size) == 0);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

struct str str_trim(struct str s)
{
    while (s.size > 0 && is_space(s.data[0])) {
        s.data++;
        s.size--;
    }
    while (s.size > 0 && is_space(s.data[s.size - 1]))
        s.size--;
    return s;
}

struct str str_cut(struct str *rest, char separator)
{
    struct str head = *rest;
    const char *at = head.size > 0 ? memchr(head.data, separator, head.size) : NULL;
    if (at == NULL) {
        *rest = (struct str){0};
        return head;
    }
    head.size = (size_t)(at - head.data);
    *rest = str_of(at + 1, rest->size - head.size - 1);
    return head;
}

bool str_parse_i64(struct str s, int64_t *out)
{
    bool negative = s.size > 0 && s.data[0] == '-';
    size_t i = s.size > 0 && (s.data[0] == '-' || s.data[0] == '+') ? 1 : 0;
    if (i == s.size)
        return false;
    int64_t value = 0;
    for (; i < s.size; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
        int digit = s.data[i] - '0';
        // Counted downwards, since INT64_MIN has no positive twin.
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value))
            return false;
    }
    if (!negative && value == INT64_MIN)
        return false;
    *out = negative ? value : -value;
    return true;
}

bool str_parse_i32(struct str s, int32_t *out)
{
    int64_t value;
    if (!str_parse_i64(s, &value) || value < INT32_MIN || value > INT32_MAX)
        return false;
    *out = (int32_t)value;
    return true;
}

bool str_parse_double(struct str s, double *out)
{
    char text[64];
    if (s.size == 0 || is_space(s.data[0]) || !str_copy_to(s, text, sizeof text))
        return false;
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (*end != '\0' || errno == ERANGE || value != value)
        return false;
    *out = value;
    return true;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_equal_nocase(struct str a, struct str b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (lower(a.data[i]) != lower(b.data[i]))
            return false;
    return true;
}

// The length of the well-formed sequence at `p` (Unicode 15, table 3-7), or 0.
static size_t utf8_sequence(const uint8_t *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    size_t size = p[0] >= 0xc2 && p[0] <= 0xdf ? 2 : p[0] >= 0xe0 && p[0] <= 0xef ? 3
                : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : 0;
    if (size == 0 || size > left)
        return 0;
    uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return size;
}

bool str_is_utf8(struct str s)
{
    const uint8_t *p = (const uint8_t *)s.data;
    for (size_t at = 0; at < s.size;) {
        size_t size = utf8_sequence(p + at, s.size - at);
        if (size == 0)
            return false;
        at += size;
    }
    return true;
}

bool str_copy_to(struct str s, char *out, size_t size)
{
    out[0] = '\0';
    if (s.size >= size)
        return false;
    if (s.size > 0)
        memcpy(out, s.data, s.size);
    out[s.size] = '\0';
    return true;
}

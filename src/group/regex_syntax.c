// SPDX-License-Identifier: Apache-2.0
//
// One pass over the pattern, a function for each construct. Every character that stands for itself is
// written as \x{..}, so that PCRE2 cannot take it for anything else.
//
// Errors have the words of RE2/J, which is what Kafka answers with (but for a ')' too many, where those
// are "internal error").
#include "group/regex_syntax.h"

#include <stdio.h>

#include "base/err.h"
#include "group/regex.h"

enum { NAMED_GROUPS_MAX = 64 };

struct parser {
    struct str in;
    size_t at;
    struct buf *out;
    struct diag *diag;
    int depth;
    struct str names[NAMED_GROUPS_MAX];
    int name_count;
    // Of what was read last, for a repetition that may follow:
    bool can_repeat;   // there is something to repeat
    bool was_repeated; // it was a repetition itself
};

static int invalid(struct parser *p, const char *words)
{
    return diag_set(p->diag, ERR_INVALID, "%s", words);
}

static const char escape_words[] = "invalid escape sequence";
static const char perl_words[] = "invalid or unsupported Perl syntax";
static const char range_words[] = "invalid character class range";

static bool at_end(const struct parser *p)
{
    return p->at >= p->in.size;
}

// The byte `ahead` of the place, or -1.
static int peek(const struct parser *p, size_t ahead)
{
    return p->at + ahead < p->in.size ? (unsigned char)p->in.data[p->at + ahead] : -1;
}

static bool accept(struct parser *p, const char *text)
{
    struct str rest = {p->in.data + p->at, p->in.size - p->at};
    if (!str_starts_with(rest, text))
        return false;
    p->at += strlen(text);
    return true;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(int c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// One character of well-formed UTF-8.
static int32_t take_rune(struct parser *p)
{
    int c = peek(p, 0);
    int more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    int32_t rune = more == 0 ? c : c & (0x3f >> more);
    for (int i = 1; i <= more; i++)
        rune = rune << 6 | (peek(p, (size_t)i) & 0x3f);
    p->at += (size_t)more + 1;
    return rune;
}

static bool is_surrogate(int32_t rune)
{
    return rune >= 0xd800 && rune < 0xe000;
}

static void put_rune(struct parser *p, int32_t rune)
{
    if (is_surrogate(rune)) // RE2 knows them, PCRE2 does not; neither stands in a name
        rune = 0xfffd;
    if (is_word((int)rune))
        buf_append_u8(p->out, (uint8_t)rune);
    else
        buf_printf(p->out, "\\x{%x}", (unsigned)rune);
}

// ---- Escapes ----

static int hex_value(int c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int take_hex(struct parser *p, int32_t *rune)
{
    int32_t value = 0;
    if (accept(p, "{")) {
        int digits = 0;
        for (; hex_value(peek(p, 0)) >= 0; p->at++, digits++) {
            value = value * 16 + hex_value(peek(p, 0));
            if (value > 0x10ffff)
                return invalid(p, escape_words);
        }
        if (digits == 0 || !accept(p, "}"))
            return invalid(p, escape_words);
        *rune = value;
        return 0;
    }
    for (int i = 0; i < 2; i++, p->at++) {
        if (hex_value(peek(p, 0)) < 0)
            return invalid(p, escape_words);
        value = value * 16 + hex_value(peek(p, 0));
    }
    *rune = value;
    return 0;
}

static int32_t take_octal(struct parser *p, int32_t value)
{
    for (int i = 0; i < 2 && peek(p, 0) >= '0' && peek(p, 0) <= '7'; i++, p->at++)
        value = value * 8 + (peek(p, 0) - '0');
    return value;
}

// What follows a backslash, when it stands for one character.
static int take_escaped_rune(struct parser *p, int32_t *rune)
{
    if (at_end(p))
        return invalid(p, "trailing backslash at end of expression");
    int32_t c = take_rune(p);
    if (c >= '1' && c <= '7') {
        // One digit would be a back-reference.
        if (peek(p, 0) < '0' || peek(p, 0) > '7')
            return invalid(p, escape_words);
        *rune = take_octal(p, c - '0');
        return 0;
    }
    switch (c) {
    case '0': *rune = take_octal(p, 0); return 0;
    case 'x': return take_hex(p, rune);
    case 'a': *rune = 7; return 0;
    case 'f': *rune = 12; return 0;
    case 'n': *rune = 10; return 0;
    case 'r': *rune = 13; return 0;
    case 't': *rune = 9; return 0;
    case 'v': *rune = 11; return 0;
    default: break;
    }
    if (c >= 0x80 || (is_word((int)c) && c != '_'))
        return invalid(p, escape_words);
    *rune = c;
    return 0;
}

// \d \s \w and their opposites. As RE2: \s knows no vertical tab.
static bool take_perl_class(struct parser *p, bool in_class)
{
    static const struct {
        const char *text;
        const char *inside;
    } classes[] = {
        {"\\d", "0-9"},       {"\\s", "\\t\\n\\f\\r "},      {"\\w", "0-9A-Za-z_"},
        {"\\D", "\\x{0}-/:-\\x{10ffff}"},
        {"\\S", "\\x{0}-\\x{8}\\x{b}\\x{e}-\\x{1f}!-\\x{10ffff}"},
        {"\\W", "\\x{0}-/:-@\\x{5b}-\\x{5e}`{-\\x{10ffff}"},
    };
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (!accept(p, classes[i].text))
            continue;
        buf_printf(p->out, in_class ? "%s" : "[%s]", classes[i].inside);
        return true;
    }
    return false;
}

// \pN, \p{Greek}, \P{^Lu}. PCRE2 knows the names; one that it does not is found when it compiles.
static int take_unicode_class(struct parser *p)
{
    char kind = p->in.data[p->at + 1];
    p->at += 2;
    if (at_end(p))
        return invalid(p, range_words);
    if (!accept(p, "{")) {
        int c = peek(p, 0);
        if (!is_word(c))
            return invalid(p, range_words);
        p->at++;
        buf_printf(p->out, "\\%c{%c}", kind, c);
        return 0;
    }
    bool negated = accept(p, "^");
    size_t start = p->at;
    while (is_word(peek(p, 0)))
        p->at++;
    struct str name = str_of(p->in.data + start, p->at - start);
    if (name.size == 0 || !accept(p, "}"))
        return invalid(p, range_words);
    buf_printf(p->out, "\\%c{%s%.*s}", kind, negated ? "^" : "", STR_ARG(name));
    return 0;
}

static bool at_unicode_class(const struct parser *p)
{
    return peek(p, 0) == '\\' && (peek(p, 1) == 'p' || peek(p, 1) == 'P');
}

// ---- [classes] ----

static int take_posix_class(struct parser *p, bool *taken)
{
    static const char *const names[] = {"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph",
                                        "lower", "print", "punct", "space", "upper", "word", "xdigit"};
    struct str rest = {p->in.data + p->at, p->in.size - p->at};
    *taken = false;
    if (!str_starts_with(rest, "[:"))
        return 0;
    const char *end = memmem(rest.data + 2, rest.size - 2, ":]", 2);
    if (end == NULL)
        return 0;
    struct str name = str_of(rest.data + 2, (size_t)(end - rest.data) - 2), bare = name;
    if (bare.size > 0 && bare.data[0] == '^')
        bare = str_of(bare.data + 1, bare.size - 1);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!str_is(bare, names[i]))
            continue;
        buf_printf(p->out, "[:%.*s:]", STR_ARG(name));
        p->at += name.size + 4;
        *taken = true;
        return 0;
    }
    return invalid(p, range_words);
}

static int take_class_rune(struct parser *p, int32_t *rune)
{
    if (at_end(p))
        return invalid(p, "missing closing ]");
    if (accept(p, "\\"))
        return take_escaped_rune(p, rune);
    *rune = take_rune(p);
    return 0;
}

static int take_range(struct parser *p)
{
    int32_t low, high;
    int err = take_class_rune(p, &low);
    if (err != 0)
        return err;
    high = low;
    if (peek(p, 0) == '-' && peek(p, 1) >= 0 && peek(p, 1) != ']') {
        p->at++;
        if ((err = take_class_rune(p, &high)) != 0)
            return err;
        if (high < low)
            return invalid(p, range_words);
        // PCRE2 takes no surrogate for an end: the neighbours outside are as good for ASCII.
        low = is_surrogate(low) ? 0xe000 : low;
        high = is_surrogate(high) ? 0xd7ff : high;
        if (high < low)
            low = high = 0xfffd;
    }
    put_rune(p, low);
    if (high != low) {
        buf_append_u8(p->out, '-');
        put_rune(p, high);
    }
    return 0;
}

static int take_class(struct parser *p)
{
    p->at++;
    buf_append_text(p->out, accept(p, "^") ? "[^" : "[");
    for (bool first = true; first || peek(p, 0) != ']'; first = false) {
        bool taken;
        int err = take_posix_class(p, &taken);
        if (err == 0 && !taken && at_unicode_class(p)) {
            err = take_unicode_class(p);
            taken = true;
        }
        if (err == 0 && !taken && !take_perl_class(p, true))
            err = take_range(p);
        if (err != 0)
            return err;
        if (at_end(p))
            return invalid(p, "missing closing ]");
    }
    p->at++;
    buf_append_u8(p->out, ']');
    return 0;
}

// ---- Repetition ----

static void can_repeat(struct parser *p)
{
    p->can_repeat = true;
    p->was_repeated = false;
}

static void cannot_repeat(struct parser *p)
{
    p->can_repeat = p->was_repeated = false;
}

// Digits of a count; -1: none, or too many to be meant.
static int32_t take_count(struct parser *p)
{
    int32_t value = -1;
    for (; is_digit(peek(p, 0)); p->at++)
        value = value > 100 * 1000 ? value : (value < 0 ? 0 : value) * 10 + (peek(p, 0) - '0');
    return value;
}

// {n}, {n,}, {n,m}. What only looks like one is text: false, and the place has not moved.
static bool take_counts(struct parser *p, int32_t *least, int32_t *most)
{
    size_t start = p->at++;
    *least = *most = take_count(p);
    if (*least >= 0 && accept(p, ","))
        *most = peek(p, 0) == '}' ? -1 : take_count(p);
    if (*least >= 0 && (*most >= 0 || p->in.data[p->at - 1] == ',') && accept(p, "}"))
        return true;
    p->at = start;
    return false;
}

static int put_repeat(struct parser *p, const char *text)
{
    if (!p->can_repeat)
        return invalid(p, p->was_repeated ? "invalid nested repetition operator"
                                          : "missing argument to repetition operator");
    buf_append_text(p->out, text);
    if (accept(p, "?")) // which way it prefers does not matter to whole names
        buf_append_u8(p->out, '?');
    p->can_repeat = false;
    p->was_repeated = true;
    return 0;
}

static int take_repeat(struct parser *p, bool *taken)
{
    int c = peek(p, 0);
    *taken = true;
    if (c == '*' || c == '+' || c == '?') {
        char text[2] = {(char)c, '\0'};
        p->at++;
        return put_repeat(p, text);
    }
    int32_t least, most;
    if (!take_counts(p, &least, &most)) {
        *taken = false;
        return 0;
    }
    if (least > REGEX_REPEAT_MAX || most > REGEX_REPEAT_MAX || (most >= 0 && least > most))
        return invalid(p, "invalid repeat count");
    char text[32];
    if (most < 0)
        snprintf(text, sizeof(text), "{%d,}", least);
    else
        snprintf(text, sizeof(text), "{%d,%d}", least, most);
    return put_repeat(p, text);
}

// ---- (groups) ----

static int open_group(struct parser *p, const char *text)
{
    if (p->depth == REGEX_DEPTH_MAX)
        return diag_set(p->diag, ERR_LIMIT, "expression nests more than %d groups", REGEX_DEPTH_MAX);
    p->depth++;
    buf_append_text(p->out, text);
    cannot_repeat(p);
    return 0;
}

static int take_name(struct parser *p)
{
    size_t start = p->at;
    while (is_word(peek(p, 0)))
        p->at++;
    struct str name = str_of(p->in.data + start, p->at - start);
    if (name.size == 0 || !accept(p, ">"))
        return invalid(p, "invalid named capture");
    for (int i = 0; i < p->name_count; i++)
        if (str_equal(name, p->names[i]))
            return invalid(p, "duplicate capture group name");
    if (p->name_count == NAMED_GROUPS_MAX)
        return diag_set(p->diag, ERR_LIMIT, "expression names more than %d groups", NAMED_GROUPS_MAX);
    p->names[p->name_count++] = name;
    return open_group(p, "(?:");
}

// (?flags) and (?flags:...). RE2 has i, m, s and U; U only says what is preferred.
static int take_flags(struct parser *p)
{
    size_t start = p->at;
    bool minus = false, any = false;
    for (; !at_end(p); p->at++) {
        int c = peek(p, 0);
        if (c == ':' || c == ')')
            break;
        if (c == '-' ? minus : c != 'i' && c != 'm' && c != 's' && c != 'U')
            return invalid(p, perl_words);
        minus |= c == '-';
        any = c != '-';
    }
    if (at_end(p) || (minus && !any) || (p->at == start && peek(p, 0) == ')'))
        return invalid(p, perl_words);
    struct str flags = str_of(p->in.data + start, p->at - start);
    bool opens = peek(p, 0) == ':';
    p->at++;
    buf_printf(p->out, "(?%.*s%s", STR_ARG(flags), opens ? "" : ")");
    if (opens)
        return open_group(p, ":");
    cannot_repeat(p);
    return 0;
}

static int take_group(struct parser *p)
{
    p->at++;
    if (!accept(p, "?"))
        return open_group(p, "(?:");
    return accept(p, "P<") || accept(p, "<") ? take_name(p) : take_flags(p);
}

static int close_group(struct parser *p)
{
    if (p->depth == 0)
        return invalid(p, "unexpected )");
    p->depth--;
    p->at++;
    buf_append_u8(p->out, ')');
    can_repeat(p);
    return 0;
}

// ---- All of it ----

static int take_escape(struct parser *p)
{
    // PCRE2 repeats no bare assertion: hence the groups around them.
    static const struct {
        const char *text;
        const char *means;
    } assertions[] = {{"\\A", "(?:\\A)"}, {"\\b", "(?:\\b)"}, {"\\B", "(?:\\B)"}, {"\\z", "(?:\\z)"}};
    for (size_t i = 0; i < sizeof(assertions) / sizeof(assertions[0]); i++)
        if (accept(p, assertions[i].text)) {
            buf_append_text(p->out, assertions[i].means);
            can_repeat(p);
            return 0;
        }
    if (accept(p, "\\Q")) {
        while (!at_end(p) && !accept(p, "\\E")) {
            put_rune(p, take_rune(p));
            can_repeat(p);
        }
        return 0;
    }
    can_repeat(p);
    if (at_unicode_class(p))
        return take_unicode_class(p);
    if (take_perl_class(p, false))
        return 0;
    int32_t rune;
    p->at++;
    int err = take_escaped_rune(p, &rune);
    if (err == 0)
        put_rune(p, rune);
    return err;
}

static int take_one(struct parser *p)
{
    bool taken = false;
    int err;
    switch (peek(p, 0)) {
    case '(':
        return take_group(p);
    case ')':
        return close_group(p);
    case '|':
        p->at++;
        buf_append_u8(p->out, '|');
        cannot_repeat(p);
        return 0;
    case '\\':
        return take_escape(p);
    case '[':
        can_repeat(p);
        return take_class(p);
    case '^':
    case '$':
    case '.':
        buf_printf(p->out, peek(p, 0) == '.' ? "%c" : "(?:%c)", peek(p, 0));
        p->at++;
        can_repeat(p);
        return 0;
    case '*':
    case '+':
    case '?':
    case '{':
        err = take_repeat(p, &taken);
        if (err != 0 || taken)
            return err;
        break;
    default:
        break;
    }
    put_rune(p, take_rune(p));
    can_repeat(p);
    return 0;
}

int regex_translate(struct str pattern, struct buf *out, struct diag *diag)
{
    struct parser p = {.in = pattern, .out = out, .diag = diag};
    if (pattern.size > REGEX_PATTERN_MAX)
        return diag_set(diag, ERR_LIMIT, "expression has %zu bytes, more than %d", pattern.size,
                        REGEX_PATTERN_MAX);
    if (!str_is_utf8(pattern))
        return invalid(&p, "invalid UTF-8");
    while (!at_end(&p)) {
        int err = take_one(&p);
        if (err != 0)
            return err;
    }
    if (p.depth > 0)
        return invalid(&p, "missing closing )");
    return out->failed ? diag_set(diag, ERR_LIMIT, "expression is too large") : 0;
}

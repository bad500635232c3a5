// SPDX-License-Identifier: Apache-2.0
#include "base/properties.h"

#include "base/err.h"
#include "base/mem.h"

void properties_init(struct properties *p)
{
    *p = (struct properties){0};
}

void properties_release(struct properties *p)
{
    for (int i = 0; i < p->count; i++) {
        mem_free(p->items[i].key);
        mem_free(p->items[i].value);
    }
    mem_free(p->items);
    properties_init(p);
}

static struct property *find(const struct properties *p, struct str key)
{
    for (int i = 0; i < p->count; i++)
        if (str_is(key, p->items[i].key))
            return &p->items[i];
    return NULL;
}

const char *properties_get(const struct properties *p, const char *key)
{
    struct property *item = find(p, str_from(key));
    return item != NULL ? item->value : NULL;
}

void properties_set(struct properties *p, struct str key, struct str value, int line)
{
    struct property *item = find(p, key);
    if (item == NULL) {
        mem_grow(p->items, p->count, p->capacity);
        item = &p->items[p->count++];
        *item = (struct property){.key = mem_copy_str(key)};
    }
    mem_free(item->value);
    item->value = mem_copy_str(value);
    item->line = line;
}

void properties_unset(struct properties *p, const char *key)
{
    struct property *item = find(p, str_from(key));
    if (item == NULL)
        return;
    mem_free(item->key);
    mem_free(item->value);
    int index = (int)(item - p->items);
    memmove(item, item + 1, (size_t)(p->count - index - 1) * sizeof *item);
    p->count--;
}

// Reads characters of a text and counts its lines.
struct reader {
    struct str rest;
    int line;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static bool is_newline(char c)
{
    return c == '\n' || c == '\r';
}

static void skip_blank(struct reader *r)
{
    while (r->rest.size > 0 && is_blank(r->rest.data[0])) {
        r->rest.data++;
        r->rest.size--;
    }
}

static char take(struct reader *r)
{
    char c = r->rest.data[0];
    r->rest.data++;
    r->rest.size--;
    // CR LF is one end of line.
    if (c == '\n' || (c == '\r' && (r->rest.size == 0 || r->rest.data[0] != '\n')))
        r->line++;
    return c;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void append_utf8(struct buf *out, uint32_t point)
{
    if (point < 0x80) {
        buf_append_u8(out, (uint8_t)point);
    } else if (point < 0x800) {
        buf_append_u8(out, (uint8_t)(0xc0 | point >> 6));
        buf_append_u8(out, (uint8_t)(0x80 | (point & 0x3f)));
    } else if (point < 0x10000) {
        buf_append_u8(out, (uint8_t)(0xe0 | point >> 12));
        buf_append_u8(out, (uint8_t)(0x80 | (point >> 6 & 0x3f)));
        buf_append_u8(out, (uint8_t)(0x80 | (point & 0x3f)));
    } else {
        buf_append_u8(out, (uint8_t)(0xf0 | point >> 18));
        buf_append_u8(out, (uint8_t)(0x80 | (point >> 12 & 0x3f)));
        buf_append_u8(out, (uint8_t)(0x80 | (point >> 6 & 0x3f)));
        buf_append_u8(out, (uint8_t)(0x80 | (point & 0x3f)));
    }
}

// Four hexadecimal digits at the start of `s`, or -1.
static int32_t hex_unit(struct str s)
{
    int32_t unit = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = i < s.size ? hex_digit(s.data[i]) : -1;
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

// What follows \u: a character of Java, that is a unit of UTF-16. Two of them make one character
// beyond U+FFFF; half a pair cannot be written as UTF-8 and becomes '?', as in Java.
static int read_unicode(struct reader *r, struct buf *out)
{
    int32_t unit = hex_unit(r->rest);
    if (unit < 0)
        return ERR_INVALID;
    r->rest = str_of(r->rest.data + 4, r->rest.size - 4);
    if (unit < 0xd800 || unit > 0xdfff) {
        append_utf8(out, (uint32_t)unit);
        return ERR_OK;
    }
    struct str low_text = str_starts_with(r->rest, "\\u")
                              ? str_of(r->rest.data + 2, r->rest.size - 2)
                              : (struct str){0};
    int32_t low = hex_unit(low_text);
    if (unit >= 0xdc00 || low < 0xdc00 || low > 0xdfff) {
        buf_append_u8(out, '?');
        return ERR_OK;
    }
    r->rest = str_of(r->rest.data + 6, r->rest.size - 6);
    append_utf8(out, 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
    return ERR_OK;
}

// What follows a backslash. A continuation joins the next line without its leading blanks.
static int read_escape(struct reader *r, struct buf *out)
{
    if (r->rest.size == 0)
        return ERR_OK;
    char c = take(r);
    switch (c) {
    case 'u': return read_unicode(r, out);
    case 't': buf_append_u8(out, '\t'); return ERR_OK;
    case 'n': buf_append_u8(out, '\n'); return ERR_OK;
    case 'r': buf_append_u8(out, '\r'); return ERR_OK;
    case 'f': buf_append_u8(out, '\f'); return ERR_OK;
    case '\r':
        if (r->rest.size > 0 && r->rest.data[0] == '\n')
            take(r);
        skip_blank(r);
        return ERR_OK;
    case '\n': skip_blank(r); return ERR_OK;
    default: buf_append_u8(out, (uint8_t)c); return ERR_OK;
    }
}

// Reads up to the end of the line, or for a key up to its separator.
static int read_part(struct reader *r, struct buf *out, bool is_key)
{
    while (r->rest.size > 0 && !is_newline(r->rest.data[0])) {
        char c = r->rest.data[0];
        if (is_key && (c == '=' || c == ':' || is_blank(c)))
            return ERR_OK;
        take(r);
        if (c != '\\') {
            buf_append_u8(out, (uint8_t)c);
        } else {
            int err = read_escape(r, out);
            if (err != ERR_OK)
                return err;
        }
    }
    return ERR_OK;
}

static int read_line(struct reader *r, struct properties *p, struct buf *key, struct buf *value)
{
    int line = r->line;
    int err = read_part(r, key, true);
    if (err != ERR_OK)
        return err;
    skip_blank(r);
    if (r->rest.size > 0 && (r->rest.data[0] == '=' || r->rest.data[0] == ':')) {
        take(r);
        skip_blank(r);
    }
    err = read_part(r, value, false);
    if (err != ERR_OK)
        return err;
    if (key->failed || value->failed || p->count >= PROPERTIES_COUNT_MAX)
        return ERR_LIMIT;
    // A NUL would cut the C string short and so change what the file says.
    if (memchr(buf_text(key), '\0', key->size) || memchr(buf_text(value), '\0', value->size))
        return ERR_INVALID;
    properties_set(p, buf_str(key), buf_str(value), line);
    return ERR_OK;
}

static void skip_line(struct reader *r)
{
    while (r->rest.size > 0 && !is_newline(r->rest.data[0]))
        take(r);
}

int properties_parse(struct properties *p, struct str text, struct diag *diag)
{
    if (text.size > PROPERTIES_TEXT_MAX)
        return diag_set(diag, ERR_LIMIT, "larger than %d bytes", PROPERTIES_TEXT_MAX);
    struct reader r = {.rest = text, .line = 1};
    struct buf key, value;
    buf_init(&key, PROPERTIES_TEXT_MAX);
    buf_init(&value, PROPERTIES_TEXT_MAX);
    int err = ERR_OK;
    while (err == ERR_OK && r.rest.size > 0) {
        skip_blank(&r);
        if (r.rest.size == 0)
            break;
        char c = r.rest.data[0];
        if (c == '#' || c == '!') {
            skip_line(&r);
        } else if (is_newline(c)) {
            take(&r);
        } else {
            int line = r.line;
            buf_clear(&key);
            buf_clear(&value);
            err = read_line(&r, p, &key, &value);
            if (err == ERR_LIMIT)
                diag_set(diag, err, "line %d: more than %d properties", line, PROPERTIES_COUNT_MAX);
            else if (err != ERR_OK)
                diag_set(diag, err, "line %d: malformed \\uXXXX escape or a NUL character", line);
        }
    }
    buf_release(&key);
    buf_release(&value);
    return err;
}

static void format_escaped(struct buf *out, struct str s, bool is_key)
{
    for (size_t i = 0; i < s.size; i++) {
        char c = s.data[i];
        const char *plain = "\t\n\r\f";
        const char *special = c != '\0' ? strchr(plain, c) : NULL;
        if (special != NULL) {
            buf_append_u8(out, '\\');
            buf_append_u8(out, (uint8_t)"tnrf"[special - plain]);
            continue;
        }
        if (c == '\\' || c == '=' || c == ':' || c == '#' || c == '!' ||
            (c == ' ' && (is_key || i == 0)))
            buf_append_u8(out, '\\');
        buf_append_u8(out, (uint8_t)c);
    }
}

void properties_format_line(struct buf *out, struct str key, struct str value)
{
    format_escaped(out, key, true);
    buf_append_u8(out, '=');
    format_escaped(out, value, false);
    buf_append_u8(out, '\n');
}

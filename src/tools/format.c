// SPDX-License-Identifier: Apache-2.0
#include "tools/format.h"

#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/fetcher.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "tools/output.h"



enum shape {
    SHAPE_PLAIN,
    SHAPE_HEX,
    SHAPE_BASE64,
    SHAPE_JSON,
    SHAPE_BIG,
    SHAPE_LITTLE,
    SHAPE_RFC3339,
    SHAPE_STRFTIME,
    SHAPE_NULL_TEXT,
};

// A piece of a format: literal text, or a letter with its modifier.
struct piece {
    char letter; // '\0' = literal
    enum shape shape;
    int bits;               // of SHAPE_BIG and SHAPE_LITTLE
    char *text;             // the literal, the strftime format, the text for null
    size_t text_size;
    struct format *headers; // of %h
};

struct format {
    struct piece *pieces;
    int count;
    int capacity;
};

struct parser {
    struct str all;
    size_t at;
    struct diag *diag;
};

static int fail(struct parser *p, const char *what)
{
    return diag_set(p->diag, ERR_INVALID, "format \"%.*s\": %s at position %zu", STR_ARG(p->all), what,
                    p->at + 1);
}

static struct piece *piece_add(struct format *f, char letter)
{
    mem_grow(f->pieces, f->count, f->capacity);
    f->pieces[f->count] = (struct piece){.letter = letter};
    return &f->pieces[f->count++];
}

static void add_literal(struct format *f, char c)
{
    struct piece *last = f->count > 0 ? &f->pieces[f->count - 1] : NULL;
    if (last == NULL || last->letter != '\0')
        last = piece_add(f, '\0');
    last->text = mem_resize(last->text, last->text_size + 2);
    last->text[last->text_size++] = c;
    last->text[last->text_size] = '\0';
}

static int compile(struct str text, const char *letters, struct format **out, struct diag *diag);

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_backslash(struct parser *p, struct format *f)
{
    static const char from[] = "ntr0\\", to[] = "\n\t\r\0\\";
    if (p->at >= p->all.size)
        return fail(p, "nothing after \\");
    char c = p->all.data[p->at++];
    const char *found = strchr(from, c);
    if (c != '\0' && found != NULL) {
        add_literal(f, to[found - from]);
        return 0;
    }
    if (c != 'x' || p->at + 2 > p->all.size)
        return fail(p, "unknown escape after \\ (known: n t r 0 \\ xNN)");
    int high = hex_digit(p->all.data[p->at]), low = hex_digit(p->all.data[p->at + 1]);
    if (high < 0 || low < 0)
        return fail(p, "\\x needs two hex digits");
    p->at += 2;
    add_literal(f, (char)(high << 4 | low));
    return 0;
}

// The text up to the brace that closes the one just read.
static int take_braces(struct parser *p, struct str *out)
{
    size_t start = p->at;
    int depth = 1;
    for (; p->at < p->all.size; p->at++) {
        char c = p->all.data[p->at];
        if (c == '%' && p->at + 1 < p->all.size &&
            (p->all.data[p->at + 1] == '{' || p->all.data[p->at + 1] == '}')) {
            p->at++;
            continue;
        }
        depth += (c == '{') - (c == '}');
        if (depth == 0) {
            *out = str_of(p->all.data + start, p->at - start);
            p->at++;
            return 0;
        }
    }
    p->at = start;
    return fail(p, "{ without }");
}

static bool is_number(char letter)
{
    return strchr("poedTKVHaxyi", letter) != NULL;
}

static bool parse_binary(struct str name, const char *prefix, int *bits)
{
    if (!str_starts_with(name, prefix))
        return false;
    size_t size = strlen(prefix);
    return str_parse_i32(str_of(name.data + size, name.size - size), bits) &&
           (*bits == 8 || *bits == 16 || *bits == 32 || *bits == 64);
}

// "strftime[%F]" with `name` "strftime" gives "%F".
static bool parse_bracketed(struct str text, const char *name, struct str *inside)
{
    size_t size = strlen(name);
    if (!str_starts_with(text, name) || text.size < size + 2 || text.data[size] != '[' ||
        text.data[text.size - 1] != ']')
        return false;
    *inside = str_of(text.data + size + 1, text.size - size - 2);
    return true;
}

static int parse_modifier(struct parser *p, struct piece *piece, struct str name)
{
    struct str inside;
    bool number = is_number(piece->letter);
    if (str_is(name, "hex")) {
        piece->shape = SHAPE_HEX;
    } else if (number && parse_binary(name, "big", &piece->bits)) {
        piece->shape = SHAPE_BIG;
    } else if (number && parse_binary(name, "little", &piece->bits)) {
        piece->shape = SHAPE_LITTLE;
    } else if (number && (str_is(name, "ascii") || (piece->letter == 'd' && str_is(name, "ms")))) {
        piece->shape = SHAPE_PLAIN;
    } else if (piece->letter == 'd' && str_is(name, "rfc3339")) {
        piece->shape = SHAPE_RFC3339;
    } else if (piece->letter == 'd' && parse_bracketed(name, "strftime", &inside)) {
        piece->shape = SHAPE_STRFTIME;
        piece->text = mem_copy_str(inside);
    } else if (!number && str_is(name, "base64")) {
        piece->shape = SHAPE_BASE64;
    } else if (!number && str_is(name, "json")) {
        piece->shape = SHAPE_JSON;
    } else if (!number && parse_bracketed(name, "null", &inside)) {
        piece->shape = SHAPE_NULL_TEXT;
        piece->text = mem_copy_str(inside);
    } else {
        return fail(p, number ? "unknown modifier (numbers: hex, bigN, littleN; %d: rfc3339, "
                                "strftime[...]) before"
                              : "unknown modifier (text: hex, base64, json, null[...]) before");
    }
    return 0;
}

static int parse_percent(struct parser *p, struct format *f, const char *letters)
{
    if (p->at >= p->all.size)
        return fail(p, "nothing after %");
    char c = p->all.data[p->at++];
    if (c == '%' || c == '{' || c == '}') {
        add_literal(f, c);
        return 0;
    }
    if (strchr(letters, c) == NULL) {
        p->at--;
        return fail(p, "unknown letter after %");
    }
    struct piece *piece = piece_add(f, c);
    bool braces = p->at < p->all.size && p->all.data[p->at] == '{';
    struct str inside;
    if (!braces)
        return c == 'h' ? fail(p, "%h needs {...}, for example %h{%k=%v }") : 0;
    p->at++;
    int err = take_braces(p, &inside);
    if (err < 0)
        return err;
    if (c != 'h')
        return parse_modifier(p, piece, inside);
    struct format *headers;
    err = compile(inside, "kvKV", &headers, p->diag);
    if (err == 0)
        piece->headers = headers;
    return err;
}

static int compile(struct str text, const char *letters, struct format **out, struct diag *diag)
{
    struct parser p = {.all = text, .diag = diag};
    struct format *f = mem_new(struct format);
    int err = 0;
    while (err == 0 && p.at < text.size) {
        char c = text.data[p.at++];
        if (c == '%')
            err = parse_percent(&p, f, letters);
        else if (c == '\\')
            err = parse_backslash(&p, f);
        else
            add_literal(f, c);
    }
    if (err < 0) {
        format_free(f);
        return err;
    }
    *out = f;
    return 0;
}

int format_compile(struct str text, struct format **out, struct diag *diag)
{
    return compile(text, "tpoedkvhTKVHaxyi", out, diag);
}

void format_free(struct format *f)
{
    if (f == NULL)
        return;
    for (int i = 0; i < f->count; i++) {
        mem_free(f->pieces[i].text);
        format_free(f->pieces[i].headers);
    }
    mem_free(f->pieces);
    mem_free(f);
}

static void append_hex(struct buf *out, struct bytes b)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < b.size; i++) {
        buf_append_u8(out, (uint8_t)digits[b.data[i] >> 4]);
        buf_append_u8(out, (uint8_t)digits[b.data[i] & 15]);
    }
}

static void append_text(const struct piece *p, struct bytes b, struct buf *out)
{
    struct json_printer json;
    switch (p->shape) {
    case SHAPE_HEX:
        append_hex(out, b);
        break;
    case SHAPE_BASE64:
        base64_encode(b, out);
        break;
    case SHAPE_JSON:
        json_printer_init(&json, out);
        json_print_str(&json, bytes_str(b));
        break;
    case SHAPE_NULL_TEXT:
        if (b.data == NULL)
            buf_append_text(out, p->text);
        buf_append(out, b.data, b.size);
        break;
    default:
        buf_append(out, b.data, b.size);
    }
}

static void append_binary(const struct piece *p, int64_t value, struct buf *out)
{
    for (int i = 0; i < p->bits; i += 8) {
        int shift = p->shape == SHAPE_BIG ? p->bits - 8 - i : i;
        buf_append_u8(out, (uint8_t)((uint64_t)value >> shift));
    }
}

static void append_number(const struct piece *p, int64_t value, struct buf *out)
{
    switch (p->shape) {
    case SHAPE_HEX:
        buf_printf(out, "%llx", (unsigned long long)value);
        break;
    case SHAPE_BIG:
    case SHAPE_LITTLE:
        append_binary(p, value, out);
        break;
    case SHAPE_RFC3339:
        time_format_rfc3339(out, value);
        break;
    case SHAPE_STRFTIME:
        time_format(out, p->text, value);
        break;
    default:
        buf_printf(out, "%lld", (long long)value);
    }
}

static int64_t length_of(struct bytes b)
{
    return b.data == NULL ? -1 : (int64_t)b.size;
}

static void format_header(const struct format *f, const struct record_header *h, struct buf *out)
{
    struct bytes key = str_bytes(h->key);
    for (int i = 0; i < f->count; i++) {
        const struct piece *p = &f->pieces[i];
        switch (p->letter) {
        case '\0':
            buf_append(out, p->text, p->text_size);
            break;
        case 'k':
        case 'v':
            append_text(p, p->letter == 'k' ? key : h->value, out);
            break;
        default:
            append_number(p, length_of(p->letter == 'K' ? key : h->value), out);
        }
    }
}

static void format_headers(const struct format *f, const struct record *r, struct buf *out)
{
    struct bytes rest = r->headers;
    struct record_header h;
    while (record_header_next(&rest, &h) == 1)
        format_header(f, &h, out);
}

static int64_t number_of(char letter, const struct fetched *r, int64_t count)
{
    switch (letter) {
    case 'p':
        return r->partition;
    case 'o':
        return r->record.offset;
    case 'e':
        return r->leader_epoch;
    case 'd':
        return r->record.timestamp;
    case 'T':
        return (int64_t)r->topic.size;
    case 'K':
        return length_of(r->record.key);
    case 'V':
        return length_of(r->record.value);
    case 'H':
        return r->record.header_count;
    case 'a':
        return r->batch.attributes;
    case 'x':
        return r->batch.producer_id;
    case 'y':
        return r->batch.producer_epoch;
    case 'i':
        return count;
    default:
        check_unreachable();
    }
}

void format_record(const struct format *f, const struct fetched *r, int64_t count, struct buf *out)
{
    for (int i = 0; i < f->count; i++) {
        const struct piece *p = &f->pieces[i];
        switch (p->letter) {
        case '\0':
            buf_append(out, p->text, p->text_size);
            break;
        case 't':
            append_text(p, str_bytes(r->topic), out);
            break;
        case 'k':
            append_text(p, r->record.key, out);
            break;
        case 'v':
            append_text(p, r->record.value, out);
            break;
        case 'h':
            format_headers(p->headers, &r->record, out);
            break;
        default:
            append_number(p, number_of(p->letter, r, count), out);
        }
    }
}

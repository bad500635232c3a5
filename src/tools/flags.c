// SPDX-License-Identifier: Apache-2.0
#include "tools/flags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

enum { NAME_MAX_SIZE = 64, HELP_COLUMN = 34, HELP_WIDTH = 100 };

// Calls for each name of "-p, --partition": true from `want` stops the walk.
static bool next_name(struct str *rest, struct str *name)
{
    if (rest->data == NULL)
        return false;
    *name = str_trim(str_cut(rest, ','));
    return true;
}

struct str flag_long_name(const struct flag_def *def)
{
    struct str rest = str_from(def->names), name, found = {0};
    while (next_name(&rest, &name))
        if (found.data == NULL || (str_starts_with(name, "--") && !str_starts_with(found, "--")))
            found = name;
    return found;
}

static bool has_name(const struct flag_def *def, struct str wanted)
{
    struct str rest = str_from(def->names), name;
    while (next_name(&rest, &name))
        if (str_equal(name, wanted))
            return true;
    return false;
}

static bool has_prefix(const struct flag_def *def, struct str prefix)
{
    struct str rest = str_from(def->names), name;
    while (next_name(&rest, &name))
        if (str_starts_with(name, "--") && name.size > prefix.size &&
            memcmp(name.data, prefix.data, prefix.size) == 0)
            return true;
    return false;
}

static int edit_distance(struct str a, struct str b)
{
    int row[NAME_MAX_SIZE + 1];
    if (a.size > NAME_MAX_SIZE || b.size > NAME_MAX_SIZE)
        return NAME_MAX_SIZE;
    for (size_t j = 0; j <= b.size; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= a.size; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= b.size; j++) {
            int cost = diagonal + (a.data[i - 1] != b.data[j - 1]);
            diagonal = row[j];
            int other = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            row[j] = cost < other ? cost : other;
        }
    }
    return row[b.size];
}

// How unlike two names are; a name that contains the other counts as near.
static int unlikeness(struct str text, struct str name)
{
    int distance = edit_distance(text, name);
    if (text.size >= 3 && name.size > text.size && memmem(name.data, name.size, text.data, text.size))
        return distance < 2 ? distance : 2;
    return distance;
}

static bool is_near(int distance, struct str text)
{
    return distance <= 2 || (size_t)distance <= text.size / 3;
}

const char *nearest_name(struct str text, const char *const *names, int count)
{
    const char *best = NULL;
    int best_distance = NAME_MAX_SIZE;
    for (int i = 0; i < count; i++) {
        int distance = unlikeness(text, str_from(names[i]));
        if (distance < best_distance) {
            best_distance = distance;
            best = names[i];
        }
    }
    return best != NULL && is_near(best_distance, text) ? best : NULL;
}

static struct str nearest_flag(const struct flags *f, struct str text)
{
    struct str best = {0};
    int best_distance = NAME_MAX_SIZE;
    for (int i = 0; i < f->def_count; i++) {
        struct str rest = str_from(f->defs[i].names), name;
        while (f->defs[i].help != NULL && next_name(&rest, &name)) {
            int distance = unlikeness(text, name);
            if (str_starts_with(name, "--") && distance < best_distance) {
                best_distance = distance;
                best = name;
            }
        }
    }
    return is_near(best_distance, text) ? best : (struct str){0};
}

static int unknown_flag(const struct flags *f, struct str name, struct diag *diag)
{
    struct str near = nearest_flag(f, name);
    if (near.data != NULL)
        return diag_set(diag, ERR_INVALID, "unknown flag %.*s; did you mean %.*s?", STR_ARG(name),
                        STR_ARG(near));
    return diag_set(diag, ERR_INVALID, "unknown flag %.*s", STR_ARG(name));
}

static int find_exact(const struct flags *f, struct str name)
{
    for (int i = 0; i < f->def_count; i++)
        if (has_name(&f->defs[i], name))
            return i;
    return -1;
}

// The flag that `name` means, or a negative error.
static int find_flag(const struct flags *f, struct str name, enum flags_mode mode, struct diag *diag)
{
    int found = find_exact(f, name);
    if (found >= 0 || mode != FLAGS_ABBREVIATED)
        return found >= 0 ? found : unknown_flag(f, name, diag);
    for (int i = 0; i < f->def_count; i++) {
        if (!has_prefix(&f->defs[i], name))
            continue;
        if (found >= 0) {
            struct str a = flag_long_name(&f->defs[found]), b = flag_long_name(&f->defs[i]);
            return diag_set(diag, ERR_INVALID, "%.*s is ambiguous: %.*s, %.*s", STR_ARG(name),
                            STR_ARG(a), STR_ARG(b));
        }
        found = i;
    }
    return found >= 0 ? found : unknown_flag(f, name, diag);
}

static bool one_of(struct str text, const char *values)
{
    struct str rest = str_from(values);
    while (rest.data != NULL)
        if (str_equal(str_cut(&rest, '|'), text))
            return true;
    return false;
}

static int parse_number(const struct flag_def *def, const char *text, int64_t *out, struct diag *diag)
{
    bool any = def->min == 0 && def->max == 0;
    int64_t low = any ? (def->kind == FLAG_I32 ? INT32_MIN : INT64_MIN) : def->min;
    int64_t high = any ? (def->kind == FLAG_I32 ? INT32_MAX : INT64_MAX) : def->max;
    struct str name = flag_long_name(def);
    if (!str_parse_i64(str_from(text), out))
        return diag_set(diag, ERR_INVALID, "%.*s needs a number, not \"%s\"", STR_ARG(name), text);
    if (*out < low || *out > high)
        return diag_set(diag, ERR_INVALID, "%.*s is %s, outside %lld to %lld", STR_ARG(name), text,
                        (long long)low, (long long)high);
    return 0;
}

static int store_value(struct flags *f, int id, const char *text, struct diag *diag)
{
    const struct flag_def *def = &f->defs[id];
    struct flag_value *v = &f->values[id];
    struct str name = flag_long_name(def);
    if (text != NULL && def->values != NULL && !one_of(str_from(text), def->values))
        return diag_set(diag, ERR_INVALID, "%.*s is \"%s\", not one of %s", STR_ARG(name), text,
                        def->values);
    if (def->kind == FLAG_I32 || def->kind == FLAG_I64) {
        int err = parse_number(def, text, &v->number, diag);
        if (err < 0)
            return err;
    }
    v->given = true;
    v->text = text;
    if (def->kind == FLAG_LIST) {
        v->list = mem_resize(v->list, (size_t)(v->count + 1) * sizeof *v->list);
        v->list[v->count++] = text;
    }
    return 0;
}

struct reader {
    int argc;
    char **argv;
    int next;
    enum flags_mode mode;
};

static bool looks_like_flag(const char *text)
{
    return text[0] == '-' && text[1] != '\0' && !(text[1] >= '0' && text[1] <= '9');
}

// The flag's value: what stands behind "=" or the next word.
static int take_value(struct flags *f, struct reader *r, int id, const char *attached,
                      struct diag *diag)
{
    const struct flag_def *def = &f->defs[id];
    struct str name = flag_long_name(def);
    if (def->kind == FLAG_BOOL) {
        if (attached != NULL)
            return diag_set(diag, ERR_INVALID, "%.*s takes no value", STR_ARG(name));
        return store_value(f, id, "true", diag);
    }
    if (attached != NULL)
        return store_value(f, id, attached, diag);
    bool more = r->next < r->argc;
    if (def->kind == FLAG_OPTIONAL) {
        more = more && !looks_like_flag(r->argv[r->next]);
        return store_value(f, id, more ? r->argv[r->next++] : def->fallback, diag);
    }
    if (!more || (r->mode == FLAGS_ABBREVIATED && str_starts_with(str_from(r->argv[r->next]), "--")))
        return diag_set(diag, ERR_INVALID, "%.*s needs a value: %s", STR_ARG(name), def->argument);
    return store_value(f, id, r->argv[r->next++], diag);
}

static int parse_long(struct flags *f, struct reader *r, const char *word, struct diag *diag)
{
    const char *equals = strchr(word, '=');
    struct str name = equals != NULL ? str_of(word, (size_t)(equals - word)) : str_from(word);
    char long_name[NAME_MAX_SIZE + 2];
    if (word[1] != '-' && name.size < NAME_MAX_SIZE) { // -name means --name
        snprintf(long_name, sizeof long_name, "-%.*s", STR_ARG(name));
        name = str_from(long_name);
    }
    int id = find_flag(f, name, r->mode, diag);
    return id < 0 ? id : take_value(f, r, id, equals != NULL ? equals + 1 : NULL, diag);
}

// "-x", "-xVALUE", "-xyz" where x and y take no value.
static int parse_short(struct flags *f, struct reader *r, const char *word, struct diag *diag)
{
    for (const char *at = word + 1; *at != '\0'; at++) {
        char name[3] = {'-', *at, '\0'};
        int id = find_exact(f, str_from(name));
        if (id < 0)
            return unknown_flag(f, str_from(at == word + 1 ? word : name), diag);
        bool plain = f->defs[id].kind == FLAG_BOOL;
        const char *attached = plain || at[1] == '\0' ? NULL : at + 1 + (at[1] == '=');
        int err = take_value(f, r, id, attached, diag);
        if (err < 0 || !plain)
            return err;
    }
    return 0;
}

// Whether "-name" is short flags. With abbreviations it may also be a long one with one dash, which
// then goes first, as Java's parser has it.
static bool is_short(const struct flags *f, const struct reader *r, const char *word)
{
    char name[3] = {'-', word[1], '\0'};
    if (word[1] == '-')
        return false;
    if (r->mode == FLAGS_STRICT || word[2] == '\0')
        return r->mode == FLAGS_STRICT || find_exact(f, str_from(name)) >= 0;
    char long_name[NAME_MAX_SIZE + 2];
    snprintf(long_name, sizeof long_name, "-%.*s", (int)strcspn(word, "="), word);
    bool is_long = find_exact(f, str_from(long_name)) >= 0;
    for (int i = 0; i < f->def_count; i++)
        is_long = is_long || has_prefix(&f->defs[i], str_from(long_name));
    return !is_long && find_exact(f, str_from(name)) >= 0;
}

static int parse_all(struct flags *f, struct reader *r, struct diag *diag)
{
    bool only_args = false;
    while (r->next < r->argc) {
        const char *word = r->argv[r->next++];
        int err = 0;
        if (only_args || word[0] != '-' || word[1] == '\0')
            f->args[f->arg_count++] = word;
        else if (strcmp(word, "--") == 0)
            only_args = true;
        else if (is_short(f, r, word))
            err = parse_short(f, r, word, diag);
        else
            err = parse_long(f, r, word, diag);
        if (err < 0)
            return err;
    }
    return 0;
}

static void fill_fallbacks(struct flags *f)
{
    for (int i = 0; i < f->def_count; i++) {
        struct flag_value *v = &f->values[i];
        if (v->given || f->defs[i].fallback == NULL || f->defs[i].kind == FLAG_OPTIONAL)
            continue;
        v->text = f->defs[i].fallback;
        str_parse_i64(str_from(v->text), &v->number);
    }
}

int flags_parse(struct flags *f, const struct flag_def *defs, int def_count, enum flags_mode mode,
                int argc, char **argv, struct diag *diag)
{
    *f = (struct flags){
        .defs = defs,
        .def_count = def_count,
        .values = mem_alloc_array((size_t)def_count + 1, sizeof *f->values),
        .args = mem_alloc_array((size_t)argc + 1, sizeof *f->args),
    };
    struct reader r = {.argc = argc, .argv = argv, .mode = mode};
    int err = parse_all(f, &r, diag);
    if (err < 0) {
        flags_release(f);
        return err;
    }
    fill_fallbacks(f);
    return 0;
}

void flags_release(struct flags *f)
{
    for (int i = 0; f->values != NULL && i < f->def_count; i++)
        mem_free(f->values[i].list);
    mem_free(f->values);
    mem_free(f->args);
    *f = (struct flags){0};
}

// Appends one line of `text` (up to its newline), folded between the help column and the width.
static void fold_line(struct buf *out, struct str line, size_t *column)
{
    while (line.data != NULL) {
        struct str word = str_cut(&line, ' ');
        if (*column > HELP_COLUMN && *column + 1 + word.size > HELP_WIDTH) {
            buf_printf(out, "\n%*s", HELP_COLUMN, "");
            *column = HELP_COLUMN;
        } else if (*column > HELP_COLUMN) {
            buf_append_u8(out, ' ');
            *column += 1;
        }
        buf_append_str(out, word);
        *column += word.size;
    }
}

static void help_of_flag(struct buf *out, const struct flag_def *def)
{
    size_t start = out->size;
    buf_append_text(out, def->names[1] == '-' ? "      " : "  ");
    buf_append_text(out, def->names);
    if (def->argument != NULL)
        buf_printf(out, def->kind == FLAG_OPTIONAL ? " [%s]" : " %s", def->argument);
    size_t column = out->size - start;
    if (column + 2 > HELP_COLUMN) {
        buf_append_u8(out, '\n');
        column = 0;
    }
    buf_printf(out, "%*s", (int)(HELP_COLUMN - column), "");
    column = HELP_COLUMN;
    struct str rest = str_from(def->help);
    while (rest.data != NULL) {
        fold_line(out, str_cut(&rest, '\n'), &column);
        if (rest.data != NULL)
            buf_printf(out, "\n%*s", HELP_COLUMN, "");
        column = rest.data != NULL ? HELP_COLUMN : column;
    }
    if (def->fallback != NULL && def->fallback[0] != '\0') {
        char text[128];
        snprintf(text, sizeof text, " [default: %s]", def->fallback);
        buf_append_text(out, text);
    }
    buf_append_u8(out, '\n');
}

void flags_help(struct buf *out, const struct flag_def *defs, int def_count)
{
    for (int i = 0; i < def_count; i++)
        if (defs[i].help != NULL)
            help_of_flag(out, &defs[i]);
}

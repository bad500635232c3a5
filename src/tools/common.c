// SPDX-License-Identifier: Apache-2.0
#include "tools/common.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "env/env.h"
#include "env/fs.h"

enum { NAMES_NEAR_MAX = 100000 };

bool config_parse(const char *text, struct admin_config *out)
{
    struct str rest = str_from(text), key = str_trim(str_cut(&rest, '='));
    if (rest.data == NULL || key.size == 0)
        return false;
    *out = (struct admin_config){.name = key, .value = str_trim(rest)};
    return true;
}

int ids_parse(struct str text, char separator, struct wire_int32_array *out)
{
    *out = (struct wire_int32_array){0};
    while (text.data != NULL) {
        out->items = mem_resize(out->items, (size_t)(out->count + 1) * sizeof *out->items);
        if (!str_parse_i32(str_trim(str_cut(&text, separator)), &out->items[out->count])) {
            mem_free(out->items);
            *out = (struct wire_int32_array){.count = -1};
            return ERR_INVALID;
        }
        out->count++;
    }
    return 0;
}

void assignment_free(struct wire_int32_array *assignment, int count)
{
    for (int i = 0; i < count; i++)
        mem_free(assignment[i].items);
    mem_free(assignment);
}

int assignment_parse(const char *text, struct wire_int32_array **out, int *count, struct diag *diag)
{
    struct wire_int32_array *list = NULL;
    int n = 0;
    struct str rest = str_from(text);
    while (rest.data != NULL) {
        list = mem_resize(list, (size_t)(n + 1) * sizeof *list);
        if (ids_parse(str_cut(&rest, ','), ':', &list[n]) < 0) {
            assignment_free(list, n);
            return diag_set(diag, ERR_INVALID,
                            "\"%s\" is no replica assignment: brokers of each partition joined by "
                            "':', partitions by ',', as in 0:1,1:2",
                            text);
        }
        n++;
    }
    *out = list;
    *count = n;
    return 0;
}

int tool_no_such_topic(struct tool *t, struct str name)
{
    struct admin_topics all;
    char near[256] = "";
    if (admin_topics_list(t->driver, &all) == 0) {
        const char **names = mem_alloc_array((size_t)all.count + 1, sizeof *names);
        for (int i = 0; i < all.count; i++)
            names[i] = mem_copy_str(all.items[i].name);
        const char *found = nearest_name(name, names, all.count);
        if (found != NULL)
            snprintf(near, sizeof near, "; did you mean \"%s\"?", found);
        else if (all.count == 0)
            snprintf(near, sizeof near, "; there are no topics yet");
        for (int i = 0; i < all.count; i++)
            mem_free((void *)(uintptr_t)names[i]);
        mem_free(names);
        admin_topics_release(&all);
    }
    return tool_fail(t, EXIT_NOT_FOUND, "topic \"%.*s\" does not exist%s", STR_ARG(name), near);
}

struct pattern {
    regex_t regex;
};

struct pattern *pattern_new(const char *text, struct diag *diag)
{
    struct pattern *p = mem_new(struct pattern);
    struct buf whole;
    buf_init(&whole, 1 << 16);
    buf_printf(&whole, "^(%s)$", text);
    int err = regcomp(&p->regex, buf_text(&whole), REG_EXTENDED | REG_NOSUB);
    buf_release(&whole);
    if (err != 0) {
        char why[128];
        regerror(err, &p->regex, why, sizeof why);
        diag_set(diag, ERR_INVALID, "\"%s\" is no regular expression: %s", text, why);
        mem_free(p);
        return NULL;
    }
    return p;
}

bool pattern_matches(const struct pattern *p, struct str text)
{
    char *copy = mem_copy_str(text);
    bool matches = regexec(&p->regex, copy, 0, NULL, 0) == 0;
    mem_free(copy);
    return matches;
}

void pattern_free(struct pattern *p)
{
    if (p == NULL)
        return;
    regfree(&p->regex);
    mem_free(p);
}

int read_whole_file(struct tool *t, const char *path, size_t size_max, struct buf *out)
{
    buf_init(out, size_max);
    struct env *env = t->host->env(t->host, NULL);
    struct fs_file *file;
    if (env == NULL)
        return ERR_NOMEM;
    int err = fs_open(env->fs, path, FS_READ, &file);
    if (err < 0)
        return err;
    int64_t got = 1;
    while (got > 0) {
        uint8_t chunk[8192];
        got = fs_file_read(file, chunk, sizeof chunk, (int64_t)out->size);
        if (got > 0)
            buf_append(out, chunk, (size_t)got);
        if (out->failed)
            got = ERR_LIMIT;
    }
    fs_file_close(file);
    return (int)got;
}

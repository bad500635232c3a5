// SPDX-License-Identifier: Apache-2.0
#include "log/checkpoint.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "log/small_file.h"

void checkpoint_init(struct checkpoint *c)
{
    *c = (struct checkpoint){0};
    buf_init(&c->text, CHECKPOINT_TEXT_MAX);
}

void checkpoint_release(struct checkpoint *c)
{
    buf_release(&c->text);
    mem_free(c->entries);
    checkpoint_init(c);
}

static int entry_compare_key(struct str topic, int32_t partition, const struct checkpoint_entry *e)
{
    int order = str_compare(topic, e->topic);
    return order != 0 ? order : (partition > e->partition) - (partition < e->partition);
}

static int entry_compare(const void *a, const void *b)
{
    const struct checkpoint_entry *x = a;
    return entry_compare_key(x->topic, x->partition, b);
}

static int parse_line(struct str line, struct checkpoint_entry *out)
{
    struct str rest = line;
    out->topic = str_cut(&rest, ' ');
    struct str partition = str_cut(&rest, ' ');
    bool good = out->topic.size > 0 && rest.data != NULL &&
                str_parse_i32(partition, &out->partition) && out->partition >= 0 &&
                str_parse_i64(rest, &out->offset) && out->offset >= 0;
    return good ? 0 : ERR_CORRUPT;
}

static int parse_entries(struct checkpoint *c, struct str rest, struct diag *diag)
{
    int64_t declared;
    if (!str_parse_i64(str_cut(&rest, '\n'), &declared) || declared < 0)
        return diag_set(diag, ERR_CORRUPT, "line 2: the number of entries is not a number");
    for (int line = 3; rest.data != NULL && rest.size > 0; line++) {
        struct str text = str_cut(&rest, '\n');
        mem_grow(c->entries, c->count, c->capacity);
        if (parse_line(text, &c->entries[c->count]) < 0)
            return diag_set(diag, ERR_CORRUPT, "line %d: \"%.*s\" is not \"topic partition offset\"",
                            line, STR_ARG(text));
        c->count++;
    }
    if (c->count != declared)
        return diag_set(diag, ERR_CORRUPT, "%d entries where line 2 says %" PRId64, c->count,
                        declared);
    return 0;
}

static int parse_text(struct checkpoint *c, struct diag *diag)
{
    struct str rest = buf_str(&c->text);
    if (rest.size == 0)
        return 0;
    if (!str_is(str_cut(&rest, '\n'), "0") || rest.data == NULL)
        return diag_set(diag, ERR_CORRUPT, "line 1: the version is not 0");
    int err = parse_entries(c, rest, diag);
    if (err < 0)
        c->count = 0;
    else if (c->count > 1)
        qsort(c->entries, (size_t)c->count, sizeof *c->entries, entry_compare);
    return err;
}

int checkpoint_parse(struct checkpoint *c, struct str text, struct diag *diag)
{
    c->count = 0;
    buf_clear(&c->text);
    buf_append_str(&c->text, text);
    return c->text.failed ? ERR_LIMIT : parse_text(c, diag);
}

int checkpoint_read(struct checkpoint *c, struct env_fs *fs, const char *path, struct diag *diag)
{
    c->count = 0;
    buf_clear(&c->text);
    int err = small_file_read(fs, path, &c->text);
    if (err == ERR_NOT_FOUND)
        return 0;
    if (err < 0)
        diag_set(diag, err, "%s", err_text(err));
    else
        err = parse_text(c, diag);
    if (err < 0)
        diag_prefix(diag, "%s", path);
    return err;
}

int64_t checkpoint_find(const struct checkpoint *c, struct str topic, int32_t partition)
{
    int low = 0, high = c->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = entry_compare_key(topic, partition, &c->entries[middle]);
        if (order == 0)
            return c->entries[middle].offset;
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

void checkpoint_format_begin(struct buf *out, int count)
{
    buf_printf(out, "0\n%d\n", count);
}

void checkpoint_format_entry(struct buf *out, struct str topic, int32_t partition, int64_t offset)
{
    buf_append_str(out, topic);
    buf_printf(out, " %" PRId32 " %" PRId64 "\n", partition, offset);
}

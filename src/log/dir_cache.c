// SPDX-License-Identifier: Apache-2.0
#include "log/dir_cache.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "codec/crc32c.h"
#include "log/small_file.h"

#define FIRST_LINE "chitin directories 0\n"
#define LAST_LINE "crc32c "

enum { LAST_LINE_SIZE = 7 + 8 + 1 };

void dir_cache_init(struct dir_cache *c)
{
    *c = (struct dir_cache){0};
    buf_init(&c->text, DIR_CACHE_TEXT_MAX);
}

void dir_cache_release(struct dir_cache *c)
{
    buf_release(&c->text);
    mem_free(c->dirs);
    mem_free(c->segments);
    dir_cache_init(c);
}

static void format_crc(struct str lines, char out[LAST_LINE_SIZE + 1])
{
    snprintf(out, LAST_LINE_SIZE + 1, LAST_LINE "%08" PRIx32 "\n", crc32c(0, str_bytes(lines)));
}

// Takes the line with the CRC off the end: false if it is not that of the rest.
static bool take_crc(struct str *text)
{
    char line[LAST_LINE_SIZE + 1];
    if (text->size < LAST_LINE_SIZE)
        return false;
    struct str lines = str_of(text->data, text->size - LAST_LINE_SIZE);
    format_crc(lines, line);
    bool good = str_equal(str_of(text->data + lines.size, LAST_LINE_SIZE), str_from(line));
    *text = lines;
    return good;
}

static bool parse_segment(struct str text, struct cached_segment *out)
{
    out->has_txn_index = text.size > 0 && text.data[text.size - 1] == 't';
    text.size -= out->has_txn_index;
    return str_parse_i64(text, &out->base_offset) && out->base_offset >= 0;
}

// The segments stay where they are only when all of them are there: until then dirs know their count.
static bool parse_segments(struct dir_cache *c, struct cached_dir *d, struct str rest)
{
    int64_t before = -1;
    while (rest.data != NULL) {
        struct cached_segment s;
        if (!parse_segment(str_cut(&rest, ' '), &s) || s.base_offset <= before)
            return false;
        before = s.base_offset;
        mem_grow(c->segments, c->segment_count, c->segment_capacity);
        c->segments[c->segment_count++] = s;
        d->segment_count++;
    }
    return d->segment_count > 0;
}

static bool parse_line(struct dir_cache *c, struct str line, struct cached_dir *d)
{
    int64_t file_id;
    d->topic = str_cut(&line, ' ');
    bool good = d->topic.size > 0 && str_parse_i32(str_cut(&line, ' '), &d->partition) &&
                d->partition >= 0 && uuid_parse(str_cut(&line, ' '), &d->topic_id) &&
                !uuid_is_zero(d->topic_id) && str_parse_i64(str_cut(&line, ' '), &file_id) &&
                str_parse_i64(str_cut(&line, ' '), &d->stamp.changed_ns) && d->stamp.changed_ns > 0;
    if (!good)
        return false;
    d->stamp.file_id = (uint64_t)file_id;
    return parse_segments(c, d, line);
}

static bool is_ascending(const struct cached_dir *a, const struct cached_dir *b)
{
    int order = str_compare(a->topic, b->topic);
    return order < 0 || (order == 0 && a->partition < b->partition);
}

static int parse_lines(struct dir_cache *c, struct str rest, struct diag *diag)
{
    for (int line = 2; rest.data != NULL && rest.size > 0; line++) {
        struct cached_dir d = {0};
        bool good = parse_line(c, str_cut(&rest, '\n'), &d);
        if (!good || (c->dir_count > 0 && !is_ascending(&c->dirs[c->dir_count - 1], &d)))
            return diag_set(diag, ERR_CORRUPT, "line %d is not that of a directory, in order", line);
        mem_grow(c->dirs, c->dir_count, c->dir_capacity);
        c->dirs[c->dir_count++] = d;
    }
    for (int i = 0, at = 0; i < c->dir_count; at += c->dirs[i++].segment_count)
        c->dirs[i].segments = c->segments + at;
    return 0;
}

int dir_cache_parse(struct dir_cache *c, struct diag *diag)
{
    struct str text = buf_str(&c->text), first = str_from(FIRST_LINE);
    c->dir_count = c->segment_count = 0;
    if (text.size < first.size || memcmp(text.data, first.data, first.size) != 0)
        return diag_set(diag, ERR_CORRUPT, "its first line is not \"chitin directories 0\"");
    if (!take_crc(&text) || text.size < first.size)
        return diag_set(diag, ERR_CORRUPT, "its last line is not the CRC of those before");
    int err = parse_lines(c, str_of(text.data + first.size, text.size - first.size), diag);
    if (err < 0)
        c->dir_count = 0;
    return err;
}

int dir_cache_read(struct dir_cache *c, struct env_fs *fs, const char *path, struct diag *diag)
{
    buf_clear(&c->text);
    int err = small_file_read(fs, path, &c->text);
    if (err == ERR_NOT_FOUND)
        return 0;
    if (err < 0)
        return diag_set(diag, err, "%s", err_text(err));
    return dir_cache_parse(c, diag);
}

void dir_cache_format_begin(struct buf *out)
{
    buf_append_text(out, FIRST_LINE);
}

void dir_cache_format_entry(struct buf *out, const struct cached_dir *d)
{
    buf_append_str(out, d->topic);
    buf_printf(out, " %" PRId32 " %s %" PRId64 " %" PRId64, d->partition,
               uuid_format(d->topic_id).text, (int64_t)d->stamp.file_id, d->stamp.changed_ns);
    for (int i = 0; i < d->segment_count; i++)
        buf_printf(out, " %" PRId64 "%s", d->segments[i].base_offset,
                   d->segments[i].has_txn_index ? "t" : "");
    buf_append_u8(out, '\n');
}

void dir_cache_format_end(struct buf *out)
{
    char line[LAST_LINE_SIZE + 1];
    format_crc(buf_str(out), line);
    buf_append_text(out, line);
}

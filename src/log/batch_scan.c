// SPDX-License-Identifier: Apache-2.0
#include "log/batch_scan.h"

#include "base/check.h"
#include "base/err.h"
#include "codec/crc32c.h"

void batch_scan_init(struct batch_scan *s, struct fs_file *file, int64_t position, int64_t end,
                     uint8_t *window, size_t window_max)
{
    check(window_max >= BATCH_HEADER_SIZE);
    // Positions may come from an index on disk, which may say anything.
    position = position < 0 ? 0 : position > end ? end : position;
    *s = (struct batch_scan){
        .file = file, .position = position, .end = end, .window = window, .window_max = window_max};
}

int batch_scan_view(struct batch_scan *s, int64_t position, size_t size, const uint8_t **out)
{
    check(size <= s->window_max);
    if ((int64_t)size > s->end - position)
        return ERR_TRUNCATED;
    bool inside = position >= s->window_at &&
                  position + (int64_t)size <= s->window_at + (int64_t)s->window_size;
    if (!inside) {
        int64_t left = s->end - position;
        size_t want = left < (int64_t)s->window_max ? (size_t)left : s->window_max;
        s->window_size = 0;
        int64_t got = s->no_wait ? fs_file_read_cached(s->file, s->window, want, position)
                                 : fs_file_read(s->file, s->window, want, position);
        if (got < 0)
            return (int)got;
        s->window_at = position;
        s->window_size = (size_t)got;
        if ((size_t)got < size)
            return ERR_TRUNCATED; // the file is shorter than was believed
    }
    *out = s->window + (position - s->window_at);
    return 0;
}

int batch_scan_next(struct batch_scan *s, struct batch_header *out, int64_t *position)
{
    int64_t left = s->end - s->position;
    if (left == 0)
        return 0;
    size_t want = left < BATCH_HEADER_SIZE ? (size_t)left : BATCH_HEADER_SIZE;
    const uint8_t *bytes;
    int err = batch_scan_view(s, s->position, want, &bytes);
    if (err < 0)
        return err;
    struct batch_header header;
    err = batch_header_parse(bytes_of(bytes, want), &header);
    if (err < 0)
        return err;
    if ((int64_t)batch_size(&header) > left)
        return ERR_TRUNCATED;
    *out = header;
    *position = s->position;
    s->position += (int64_t)batch_size(&header);
    return 1;
}

int batch_scan_check_crc(struct batch_scan *s, const struct batch_header *h, int64_t position)
{
    bool current = h->magic >= BATCH_MAGIC_CURRENT;
    int64_t at = position + (current ? BATCH_ATTRIBUTES_AT : BATCH_MAGIC_AT);
    int64_t end = position + (int64_t)batch_size(h);
    uint32_t crc = 0;
    while (at < end) {
        size_t piece = end - at < (int64_t)s->window_max ? (size_t)(end - at) : s->window_max;
        const uint8_t *bytes;
        int err = batch_scan_view(s, at, piece, &bytes);
        if (err < 0)
            return err;
        struct bytes view = bytes_of(bytes, piece);
        crc = current ? crc32c(crc, view) : crc32_zlib(crc, view);
        at += (int64_t)piece;
    }
    return crc == h->crc;
}

int batch_scan_bytes(struct batch_scan *s, const struct batch_header *h, int64_t position,
                     struct buf *spare, struct bytes *out)
{
    size_t size = batch_size(h);
    const uint8_t *bytes;
    if (size <= s->window_max) {
        int err = batch_scan_view(s, position, size, &bytes);
        if (err == 0)
            *out = bytes_of(bytes, size);
        return err;
    }
    buf_clear(spare);
    uint8_t *at = buf_extend(spare, size);
    if (at == NULL)
        return ERR_LIMIT;
    int64_t got = fs_file_read(s->file, at, size, position);
    if (got < 0)
        return (int)got;
    if ((size_t)got != size)
        return ERR_TRUNCATED;
    *out = bytes_of(at, size);
    return 0;
}

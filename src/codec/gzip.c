// SPDX-License-Identifier: Apache-2.0
//
// gzip streams (RFC 1952) by zlib.
#include "codec/codecs.h"

#include <limits.h>
#include <zlib.h>

#include "codec/compress.h"
#include "codec/sink.h"

enum { GZIP_WINDOW_BITS = 15 + 16, GZIP_MEM_LEVEL = 8 };

int gzip_compress(int level, struct bytes in, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.data, .avail_in = (uInt)in.size};
    if (in.size > UINT_MAX)
        return ERR_LIMIT;
    if (deflateInit2(&z, level == CODEC_LEVEL_DEFAULT ? Z_DEFAULT_COMPRESSION : level, Z_DEFLATED,
                     GZIP_WINDOW_BITS, GZIP_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return ERR_NOMEM;
    struct sink sink = {.out = out};
    int err = 0, r = Z_OK;
    while (err == 0 && r != Z_STREAM_END) {
        size_t room = 0;
        z.next_out = sink_room(&sink, &room);
        z.avail_out = room < UINT_MAX ? (uInt)room : UINT_MAX;
        uInt offered = z.avail_out;
        if (z.next_out == NULL)
            err = ERR_NOMEM;
        if (err == 0) {
            r = deflate(&z, Z_FINISH);
            err = sink_wrote(&sink, offered - z.avail_out);
        }
    }
    deflateEnd(&z);
    return err;
}

// One step of inflate; *end says that a stream ended.
static int inflate_step(z_stream *z, struct sink *sink, bool *end)
{
    size_t room = 0;
    z->next_out = sink_room(sink, &room);
    if (z->next_out == NULL)
        return ERR_NOMEM;
    uInt offered = room < UINT_MAX ? (uInt)room : UINT_MAX;
    z->avail_out = offered;
    int r = inflate(z, Z_NO_FLUSH);
    *end = r == Z_STREAM_END;
    if (r == Z_MEM_ERROR)
        return ERR_NOMEM;
    if (r == Z_NEED_DICT || r == Z_DATA_ERROR || r == Z_STREAM_ERROR)
        return ERR_CORRUPT;
    int err = sink_wrote(sink, offered - z->avail_out);
    // With room to write, no progress means that input is missing.
    if (err == 0 && r == Z_BUF_ERROR)
        err = ERR_TRUNCATED;
    return err;
}

int gzip_decompress(struct bytes in, struct buf *out)
{
    if (in.size > UINT_MAX)
        return ERR_LIMIT;
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.data, .avail_in = (uInt)in.size};
    if (inflateInit2(&z, GZIP_WINDOW_BITS) != Z_OK)
        return ERR_NOMEM;
    struct sink sink = {.out = out};
    bool end = false;
    int err = in.size > 0 ? 0 : ERR_TRUNCATED;
    while (err == 0 && !(end && z.avail_in == 0)) {
        if (end && inflateReset(&z) != Z_OK)
            err = ERR_CORRUPT;
        if (err == 0)
            err = inflate_step(&z, &sink, &end);
    }
    inflateEnd(&z);
    return err;
}

// SPDX-License-Identifier: Apache-2.0
//
// LZ4 frames. Java's reader takes only frames of independent blocks, so frames of linked blocks are
// refused here: what is stored must be readable by every client.
#include "codec/codecs.h"

#include <lz4frame.h>

#include "base/be.h"
#include "codec/compress.h"
#include "codec/sink.h"

enum {
    LZ4_FRAME_MAGIC = 0x184d2204, // little-endian at the start
    LZ4_FLAGS_AT = 4,
    LZ4_FLAG_INDEPENDENT = 0x20,
};

int lz4_compress(int level, struct bytes in, struct buf *out)
{
    LZ4F_preferences_t preferences = {
        .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent},
        .compressionLevel = level == CODEC_LEVEL_DEFAULT ? 0 : level,
    };
    size_t bound = LZ4F_compressFrameBound(in.size, &preferences);
    if (!buf_reserve(out, bound))
        return ERR_LIMIT;
    size_t size = LZ4F_compressFrame(out->data + out->size, bound, in.data, in.size, &preferences);
    if (LZ4F_isError(size))
        return ERR_NOMEM;
    out->size += size;
    return 0;
}

// Looks at what the library would not refuse: the block mode.
static int frame_check(struct bytes in)
{
    if (in.size <= LZ4_FLAGS_AT)
        return ERR_TRUNCATED;
    if (__builtin_bswap32(be32_load(in.data)) != LZ4_FRAME_MAGIC)
        return ERR_CORRUPT;
    return in.data[LZ4_FLAGS_AT] & LZ4_FLAG_INDEPENDENT ? 0 : ERR_UNSUPPORTED;
}

// Decompresses the frame at the start of *in and cuts it off.
static int frame_decompress(LZ4F_dctx *dctx, struct bytes *in, struct sink *sink)
{
    int err = frame_check(*in);
    size_t hint = 1;
    while (err == 0 && hint != 0) {
        size_t room = 0, used = in->size;
        uint8_t *target = sink_room(sink, &room);
        if (target == NULL)
            return ERR_NOMEM;
        hint = LZ4F_decompress(dctx, target, &room, in->data, &used, NULL);
        if (LZ4F_isError(hint))
            return ERR_CORRUPT;
        *in = bytes_of(in->data + used, in->size - used);
        err = sink_wrote(sink, room);
        if (err == 0 && hint != 0 && used == 0 && room == 0)
            err = ERR_TRUNCATED;
    }
    return err;
}

int lz4_decompress(struct bytes in, struct buf *out)
{
    LZ4F_dctx *dctx;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&dctx, LZ4F_VERSION)))
        return ERR_NOMEM;
    struct sink sink = {.out = out};
    int err;
    do {
        err = frame_decompress(dctx, &in, &sink);
    } while (err == 0 && in.size > 0);
    LZ4F_freeDecompressionContext(dctx);
    return err;
}

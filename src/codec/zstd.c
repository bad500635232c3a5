// SPDX-License-Identifier: Apache-2.0
//
// Zstandard frames. Decompression is done in one go into the buffer, which then serves as the window:
// the streaming interface would allocate the window that the frame asks for (up to 128 MiB) on its
// word. How large the result will be is not known in advance or not to be believed, so the buffer
// starts at a few times the input and doubles while it proves too small.
#include "codec/codecs.h"

#include <zstd.h>
#include <zstd_errors.h>

#include "base/err.h"
#include "codec/compress.h"

enum { FIRST_MULTIPLE = 4, DECLARED_MULTIPLE_MAX = 16, FIRST_MIN = 4096 };

int zstd_compress(int level, struct bytes in, struct buf *out)
{
    size_t bound = ZSTD_compressBound(in.size);
    if (!buf_reserve(out, bound))
        return ERR_LIMIT;
    size_t size = ZSTD_compress(out->data + out->size, bound, in.data, in.size,
                                level == CODEC_LEVEL_DEFAULT ? ZSTD_CLEVEL_DEFAULT : level);
    if (ZSTD_isError(size))
        return ERR_NOMEM;
    out->size += size;
    return 0;
}

// How much to try first: what the frame declares if that is within reason, else a guess.
static size_t first_room(struct bytes in)
{
    size_t room = in.size * FIRST_MULTIPLE;
    unsigned long long declared = ZSTD_getFrameContentSize(in.data, in.size);
    if (declared != ZSTD_CONTENTSIZE_UNKNOWN && declared != ZSTD_CONTENTSIZE_ERROR
        && declared <= in.size * DECLARED_MULTIPLE_MAX)
        room = (size_t)declared;
    return room < FIRST_MIN ? FIRST_MIN : room;
}

static int error_of(size_t result)
{
    switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_memory_allocation: return ERR_NOMEM;
    case ZSTD_error_srcSize_wrong: return ERR_TRUNCATED;
    case ZSTD_error_dictionary_wrong:
    case ZSTD_error_dictionary_corrupted:
    case ZSTD_error_version_unsupported:
    case ZSTD_error_frameParameter_unsupported: return ERR_UNSUPPORTED;
    default: return ERR_CORRUPT;
    }
}

int zstd_decompress(struct bytes in, struct buf *out)
{
    if (in.size == 0)
        return ERR_TRUNCATED;
    ZSTD_DCtx *dctx = ZSTD_createDCtx();
    if (dctx == NULL)
        return ERR_NOMEM;
    size_t left = out->size_max - out->size;
    size_t room = first_room(in);
    int err = ERR_AGAIN;
    while (err == ERR_AGAIN) {
        if (room > left)
            room = left;
        if (!buf_reserve(out, room)) {
            err = ERR_NOMEM;
            break;
        }
        uint8_t nothing[1];
        uint8_t *target = room > 0 ? out->data + out->size : nothing;
        size_t size = ZSTD_decompressDCtx(dctx, target, room, in.data, in.size);
        if (!ZSTD_isError(size)) {
            out->size += size;
            err = 0;
        } else if (ZSTD_getErrorCode(size) != ZSTD_error_dstSize_tooSmall) {
            err = error_of(size);
        } else if (room == left) {
            err = ERR_LIMIT;
        } else {
            room *= 2;
        }
    }
    ZSTD_freeDCtx(dctx);
    return err;
}

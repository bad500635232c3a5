// SPDX-License-Identifier: Apache-2.0
#include "codec/compress.h"

#include "base/err.h"
#include "codec/codecs.h"

static int none_compress(int level, struct bytes in, struct buf *out)
{
    buf_append(out, in.data, in.size);
    return out->failed ? ERR_LIMIT : 0;
}

static int none_decompress(struct bytes in, struct buf *out)
{
    return none_compress(0, in, out);
}

static const struct {
    const char *name;
    int level_min; // level_min > level_max: the codec has no levels
    int level_max;
    int (*compress)(int level, struct bytes in, struct buf *out);
    int (*decompress)(struct bytes in, struct buf *out);
} codecs[CODEC_COUNT] = {
    [CODEC_NONE] = {"none", 0, -1, none_compress, none_decompress},
    [CODEC_GZIP] = {"gzip", 1, 9, gzip_compress, gzip_decompress},
    [CODEC_SNAPPY] = {"snappy", 0, -1, snappy_compress_xerial, snappy_decompress},
    [CODEC_LZ4] = {"lz4", 1, 17, lz4_compress, lz4_decompress},
    [CODEC_ZSTD] = {"zstd", -131072, 22, zstd_compress, zstd_decompress},
};

static bool is_known(int codec)
{
    return codec >= 0 && codec < CODEC_COUNT;
}

const char *codec_name(int codec)
{
    return is_known(codec) ? codecs[codec].name : NULL;
}

bool codec_parse(struct str name, enum codec *out)
{
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        if (str_is(name, codecs[codec].name)) {
            *out = (enum codec)codec;
            return true;
        }
    }
    return false;
}

bool codec_level_is_valid(enum codec codec, int level)
{
    if (!is_known((int)codec))
        return false;
    if (level == CODEC_LEVEL_DEFAULT || codecs[codec].level_min > codecs[codec].level_max)
        return true;
    if (codec == CODEC_GZIP && level == -1)
        return true;
    return level >= codecs[codec].level_min && level <= codecs[codec].level_max;
}

// Takes back what a failed codec left in the buffer.
static int finish(struct buf *out, size_t start, int err)
{
    if (err != 0) {
        out->size = start;
        out->failed = false;
    }
    return err;
}

int codec_compress(enum codec codec, int level, struct bytes in, struct buf *out)
{
    if (!is_known((int)codec))
        return ERR_UNSUPPORTED;
    if (out->failed)
        return ERR_LIMIT;
    size_t start = out->size;
    int err = codecs[codec].compress(level, in, out);
    return finish(out, start, err);
}

int codec_decompress(enum codec codec, struct bytes in, struct buf *out)
{
    if (!is_known((int)codec))
        return ERR_UNSUPPORTED;
    if (out->failed)
        return ERR_LIMIT;
    size_t start = out->size;
    int err = codecs[codec].decompress(in, out);
    return finish(out, start, err);
}

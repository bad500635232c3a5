// SPDX-License-Identifier: Apache-2.0
//
// Snappy in the two forms that Kafka clients write: one raw block (librdkafka and others), or the
// framing of the Java library snappy-java ("xerial"): magic, version, lowest compatible version,
// then blocks with their length. FROZEN.
#include "codec/codecs.h"

#include <string.h>

#include "base/be.h"
#include "base/err.h"
#include "codec/snappy_block.h"

enum {
    XERIAL_MAGIC_SIZE = 8,
    XERIAL_HEADER_SIZE = 16,
};

static const uint8_t xerial_magic[XERIAL_MAGIC_SIZE] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

static int block_compress(struct bytes in, struct buf *out)
{
    if (!buf_reserve(out, 4 + SNAPPY_BLOCK_BOUND(in.size)))
        return ERR_LIMIT;
    uint8_t *p = out->data + out->size;
    size_t size = snappy_block_compress(in, p + 4);
    be32_store(p, (uint32_t)size);
    out->size += 4 + size;
    return 0;
}

int snappy_compress_xerial(int level, struct bytes in, struct buf *out)
{
    buf_append(out, xerial_magic, sizeof xerial_magic);
    buf_append_be32(out, 1); // version
    buf_append_be32(out, 1); // lowest compatible version
    int err = out->failed ? ERR_LIMIT : 0;
    for (size_t at = 0; err == 0 && at < in.size; at += SNAPPY_BLOCK_MAX) {
        size_t left = in.size - at;
        size_t size = left < SNAPPY_BLOCK_MAX ? left : SNAPPY_BLOCK_MAX;
        err = block_compress(bytes_of(in.data + at, size), out);
    }
    return err;
}

static int block_decompress(struct bytes in, struct buf *out)
{
    size_t size;
    struct bytes elements;
    if (!snappy_block_size(in, &size, &elements) || size > in.size * SNAPPY_RATIO_MAX)
        return ERR_CORRUPT;
    if (!buf_reserve(out, size))
        return ERR_LIMIT;
    uint8_t nothing[1];
    if (!snappy_block_decompress(elements, size > 0 ? out->data + out->size : nothing, size))
        return ERR_CORRUPT;
    out->size += size;
    return 0;
}

static int xerial_decompress(struct bytes in, struct buf *out)
{
    size_t at = XERIAL_HEADER_SIZE;
    if (in.size < at)
        return ERR_TRUNCATED;
    while (at < in.size) {
        // snappy-java starts over with a header where two streams were joined.
        if (in.size - at >= XERIAL_HEADER_SIZE
            && memcmp(in.data + at, xerial_magic, sizeof xerial_magic) == 0) {
            at += XERIAL_HEADER_SIZE;
            continue;
        }
        if (in.size - at < 4)
            return ERR_TRUNCATED;
        uint32_t size = be32_load(in.data + at);
        at += 4;
        if (size > in.size - at)
            return size > INT32_MAX ? ERR_CORRUPT : ERR_TRUNCATED;
        int err = block_decompress(bytes_of(in.data + at, size), out);
        if (err != 0)
            return err;
        at += size;
    }
    return 0;
}

int snappy_decompress(struct bytes in, struct buf *out)
{
    if (in.size >= sizeof xerial_magic && memcmp(in.data, xerial_magic, sizeof xerial_magic) == 0)
        return xerial_decompress(in, out);
    return in.size > 0 ? block_decompress(in, out) : ERR_TRUNCATED;
}

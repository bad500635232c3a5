// SPDX-License-Identifier: Apache-2.0
//
// The compression codecs of Kafka's record batches. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

// The numbers are the low three bits of a batch's attributes. FROZEN.
enum codec {
    CODEC_NONE = 0,
    CODEC_GZIP = 1,
    CODEC_SNAPPY = 2,
    CODEC_LZ4 = 3,
    CODEC_ZSTD = 4,
};

enum { CODEC_COUNT = 5 };

// A level that means "the codec's own default".
enum { CODEC_LEVEL_DEFAULT = INT32_MIN };

// "none", "gzip", "snappy", "lz4", "zstd"; NULL for a number that is none of them.
const char *codec_name(int codec);

// False, and *out untouched, for any other text.
bool codec_parse(struct str name, enum codec *out);

// True if `level` can be asked of the codec: gzip 1..9 and -1, lz4 1..17, zstd -131072..22, any for
// the others (which have none); CODEC_LEVEL_DEFAULT always.
bool codec_level_is_valid(enum codec codec, int level);

// At least what compressing `size` bytes may take with any codec.
#define CODEC_SIZE_MAX(size) ((size) + (size) / 4 + 65536)

// Appends `in` compressed, in the form that every Kafka client reads: a gzip stream, xerial's
// framing of snappy blocks of 32 KiB, an lz4 frame of independent 64 KiB blocks without checksums,
// a zstd frame. ERR_LIMIT: it might not fit in out->size_max, which must leave room for the codec's
// worst case (CODEC_SIZE_MAX). ERR_UNSUPPORTED: no such codec.
// On failure the buffer keeps its former contents.
int codec_compress(enum codec codec, int level, struct bytes in, struct buf *out);

// Appends what `in` decompresses to. Never more than out->size_max bytes, and no room for them on
// the word of a size stated inside `in`: the buffer grows as bytes come out. Beside it the codec has
// a work area while it runs (lz4: twice the frame's block size, 8 MiB at most; others 200 KiB).
// Snappy may be raw or in xerial's framing; gzip, lz4 and zstd may be several streams in a row.
// ERR_CORRUPT: not such a stream, or damaged. ERR_TRUNCATED: it ends early. ERR_LIMIT: it is larger
// than the bound. ERR_UNSUPPORTED: no such codec, or a form that Kafka's clients do not all read (lz4
// of linked blocks, zstd with a dictionary). On failure the buffer keeps its former contents.
int codec_decompress(enum codec codec, struct bytes in, struct buf *out);

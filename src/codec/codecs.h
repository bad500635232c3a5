// SPDX-License-Identifier: Apache-2.0
//
// One pair of functions per codec, with the contract of compress.h except that a failure may leave
// bytes behind. Private to src/codec.
#pragma once

#include "base/buf.h"
#include "base/bytes.h"

int gzip_compress(int level, struct bytes in, struct buf *out);
int gzip_decompress(struct bytes in, struct buf *out);
int snappy_compress_xerial(int level, struct bytes in, struct buf *out);
int snappy_decompress(struct bytes in, struct buf *out);
int lz4_compress(int level, struct bytes in, struct buf *out);
int lz4_decompress(struct bytes in, struct buf *out);
int zstd_compress(int level, struct bytes in, struct buf *out);
int zstd_decompress(struct bytes in, struct buf *out);

// SPDX-License-Identifier: Apache-2.0
//
// Our own snappy: whatever comes is refused or unpacked within its bounds, and what we pack unpacks to
// the same.
#include "base/check.h"
#include "base/mem.h"
#include "codec/compress.h"
#include "fuzz.h"

enum { UNPACKED_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    struct buf packed, out;
    buf_init(&out, UNPACKED_MAX);
    if (codec_decompress(CODEC_SNAPPY, in, &out) != 0)
        check(out.size == 0);
    buf_release(&out);
    if (size == 0 || size > UNPACKED_MAX)
        return 0;
    buf_init(&packed, CODEC_SIZE_MAX(size));
    buf_init(&out, size);
    check(codec_compress(CODEC_SNAPPY, CODEC_LEVEL_DEFAULT, in, &packed) == 0);
    check(codec_decompress(CODEC_SNAPPY, buf_bytes(&packed), &out) == 0);
    check(bytes_equal(buf_bytes(&out), in));
    buf_release(&packed);
    buf_release(&out);
    return 0;
}

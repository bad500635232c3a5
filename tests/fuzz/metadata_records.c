// SPDX-License-Identifier: Apache-2.0
//
// Any records, each behind its length in two bytes, are replayed into an image. One that is refused
// leaves the image as it was, and the result can be written and read.
#include "fuzz.h"
#include "metadata_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct metadata_image *image = metadata_image_new();
    struct diag diag;
    int64_t offset = 0;
    while (size >= 2) {
        size_t length = be16_load(data);
        data += 2;
        size -= 2;
        if (length > size)
            length = size;
        struct metadata_image *before = metadata_image_fork(image);
        diag_clear(&diag);
        if (metadata_replay(image, bytes_of(data, length), offset++, &diag) != 0) {
            check(diag.text[0] != '\0');
            check(metadata_image_equal(before, image));
        }
        metadata_image_unref(before);
        data += length;
        size -= length;
    }
    image_survives_snapshot(image);
    metadata_image_unref(image);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a snapshot of the metadata log. One that is taken holds a state that can be written
// and read; one that is refused changes nothing.
#include "fuzz.h"
#include "metadata_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *file = batches_with_crc(data, size);
    struct diag diag;
    struct metadata_loader *l = metadata_loader_new();
    const struct metadata_image *before = metadata_loader_image(l);
    for (int32_t epoch = 0; epoch < 2; epoch++) {
        diag_clear(&diag);
        if (metadata_loader_snapshot(l, bytes_of(file, size), 137, epoch, &diag) == 0) {
            image_survives_snapshot(metadata_loader_image(l));
            break;
        }
        check(diag.text[0] != '\0');
        check(metadata_loader_image(l) == before);
    }
    metadata_loader_free(l);
    mem_free(file);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
//
// What holds for every image, whatever it was made of.
#pragma once

#include "base/check.h"
#include "base/mem.h"
#include "metadata/loader.h"
#include "metadata/replay.h"
#include "metadata/snapshot.h"
#include "wire/batch.h"

enum { FUZZ_SNAPSHOT_MAX = 64 * 1024 * 1024 };

// A whole image written as a snapshot and read again says the same.
static inline void image_survives_snapshot(const struct metadata_image *image)
{
    if (metadata_image_check(image, NULL) != 0)
        return; // it has a topic with partitions missing and is never published
    struct buf file;
    struct diag diag;
    buf_init(&file, FUZZ_SNAPSHOT_MAX);
    struct metadata_snapshot_options options = {.epoch = 3};
    // Records with values that the cluster's metadata.version cannot say are the one reason for a
    // refusal.
    if (metadata_snapshot_write(image, &options, &file) == 0) {
        struct metadata_loader *l = metadata_loader_new();
        check(metadata_loader_snapshot(l, buf_bytes(&file), 9, 3, &diag) == 0);
        // Older versions of records cannot say everything.
        if (metadata_image_feature(image, FEATURE_METADATA_VERSION) == METADATA_VERSION_LATEST)
            check(metadata_image_equal(metadata_loader_image(l), image));
        metadata_loader_free(l);
    }
    buf_release(&file);
}

// A copy of `data` in which every whole batch has the CRC that its bytes ask for, so that what lies
// behind the CRC is reached.
static inline uint8_t *batches_with_crc(const uint8_t *data, size_t size)
{
    uint8_t *copy = mem_alloc(size + 1);
    if (size > 0)
        memcpy(copy, data, size);
    struct bytes rest = bytes_of(copy, size), batch;
    struct batch_header h;
    while (batch_next(&rest, &h, &batch) == 1)
        if (h.magic == BATCH_MAGIC_CURRENT)
            batch_set_crc(copy + (batch.data - copy), batch.size);
    return copy;
}

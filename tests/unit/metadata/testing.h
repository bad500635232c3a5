// SPDX-License-Identifier: Apache-2.0
//
// What the tests of metadata and controller share: golden files, records on one line, batches of
// them.
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "metadata/image.h"
#include "metadata/loader.h"
#include "metadata/replay.h"
#include "wire/batch.h"
#include "wire/metadata_record.h"

#ifdef GOLDEN_DIR
// The whole file; the caller frees it.
static inline struct bytes golden_read(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", GOLDEN_DIR, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        fail_msg("cannot open %s", path);
    uint8_t *data = mem_alloc(1 << 20);
    size_t size = fread(data, 1, 1 << 20, f);
    fclose(f);
    return bytes_of(data, size);
}

static inline void golden_free(struct bytes b)
{
    mem_free((void *)(uintptr_t)b.data);
}
#endif

// Replays one record of type T ("topic" for struct topic_record).
#define REPLAY(image, TYPE, version, ...)                                                          \
    replay_message((image), (TYPE), (version), &(__VA_ARGS__))

static inline int replay_message(struct metadata_image *image, enum metadata_record_type type,
                                 int16_t version, const void *message)
{
    struct buf value;
    struct diag diag;
    buf_init(&value, 1 << 20);
    assert_int_equal(metadata_record_encode(type, version, message, &value), 0);
    int err = metadata_replay(image, buf_bytes(&value), 1, &diag);
    if (err != 0)
        assert_true(diag.text[0] != '\0');
    buf_release(&value);
    return err;
}

static inline struct uuid test_id(uint8_t n)
{
    return (struct uuid){{[0] = 0x77, [15] = n}};
}

static inline struct wire_int32_array ids_of(int32_t *ids, int count)
{
    return (struct wire_int32_array){ids, count};
}

// A compound literal of node ids.
#define IDS(...)                                                                                   \
    ids_of((int32_t[]){__VA_ARGS__}, (int)(sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t)))

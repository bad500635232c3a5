// SPDX-License-Identifier: Apache-2.0
//
// The value of a record in the metadata log.
#include "fuzz.h"
#include "wire/metadata_record.h"
#include "wire_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct buf again;
    struct metadata_record record;
    arena_init(&arena, WIRE_CHECK_MEMORY);
    buf_init(&again, WIRE_CHECK_MEMORY);
    if (metadata_record_decode(bytes_of(data, size), &arena, &record) == 0) {
        wire_check_again(record.schema, record.version, record.message);
        wire_check_print(record.schema, record.version, record.message);
        check(metadata_record_encode(record.type, record.version, record.message, &again) == 0);
    }
    buf_release(&again);
    arena_release(&arena);
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
//
// crc32c() by ISA-L, which picks the processor's instructions when it runs. ISA-L starts from the
// register and returns it as it is; our convention, zlib's, complements it before and after.
#include "codec/crc32c.h"

#include <isa-l.h>

enum { CHUNK_MAX = 1 << 30 }; // ISA-L counts in int

uint32_t crc32c(uint32_t crc, struct bytes data)
{
    uint32_t state = ~crc;
    for (size_t at = 0; at < data.size; at += CHUNK_MAX) {
        size_t left = data.size - at;
        int size = left < CHUNK_MAX ? (int)left : CHUNK_MAX;
        // It only reads, but does not say const.
        state = crc32_iscsi((unsigned char *)(uintptr_t)(data.data + at), size, state);
    }
    return ~state;
}

// SPDX-License-Identifier: Apache-2.0
#include "codec/crc32c.h"

#include <zlib.h>

uint32_t crc32_zlib(uint32_t crc, struct bytes data)
{
    return data.size == 0 ? crc : (uint32_t)crc32_z(crc, data.data, data.size);
}

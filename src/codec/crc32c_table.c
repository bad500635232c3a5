// SPDX-License-Identifier: Apache-2.0
//
// crc32c() where ISA-L is missing; the build takes this file or crc32c_isal.c.
#include "codec/crc32c.h"

uint32_t crc32c(uint32_t crc, struct bytes data)
{
    return crc32c_portable(crc, data);
}

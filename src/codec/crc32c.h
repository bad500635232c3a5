// SPDX-License-Identifier: Apache-2.0
//
// Checksums of record batches: CRC-32C (Castagnoli, RFC 3720) for magic 2, and zlib's CRC-32 for
// the older message sets. Both start at 0 and are continued by passing the former result. Pure.
#pragma once

#include <stdint.h>

#include "base/bytes.h"

// The CRC-32C of what gave `crc` followed by `data`; crc32c(0, ...) starts.
uint32_t crc32c(uint32_t crc, struct bytes data);

// The same from tables, without the processor's help; for machines and builds without ISA-L.
uint32_t crc32c_portable(uint32_t crc, struct bytes data);

// The CRC-32 (IEEE 802.3, as zlib's) of what gave `crc` followed by `data`.
uint32_t crc32_zlib(uint32_t crc, struct bytes data);

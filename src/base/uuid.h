// SPDX-License-Identifier: Apache-2.0
//
// Kafka's Uuid: 16 bytes, written as 22 characters of URL-safe base64 without padding (KIP-516).
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

enum { UUID_SIZE = 16, UUID_TEXT_SIZE = 22 };

struct uuid {
    uint8_t bytes[UUID_SIZE];
};

static inline bool uuid_equal(struct uuid a, struct uuid b)
{
    return memcmp(a.bytes, b.bytes, UUID_SIZE) == 0;
}

static inline bool uuid_is_zero(struct uuid a)
{
    return uuid_equal(a, (struct uuid){{0}});
}

// The id with these two big-endian halves: UUID(0,1) is the metadata topic's.
struct uuid uuid_from_halves(uint64_t high, uint64_t low);

// Kafka keeps the first 100 ids (high half 0, low half below 100) for itself; a fresh id is also
// never one whose text starts with '-', which command lines would take for a flag.
bool uuid_is_reserved(struct uuid a);

// Makes an RFC 9562 version 4 id of 16 random bytes.
struct uuid uuid_from_random(const uint8_t random[UUID_SIZE]);

struct uuid_text {
    char text[UUID_TEXT_SIZE + 1];
};

// The 22 characters and a NUL.
struct uuid_text uuid_format(struct uuid a);

// Reads 22 characters (24 with "==" too); false on anything else.
bool uuid_parse(struct str s, struct uuid *out);

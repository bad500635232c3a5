// SPDX-License-Identifier: Apache-2.0
//
// The value of a record in the metadata log: uvarint frame version 1, uvarint record type, uvarint
// record version, then the message (always flexible). FROZEN (KIP-631).
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "wire/records.h"
#include "wire/wire.h"

// A decoded record: `message` is a struct of the type that `type` names, from the arena, with views
// into the value.
struct metadata_record {
    enum metadata_record_type type;
    int16_t version;
    const struct wire_schema *schema;
    void *message;
};

// ERR_UNSUPPORTED: a frame version, type or record version that is not ours (a newer writer).
// ERR_CORRUPT: does not parse, or bytes are left over. ERR_NOMEM: the arena is full.
int metadata_record_decode(struct bytes value, struct arena *arena, struct metadata_record *out);

// Appends the framed value. Errors as wire_encode.
int metadata_record_encode(enum metadata_record_type type, int16_t version, const void *message,
                           struct buf *out);

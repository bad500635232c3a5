// SPDX-License-Identifier: Apache-2.0
//
// Registry of record schemas: metadata records by type, and the records that coordinators keep in
// __consumer_offsets, __transaction_state and __share_group_state by topic and type. The numbers
// are generated from wire/schema/records. FROZEN on disk.
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "wire/record_types.h" // generated: enum metadata_record_type, enum *_record_type
#include "wire/wire.h"

// NULL for a type we do not know.
const struct wire_schema *metadata_record_schema(int32_t type);

// "TopicRecord" for example, or NULL.
const char *metadata_record_name(int32_t type);

// Whose records: each topic numbers its types for itself.
enum coordinator_log {
    COORDINATOR_LOG_GROUP,       // __consumer_offsets
    COORDINATOR_LOG_TRANSACTION, // __transaction_state
    COORDINATOR_LOG_SHARE,       // __share_group_state
};

enum { COORDINATOR_LOG_COUNT = 3 };

struct coordinator_record_type {
    int16_t type;                     // of the key
    const char *name;                 // "OffsetCommit"
    const struct wire_schema *key;
    const struct wire_schema *value;
};

// NULL for a type we do not know.
const struct coordinator_record_type *coordinator_record_type_find(enum coordinator_log log,
                                                                    int16_t type);

// Keys and values start with an int16: the type in a key, the message's version in a value. The
// read functions return it and leave the rest; ERR_TRUNCATED when there are no two bytes.
int coordinator_prefix_read(struct bytes in, int16_t *prefix, struct bytes *rest);

// Appends prefix and message; errors as wire_encode.
int coordinator_key_encode(const struct coordinator_record_type *type, const void *key,
                           struct buf *out);
int coordinator_value_encode(const struct coordinator_record_type *type, int16_t version,
                             const void *value, struct buf *out);

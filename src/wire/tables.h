// SPDX-License-Identifier: Apache-2.0
//
// The descriptor tables that wire/generate.py makes from the schema texts and that decode.c,
// encode.c, wire.c and print.c interpret. Private to src/wire and its tests.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "wire/wire.h"

enum wire_type {
    WIRE_BOOL,
    WIRE_INT8,
    WIRE_INT16,
    WIRE_UINT16,
    WIRE_INT32,
    WIRE_UINT32,
    WIRE_INT64,
    WIRE_FLOAT64,
    WIRE_UUID,
    WIRE_STRING,
    WIRE_BYTES,
    WIRE_RECORDS,
    WIRE_STRUCT,
};

enum wire_field_flags {
    WIRE_IS_ARRAY = 1,
    WIRE_IS_POINTER = 2,    // a single nullable struct
    WIRE_IS_IGNORABLE = 4,  // a version without it may drop any value
    WIRE_IS_PLAIN = 8,      // never in compact form, even in flexible versions
    WIRE_IS_SECRET = 16,    // not for logs
    WIRE_DEFAULT_NULL = 32, // otherwise "", zero elements, the zero id, a struct of defaults
};

struct wire_field {
    const char *name;           // Kafka's
    uint32_t offset;            // in the C struct
    uint8_t type;               // enum wire_type, of the elements if it is an array
    uint8_t flags;
    int16_t version_min;        // on the wire
    int16_t version_max;
    int16_t null_min;           // null allowed
    int16_t null_max;
    int16_t tag;                // -1: not tagged
    int64_t default_value;      // of bool and integers
    const struct wire_struct *element; // WIRE_STRUCT
};

struct wire_struct {
    const char *name;
    const struct wire_field *fields; // plain ones in wire order, then tagged ones by rising tag
    uint32_t size;                   // of the C struct
    uint16_t plain_count;
    uint16_t field_count;
};

struct wire_schema {
    const char *name;
    const struct wire_struct *root;
    int16_t version_min;
    int16_t version_max;
    int16_t flexible_since; // INT16_MAX: never
};

// What every { T *items; int32_t count; } looks like.
struct wire_array {
    void *items;
    int32_t count;
};

static inline bool wire_field_in_version(const struct wire_field *f, int16_t version)
{
    return version >= f->version_min && version <= f->version_max;
}

static inline bool wire_field_is_nullable(const struct wire_field *f, int16_t version)
{
    return version >= f->null_min && version <= f->null_max;
}

static inline bool wire_schema_has_version(const struct wire_schema *s, int16_t version)
{
    return version >= s->version_min && version <= s->version_max;
}

// Sizes of the C types by enum wire_type; 0 for WIRE_STRUCT.
extern const uint8_t wire_type_sizes[];

// Of one element of an array, or of the field itself.
static inline size_t wire_element_size(const struct wire_field *f)
{
    return f->type == WIRE_STRUCT ? f->element->size : wire_type_sizes[f->type];
}

// Fewest bytes a struct can take on the wire; at least 1 in flexible versions (its tag section).
size_t wire_struct_size_min(const struct wire_struct *type, int16_t version, bool flexible);

// Sets the field inside `msg` to its default.
void wire_field_init(const struct wire_field *f, void *msg);

// Does the field inside `msg` hold its default?
bool wire_field_is_default(const struct wire_field *f, const void *msg);

// All schemas, ended by NULL.
extern const struct wire_schema *const wire_all_schemas[];

// SPDX-License-Identifier: Apache-2.0
//
// The reading half of the interpreter: bytes of a peer or a file -> struct, along the tables. The
// bytes may be hostile. What bounds the work: nothing is allocated for an array before the bytes
// that its elements need at least are there, and even then only a few times the bytes left; more is
// allocated as elements are decoded. The depth is that of the tables, which the generator bounds.
#include "wire/wire.h"

#include <string.h>

#include "base/be.h"
#include "base/err.h"
#include "wire/tables.h"
#include "wire/varint.h"

// An array takes at once at most this many times the bytes that are left.
enum { PRESIZE_MULTIPLE = 4 };

struct reader {
    struct bytes in;
    size_t position; // <= in.size
    struct arena *arena;
    int16_t version;
    bool flexible;
    uint32_t unknown_tags;
};

static int struct_decode(struct reader *r, const struct wire_struct *type, char *out);

static inline size_t reader_left(const struct reader *r)
{
    return r->in.size - r->position;
}

// The next `size` bytes, or NULL when there are fewer.
static inline const uint8_t *take(struct reader *r, size_t size)
{
    if (size > reader_left(r))
        return NULL;
    const uint8_t *p = r->in.data + r->position;
    r->position += size;
    return p;
}

static inline int read_uvarint(struct reader *r, uint32_t *out)
{
    return uvarint_read(r->in, &r->position, out);
}

// A length or count; any negative one means null, as in Kafka. The compact form is 1 more and
// unsigned, but Kafka computes with 32 signed bits, so that 2^31 + 1 and up mean null too.
static int read_length(struct reader *r, bool compact, size_t plain_size, int32_t *out)
{
    if (compact) {
        uint32_t v;
        int err = read_uvarint(r, &v);
        if (err == 0)
            *out = (int32_t)(v - 1);
        return err;
    }
    const uint8_t *p = take(r, plain_size);
    if (p == NULL)
        return ERR_TRUNCATED;
    *out = plain_size == 2 ? (int16_t)be16_load(p) : (int32_t)be32_load(p);
    return 0;
}

// Reads string, bytes or records into *out; data is NULL for null.
static int read_blob(struct reader *r, const struct wire_field *f, struct bytes *out)
{
    bool compact = r->flexible && !(f->flags & WIRE_IS_PLAIN);
    int32_t length;
    int err = read_length(r, compact, f->type == WIRE_STRING ? 2 : 4, &length);
    if (err != 0)
        return err;
    if (length < 0) {
        *out = bytes_of(NULL, 0);
        return wire_field_is_nullable(f, r->version) ? 0 : ERR_CORRUPT;
    }
    if (f->type == WIRE_STRING && length > WIRE_STRING_MAX)
        return ERR_CORRUPT;
    const uint8_t *p = take(r, (size_t)length);
    if (p == NULL)
        return ERR_TRUNCATED;
    *out = bytes_of(p, (size_t)length);
    return 0;
}

static int blob_decode(struct reader *r, const struct wire_field *f, char *out)
{
    struct bytes blob;
    int err = read_blob(r, f, &blob);
    if (err != 0)
        return err;
    if (f->type == WIRE_STRING)
        *(struct str *)out = bytes_str(blob);
    else if (f->type == WIRE_BYTES)
        *(struct bytes *)out = blob;
    else
        *(struct wire_records *)out = (struct wire_records){.bytes = blob};
    return 0;
}

static inline void scalar_load(uint8_t type, const uint8_t *p, char *out)
{
    switch (type) {
    case WIRE_BOOL: *(bool *)out = *p != 0; break;
    case WIRE_INT8: *(int8_t *)out = (int8_t)*p; break;
    case WIRE_INT16:
    case WIRE_UINT16: *(uint16_t *)out = be16_load(p); break;
    case WIRE_INT32:
    case WIRE_UINT32: *(uint32_t *)out = be32_load(p); break;
    case WIRE_INT64: *(uint64_t *)out = be64_load(p); break;
    case WIRE_FLOAT64: {
        uint64_t bits = be64_load(p);
        memcpy(out, &bits, sizeof bits);
        break;
    }
    default: memcpy(out, p, UUID_SIZE); break;
    }
}

static inline int scalar_decode(struct reader *r, const struct wire_field *f, char *out)
{
    const uint8_t *p = take(r, wire_type_sizes[f->type]);
    if (p == NULL)
        return ERR_TRUNCATED;
    scalar_load(f->type, p, out);
    return 0;
}

// One value: a field that is no array, or an element of one.
static inline int value_decode(struct reader *r, const struct wire_field *f, char *out)
{
    if (f->type < WIRE_STRING)
        return scalar_decode(r, f, out);
    return f->type == WIRE_STRUCT ? struct_decode(r, f->element, out) : blob_decode(r, f, out);
}

// Fewest bytes of one element.
static size_t element_size_min(const struct reader *r, const struct wire_field *f)
{
    if (f->type == WIRE_STRUCT)
        return wire_struct_size_min(f->element, r->version, r->flexible);
    if (f->type == WIRE_STRING)
        return r->flexible ? 1 : 2;
    if (f->type == WIRE_BYTES)
        return r->flexible ? 1 : 4;
    return wire_type_sizes[f->type];
}

// Doubles the room for elements, `used` of which are filled.
static int array_grow(struct reader *r, struct wire_array *a, int32_t used, int32_t *capacity,
                      int32_t count, size_t size)
{
    int32_t wanted = *capacity > count / 2 ? count : *capacity * 2;
    void *items = arena_alloc_array(r->arena, (size_t)wanted, size);
    if (items == NULL)
        return ERR_NOMEM;
    memcpy(items, a->items, (size_t)used * size);
    a->items = items;
    *capacity = wanted;
    return 0;
}

// An array of scalars, whose bytes are all there.
static int scalars_decode(struct reader *r, const struct wire_field *f, struct wire_array *a,
                          int32_t count)
{
    size_t size = wire_type_sizes[f->type];
    const uint8_t *p = take(r, (size_t)count * size);
    char *items = arena_alloc_array(r->arena, (size_t)count, size);
    if (p == NULL || items == NULL)
        return p == NULL ? ERR_TRUNCATED : ERR_NOMEM;
    for (size_t at = 0; at < (size_t)count * size; at += size)
        scalar_load(f->type, p + at, items + at);
    *a = (struct wire_array){.items = items, .count = count};
    return 0;
}

static int elements_decode(struct reader *r, const struct wire_field *f, struct wire_array *a,
                           int32_t count)
{
    size_t size = wire_element_size(f);
    size_t room = PRESIZE_MULTIPLE * reader_left(r) / size;
    int32_t capacity = room >= (size_t)count ? count : room > 0 ? (int32_t)room : 1;
    a->items = arena_alloc_array(r->arena, (size_t)capacity, size);
    if (a->items == NULL)
        return ERR_NOMEM;
    for (int32_t i = 0; i < count; i++) {
        int err = i == capacity ? array_grow(r, a, i, &capacity, count, size) : 0;
        if (err == 0)
            err = value_decode(r, f, (char *)a->items + (size_t)i * size);
        if (err != 0)
            return err;
    }
    a->count = count;
    return 0;
}

static int array_decode(struct reader *r, const struct wire_field *f, struct wire_array *a)
{
    int32_t count;
    int err = read_length(r, r->flexible, 4, &count);
    if (err != 0)
        return err;
    *a = (struct wire_array){.items = NULL, .count = count < 0 ? -1 : 0};
    if (count < 0)
        return wire_field_is_nullable(f, r->version) ? 0 : ERR_CORRUPT;
    if (count == 0)
        return 0;
    if (count > WIRE_ARRAY_MAX)
        return (size_t)count > reader_left(r) ? ERR_CORRUPT : ERR_LIMIT;
    size_t size_min = element_size_min(r, f);
    if ((size_t)count * size_min > reader_left(r))
        return ERR_TRUNCATED;
    return f->type < WIRE_STRING ? scalars_decode(r, f, a, count)
                                 : elements_decode(r, f, a, count);
}

// A struct that may be null: a signed byte, negative for null, stands before it; inside a tag an
// unsigned varint, zero for null.
static int pointer_decode(struct reader *r, const struct wire_field *f, bool in_tag, void **out)
{
    *out = NULL;
    uint32_t mark = 0;
    if (in_tag) {
        int err = read_uvarint(r, &mark);
        if (err != 0)
            return err;
    } else {
        const uint8_t *p = take(r, 1);
        if (p == NULL)
            return ERR_TRUNCATED;
        mark = (int8_t)*p >= 0;
    }
    if (mark == 0)
        return wire_field_is_nullable(f, r->version) ? 0 : ERR_CORRUPT;
    void *target = arena_alloc(r->arena, f->element->size);
    if (target == NULL)
        return ERR_NOMEM;
    *out = target;
    return struct_decode(r, f->element, target);
}

static inline int field_decode(struct reader *r, const struct wire_field *f, bool in_tag, char *out)
{
    if (f->flags & WIRE_IS_ARRAY)
        return array_decode(r, f, (struct wire_array *)out);
    if (f->flags & WIRE_IS_POINTER)
        return pointer_decode(r, f, in_tag, (void **)out);
    return value_decode(r, f, out);
}

static const struct wire_field *find_tag(const struct wire_struct *type, int16_t version,
                                         uint32_t tag)
{
    // The tags of a table have no gaps.
    uint32_t count = type->field_count - type->plain_count;
    if (tag >= count)
        return NULL;
    const struct wire_field *f = &type->fields[type->plain_count + tag];
    return wire_field_in_version(f, version) ? f : NULL;
}

// One tagged field, whose value must fill the bytes it states.
static int tag_decode(struct reader *r, const struct wire_struct *type, char *out)
{
    uint32_t tag, size;
    int err = read_uvarint(r, &tag);
    if (err == 0)
        err = read_uvarint(r, &size);
    if (err != 0)
        return err;
    if (size > reader_left(r))
        return ERR_TRUNCATED;
    const struct wire_field *f = find_tag(type, r->version, tag);
    if (f == NULL) {
        r->position += size;
        return ++r->unknown_tags > WIRE_TAGS_MAX ? ERR_LIMIT : 0;
    }
    size_t outer_size = r->in.size;
    r->in.size = r->position + size;
    err = field_decode(r, f, true, out + f->offset);
    if (err == ERR_TRUNCATED || (err == 0 && r->position != r->in.size))
        err = ERR_CORRUPT;
    r->in.size = outer_size;
    return err;
}

static int tags_decode(struct reader *r, const struct wire_struct *type, char *out)
{
    uint32_t count;
    int err = read_uvarint(r, &count);
    if (err == 0 && count > WIRE_TAGS_MAX)
        return ERR_LIMIT;
    for (uint32_t i = 0; err == 0 && i < count; i++)
        err = tag_decode(r, type, out);
    return err;
}

// Tagged fields before their section is read. A pointer whose default is a struct of defaults gets
// one, which takes the arena.
static int tagged_fields_init(struct reader *r, const struct wire_struct *type, char *out)
{
    for (int i = type->plain_count; i < type->field_count; i++) {
        const struct wire_field *f = &type->fields[i];
        wire_field_init(f, out);
        if (!(f->flags & WIRE_IS_POINTER) || (f->flags & WIRE_DEFAULT_NULL)
            || !wire_field_in_version(f, r->version))
            continue;
        void *target = arena_alloc(r->arena, f->element->size);
        if (target == NULL)
            return ERR_NOMEM;
        wire_struct_init(f->element, target);
        *(void **)(out + f->offset) = target;
    }
    return 0;
}

static int struct_decode(struct reader *r, const struct wire_struct *type, char *out)
{
    int err = 0;
    for (int i = 0; err == 0 && i < type->plain_count; i++) {
        const struct wire_field *f = &type->fields[i];
        if (wire_field_in_version(f, r->version))
            err = field_decode(r, f, false, out + f->offset);
        else
            wire_field_init(f, out);
    }
    if (err == 0)
        err = tagged_fields_init(r, type, out);
    if (err == 0 && r->flexible)
        err = tags_decode(r, type, out);
    return err;
}

int wire_decode(const struct wire_schema *schema, int16_t version, struct bytes in,
                struct arena *arena, void *out, size_t *consumed)
{
    if (!wire_schema_has_version(schema, version))
        return ERR_UNSUPPORTED;
    struct reader r = {.in = in, .arena = arena, .version = version,
                       .flexible = wire_schema_is_flexible(schema, version)};
    int err = struct_decode(&r, schema->root, out);
    if (err == 0 && consumed != NULL)
        *consumed = r.position;
    return err;
}

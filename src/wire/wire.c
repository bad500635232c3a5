// SPDX-License-Identifier: Apache-2.0
//
// What decoding, encoding and printing share: defaults, comparison, facts of schemas.
#include "wire/wire.h"

#include <string.h>

#include "wire/tables.h"

const uint8_t wire_type_sizes[] = {
    [WIRE_BOOL] = sizeof(bool),
    [WIRE_INT8] = sizeof(int8_t),
    [WIRE_INT16] = sizeof(int16_t),
    [WIRE_UINT16] = sizeof(uint16_t),
    [WIRE_INT32] = sizeof(int32_t),
    [WIRE_UINT32] = sizeof(uint32_t),
    [WIRE_INT64] = sizeof(int64_t),
    [WIRE_FLOAT64] = sizeof(double),
    [WIRE_UUID] = sizeof(struct uuid),
    [WIRE_STRING] = sizeof(struct str),
    [WIRE_BYTES] = sizeof(struct bytes),
    [WIRE_RECORDS] = sizeof(struct wire_records),
    [WIRE_STRUCT] = 0,
};

// Fewest bytes by type: plain and compact.
static const uint8_t size_min[][2] = {
    [WIRE_BOOL] = {1, 1},    [WIRE_INT8] = {1, 1},    [WIRE_INT16] = {2, 2},
    [WIRE_UINT16] = {2, 2},  [WIRE_INT32] = {4, 4},   [WIRE_UINT32] = {4, 4},
    [WIRE_INT64] = {8, 8},   [WIRE_FLOAT64] = {8, 8}, [WIRE_UUID] = {16, 16},
    [WIRE_STRING] = {2, 1},  [WIRE_BYTES] = {4, 1},   [WIRE_RECORDS] = {4, 1},
};

size_t wire_struct_size_min(const struct wire_struct *type, int16_t version, bool flexible)
{
    size_t size = flexible ? 1 : 0;
    for (int i = 0; i < type->plain_count; i++) {
        const struct wire_field *f = &type->fields[i];
        if (!wire_field_in_version(f, version))
            continue;
        if (f->flags & WIRE_IS_ARRAY)
            size += flexible ? 1 : 4;
        else if (f->flags & WIRE_IS_POINTER)
            size += 1;
        else if (f->type == WIRE_STRUCT)
            size += wire_struct_size_min(f->element, version, flexible);
        else
            size += size_min[f->type][flexible && !(f->flags & WIRE_IS_PLAIN)];
    }
    return size;
}

void wire_field_init(const struct wire_field *f, void *msg)
{
    char *p = (char *)msg + f->offset;
    bool null = f->flags & WIRE_DEFAULT_NULL;
    if (f->flags & WIRE_IS_ARRAY) {
        *(struct wire_array *)p = (struct wire_array){.items = NULL, .count = null ? -1 : 0};
        return;
    }
    if (f->flags & WIRE_IS_POINTER) {
        *(void **)p = NULL;
        return;
    }
    switch (f->type) {
    case WIRE_BOOL: *(bool *)p = f->default_value != 0; break;
    case WIRE_INT8: *(int8_t *)p = (int8_t)f->default_value; break;
    case WIRE_INT16: *(int16_t *)p = (int16_t)f->default_value; break;
    case WIRE_UINT16: *(uint16_t *)p = (uint16_t)f->default_value; break;
    case WIRE_INT32: *(int32_t *)p = (int32_t)f->default_value; break;
    case WIRE_UINT32: *(uint32_t *)p = (uint32_t)f->default_value; break;
    case WIRE_INT64: *(int64_t *)p = f->default_value; break;
    case WIRE_FLOAT64: *(double *)p = 0; break;
    case WIRE_UUID: *(struct uuid *)p = (struct uuid){{0}}; break;
    case WIRE_STRING: *(struct str *)p = str_from(null ? NULL : ""); break;
    case WIRE_BYTES: *(struct bytes *)p = bytes_of(null ? NULL : "", 0); break;
    case WIRE_RECORDS:
        *(struct wire_records *)p = (struct wire_records){.bytes = bytes_of(null ? NULL : "", 0)};
        break;
    case WIRE_STRUCT: wire_struct_init(f->element, p); break;
    }
}

void wire_struct_init(const struct wire_struct *type, void *msg)
{
    for (int i = 0; i < type->field_count; i++)
        wire_field_init(&type->fields[i], msg);
}

void wire_init_default(const struct wire_schema *schema, void *msg)
{
    wire_struct_init(schema->root, msg);
}

void *wire_struct_array_new(const struct wire_struct *type, struct arena *arena, int32_t count,
                            int32_t *count_out)
{
    *count_out = -1;
    if (count < 0)
        return NULL;
    char *items = arena_alloc_array(arena, (size_t)count, type->size);
    if (items == NULL)
        return NULL;
    for (int32_t i = 0; i < count; i++)
        wire_struct_init(type, items + (size_t)i * type->size);
    *count_out = count;
    return items;
}

static bool struct_is_default(const struct wire_struct *type, const void *msg)
{
    for (int i = 0; i < type->field_count; i++) {
        if (!wire_field_is_default(&type->fields[i], msg))
            return false;
    }
    return true;
}

// A pointer whose default is not null defaults to a struct of defaults, so that null is a value
// that must be said (as in Kafka, whose generated classes start with a new object there).
static bool pointer_is_default(const struct wire_field *f, const void *target)
{
    if (f->flags & WIRE_DEFAULT_NULL)
        return target == NULL;
    return target != NULL && struct_is_default(f->element, target);
}

bool wire_field_is_default(const struct wire_field *f, const void *msg)
{
    const char *p = (const char *)msg + f->offset;
    bool null = f->flags & WIRE_DEFAULT_NULL;
    if (f->flags & WIRE_IS_ARRAY)
        return ((const struct wire_array *)p)->count == (null ? -1 : 0);
    if (f->flags & WIRE_IS_POINTER)
        return pointer_is_default(f, *(void *const *)p);
    switch (f->type) {
    case WIRE_BOOL: return *(const bool *)p == (f->default_value != 0);
    case WIRE_INT8: return *(const int8_t *)p == f->default_value;
    case WIRE_INT16: return *(const int16_t *)p == f->default_value;
    case WIRE_UINT16: return *(const uint16_t *)p == f->default_value;
    case WIRE_INT32: return *(const int32_t *)p == f->default_value;
    case WIRE_UINT32: return *(const uint32_t *)p == f->default_value;
    case WIRE_INT64: return *(const int64_t *)p == f->default_value;
    case WIRE_FLOAT64: return *(const double *)p == 0;
    case WIRE_UUID: return uuid_is_zero(*(const struct uuid *)p);
    case WIRE_STRING: {
        const struct str *s = (const struct str *)p;
        return s->size == 0 && (s->data == NULL) == null;
    }
    case WIRE_BYTES: {
        const struct bytes *b = (const struct bytes *)p;
        return b->size == 0 && (b->data == NULL) == null;
    }
    case WIRE_RECORDS: {
        const struct wire_records *r = (const struct wire_records *)p;
        return r->source == NULL && r->bytes.size == 0 && (r->bytes.data == NULL) == null;
    }
    default: return struct_is_default(f->element, p);
    }
}

// --- Comparison ---

static bool struct_equal(const struct wire_struct *type, int16_t version, const char *a,
                         const char *b);

static bool records_equal(const struct wire_records *a, const struct wire_records *b)
{
    if (a->source != NULL || b->source != NULL)
        return a->source == b->source && a->position == b->position && a->size == b->size;
    return (a->bytes.data == NULL) == (b->bytes.data == NULL) && bytes_equal(a->bytes, b->bytes);
}

static bool value_equal(const struct wire_field *f, int16_t version, const char *a, const char *b)
{
    switch (f->type) {
    case WIRE_STRING: {
        const struct str *x = (const struct str *)a;
        const struct str *y = (const struct str *)b;
        return (x->data == NULL) == (y->data == NULL) && str_equal(*x, *y);
    }
    case WIRE_BYTES: {
        const struct bytes *x = (const struct bytes *)a;
        const struct bytes *y = (const struct bytes *)b;
        return (x->data == NULL) == (y->data == NULL) && bytes_equal(*x, *y);
    }
    case WIRE_RECORDS:
        return records_equal((const struct wire_records *)a, (const struct wire_records *)b);
    case WIRE_STRUCT: return struct_equal(f->element, version, a, b);
    default: return memcmp(a, b, wire_type_sizes[f->type]) == 0;
    }
}

static bool array_equal(const struct wire_field *f, int16_t version, const struct wire_array *a,
                        const struct wire_array *b)
{
    if (a->count != b->count)
        return false;
    size_t size = wire_element_size(f);
    for (int32_t i = 0; i < a->count; i++) {
        size_t at = (size_t)i * size;
        if (!value_equal(f, version, (const char *)a->items + at, (const char *)b->items + at))
            return false;
    }
    return true;
}

static bool field_equal(const struct wire_field *f, int16_t version, const char *a, const char *b)
{
    if (f->flags & WIRE_IS_ARRAY)
        return array_equal(f, version, (const struct wire_array *)a, (const struct wire_array *)b);
    if (f->flags & WIRE_IS_POINTER) {
        const char *x = *(const char *const *)a;
        const char *y = *(const char *const *)b;
        return x == NULL || y == NULL ? x == y : struct_equal(f->element, version, x, y);
    }
    return value_equal(f, version, a, b);
}

static bool struct_equal(const struct wire_struct *type, int16_t version, const char *a,
                         const char *b)
{
    for (int i = 0; i < type->field_count; i++) {
        const struct wire_field *f = &type->fields[i];
        if (wire_field_in_version(f, version)
            && !field_equal(f, version, a + f->offset, b + f->offset))
            return false;
    }
    return true;
}

bool wire_equal(const struct wire_schema *schema, int16_t version, const void *a, const void *b)
{
    return struct_equal(schema->root, version, a, b);
}

// --- Facts ---

const char *wire_schema_name(const struct wire_schema *schema)
{
    return schema->name;
}

int16_t wire_schema_version_min(const struct wire_schema *schema)
{
    return schema->version_min;
}

int16_t wire_schema_version_max(const struct wire_schema *schema)
{
    return schema->version_max;
}

bool wire_schema_is_flexible(const struct wire_schema *schema, int16_t version)
{
    return version >= schema->flexible_since;
}

size_t wire_schema_struct_size(const struct wire_schema *schema)
{
    return schema->root->size;
}

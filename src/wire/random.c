// SPDX-License-Identifier: Apache-2.0
#include "wire/random.h"

#include <string.h>

#include "base/err.h"
#include "wire/tables.h"

enum { RANDOM_BLOB_MAX = 40, RANDOM_ARRAY_MAX = 4 };

struct maker {
    struct prng *prng;
    struct arena *arena;
    int16_t version;
};

static int struct_make(struct maker *m, const struct wire_struct *type, char *msg);

// Small numbers, extremes and anything.
static int64_t random_int(struct maker *m)
{
    static const int64_t telling[] = {0,         1,         -1,        INT8_MAX,  INT8_MIN,
                                      INT16_MAX, INT16_MIN, INT32_MAX, INT32_MIN, INT64_MAX,
                                      INT64_MIN};
    if (prng_chance(m->prng, 1, 2))
        return telling[prng_below(m->prng, sizeof telling / sizeof *telling)];
    return (int64_t)prng_next(m->prng);
}

static int blob_make(struct maker *m, const struct wire_field *f, char *value)
{
    size_t size = prng_below(m->prng, RANDOM_BLOB_MAX + 1);
    char *data = NULL;
    if (!wire_field_is_nullable(f, m->version) || prng_chance(m->prng, 3, 4)) {
        data = arena_alloc(m->arena, size + 1);
        if (data == NULL)
            return ERR_NOMEM;
        for (size_t i = 0; i < size; i++)
            data[i] = (char)(f->type == WIRE_STRING ? 'a' + prng_below(m->prng, 26)
                                                    : prng_below(m->prng, 256));
    } else {
        size = 0;
    }
    if (f->type == WIRE_STRING)
        *(struct str *)value = str_of(data, size);
    else if (f->type == WIRE_BYTES)
        *(struct bytes *)value = bytes_of(data, size);
    else
        *(struct wire_records *)value = (struct wire_records){.bytes = bytes_of(data, size)};
    return 0;
}

static int value_make(struct maker *m, const struct wire_field *f, char *value)
{
    int64_t number = random_int(m);
    switch (f->type) {
    case WIRE_BOOL: *(bool *)value = number & 1; break;
    case WIRE_INT8: *(int8_t *)value = (int8_t)number; break;
    case WIRE_INT16:
    case WIRE_UINT16: *(uint16_t *)value = (uint16_t)number; break;
    case WIRE_INT32:
    case WIRE_UINT32: *(uint32_t *)value = (uint32_t)number; break;
    case WIRE_INT64: *(int64_t *)value = number; break;
    case WIRE_FLOAT64: *(double *)value = (double)number / 3; break;
    case WIRE_UUID: {
        uint64_t halves[2] = {prng_next(m->prng), prng_next(m->prng)};
        memcpy(value, halves, sizeof halves);
        break;
    }
    case WIRE_STRUCT: return struct_make(m, f->element, value);
    default: return blob_make(m, f, value);
    }
    return 0;
}

static int array_make(struct maker *m, const struct wire_field *f, struct wire_array *a)
{
    if (wire_field_is_nullable(f, m->version) && prng_chance(m->prng, 1, 4)) {
        *a = (struct wire_array){.items = NULL, .count = -1};
        return 0;
    }
    size_t size = wire_element_size(f);
    a->count = (int32_t)prng_below(m->prng, RANDOM_ARRAY_MAX + 1);
    a->items = arena_alloc_array(m->arena, (size_t)a->count, size);
    if (a->items == NULL)
        return ERR_NOMEM;
    int err = 0;
    for (int32_t i = 0; err == 0 && i < a->count; i++)
        err = value_make(m, f, (char *)a->items + (size_t)i * size);
    return err;
}

static int pointer_make(struct maker *m, const struct wire_field *f, void **target)
{
    *target = NULL;
    if (wire_field_is_nullable(f, m->version) && prng_chance(m->prng, 1, 3))
        return 0;
    *target = arena_alloc(m->arena, f->element->size);
    return *target != NULL ? struct_make(m, f->element, *target) : ERR_NOMEM;
}

static int struct_make(struct maker *m, const struct wire_struct *type, char *msg)
{
    int err = 0;
    for (int i = 0; err == 0 && i < type->field_count; i++) {
        const struct wire_field *f = &type->fields[i];
        char *p = msg + f->offset;
        wire_field_init(f, msg);
        if (!wire_field_in_version(f, m->version))
            continue;
        if (f->flags & WIRE_IS_ARRAY)
            err = array_make(m, f, (struct wire_array *)p);
        else if (f->flags & WIRE_IS_POINTER)
            err = pointer_make(m, f, (void **)p);
        else if (f->tag < 0 || prng_chance(m->prng, 1, 2))
            err = value_make(m, f, p);
    }
    return err;
}

int wire_random(const struct wire_schema *schema, int16_t version, struct prng *prng,
                struct arena *arena, void *msg)
{
    struct maker m = {.prng = prng, .arena = arena, .version = version};
    return struct_make(&m, schema->root, msg);
}

// SPDX-License-Identifier: Apache-2.0
//
// The writing half of the interpreter: struct -> bytes, along the tables. Sizing is the same walk
// with a writer that only counts, so the two cannot disagree.
#include "wire/wire.h"

#include <string.h>

#include "base/be.h"
#include "base/err.h"
#include "wire/tables.h"
#include "wire/varint.h"

struct writer {
    struct wire_out *out; // NULL: count only
    size_t size;          // counted, splices included
    int err;              // the first error; sticky
    int16_t version;
    bool flexible;
};

static void struct_encode(struct writer *w, const struct wire_struct *type, const char *msg);

static void fail(struct writer *w, int err)
{
    if (w->err == 0)
        w->err = err;
}

// Room for `size` bytes, or NULL when only counting or when the buffer is full.
static inline uint8_t *put(struct writer *w, size_t size)
{
    w->size += size;
    if (w->out == NULL)
        return NULL;
    struct buf *b = w->out->buf;
    if (b->capacity - b->size >= size && !b->failed) {
        uint8_t *p = b->data + b->size;
        b->size += size;
        return p;
    }
    uint8_t *p = buf_extend(b, size);
    if (p == NULL)
        fail(w, ERR_LIMIT);
    return p;
}

static void put_bytes(struct writer *w, const void *data, size_t size)
{
    uint8_t *p = size > 0 ? put(w, size) : NULL;
    if (p != NULL)
        memcpy(p, data, size);
}

static void put_u8(struct writer *w, uint8_t v)
{
    uint8_t *p = put(w, 1);
    if (p != NULL)
        *p = v;
}

static void put_uvarint(struct writer *w, uint32_t v)
{
    if (v < 0x80) {
        put_u8(w, (uint8_t)v);
        return;
    }
    uint8_t bytes[UVARINT_SIZE_MAX];
    size_t size = uvarint_store(bytes, v);
    put_bytes(w, bytes, size);
}

// A length or count, -1 for null.
static void put_length(struct writer *w, bool compact, size_t plain_size, int32_t length)
{
    if (compact) {
        put_uvarint(w, (uint32_t)length + 1);
        return;
    }
    uint8_t *p = put(w, plain_size);
    if (p == NULL)
        return;
    if (plain_size == 2)
        be16_store(p, (uint16_t)length);
    else
        be32_store(p, (uint32_t)length);
}

static void put_splice(struct writer *w, const struct wire_records *r)
{
    w->size += (size_t)r->size;
    if (w->out == NULL || r->size == 0)
        return;
    if (w->out->splice_count == w->out->splice_max) {
        fail(w, ERR_LIMIT);
        return;
    }
    w->out->splices[w->out->splice_count++] = (struct wire_splice){
        .offset = w->out->buf->size, .source = r->source, .position = r->position, .size = r->size};
}

static void blob_encode(struct writer *w, const struct wire_field *f, const void *data, size_t size)
{
    bool compact = w->flexible && !(f->flags & WIRE_IS_PLAIN);
    size_t plain_size = f->type == WIRE_STRING ? 2 : 4;
    if (data == NULL && !wire_field_is_nullable(f, w->version))
        fail(w, ERR_INVALID);
    else if (size > (f->type == WIRE_STRING ? WIRE_STRING_MAX : INT32_MAX))
        fail(w, ERR_LIMIT);
    else
        put_length(w, compact, plain_size, data == NULL ? -1 : (int32_t)size);
    if (w->err == 0)
        put_bytes(w, data, size);
}

static void records_encode(struct writer *w, const struct wire_field *f,
                           const struct wire_records *r)
{
    if (r->source == NULL) {
        blob_encode(w, f, r->bytes.data, r->bytes.size);
        return;
    }
    if (r->size < 0 || r->size > INT32_MAX) {
        fail(w, ERR_LIMIT);
        return;
    }
    put_length(w, w->flexible, 4, (int32_t)r->size);
    put_splice(w, r);
}

static inline void scalar_store(uint8_t type, const char *value, uint8_t *p)
{
    switch (type) {
    case WIRE_BOOL: *p = *(const bool *)value; break;
    case WIRE_INT8: *p = *(const uint8_t *)value; break;
    case WIRE_INT16:
    case WIRE_UINT16: be16_store(p, *(const uint16_t *)value); break;
    case WIRE_INT32:
    case WIRE_UINT32: be32_store(p, *(const uint32_t *)value); break;
    case WIRE_INT64: be64_store(p, *(const uint64_t *)value); break;
    case WIRE_FLOAT64: {
        uint64_t bits;
        memcpy(&bits, value, sizeof bits);
        be64_store(p, bits);
        break;
    }
    default: memcpy(p, value, UUID_SIZE); break;
    }
}

static inline void scalar_encode(struct writer *w, const struct wire_field *f, const char *value)
{
    uint8_t *p = put(w, wire_type_sizes[f->type]);
    if (p != NULL)
        scalar_store(f->type, value, p);
}

static void scalars_encode(struct writer *w, const struct wire_field *f, const char *items,
                           size_t count)
{
    size_t size = wire_type_sizes[f->type];
    uint8_t *p = count > 0 ? put(w, count * size) : NULL;
    for (size_t at = 0; p != NULL && at < count * size; at += size)
        scalar_store(f->type, items + at, p + at);
}

static inline void value_encode(struct writer *w, const struct wire_field *f, const char *value)
{
    switch (f->type) {
    case WIRE_STRING: {
        const struct str *s = (const struct str *)value;
        blob_encode(w, f, s->data, s->size);
        break;
    }
    case WIRE_BYTES: {
        const struct bytes *b = (const struct bytes *)value;
        blob_encode(w, f, b->data, b->size);
        break;
    }
    case WIRE_RECORDS: records_encode(w, f, (const struct wire_records *)value); break;
    case WIRE_STRUCT: struct_encode(w, f->element, value); break;
    default: scalar_encode(w, f, value); break;
    }
}

static void array_encode(struct writer *w, const struct wire_field *f, const struct wire_array *a)
{
    if (a->count < 0 && !wire_field_is_nullable(f, w->version)) {
        fail(w, ERR_INVALID);
        return;
    }
    if (a->count > WIRE_ARRAY_MAX) {
        fail(w, ERR_LIMIT);
        return;
    }
    put_length(w, w->flexible, 4, a->count < 0 ? -1 : a->count);
    if (f->type < WIRE_STRING) {
        scalars_encode(w, f, a->items, a->count < 0 ? 0 : (size_t)a->count);
        return;
    }
    size_t size = wire_element_size(f);
    for (int32_t i = 0; i < a->count && w->err == 0; i++)
        value_encode(w, f, (const char *)a->items + (size_t)i * size);
}

// See pointer_decode.
static void pointer_encode(struct writer *w, const struct wire_field *f, bool in_tag,
                           const char *target)
{
    if (target == NULL && !wire_field_is_nullable(f, w->version)) {
        fail(w, ERR_INVALID);
        return;
    }
    put_u8(w, target != NULL ? 1 : in_tag ? 0 : 0xff);
    if (target != NULL)
        struct_encode(w, f->element, target);
}

static inline void field_encode(struct writer *w, const struct wire_field *f, bool in_tag, const char *p)
{
    if (f->flags & WIRE_IS_ARRAY)
        array_encode(w, f, (const struct wire_array *)p);
    else if (f->flags & WIRE_IS_POINTER)
        pointer_encode(w, f, in_tag, *(const char *const *)p);
    else
        value_encode(w, f, p);
}

static void tag_encode(struct writer *w, const struct wire_field *f, const char *p)
{
    struct writer counter = {.version = w->version, .flexible = w->flexible};
    field_encode(&counter, f, true, p);
    if (counter.err != 0 || counter.size > INT32_MAX) {
        fail(w, counter.err != 0 ? counter.err : ERR_LIMIT);
        return;
    }
    put_uvarint(w, (uint32_t)f->tag);
    put_uvarint(w, (uint32_t)counter.size);
    field_encode(w, f, true, p);
}

static bool tag_is_written(const struct writer *w, const struct wire_field *f, const char *msg)
{
    return wire_field_in_version(f, w->version) && !wire_field_is_default(f, msg);
}

static void tags_encode(struct writer *w, const struct wire_struct *type, const char *msg)
{
    uint32_t count = 0;
    for (int i = type->plain_count; i < type->field_count; i++)
        count += tag_is_written(w, &type->fields[i], msg);
    put_uvarint(w, count);
    for (int i = type->plain_count; count > 0 && i < type->field_count; i++) {
        const struct wire_field *f = &type->fields[i];
        if (tag_is_written(w, f, msg))
            tag_encode(w, f, msg + f->offset);
    }
}

static void struct_encode(struct writer *w, const struct wire_struct *type, const char *msg)
{
    for (int i = 0; i < type->field_count && w->err == 0; i++) {
        const struct wire_field *f = &type->fields[i];
        if (!wire_field_in_version(f, w->version)) {
            if (!(f->flags & WIRE_IS_IGNORABLE) && !wire_field_is_default(f, msg))
                fail(w, ERR_UNSUPPORTED);
        } else if (i < type->plain_count) {
            field_encode(w, f, false, msg + f->offset);
        }
    }
    if (w->flexible && w->err == 0)
        tags_encode(w, type, msg);
}

int wire_encode(const struct wire_schema *schema, int16_t version, const void *msg,
                struct wire_out *out)
{
    if (!wire_schema_has_version(schema, version))
        return ERR_UNSUPPORTED;
    struct writer w = {.out = out, .version = version,
                       .flexible = wire_schema_is_flexible(schema, version)};
    size_t start = out->buf->size;
    int splice_start = out->splice_count;
    bool was_failed = out->buf->failed;
    struct_encode(&w, schema->root, msg);
    if (w.err != 0) {
        out->buf->size = start;
        out->buf->failed = was_failed;
        out->splice_count = splice_start;
    }
    return w.err;
}

int wire_encode_buf(const struct wire_schema *schema, int16_t version, const void *msg,
                    struct buf *out)
{
    struct wire_out wire_out = {.buf = out};
    return wire_encode(schema, version, msg, &wire_out);
}

int wire_size(const struct wire_schema *schema, int16_t version, const void *msg, size_t *size)
{
    if (!wire_schema_has_version(schema, version))
        return ERR_UNSUPPORTED;
    struct writer w = {.version = version, .flexible = wire_schema_is_flexible(schema, version)};
    struct_encode(&w, schema->root, msg);
    if (w.err == 0)
        *size = w.size;
    return w.err;
}

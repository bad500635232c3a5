// SPDX-License-Identifier: Apache-2.0
//
// Messages as JSON, for people, tools and tests.
#include "wire/wire.h"

#include "codec/base64.h"
#include "codec/json.h"
#include "wire/tables.h"

enum { NAME_SIZE_MAX = 128 };

struct print {
    struct json_printer json;
    int16_t version;
    int flags;
};

static void struct_print(struct print *p, const struct wire_struct *type, const char *msg);

static void records_print(struct print *p, const struct wire_records *r)
{
    if (r->source == NULL && r->bytes.data == NULL) {
        json_print_null(&p->json);
        return;
    }
    json_object_begin(&p->json);
    json_key(&p->json, r->source != NULL ? "size" : "hex");
    if (r->source != NULL)
        json_print_int(&p->json, r->size);
    else
        json_print_hex(&p->json, r->bytes);
    json_object_end(&p->json);
}

// As Jackson prints binary values.
static void base64_print(struct print *p, struct bytes value)
{
    struct buf text;
    buf_init(&text, value.size / 3 * 4 + 4);
    base64_encode(value, &text);
    json_print_str(&p->json, value.data == NULL ? str_of(NULL, 0) : buf_str(&text));
    buf_release(&text);
}

static void bytes_print(struct print *p, struct bytes value)
{
    if (p->flags & WIRE_PRINT_AS_KAFKA)
        base64_print(p, value);
    else
        json_print_hex(&p->json, value);
}

static void value_print(struct print *p, const struct wire_field *f, const char *value)
{
    struct json_printer *json = &p->json;
    switch (f->type) {
    case WIRE_BOOL: json_print_bool(json, *(const bool *)value); break;
    case WIRE_INT8: json_print_int(json, *(const int8_t *)value); break;
    case WIRE_INT16: json_print_int(json, *(const int16_t *)value); break;
    case WIRE_UINT16: json_print_int(json, *(const uint16_t *)value); break;
    case WIRE_INT32: json_print_int(json, *(const int32_t *)value); break;
    case WIRE_UINT32: json_print_int(json, *(const uint32_t *)value); break;
    case WIRE_INT64: json_print_int(json, *(const int64_t *)value); break;
    case WIRE_FLOAT64: json_print_double(json, *(const double *)value); break;
    case WIRE_UUID: json_print_text(json, uuid_format(*(const struct uuid *)value).text); break;
    case WIRE_STRING: json_print_str(json, *(const struct str *)value); break;
    case WIRE_BYTES: bytes_print(p, *(const struct bytes *)value); break;
    case WIRE_RECORDS: records_print(p, (const struct wire_records *)value); break;
    default: struct_print(p, f->element, value); break;
    }
}

static void array_print(struct print *p, const struct wire_field *f, const struct wire_array *a)
{
    if (a->count < 0) {
        json_print_null(&p->json);
        return;
    }
    json_array_begin(&p->json);
    for (int32_t i = 0; i < a->count; i++)
        value_print(p, f, (const char *)a->items + (size_t)i * wire_element_size(f));
    json_array_end(&p->json);
}

static void name_print(struct print *p, const char *name)
{
    char lower[NAME_SIZE_MAX];
    if (!(p->flags & WIRE_PRINT_AS_KAFKA) || !str_copy_to(str_from(name), lower, sizeof lower)) {
        json_key(&p->json, name);
        return;
    }
    if (lower[0] >= 'A' && lower[0] <= 'Z')
        lower[0] = (char)(lower[0] - 'A' + 'a');
    json_key(&p->json, lower);
}

static void field_print(struct print *p, const struct wire_field *f, const char *value)
{
    name_print(p, f->name);
    if ((f->flags & WIRE_IS_SECRET) && !(p->flags & WIRE_PRINT_SECRETS))
        json_print_text(&p->json, "(secret)");
    else if (f->flags & WIRE_IS_ARRAY)
        array_print(p, f, (const struct wire_array *)value);
    else if (!(f->flags & WIRE_IS_POINTER))
        value_print(p, f, value);
    else if (*(const char *const *)value == NULL)
        json_print_null(&p->json);
    else
        struct_print(p, f->element, *(const char *const *)value);
}

// The field that the schema has after this one: members of the C struct are in its order, while the
// table has the tagged fields last. -1 at the end.
static int field_after(const struct wire_struct *type, int i)
{
    int next = -1;
    for (int j = 0; j < type->field_count; j++)
        if ((i < 0 || type->fields[j].offset > type->fields[i].offset) &&
            (next < 0 || type->fields[j].offset < type->fields[next].offset))
            next = j;
    return next;
}

static void struct_print(struct print *p, const struct wire_struct *type, const char *msg)
{
    json_object_begin(&p->json);
    for (int i = field_after(type, -1); i >= 0; i = field_after(type, i)) {
        const struct wire_field *f = &type->fields[i];
        if (wire_field_in_version(f, p->version)
            && (i < type->plain_count || !wire_field_is_default(f, msg)))
            field_print(p, f, msg + f->offset);
    }
    json_object_end(&p->json);
}

void wire_print(const struct wire_schema *schema, int16_t version, const void *msg, int flags,
                struct buf *out)
{
    struct print p = {.version = version, .flags = flags};
    json_printer_init(&p.json, out);
    struct_print(&p, schema->root, msg);
}

// SPDX-License-Identifier: Apache-2.0
#include "wire/metadata_record.h"

#include "base/err.h"
#include "wire/varint.h"

enum { FRAME_VERSION = 1 };

int metadata_record_decode(struct bytes value, struct arena *arena, struct metadata_record *out)
{
    size_t position = 0, consumed = 0;
    uint32_t frame, type, version;
    int err = uvarint_read(value, &position, &frame);
    if (err == 0 && frame != FRAME_VERSION)
        return frame == 0 ? ERR_CORRUPT : ERR_UNSUPPORTED;
    if (err == 0)
        err = uvarint_read(value, &position, &type);
    if (err == 0)
        err = uvarint_read(value, &position, &version);
    if (err != 0)
        return ERR_CORRUPT;
    const struct wire_schema *schema = metadata_record_schema(type > INT16_MAX ? -1 : (int32_t)type);
    if (schema == NULL || version > INT16_MAX)
        return ERR_UNSUPPORTED;
    void *message = arena_alloc(arena, wire_schema_struct_size(schema));
    if (message == NULL)
        return ERR_NOMEM;
    struct bytes rest = bytes_of(value.data + position, value.size - position);
    err = wire_decode(schema, (int16_t)version, rest, arena, message, &consumed);
    if (err == ERR_TRUNCATED || err == ERR_LIMIT || (err == 0 && consumed != rest.size))
        return ERR_CORRUPT;
    if (err == 0)
        *out = (struct metadata_record){.type = (enum metadata_record_type)type,
                                        .version = (int16_t)version, .schema = schema,
                                        .message = message};
    return err;
}

int metadata_record_encode(enum metadata_record_type type, int16_t version, const void *message,
                           struct buf *out)
{
    const struct wire_schema *schema = metadata_record_schema((int32_t)type);
    if (schema == NULL)
        return ERR_UNSUPPORTED;
    size_t start = out->size;
    buf_append_uvarint(out, FRAME_VERSION);
    buf_append_uvarint(out, (uint32_t)type);
    buf_append_uvarint(out, (uint16_t)version);
    int err = out->failed ? ERR_LIMIT : wire_encode_buf(schema, version, message, out);
    if (err != 0)
        out->size = start;
    return err;
}

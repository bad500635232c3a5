// SPDX-License-Identifier: Apache-2.0
#include "wire/records.h"

#include <stddef.h>

#include "base/be.h"
#include "base/check.h"
#include "base/err.h"

// Generated; holes are null.
extern const struct wire_schema *const wire_metadata_schemas[METADATA_RECORD_TYPE_MAX + 1];
extern const struct coordinator_record_type wire_group_records[GROUP_RECORD_TYPE_MAX + 1];
extern const struct coordinator_record_type wire_transaction_records[TRANSACTION_RECORD_TYPE_MAX + 1];
extern const struct coordinator_record_type wire_share_records[SHARE_RECORD_TYPE_MAX + 1];

enum { PREFIX_SIZE = 2 };

const struct wire_schema *metadata_record_schema(int32_t type)
{
    return type >= 0 && type <= METADATA_RECORD_TYPE_MAX ? wire_metadata_schemas[type] : NULL;
}

const char *metadata_record_name(int32_t type)
{
    const struct wire_schema *schema = metadata_record_schema(type);
    return schema != NULL ? wire_schema_name(schema) : NULL;
}

const struct coordinator_record_type *coordinator_record_type_find(enum coordinator_log log,
                                                                    int16_t type)
{
    static const struct {
        const struct coordinator_record_type *types;
        int16_t type_max;
    } logs[COORDINATOR_LOG_COUNT] = {
        [COORDINATOR_LOG_GROUP] = {wire_group_records, GROUP_RECORD_TYPE_MAX},
        [COORDINATOR_LOG_TRANSACTION] = {wire_transaction_records, TRANSACTION_RECORD_TYPE_MAX},
        [COORDINATOR_LOG_SHARE] = {wire_share_records, SHARE_RECORD_TYPE_MAX},
    };
    check((int)log >= 0 && (int)log < COORDINATOR_LOG_COUNT);
    if (type < 0 || type > logs[log].type_max || logs[log].types[type].name == NULL)
        return NULL;
    return &logs[log].types[type];
}

int coordinator_prefix_read(struct bytes in, int16_t *prefix, struct bytes *rest)
{
    if (in.size < PREFIX_SIZE)
        return ERR_TRUNCATED;
    *prefix = (int16_t)be16_load(in.data);
    *rest = bytes_of(in.data + PREFIX_SIZE, in.size - PREFIX_SIZE);
    return 0;
}

static int prefixed_encode(const struct wire_schema *schema, int16_t prefix, int16_t version,
                           const void *msg, struct buf *out)
{
    size_t start = out->size;
    buf_append_be16(out, (uint16_t)prefix);
    int err = out->failed ? ERR_LIMIT : wire_encode_buf(schema, version, msg, out);
    if (err != 0)
        out->size = start;
    return err;
}

int coordinator_key_encode(const struct coordinator_record_type *type, const void *key,
                           struct buf *out)
{
    return prefixed_encode(type->key, type->type, 0, key, out);
}

int coordinator_value_encode(const struct coordinator_record_type *type, int16_t version,
                             const void *value, struct buf *out)
{
    return prefixed_encode(type->value, version, version, value, out);
}

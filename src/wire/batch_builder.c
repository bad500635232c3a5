// SPDX-License-Identifier: Apache-2.0
//
// Writing batches of magic 2.
#include "wire/batch.h"

#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "wire/varint.h"

void batch_builder_begin(struct batch_builder *b, struct buf *out,
                         const struct batch_options *options)
{
    *b = (struct batch_builder){.out = out,
                                .options = *options,
                                .start = out->size,
                                .last_offset_delta = -1,
                                .base_timestamp = TIMESTAMP_NONE,
                                .max_timestamp = TIMESTAMP_NONE};
    buf_append_zeros(out, BATCH_HEADER_SIZE);
}

// Bytes of a length and what follows it.
static size_t blob_size(struct bytes blob)
{
    return blob.data == NULL ? varint_size(-1) : varint_size((int32_t)blob.size) + blob.size;
}

static void blob_append(struct buf *out, struct bytes blob)
{
    buf_append_varint(out, blob.data == NULL ? -1 : (int32_t)blob.size);
    buf_append(out, blob.data, blob.size);
}

// A record up to its headers; `headers_size` bytes follow. The first record sets the base timestamp.
static void record_append(struct batch_builder *b, int32_t offset_delta, const struct record *r,
                          size_t headers_size)
{
    check(offset_delta > b->last_offset_delta);
    if (r->key.size > INT32_MAX || r->value.size > INT32_MAX || headers_size > INT32_MAX) {
        b->is_failed = true;
        return;
    }
    bool has_horizon = (b->options.attributes & BATCH_DELETE_HORIZON) != 0;
    if (b->record_count == 0)
        b->base_timestamp = has_horizon ? b->options.delete_horizon_ms : r->timestamp;
    int64_t timestamp_delta = (int64_t)((uint64_t)r->timestamp - (uint64_t)b->base_timestamp);
    size_t size = 1 + varlong_size(timestamp_delta) + varint_size(offset_delta)
                  + blob_size(r->key) + blob_size(r->value) + varint_size(r->header_count)
                  + headers_size;
    if (size > INT32_MAX) {
        b->is_failed = true;
        return;
    }
    buf_append_varint(b->out, (int32_t)size);
    buf_append_u8(b->out, 0); // attributes: none are defined
    buf_append_varlong(b->out, timestamp_delta);
    buf_append_varint(b->out, offset_delta);
    blob_append(b->out, r->key);
    blob_append(b->out, r->value);
    buf_append_varint(b->out, r->header_count);
    b->record_count++;
    b->last_offset_delta = offset_delta;
    if (r->timestamp > b->max_timestamp)
        b->max_timestamp = r->timestamp;
}

void batch_builder_copy(struct batch_builder *b, int32_t offset_delta, const struct record *record)
{
    record_append(b, offset_delta, record, record->headers.size);
    if (!b->is_failed)
        buf_append(b->out, record->headers.data, record->headers.size);
}

void batch_builder_add_at(struct batch_builder *b, int32_t offset_delta, int64_t timestamp,
                          struct bytes key, struct bytes value,
                          const struct record_header *headers, int32_t header_count)
{
    size_t headers_size = 0;
    for (int32_t i = 0; i < header_count; i++) {
        if (headers[i].key.size > INT32_MAX || headers[i].value.size > INT32_MAX)
            b->is_failed = true;
        headers_size += blob_size(str_bytes(headers[i].key)) + blob_size(headers[i].value);
    }
    struct record record = {.timestamp = timestamp, .key = key, .value = value,
                            .header_count = header_count};
    if (!b->is_failed)
        record_append(b, offset_delta, &record, headers_size);
    for (int32_t i = 0; i < header_count && !b->is_failed; i++) {
        struct str name = headers[i].key;
        blob_append(b->out, str_bytes(name.data != NULL ? name : str_from("")));
        blob_append(b->out, headers[i].value);
    }
}

void batch_builder_add(struct batch_builder *b, int64_t timestamp, struct bytes key,
                       struct bytes value, const struct record_header *headers,
                       int32_t header_count)
{
    batch_builder_add_at(b, b->last_offset_delta + 1, timestamp, key, value, headers, header_count);
}

size_t batch_builder_size(const struct batch_builder *b)
{
    return b->out->size - b->start;
}

void batch_builder_set_last_offset_delta(struct batch_builder *b, int32_t last_offset_delta)
{
    check(last_offset_delta >= b->last_offset_delta);
    b->last_offset_delta = last_offset_delta;
}

void batch_builder_cancel(struct batch_builder *b)
{
    b->out->size = b->start;
    b->out->failed = false;
}

// Replaces the records, which are at the end of the buffer, by their compressed form.
static int records_compress(struct batch_builder *b)
{
    size_t at = b->start + BATCH_HEADER_SIZE;
    struct bytes records = bytes_of(b->out->data + at, b->out->size - at);
    struct buf compressed;
    buf_init(&compressed, CODEC_SIZE_MAX(records.size));
    int err = codec_compress(b->options.codec, b->options.level, records, &compressed);
    if (err == 0) {
        b->out->size = at;
        buf_append(b->out, compressed.data, compressed.size);
        err = b->out->failed ? ERR_LIMIT : 0;
    }
    buf_release(&compressed);
    return err;
}

static void header_store(const struct batch_builder *b, uint8_t *p, size_t size)
{
    const struct batch_options *o = &b->options;
    bool log_append_time = (o->attributes & BATCH_LOG_APPEND_TIME) != 0;
    int64_t max_timestamp = log_append_time ? o->log_append_time : b->max_timestamp;
    be64_store(p + BATCH_BASE_OFFSET_AT, (uint64_t)o->base_offset);
    be32_store(p + BATCH_LENGTH_AT, (uint32_t)(size - BATCH_LENGTH_OVERHEAD));
    be32_store(p + BATCH_LEADER_EPOCH_AT, (uint32_t)o->partition_leader_epoch);
    p[BATCH_MAGIC_AT] = BATCH_MAGIC_CURRENT;
    be16_store(p + BATCH_ATTRIBUTES_AT,
               (uint16_t)((o->attributes & ~BATCH_CODEC_MASK) | (int)o->codec));
    be32_store(p + BATCH_LAST_OFFSET_DELTA_AT, (uint32_t)b->last_offset_delta);
    be64_store(p + BATCH_BASE_TIMESTAMP_AT, (uint64_t)b->base_timestamp);
    be64_store(p + BATCH_MAX_TIMESTAMP_AT, (uint64_t)max_timestamp);
    be64_store(p + BATCH_PRODUCER_ID_AT, (uint64_t)o->producer_id);
    be16_store(p + BATCH_PRODUCER_EPOCH_AT, (uint16_t)o->producer_epoch);
    be32_store(p + BATCH_BASE_SEQUENCE_AT, (uint32_t)o->base_sequence);
    be32_store(p + BATCH_RECORD_COUNT_AT, (uint32_t)b->record_count);
    batch_set_crc(p, size);
}

int batch_builder_finish(struct batch_builder *b, struct bytes *batch)
{
    int err = b->is_failed || b->out->failed ? ERR_LIMIT : 0;
    check(err != 0 || b->last_offset_delta >= 0);
    if (err == 0 && b->options.codec != CODEC_NONE && b->record_count > 0)
        err = records_compress(b);
    if (err == 0 && batch_builder_size(b) > BATCH_SIZE_MAX)
        err = ERR_LIMIT;
    if (err != 0) {
        batch_builder_cancel(b);
        return err;
    }
    uint8_t *p = b->out->data + b->start;
    header_store(b, p, batch_builder_size(b));
    if (batch != NULL)
        *batch = bytes_of(p, batch_builder_size(b));
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
//
// The records inside a batch. One record is: length varint, attributes int8, timestamp delta
// varlong, offset delta varint, key and value with varint lengths (-1 null), header count varint,
// and per header a key and a value. FROZEN.
#include "wire/batch.h"

#include "base/check.h"
#include "base/err.h"
#include "wire/legacy.h"
#include "wire/varint.h"

int batch_iter_init(struct batch_iter *it, struct bytes batch, struct buf *scratch)
{
    *it = (struct batch_iter){.header = {0}};
    struct bytes rest = batch, whole;
    int r = batch_next(&rest, &it->header, &whole);
    if (r <= 0)
        return r == 0 ? ERR_TRUNCATED : r;
    if (it->header.magic < BATCH_MAGIC_CURRENT)
        return legacy_iter_init(it, whole, scratch);
    struct bytes body = bytes_of(whole.data + BATCH_HEADER_SIZE, whole.size - BATCH_HEADER_SIZE);
    int codec = batch_codec(&it->header);
    if (codec == CODEC_NONE || (it->header.record_count == 0 && body.size == 0)) {
        it->records = body;
        return 0;
    }
    check(scratch != NULL);
    buf_clear(scratch);
    int err = codec_decompress((enum codec)codec, body, scratch);
    if (err == 0)
        it->records = buf_bytes(scratch);
    return err;
}

// A view of a varint length and as many bytes at *at; any negative length is null.
static inline int cut_blob(struct bytes in, size_t *at, bool strict, struct bytes *out)
{
    int32_t length;
    int err = varint_read(in, at, &length);
    if (err != 0)
        return ERR_CORRUPT;
    if (length < 0) {
        *out = bytes_of(NULL, 0);
        return strict && length < -1 ? ERR_CORRUPT : 0;
    }
    if ((size_t)length > in.size - *at)
        return ERR_CORRUPT;
    *out = bytes_of(in.data + *at, (size_t)length);
    *at += (size_t)length;
    return 0;
}

static int header_cut(struct bytes in, size_t *at, bool strict, struct record_header *out)
{
    struct bytes key, value;
    int err = cut_blob(in, at, strict, &key);
    if (err == 0 && key.data == NULL)
        err = ERR_CORRUPT;
    if (err == 0)
        err = cut_blob(in, at, strict, &value);
    if (err == 0)
        *out = (struct record_header){.key = bytes_str(key), .value = value};
    return err;
}

int record_header_next(struct bytes *rest, struct record_header *out)
{
    if (rest->size == 0)
        return 0;
    size_t at = 0;
    int err = header_cut(*rest, &at, false, out);
    if (err != 0)
        return err;
    *rest = bytes_of(rest->data + at, rest->size - at);
    return 1;
}

// The headers must end where the record does.
static inline int headers_parse(struct bytes body, size_t *at, bool strict, struct record *out)
{
    int err = varint_read(body, at, &out->header_count);
    if (err != 0 || out->header_count < 0)
        return ERR_CORRUPT;
    out->headers = bytes_of(body.data + *at, body.size - *at);
    struct record_header header;
    for (int32_t i = 0; i < out->header_count; i++) {
        err = header_cut(body, at, strict, &header);
        if (err != 0)
            return err;
    }
    return *at == body.size ? 0 : ERR_CORRUPT;
}

// Where a record lies in time and order.
static inline void record_place(const struct batch_header *h, int64_t timestamp_delta, int32_t offset_delta,
                         struct record *out)
{
    out->offset = (int64_t)((uint64_t)h->base_offset + (uint64_t)offset_delta);
    out->timestamp = batch_is_log_append_time(h)
                         ? h->max_timestamp
                         : (int64_t)((uint64_t)h->base_timestamp + (uint64_t)timestamp_delta);
    out->sequence =
        h->base_sequence < 0 ? SEQUENCE_NONE : sequence_add(h->base_sequence, offset_delta);
}

// Parses the record whose bytes after the length are `body`.
static inline int record_parse(const struct batch_iter *it, struct bytes body, struct record *out)
{
    size_t at = 1;
    int64_t timestamp_delta;
    int32_t offset_delta;
    if (body.size == 0 || varlong_read(body, &at, &timestamp_delta) != 0
        || varint_read(body, &at, &offset_delta) != 0 || offset_delta < 0)
        return ERR_CORRUPT;
    out->attributes = (int8_t)body.data[0];
    record_place(&it->header, timestamp_delta, offset_delta, out);
    int err = cut_blob(body, &at, it->is_strict, &out->key);
    if (err == 0)
        err = cut_blob(body, &at, it->is_strict, &out->value);
    return err == 0 ? headers_parse(body, &at, it->is_strict, out) : err;
}

int batch_iter_next(struct batch_iter *it, struct record *out)
{
    if (it->header.magic < BATCH_MAGIC_CURRENT)
        return legacy_iter_next(it, out);
    if (it->index == it->header.record_count)
        return it->position == it->records.size ? 0 : ERR_CORRUPT;
    size_t at = it->position;
    int32_t length;
    if (varint_read(it->records, &at, &length) != 0 || length < 0
        || (size_t)length > it->records.size - at)
        return ERR_CORRUPT;
    out->index = it->index;
    out->size = at + (size_t)length - it->position;
    int err = record_parse(it, bytes_of(it->records.data + at, (size_t)length), out);
    if (err != 0)
        return err;
    it->position = at + (size_t)length;
    it->index++;
    return 1;
}

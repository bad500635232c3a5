// SPDX-License-Identifier: Apache-2.0
//
// Reading the messages of old segments. Nothing writes them any more.
#include "wire/legacy.h"

#include "base/check.h"
#include "base/err.h"

// A view of the length and bytes at *at.
static int cut_blob(struct bytes message, size_t *at, struct bytes *out)
{
    if (message.size - *at < 4)
        return ERR_CORRUPT;
    int32_t length = (int32_t)be32_load(message.data + *at);
    *at += 4;
    *out = bytes_of(NULL, 0);
    if (length < 0)
        return length == -1 ? 0 : ERR_CORRUPT;
    if ((size_t)length > message.size - *at)
        return ERR_CORRUPT;
    *out = bytes_of(message.data + *at, (size_t)length);
    *at += (size_t)length;
    return 0;
}

// Key and value of one whole message; they must fill it.
static int message_parse(struct bytes message, int magic, struct bytes *key, struct bytes *value)
{
    size_t at = magic == 0 ? LEGACY_TIMESTAMP_AT : LEGACY_TIMESTAMP_AT + 8;
    int err = cut_blob(message, &at, key);
    if (err == 0)
        err = cut_blob(message, &at, value);
    return err == 0 && at != message.size ? ERR_CORRUPT : err;
}

// Inner messages of magic 1 count from 0, and the outer one bears the offset of the last.
static int inner_base(struct batch_iter *it)
{
    struct bytes rest = it->records, message;
    struct batch_header h;
    int64_t last = 0;
    int r;
    while ((r = batch_next(&rest, &h, &message)) == 1)
        last = h.base_offset;
    if (it->header.magic == 1)
        it->legacy_base = (int64_t)((uint64_t)it->header.base_offset - (uint64_t)last);
    return r == 0 ? 0 : ERR_CORRUPT;
}

int legacy_iter_init(struct batch_iter *it, struct bytes batch, struct buf *scratch)
{
    int codec = batch_codec(&it->header);
    if (codec == CODEC_NONE) {
        it->records = batch;
        return 0;
    }
    check(scratch != NULL);
    struct bytes key, value;
    int err = message_parse(batch, it->header.magic, &key, &value);
    if (err != 0)
        return err;
    buf_clear(scratch);
    err = codec_decompress((enum codec)codec, value, scratch);
    if (err != 0)
        return err;
    it->records = buf_bytes(scratch);
    return inner_base(it);
}

int legacy_iter_next(struct batch_iter *it, struct record *out)
{
    struct bytes rest = bytes_of(it->records.data + it->position, it->records.size - it->position);
    struct bytes message, key, value;
    struct batch_header h;
    int r = batch_next(&rest, &h, &message);
    if (r <= 0)
        return r == 0 ? 0 : ERR_CORRUPT;
    bool is_inner = batch_codec(&it->header) != CODEC_NONE;
    if (h.magic > 1 || batch_codec(&h) != CODEC_NONE
        || message_parse(message, h.magic, &key, &value) != 0)
        return ERR_CORRUPT;
    *out = (struct record){
        .offset = (int64_t)((uint64_t)h.base_offset + (uint64_t)it->legacy_base),
        .timestamp = is_inner && batch_is_log_append_time(&it->header) ? it->header.max_timestamp
                                                                        : h.max_timestamp,
        .sequence = SEQUENCE_NONE,
        .index = it->index++,
        .key = key,
        .value = value,
        .size = message.size,
    };
    it->position += message.size;
    return 1;
}

// SPDX-License-Identifier: Apache-2.0
//
// Headers of batches: reading, walking, checksums, patching. Offsets in bytes: see batch.h; FROZEN.
#include "wire/batch.h"

#include "base/check.h"
#include "base/err.h"
#include "codec/crc32c.h"
#include "wire/legacy.h"

check_static(BATCH_HEADER_SIZE == 61, "FROZEN: the header of magic 2");

static void header_load(const uint8_t *p, struct batch_header *h)
{
    *h = (struct batch_header){
        .base_offset = (int64_t)be64_load(p + BATCH_BASE_OFFSET_AT),
        .length = (int32_t)be32_load(p + BATCH_LENGTH_AT),
        .partition_leader_epoch = (int32_t)be32_load(p + BATCH_LEADER_EPOCH_AT),
        .magic = (int8_t)p[BATCH_MAGIC_AT],
        .crc = be32_load(p + BATCH_CRC_AT),
        .attributes = (int16_t)be16_load(p + BATCH_ATTRIBUTES_AT),
        .last_offset_delta = (int32_t)be32_load(p + BATCH_LAST_OFFSET_DELTA_AT),
        .base_timestamp = (int64_t)be64_load(p + BATCH_BASE_TIMESTAMP_AT),
        .max_timestamp = (int64_t)be64_load(p + BATCH_MAX_TIMESTAMP_AT),
        .producer_id = (int64_t)be64_load(p + BATCH_PRODUCER_ID_AT),
        .producer_epoch = (int16_t)be16_load(p + BATCH_PRODUCER_EPOCH_AT),
        .base_sequence = (int32_t)be32_load(p + BATCH_BASE_SEQUENCE_AT),
        .record_count = (int32_t)be32_load(p + BATCH_RECORD_COUNT_AT),
    };
}

// A message of magic 0 or 1 as if it were a batch of one.
static void legacy_header_load(const uint8_t *p, struct batch_header *h)
{
    int8_t magic = (int8_t)p[BATCH_MAGIC_AT];
    int64_t timestamp = magic == 0 ? TIMESTAMP_NONE : (int64_t)be64_load(p + LEGACY_TIMESTAMP_AT);
    uint8_t attributes = p[LEGACY_ATTRIBUTES_AT];
    *h = (struct batch_header){
        .base_offset = (int64_t)be64_load(p + BATCH_BASE_OFFSET_AT),
        .length = (int32_t)be32_load(p + BATCH_LENGTH_AT),
        .partition_leader_epoch = -1,
        .magic = magic,
        .crc = be32_load(p + LEGACY_CRC_AT),
        .attributes = attributes & (magic == 0 ? BATCH_CODEC_MASK
                                               : BATCH_CODEC_MASK | BATCH_LOG_APPEND_TIME),
        .base_timestamp = timestamp,
        .max_timestamp = timestamp,
        .producer_id = PRODUCER_ID_NONE,
        .producer_epoch = PRODUCER_EPOCH_NONE,
        .base_sequence = SEQUENCE_NONE,
        .record_count = (attributes & BATCH_CODEC_MASK) != 0 ? -1 : 1,
    };
}

// Fewest bytes of a whole batch by magic.
static size_t size_min(int magic)
{
    return magic == 0 ? LEGACY_V0_SIZE_MIN : magic == 1 ? LEGACY_V1_SIZE_MIN : BATCH_HEADER_SIZE;
}

int batch_size_peek(struct bytes in, size_t *size)
{
    if (in.size < BATCH_PREFIX_SIZE)
        return ERR_TRUNCATED;
    int8_t magic = (int8_t)in.data[BATCH_MAGIC_AT];
    if (magic < 0 || magic > BATCH_MAGIC_CURRENT)
        return ERR_UNSUPPORTED;
    int32_t length = (int32_t)be32_load(in.data + BATCH_LENGTH_AT);
    if (length < 0 || (size_t)length + BATCH_LENGTH_OVERHEAD < size_min(magic))
        return ERR_CORRUPT;
    *size = (size_t)length + BATCH_LENGTH_OVERHEAD;
    return 0;
}

int batch_header_parse(struct bytes in, struct batch_header *out)
{
    size_t size;
    int err = batch_size_peek(in, &size);
    if (err != 0)
        return err == ERR_UNSUPPORTED ? ERR_CORRUPT : err;
    int magic = in.data[BATCH_MAGIC_AT];
    if (in.size < size_min(magic))
        return ERR_TRUNCATED;
    struct batch_header h;
    if (magic == BATCH_MAGIC_CURRENT)
        header_load(in.data, &h);
    else
        legacy_header_load(in.data, &h);
    if (h.last_offset_delta < 0 || (magic == BATCH_MAGIC_CURRENT && h.record_count < 0))
        return ERR_CORRUPT;
    *out = h;
    return 0;
}

int batch_next(struct bytes *rest, struct batch_header *header, struct bytes *batch)
{
    if (rest->size == 0)
        return 0;
    struct batch_header h;
    int err = batch_header_parse(*rest, &h);
    if (err != 0)
        return err;
    size_t size = batch_size(&h);
    if (size > rest->size)
        return ERR_TRUNCATED;
    *header = h;
    *batch = bytes_of(rest->data, size);
    *rest = bytes_of(rest->data + size, rest->size - size);
    return 1;
}

static uint32_t crc_compute(const uint8_t *batch, size_t size)
{
    return crc32c(0, bytes_of(batch + BATCH_ATTRIBUTES_AT, size - BATCH_ATTRIBUTES_AT));
}

bool batch_crc_is_valid(struct bytes batch)
{
    size_t size;
    if (batch_size_peek(batch, &size) != 0 || size > batch.size)
        return false;
    if (batch.data[BATCH_MAGIC_AT] == BATCH_MAGIC_CURRENT)
        return be32_load(batch.data + BATCH_CRC_AT) == crc_compute(batch.data, size);
    return be32_load(batch.data + LEGACY_CRC_AT)
           == crc32_zlib(0, bytes_of(batch.data + BATCH_MAGIC_AT, size - BATCH_MAGIC_AT));
}

void batch_set_base_offset(uint8_t *batch, int64_t base_offset)
{
    be64_store(batch + BATCH_BASE_OFFSET_AT, (uint64_t)base_offset);
}

void batch_set_partition_leader_epoch(uint8_t *batch, int32_t leader_epoch)
{
    be32_store(batch + BATCH_LEADER_EPOCH_AT, (uint32_t)leader_epoch);
}

void batch_set_crc(uint8_t *batch, size_t size)
{
    check(size >= BATCH_HEADER_SIZE);
    be32_store(batch + BATCH_CRC_AT, crc_compute(batch, size));
}

void batch_set_max_timestamp(uint8_t *batch, size_t size, bool log_append_time,
                             int64_t max_timestamp)
{
    uint16_t before = be16_load(batch + BATCH_ATTRIBUTES_AT);
    uint16_t after = (uint16_t)((before & ~BATCH_LOG_APPEND_TIME)
                                | (log_append_time ? BATCH_LOG_APPEND_TIME : 0));
    if (after == before
        && (int64_t)be64_load(batch + BATCH_MAX_TIMESTAMP_AT) == max_timestamp)
        return;
    be16_store(batch + BATCH_ATTRIBUTES_AT, after);
    be64_store(batch + BATCH_MAX_TIMESTAMP_AT, (uint64_t)max_timestamp);
    batch_set_crc(batch, size);
}

void batch_set_producer(uint8_t *batch, size_t size, int64_t producer_id, int16_t producer_epoch,
                        int32_t base_sequence)
{
    be64_store(batch + BATCH_PRODUCER_ID_AT, (uint64_t)producer_id);
    be16_store(batch + BATCH_PRODUCER_EPOCH_AT, (uint16_t)producer_epoch);
    be32_store(batch + BATCH_BASE_SEQUENCE_AT, (uint32_t)base_sequence);
    batch_set_crc(batch, size);
}

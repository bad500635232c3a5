// SPDX-License-Identifier: Apache-2.0
//
// Control records: their keys, and the markers that end transactions (KIP-98). FROZEN.
#include "wire/batch.h"

#include "base/err.h"

void control_key_store(uint8_t out[CONTROL_KEY_SIZE], enum control_type type)
{
    be16_store(out, 0); // version
    be16_store(out + 2, (uint16_t)type);
}

int control_key_read(struct bytes key, int16_t *type)
{
    if (key.size < CONTROL_KEY_SIZE || (int16_t)be16_load(key.data) < 0)
        return ERR_CORRUPT;
    *type = (int16_t)be16_load(key.data + 2);
    return 0;
}

void end_txn_marker_store(uint8_t out[END_TXN_MARKER_SIZE], int32_t coordinator_epoch)
{
    be16_store(out, 0); // version
    be32_store(out + 2, (uint32_t)coordinator_epoch);
}

int end_txn_marker_read(struct bytes value, int32_t *coordinator_epoch)
{
    if (value.size < END_TXN_MARKER_SIZE || (int16_t)be16_load(value.data) < 0)
        return ERR_CORRUPT;
    *coordinator_epoch = (int32_t)be32_load(value.data + 2);
    return 0;
}

bool batch_is_end_txn_marker(struct bytes batch, enum control_type *type)
{
    struct batch_header h;
    struct batch_iter it;
    struct record record;
    int16_t found;
    if (batch_header_parse(batch, &h) < 0 || h.magic < BATCH_MAGIC_CURRENT || !batch_is_control(&h) ||
        batch_codec(&h) != CODEC_NONE) // nobody compresses a marker
        return false;
    if (batch_iter_init(&it, batch, NULL) < 0 || batch_iter_next(&it, &record) != 1 ||
        control_key_read(record.key, &found) < 0)
        return false;
    *type = (enum control_type)found;
    return found == CONTROL_ABORT || found == CONTROL_COMMIT;
}

int batch_append_end_txn_marker(struct buf *out, const struct batch_options *options,
                                enum control_type type, int32_t coordinator_epoch,
                                int64_t timestamp, struct bytes *batch)
{
    uint8_t key[CONTROL_KEY_SIZE], value[END_TXN_MARKER_SIZE];
    control_key_store(key, type);
    end_txn_marker_store(value, coordinator_epoch);
    struct batch_options marker = *options;
    marker.attributes |= BATCH_TRANSACTIONAL | BATCH_CONTROL;
    marker.codec = CODEC_NONE;
    marker.base_sequence = SEQUENCE_NONE;
    struct batch_builder b;
    batch_builder_begin(&b, out, &marker);
    batch_builder_add(&b, timestamp, bytes_of(key, sizeof key), bytes_of(value, sizeof value), NULL,
                      0);
    return batch_builder_finish(&b, batch);
}

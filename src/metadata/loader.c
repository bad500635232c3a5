// SPDX-License-Identifier: Apache-2.0
#include "metadata/loader.h"

#include "base/err.h"
#include "base/mem.h"
#include "metadata/internal.h"
#include "metadata/replay.h"
#include "wire/batch.h"

struct metadata_loader {
    struct metadata_image *image; // what readers see
    struct metadata_image *open;  // with the records of an open transaction; NULL: none is open
    int64_t next_offset;
    bool failed; // a batch could not be replayed: nothing more is taken
};

struct metadata_loader *metadata_loader_new(void)
{
    struct metadata_loader *l = mem_new(struct metadata_loader);
    l->image = metadata_image_new();
    return l;
}

void metadata_loader_free(struct metadata_loader *l)
{
    if (l == NULL)
        return;
    metadata_image_unref(l->image);
    metadata_image_unref(l->open);
    mem_free(l);
}

const struct metadata_image *metadata_loader_image(const struct metadata_loader *l)
{
    return l->image;
}

int64_t metadata_loader_next_offset(const struct metadata_loader *l)
{
    return l->next_offset;
}

bool metadata_loader_in_transaction(const struct metadata_loader *l)
{
    return l->open != NULL;
}

// What Kafka's reader of the metadata log insists on.
static int batch_check(const struct batch_header *header, struct bytes batch, struct diag *diag)
{
    if (header->magic != BATCH_MAGIC_CURRENT)
        return diag_set(diag, ERR_CORRUPT, "a batch of magic %d in the metadata log", header->magic);
    if (!batch_crc_is_valid(batch))
        return diag_set(diag, ERR_CORRUPT, "a batch whose CRC does not fit its bytes");
    if (batch_codec(header) != 0 || batch_has_producer(header) || batch_is_transactional(header))
        return diag_set(diag, ERR_CORRUPT,
                        "a metadata batch that is compressed or has a producer (attributes %d)",
                        header->attributes);
    if (header->record_count != header->last_offset_delta + 1)
        return diag_set(diag, ERR_CORRUPT, "a metadata batch with %d records and last offset delta %d",
                        header->record_count, header->last_offset_delta);
    return 0;
}

static int record_check(const struct batch_header *header, const struct record *record,
                        struct diag *diag)
{
    if (record->key.data != NULL || record->value.data == NULL || record->value.size == 0)
        return diag_set(diag, ERR_CORRUPT, "a metadata record with a key or without a value");
    if (record->header_count != 0 || record->timestamp != header->base_timestamp)
        return diag_set(diag, ERR_CORRUPT,
                        "a metadata record with headers or a timestamp of its own");
    if (record->offset != header->base_offset + record->index)
        return diag_set(diag, ERR_CORRUPT, "a metadata record out of its place");
    return 0;
}

// --- Snapshots ---

struct snapshot_reader {
    struct metadata_image *image;
    int64_t last_contained; // offset given to its records
    int64_t next_offset;    // inside the file
    int32_t epoch;
    bool has_header;
    bool has_footer;
};

static int snapshot_control(struct snapshot_reader *reader, const struct record *record,
                            struct diag *diag)
{
    int16_t type;
    if (control_key_read(record->key, &type) != 0)
        return diag_set(diag, ERR_CORRUPT, "a control record that cannot be read");
    if ((type == CONTROL_SNAPSHOT_HEADER) != (record->offset == 0))
        return diag_set(diag, ERR_CORRUPT, "the snapshot does not begin with its header");
    if (type == CONTROL_SNAPSHOT_HEADER)
        reader->has_header = true;
    if (type == CONTROL_SNAPSHOT_FOOTER)
        reader->has_footer = true;
    return 0; // kraft.version and voters are raft's
}

static int snapshot_data(struct snapshot_reader *reader, const struct batch_header *header,
                         const struct record *record, struct diag *diag)
{
    int err = record_check(header, record, diag);
    if (err != 0)
        return err;
    if (!reader->has_header)
        return diag_set(diag, ERR_CORRUPT, "the snapshot does not begin with its header");
    return metadata_replay(reader->image, record->value, reader->last_contained, diag);
}

static int snapshot_batch(struct snapshot_reader *reader, const struct batch_header *header,
                          struct bytes batch, struct diag *diag)
{
    struct batch_iter iter;
    struct record record;
    int err = batch_check(header, batch, diag);
    if (err != 0)
        return err;
    if (header->base_offset != reader->next_offset || header->partition_leader_epoch != reader->epoch ||
        reader->has_footer)
        return diag_set(diag, ERR_CORRUPT, "the batch at %lld does not belong to this snapshot",
                        (long long)header->base_offset);
    reader->next_offset = batch_last_offset(header) + 1;
    int more = batch_iter_init(&iter, batch, NULL);
    while (more == 0 && (more = batch_iter_next(&iter, &record)) == 1) {
        more = batch_is_control(header) ? snapshot_control(reader, &record, diag)
                                        : snapshot_data(reader, header, &record, diag);
        if (more != 0) {
            diag_prefix(diag, "record %lld", (long long)record.offset);
            return more;
        }
    }
    return more == 0 ? 0 : diag_set(diag, ERR_CORRUPT, "a batch that cannot be read");
}

int metadata_loader_snapshot(struct metadata_loader *l, struct bytes data, int64_t end_offset,
                             int32_t epoch, struct diag *diag)
{
    struct snapshot_reader reader = {
        .image = metadata_image_new(), .last_contained = end_offset - 1, .epoch = epoch};
    struct bytes batch;
    struct batch_header header;
    int err = 0, more;
    while ((more = batch_next(&data, &header, &batch)) == 1 && err == 0)
        err = snapshot_batch(&reader, &header, batch, diag);
    if (err == 0 && (more != 0 || !reader.has_footer))
        err = diag_set(diag, ERR_CORRUPT, "the snapshot is not complete");
    if (err == 0)
        err = metadata_image_check(reader.image, diag);
    if (err != 0) {
        diag_prefix(diag, "snapshot %lld-%d", (long long)end_offset, epoch);
        metadata_image_unref(reader.image);
        return err;
    }
    metadata_image_advance(reader.image, end_offset - 1, end_offset > 0 ? epoch : -1);
    metadata_image_unref(l->image);
    metadata_image_unref(l->open);
    l->image = reader.image;
    l->open = NULL;
    l->next_offset = end_offset;
    l->failed = false;
    return 0;
}

// --- Batches ---

// One batch is replayed into images of its own, so that an error leaves the loader where it was.
struct batch_replay {
    struct metadata_image *image; // outside of transactions
    struct metadata_image *open;  // inside
    int32_t epoch;
};

static int transaction_begin(struct batch_replay *b, const struct record *record,
                             struct diag *diag)
{
    if (b->open != NULL)
        return diag_set(diag, ERR_CORRUPT, "a transaction begins inside a transaction");
    if (record->index > 0)
        metadata_image_advance(b->image, record->offset - 1, b->epoch);
    b->open = metadata_image_fork(b->image);
    return 0;
}

static int transaction_end(struct batch_replay *b, bool commit, struct diag *diag)
{
    if (b->open == NULL)
        return diag_set(diag, ERR_CORRUPT, "a transaction ends that did not begin");
    if (commit) {
        metadata_image_unref(b->image);
        b->image = b->open;
    } else {
        metadata_image_unref(b->open);
    }
    b->open = NULL;
    return 0;
}

static int record_apply(struct batch_replay *b, const struct record *record, struct diag *diag)
{
    enum metadata_record_type type;
    int err = metadata__replay(b->open != NULL ? b->open : b->image, record->value, record->offset,
                               &type, diag);
    if (err != 0)
        return err;
    if (type == METADATA_BEGIN_TRANSACTION_RECORD)
        return transaction_begin(b, record, diag);
    if (type == METADATA_END_TRANSACTION_RECORD)
        return transaction_end(b, true, diag);
    if (type == METADATA_ABORT_TRANSACTION_RECORD)
        return transaction_end(b, false, diag);
    return 0;
}

static int batch_replay(struct batch_replay *b, const struct batch_header *header,
                        struct bytes batch, struct diag *diag)
{
    struct batch_iter iter;
    struct record record;
    int more = batch_iter_init(&iter, batch, NULL);
    while (more == 0 && (more = batch_iter_next(&iter, &record)) == 1) {
        more = record_check(header, &record, diag);
        if (more == 0)
            more = record_apply(b, &record, diag);
        if (more != 0)
            return more;
    }
    if (more != 0)
        return diag_set(diag, ERR_CORRUPT, "a batch that cannot be read");
    return metadata_image_check(b->open != NULL ? b->open : b->image, diag);
}

static int loader_batch(struct metadata_loader *l, const struct batch_header *header,
                        struct bytes batch, struct diag *diag)
{
    if (batch_last_offset(header) < l->next_offset)
        return 0; // the snapshot has it
    int err = batch_check(header, batch, diag);
    if (err != 0)
        return err;
    if (header->base_offset != l->next_offset)
        return diag_set(diag, ERR_CORRUPT, "the batch begins at %lld where %lld is due",
                        (long long)header->base_offset, (long long)l->next_offset);
    struct batch_replay b = {.image = metadata_image_fork(l->image),
                             .open = l->open != NULL ? metadata_image_fork(l->open) : NULL,
                             .epoch = header->partition_leader_epoch};
    if (!batch_is_control(header))
        err = batch_replay(&b, header, batch, diag);
    if (err != 0) {
        metadata_image_unref(b.image);
        metadata_image_unref(b.open);
        return err;
    }
    l->next_offset = batch_last_offset(header) + 1;
    // With a transaction open readers stay before its beginning.
    if (b.open == NULL)
        metadata_image_advance(b.image, l->next_offset - 1, header->partition_leader_epoch);
    metadata_image_unref(l->image);
    metadata_image_unref(l->open);
    l->image = b.image;
    l->open = b.open;
    return 0;
}

int metadata_loader_batches(struct metadata_loader *l, struct bytes data, struct diag *diag)
{
    struct bytes batch;
    struct batch_header header;
    int more;
    if (l->failed)
        return diag_set(diag, ERR_CORRUPT, "the metadata log could not be read before");
    while ((more = batch_next(&data, &header, &batch)) == 1) {
        int err = loader_batch(l, &header, batch, diag);
        if (err != 0) {
            l->failed = true;
            diag_prefix(diag, "metadata log, offset %lld", (long long)header.base_offset);
            return err;
        }
    }
    if (more == 0)
        return 0;
    l->failed = true;
    return diag_set(diag, ERR_CORRUPT, "metadata log after offset %lld: not a whole batch",
                    (long long)(l->next_offset - 1));
}

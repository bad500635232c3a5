// SPDX-License-Identifier: Apache-2.0
#include "log/cleaner_filter.h"

#include "base/err.h"

void cleaner_filter_init(struct cleaner_filter *f, const struct offset_map *map, int64_t map_end,
                         int64_t now_ms, int64_t delete_retention_ms)
{
    *f = (struct cleaner_filter){.map = map, .map_end = map_end, .now_ms = now_ms,
                                 .delete_retention_ms = delete_retention_ms};
    buf_init(&f->scratch, CLEANER_RECORDS_MAX);
    buf_init(&f->kept, CLEANER_RECORDS_MAX);
}

void cleaner_filter_release(struct cleaner_filter *f)
{
    buf_release(&f->scratch);
    buf_release(&f->kept);
}

int cleaner_note_keys(struct offset_map *map, const struct batch_header *h, struct bytes batch,
                      int64_t from, struct buf *scratch)
{
    struct batch_iter it;
    struct record record;
    int got = h->record_count == 0 ? 0 : batch_iter_init(&it, batch, scratch);
    if (h->record_count == 0 || got < 0)
        return got < 0 ? got : 1;
    while ((got = batch_iter_next(&it, &record)) == 1) {
        if (record.offset < 0 || record.offset == INT64_MAX)
            return ERR_CORRUPT;
        if (record.key.data == NULL || record.offset < from)
            continue;
        if (!offset_map_put(map, record.key, record.offset))
            return 0;
    }
    return got < 0 ? got : 1;
}

// ---- Which records stay ----

// The bits of former formats say nothing of what came later.
static struct batch_header without_foreign_bits(const struct batch_header *h)
{
    struct batch_header clean = *h;
    if (h->magic < BATCH_MAGIC_CURRENT)
        clean.attributes &= BATCH_CODEC_MASK | BATCH_LOG_APPEND_TIME;
    return clean;
}

static bool has_passed_horizon(const struct cleaner_filter *f, const struct batch_header *h)
{
    return batch_has_delete_horizon(h) && h->base_timestamp <= f->now_ms;
}

static bool stays(const struct cleaner_filter *f, const struct batch_header *h,
                  const struct record *record)
{
    if (record->offset >= f->map_end)
        return true;
    if (record->key.data == NULL || record->offset < offset_map_get(f->map, record->key))
        return false;
    return record->value.data != NULL || !has_passed_horizon(f, h);
}

struct choice {
    int32_t read;
    int32_t kept;
    bool has_tombstones; // among those that stay
    int64_t first_offset; // of all that were read; -1 none
};

// Decides for every record of the batch.
static int choose(struct cleaner_filter *f, const struct batch_header *h, struct batch_iter it,
                  bool all_go, struct choice *out)
{
    struct record record;
    int got;
    *out = (struct choice){.first_offset = -1};
    buf_clear(&f->kept);
    while ((got = batch_iter_next(&it, &record)) == 1) {
        bool kept = !all_go && (batch_is_control(h) || stays(f, h, &record));
        if (out->first_offset < 0)
            out->first_offset = record.offset;
        buf_append_u8(&f->kept, kept);
        out->read++;
        out->kept += kept;
        out->has_tombstones |= kept && !batch_is_control(h) && record.value.data == NULL;
    }
    if (got < 0)
        return got;
    return f->kept.failed ? ERR_LIMIT : 0;
}

// ---- Writing what stays ----

static int64_t horizon_from(const struct cleaner_filter *f)
{
    int64_t horizon;
    return __builtin_add_overflow(f->now_ms, f->delete_retention_ms, &horizon) ? INT64_MAX : horizon;
}

// The first offset that the batch stands for. The header of a compressed one of format 1 says the last.
static int64_t base_of(const struct batch_header *h, const struct choice *c)
{
    bool current = h->magic >= BATCH_MAGIC_CURRENT;
    return current || c->first_offset < 0 || c->first_offset > h->base_offset ? h->base_offset
                                                                              : c->first_offset;
}

static struct batch_options options_of(const struct batch_header *h, int64_t base_offset)
{
    struct batch_options o = BATCH_OPTIONS_DEFAULT;
    o.base_offset = base_offset;
    o.partition_leader_epoch = h->partition_leader_epoch;
    o.attributes = (int16_t)(h->attributes &
                             (BATCH_LOG_APPEND_TIME | BATCH_TRANSACTIONAL | BATCH_CONTROL));
    o.log_append_time = h->max_timestamp;
    o.producer_id = h->producer_id;
    o.producer_epoch = h->producer_epoch;
    o.base_sequence = h->base_sequence;
    return o;
}

// The header alone: it says of the producer, and of offsets, what the batch did.
static int write_empty(const struct batch_header *h, const struct choice *c, struct buf *out)
{
    int64_t base_offset = base_of(h, c);
    struct batch_options options = options_of(h, base_offset);
    struct batch_builder b;
    batch_builder_begin(&b, out, &options);
    batch_builder_set_last_offset_delta(&b, (int32_t)(batch_last_offset(h) - base_offset));
    b.max_timestamp = h->max_timestamp;
    return batch_builder_finish(&b, NULL);
}

static int write_kept(const struct cleaner_filter *f, const struct batch_header *h,
                      struct batch_iter it, const struct choice *c, bool new_horizon, struct buf *out)
{
    int64_t base_offset = base_of(h, c), last_delta = batch_last_offset(h) - base_offset;
    struct batch_options options = options_of(h, base_offset);
    struct batch_builder b;
    struct record record;
    int64_t delta_before = -1;
    int got;
    options.codec = (enum codec)batch_codec(h);
    if (new_horizon || batch_has_delete_horizon(h)) {
        options.attributes |= BATCH_DELETE_HORIZON;
        options.delete_horizon_ms = new_horizon ? horizon_from(f) : h->base_timestamp;
    }
    batch_builder_begin(&b, out, &options);
    while ((got = batch_iter_next(&it, &record)) == 1) {
        int64_t delta = record.offset - base_offset;
        if (!f->kept.data[record.index])
            continue;
        if (delta <= delta_before || delta > last_delta || delta > INT32_MAX) {
            got = ERR_CORRUPT;
            break;
        }
        batch_builder_copy(&b, (int32_t)delta, &record);
        delta_before = delta;
    }
    if (got < 0) {
        batch_builder_cancel(&b);
        return got;
    }
    batch_builder_set_last_offset_delta(&b, (int32_t)last_delta);
    return batch_builder_finish(&b, NULL);
}

// ---- One batch ----

static int copy_whole(struct bytes batch, struct buf *out, struct cleaner_outcome *outcome)
{
    buf_append(out, batch.data, batch.size);
    outcome->is_kept = true;
    return out->failed ? ERR_LIMIT : 0;
}

static int keep_empty(const struct batch_header *h, const struct choice *c,
                      const struct cleaner_batch *known, struct bytes batch, struct buf *out,
                      struct cleaner_outcome *outcome)
{
    if (!known->is_needed)
        return 0;
    if (h->record_count == 0 && h->magic >= BATCH_MAGIC_CURRENT)
        return copy_whole(batch, out, outcome);
    outcome->is_kept = outcome->is_made = true;
    return write_empty(h, c, out);
}

int cleaner_filter_batch(struct cleaner_filter *f, const struct batch_header *header,
                         struct bytes batch, const struct cleaner_batch *known, struct buf *out,
                         struct cleaner_outcome *outcome)
{
    struct batch_header clean = without_foreign_bits(header), *h = &clean;
    struct batch_iter it;
    struct choice c = {.first_offset = -1};
    *outcome = (struct cleaner_outcome){0};
    if (batch_last_offset(h) < h->base_offset)
        return ERR_CORRUPT;
    // What the map does not speak of is left as it is, but for what was aborted.
    bool is_beyond = h->base_offset >= f->map_end && !known->is_aborted && h->magic >= BATCH_MAGIC_CURRENT;
    if (is_beyond || known->is_undecided)
        return copy_whole(batch, out, outcome);
    if (h->record_count == 0)
        return keep_empty(h, &c, known, batch, out, outcome);
    bool all_go = known->is_aborted || (batch_is_control(h) && known->is_marker_done &&
                                        has_passed_horizon(f, h));
    int err = batch_iter_init(&it, batch, &f->scratch);
    if (err == 0)
        err = choose(f, h, it, all_go, &c);
    if (err < 0)
        return err;
    outcome->records_read = c.read;
    outcome->records_kept = c.kept;
    if (c.kept == 0)
        return keep_empty(h, &c, known, batch, out, outcome);
    bool new_horizon = !batch_has_delete_horizon(h) &&
                       (c.has_tombstones || (batch_is_control(h) && known->is_marker_done));
    if (c.kept == c.read && !new_horizon)
        return copy_whole(batch, out, outcome);
    outcome->is_kept = outcome->is_made = true;
    return write_kept(f, h, it, &c, new_horizon, out);
}

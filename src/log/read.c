// SPDX-License-Identifier: Apache-2.0
//
// Finding ranges to send, records by time, and aborted transactions.
#include "base/err.h"
#include "log/internal.h"
#include "log/txn_range.h"

// What one batch may decompress to when a record is looked for in it.
enum { DECOMPRESSED_MAX = 1 << 28 };

void log_slice_release(struct log_slice *slice)
{
    file_ref_put(slice->ref);
    *slice = (struct log_slice){0};
}

// ---- Ranges ----

struct cursor {
    int index; // of the segment
    struct segment *segment;
    int64_t position;
    struct batch_header header; // of the batch there
};

// As segment_find(), going on behind what cannot be read.
static int find_around_damage(struct log *log, struct segment *s, int64_t offset, int64_t *position,
                              struct batch_header *h)
{
    int found = segment_find(&log->env, s, offset, position, h);
    while (found == ERR_CORRUPT || found == ERR_TRUNCATED) {
        int64_t bad = *position;
        if (log->env.no_wait)
            return ERR_AGAIN; // finding out may take long
        int err = log__note_unreadable(log, s, bad, offset);
        if (err != ERR_CORRUPT)
            return err;
        const struct log_damage *d = log__damage_in(log, s, bad, bad + 1);
        if (d == NULL || offset < d->end_offset)
            return ERR_CORRUPT;
        uint8_t window[BATCH_SCAN_WINDOW];
        struct batch_scan scan;
        batch_scan_init(&scan, s->files->log->file, d->end, s->size, window, sizeof window);
        while ((found = batch_scan_next(&scan, h, position)) == 1 && batch_last_offset(h) < offset)
            ;
        if (found < 0)
            *position = scan.position;
        if (found < 0 && *position <= bad)
            return ERR_CORRUPT;
    }
    return found;
}

// Whether the batch that was found stands where `offset` should: offsets are missing only below the
// log's first one, and where a compaction may have taken them. Between two segments, too.
static int judge_gap(struct log *log, const struct cursor *c, int64_t offset)
{
    if (c->header.base_offset <= offset || log->config.cleanup_compact || log->compacted ||
        c->header.base_offset <= log->start_offset)
        return 1;
    if (log->env.no_wait)
        return ERR_AGAIN;
    struct log_damage d = {.base_offset = c->segment->base_offset, .position = c->position,
                           .end = c->position, .offset = offset,
                           .end_offset = c->header.base_offset};
    // A batch whose own offset is wrong most likely does not end where the next one begins.
    uint8_t window[BATCH_HEADER_SIZE];
    struct batch_scan scan;
    struct batch_header next;
    int64_t at, follows = log__segment_end(log, c->index);
    int64_t end = c->position + (int64_t)batch_size(&c->header);
    batch_scan_init(&scan, c->segment->files->log->file, end, c->segment->size, window, sizeof window);
    if (batch_scan_next(&scan, &next, &at) == 1)
        follows = next.base_offset;
    if (batch_last_offset(&c->header) < follows)
        return log__add_damage(log, &d, "a batch that was there is missing");
    d.end = end;
    d.end_offset = follows;
    return log__add_damage(log, &d, "the offset of a batch is wrong");
}

// The first batch that reaches `offset`: 1, 0 if there is none, or an error.
static int seek(struct log *log, int64_t offset, struct cursor *c)
{
    for (c->index = log__segment_at(log, offset); c->index < log->segment_count; c->index++) {
        c->segment = log->segments[c->index];
        int found = find_around_damage(log, c->segment, offset, &c->position, &c->header);
        if (found < 0)
            return found;
        if (found == 1)
            return judge_gap(log, c, offset);
    }
    return 0;
}

// Where in the segment of `c` the range must end at the latest.
static int find_end(struct log *log, const struct cursor *c, int64_t upper_bound_offset,
                    int64_t *position)
{
    *position = c->segment->size;
    if (upper_bound_offset >= log__segment_end(log, c->index))
        return 0;
    struct batch_header h;
    int64_t at;
    int found = segment_find(&log->env, c->segment, upper_bound_offset, &at, &h);
    if (found == 1)
        *position = at;
    if (found == ERR_CORRUPT || found == ERR_TRUNCATED) {
        *position = c->position + (int64_t)batch_size(&c->header); // damage lies between
        found = 0;
    }
    return found < 0 ? found : 0;
}

static int cut_range(struct log *log, const struct cursor *c, int64_t end, size_t max_bytes,
                     bool min_one_batch, struct log_slice *out)
{
    size_t first = batch_size(&c->header);
    out->offset_limit = batch_last_offset(&c->header) + 1;
    out->size = first;
    if (first > max_bytes) {
        out->size = min_one_batch ? first : 0;
        return 0;
    }
    int64_t cut = c->position, limit = out->offset_limit;
    int err = segment_find_cut(&log->env, c->segment, c->position, c->position + (int64_t)max_bytes,
                               &cut, &limit);
    if (err == 0 && cut - c->position > (int64_t)first && cut < end) {
        out->size = (size_t)(cut - c->position);
        out->offset_limit = limit;
    }
    return err;
}

// Ends the range before bytes that are known to be bad.
static int stop_at_damage(struct log *log, const struct segment *s, struct log_slice *slice)
{
    int64_t end = slice->position + (int64_t)slice->size;
    const struct log_damage *d = log__damage_in(log, s, slice->position, end);
    if (d == NULL)
        return 0;
    if (d->position <= slice->position && d->end > d->position)
        return ERR_CORRUPT;
    if (d->position > slice->position) {
        slice->size = (size_t)(d->position - slice->position);
        slice->offset_limit = d->offset;
    }
    return 0;
}

static int read_range(struct log *log, int64_t offset, size_t max_bytes, bool min_one_batch,
                      int64_t upper_bound_offset, struct log_slice *out)
{
    struct cursor c;
    int64_t end;
    int found = seek(log, offset, &c);
    if (found != 1 || c.header.base_offset >= upper_bound_offset)
        return found < 0 ? found : 0;
    int err = find_end(log, &c, upper_bound_offset, &end);
    if (err < 0)
        return err;
    struct log_slice slice = {.position = c.position};
    if (end - c.position <= (int64_t)max_bytes && end > c.position) {
        int64_t segment_end = log__segment_end(log, c.index);
        slice.size = (size_t)(end - c.position);
        slice.offset_limit = upper_bound_offset < segment_end ? upper_bound_offset : segment_end;
    } else {
        err = cut_range(log, &c, end, max_bytes, min_one_batch, &slice);
    }
    if (err < 0 || slice.size == 0)
        return err;
    err = stop_at_damage(log, c.segment, &slice);
    if (err < 0)
        return err;
    const struct segment *s = c.segment;
    slice.base_offset = s->base_offset;
    slice.segment_size = s->size;
    slice.segment_end = log__segment_end(log, c.index);
    slice.cuts = s->cuts;
    slice.may_have_gaps = log->config.cleanup_compact || log->compacted;
    slice.unchecked = slice.position < s->checked_from ||
                      slice.position + (int64_t)slice.size > s->checked_to;
    slice.ref = file_ref_get(s->files->log);
    segment_note_read(c.segment, slice.offset_limit, slice.position + (int64_t)slice.size);
    *out = slice;
    return 0;
}

int log_read(struct log *log, int64_t offset, size_t max_bytes, bool min_one_batch,
             int64_t upper_bound_offset, struct log_slice *out)
{
    int err = log_load(log);
    if (err < 0)
        return err;
    if (offset < log->start_offset || offset > log->end_offset)
        return ERR_LIMIT;
    if (upper_bound_offset > log->end_offset)
        upper_bound_offset = log->end_offset;
    if (max_bytes > INT32_MAX)
        max_bytes = INT32_MAX;
    struct log_slice slice = {.offset_limit = offset};
    if (offset < upper_bound_offset)
        err = read_range(log, offset, max_bytes, min_one_batch, upper_bound_offset, &slice);
    if (err == ERR_AGAIN)
        return err;
    if (err < 0)
        return log__read_failed(log, err, "reading");
    *out = slice;
    return 0;
}

int log_read_cached(struct log *log, int64_t offset, size_t max_bytes, bool min_one_batch,
                    int64_t upper_bound_offset, struct log_slice *out)
{
    log->env.no_wait = true;
    int err = log_read(log, offset, max_bytes, min_one_batch, upper_bound_offset, out);
    log->env.no_wait = false;
    return err;
}

int log_read_bytes(struct log *log, int64_t offset, size_t max_bytes, bool min_one_batch,
                   int64_t upper_bound_offset, struct buf *out)
{
    struct log_slice slice;
    int err = log_read(log, offset, max_bytes, min_one_batch, upper_bound_offset, &slice);
    if (err < 0 || slice.size == 0)
        return err;
    uint8_t *at = buf_extend(out, slice.size);
    int64_t got = at == NULL ? ERR_LIMIT
                             : fs_file_read(slice.ref->file, at, slice.size, slice.position);
    if (at != NULL && got != (int64_t)slice.size)
        out->size -= slice.size;
    if (got >= 0 && got != (int64_t)slice.size)
        got = ERR_TRUNCATED;
    log_slice_release(&slice);
    if (got == ERR_LIMIT)
        return ERR_LIMIT;
    return got < 0 ? log__read_failed(log, (int)got, "reading") : 0;
}

// ---- By time ----

// The first record of a batch, at or above `start`, with timestamp >= target: 1 or 0. Records that
// cannot be read are the reader's trouble: the batch stands for them.
static int find_in_batch(struct bytes batch, int64_t target, int64_t start, struct log_position *out)
{
    struct buf scratch;
    struct batch_iter it;
    struct record record;
    buf_init(&scratch, DECOMPRESSED_MAX);
    int got = batch_iter_init(&it, batch, &scratch);
    if (got == 0)
        while ((got = batch_iter_next(&it, &record)) == 1)
            if (record.offset >= start && record.timestamp >= target)
                break;
    buf_release(&scratch);
    if (got == 0)
        return 0;
    struct batch_header h;
    if (batch_header_parse(batch, &h) < 0)
        return 0;
    out->offset = got == 1 ? record.offset : h.base_offset < start ? start : h.base_offset;
    out->timestamp = got == 1 ? record.timestamp : h.max_timestamp;
    out->leader_epoch = h.partition_leader_epoch;
    return 1;
}

// Goes through a segment from `position` on.
static int find_time_from(struct log *log, struct segment *s, int64_t position, int64_t target,
                          int64_t start, struct log_position *out)
{
    uint8_t window[BATCH_SCAN_WINDOW];
    struct batch_scan scan;
    struct batch_header h;
    struct buf spare;
    int got;
    buf_init(&spare, BATCH_SIZE_MAX);
    batch_scan_init(&scan, s->files->log->file, position, s->size, window, sizeof window);
    while ((got = batch_scan_next(&scan, &h, &position)) == 1) {
        if (h.max_timestamp < target || batch_last_offset(&h) < start)
            continue;
        struct bytes batch;
        got = batch_scan_bytes(&scan, &h, position, &spare, &batch);
        if (got == 0)
            got = find_in_batch(batch, target, start, out);
        if (got != 0)
            break;
    }
    buf_release(&spare);
    return got == ERR_CORRUPT || got == ERR_TRUNCATED
               ? log__note_unreadable(log, s, scan.position, s->base_offset)
               : got;
}

static int find_time_in_segment(struct log *log, struct segment *s, int64_t target,
                                struct log_position *out)
{
    int err = segment_load_times(&log->env, s);
    if (err < 0 || s->max_timestamp < target)
        return err;
    err = segment_open(&log->env, s);
    if (err < 0)
        return err;
    // No record up to a time entry's offset is later than its timestamp, which is not above the
    // target; so the search starts at the batch that holds it.
    int64_t position;
    err = segment_lookup_time(&log->env, s, target, &position);
    return err < 0 ? err : find_time_from(log, s, position, target, log->start_offset, out);
}

static int find_timestamp(struct log *log, int64_t target, struct log_position *out)
{
    for (int i = log__segment_at(log, log->start_offset); i < log->segment_count; i++) {
        int got = find_time_in_segment(log, log->segments[i], target, out);
        if (got != 0)
            return got < 0 ? got : 0;
    }
    return 0;
}

int log_find_timestamp(struct log *log, int64_t target, struct log_position *out)
{
    int err = log_load(log);
    if (err < 0)
        return err;
    struct log_position found = {.offset = -1, .timestamp = -1, .leader_epoch = -1};
    err = find_timestamp(log, target, &found);
    if (err < 0)
        return log__read_failed(log, err, "looking for a timestamp");
    *out = found;
    return 0;
}

// The largest timestamp at or above the log start. In the first segment headers are read, since its
// figure covers what was deleted.
static int largest_timestamp(struct log *log, int64_t *largest)
{
    *largest = -1;
    int first = log__segment_at(log, log->start_offset);
    for (int i = first; i < log->segment_count; i++) {
        struct segment *s = log->segments[i];
        int64_t position;
        struct batch_header h;
        if (i > first || s->base_offset >= log->start_offset) {
            int err = segment_load_times(&log->env, s);
            if (err < 0)
                return err;
            if (s->max_timestamp > *largest)
                *largest = s->max_timestamp;
            continue;
        }
        int got = segment_find(&log->env, s, log->start_offset, &position, &h);
        if (got <= 0)
            return got;
        uint8_t window[BATCH_SCAN_WINDOW];
        struct batch_scan scan;
        batch_scan_init(&scan, s->files->log->file, position, s->size, window, sizeof window);
        while ((got = batch_scan_next(&scan, &h, &position)) == 1)
            if (h.max_timestamp > *largest)
                *largest = h.max_timestamp;
        if (got < 0)
            return got;
    }
    return 0;
}

int log_find_max_timestamp(struct log *log, struct log_position *out)
{
    int64_t largest;
    int err = log_load(log);
    if (err < 0)
        return err;
    struct log_position found = {.offset = -1, .timestamp = -1, .leader_epoch = -1};
    err = largest_timestamp(log, &largest);
    if (err == 0 && largest >= 0)
        err = find_timestamp(log, largest, &found);
    if (err < 0)
        return log__read_failed(log, err, "looking for the largest timestamp");
    *out = found;
    return 0;
}

// ---- Aborted transactions ----

// Goes through one segment's index: 1 when no later entry can matter.
static int each_entry_in(struct log *log, struct segment *s, int64_t offset, int64_t upper_bound_offset,
                         int (*each)(void *context, const struct txn_entry *entry), void *context,
                         int *result)
{
    int err = segment_open(&log->env, s);
    if (err < 0)
        return err;
    struct entry_file *index = &s->files->txn_index;
    int64_t count = index->ref != NULL ? index->count : 0;
    if (s->txn_problem != NULL || (index->ref != NULL && !s->txn_checked))
        return ERR_AGAIN;
    for (int64_t i = 0; i < count; i++) {
        uint8_t bytes[TXN_ENTRY_SIZE];
        struct txn_entry e;
        err = entry_file_get(index, i, bytes);
        if (err < 0)
            return err;
        txn_entry_decode(bytes, &e);
        if (e.last_offset >= offset && e.first_offset < upper_bound_offset) {
            *result = each(context, &e);
            if (*result != 0)
                return 1;
        }
        if (e.last_stable_offset >= upper_bound_offset)
            return 1;
    }
    return 0;
}

int log__each_txn_entry(struct log *log, int64_t offset, int64_t upper_bound_offset,
                        int (*each)(void *context, const struct txn_entry *entry), void *context,
                        int *unchecked)
{
    int result = 0, err = 0, i;
    *unchecked = -1;
    for (i = log__segment_at(log, offset); i < log->segment_count && err == 0; i++)
        if (log->segments[i]->has_txn_index || log->segments[i]->txn_problem != NULL)
            err = each_entry_in(log, log->segments[i], offset, upper_bound_offset, each, context, &result);
    if (err == ERR_AGAIN)
        *unchecked = i - 1;
    return err < 0 ? err : result;
}

struct each_aborted {
    int (*each)(void *context, const struct log_aborted *txn);
    void *context;
};

static int give_aborted(void *context, const struct txn_entry *e)
{
    const struct each_aborted *a = context;
    struct log_aborted txn = {.producer_id = e->producer_id, .first_offset = e->first_offset};
    return a->each(a->context, &txn);
}

int log_each_aborted(struct log *log, int64_t offset, int64_t upper_bound_offset,
                     int (*each)(void *context, const struct log_aborted *txn), void *context)
{
    struct each_aborted a = {each, context};
    int unchecked, err = log_load(log);
    if (err < 0)
        return err;
    int result = log__each_txn_entry(log, offset, upper_bound_offset, give_aborted, &a, &unchecked);
    if (unchecked >= 0)
        return ERR_AGAIN;
    if (result < 0)
        return log__read_failed(log, result, "reading aborted transactions");
    return txn_range_is_known(log, offset, upper_bound_offset) ? result : ERR_AGAIN;
}

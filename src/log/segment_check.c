// SPDX-License-Identifier: Apache-2.0
#include "log/segment_check.h"

#include <string.h>

#include "base/be.h"
#include "base/err.h"
#include "base/mem.h"
#include "log/index.h"
#include "log/names.h"
#include "log/small_file.h"

static void report(struct segment_check *c, enum segment_part part, int64_t position, const char *what)
{
    struct segment_finding f = {.part = part, .what = what, .position = position, .end = position,
                                .offset = -1, .end_offset = -1};
    c->found(c->context, &f);
}

static void report_batch(struct segment_check *c, int64_t position, int64_t end, int64_t offset,
                         int64_t end_offset, const char *what)
{
    struct segment_finding f = {.part = SEGMENT_PART_LOG, .what = what, .position = position,
                                .end = end, .offset = offset, .end_offset = end_offset};
    c->found(c->context, &f);
}

// ---- Entries of an index ----

static int reader_open(struct entry_reader *r, struct segment_check *c, enum log_file_kind kind,
                       int32_t entry_size, enum segment_part part)
{
    char path[FS_PATH_MAX];
    *r = (struct entry_reader){.entry_size = entry_size, .last_offset = -1, .last_value = -1};
    if (!log_file_path(path, c->dir, c->base_offset, kind))
        return ERR_LIMIT;
    int err = fs_open(c->fs, path, FS_READ, &r->file);
    if (err == ERR_NOT_FOUND) {
        report(c, part, -1, "the file is missing");
        return 0;
    }
    if (err < 0)
        return err;
    r->size = fs_file_size(r->file);
    if (r->size < 0)
        return (int)r->size;
    if (r->size % entry_size != 0)
        report(c, part, r->size - r->size % entry_size, "its size is not that of whole entries");
    r->size -= r->size % entry_size;
    return 0;
}

static bool is_zero(const uint8_t *p, int32_t size)
{
    for (int32_t i = 0; i < size; i++)
        if (p[i] != 0)
            return false;
    return true;
}

// The next entry that is not zero: Apache Kafka preallocates. 1, 0 at the end, or an error.
static int reader_next(struct entry_reader *r)
{
    r->has_entry = false;
    while (r->file != NULL && !r->broken && r->at < r->size) {
        if (r->block_at + (size_t)r->entry_size > r->block_size) {
            size_t whole = sizeof r->block / (size_t)r->entry_size * (size_t)r->entry_size;
            size_t want = r->size - r->at < (int64_t)whole ? (size_t)(r->size - r->at) : whole;
            int64_t got = fs_file_read(r->file, r->block, want, r->at);
            if (got < r->entry_size)
                return got < 0 ? (int)got : 0;
            r->block_size = (size_t)got;
            r->block_at = 0;
        }
        memcpy(r->entry, r->block + r->block_at, (size_t)r->entry_size);
        r->current = r->at;
        r->block_at += (size_t)r->entry_size;
        r->at += r->entry_size;
        if (!is_zero(r->entry, r->entry_size)) {
            r->has_entry = true;
            r->count++;
            return 1;
        }
    }
    return 0;
}

static void reader_close(struct entry_reader *r)
{
    if (r->file != NULL)
        fs_file_close(r->file);
    r->file = NULL;
}

// One finding says enough of an index, which is made again as a whole.
static void reader_fail(struct segment_check *c, struct entry_reader *r, enum segment_part part,
                        const char *what)
{
    report(c, part, r->current, what);
    r->broken = true;
    r->has_entry = false;
}

// ---- Comparing with a batch ----

static int compare_index(struct segment_check *c, const struct batch_header *h, int64_t position)
{
    struct entry_reader *r = &c->index;
    while (r->has_entry) {
        struct offset_entry e;
        offset_entry_decode(r->entry, c->base_offset, &e);
        if (e.position > position)
            return 0;
        if (e.position < position)
            reader_fail(c, r, SEGMENT_PART_INDEX, "an entry names a position where no batch begins");
        else if (e.offset < h->base_offset || (c->end_offset >= 0 && e.offset >= c->end_offset))
            reader_fail(c, r, SEGMENT_PART_INDEX, "an entry names a batch by a wrong offset");
        else if (e.offset <= r->last_offset)
            reader_fail(c, r, SEGMENT_PART_INDEX, "entries are out of order");
        r->last_offset = e.offset;
        int err = reader_next(r);
        if (err < 0)
            return err;
    }
    return 0;
}

static int compare_times(struct segment_check *c, const struct batch_header *h)
{
    struct entry_reader *r = &c->time_index;
    while (r->has_entry) {
        struct time_entry e;
        time_entry_decode(r->entry, c->base_offset, &e);
        if (e.offset > batch_last_offset(h))
            return 0;
        if (e.timestamp < c->max_timestamp)
            reader_fail(c, r, SEGMENT_PART_TIME_INDEX, "an earlier record is later than an entry says");
        else if (e.timestamp > c->max_timestamp)
            reader_fail(c, r, SEGMENT_PART_TIME_INDEX, "an entry names a time that no record has");
        else if (e.offset < c->base_offset || e.offset <= r->last_offset ||
                 e.timestamp <= r->last_value)
            reader_fail(c, r, SEGMENT_PART_TIME_INDEX, "entries are out of order");
        r->last_offset = e.offset;
        r->last_value = e.timestamp;
        int err = reader_next(r);
        if (err < 0)
            return err;
    }
    return 0;
}

static void note_aborted(struct segment_check *c, const struct producer_stage *stage)
{
    for (int i = 0; i < stage->completed_count; i++) {
        const struct completed_txn *txn = &stage->completed[i];
        if (!txn->aborted)
            continue;
        uint8_t bytes[TXN_ENTRY_SIZE];
        be16_store(bytes, 0);
        be64_store(bytes + 2, (uint64_t)txn->producer_id);
        be64_store(bytes + 10, (uint64_t)txn->first_offset);
        be64_store(bytes + 18, (uint64_t)txn->last_offset);
        be64_store(bytes + 26, (uint64_t)producer_stage_stable_offset(stage, txn));
        buf_append(&c->txn_entries, bytes, sizeof bytes);
    }
}

// What an index may say where it cannot be known what it says.
static void audit(struct segment_check *c, const struct batch_header *h, struct bytes batch,
                  const struct producer_stage *stage)
{
    const struct producer *p = producer_find(c->producers, h->producer_id);
    int64_t open_offset = p != NULL ? p->txn_first_offset : -1;
    struct completed_txn ended = {.producer_id = h->producer_id, .last_offset = batch_last_offset(h)};
    enum control_type type;
    if (!c->may_have_gaps || h->producer_id < 0)
        return;
    if (!batch_is_control(h))
        txn_audit_data(&c->txns, h, open_offset);
    else if (batch_is_end_txn_marker(batch, &type))
        txn_audit_marker(&c->txns, h, type, open_offset, producer_stage_stable_offset(stage, &ended));
}

// Applies a batch to the producers, and notes the transactions that it aborts.
static int follow_producers(struct segment_check *c, const struct batch_header *h, int64_t position)
{
    if (c->producers == NULL || (h->producer_id < 0 && !batch_is_control(h)))
        return 0;
    struct producer_stage stage;
    struct log_append_info info;
    struct bytes bytes = {0};
    int err = 0;
    if (batch_is_control(h))
        err = batch_scan_bytes(&c->scan, h, position, &c->spare, &bytes);
    producer_stage_init(&stage, c->producers);
    if (err >= 0)
        err = producer_stage_batch(&stage, h, bytes, false, &info);
    if (err == 0) {
        note_aborted(c, &stage);
        audit(c, h, bytes, &stage);
        producer_stage_commit(&stage);
    }
    producer_stage_release(&stage);
    if (err == ERR_CORRUPT || err == ERR_TRUNCATED || err == ERR_LIMIT) {
        report_batch(c, position, position + (int64_t)batch_size(h), h->base_offset,
                     batch_last_offset(h) + 1, "a control batch cannot be read");
        err = 0;
    }
    return err;
}

// ---- Batches ----

static int64_t expected_offset(const struct segment_check *c)
{
    return c->has_before ? batch_last_offset(&c->before) + 1 : c->base_offset;
}

// Whether the batch stands where it should, and says so if not.
static bool judge_order(struct segment_check *c, const struct batch_header *h, int64_t position)
{
    int64_t expected = expected_offset(c), end = position + (int64_t)batch_size(h);
    if (h->base_offset < expected) {
        if (c->has_before) // offsets are not part of the CRC: either may be wrong
            report_batch(c, c->before_at, end, c->before.base_offset, expected,
                         "the offsets of two batches overlap");
        else
            report_batch(c, position, end, h->base_offset, batch_last_offset(h) + 1,
                         "the offset of a batch lies below its segment");
        return false;
    }
    if ((c->end_offset >= 0 && batch_last_offset(h) >= c->end_offset) ||
        batch_last_offset(h) - c->base_offset > INT32_MAX) {
        report_batch(c, position, end, expected, c->end_offset, "the offset of a batch is wrong");
        return false;
    }
    if (h->base_offset > expected && !c->may_have_gaps)
        report_batch(c, position, position, expected, h->base_offset,
                     "a batch that was there is missing");
    return true;
}

static int check_batch(struct segment_check *c, const struct batch_header *h, int64_t position)
{
    int64_t end = position + (int64_t)batch_size(h);
    int good = batch_scan_check_crc(&c->scan, h, position);
    if (good < 0 && good != ERR_TRUNCATED)
        return good;
    if (good != 1 && c->active && end == c->size) {
        c->torn_at = position;
        c->unreadable = true;
        return 0;
    }
    if (good != 1)
        report_batch(c, position, end, h->base_offset, batch_last_offset(h) + 1,
                     "the CRC of a batch is wrong");
    c->batches++;
    c->needs_entry |= position > c->index_interval_bytes;
    bool in_order = judge_order(c, h, position);
    if (good != 1 || !in_order) {
        // Offsets go on behind it as far as it can be believed.
        if (in_order) {
            c->before = *h;
            c->before_at = position;
            c->has_before = true;
        }
        return 0;
    }
    if (h->max_timestamp > c->max_timestamp)
        c->max_timestamp = h->max_timestamp;
    if (c->epochs != NULL)
        epoch_cache_assign(c->epochs, h->partition_leader_epoch, h->base_offset);
    int err = compare_index(c, h, position);
    if (err == 0)
        err = compare_times(c, h);
    if (err == 0)
        err = follow_producers(c, h, position);
    c->before = *h;
    c->before_at = position;
    c->has_before = true;
    return err;
}

// Where batches go on behind `position`, as the index says: moves the scan there; false if nobody knows.
static bool resume(struct segment_check *c, int64_t position, struct batch_header *h)
{
    struct entry_reader *r = &c->index;
    while (r->has_entry) {
        struct offset_entry e;
        int64_t at;
        offset_entry_decode(r->entry, c->base_offset, &e);
        if (e.position > position && e.position < c->size) {
            struct batch_scan probe = c->scan;
            probe.position = e.position;
            probe.window_size = 0;
            int got = batch_scan_next(&probe, h, &at);
            c->scan.window_size = 0;
            if (got == 1 && h->base_offset >= expected_offset(c) && h->base_offset <= e.offset) {
                c->scan.position = e.position;
                return true;
            }
        }
        if (reader_next(r) < 0)
            return false;
    }
    return false;
}

static void unreadable(struct segment_check *c)
{
    struct batch_header h;
    int64_t position = c->scan.position, expected = expected_offset(c);
    if (c->active) {
        c->torn_at = position;
        c->unreadable = true;
        return;
    }
    if (resume(c, position, &h)) {
        report_batch(c, position, c->scan.position, expected, h.base_offset, "no batch can be read here");
        c->before = h;
        c->has_before = false; // the next one is checked without its neighbour
        return;
    }
    report_batch(c, position, c->size, expected, c->end_offset, "no batch can be read here");
    c->unreadable = true;
}

// ---- The whole ----

int segment_check_begin(struct segment_check *c)
{
    char path[FS_PATH_MAX];
    c->window = mem_alloc(BATCH_SCAN_WINDOW_LARGE);
    c->file = NULL;
    c->index = c->time_index = (struct entry_reader){0};
    c->batches = 0;
    c->next_offset = c->base_offset;
    c->max_timestamp = c->torn_at = -1;
    c->has_before = c->unreadable = c->needs_entry = false;
    buf_init(&c->spare, BATCH_SIZE_MAX);
    buf_init(&c->txn_entries, TXN_INDEX_MAX);
    txn_audit_init(&c->txns, c->base_offset);
    if (!log_file_path(path, c->dir, c->base_offset, LOG_FILE_LOG))
        return ERR_LIMIT;
    int err = fs_open(c->fs, path, FS_READ, &c->file);
    if (err < 0)
        return err;
    int64_t size = fs_file_size(c->file);
    if (size < 0)
        return (int)size;
    if (c->size < 0 || c->size > size)
        c->size = size;
    batch_scan_init(&c->scan, c->file, 0, c->size, c->window, BATCH_SCAN_WINDOW_LARGE);
    err = reader_open(&c->index, c, LOG_FILE_INDEX, OFFSET_ENTRY_SIZE, SEGMENT_PART_INDEX);
    if (err == 0)
        err = reader_open(&c->time_index, c, LOG_FILE_TIME_INDEX, TIME_ENTRY_SIZE,
                          SEGMENT_PART_TIME_INDEX);
    if (err == 0)
        err = reader_next(&c->index);
    if (err >= 0)
        err = reader_next(&c->time_index);
    return err < 0 ? err : 0;
}

static void check_ends(struct segment_check *c)
{
    if (c->index.has_entry)
        reader_fail(c, &c->index, SEGMENT_PART_INDEX, "an entry names a position behind the log");
    if (c->time_index.has_entry)
        reader_fail(c, &c->time_index, SEGMENT_PART_TIME_INDEX, "an entry names an offset behind the log");
    if (!c->active && c->index.file != NULL && c->index.count == 0 && c->needs_entry)
        report(c, SEGMENT_PART_INDEX, -1, "it is empty");
    if (!c->active && !c->times_open && c->time_index.file != NULL && !c->time_index.broken &&
        c->time_index.last_value < c->max_timestamp)
        report(c, SEGMENT_PART_TIME_INDEX, c->time_index.size, "it ends before the latest record");
}

// What is wrong with the bytes of a transaction index, and where; or NULL.
static const char *judge_txn_index(const struct segment_check *c, struct bytes found, size_t *position)
{
    struct bytes wanted = buf_bytes(&c->txn_entries);
    size_t at = 0;
    if (c->may_have_gaps && found.size % TXN_ENTRY_SIZE == 0)
        return txn_audit_judge(&c->txns, found, position);
    while (at < wanted.size && at < found.size && wanted.data[at] == found.data[at])
        at++;
    *position = at - at % TXN_ENTRY_SIZE;
    if (at == wanted.size && at == found.size)
        return NULL;
    return at < found.size && at < wanted.size ? "an entry differs from the log's markers"
           : found.size < wanted.size          ? "entries are missing that the log has markers of"
                                               : "there are entries that the log has no markers of";
}

static int check_txn_index(struct segment_check *c)
{
    char path[FS_PATH_MAX];
    struct buf bytes;
    size_t position;
    if (c->producers == NULL)
        return 0;
    if (!log_file_path(path, c->dir, c->base_offset, LOG_FILE_TXN_INDEX))
        return ERR_LIMIT;
    buf_init(&bytes, TXN_INDEX_MAX);
    int err = small_file_read(c->fs, path, &bytes);
    bool is_missing = err == ERR_NOT_FOUND;
    bool is_judged = is_missing || (err == 0 && !c->active);
    const char *what = is_judged ? judge_txn_index(c, buf_bytes(&bytes), &position) : NULL;
    buf_release(&bytes);
    if (what != NULL)
        report(c, SEGMENT_PART_TXN_INDEX, is_missing ? -1 : (int64_t)position,
               is_missing ? "the file is missing" : what);
    return is_missing || err == ERR_LIMIT ? 0 : err;
}

int segment_check_step(struct segment_check *c, int64_t bytes_max)
{
    struct batch_header h;
    int64_t position, from = c->scan.position;
    int got = 1, err = 0;
    while (err == 0 && !c->unreadable && c->scan.position - from < bytes_max) {
        got = batch_scan_next(&c->scan, &h, &position);
        if (got == 0)
            break;
        if (got == 1)
            err = check_batch(c, &h, position);
        else if (got == ERR_CORRUPT || got == ERR_TRUNCATED || got == ERR_UNSUPPORTED)
            unreadable(c);
        else
            err = got;
    }
    c->next_offset = expected_offset(c);
    if (err < 0)
        return err;
    if (got != 0 && !c->unreadable)
        return 1;
    if (c->unreadable || c->live)
        return 0;
    check_ends(c);
    return c->unreadable ? 0 : check_txn_index(c);
}

void segment_check_release(struct segment_check *c)
{
    if (c->file != NULL)
        fs_file_close(c->file);
    c->file = NULL;
    reader_close(&c->index);
    reader_close(&c->time_index);
    buf_release(&c->spare);
    buf_release(&c->txn_entries);
    txn_audit_release(&c->txns);
    mem_free(c->window);
    c->window = NULL;
}

bool segment_check_load_producers(struct env_fs *fs, const char *dir, int64_t base_offset,
                                  struct producer_state *producers, bool *bad_snapshot)
{
    char path[FS_PATH_MAX];
    struct buf bytes;
    bool known = base_offset == 0;
    *bad_snapshot = false;
    if (!log_file_path(path, dir, base_offset, LOG_FILE_SNAPSHOT))
        return false;
    buf_init(&bytes, SNAPSHOT_SIZE_MAX);
    if (small_file_read(fs, path, &bytes) == 0) {
        known = producer_state_load(producers, buf_bytes(&bytes), 0, INT64_MAX) == 0;
        *bad_snapshot = !known;
    }
    buf_release(&bytes);
    return known;
}

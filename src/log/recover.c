// SPDX-License-Identifier: Apache-2.0
//
// What happens to a partition after an unclean stop. Everything below the recovery point was synced,
// with its indexes, epochs and a producer snapshot, and is not read. From there on every batch is
// checked and entered again. The first bytes that are no batch are one of three things:
//
// - the torn end of the log: nothing valid follows. It was never acknowledged, and is cut.
// - a lost write: valid batches follow, but where the bad one stands a block reads as zeros, as a file
//   system shows what it had promised but not written. A sync would have written it, so neither it nor
//   what follows was acknowledged: cut.
// - damage: valid batches follow and nothing explains the hole, or the end lies below the recovery
//   point. Cutting would lose what was acknowledged, so the partition goes offline as it is.
#include <inttypes.h>

#include "base/err.h"
#include "base/mem.h"
#include "log/internal.h"

enum {
    BLOCK_SIZE = 512, // smallest unit that a device writes whole
    OFFSET_FIELD_SIZE = 8,
};

struct recovery {
    struct log *log;
    uint8_t *window; // BATCH_SCAN_WINDOW_LARGE
    int64_t next;    // offset expected next
    int first;       // number of the first segment that was scanned
    int gap_first;   // number of the first segment before which offsets are missing as if by compaction,
    int gap_last;    // and of the last, those between being empty,
    int64_t gap;     // from this one on; 0: there is none
    bool stopped;    // cut or damaged: later segments do not count
    bool cut;
};

static struct batch_scan scan_from(struct recovery *r, struct segment *s, int64_t position)
{
    struct batch_scan scan;
    batch_scan_init(&scan, s->files->log->file, position, s->size, r->window,
                    BATCH_SCAN_WINDOW_LARGE);
    return scan;
}

// ---- Judging what is not a batch ----

static bool is_zero(const uint8_t *p, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (p[i] != 0)
            return false;
    return true;
}

// True if [from, to) of the segment is all zeros: 1, 0, or an error.
static int range_is_zero(struct recovery *r, struct segment *s, int64_t from, int64_t to)
{
    struct batch_scan scan = scan_from(r, s, from);
    for (int64_t at = from; at < to;) {
        size_t piece = to - at < BATCH_SCAN_WINDOW_LARGE ? (size_t)(to - at) : BATCH_SCAN_WINDOW_LARGE;
        const uint8_t *bytes;
        int err = batch_scan_view(&scan, at, piece, &bytes);
        if (err < 0)
            return err;
        if (!is_zero(bytes, piece))
            return 0;
        at += (int64_t)piece;
    }
    return 1;
}

// Whether zeros in the first `size` bytes at a batch's place differ from what must stand there.
static bool zeros_contradict(int64_t offset, int64_t size)
{
    if (size > OFFSET_FIELD_SIZE + 3)
        return true; // the length is never 0
    uint8_t expected[OFFSET_FIELD_SIZE];
    be64_store(expected, (uint64_t)offset);
    return !is_zero(expected, size < OFFSET_FIELD_SIZE ? (size_t)size : OFFSET_FIELD_SIZE);
}

// True if a block between `from`, where a batch was expected, and `to`, where valid bytes go on or the
// file ends, was never written: 1, 0, or an error. Blocks are taken whole: one with other bytes than
// zeros behind `to` was written, and what stands before them with it.
static int write_was_lost(struct recovery *r, struct segment *s, int64_t from, int64_t to)
{
    for (int64_t at = from; at < to;) {
        int64_t block_end = (at / BLOCK_SIZE + 1) * BLOCK_SIZE;
        if (block_end > s->size)
            block_end = s->size;
        if (at > from || zeros_contradict(r->next, block_end - at)) {
            int zero = range_is_zero(r, s, at, block_end);
            if (zero != 0)
                return zero;
        }
        at = block_end;
    }
    return 0;
}

// True if a batch that may follow in this log stands at `position`: 1, 0, or an error.
static int is_later_batch(struct recovery *r, struct segment *s, int64_t position,
                          const uint8_t *bytes)
{
    int64_t left = s->size - position;
    int64_t offset = (int64_t)be64_load(bytes);
    if (bytes[BATCH_MAGIC_AT] != BATCH_MAGIC_CURRENT || offset < r->next ||
        offset - r->next > s->size)
        return 0;
    struct batch_header h;
    if (batch_header_parse(bytes_of(bytes, BATCH_HEADER_SIZE), &h) < 0 ||
        (int64_t)batch_size(&h) > left)
        return 0;
    uint8_t *window = mem_alloc(BATCH_SCAN_WINDOW);
    struct batch_scan scan;
    batch_scan_init(&scan, s->files->log->file, position, s->size, window, BATCH_SCAN_WINDOW);
    int valid = batch_scan_check_crc(&scan, &h, position);
    mem_free(window);
    return valid;
}

// Looks for a valid batch behind `from`: 1 with its position, 0, or an error.
static int find_later_batch(struct recovery *r, struct segment *s, int64_t from, int64_t *found)
{
    struct batch_scan scan = scan_from(r, s, from);
    for (int64_t at = from; s->size - at >= BATCH_HEADER_SIZE;) {
        int64_t left = s->size - at;
        size_t piece = left < BATCH_SCAN_WINDOW_LARGE ? (size_t)left : BATCH_SCAN_WINDOW_LARGE;
        const uint8_t *bytes;
        int err = batch_scan_view(&scan, at, piece, &bytes);
        if (err < 0)
            return err;
        size_t count = piece - BATCH_HEADER_SIZE + 1;
        for (size_t i = 0; i < count; i++) {
            if (bytes[i + BATCH_MAGIC_AT] != BATCH_MAGIC_CURRENT)
                continue;
            err = is_later_batch(r, s, at + (int64_t)i, bytes + i);
            if (err == 1)
                *found = at + (int64_t)i;
            if (err != 0)
                return err;
        }
        at += (int64_t)count;
    }
    return 0;
}

// Whether a segment starts with a valid batch: 1, 0, or an error.
static int segment_is_valid(struct recovery *r, struct segment *s)
{
    int err = segment_open_unchecked(&r->log->env, s);
    if (err < 0)
        return err;
    struct batch_scan scan = scan_from(r, s, 0);
    struct batch_header h;
    int64_t position;
    int got = batch_scan_next(&scan, &h, &position);
    if (got == 1)
        got = batch_scan_check_crc(&scan, &h, position);
    return got == 1 || got == ERR_IO ? got : 0;
}

// Whether a later segment starts with a valid batch: 1, 0, or an error.
static int later_segment_is_valid(struct recovery *r, int index)
{
    int valid = 0;
    for (int i = index + 1; i < r->log->segment_count && valid == 0; i++)
        valid = segment_is_valid(r, r->log->segments[i]);
    return valid;
}

static void damaged(struct recovery *r, const struct segment *s, int64_t position, const char *why)
{
    r->stopped = true;
    log__set_offline(r->log,
                     "%s/%020" PRId64 ".log: position %" PRId64 ": no valid batch where offset %" PRId64
                     " should be, and %s; put the file back, or cut it there to accept the loss of "
                     "acknowledged records",
                     r->log->path, s->base_offset, position, r->next, why);
}

// Cuts segment number `index` at `position` and drops what follows, newest first.
static int cut_at(struct recovery *r, int index, int64_t position)
{
    struct log *log = r->log;
    struct segment *s = log->segments[index];
    r->stopped = r->cut = true;
    // Where nothing is left behind a gap, it was none of compaction.
    bool drop = position == 0 && r->gap_last > 0 && r->gap_last == index;
    if (drop) {
        r->next = r->gap;
        index = r->gap_first - 1;
        s = log->segments[index];
    }
    while (log->segment_count > index + 1) {
        struct segment *last = log__active(log);
        trace_warn(log->trace, LOG_AREA, "%s: removing segment %" PRId64 ", which follows a lost end",
                   log->path, last->base_offset);
        int err = segment_remove_files(&log->env, last->base_offset, false);
        if (err == 0)
            err = fs_dir_sync(log->env.fs, log->path);
        if (err < 0)
            return err;
        segment_free(&log->env, last);
        log->segment_count--;
    }
    return drop ? 0 : segment_cut(&log->env, s, position, r->next);
}

// The scan of segment number `index` ended at `position`, before the file does.
static int judge_end(struct recovery *r, int index, int64_t position)
{
    struct log *log = r->log;
    struct segment *s = log->segments[index];
    if (index + 1 < log->segment_count && log->segments[index + 1]->base_offset == r->next) {
        // Nothing is missing: what stands behind the last batch (preallocated zeros, a failed append)
        // had been cut when the next segment began, and that cut was lost.
        r->cut = true;
        return segment_cut(&log->env, s, position, r->next);
    }
    if (r->next < log->recovery_point) {
        damaged(r, s, position, "everything below the recovery point was on disk");
        return 0;
    }
    int zero = range_is_zero(r, s, position, s->size);
    if (zero == 0 && log->closed) {
        damaged(r, s, position, "the log was closed cleanly, so nothing in it was torn");
        return 0;
    }
    int64_t follows = s->size;
    int later = zero != 0 ? zero : find_later_batch(r, s, position, &follows);
    bool same_file = zero == 0 && later == 1;
    if (later == 0 || zero == 1)
        later = later_segment_is_valid(r, index);
    if (zero < 0 || later < 0)
        return zero < 0 ? zero : later;
    if (later == 1 && zero == 0) {
        int lost = write_was_lost(r, s, position, follows);
        if (lost < 0)
            return lost;
        // A file that ends inside its last batch lost its growth; that explains later segments too.
        struct batch_scan scan = scan_from(r, s, position);
        struct batch_header h;
        int64_t at;
        bool short_file = !same_file && batch_scan_next(&scan, &h, &at) == ERR_TRUNCATED;
        if (lost == 0 && !short_file) {
            damaged(r, s, position, "valid batches follow");
            return 0;
        }
    }
    if (zero == 0 || later == 1)
        trace_warn(log->trace, LOG_AREA,
                   "%s/%020" PRId64 ".log: cutting %" PRId64 " bytes at position %" PRId64
                   ", offset %" PRId64 ": %s",
                   log->path, s->base_offset, s->size - position, position, r->next,
                   later == 1 ? "a write before them was lost" : "the last write was torn");
    return cut_at(r, index, position);
}

// ---- Scanning ----

// Where to start in the segment that holds the recovery point: the last batch below it that the index
// knows. What the index says from there on goes.
static int trusted_position(struct log *log, struct segment *s, int64_t *position, int64_t *offset)
{
    struct segment_files *f = s->files;
    struct offset_entry at;
    *position = 0;
    *offset = s->base_offset;
    int found = offset_index_find(&f->offset_index, s->base_offset, log->recovery_point - 1, &at);
    if (found <= 0 || at.position <= 0 || at.position >= s->size || at.offset < s->base_offset)
        return found < 0 ? found : 0;
    uint8_t window[BATCH_HEADER_SIZE];
    struct batch_scan scan;
    struct batch_header h;
    int64_t where;
    batch_scan_init(&scan, f->log->file, at.position, s->size, window, sizeof window);
    int got = batch_scan_next(&scan, &h, &where);
    if (got != 1 || h.base_offset > at.offset || h.base_offset < s->base_offset)
        return got == ERR_IO ? got : 0;
    *position = at.position;
    *offset = h.base_offset;
    return 0;
}

// Leaves the entries of markers below the recovery point, which are on disk; the others come back with
// their markers. What stands behind them may be torn, and then says anything, an offset that is too
// small as well: so an entry stays only if the log confirms it.
static int trim_txn_index(struct log *log, struct segment *s)
{
    struct entry_file *f = &s->files->txn_index;
    int64_t count = f->count;
    int confirmed = 0;
    for (; count > 0 && confirmed == 0; count -= confirmed == 0) {
        uint8_t bytes[TXN_ENTRY_SIZE];
        struct txn_entry e;
        int err = entry_file_get(f, count - 1, bytes);
        if (err < 0)
            return err;
        txn_entry_decode(bytes, &e);
        confirmed = e.last_offset < log->recovery_point ? log__has_txn_marker(&log->env, s, &e) : 0;
    }
    return confirmed < 0 ? confirmed : entry_file_truncate(f, count);
}

// Entries of what lies below the recovery point stay: they are on disk, and were they entered again,
// another crash could leave them in one index and not in the other. The time index may already lack
// some for such a reason, so it is not believed to cover all that the offset index does.
static int keep_indexes(struct log *log, struct segment *s, int64_t position)
{
    struct segment_files *f = s->files;
    int err = offset_index_truncate(&f->offset_index, s->base_offset, log->recovery_point);
    if (err == 0)
        err = time_index_truncate(&f->time_index, s->base_offset, log->recovery_point);
    if (err == 0)
        err = segment_load_times_below(&log->env, s, position);
    f->bytes_since_index = 0;
    s->index_unsynced = true;
    return err;
}

static int prepare_segment(struct recovery *r, struct segment *s, int64_t *position)
{
    struct log *log = r->log;
    int64_t offset = s->base_offset;
    *position = 0;
    int err = segment_open_unchecked(&log->env, s);
    if (err == 0 && log->recovery_point > s->base_offset)
        err = trusted_position(log, s, position, &offset);
    if (err < 0)
        return err;
    struct segment_files *f = s->files;
    if (log->recovery_point > s->base_offset && f->txn_index.ref != NULL) {
        err = trim_txn_index(log, s);
        struct entry_file kept = f->txn_index;
        if (*position == 0 && err == 0) {
            f->txn_index = (struct entry_file){0};
            err = segment_reset_indexes(s);
            f->txn_index = kept;
        }
    } else if (*position == 0) {
        err = segment_reset_indexes(s);
    }
    if (err == 0 && *position > 0)
        err = keep_indexes(log, s, *position);
    r->next = offset;
    return err < 0 ? err : 0;
}

static bool offsets_fit(const struct recovery *r, const struct segment *s,
                        const struct batch_header *h)
{
    return h->base_offset >= r->next && h->base_offset - s->base_offset <= INT32_MAX &&
           batch_last_offset(h) - s->base_offset <= INT32_MAX;
}

static void note_epoch(struct log *log, const struct batch_header *h)
{
    if (h->partition_leader_epoch >= 0)
        log->epochs_dirty |= epoch_cache_assign(&log->epochs, h->partition_leader_epoch, h->base_offset);
}

// Goes over large batches below the recovery point: they were on disk, and their headers are enough.
// (Small ones are read with their headers, and checked for once.)
static int skip_trusted(struct recovery *r, struct segment *s, int64_t *position)
{
    struct log *log = r->log;
    uint8_t window[BATCH_SCAN_WINDOW];
    struct batch_scan scan;
    struct batch_header h;
    int64_t at;
    int err;
    batch_scan_init(&scan, s->files->log->file, *position, s->size, window, sizeof window);
    while ((err = batch_scan_next(&scan, &h, &at)) == 1 && batch_last_offset(&h) < log->recovery_point &&
           batch_size(&h) > sizeof window && offsets_fit(r, s, &h)) {
        err = segment_note_batch(&log->env, s, &h, at);
        if (err < 0)
            return err;
        note_epoch(log, &h);
        r->next = batch_last_offset(&h) + 1;
        *position = scan.position;
    }
    return err == ERR_IO ? err : 0;
}

static int recover_segment(struct recovery *r, int index)
{
    struct log *log = r->log;
    struct segment *s = log->segments[index];
    int64_t position, end;
    int err = prepare_segment(r, s, &end);
    if (err == 0 && end > 0)
        err = skip_trusted(r, s, &end);
    if (err < 0)
        return err;
    int64_t start = end;
    struct batch_scan scan = scan_from(r, s, end);
    struct batch_header h;
    while ((err = batch_scan_next(&scan, &h, &position)) == 1) {
        if (!offsets_fit(r, s, &h))
            break;
        err = batch_scan_check_crc(&scan, &h, position);
        if (err != 1)
            break;
        err = segment_note_batch(&log->env, s, &h, position);
        if (err < 0)
            return err;
        note_epoch(log, &h);
        r->next = batch_last_offset(&h) + 1;
        end = scan.position;
    }
    if (err == ERR_IO)
        return err;
    segment_note_checked(s, start, end);
    return end < s->size ? judge_end(r, index, end) : 0;
}

// Removes successors of segment number `index` that start before its end and hold nothing: files of a
// roll that failed, whose removal was lost.
static int drop_stale_successors(struct recovery *r, int index)
{
    struct log *log = r->log;
    while (index + 1 < log->segment_count && log->segments[index + 1]->base_offset < r->next) {
        struct segment *stale = log->segments[index + 1];
        int valid = segment_is_valid(r, stale);
        if (valid != 0)
            return valid < 0 ? valid : 0;
        int err = segment_remove_files(&log->env, stale->base_offset, false);
        if (err < 0)
            return err;
        segment_free(&log->env, stale);
        log->segment_count--;
        memmove(log->segments + index + 1, log->segments + index + 2,
                (size_t)(log->segment_count - index - 1) * sizeof(struct segment *));
    }
    return 0;
}

// Behind segment number `index` offsets are missing.
static void note_gap(struct recovery *r, int index)
{
    bool is_empty = r->next == r->log->segments[index]->base_offset;
    bool goes_on = is_empty && r->gap_last > 0 && r->gap_last == index;
    if (!goes_on) {
        r->gap_first = index + 1;
        r->gap = r->next;
    }
    r->gap_last = index + 1;
}

// Segment number `index` is whole; its successor must go on where it ends.
static int check_successor(struct recovery *r, int index)
{
    struct log *log = r->log;
    int err = r->stopped ? 0 : drop_stale_successors(r, index);
    if (err < 0)
        return err;
    if (r->stopped || index + 1 >= log->segment_count)
        return 0;
    struct segment *s = log->segments[index], *next = log->segments[index + 1];
    if (next->base_offset == r->next)
        return 0;
    // Compaction leaves gaps, but not before a segment that holds nothing: unless that was known to be on
    // disk, what it began behind was lost.
    if (next->base_offset > r->next && (log->config.cleanup_compact || log->compacted)) {
        bool known = r->next < log->recovery_point;
        int valid = known ? 1 : later_segment_is_valid(r, index);
        if (valid == 1 && !known)
            note_gap(r, index);
        if (valid != 0)
            return valid < 0 ? valid : 0;
    }
    if (next->base_offset < r->next || r->next < log->recovery_point) {
        damaged(r, s, s->size, next->base_offset < r->next ? "the next segment starts before"
                                                           : "the next segment starts after");
        return 0;
    }
    trace_warn(log->trace, LOG_AREA,
               "%s/%020" PRId64 ".log ends at offset %" PRId64 ", the next segment starts at %" PRId64
               ": the writes between were lost",
               log->path, s->base_offset, r->next, next->base_offset);
    return cut_at(r, index, s->size);
}

// What was found above the recovery point may be in the page cache alone (after a kill -9), and so may
// the names of the files and of the directory itself, and that a truncation took something away.
static int sync_recovered(struct recovery *r)
{
    struct log *log = r->log;
    // What recovery itself did is in the directory, in a segment that it cut, and in those that it sealed.
    bool untouched = log->found_synced && !r->cut;
    // Made just now, as by log_create(): the first commit makes the names durable, with what it needs.
    if (log->segment_count == 1 && log__active(log)->size == 0 && log__dir_is_dirty(log)) {
        log->parent_dirty = true;
        return 0;
    }
    log->parent_dirty = !untouched;
    log__note_dir_change(log);
    for (int i = r->first; i < log->segment_count; i++) {
        struct segment *s = log->segments[i];
        if (untouched && i == log->segment_count - 1) {
            s->synced_size = s->size;
            return 0;
        }
        int err = segment_open_unchecked(&log->env, s);
        if (err == 0)
            err = fs_file_sync(s->files->log->file);
        if (err < 0)
            return err;
        s->synced_size = s->size;
    }
    return log__sync_names(log);
}

int log__rebuild_epochs(struct log *log)
{
    uint8_t window[BATCH_SCAN_WINDOW];
    epoch_cache_clear(&log->epochs);
    if (log->end_offset == log->segments[0]->base_offset)
        return 0; // never written: nobody led here yet
    trace_warn(log->trace, LOG_AREA, "%s/" EPOCHS_FILE " is made again from the batches", log->path);
    for (int i = 0; i < log->segment_count; i++) {
        struct segment *s = log->segments[i];
        int err = segment_open(&log->env, s);
        if (err < 0)
            return err;
        struct batch_scan scan;
        struct batch_header h;
        int64_t position;
        batch_scan_init(&scan, s->files->log->file, 0, s->size, window, sizeof window);
        while ((err = batch_scan_next(&scan, &h, &position)) == 1)
            epoch_cache_assign(&log->epochs, h.partition_leader_epoch, h.base_offset);
        if (err < 0)
            return err;
    }
    epoch_cache_truncate_start(&log->epochs, log->start_offset);
    // Compaction may have taken the first batches.
    if (log->epochs.count > 0 && log->epochs.entries[0].start_offset > log->start_offset)
        log->epochs.entries[0].start_offset = log->start_offset;
    log->epochs_dirty = true;
    return 0;
}

static int recover_state(struct log *log)
{
    int err = 0;
    if (epoch_cache_truncate_end(&log->epochs, log->end_offset))
        log->epochs_dirty = true;
    for (int i = 0; i < log->segment_count && err == 0; i++)
        err = segment_load_size(&log->env, log->segments[i]);
    if (err == 0)
        err = log__rebuild_producers(log, log->recovery_point);
    log->loaded = err == 0;
    log->opened_end_offset = log->end_offset;
    return err;
}

int log__recover(struct log *log)
{
    struct recovery r = {.log = log, .window = mem_alloc(BATCH_SCAN_WINDOW_LARGE)};
    // A segment that ends at the recovery point may have been sealed after that was raised, so its last
    // time entry and its trimming can be lost.
    r.first = log__segment_at(log, log->recovery_point - 1);
    int err = log__load_epochs(log);
    bool epochs_missing = err == ERR_NOT_FOUND;
    if (epochs_missing)
        err = 0;
    for (int i = r.first; i < log->segment_count && err == 0 && !r.stopped; i++) {
        err = recover_segment(&r, i);
        if (err == 0)
            err = check_successor(&r, i);
        if (err == 0 && i + 1 < log->segment_count && !r.stopped)
            err = segment_seal(&log->env, log->segments[i]);
    }
    mem_free(r.window);
    if (err < 0)
        return err;
    log->end_offset = r.next;
    if (!log->offline && r.next < log->recovery_point)
        damaged(&r, log__active(log), log__active(log)->size,
                "everything below the recovery point was on disk");
    if (log->offline)
        return 0;
    err = sync_recovered(&r);
    // A raise of the log start that did not get to the disk has taken its epochs with it.
    if (log->epochs.count > 0 && log->epochs.entries[0].start_offset > log->start_offset)
        epochs_missing = true;
    if (err == 0 && epochs_missing && log->recovery_point > log->segments[0]->base_offset)
        err = log__rebuild_epochs(log);
    return err == 0 ? recover_state(log) : err;
}

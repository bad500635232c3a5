// SPDX-License-Identifier: Apache-2.0
#include "log/cleaner_run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "log/names.h"
#include "log/small_file.h"

enum {
    IO_BYTES_MIN = 16 << 10,
    IO_BYTES_MAX = 16 << 20,
    GROUP_SOURCES_MAX = 100, // each is some renames, which are made on the shard
};

static int plan_group(struct cleaner_run *r);
static int read_keys(struct cleaner_run *r);
static int copy_batches(struct cleaner_run *r);
static int end_group(struct cleaner_run *r);

__attribute__((format(printf, 3, 4))) static int fail(struct cleaner_run *r, int err, const char *format,
                                                      ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->problem, sizeof r->problem, format, args);
    va_end(args);
    return err;
}

static const struct segment_span *source(const struct cleaner_run *r)
{
    return &r->plan.sources[r->source];
}

// What is wrong where the scan is.
static int fail_at(struct cleaner_run *r, int err, int64_t position, const char *what)
{
    return fail(r, err == ERR_TRUNCATED ? ERR_CORRUPT : err, "%s/%020" PRId64 ".log: position %" PRId64
                ": %s", r->plan.dir, source(r)->base_offset, position, what);
}

// ---- Reading sources ----

static void close_source(struct cleaner_run *r)
{
    if (r->file != NULL)
        fs_file_close(r->file);
    r->file = NULL;
}

static int open_source(struct cleaner_run *r)
{
    char path[FS_PATH_MAX];
    const struct segment_span *s = source(r);
    if (r->file != NULL)
        return 0;
    if (!log_file_path(path, r->plan.dir, s->base_offset, LOG_FILE_LOG))
        return fail(r, ERR_LIMIT, "%s: the path is too long", r->plan.dir);
    int err = fs_open(r->plan.fs, path, FS_READ, &r->file);
    if (err < 0)
        return fail(r, err, "%s: %s", path, err_text(err));
    batch_scan_init(&r->scan, r->file, 0, s->size, r->window, (size_t)r->plan.io_bytes);
    r->next_offset = s->base_offset;
    return 0;
}

static bool is_control(const struct batch_header *h)
{
    return h->magic >= BATCH_MAGIC_CURRENT && batch_is_control(h);
}

// What is read for a compaction alone need not push out what others read.
struct reading {
    int64_t from;
    bool was_cached;
};

static struct reading begin_reading(const struct cleaner_run *r)
{
    int64_t left = source(r)->size - r->scan.position;
    size_t size = left < r->plan.io_bytes ? (size_t)left : (size_t)r->plan.io_bytes;
    return (struct reading){.from = r->scan.position,
                            .was_cached = !r->txns.scout.read_cold &&
                                          fs_file_is_cached(r->file, r->scan.position, size)};
}

static void end_reading(struct cleaner_run *r, const struct reading *reading)
{
    int64_t size = r->scan.position - reading->from;
    r->step_bytes += size;
    if (!reading->was_cached)
        fs_file_drop_cached(r->file, reading->from, size);
}

// What became of the transaction of a batch with data: enum txn_fate, or an error.
static int find_fate(struct cleaner_run *r, const struct batch_header *h, int64_t position)
{
    const struct txn_scout *scout = &r->txns.scout;
    int fate = cleaner_txns_batch(&r->txns, h, r->source, position, r->plan.io_bytes);
    r->step_bytes += scout->read_bytes;
    if (fate >= 0)
        return fate;
    return fail(r, fate, "%s/%020" PRId64 ".log: position %" PRId64 ": %s", r->plan.dir,
                r->plan.sources[scout->span].base_offset, scout->scan.position,
                fate == ERR_CORRUPT ? "a batch that may end a transaction cannot be read"
                                    : err_text(fate));
}

enum { NOT_YET = 2 };

// The next batch of the source, checked, and its fate: 1, 0 at its end, NOT_YET when another step is to
// find out the fate, or an error.
static int next_batch(struct cleaner_run *r, struct batch_header *h, struct bytes *batch, int *fate)
{
    int64_t position;
    int got = batch_scan_next(&r->scan, h, &position);
    if (got == 0)
        return 0;
    if (got == ERR_CORRUPT || got == ERR_TRUNCATED)
        return fail_at(r, ERR_CORRUPT, r->scan.position, "no batch can be read here");
    if (got == 1)
        got = batch_scan_bytes(&r->scan, h, position, &r->spare, batch);
    if (got < 0)
        return fail_at(r, got, r->scan.position, err_text(got));
    if (!batch_crc_is_valid(*batch))
        return fail_at(r, ERR_CORRUPT, position, "the CRC of a batch is wrong");
    // In the former formats an entry that holds several has the offset of the last.
    int64_t last = batch_last_offset(h);
    if (h->base_offset < r->next_offset || last < h->base_offset || last >= source(r)->end_offset)
        return fail_at(r, ERR_CORRUPT, position, "the offsets of a batch do not fit those around it");
    *fate = is_control(h) ? TXN_COMMITTED : find_fate(r, h, position);
    if (*fate < 0)
        return *fate;
    if (*fate == TXN_UNKNOWN) {
        r->scan.position = position;
        return NOT_YET;
    }
    r->next_offset = last + 1;
    return 1;
}

// ---- Beginning ----

static int remove_leftover(void *context, const char *name, enum fs_kind kind)
{
    struct cleaner_run *r = context;
    struct log_file_name file;
    char path[FS_PATH_MAX];
    if (kind == FS_KIND_DIR || !log_file_name_parse(name, &file) || file.state != LOG_FILE_CLEANED)
        return 0;
    return path_join(path, r->plan.dir, name) ? small_file_remove(r->plan.fs, path) : ERR_LIMIT;
}

static int first_dirty_source(const struct cleaner_run *r)
{
    int i = 0;
    while (i < r->plan.source_count && r->plan.sources[i].end_offset <= r->plan.first_dirty)
        i++;
    return i;
}

static int begin(struct cleaner_run *r)
{
    int err = fs_list(r->plan.fs, r->plan.dir, remove_leftover, r);
    if (err < 0)
        return fail(r, err, "%s: %s", r->plan.dir, err_text(err));
    r->source = first_dirty_source(r);
    int64_t end = r->plan.source_count > 0 ? r->plan.sources[r->plan.source_count - 1].end_offset : 0;
    r->map = offset_map_new(r->plan.seeds, end - r->plan.first_dirty, r->plan.map_bytes_max,
                            r->plan.load_factor);
    r->figures.map_bytes = offset_map_bytes(r->map);
    r->map_end = r->plan.first_dirty;
    r->window = mem_alloc((size_t)r->plan.io_bytes);
    r->next = read_keys;
    return CLEANER_MORE;
}

static void init_txns(struct cleaner_run *r)
{
    cleaner_txns_init(&r->txns, r->plan.fs, r->plan.dir, r->plan.sources, r->plan.segment_count);
}

void cleaner_run_begin(struct cleaner_run *r, const struct cleaner_plan *plan)
{
    *r = (struct cleaner_run){.plan = *plan, .next = begin};
    r->plan.io_bytes = plan->io_bytes < IO_BYTES_MIN   ? IO_BYTES_MIN
                       : plan->io_bytes > IO_BYTES_MAX ? IO_BYTES_MAX
                                                       : plan->io_bytes;
    r->env = (struct segment_env){.fs = plan->fs, .trace = plan->trace, .dir = plan->dir,
                                  .index_interval_bytes = plan->index_interval_bytes};
    init_txns(r);
    buf_init(&r->spare, BATCH_SIZE_MAX);
    buf_init(&r->out, INT32_MAX);
    cleaner_filter_init(&r->filter, NULL, 0, plan->now_ms, plan->delete_retention_ms);
}

// ---- The keys of the dirty part ----

static int begin_copying(struct cleaner_run *r)
{
    close_source(r);
    r->figures.keys = offset_map_count(r->map);
    if (r->map_end <= r->plan.first_dirty)
        return fail(r, ERR_NOMEM, "%s: a batch at offset %" PRId64 " has more keys than the %" PRId64
                    " bytes for them can hold", r->plan.dir, r->next_offset, r->figures.map_bytes);
    r->filter.map = r->map;
    r->filter.map_end = r->map_end;
    // Once more from the start.
    cleaner_txns_release(&r->txns);
    init_txns(r);
    r->source = 0;
    r->next = plan_group;
    return CLEANER_MORE;
}

// Takes one batch into the map: 1, 0 when it is full, or an error.
static int note_batch(struct cleaner_run *r, const struct batch_header *h, struct bytes batch, int fate)
{
    enum control_type type;
    struct txn_entry entry;
    if (is_control(h)) {
        if (batch_is_end_txn_marker(batch, &type))
            cleaner_txns_marker(&r->txns, h, &entry);
        return 1;
    }
    if (fate != TXN_COMMITTED || batch_last_offset(h) < r->plan.first_dirty)
        return 1;
    int got = cleaner_note_keys(r->map, h, batch, r->plan.first_dirty, &r->filter.scratch);
    return got < 0 ? fail_at(r, got, r->scan.position - (int64_t)batch.size, err_text(got)) : got;
}

static int read_keys(struct cleaner_run *r)
{
    if (r->source == r->plan.source_count)
        return begin_copying(r);
    int err = open_source(r);
    if (err < 0)
        return err;
    struct reading reading = begin_reading(r);
    struct batch_header h;
    struct bytes batch;
    int got = 1, room = 1, fate = TXN_COMMITTED;
    while (r->scan.position - reading.from < r->plan.io_bytes && room == 1 &&
           (got = next_batch(r, &h, &batch, &fate)) == 1) {
        room = note_batch(r, &h, batch, fate);
        if (room == 1 && batch_last_offset(&h) >= r->map_end)
            r->map_end = batch_last_offset(&h) + 1;
    }
    end_reading(r, &reading);
    if (got < 0 || room < 0)
        return got < 0 ? got : room;
    if (room == 0)
        return begin_copying(r);
    if (got == 0) {
        if (source(r)->end_offset > r->map_end)
            r->map_end = source(r)->end_offset; // offsets may be missing at the end
        close_source(r);
        r->source++;
    }
    return CLEANER_MORE;
}

// ---- Groups ----

static int64_t index_size(struct cleaner_run *r, int index, enum log_file_kind kind)
{
    char path[FS_PATH_MAX];
    struct fs_stat stat;
    // One that is missing is made again when somebody needs it, and then counts.
    return log_file_path(path, r->plan.dir, r->plan.sources[index].base_offset, kind) &&
                   fs_stat(r->plan.fs, path, &stat) == 0
               ? stat.size
               : 0;
}

static int count_group(struct cleaner_run *r, int first)
{
    const struct segment_span *s = r->plan.sources;
    int64_t bytes_max = r->plan.segment_bytes < INT32_MAX ? r->plan.segment_bytes : INT32_MAX;
    int64_t size = s[first].size, index = index_size(r, first, LOG_FILE_INDEX);
    int64_t times = index_size(r, first, LOG_FILE_TIME_INDEX);
    int count = 1;
    for (int i = first + 1; i < r->plan.source_count && count < GROUP_SOURCES_MAX; i++, count++) {
        size += s[i].size;
        index += index_size(r, i, LOG_FILE_INDEX);
        times += index_size(r, i, LOG_FILE_TIME_INDEX);
        if (s[i].base_offset >= r->map_end || size > bytes_max ||
            index > r->plan.segment_index_bytes || times > r->plan.segment_index_bytes ||
            s[i].end_offset - 1 - s[first].base_offset > INT32_MAX)
            break;
    }
    return count;
}

static int plan_group(struct cleaner_run *r)
{
    if (r->source >= r->plan.source_count || source(r)->base_offset >= r->map_end)
        return 0;
    r->group_first = r->source;
    r->group_count = count_group(r, r->source);
    r->group_changed = r->group_count > 1;
    int err = segment_create_cleaned(&r->env, source(r)->base_offset, &r->output);
    if (err < 0)
        return fail(r, err, "%s/%020" PRId64 ".log.cleaned: %s", r->plan.dir, source(r)->base_offset,
                    err_text(err));
    r->next = copy_batches;
    return CLEANER_MORE;
}

static int compare_producers(const void *key, const void *item)
{
    int64_t id = *(const int64_t *)key;
    const struct cleaner_producer *p = item;
    return (id > p->producer_id) - (id < p->producer_id);
}

static bool is_last_of_producer(const struct cleaner_run *r, const struct batch_header *h)
{
    if (r->plan.producer_count == 0 || h->magic < BATCH_MAGIC_CURRENT || !batch_has_producer(h))
        return false;
    const struct cleaner_producer *p =
        bsearch(&h->producer_id, r->plan.producers, (size_t)r->plan.producer_count, sizeof *p,
                compare_producers);
    if (p == NULL)
        return false;
    return p->last_offset >= 0 ? p->last_offset == batch_last_offset(h)
                               : batch_is_control(h) && p->epoch == h->producer_epoch;
}

static int keep_aborted(struct cleaner_run *r, const struct txn_entry *entry)
{
    int err = segment_prepare_txn(&r->env, r->output);
    if (err == 0)
        segment_append_txn(r->output, entry);
    return err;
}

// Finds out what is known of the batch. Where it ends an aborted transaction that has left something, the
// index says so from now on.
static int look_at(struct cleaner_run *r, const struct batch_header *h, struct bytes batch, int fate,
                   struct cleaner_batch *known)
{
    bool ends_group = r->source + 1 == r->group_first + r->group_count &&
                      r->scan.position == source(r)->size;
    *known = (struct cleaner_batch){
        .is_aborted = fate == TXN_ABORTED,
        .is_undecided = fate == TXN_OPEN,
        .is_needed = ends_group || batch_last_offset(h) + 1 == r->map_end || is_last_of_producer(r, h)};
    if (!is_control(h))
        return 0;
    enum control_type type;
    struct txn_entry entry;
    if (h->record_count == 0) {
        known->is_marker_done = true; // it was taken out of it
    } else if (batch_is_end_txn_marker(batch, &type)) {
        known->is_marker_done = !cleaner_txns_marker(&r->txns, h, &entry);
        if (!known->is_marker_done && type == CONTROL_ABORT)
            return keep_aborted(r, &entry);
    }
    return 0; // whatever it is else, it stays
}

// ---- Copying ----

static int flush(struct cleaner_run *r)
{
    struct bytes rest = buf_bytes(&r->out), batch;
    struct batch_header h;
    struct segment *s = r->output;
    int64_t position = s->size;
    if (rest.size == 0)
        return 0;
    if (position + (int64_t)rest.size > INT32_MAX)
        return fail(r, ERR_LIMIT, "%s/%020" PRId64 ".log: what is to stay is too large for a segment",
                    r->plan.dir, s->base_offset);
    int err = segment_write(s, rest.data, rest.size);
    while (err == 0 && batch_next(&rest, &h, &batch) == 1) {
        err = segment_note_batch(&r->env, s, &h, position);
        position += (int64_t)batch.size;
    }
    r->step_bytes += (int64_t)r->out.size;
    buf_clear(&r->out);
    return err < 0 ? fail(r, err, "%s/%020" PRId64 ".log.cleaned: %s", r->plan.dir, s->base_offset,
                          err_text(err))
                   : 0;
}

static int copy_batch(struct cleaner_run *r, const struct batch_header *h, struct bytes batch, int fate)
{
    struct cleaner_batch known;
    struct cleaner_outcome outcome;
    int64_t position = r->scan.position - (int64_t)batch.size;
    int err = look_at(r, h, batch, fate, &known);
    if (err < 0)
        return fail_at(r, err, position, err_text(err));
    err = cleaner_filter_batch(&r->filter, h, batch, &known, &r->out, &outcome);
    if (err < 0)
        return fail_at(r, err, position, err_text(err));
    r->group_changed |= !outcome.is_kept || outcome.is_made;
    r->figures.records_before += outcome.records_read;
    r->figures.records_after += outcome.records_kept;
    return (int64_t)r->out.size >= r->plan.io_bytes ? flush(r) : 0;
}

static int copy_batches(struct cleaner_run *r)
{
    int err = open_source(r);
    if (err < 0)
        return err;
    struct reading reading = begin_reading(r);
    struct batch_header h;
    struct bytes batch;
    int got = 1, fate = TXN_COMMITTED;
    while (r->scan.position - reading.from < r->plan.io_bytes && err == 0 &&
           (got = next_batch(r, &h, &batch, &fate)) == 1)
        err = copy_batch(r, &h, batch, fate);
    end_reading(r, &reading);
    if (err < 0 || got < 0)
        return err < 0 ? err : got;
    if (got != 0)
        return CLEANER_MORE;
    r->figures.bytes_before += source(r)->size;
    r->figures.segments_before++;
    close_source(r);
    r->source++;
    if (r->source == r->group_first + r->group_count)
        r->next = end_group;
    return CLEANER_MORE;
}

// ---- The end of a group ----

static int sync_output(struct cleaner_run *r)
{
    struct segment *s = r->output;
    struct segment_files *f = s->files;
    int err = segment_seal(&r->env, s);
    struct file_ref *refs[] = {f->log, f->offset_index.ref, f->time_index.ref, f->txn_index.ref};
    for (int i = 0; i < 4 && err == 0; i++)
        if (refs[i] != NULL)
            err = fs_file_sync(refs[i]->file);
    if (err == 0)
        err = fs_dir_sync(r->plan.fs, r->plan.dir);
    if (err < 0)
        return err;
    s->synced_size = s->size;
    s->index_unsynced = false;
    return segment_close(&r->env, s);
}

static void drop_output(struct cleaner_run *r)
{
    struct segment *s = r->output;
    if (s == NULL)
        return;
    enum log_file_kind kinds[] = {LOG_FILE_LOG, LOG_FILE_INDEX, LOG_FILE_TIME_INDEX, LOG_FILE_TXN_INDEX};
    for (int i = 0; i < 4 && !r->is_dropped; i++) {
        char path[FS_PATH_MAX];
        if (segment_path(&r->env, s, kinds[i], path))
            small_file_remove(r->plan.fs, path); // if it stays, the next compaction or start removes it
    }
    segment_free(&r->env, s);
    r->output = NULL;
}

static int end_group(struct cleaner_run *r)
{
    int err = flush(r);
    if (err < 0)
        return err;
    r->next = plan_group;
    r->figures.segments_after++;
    r->figures.bytes_after += r->output->size;
    if (!r->group_changed) {
        drop_output(r); // the segment is as it should be
        return CLEANER_MORE;
    }
    err = sync_output(r);
    return err < 0 ? fail(r, err, "%s/%020" PRId64 ".log.cleaned: %s", r->plan.dir,
                          r->output->base_offset, err_text(err))
                   : CLEANER_GROUP;
}

int cleaner_run_step(struct cleaner_run *r)
{
    check(r->output == NULL || r->next != plan_group); // the group was taken
    r->step_bytes = 0;
    return r->next(r);
}

void cleaner_run_end(struct cleaner_run *r)
{
    close_source(r);
    drop_output(r);
    offset_map_free(r->map);
    cleaner_filter_release(&r->filter);
    cleaner_txns_release(&r->txns);
    buf_release(&r->spare);
    buf_release(&r->out);
    mem_free(r->window);
    mem_free(r->plan.sources);
    mem_free(r->plan.producers);
    *r = (struct cleaner_run){0};
}

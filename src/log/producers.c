// SPDX-License-Identifier: Apache-2.0
//
// What a log knows of its producers when it is opened: the newest good snapshot, then the batches behind
// it.
#include <inttypes.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "env/clock.h"
#include "log/internal.h"
#include "log/names.h"
#include "log/small_file.h"

// So much of the log before a snapshot is looked at for the batches of its producers.
enum { RECALL_BYTES = 1 << 20 };

// ---- Snapshots ----

struct snapshot_list {
    int64_t *offsets;
    int count;
    int capacity;
};

static int snapshot_list_add(void *context, const char *name, enum fs_kind kind)
{
    struct snapshot_list *l = context;
    struct log_file_name file;
    if (kind == FS_KIND_DIR || !log_file_name_parse(name, &file) ||
        file.kind != LOG_FILE_SNAPSHOT || file.state != LOG_FILE_LIVE)
        return 0;
    mem_grow(l->offsets, l->count, l->capacity);
    l->offsets[l->count++] = file.offset;
    return 0;
}

static int compare_offsets(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

// Loads the snapshot at `offset`: 1, or 0 if it is of no use.
static int load_snapshot(struct log *log, int64_t offset)
{
    char path[FS_PATH_MAX];
    if (!log_file_path(path, log->path, offset, LOG_FILE_SNAPSHOT))
        return ERR_LIMIT;
    struct buf bytes;
    buf_init(&bytes, SNAPSHOT_SIZE_MAX);
    int err = small_file_read(log->env.fs, path, &bytes);
    if (err == 0)
        err = producer_state_load(&log->producers, buf_bytes(&bytes), env_wall_ms(log->clock),
                                  log->config.producer_id_expiration_ms);
    buf_release(&bytes);
    if (err == 0)
        return 1;
    if (err == ERR_IO)
        return err;
    trace_warn(log->trace, LOG_AREA, "%s: %s; reading the batches again instead", path,
               err_text(err));
    return 0;
}

int log__prepare_txn(struct log *log, struct segment *s)
{
    bool existed = s->has_txn_index;
    int err = segment_prepare_txn(&log->env, s);
    if (err == 0 && !existed)
        log__note_dir_change(log);
    return err;
}

// Enters the transactions that a staged marker aborted.
int log__enter_aborted(struct log *log, struct segment *s, const struct producer_stage *stage)
{
    for (int i = 0; i < stage->completed_count; i++) {
        const struct completed_txn *txn = &stage->completed[i];
        if (!txn->aborted)
            continue;
        int err = log__prepare_txn(log, s);
        if (err < 0)
            return err;
        struct txn_entry entry = {
            .producer_id = txn->producer_id,
            .first_offset = txn->first_offset,
            .last_offset = txn->last_offset,
            .last_stable_offset = producer_stage_stable_offset(stage, txn),
        };
        segment_append_txn(s, &entry);
    }
    return 0;
}

static int replay_segment(struct log *log, struct segment *s, int64_t from, int64_t recovered_from)
{
    int64_t position;
    struct batch_header h;
    int err = segment_find(&log->env, s, from, &position, &h);
    if (err != 1)
        return err;
    uint8_t window[BATCH_SCAN_WINDOW];
    struct batch_scan scan;
    struct producer_stage stage;
    struct buf spare;
    buf_init(&spare, BATCH_SIZE_MAX);
    producer_stage_init(&stage, &log->producers);
    batch_scan_init(&scan, s->files->log->file, position, s->size, window, sizeof window);
    while ((err = batch_scan_next(&scan, &h, &position)) == 1) {
        struct log_append_info info;
        struct bytes bytes = {0};
        if (batch_is_control(&h))
            err = batch_scan_bytes(&scan, &h, position, &spare, &bytes);
        if (err >= 0)
            err = producer_stage_batch(&stage, &h, bytes, false, &info);
        if (err == 0 && h.base_offset >= recovered_from)
            err = log__enter_aborted(log, s, &stage);
        if (err < 0)
            break;
        producer_stage_commit(&stage);
    }
    producer_stage_release(&stage);
    buf_release(&spare);
    return err;
}

static int list_snapshots(const struct log *log, struct snapshot_list *l)
{
    *l = (struct snapshot_list){0};
    int err = fs_list(log->env.fs, log->path, snapshot_list_add, l);
    if (l->count > 1)
        qsort(l->offsets, (size_t)l->count, sizeof *l->offsets, compare_offsets);
    return err;
}

// Removes those above, from the list, too.
static int drop_snapshots_above(struct log *log, struct snapshot_list *l, int64_t offset)
{
    int err = 0;
    while (l->count > 0 && l->offsets[l->count - 1] > offset && err == 0) {
        char path[FS_PATH_MAX];
        err = log_file_path(path, log->path, l->offsets[--l->count], LOG_FILE_SNAPSHOT)
                  ? small_file_remove(log->env.fs, path)
                  : ERR_LIMIT;
        log__note_dir_change(log);
    }
    return err;
}

int log__drop_snapshots(struct log *log, int64_t above)
{
    struct snapshot_list l;
    int err = list_snapshots(log, &l);
    if (err == 0)
        err = drop_snapshots_above(log, &l, above);
    mem_free(l.offsets);
    return err;
}

// Of the snapshots that are at no segment's base, only the newest good one is of use.
static int drop_other_snapshots(struct log *log, const struct snapshot_list *l)
{
    int err = 0;
    for (int i = 0; i < l->count && err == 0; i++) {
        char path[FS_PATH_MAX];
        int64_t offset = l->offsets[i];
        const struct segment *s = log->segments[log__segment_at(log, offset)];
        if (offset == log->snapshot_offset || s->base_offset == offset)
            continue;
        err = log_file_path(path, log->path, offset, LOG_FILE_SNAPSHOT)
                  ? small_file_remove(log->env.fs, path)
                  : ERR_LIMIT;
        log__note_dir_change(log);
    }
    return err;
}

// Removes snapshots above the log end, loads the newest good one in [*from, newest] and moves *from to it.
static int load_newest_snapshot(struct log *log, int64_t newest, int64_t *from)
{
    struct snapshot_list l;
    int err = list_snapshots(log, &l);
    if (err == 0)
        err = drop_snapshots_above(log, &l, log->end_offset);
    for (int i = l.count - 1; i >= 0 && err == 0; i--) {
        if (l.offsets[i] > newest || l.offsets[i] < *from)
            continue;
        err = load_snapshot(log, l.offsets[i]);
        if (err == 1)
            *from = log->snapshot_offset = l.offsets[i];
    }
    err = err < 0 ? err : drop_other_snapshots(log, &l);
    mem_free(l.offsets);
    return err;
}

// ---- What a snapshot does not say ----

// Looks at the headers of a segment from a position on, up to the batch with `end_offset`.
static int recall_from(struct log *log, struct segment *s, int64_t position, int64_t end_offset)
{
    uint8_t window[BATCH_SCAN_WINDOW];
    struct batch_scan scan;
    struct batch_header h;
    int err;
    batch_scan_init(&scan, s->files->log->file, position, s->size, window, sizeof window);
    while ((err = batch_scan_next(&scan, &h, &position)) == 1 && h.base_offset < end_offset)
        producer_state_recall(&log->producers, &h);
    return err == ERR_IO ? err : 0; // what is damaged is the reader's trouble
}

// Where to begin so that `*left` bytes lie between there and the segment's end, and takes off what is in
// the segment.
static int recall_position(struct log *log, struct segment *s, int64_t *left, int64_t *position)
{
    int64_t offset_limit;
    *position = 0;
    int err = segment_open(&log->env, s);
    int64_t limit = err == 0 ? s->size - *left : 0;
    if (limit > 0)
        err = segment_find_cut(&log->env, s, 0, limit, position, &offset_limit);
    *left -= err == 0 ? s->size : 0;
    return err;
}

// A producer that was killed with some batches under way sends all of them again, and so does one whose
// broker was: a snapshot that knows the last alone would have it refused. The log knows the others.
static int recall_batches(struct log *log, int64_t offset)
{
    int last = log__segment_at(log, offset - 1), first = last;
    int64_t left = RECALL_BYTES, position;
    if (log->producers.producers.count == 0)
        return 0;
    int err = recall_position(log, log->segments[first], &left, &position);
    while (err == 0 && left > 0 && first > 0)
        err = recall_position(log, log->segments[--first], &left, &position);
    for (int i = first; i <= last && err == 0; i++) {
        struct segment *s = log->segments[i];
        err = segment_open(&log->env, s);
        if (err == 0)
            err = recall_from(log, s, i == first ? position : 0, offset);
    }
    producer_state_end_recall(&log->producers);
    return err == ERR_CORRUPT || err == ERR_TRUNCATED ? 0 : err;
}

int log__rebuild_producers(struct log *log, int64_t recovered_from)
{
    int64_t from = log->segments[0]->base_offset;
    int64_t newest = recovered_from < log->end_offset ? recovered_from : log->end_offset;
    producer_state_clear(&log->producers);
    log->snapshot_offset = -1;
    int err = load_newest_snapshot(log, newest, &from);
    if (err == 0 && log->snapshot_offset > log->segments[0]->base_offset)
        err = recall_batches(log, log->snapshot_offset);
    if (err == 0 && log->closed && recovered_from == INT64_MAX && !log->loaded && from < log->end_offset)
        trace_warn(log->trace, LOG_AREA,
                   "%s: the producer snapshot at offset %" PRId64 " is missing or damaged; reading the "
                   "batches from offset %" PRId64 " on again%s",
                   log->path, log->end_offset, from,
                   log->snapshot_offset < 0 && from > 0
                       ? ", so what producers wrote before is not known any more" : "");
    if (err < 0 || from >= log->end_offset)
        return err;
    for (int i = log__segment_at(log, from); i < log->segment_count && err == 0; i++) {
        struct segment *s = log->segments[i];
        if (s->base_offset > recovered_from)
            err = log__write_snapshot(log, s->base_offset);
        if (err == 0)
            err = replay_segment(log, s, from, recovered_from);
    }
    producer_state_set_high_watermark(&log->producers, log->high_watermark);
    return err;
}

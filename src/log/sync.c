// SPDX-License-Identifier: Apache-2.0
//
// What it takes to make a log's appends durable, in three steps: noted on the shard, done on a worker
// (sync_run.c), concluded on the shard. Commits use it for acknowledgements, saves for the recovery
// point.
#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "log/dir.h"
#include "log/dir_internal.h"
#include "log/internal.h"
#include "log/names.h"
#include "log/small_file.h"

static void add_file(struct log_sync *s, struct file_ref *ref)
{
    if (ref == NULL || s->whole)
        return;
    mem_grow(s->files, s->file_count, s->file_capacity);
    s->files[s->file_count++] = file_ref_get(ref);
}

static int note_indexes(struct log *log, struct segment *segment, struct log_sync *s)
{
    int err = segment_open(&log->env, segment);
    struct entry_file *indexes[3] = {0};
    if (err == 0) {
        indexes[0] = &segment->files->offset_index;
        indexes[1] = &segment->files->time_index;
        indexes[2] = &segment->files->txn_index;
    }
    for (int i = 0; i < 3 && err == 0; i++)
        if (indexes[i]->ref != NULL)
            err = entry_file_flush(indexes[i]);
    for (int i = 0; i < 3 && err == 0; i++)
        add_file(s, indexes[i]->ref);
    return err;
}

static int note_segments(struct log *log, struct log_sync *s)
{
    int64_t from = s->full && log->recovery_point < log->durable_offset ? log->recovery_point
                                                                        : log->durable_offset;
    // A segment that ends just there may have been sealed (trimmed, a last time entry) since.
    for (int i = log__segment_at(log, from - 1); i < log->segment_count; i++) {
        struct segment *segment = log->segments[i];
        if (s->full && segment->index_unsynced) {
            int err = note_indexes(log, segment, s);
            if (err < 0)
                return err;
        }
        if (segment->files == NULL || segment->synced_size >= segment->size)
            continue;
        add_file(s, segment->files->log);
        mem_grow(s->segments, s->segment_count, s->segment_capacity);
        s->segments[s->segment_count++] = (struct log_sync_segment){
            .base_offset = segment->base_offset, .size = segment->size, .cuts = segment->cuts};
    }
    // Only now that nothing can stand in the way: what is entered from here on is for the next sync.
    for (int i = log__segment_at(log, from - 1); s->full && i < log->segment_count; i++)
        log->segments[i]->index_unsynced = false;
    return 0;
}

static void note_bases(const struct log *log, struct log_sync *s)
{
    for (int i = log->segment_count - 1; i > 0; i--) {
        if (log->segments[i]->base_offset < log->recovery_point)
            return;
        mem_grow(s->bases, s->base_count, s->base_capacity);
        s->bases[s->base_count++] = log->segments[i]->base_offset;
    }
}

static void release(struct log_sync *s)
{
    mem_free(s->bases);
    for (int i = 0; i < s->file_count; i++)
        file_ref_put(s->files[i]);
    mem_free(s->files);
    file_ref_put(s->volume);
    mem_free(s->segments);
    mem_free(s->path);
    buf_release(&s->epochs);
    buf_release(&s->snapshot);
    *s = (struct log_sync){0};
}

// An empty first segment has nothing to tell, and at the base of a later one there is a snapshot.
static bool needs_snapshot(const struct log *log)
{
    return log->snapshot_offset != log->end_offset &&
           log->end_offset > log__active(log)->base_offset;
}

int log__sync_begin(struct log *log, unsigned flags, struct log_sync *s)
{
    bool full = (flags & LOG_SYNC_FULL) != 0;
    *s = (struct log_sync){
        .log = log, .fs = log->env.fs, .full = full, .whole = (flags & LOG_SYNC_WHOLE) != 0};
    // A recovery point needs the epochs on disk, and whether they get there the other sync will tell.
    if (full && log->epochs_writing)
        return ERR_AGAIN;
    buf_init(&s->epochs, EPOCH_CACHE_TEXT_MAX);
    buf_init(&s->snapshot, SNAPSHOT_SIZE_MAX);
    int err = note_segments(log, s);
    if (err < 0) {
        release(s);
        return err;
    }
    if (log->home != NULL)
        s->volume = log_dir__volume(log->home, &s->volume_syncs_min);
    check(!s->whole || s->volume != NULL);
    s->path = mem_copy_text(log->path);
    s->end_offset = log->end_offset;
    s->truncations = log->truncations;
    if (log->epochs_dirty && !log->epochs_writing) {
        epoch_cache_format(&log->epochs, &s->epochs);
        s->write_epochs = true;
        log->epochs_writing = true;
        log->epochs_dirty = false;
    }
    if (full && needs_snapshot(log)) {
        producer_state_snapshot(&log->producers, &s->snapshot);
        s->write_snapshot = true;
    }
    if (full)
        note_bases(log, s);
    s->sync_dir = log__dir_is_dirty(log) || s->write_snapshot;
    s->sync_parent = log->parent_dirty;
    s->dir_changes = log->dir_changes;
    return 0;
}

// ---- Back on the shard ----

static void conclude_segments(struct log *log, const struct log_sync *s)
{
    for (int i = 0; i < s->segment_count; i++) {
        const struct log_sync_segment *done = &s->segments[i];
        struct segment *segment = log->segments[log__segment_at(log, done->base_offset)];
        if (segment->base_offset == done->base_offset && segment->cuts == done->cuts &&
            segment->synced_size < done->size)
            segment->synced_size = done->size;
    }
}

// The snapshot before this one is of no more use, unless it belongs to a segment.
static void drop_former_snapshot(struct log *log, int64_t offset)
{
    char path[FS_PATH_MAX];
    if (offset < 0 || log->segments[log__segment_at(log, offset)]->base_offset == offset)
        return;
    if (log_file_path(path, log->path, offset, LOG_FILE_SNAPSHOT))
        small_file_remove(log->env.fs, path); // if it stays, the next start removes nothing but time
}

static void conclude(struct log *log, const struct log_sync *s)
{
    // Another sync may be under way with the same entries, so they count as synced only now.
    if (s->sync_dir && log->dir_synced < s->dir_changes)
        log->dir_synced = s->dir_changes;
    if (!log__dir_is_dirty(log))
        log->removed_dirty = false;
    log->parent_dirty &= !s->sync_parent;
    if (s->truncations != log->truncations)
        return; // what was synced is gone; the rest is still waiting
    conclude_segments(log, s);
    if (s->full && s->soft_err == 0) {
        if (s->write_snapshot) {
            drop_former_snapshot(log, log->snapshot_offset);
            log->snapshot_offset = s->end_offset;
        }
        if (log->recovery_point < s->end_offset)
            log->recovery_point = s->end_offset;
    }
    if (log->durable_offset >= s->end_offset)
        return;
    log->durable_offset = s->end_offset;
    if (log->on_durable != NULL)
        log->on_durable(log, log->owner);
}

void log__sync_end(struct log_sync *s)
{
    struct log *log = s->log;
    if (log != NULL && s->write_epochs) {
        log->epochs_writing = false;
        log->epochs_dirty |= s->soft_err < 0;
    }
    if (log != NULL && s->err < 0) {
        char why[FS_PATH_MAX + 64];
        snprintf(why, sizeof why, "%s: %s", s->where, err_text(s->err));
        if (log->home != NULL)
            log_dir_fail(log->home, s->err, why);
        else
            log__set_offline(log, "%s", why);
    } else if (log != NULL && !log_is_offline(log)) {
        conclude(log, s);
    }
    release(s);
}

void log__sync_forget(struct log_sync *s)
{
    s->log = NULL;
}

// ---- Closing ----

static bool is_settled(const struct log *log)
{
    if (log->end_offset > log->recovery_point || log->epochs_dirty || log->parent_dirty ||
        log__dir_is_dirty(log))
        return false;
    for (int i = 0; i < log->segment_count; i++)
        if (log->segments[i]->index_unsynced ||
            log->segments[i]->synced_size < log->segments[i]->size)
            return false;
    return !needs_snapshot(log);
}

int log__close_begin(struct log *log)
{
    int err = log__check(log);
    // On a full disk it stays planned, and the next start plans it again.
    if (err == 0 && log->planned && log_make(log) < 0)
        return log__check(log);
    if (err == 0)
        err = log__end_cleaning(log);
    if (err < 0 || !log->loaded)
        return err;
    err = segment_seal(&log->env, log__active(log));
    if (err < 0)
        return log__failed(log, err, "closing");
    return is_settled(log) ? 0 : 1;
}

int log__close_end(struct log *log)
{
    int err = log__check(log);
    if (err < 0 || !log->loaded)
        return err;
    for (int i = 0; i < log->segment_count && err == 0; i++)
        err = segment_close(&log->env, log->segments[i]);
    return err < 0 ? log__failed(log, err, "closing") : 0;
}

int log_close(struct log *log)
{
    struct log_sync s, *all[] = {&s};
    int err = log__close_begin(log);
    if (err == 1) {
        err = log__sync_begin(log, LOG_SYNC_FULL, &s);
        if (err == 0) {
            log__sync_run(all, 1);
            err = s.soft_err;
            log__sync_end(&s);
        }
        if (err < 0)
            return log__failed(log, err, "closing");
    }
    return err < 0 ? err : log__close_end(log);
}

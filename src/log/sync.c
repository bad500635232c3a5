// SPDX-License-Identifier: Apache-2.0
//
// What it takes to make a log's appends durable, in three steps: noted on the shard, done on a worker,
// concluded on the shard. Commits use it for acknowledgements, saves for the recovery point.
#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"
#include "log/dir.h"
#include "log/internal.h"
#include "log/names.h"
#include "log/partition_metadata.h"
#include "log/small_file.h"

static void add_file(struct log_sync *s, struct file_ref *ref)
{
    if (ref == NULL)
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

int log__sync_begin(struct log *log, bool full, struct log_sync *s)
{
    *s = (struct log_sync){.log = log, .fs = log->env.fs, .full = full};
    if (full && log->epochs_dirty && log->epochs_writing)
        return ERR_AGAIN;
    buf_init(&s->epochs, EPOCH_CACHE_TEXT_MAX);
    buf_init(&s->snapshot, SNAPSHOT_SIZE_MAX);
    int err = note_segments(log, s);
    if (err < 0) {
        release(s);
        return err;
    }
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

// ---- On a worker ----

static void fail(struct log_sync *s, int err, const char *what)
{
    if (err >= 0 || s->err < 0)
        return;
    s->err = err;
    snprintf(s->where, sizeof s->where, "%s: syncing %s", s->path, what);
}

static void run_files(struct log_sync *s)
{
    for (int i = 0; i < s->file_count && s->err == 0; i++) {
        fail(s, fs_file_sync(s->files[i]->file), "segments");
        s->syncs++;
    }
}

// A device that fails is the end; a full one only leaves the small file as it was.
static void run_small_file(struct log_sync *s, const char *path, struct bytes contents)
{
    int err = small_file_replace(s->fs, path, contents);
    s->syncs++;
    if (err == ERR_IO)
        fail(s, err, path);
    else if (err < 0)
        s->soft_err = err;
}

// Syncs a file that is not open. One that is gone needs none: it was deleted meanwhile, or the whole
// directory was renamed to be deleted.
static int sync_path(struct env_fs *fs, const char *path)
{
    struct fs_file *file;
    int err = fs_open(fs, path, FS_READ | FS_WRITE, &file);
    if (err == 0) {
        err = fs_file_sync(file);
        fs_file_close(file);
    }
    return err == ERR_NOT_FOUND ? 0 : err;
}

static int sync_metadata(struct env_fs *fs, const char *dir)
{
    char path[FS_PATH_MAX];
    return path_join(path, dir, PARTITION_METADATA_FILE) ? sync_path(fs, path) : ERR_LIMIT;
}

static void run_bases(struct log_sync *s)
{
    char path[FS_PATH_MAX];
    for (int i = 0; i < s->base_count && s->err == 0; i++)
        if (log_file_path(path, s->path, s->bases[i], LOG_FILE_SNAPSHOT)) {
            fail(s, sync_path(s->fs, path), path);
            s->syncs++;
        }
}

void log__sync_run(struct log_sync *s)
{
    char path[FS_PATH_MAX];
    run_files(s);
    run_bases(s);
    if (s->err == 0 && s->write_snapshot &&
        log_file_path(path, s->path, s->end_offset, LOG_FILE_SNAPSHOT))
        run_small_file(s, path, buf_bytes(&s->snapshot));
    if (s->err == 0 && s->write_epochs && path_join(path, s->path, "leader-epoch-checkpoint"))
        run_small_file(s, path, buf_bytes(&s->epochs));
    if (s->err == 0 && s->sync_parent) {
        fail(s, sync_metadata(s->fs, s->path), PARTITION_METADATA_FILE);
        s->syncs++;
    }
    if (s->err == 0 && (s->sync_dir || s->sync_parent)) {
        int err = fs_dir_sync(s->fs, s->path);
        s->syncs++;
        if (err != ERR_NOT_FOUND)
            fail(s, err, "the directory");
    }
}

int log__sync_names(struct log *log)
{
    int err = sync_metadata(log->env.fs, log->path);
    if (err == 0)
        err = fs_dir_sync(log->env.fs, log->path);
    if (err == 0)
        err = small_file_sync_parent(log->env.fs, log->path);
    if (err == 0) {
        log->dir_synced = log->dir_changes;
        log->parent_dirty = log->removed_dirty = false;
    }
    return err;
}

void log__sync_run_parents(struct log_sync *const *all, int count)
{
    const struct log_sync *done = NULL;
    for (int i = 0; i < count; i++) {
        struct log_sync *s = all[i];
        if (!s->sync_parent || s->err < 0)
            continue;
        const char *slash = strrchr(s->path, '/');
        size_t size = slash != NULL ? (size_t)(slash - s->path) : 0;
        if (done != NULL && strncmp(done->path, s->path, size + 1) == 0 &&
            strrchr(done->path, '/') == done->path + size)
            continue;
        fail(s, small_file_sync_parent(s->fs, s->path), "the log directory");
        s->syncs++;
        if (s->err == 0)
            done = s;
    }
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

int log_close(struct log *log)
{
    int err = log__check(log);
    if (err < 0 || !log->loaded)
        return err;
    err = segment_seal(&log->env, log__active(log));
    if (err == 0 && !is_settled(log)) {
        struct log_sync s, *all[] = {&s};
        err = log__sync_begin(log, true, &s);
        if (err == 0) {
            log__sync_run(&s);
            if (s.err == 0)
                log__sync_run_parents(all, 1);
            err = s.soft_err;
            log__sync_end(&s);
        }
    }
    if (err == 0)
        err = log__check(log);
    for (int i = 0; i < log->segment_count && err == 0; i++)
        err = segment_close(&log->env, log->segments[i]);
    return err < 0 ? log__failed(log, err, "closing") : 0;
}

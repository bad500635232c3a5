// SPDX-License-Identifier: Apache-2.0
//
// Syncs as they are done on a worker: file by file, or, where many are dirty, with the whole file system
// at once. What counts as durable after either is the same, since nothing counts before all is done:
// the order between files matters only where one replaces another (small_file.h).
#include <stdio.h>

#include "base/err.h"
#include "log/internal.h"
#include "log/names.h"
#include "log/partition_metadata.h"
#include "log/small_file.h"

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

// A device that fails is the end; a full one only leaves the small file as it was. True if all is well.
static bool note_small_file(struct log_sync *s, const char *path, int err)
{
    if (err == ERR_IO)
        fail(s, err, path);
    else if (err < 0)
        s->soft_err = err;
    return err >= 0;
}

static void run_small_file(struct log_sync *s, const char *path, struct bytes contents)
{
    note_small_file(s, path, small_file_replace(s->fs, path, contents));
    s->syncs++;
}

// Syncs a file that is not open. One that is gone needs none: it was deleted meanwhile, or the whole
// directory was renamed to be deleted.
static int sync_path(struct env_fs *fs, const char *path)
{
    int err = small_file_sync(fs, path);
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

static void run_each(struct log_sync *s)
{
    char path[FS_PATH_MAX];
    run_files(s);
    run_bases(s);
    if (s->err == 0 && s->write_snapshot &&
        log_file_path(path, s->path, s->end_offset, LOG_FILE_SNAPSHOT))
        run_small_file(s, path, buf_bytes(&s->snapshot));
    if (s->err == 0 && s->write_epochs && path_join(path, s->path, EPOCHS_FILE))
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

// The parent directories of those that ask for it, each once.
static void run_parents(struct log_sync *const *all, int count)
{
    const struct log_sync *done = NULL;
    for (int i = 0; i < count; i++) {
        struct log_sync *s = all[i];
        if (!s->sync_parent || s->whole || s->err < 0)
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

// ---- The whole file system ----

static bool snapshot_path(const struct log_sync *s, char out[FS_PATH_MAX])
{
    return s->write_snapshot && log_file_path(out, s->path, s->end_offset, LOG_FILE_SNAPSHOT);
}

static bool epochs_path(const struct log_sync *s, char out[FS_PATH_MAX])
{
    return s->write_epochs && path_join(out, s->path, EPOCHS_FILE);
}

static void stage_small_files(struct log_sync *s)
{
    char path[FS_PATH_MAX];
    if (snapshot_path(s, path))
        s->snapshot_staged =
            note_small_file(s, path, small_file_stage(s->fs, path, buf_bytes(&s->snapshot)));
    if (s->err == 0 && epochs_path(s, path))
        s->epochs_staged =
            note_small_file(s, path, small_file_stage(s->fs, path, buf_bytes(&s->epochs)));
}

static void publish_small_files(struct log_sync *s)
{
    char path[FS_PATH_MAX];
    if (s->snapshot_staged && snapshot_path(s, path))
        note_small_file(s, path, small_file_publish(s->fs, path));
    if (s->err == 0 && s->epochs_staged && epochs_path(s, path))
        note_small_file(s, path, small_file_publish(s->fs, path));
}

// `first` stands for all with its volume: that is one sync, and one failure for all of them.
static int sync_volume(struct log_sync *const *all, int count, struct log_sync *first)
{
    int err = fs_file_sync_all(first->volume->file);
    first->syncs++;
    for (int i = 0; i < count; i++)
        if (all[i]->volume == first->volume)
            fail(all[i], err, "the file system");
    return err;
}

static void run_volume(struct log_sync *const *all, int count, struct log_sync *first)
{
    bool staged = false;
    for (int i = 0; i < count; i++) {
        struct log_sync *s = all[i];
        if (s->volume != first->volume)
            continue;
        s->whole = true;
        stage_small_files(s);
        staged |= s->snapshot_staged || s->epochs_staged;
    }
    if (sync_volume(all, count, first) < 0 || !staged)
        return;
    for (int i = 0; i < count; i++)
        if (all[i]->volume == first->volume && all[i]->err == 0)
            publish_small_files(all[i]);
    sync_volume(all, count, first);
}

// About how many syncs of single files and directories it would take.
static int syncs_of(const struct log_sync *s)
{
    return s->file_count + s->base_count + 2 * s->write_snapshot + 2 * s->write_epochs +
           s->sync_parent + (s->sync_dir || s->sync_parent);
}

// The first of its volume decides for all of them.
static bool volume_wins(struct log_sync *const *all, int count, int index)
{
    const struct log_sync *first = all[index];
    int syncs = 0;
    for (int i = 0; i < index; i++)
        if (all[i]->volume == first->volume)
            return false;
    for (int i = index; i < count; i++) {
        if (all[i]->volume != first->volume)
            continue;
        if (all[i]->whole)
            return true;
        syncs += syncs_of(all[i]);
    }
    return syncs >= first->volume_syncs_min;
}

bool log__sync_is_divisible(struct log_sync *const *all, int count)
{
    for (int i = 0; i < count; i++)
        if (all[i]->sync_parent || (all[i]->volume != NULL && volume_wins(all, count, i)))
            return false;
    return true;
}

void log__sync_run(struct log_sync *const *all, int count)
{
    for (int i = 0; i < count; i++)
        if (all[i]->volume != NULL && volume_wins(all, count, i))
            run_volume(all, count, all[i]);
    for (int i = 0; i < count; i++)
        if (!all[i]->whole)
            run_each(all[i]);
    run_parents(all, count);
}

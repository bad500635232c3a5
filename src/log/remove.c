// SPDX-License-Identifier: Apache-2.0
//
// What takes records away: truncation at the end, retention and DeleteRecords at the start.
//
// A crash in the middle must never look like damage or bring back a part: truncation lowers the
// recovery point on disk before it touches a file and removes segments newest first, each durably;
// at the start nothing is removed before a higher log start offset is on disk.
#include <inttypes.h>

#include "base/err.h"
#include "env/clock.h"
#include "log/dir.h"
#include "log/dir_internal.h"
#include "log/internal.h"
#include "log/names.h"
#include "log/small_file.h"

// ---- At the end ----

// Puts a recovery point and a start that hold during the truncation on disk.
static int lower_checkpoints(struct log *log, int64_t recovery_point, int64_t start_offset,
                             int64_t cleaner_offset_max)
{
    int64_t old_recovery_point = log->recovery_point, old_start = log->start_offset;
    int64_t old_cleaner_offset = log->cleaner_offset;
    unsigned what = LOG_SAVE_RECOVERY_POINTS | LOG_SAVE_START_OFFSETS;
    if (old_recovery_point <= recovery_point && log->saved_recovery_point <= recovery_point &&
        old_start == start_offset && old_cleaner_offset <= cleaner_offset_max)
        return 0;
    if (log->recovery_point > recovery_point)
        log->recovery_point = recovery_point;
    log->start_offset = start_offset;
    // What comes instead of the compacted end was not looked at: a key that is deleted there would come
    // back with an older value.
    if (log->cleaner_offset > cleaner_offset_max) {
        log->cleaner_offset = cleaner_offset_max;
        what |= LOG_SAVE_CLEANER_OFFSETS;
    }
    int err = 0;
    if (log->home != NULL && log_dir__has_entries(log))
        err = log_dir__write_checkpoints(log->home, what);
    if (err < 0) {
        log->recovery_point = old_recovery_point;
        log->start_offset = old_start;
        log->cleaner_offset = old_cleaner_offset;
    }
    return err;
}

static int drop_last_segment(struct log *log)
{
    struct segment *last = log__active(log);
    int err = segment_remove_files(&log->env, last->base_offset, false);
    if (err == 0)
        err = fs_dir_sync(log->env.fs, log->path);
    if (err == 0) {
        segment_free(&log->env, last);
        log->segment_count--;
    }
    return err;
}

static void lower_offsets(struct log *log, int64_t end_offset)
{
    log->end_offset = end_offset;
    if (log->opened_end_offset > end_offset)
        log->opened_end_offset = end_offset;
    if (log->durable_offset > end_offset)
        log->durable_offset = end_offset;
    if (log->recovery_point > end_offset)
        log->recovery_point = end_offset;
    if (log->high_watermark > end_offset)
        log->high_watermark = end_offset;
    if (log->snapshot_offset > end_offset)
        log->snapshot_offset = -1;
    log->truncations++;
}

// On a full disk, or while a sync replaces the file with what was true before, it keeps epochs above
// the log end, which the next start drops.
static int write_epochs_if_room(struct log *log)
{
    log->epochs_dirty = true;
    if (log->epochs_writing)
        return 0;
    int err = log__write_epochs(log);
    return err == ERR_NOSPC ? 0 : err;
}

// The recovery point at the new end promises that the producers below it are on disk, since what they
// could be read from again may be deleted. Without room for that, nothing is promised: the next
// recovery reads everything.
static int write_producers_if_room(struct log *log)
{
    char path[FS_PATH_MAX];
    struct fs_file *file;
    if (!log_file_path(path, log->path, log->end_offset, LOG_FILE_SNAPSHOT))
        return ERR_LIMIT;
    int err = log__write_snapshot(log, log->end_offset);
    if (err == 0)
        err = fs_open(log->env.fs, path, FS_WRITE, &file);
    if (err == 0) {
        err = fs_file_sync(file);
        fs_file_close(file);
    }
    if (err != ERR_NOSPC)
        return err;
    log->recovery_point = log->segments[0]->base_offset;
    return 0;
}

// Goes back from segment number *index to the last one that keeps a batch below `offset`, so that no
// offsets are missing at the new end: a reader would wait for them.
static int step_back_to_batch(struct log *log, int64_t offset, int *index)
{
    for (; *index > 0; --*index) {
        struct segment *s = log->segments[*index];
        int64_t position;
        struct batch_header h;
        int found = segment_find(&log->env, s, s->base_offset, &position, &h);
        if (found == ERR_IO)
            return found;
        if (found < 0 || (found == 1 && batch_last_offset(&h) < offset))
            break;
    }
    return 0;
}

static int truncate_to(struct log *log, int64_t offset)
{
    // The new end may be below `offset` (inside a batch, in a gap), but not below the segment's base.
    // Where offsets may be missing it may be below that, too, if nothing of the segment stays.
    int index = log__segment_at(log, offset), err = 0;
    if (log->config.cleanup_compact || log->compacted)
        err = step_back_to_batch(log, offset, &index);
    int64_t end = log->segments[index]->base_offset;
    if (err == 0)
        err = lower_checkpoints(log, end, log->start_offset, end);
    if (err < 0)
        return err;
    while (err == 0 && log->segment_count > 1 &&
           (log->segment_count > index + 1 || log__active(log)->base_offset >= offset))
        err = drop_last_segment(log);
    if (err == 0)
        err = segment_truncate(&log->env, log__active(log), offset, &end);
    if (err == 0)
        lower_offsets(log, end);
    if (err == 0 && epoch_cache_truncate_end(&log->epochs, end))
        err = write_epochs_if_room(log);
    if (err == 0)
        err = log__rebuild_producers(log, INT64_MAX);
    if (err == 0)
        err = write_producers_if_room(log);
    if (err == 0)
        err = fs_dir_sync(log->env.fs, log->path);
    if (err < 0)
        log__set_offline(log, "%s: a truncation to offset %" PRId64 " stopped half way: %s", log->path,
                         offset, err_text(err));
    return err;
}

// Whether a log cut at `offset` ends at its start or above: 1, 0, or an error.
static int has_batches_below(struct log *log, int64_t offset)
{
    if (log->segments[0]->base_offset == log->start_offset)
        return 1;
    for (int i = log__segment_at(log, log->start_offset); i < log->segment_count; i++) {
        int64_t position;
        struct batch_header h;
        int found = segment_find(&log->env, log->segments[i], log->start_offset, &position, &h);
        if (found < 0)
            return found;
        // The batch at the start goes as a whole; it is enough if another ends where it begins.
        if (found == 1)
            return batch_last_offset(&h) < offset || h.base_offset == log->start_offset;
    }
    return 1;
}

int log_truncate_to(struct log *log, int64_t offset)
{
    int err = log_load(log);
    if (err < 0 || offset >= log->end_offset)
        return err;
    if (log->home != NULL && log_dir__is_saving(log->home))
        return ERR_AGAIN;
    err = log__end_cleaning(log);
    if (err < 0)
        return err;
    if (offset < log->start_offset)
        return log_truncate_fully_and_start_at(log, offset);
    // Nothing may be left between the start and the new end: then the log begins again at its start.
    int left = has_batches_below(log, offset);
    if (left == 0)
        return log_truncate_fully_and_start_at(log, log->start_offset);
    err = left < 0 ? left : truncate_to(log, offset);
    return err < 0 ? log__failed(log, err, "truncating") : 0;
}

static int truncate_fully(struct log *log, int64_t offset)
{
    // Old and new life share no offset that a recovery point could speak for.
    int err = lower_checkpoints(log, -1, log->start_offset < offset ? log->start_offset : offset,
                                offset);
    while (err == 0 && log->segment_count > 1)
        err = drop_last_segment(log);
    if (err == 0)
        err = log__restart_at(log, offset, env_wall_ms(log->clock));
    if (err == 0)
        err = write_epochs_if_room(log);
    if (err == 0)
        err = fs_dir_sync(log->env.fs, log->path);
    log->snapshot_offset = -1;
    if (log->segment_count == 0)
        log__set_offline(log, "%s: emptied, but a new segment could not be made: %s", log->path,
                         err_text(err));
    return err;
}

int log_truncate_fully_and_start_at(struct log *log, int64_t offset)
{
    int err = log_load(log);
    if (err < 0)
        return err;
    if (offset < 0)
        return ERR_LIMIT;
    if (log->home != NULL && log_dir__is_saving(log->home))
        return ERR_AGAIN;
    err = log__end_cleaning(log);
    if (err < 0)
        return err;
    err = truncate_fully(log, offset);
    return err < 0 ? log__failed(log, err, "truncating") : 0;
}

// ---- At the start ----

static void raise_start(struct log *log, int64_t offset)
{
    log->start_offset = offset;
    if (log->high_watermark < offset)
        log->high_watermark = offset;
    log->epochs_dirty |= epoch_cache_truncate_start(&log->epochs, offset);
}

int log_set_start_offset(struct log *log, int64_t offset)
{
    int err = log_load(log);
    if (err < 0)
        return err;
    if (offset > log->high_watermark)
        return ERR_LIMIT;
    if (offset > log->start_offset)
        raise_start(log, offset);
    return 0;
}

// The time that retention.ms counts from.
static int newest_time(struct log *log, struct segment *s, int64_t *out)
{
    bool was_open = s->files != NULL;
    int err = segment_load_times(&log->env, s);
    if (err < 0)
        return err;
    if (!was_open)
        segment_close(&log->env, s);
    *out = s->max_timestamp;
    if (s->max_timestamp >= 0)
        return 0;
    char path[FS_PATH_MAX];
    struct fs_stat stat;
    if (!segment_path(&log->env, s, LOG_FILE_LOG, path))
        return ERR_LIMIT;
    err = fs_stat(log->env.fs, path, &stat);
    if (err == 0)
        *out = stat.modified_ms;
    return err;
}

// Whether segment number `index` is to go, given the bytes from it on: 1, 0, or an error.
static int has_expired(struct log *log, int index, int64_t size_from, int64_t now_ms)
{
    struct segment *s = log->segments[index];
    bool last = index + 1 == log->segment_count;
    int64_t end = log__segment_end(log, index);
    if (end > log->high_watermark || (last && s->size == 0))
        return 0;
    if (!last && end <= log->start_offset)
        return 1;
    if (!log->config.cleanup_delete)
        return 0;
    if (log->config.retention_bytes >= 0 && size_from - s->size >= log->config.retention_bytes)
        return 1;
    if (log->config.retention_ms < 0)
        return 0;
    int64_t newest, age;
    int err = newest_time(log, s, &newest);
    if (err < 0)
        return err;
    return !__builtin_sub_overflow(now_ms, newest, &age) && age > log->config.retention_ms;
}

static int count_expired(struct log *log, int64_t now_ms)
{
    int64_t size = 0;
    for (int i = 0; i < log->segment_count; i++) {
        int err = segment_load_size(&log->env, log->segments[i]);
        if (err < 0)
            return err;
        size += log->segments[i]->size;
    }
    int count = 0;
    while (count < log->segment_count) {
        int expired = has_expired(log, count, size, now_ms);
        if (expired <= 0)
            return expired < 0 ? expired : count;
        size -= log->segments[count++]->size;
    }
    return count;
}

int log_apply_retention(struct log *log, int64_t now_ms)
{
    int err = log__check(log);
    if (err < 0 || (log->segment_count <= 1 && log->start_offset == log->end_offset))
        return err;
    int count = count_expired(log, now_ms);
    if (count > 0)
        err = log_load(log); // only now: most logs have nothing to lose
    if (err == 0 && count == log->segment_count)
        err = log__roll_to(log, log->end_offset, now_ms);
    if (count < 0 || err < 0)
        return log__failed(log, count < 0 ? count : err, "applying retention");
    if (count > 0 && log->segments[count]->base_offset > log->start_offset)
        raise_start(log, log->segments[count]->base_offset);
    return count;
}

void log__discard_files(struct log *log, int64_t base_offset)
{
    enum log_file_kind kinds[] = {LOG_FILE_LOG, LOG_FILE_INDEX, LOG_FILE_TIME_INDEX,
                                  LOG_FILE_TXN_INDEX};
    for (int i = 0; i < 4; i++) {
        char deleted[FS_PATH_MAX];
        if (!log_file_state_path(deleted, log->path, base_offset, kinds[i], LOG_FILE_DELETED))
            continue;
        if (log->home != NULL)
            log_dir__discard(log->home, deleted, false, log->config.file_delete_delay_ms);
        else
            small_file_remove(log->env.fs, deleted);
    }
}

int log_delete_segments_below(struct log *log, int64_t offset)
{
    int err = log__check(log), count = 0;
    // Of a log that nobody used since its clean stop the start may still turn out to be wrong.
    if (!log->loaded)
        return err;
    // A compaction reads them. There is another pass after it.
    if (log->cleaning != NULL)
        return err;
    // The name of the segment that is to be the first may not be on disk yet: without it, a crash leaves
    // a log that ends below its recovery point.
    if (log__dir_is_dirty(log))
        return err;
    // Above the recovery point no producer snapshot is safe that could stand for the segment, and above
    // the one on disk recovery does not know that it is.
    if (offset > log->recovery_point)
        offset = log->recovery_point;
    if (offset > log->saved_recovery_point)
        offset = log->saved_recovery_point;
    while (err == 0 && log->segment_count > 1 && log->segments[1]->base_offset <= offset) {
        struct segment *s = log->segments[0];
        char snapshot[FS_PATH_MAX];
        err = segment_remove_files(&log->env, s->base_offset, true);
        if (err < 0)
            break;
        if (log_file_path(snapshot, log->path, s->base_offset, LOG_FILE_SNAPSHOT))
            err = small_file_remove(log->env.fs, snapshot);
        log__discard_files(log, s->base_offset);
        segment_free(&log->env, s);
        memmove(log->segments, log->segments + 1,
                (size_t)--log->segment_count * sizeof(struct segment *));
        log->removed_dirty = true;
        log__note_dir_change(log);
        count++;
    }
    return err < 0 ? log__failed(log, err, "removing segments") : count;
}

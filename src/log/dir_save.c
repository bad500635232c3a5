// SPDX-License-Identifier: Apache-2.0
//
// Writing the checkpoints of a log directory beside its work: first what raised recovery points need is
// synced, then the files are replaced; when higher start offsets are on disk, the segments below go.
#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "log/dir_internal.h"
#include "log/dir_state.h"
#include "log/small_file.h"

static const struct {
    unsigned kind;
    const char *file;
} checkpoints[LOG_SAVE_KINDS] = {
    {LOG_SAVE_RECOVERY_POINTS, CHECKPOINT_RECOVERY_POINTS},
    {LOG_SAVE_START_OFFSETS, CHECKPOINT_START_OFFSETS},
    {LOG_SAVE_HIGH_WATERMARKS, CHECKPOINT_HIGH_WATERMARKS},
};

static void save_start(struct log_dir *dir);

void dir__save_init(struct log_dir *dir)
{
    list_init(&dir->save.waits);
    list_init(&dir->save.pending_waits);
    for (int i = 0; i < LOG_SAVE_KINDS; i++)
        buf_init(&dir->save.texts[i], CHECKPOINT_TEXT_MAX);
}

void dir__save_release(struct log_dir *dir)
{
    check(!dir->save.running);
    for (int i = 0; i < LOG_SAVE_KINDS; i++)
        buf_release(&dir->save.texts[i]);
}

void dir__save_forget(struct log_dir *dir, struct log *log)
{
    for (int i = 0; i < dir->save.sync_count; i++)
        if (dir->save.syncs[i].log == log)
            log__sync_forget(&dir->save.syncs[i]);
}

bool log_dir__is_saving(const struct log_dir *dir)
{
    return dir->save.running;
}

bool log_dir_is_idle(const struct log_dir *dir)
{
    return !dir->save.running && !dir->discards.running;
}

// ---- Texts ----

// The offset of a log in a checkpoint, or -1 when it has no entry there. Apache Kafka keeps no entry
// for the metadata log, and start offsets only where the segments do not say them. What is not on disk
// yet has none either: the next of that name may be another's.
static int64_t checkpoint_offset(const struct log *log, unsigned kind)
{
    if (log->planned || strcmp(log->topic, METADATA_TOPIC) == 0)
        return -1;
    if (kind == LOG_SAVE_RECOVERY_POINTS)
        return log->recovery_point > 0 ? log->recovery_point : 0;
    if (kind == LOG_SAVE_HIGH_WATERMARKS)
        return log->high_watermark;
    bool said = log->segment_count > 0 && log->segments[0]->base_offset >= log->start_offset;
    return said && !log->removed_dirty ? -1 : log->start_offset;
}

void dir__set_unclaimed(struct log_dir *dir, const struct log_dir_scan *scan)
{
    dir__unclaimed_release(dir);
    dir->found = mem_alloc_array((size_t)scan->count + 1, sizeof *dir->found);
    for (int i = 0; i < scan->count; i++) {
        const struct log_dir_partition *p = &scan->partitions[i];
        if (p->future)
            continue;
        dir->found[dir->found_count++] = (struct dir_unclaimed){
            .topic = mem_copy_text(p->topic),
            .partition = p->partition,
            .offsets = {p->recovery_point, p->log_start_offset, p->high_watermark},
        };
    }
    dir->unclaimed_count = dir->found_count;
}

void dir__unclaimed_release(struct log_dir *dir)
{
    for (int i = 0; i < dir->found_count; i++)
        mem_free(dir->found[i].topic);
    mem_free(dir->found);
    dir->found = NULL;
    dir->found_count = dir->unclaimed_count = 0;
}

void dir__claim(struct log_dir *dir, struct str topic, int32_t partition)
{
    int low = 0, high = dir->found_count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        struct dir_unclaimed *u = &dir->found[middle];
        int order = str_compare(topic, str_from(u->topic));
        if (order == 0)
            order = (partition > u->partition) - (partition < u->partition);
        if (order == 0) {
            dir->unclaimed_count -= !u->claimed;
            u->claimed = true;
            break;
        }
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (dir->unclaimed_count == 0)
        dir__unclaimed_release(dir);
}

static bool has_unclaimed_entry(const struct dir_unclaimed *u, int index)
{
    return !u->claimed && u->offsets[index] >= 0;
}

void dir__format_checkpoint(const struct log_dir *dir, unsigned kind, struct buf *out)
{
    int count = 0, index = __builtin_ctz(kind);
    for (int i = 0; i < dir->found_count; i++)
        count += has_unclaimed_entry(&dir->found[i], index);
    list_for_each(node, next, &dir->logs)
        count += checkpoint_offset(container_of(node, struct log, home_node), kind) >= 0;
    checkpoint_format_begin(out, count);
    for (int i = 0; i < dir->found_count; i++) {
        const struct dir_unclaimed *u = &dir->found[i];
        if (has_unclaimed_entry(u, index))
            checkpoint_format_entry(out, str_from(u->topic), u->partition, u->offsets[index]);
    }
    list_for_each(node, next, &dir->logs) {
        const struct log *log = container_of(node, struct log, home_node);
        int64_t offset = checkpoint_offset(log, kind);
        if (offset >= 0)
            checkpoint_format_entry(out, log_topic(log), log->partition, offset);
    }
}

static int write_text(struct log_dir *dir, int index, struct bytes text, char path[FS_PATH_MAX])
{
    int err = dir__path(dir, checkpoints[index].file, path);
    return err < 0 ? err : small_file_replace(dir->env->fs, path, text);
}

// Recovery points are about to be written, or are on disk.
static void note_saving(struct log_dir *dir)
{
    list_for_each(node, next, &dir->logs) {
        struct log *log = container_of(node, struct log, home_node);
        log->saving_recovery_point = log->recovery_point;
    }
}

static void note_saved(struct log_dir *dir)
{
    list_for_each(node, next, &dir->logs) {
        struct log *log = container_of(node, struct log, home_node);
        log->saved_recovery_point = log->saving_recovery_point;
    }
}

int log_dir__write_checkpoints(struct log_dir *dir, unsigned what)
{
    check(!dir->save.running);
    int err = 0;
    for (int i = 0; i < LOG_SAVE_KINDS && err == 0; i++) {
        char path[FS_PATH_MAX];
        struct buf text;
        if ((what & checkpoints[i].kind) == 0)
            continue;
        buf_init(&text, CHECKPOINT_TEXT_MAX);
        dir__format_checkpoint(dir, checkpoints[i].kind, &text);
        err = text.failed ? ERR_LIMIT : write_text(dir, i, buf_bytes(&text), path);
        buf_release(&text);
        if (err == 0 && checkpoints[i].kind == LOG_SAVE_RECOVERY_POINTS) {
            note_saving(dir);
            note_saved(dir);
        }
    }
    return err;
}

// ---- Second work: the files ----

static void save_finish(struct log_dir *dir, int err)
{
    struct dir_save *save = &dir->save;
    struct list waits;
    list_init(&waits);
    list_move_all(&waits, &save->waits);
    save->running = false;
    if (save->pending != 0)
        save_start(dir);
    struct list_node *node;
    while ((node = list_pop(&waits)) != NULL) {
        struct log_save_wait *wait = container_of(node, struct log_save_wait, node);
        wait->done(wait, err);
    }
}

static bool is_written(const struct dir_save *save, int index)
{
    return (save->what & (checkpoints[index].kind | LOG_SAVE_ENTRIES)) != 0;
}

static void files_run(struct env_work *work)
{
    struct log_dir *dir = container_of(work, struct log_dir, save.work);
    struct dir_save *save = &dir->save;
    for (int i = 0; i < LOG_SAVE_KINDS && save->err == 0; i++)
        if (is_written(save, i)) {
            save->err = write_text(dir, i, buf_bytes(&save->texts[i]), save->where);
            if (save->err == 0)
                save->written |= checkpoints[i].kind;
        }
}

// Start offsets are on disk: what lies below them may go.
static void delete_below_start(struct log_dir *dir)
{
    list_for_each(node, next, &dir->logs) {
        struct log *log = container_of(node, struct log, home_node);
        if (log->saving_start_offset >= 0 && !log_is_offline(log))
            log_delete_segments_below(log, log->saving_start_offset);
        log->saving_start_offset = -1;
    }
}

static void files_done(struct env_work *work)
{
    struct log_dir *dir = container_of(work, struct log_dir, save.work);
    struct dir_save *save = &dir->save;
    int err = save->err;
    if (err == ERR_IO) {
        char why[FS_PATH_MAX + 64];
        snprintf(why, sizeof why, "%s: %s", save->where, err_text(err));
        log_dir_fail(dir, err, why);
    }
    if (save->written & LOG_SAVE_RECOVERY_POINTS)
        note_saved(dir);
    if (err == 0 && (save->what & LOG_SAVE_ENTRIES))
        dir__former_saved(dir);
    if (err == 0 && dir->offline)
        err = ERR_OFFLINE;
    if (err == 0 && (save->what & LOG_SAVE_START_OFFSETS))
        delete_below_start(dir);
    save_finish(dir, err);
}

static void files_submit(struct log_dir *dir)
{
    struct dir_save *save = &dir->save;
    for (int i = 0; i < LOG_SAVE_KINDS; i++) {
        buf_clear(&save->texts[i]);
        if (is_written(save, i))
            dir__format_checkpoint(dir, checkpoints[i].kind, &save->texts[i]);
        if (save->texts[i].failed)
            save->err = ERR_LIMIT;
    }
    save->written = 0;
    note_saving(dir);
    dir__former_saving(dir, (save->what & LOG_SAVE_ENTRIES) != 0);
    if (save->what & LOG_SAVE_START_OFFSETS)
        list_for_each(node, next, &dir->logs) {
            struct log *log = container_of(node, struct log, home_node);
            log->saving_start_offset = log->start_offset;
        }
    save->work = (struct env_work){.run = files_run, .done = files_done};
    env_work_submit(dir->env->workers, &save->work);
}

// ---- First work: what raised recovery points need ----

static void syncs_run(struct env_work *work)
{
    struct log_dir *dir = container_of(work, struct log_dir, save.work);
    log__sync_run(dir->save.sync_list, dir->save.sync_count);
}

static void syncs_done(struct env_work *work)
{
    struct log_dir *dir = container_of(work, struct log_dir, save.work);
    struct dir_save *save = &dir->save;
    int count = save->sync_count;
    save->sync_count = 0; // from here on a log that goes has no sync of ours any more
    for (int i = 0; i < count; i++)
        log__sync_end(&save->syncs[i]);
    mem_free(save->syncs);
    mem_free(save->sync_list);
    save->syncs = NULL;
    save->sync_list = NULL;
    if (dir->offline)
        save_finish(dir, ERR_OFFLINE);
    else
        files_submit(dir);
}

static bool needs_sync(const struct log *log)
{
    return log->loaded && !log_is_offline(log) &&
           (log->end_offset > log->recovery_point || log__dir_is_dirty(log) || log->parent_dirty);
}

static void syncs_submit(struct log_dir *dir)
{
    struct dir_save *save = &dir->save;
    save->syncs = mem_alloc_array((size_t)dir->log_count + 1, sizeof *save->syncs);
    save->sync_list = mem_alloc_array((size_t)dir->log_count + 1, sizeof(struct log_sync *));
    int count = 0;
    list_for_each(node, next, &dir->logs)
        count += needs_sync(container_of(node, struct log, home_node));
    unsigned flags = LOG_SYNC_FULL | (dir__syncs_whole(dir, count) ? LOG_SYNC_WHOLE : 0);
    list_for_each(node, next, &dir->logs) {
        struct log *log = container_of(node, struct log, home_node);
        if (!needs_sync(log))
            continue;
        // If it cannot be now (a full disk, another sync at it), the recovery point stays.
        int err = log__sync_begin(log, flags, &save->syncs[save->sync_count]);
        if (err == ERR_IO)
            log__failed(log, err, "syncing");
        if (err == 0) {
            save->sync_list[save->sync_count] = &save->syncs[save->sync_count];
            save->sync_count++;
        }
    }
    save->work = (struct env_work){.run = syncs_run, .done = syncs_done};
    env_work_submit(dir->env->workers, &save->work);
}

// Segments below a new start take producers with them, so a snapshot of these must be on disk before:
// the one that a higher recovery point comes with. So must the name of the segment that becomes the
// first.
static bool removal_needs_sync(const struct log_dir *dir)
{
    list_for_each(node, next, &dir->logs) {
        const struct log *log = container_of(node, struct log, home_node);
        if (log->segment_count > 1 && log->segments[1]->base_offset <= log->start_offset &&
            (log->recovery_point < log->start_offset ||
             log->saved_recovery_point < log->start_offset || log__dir_is_dirty(log)))
            return true;
    }
    return false;
}

static void save_start(struct log_dir *dir)
{
    struct dir_save *save = &dir->save;
    save->running = true;
    save->what = save->pending;
    save->pending = 0;
    save->err = 0;
    if ((save->what & LOG_SAVE_START_OFFSETS) && removal_needs_sync(dir))
        save->what |= LOG_SAVE_RECOVERY_POINTS;
    list_move_all(&save->waits, &save->pending_waits);
    if (save->what & LOG_SAVE_RECOVERY_POINTS)
        syncs_submit(dir);
    else
        files_submit(dir);
}

void log_dir_save(struct log_dir *dir, unsigned what, struct log_save_wait *wait)
{
    struct dir_save *save = &dir->save;
    check(what != 0);
    if (dir->offline) {
        if (wait != NULL)
            wait->done(wait, ERR_OFFLINE);
        return;
    }
    save->pending |= what;
    if (wait != NULL) {
        wait->node = (struct list_node){0};
        list_append(&save->pending_waits, &wait->node);
    }
    if (!save->running)
        save_start(dir);
}

// SPDX-License-Identifier: Apache-2.0
//
// The parts of a log directory on several shards, and its end: every part closes its logs, then the
// first writes the checkpoints and the mark of a clean stop.
#include <inttypes.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "log/dir_internal.h"
#include "log/dir_state.h"
#include "log/small_file.h"

enum { MARKER_TEXT_MAX = 128 };

// ---- Parts ----

// Those that are open are shared out evenly.
static void share_open_files(struct log_dir *first)
{
    int count = first->open_files_max / (first->link_count + 1);
    first->pool.count_max = count;
    for (int i = 0; i < first->link_count; i++)
        first->links[i]->part->pool.count_max = count;
}

struct log_dir *log_dir_part_new(struct log_dir *dir, const struct log_dir_part_args *args)
{
    check(dir->first == dir && dir->log_count <= 1); // the metadata log may be there
    struct log_dir *part = dir__new(args->env, dir->trace, dir->path);
    part->first = dir;
    part->owner = args->owner;
    part->on_offline = args->on_offline;
    part->offline = dir->offline;
    if (dir->volume != NULL)
        part->volume = file_ref_get(dir->volume);
    part->volume_syncs_min = dir->volume_syncs_min;
    part->can_sync_all = dir->can_sync_all;
    part->volume_id = dir->volume_id;
    segment_pool_init(&part->pool, dir->open_files_max);
    dir__space_init(part, dir->space.reserve_bytes);
    dir__unclaimed_move(part, args);
    dir__former_move(part, args);
    dir__save_link(part);
    share_open_files(dir);
    return part;
}

// ---- Closing ----

static int write_marker(struct log_dir *dir, int64_t broker_epoch)
{
    char path[FS_PATH_MAX];
    struct buf text;
    buf_init(&text, MARKER_TEXT_MAX);
    buf_printf(&text, "{\"version\":0,\"brokerEpoch\":%" PRId64 "}", broker_epoch);
    int err = dir__path(dir, CLEAN_MARKER, path);
    if (err == 0)
        err = small_file_replace(dir->env->fs, path, buf_bytes(&text));
    buf_release(&text);
    return err;
}

// Logs that are to be closed, those with something to sync.
struct closing {
    struct log **logs;
    struct log_sync *syncs;
    struct log_sync **sync_list;
    int count;
    int result; // the first error, and its words
    struct diag *diag;
};

static void note_closing(struct closing *c, const struct log *log, int err)
{
    if (err < 0 && c->result == 0)
        c->result = diag_set(c->diag, err, "%s: %s", log->path, err_text(err));
}

// Begins and ends the sync of `count` logs from number `from` on.
static void sync_closing(struct closing *c, int from, int count, unsigned flags)
{
    int begun = 0;
    for (int i = from; i < from + count; i++) {
        int err = log__sync_begin(c->logs[i], flags, &c->syncs[begun]);
        if (err == 0)
            begun++;
        else
            note_closing(c, c->logs[i], log__failed(c->logs[i], err, "closing"));
    }
    log__sync_run(c->sync_list, begun);
    for (int i = 0; i < begun; i++) {
        struct log *log = c->syncs[i].log;
        int err = c->syncs[i].soft_err;
        log__sync_end(&c->syncs[i]);
        if (err < 0)
            note_closing(c, log, log__failed(log, err, "closing"));
    }
}

static void close_logs(struct log_dir *dir, struct closing *c)
{
    list_for_each(node, next, &dir->logs) {
        struct log *log = container_of(node, struct log, home_node);
        if (log->offline)
            continue; // damaged: it stays as it was found, and so does what the checkpoints say of it
        int err = log__close_begin(log);
        if (err == 1)
            c->logs[c->count++] = log;
        note_closing(c, log, err);
        // Sealing opened them; all together may be more than descriptors allow. (The first call only
        // forgets that they were just used.)
        log_close_idle_files(log);
        log_close_idle_files(log);
    }
    if (dir__syncs_whole(dir, c->count))
        sync_closing(c, 0, c->count, LOG_SYNC_FULL | LOG_SYNC_WHOLE);
    else
        for (int i = 0; i < c->count; i++) // one at a time: each holds its files open
            sync_closing(c, i, 1, LOG_SYNC_FULL);
    list_for_each(node, next, &dir->logs) {
        struct log *log = container_of(node, struct log, home_node);
        if (!log->offline)
            note_closing(c, log, log__close_end(log));
    }
}

static int close_all_logs(struct log_dir *dir, struct diag *diag)
{
    size_t count = (size_t)dir->log_count + 1;
    struct closing c = {
        .logs = mem_alloc_array(count, sizeof(struct log *)),
        .syncs = mem_alloc_array(count, sizeof *c.syncs),
        .sync_list = mem_alloc_array(count, sizeof(struct log_sync *)),
        .diag = diag,
    };
    for (size_t i = 0; i < count; i++)
        c.sync_list[i] = &c.syncs[i];
    close_logs(dir, &c);
    mem_free(c.logs);
    mem_free(c.syncs);
    mem_free(c.sync_list);
    return c.result;
}

void log_dir_part_close(struct log_dir *part)
{
    check(part->link != NULL && !log_dir__is_saving(part));
    part->closed = true;
    part->close_result = ERR_OFFLINE;
    if (part->offline)
        return;
    int result = close_all_logs(part, &part->close_diag);
    int err = dir__note_entries(part);
    if (result == 0 && err < 0)
        result = diag_set(&part->close_diag, err, "%s: %s", part->path, err_text(err));
    if (!part->offline)
        part->close_result = result;
}

// The first of the other parts that did not close well.
static int parts_result(const struct log_dir *dir, struct diag *diag)
{
    for (int i = 0; i < dir->link_count; i++) {
        const struct log_dir *part = dir->links[i]->part;
        check(part->closed);
        if (part->close_result < 0)
            return diag_set(diag, part->close_result, "%s", part->close_diag.text);
    }
    return 0;
}

int log_dir_close(struct log_dir *dir, int64_t broker_epoch, struct diag *diag)
{
    check(dir->first == dir && !log_dir__is_saving(dir));
    dir->closed = true;
    if (dir->offline)
        return ERR_OFFLINE;
    int result = close_all_logs(dir, diag);
    int parts = parts_result(dir, diag);
    if (dir->offline || parts == ERR_OFFLINE)
        return ERR_OFFLINE;
    if (result == 0)
        result = parts;
    int err = log_dir__write_checkpoints(dir, LOG_SAVE_RECOVERY_POINTS | LOG_SAVE_START_OFFSETS |
                                                  LOG_SAVE_HIGH_WATERMARKS |
                                                  LOG_SAVE_CLEANER_OFFSETS);
    if (err == 0 && result == 0)
        dir__write_cache(dir);
    if (err == 0 && result == 0)
        err = write_marker(dir, broker_epoch);
    if (err < 0)
        return diag_set(diag, err, "%s: %s", dir->path, err_text(err));
    char path[FS_PATH_MAX];
    if (result == 0 && dir__path(dir, ".lock", path) == 0)
        fs_remove(dir->env->fs, path); // Kafka's is gone after a clean stop, too
    return result;
}

// SPDX-License-Identifier: Apache-2.0
//
// Writing the checkpoints of a log directory beside its work: first what raised recovery points need is
// synced, then the files are replaced; when higher start offsets are on disk, the segments below go. The
// first and the last are done by each part of the directory for its own logs, the files are written by
// the first part for all; with one part no message is sent.
#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "log/dir_internal.h"
#include "log/dir_state.h"
#include "log/names.h"
#include "log/small_file.h"

static const struct {
    unsigned kind;
    const char *file;
} checkpoints[LOG_SAVE_KINDS] = {
    {LOG_SAVE_RECOVERY_POINTS, CHECKPOINT_RECOVERY_POINTS},
    {LOG_SAVE_START_OFFSETS, CHECKPOINT_START_OFFSETS},
    {LOG_SAVE_HIGH_WATERMARKS, CHECKPOINT_HIGH_WATERMARKS},
    {LOG_SAVE_CLEANER_OFFSETS, CHECKPOINT_CLEANER},
};

void dir__save_init(struct log_dir *dir)
{
    list_init(&dir->save.waits);
    list_init(&dir->save.pending_waits);
    for (int i = 0; i < LOG_SAVE_KINDS; i++) {
        buf_init(&dir->save.entries[i], CHECKPOINT_TEXT_MAX);
        buf_init(&dir->gather.texts[i], CHECKPOINT_TEXT_MAX);
    }
}

void dir__save_release(struct log_dir *dir)
{
    check(!dir->save.running && !dir->gather.running);
    for (int i = 0; i < LOG_SAVE_KINDS; i++) {
        buf_release(&dir->save.entries[i]);
        buf_release(&dir->gather.texts[i]);
    }
    for (int i = 0; i < dir->link_count; i++)
        mem_free(dir->links[i]);
    mem_free(dir->links);
}

void dir__save_forget(struct log_dir *dir, struct log *log)
{
    for (int i = 0; i < dir->save.sync_count; i++)
        if (dir->save.syncs[i].log == log)
            log__sync_forget(&dir->save.syncs[i]);
}

bool log_dir__is_saving(const struct log_dir *dir)
{
    return dir->save.running || dir->gather.running;
}

bool log_dir_is_idle(const struct log_dir *dir)
{
    bool asks = dir->link != NULL && (dir->link->asking || dir->save.pending != 0);
    return !log_dir__is_saving(dir) && !asks && !dir->discards.running;
}

// ---- Texts ----

bool log_dir__has_entries(const struct log *log)
{
    return strcmp(log->topic, METADATA_TOPIC) != 0;
}

// The offset of a log in a checkpoint, or -1 when it has no entry there. Apache Kafka keeps no entry
// for the metadata log, and start offsets only where the segments do not say them. What is not on disk
// yet has none either: the next of that name may be another's.
static int64_t checkpoint_offset(const struct log *log, unsigned kind)
{
    if (log->planned || !log_dir__has_entries(log))
        return -1;
    if (kind == LOG_SAVE_RECOVERY_POINTS)
        return log->recovery_point > 0 ? log->recovery_point : 0;
    if (kind == LOG_SAVE_HIGH_WATERMARKS)
        return log->high_watermark;
    if (kind == LOG_SAVE_CLEANER_OFFSETS)
        return log->cleaner_offset;
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
            .offsets = {p->recovery_point, p->log_start_offset, p->high_watermark, p->cleaner_offset},
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

void dir__unclaimed_move(struct log_dir *part, const struct log_dir_part_args *args)
{
    struct log_dir *from = part->first;
    int kept = 0;
    part->found = mem_alloc_array((size_t)from->found_count + 1, sizeof *part->found);
    for (int i = 0; i < from->found_count; i++) {
        struct dir_unclaimed *u = &from->found[i];
        if (args->takes(args->context, str_from(u->topic), u->partition))
            part->found[part->found_count++] = *u;
        else
            from->found[kept++] = *u;
    }
    from->found_count = from->unclaimed_count = kept;
    part->unclaimed_count = part->found_count;
    if (part->found_count == 0)
        dir__unclaimed_release(part);
    if (kept == 0)
        dir__unclaimed_release(from);
}

static bool has_unclaimed_entry(const struct dir_unclaimed *u, int index)
{
    return !u->claimed && u->offsets[index] >= 0;
}

// Notes one line for each entry of this part.
static void note_kind(struct log_dir *dir, int index)
{
    struct buf *out = &dir->save.entries[index];
    unsigned kind = checkpoints[index].kind;
    int count = 0;
    for (int i = 0; i < dir->found_count; i++) {
        const struct dir_unclaimed *u = &dir->found[i];
        if (!has_unclaimed_entry(u, index))
            continue;
        checkpoint_format_entry(out, str_from(u->topic), u->partition, u->offsets[index]);
        count++;
    }
    list_for_each(node, next, &dir->logs) {
        const struct log *log = container_of(node, struct log, home_node);
        int64_t offset = checkpoint_offset(log, kind);
        if (offset < 0)
            continue;
        checkpoint_format_entry(out, log_topic(log), log->partition, offset);
        count++;
    }
    dir->save.entry_counts[index] = count;
}

int dir__note_entries(struct log_dir *dir)
{
    int err = 0;
    for (int i = 0; i < LOG_SAVE_KINDS; i++) {
        buf_clear(&dir->save.entries[i]);
        note_kind(dir, i);
        if (dir->save.entries[i].failed)
            err = ERR_LIMIT;
    }
    return err;
}

// Puts the entries that all parts have noted together.
static void merge(struct log_dir *first, int index, struct buf *out)
{
    int count = first->save.entry_counts[index];
    for (int i = 0; i < first->link_count; i++)
        count += first->links[i]->part->save.entry_counts[index];
    if (checkpoints[index].kind == LOG_SAVE_CLEANER_OFFSETS)
        first->has_cleaned = count > 0;
    buf_clear(out);
    checkpoint_format_begin(out, count);
    buf_append_str(out, buf_str(&first->save.entries[index]));
    for (int i = 0; i < first->link_count; i++)
        buf_append_str(out, buf_str(&first->links[i]->part->save.entries[index]));
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

static void release_entries(struct log_dir *dir)
{
    for (int i = 0; i < LOG_SAVE_KINDS; i++)
        buf_release(&dir->save.entries[i]);
}

int log_dir__write_checkpoints(struct log_dir *dir, unsigned what)
{
    check(!log_dir__is_saving(dir));
    // Another part knows its entries alone, and the first those of the others only when they are closed.
    check(dir->link == NULL && (dir->link_count == 0 || dir->closed));
    int err = dir__note_entries(dir);
    for (int i = 0; i < LOG_SAVE_KINDS && err == 0; i++) {
        char path[FS_PATH_MAX];
        struct buf text;
        bool nothing = checkpoints[i].kind == LOG_SAVE_CLEANER_OFFSETS && !dir->has_cleaned;
        if ((what & checkpoints[i].kind) == 0 || nothing)
            continue;
        buf_init(&text, CHECKPOINT_TEXT_MAX);
        merge(dir, i, &text);
        err = text.failed ? ERR_LIMIT : write_text(dir, i, buf_bytes(&text), path);
        buf_release(&text);
        if (err == 0 && checkpoints[i].kind == LOG_SAVE_RECOVERY_POINTS) {
            note_saving(dir);
            note_saved(dir);
        }
    }
    release_entries(dir);
    return err;
}

static void gather_prepared(struct log_dir *first, unsigned what, int err);
static void gather_heard(struct log_dir *first);

// ---- Preparing: what raised recovery points need, then the entries ----

static void prepare_back(struct env_message *message)
{
    struct dir_link *link = container_of(message, struct dir_link, step);
    gather_prepared(link->part->first, link->what, link->err);
}

static void prepared(struct log_dir *dir)
{
    struct dir_link *link = dir->link;
    if (link == NULL) {
        gather_prepared(dir, dir->save.what, dir->save.err);
        return;
    }
    link->what = dir->save.what;
    link->err = dir->save.err;
    link->step.receive = prepare_back;
    env_post(dir->first->env->mailbox, &link->step);
}

static void note_all(struct log_dir *dir)
{
    struct dir_save *save = &dir->save;
    save->err = dir->offline ? ERR_OFFLINE : dir__note_entries(dir);
    if (save->err == 0) {
        note_saving(dir);
        dir__former_saving(dir, (save->what & LOG_SAVE_ENTRIES) != 0);
    }
    if (save->err == 0 && (save->what & LOG_SAVE_START_OFFSETS))
        list_for_each(node, next, &dir->logs) {
            struct log *log = container_of(node, struct log, home_node);
            log->saving_start_offset = log->start_offset;
        }
    prepared(dir);
}

static void syncs_run(struct env_work *work)
{
    struct log_dir *dir = container_of(work, struct log_dir, save.work);
    log__sync_run(dir->save.sync_list, dir->save.sync_count);
}

static void syncs_done(struct env_work *work)
{
    struct log_dir *dir = container_of(work, struct log_dir, save.work);
    struct dir_save *save = &dir->save;
    // What one log tells its owner may delete another (the metadata's, a topic's), which forgets its sync.
    for (int i = 0; i < save->sync_count; i++)
        log__sync_end(&save->syncs[i]);
    save->sync_count = 0;
    mem_free(save->syncs);
    mem_free(save->sync_list);
    save->syncs = NULL;
    save->sync_list = NULL;
    note_all(dir);
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

static void prepare(struct log_dir *dir, unsigned what)
{
    struct dir_save *save = &dir->save;
    save->running = true;
    save->what = what | save->pending;
    save->pending = 0;
    list_move_all(&save->waits, &save->pending_waits);
    if (!dir->offline && (save->what & LOG_SAVE_START_OFFSETS) && removal_needs_sync(dir))
        save->what |= LOG_SAVE_RECOVERY_POINTS;
    if (!dir->offline && (save->what & LOG_SAVE_RECOVERY_POINTS))
        syncs_submit(dir);
    else
        note_all(dir);
}

static void prepare_came(struct env_message *message)
{
    struct dir_link *link = container_of(message, struct dir_link, step);
    prepare(link->part, link->what);
}

// ---- Finishing ----

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

static void finish(struct log_dir *dir, unsigned written, int err)
{
    struct dir_save *save = &dir->save;
    struct list waits;
    struct list_node *node;
    if (written & LOG_SAVE_RECOVERY_POINTS)
        note_saved(dir);
    if (err == 0 && (save->what & LOG_SAVE_ENTRIES))
        dir__former_saved(dir);
    if (err == 0 && dir->offline)
        err = ERR_OFFLINE;
    if (err == 0 && (save->what & LOG_SAVE_START_OFFSETS))
        delete_below_start(dir);
    release_entries(dir);
    list_init(&waits);
    list_move_all(&waits, &save->waits);
    save->running = false;
    while ((node = list_pop(&waits)) != NULL) {
        struct log_save_wait *wait = container_of(node, struct log_save_wait, node);
        wait->done(wait, err);
    }
}

static void finish_back(struct env_message *message)
{
    gather_heard(container_of(message, struct dir_link, step)->part->first);
}

static void finish_came(struct env_message *message)
{
    struct dir_link *link = container_of(message, struct dir_link, step);
    struct log_dir *part = link->part;
    finish(part, link->written, link->err);
    link->step.receive = finish_back;
    env_post(part->first->env->mailbox, &link->step);
}

// ---- The whole, on the first part's shard ----

static void post_step(struct dir_link *link, void (*receive)(struct env_message *message))
{
    link->step.receive = receive;
    env_post(link->part->env->mailbox, &link->step);
}

static void finish_all(struct log_dir *first)
{
    struct dir_gather *g = &first->gather;
    g->waiting_count = 1 + first->link_count;
    for (int i = 0; i < first->link_count; i++) {
        struct dir_link *link = first->links[i];
        link->written = g->written;
        link->err = g->err;
        post_step(link, finish_came);
    }
    finish(first, g->written, g->err);
    gather_heard(first);
}

static bool is_written(const struct log_dir *first, int index)
{
    unsigned what = first->gather.what, kind = checkpoints[index].kind;
    bool may_have_entries = kind != LOG_SAVE_CLEANER_OFFSETS || first->gather.had_cleaned;
    return (what & kind) != 0 || ((what & LOG_SAVE_ENTRIES) != 0 && may_have_entries);
}

static void files_run(struct env_work *work)
{
    struct log_dir *first = container_of(work, struct log_dir, gather.work);
    struct dir_gather *g = &first->gather;
    for (int i = 0; i < LOG_SAVE_KINDS && g->err == 0; i++)
        if (is_written(first, i)) {
            g->err = write_text(first, i, buf_bytes(&g->texts[i]), g->where);
            if (g->err == 0)
                g->written |= checkpoints[i].kind;
        }
}

static void files_done(struct env_work *work)
{
    struct log_dir *first = container_of(work, struct log_dir, gather.work);
    struct dir_gather *g = &first->gather;
    if (g->err == ERR_IO) {
        char why[FS_PATH_MAX + 64];
        snprintf(why, sizeof why, "%s: %s", g->where, err_text(g->err));
        log_dir_fail(first, g->err, why);
    }
    if (g->err == 0 && first->offline)
        g->err = ERR_OFFLINE;
    for (int i = 0; i < LOG_SAVE_KINDS; i++)
        buf_release(&g->texts[i]);
    finish_all(first);
}

static void files_submit(struct log_dir *first)
{
    struct dir_gather *g = &first->gather;
    g->had_cleaned = first->has_cleaned;
    for (int i = 0; i < LOG_SAVE_KINDS; i++) {
        if (!is_written(first, i))
            continue;
        merge(first, i, &g->texts[i]);
        if (g->texts[i].failed)
            g->err = ERR_LIMIT;
    }
    g->work = (struct env_work){.run = files_run, .done = files_done};
    env_work_submit(first->env->workers, &g->work);
}

static void gather_prepared(struct log_dir *first, unsigned what, int err)
{
    struct dir_gather *g = &first->gather;
    g->what |= what;
    if (g->err == 0)
        g->err = err;
    if (--g->waiting_count > 0)
        return;
    if (g->err == 0)
        files_submit(first);
    else
        finish_all(first);
}

static void gather_start(struct log_dir *first)
{
    struct dir_gather *g = &first->gather;
    g->running = true;
    g->what = g->pending;
    g->pending = 0;
    g->written = 0;
    g->err = 0;
    g->waiting_count = 1 + first->link_count;
    for (int i = 0; i < first->link_count; i++) {
        first->links[i]->what = g->what;
        post_step(first->links[i], prepare_came);
    }
    prepare(first, g->what);
}

// A part knows the end of it.
static void gather_heard(struct log_dir *first)
{
    struct dir_gather *g = &first->gather;
    if (--g->waiting_count > 0)
        return;
    g->running = false;
    if (g->pending != 0)
        gather_start(first);
}

static void gather_ask(struct log_dir *first, unsigned what)
{
    first->gather.pending |= what;
    if (!first->gather.running)
        gather_start(first);
}

// ---- Asking ----

static void link_ask(struct dir_link *link);

// What came meanwhile and is more than that.
static void ask_back(struct env_message *message)
{
    struct dir_link *link = container_of(message, struct dir_link, ask);
    link->asking = false;
    if (link->part->save.pending & ~link->asked)
        link_ask(link);
}

// The answer goes before the step that follows from it, so that nothing is asked twice or forgotten.
static void ask_came(struct env_message *message)
{
    struct dir_link *link = container_of(message, struct dir_link, ask);
    unsigned asked = link->asked;
    link->ask.receive = ask_back;
    env_post(link->part->env->mailbox, &link->ask);
    gather_ask(link->part->first, asked);
}

static void link_ask(struct dir_link *link)
{
    if (link->asking)
        return;
    link->asking = true;
    link->asked = link->part->save.pending;
    link->ask.receive = ask_came;
    env_post(link->part->first->env->mailbox, &link->ask);
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
    if (dir->link != NULL)
        link_ask(dir->link);
    else
        gather_ask(dir, what);
}

void dir__save_link(struct log_dir *part)
{
    struct log_dir *first = part->first;
    struct dir_link **links =
        mem_alloc_array((size_t)first->link_count + 1, sizeof(struct dir_link *));
    for (int i = 0; i < first->link_count; i++)
        links[i] = first->links[i];
    mem_free(first->links);
    first->links = links;
    part->link = mem_new(struct dir_link);
    part->link->part = part;
    links[first->link_count++] = part->link;
}

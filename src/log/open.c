// SPDX-License-Identifier: Apache-2.0
//
// From a partition's directory to a struct log: which files are there, what they must be checked for,
// and what waits until somebody uses the log.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "env/clock.h"
#include "log/dir_state.h"
#include "log/internal.h"
#include "log/names.h"
#include "log/partition_metadata.h"
#include "log/small_file.h"

// ---- What is in the directory ----

struct listing {
    struct log_file_name *files;
    int count;
    int capacity;
};

static int listing_add(void *context, const char *name, enum fs_kind kind)
{
    struct listing *l = context;
    struct log_file_name file;
    if (kind == FS_KIND_DIR || !log_file_name_parse(name, &file))
        return 0;
    mem_grow(l->files, l->count, l->capacity);
    l->files[l->count++] = file;
    return 0;
}

static int compare_files(const void *a, const void *b)
{
    const struct log_file_name *x = a, *y = b;
    return x->offset != y->offset ? (x->offset > y->offset) - (x->offset < y->offset)
                                  : (int)x->kind - (int)y->kind;
}

static int listing_read(struct listing *l, const struct log *log)
{
    *l = (struct listing){0};
    int err = fs_list(log->env.fs, log->path, listing_add, l);
    if (err == 0 && l->count > 1)
        qsort(l->files, (size_t)l->count, sizeof *l->files, compare_files);
    return err;
}

static void listing_release(struct listing *l)
{
    mem_free(l->files);
}

static int file_path(const struct log *log, const struct log_file_name *f, char out[FS_PATH_MAX])
{
    return log_file_state_path(out, log->path, f->offset, f->kind, f->state) ? 0 : ERR_LIMIT;
}

static int remove_file(const struct log *log, const struct log_file_name *f)
{
    char path[FS_PATH_MAX];
    int err = file_path(log, f, path);
    return err < 0 ? err : small_file_remove(log->env.fs, path);
}

// ---- What a compaction may have left ----
//
// The names in their order are those of log/cleaner_swap.h, ours as Apache Kafka's: the swap holds from
// the moment on where all of its files are `.swap` and none is `.cleaned`. Its .log is the first to take
// its place, so a `.swap` without one is what is left to be renamed.

// First offset after the batches of a `.log.swap`.
static int swap_end(const struct log *log, const struct log_file_name *f, int64_t *end)
{
    char path[FS_PATH_MAX];
    struct fs_file *file;
    int err = file_path(log, f, path);
    if (err == 0)
        err = fs_open(log->env.fs, path, FS_READ, &file);
    if (err < 0)
        return err;
    uint8_t window[BATCH_SCAN_WINDOW];
    struct batch_scan scan;
    struct batch_header h;
    int64_t position, size = fs_file_size(file);
    *end = f->offset;
    batch_scan_init(&scan, file, 0, size > 0 ? size : 0, window, sizeof window);
    while ((err = batch_scan_next(&scan, &h, &position)) == 1)
        *end = batch_last_offset(&h) + 1;
    fs_file_close(file);
    return err;
}

// Removes the segments that a swap replaces.
static int remove_replaced(const struct log *log, const struct listing *l,
                           const struct log_file_name *swap)
{
    int64_t end;
    int err = swap_end(log, swap, &end);
    for (int i = 0; i < l->count && err == 0; i++) {
        const struct log_file_name *f = &l->files[i];
        if (f->state == LOG_FILE_LIVE && f->kind != LOG_FILE_SNAPSHOT &&
            f->offset >= swap->offset && (f->offset < end || f->offset == swap->offset))
            err = remove_file(log, f);
    }
    return err;
}

static int rename_to_live(const struct log *log, const struct log_file_name *f)
{
    char from[FS_PATH_MAX], to[FS_PATH_MAX];
    int err = file_path(log, f, from);
    if (err == 0 && !log_file_path(to, log->path, f->offset, f->kind))
        err = ERR_LIMIT;
    return err < 0 ? err : fs_rename(log->env.fs, from, to);
}

// Each step is on disk before the next, so that a crash in the middle leaves what is understood as before.
// That goes for the names that are seen, too: where only the process was killed they need not be on disk.
static int complete_swaps(const struct log *log, const struct listing *l)
{
    bool any = false;
    int swaps = 0, err = 0;
    for (int i = 0; i < l->count; i++)
        swaps += l->files[i].state == LOG_FILE_SWAP;
    if (swaps > 0)
        err = fs_dir_sync(log->env.fs, log->path);
    for (int i = 0; i < l->count && err == 0; i++)
        if (l->files[i].state == LOG_FILE_SWAP && l->files[i].kind == LOG_FILE_LOG) {
            err = remove_replaced(log, l, &l->files[i]);
            any = true;
        }
    if (any && err == 0)
        err = fs_dir_sync(log->env.fs, log->path);
    for (int i = 0; i < l->count && err == 0; i++)
        if (l->files[i].state == LOG_FILE_SWAP && l->files[i].kind == LOG_FILE_LOG)
            err = rename_to_live(log, &l->files[i]);
    if (any && err == 0)
        err = fs_dir_sync(log->env.fs, log->path);
    for (int i = 0; i < l->count && err == 0; i++)
        if (l->files[i].state == LOG_FILE_SWAP && l->files[i].kind != LOG_FILE_LOG)
            err = rename_to_live(log, &l->files[i]);
    return err;
}

// Removes what was being deleted, cleaned or made, and completes swaps. `*changed` asks for a new listing.
static int tidy(const struct log *log, struct listing *l, bool *changed)
{
    int64_t cleaned_min = INT64_MAX;
    int err = 0, kept = 0;
    for (int i = 0; i < l->count; i++)
        if (l->files[i].state == LOG_FILE_CLEANED && l->files[i].offset < cleaned_min)
            cleaned_min = l->files[i].offset;
    for (int i = 0; i < l->count && err == 0; i++) {
        const struct log_file_name *f = &l->files[i];
        *changed |= f->state != LOG_FILE_LIVE;
        // With a `.cleaned` at or below it, a swap was not complete. The `.cleaned` goes after it.
        bool drop = f->state != LOG_FILE_LIVE && f->state != LOG_FILE_CLEANED &&
                    (f->state != LOG_FILE_SWAP || f->offset >= cleaned_min);
        if (drop)
            err = remove_file(log, f);
        else
            l->files[kept++] = *f;
    }
    if (err == 0)
        l->count = kept;
    if (err == 0 && cleaned_min < INT64_MAX)
        err = fs_dir_sync(log->env.fs, log->path);
    for (int i = 0; i < l->count && err == 0; i++)
        if (l->files[i].state == LOG_FILE_CLEANED)
            err = remove_file(log, &l->files[i]);
    return err < 0 ? err : complete_swaps(log, l);
}

static int take_segments(struct log *log, const struct listing *l)
{
    for (int i = 0; i < l->count; i++) {
        const struct log_file_name *f = &l->files[i];
        if (f->kind == LOG_FILE_LOG)
            log__push_segment(log, segment_new(f->offset));
        struct segment *s = log->segment_count > 0 ? log__active(log) : NULL;
        if (f->kind == LOG_FILE_TXN_INDEX && s != NULL && s->base_offset == f->offset)
            s->has_txn_index = true;
    }
    return 0;
}

static int list_segments(struct log *log)
{
    struct listing l;
    bool changed = false;
    int err = listing_read(&l, log);
    if (err == 0)
        err = tidy(log, &l, &changed);
    if (err == 0 && changed) {
        listing_release(&l);
        err = fs_dir_sync(log->env.fs, log->path);
        if (err == 0)
            err = listing_read(&l, log);
        else
            l = (struct listing){0};
    }
    if (err == 0)
        err = take_segments(log, &l);
    listing_release(&l);
    return err;
}

// What a look at the directory would find.
static void take_cached(struct log *log, const struct cached_dir *cached)
{
    for (int i = 0; i < cached->segment_count; i++) {
        struct segment *s = segment_new(cached->segments[i].base_offset);
        s->has_txn_index = cached->segments[i].has_txn_index;
        log__push_segment(log, s);
    }
    log->listed = cached->stamp;
    log->topic_id_unread = true;
}

static void add_cached(struct cached_segment **segments, int *count, int *capacity, int64_t base_offset)
{
    mem_grow(*segments, *count, *capacity);
    (*segments)[(*count)++] = (struct cached_segment){.base_offset = base_offset};
}

int log__list_for_cache(const struct log *log, struct dir_stamp stamp, struct cached_segment **segments,
                        int *count)
{
    struct listing l = {0};
    int capacity = 0, err = 0;
    *segments = NULL;
    *count = 0;
    if (dir_stamp_equal(stamp, log->listed)) {
        for (int i = 0; i < log->segment_count; i++) {
            add_cached(segments, count, &capacity, log->segments[i]->base_offset);
            (*segments)[i].has_txn_index = log->segments[i]->has_txn_index;
        }
        return 0;
    }
    err = listing_read(&l, log);
    for (int i = 0; i < l.count && err == 0; i++) {
        const struct log_file_name *f = &l.files[i];
        if (f->state != LOG_FILE_LIVE)
            err = ERR_BUSY;
        else if (f->kind == LOG_FILE_LOG)
            add_cached(segments, count, &capacity, f->offset);
        else if (f->kind == LOG_FILE_TXN_INDEX && *count > 0 &&
                 (*segments)[*count - 1].base_offset == f->offset)
            (*segments)[*count - 1].has_txn_index = true;
    }
    listing_release(&l);
    return err;
}

// ---- Opening ----

static struct log *log_new(const struct log_args *args, struct diag *diag)
{
    char name[FS_PATH_MAX], path[FS_PATH_MAX];
    snprintf(name, sizeof name, "%.*s-%" PRId32, STR_ARG(args->topic), args->partition);
    if (args->topic.size == 0 || args->topic.size > LOG_TOPIC_NAME_MAX ||
        !path_join(path, args->dir_path, name)) {
        diag_set(diag, ERR_INVALID, "%s/%s: the path is longer than %d bytes", args->dir_path, name,
                 FS_PATH_MAX);
        return NULL;
    }
    struct log *log = mem_new(struct log);
    log->path = mem_copy_text(path);
    log->topic = mem_copy_str(args->topic);
    log->partition = args->partition;
    log->topic_id = args->topic_id;
    log->clock = args->clock;
    log->trace = args->trace;
    log->found_synced = args->synced;
    log->compacted = args->cleaner_offset >= 0;
    log->cleaner_offset = args->cleaner_offset;
    log->closed = args->clean;
    log->start_unknown = args->start_unknown;
    log->found_high_watermark = args->high_watermark;
    log->env = (struct segment_env){.fs = args->fs, .trace = args->trace, .dir = log->path};
    log_set_config(log, &args->config);
    log->snapshot_offset = log->saving_start_offset = -1;
    log->begun_epoch = -1;
    log->saved_recovery_point = log->saving_recovery_point = args->recovery_point;
    epoch_cache_init(&log->epochs);
    producer_state_init(&log->producers);
    return log;
}

int log_plan(const struct log_args *args, struct log **out, struct diag *diag)
{
    struct log *log = log_new(args, diag);
    if (log == NULL)
        return ERR_INVALID;
    int64_t start = args->log_start_offset > 0 ? args->log_start_offset : 0;
    log->start_offset = log->end_offset = log->durable_offset = start;
    log->recovery_point = log->high_watermark = start;
    log->planned = true;
    *out = log;
    return 0;
}

// The directory and what is in it, or nothing.
static int make_files(struct log *log, struct segment **segment)
{
    struct env_fs *fs = log->env.fs;
    int err = fs_make_dir(fs, log->path);
    if (err < 0)
        return err;
    err = partition_metadata_write(fs, log->path, log->topic_id, false);
    if (err == 0)
        err = segment_create(&log->env, log->start_offset, 0, segment);
    if (err < 0) {
        char path[FS_PATH_MAX];
        if (path_join(path, log->path, PARTITION_METADATA_FILE))
            small_file_remove(fs, path);
        small_file_remove(fs, log->path);
    }
    return err;
}

static int make(struct log *log)
{
    struct segment *s;
    int err = make_files(log, &s);
    if (err < 0)
        return err;
    s->created_ms = env_wall_ms(log->clock);
    log__push_segment(log, s);
    segment_close(&log->env, s);
    log->planned = false;
    log->parent_dirty = log->loaded = true;
    log__note_dir_change(log);
    log__enter_begun_epoch(log);
    return 0;
}

int log_make(struct log *log)
{
    int err = log__check(log);
    if (err < 0 || !log->planned)
        return err;
    err = make(log);
    if (err < 0 && err != ERR_NOSPC && err != ERR_IO)
        log__set_offline(log, "%s: it cannot be made: %s; move away what is there, and start again",
                         log->path, err_text(err));
    return err < 0 ? log__failed(log, err, "making the partition") : 0;
}

int log_create(const struct log_args *args, struct log **out, struct diag *diag)
{
    struct log *log;
    int err = log_plan(args, &log, diag);
    if (err < 0)
        return err;
    err = make(log);
    if (err < 0) {
        diag_set(diag, err, "%s: %s", log->path, err_text(err));
        log_free(log);
        return err;
    }
    *out = log;
    return 0;
}

int log__restart_at(struct log *log, int64_t offset, int64_t now_ms)
{
    int err = 0;
    while (log->segment_count > 0 && err == 0) {
        err = segment_remove_files(&log->env, log__active(log)->base_offset, false);
        if (err == 0)
            segment_free(&log->env, log->segments[--log->segment_count]);
    }
    struct segment *s;
    if (err == 0)
        err = segment_create(&log->env, offset, 0, &s);
    if (err < 0)
        return err;
    s->created_ms = now_ms;
    log__push_segment(log, s);
    log->start_offset = log->end_offset = log->durable_offset = offset;
    log->opened_end_offset = 0;
    log->recovery_point = log->high_watermark = offset;
    epoch_cache_clear(&log->epochs);
    log->epochs_dirty = true;
    log__note_dir_change(log);
    log->truncations++;
    producer_state_clear(&log->producers);
    return log__drop_snapshots(log, -1);
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

// Fits the offsets to each other.
static int settle(struct log *log, const struct log_args *args)
{
    int err = 0;
    if (log->offline) {
        // What the checkpoints say of it stays as it was: the next start must find the damage, too.
        log->start_offset = args->log_start_offset >= 0  ? args->log_start_offset
                            : log->segment_count > 0 ? log->segments[0]->base_offset
                                                     : 0;
        if (args->recovery_point >= 0)
            log->recovery_point = args->recovery_point;
        log->high_watermark = args->high_watermark;
        return 0;
    }
    if (args->log_start_offset > log->end_offset) {
        trace_warn(log->trace, LOG_AREA,
                   "%s ends at offset %" PRId64 ", below its start %" PRId64
                   ": what is left was deleted before, starting there",
                   log->path, log->end_offset, args->log_start_offset);
        err = log__restart_at(log, args->log_start_offset, env_wall_ms(log->clock));
        if (err < 0)
            return err;
        log->loaded = true;
    }
    if (args->log_start_offset > log->segments[0]->base_offset)
        log->start_offset = args->log_start_offset;
    else
        log->start_offset = log->segments[0]->base_offset;
    // The epochs on disk may be from before the start was raised.
    if (log->loaded && epoch_cache_truncate_start(&log->epochs, log->start_offset))
        log->epochs_dirty = true;
    log->durable_offset = log->end_offset;
    log->recovery_point = clamp(args->recovery_point, log->segments[0]->base_offset,
                                log->end_offset);
    log->high_watermark = clamp(args->high_watermark, log->start_offset, log->end_offset);
    return err;
}

// Takes away segments wholly below the start: they were on their way out, some may be gone already.
// (As in log_delete_segments_below(): not above the recovery point.)
static int drop_below_start(struct log *log, const struct log_args *args)
{
    int64_t below = clamp(args->recovery_point, -1, args->log_start_offset);
    int err = 0;
    if (args->clean)
        return 0; // there is time to see first whether the start can be believed (log_load())
    while (log->segment_count > 1 && log->segments[1]->base_offset <= below && err == 0) {
        err = segment_remove_files(&log->env, log->segments[0]->base_offset, false);
        segment_free(&log->env, log->segments[0]);
        memmove(log->segments, log->segments + 1,
                (size_t)--log->segment_count * sizeof(struct segment *));
        log->removed_dirty = true;
        log__note_dir_change(log);
    }
    return err;
}

// Whether there is anything in the last segment or before it.
static bool log_may_hold_records(struct log *log)
{
    return log->segment_count > 1 ||
           (segment_load_size(&log->env, log__active(log)) == 0 && log__active(log)->size > 0);
}

static int open_segments(struct log *log, const struct log_args *args)
{
    int64_t now_ms = env_wall_ms(log->clock);
    int err = drop_below_start(log, args);
    if (err < 0)
        return err;
    if (log->segment_count == 0) {
        struct segment *s;
        int64_t start = args->log_start_offset > 0 ? args->log_start_offset : 0;
        if (args->recovery_point > start) {
            log__set_offline(log,
                             "%s: no segment is there, but everything below offset %" PRId64
                             " was on disk; put the files back, or remove the directory to accept "
                             "the loss",
                             log->path, args->recovery_point);
            return 0;
        }
        // A truncation may have been killed here: what it removed must not come back behind what follows.
        if (args->recovery_point >= 0 || args->log_start_offset >= 0)
            err = fs_dir_sync(log->env.fs, log->path);
        if (err == 0)
            err = segment_create(&log->env, start, 0, &s);
        if (err < 0)
            return err;
        log__push_segment(log, s);
        log__note_dir_change(log);
    }
    for (int i = 0; i < log->segment_count; i++)
        log->segments[i]->created_ms = now_ms;
    // What lay below the first segment went when a snapshot of its producers was on disk, so that holds
    // also where a truncation that did not get far took the recovery point back.
    log->recovery_point = log->segments[0]->base_offset;
    if (args->recovery_point > log->recovery_point)
        log->recovery_point = args->recovery_point;
    // After a clean stop the checkpoint says where each log ends; log_load() holds it to that.
    if (args->clean && args->recovery_point >= log__active(log)->base_offset) {
        log->end_offset = args->recovery_point;
        return 0;
    }
    if (args->clean && !str_is(args->topic, METADATA_TOPIC) && log_may_hold_records(log))
        trace_warn(log->trace, LOG_AREA,
                   "%s: closed cleanly, but recovery-point-offset-checkpoint %s: reading the log from "
                   "there to find its end",
                   log->path, args->recovery_point < 0 ? "has no entry for it"
                                                       : "names an offset before its last segment");
    // Before a kill -9, too, segments may have been taken away and their names not be synced.
    log->removed_dirty |= args->log_start_offset >= 0;
    return log__recover(log);
}

static int check_topic_id(struct log *log, struct diag *diag)
{
    struct uuid topic_id;
    int err = partition_metadata_read(log->env.fs, log->path, &topic_id, diag);
    if (err == ERR_NOT_FOUND && uuid_is_zero(log->topic_id))
        return 0; // nobody said which topic it should be
    if (err < 0)
        return err;
    if (uuid_is_zero(log->topic_id))
        log->topic_id = topic_id;
    else if (!uuid_equal(topic_id, log->topic_id))
        return diag_set(diag, ERR_CORRUPT, "%s belongs to topic id %s, not to %s", log->path,
                        uuid_format(topic_id).text, uuid_format(log->topic_id).text);
    return 0;
}

int log_open(const struct log_args *args, struct log **out, struct diag *diag)
{
    struct log *log = log_new(args, diag);
    if (log == NULL)
        return ERR_INVALID;
    int err = args->topic_id_read ? 0 : check_topic_id(log, diag);
    if (err == 0) {
        if (args->cached != NULL)
            take_cached(log, args->cached);
        else
            err = list_segments(log);
        if (err == 0)
            err = open_segments(log, args);
        if (err == 0)
            err = settle(log, args);
        if (err < 0)
            diag_set(diag, err, "%s: %s", log->path, err_text(err));
    }
    if (err < 0) {
        log_free(log);
        return err;
    }
    // Opening held no files open in vain: an idle log has none.
    for (int i = 0; i < log->segment_count; i++)
        segment_close(&log->env, log->segments[i]);
    *out = log;
    return 0;
}

// ---- Loading what an idle log does without ----

// A log that is whole but ends elsewhere than the recovery point says: the other files decide which of
// the two is wrong. A clean stop leaves a producer snapshot at the end, and a broker that is alone the
// high watermark there.
static bool recovery_point_is_wrong(const struct log *log, int64_t end)
{
    char path[FS_PATH_MAX];
    struct fs_stat stat;
    if (end > log->end_offset)
        return true;
    return log->found_high_watermark == end &&
           log_file_path(path, log->path, end, LOG_FILE_SNAPSHOT) &&
           fs_stat(log->env.fs, path, &stat) == 0;
}

static void correct_end(struct log *log, int64_t end)
{
    trace_error(log->trace, LOG_AREA,
                "%s: recovery-point-offset-checkpoint says that the log was closed at offset %" PRId64
                ", but it is whole up to %" PRId64 ": the checkpoint is damaged, going on at the latter",
                log->path, log->end_offset, end);
    log->end_offset = log->recovery_point = end;
    log->high_watermark = clamp(log->found_high_watermark, log->start_offset, end);
    log->durable_offset = end;
    if (log->on_durable != NULL)
        log->on_durable(log, log->owner);
}

// Walks the batches behind the last index entry and compares their end with the recovery point's
// promise. *last_epoch: of the last batch; -1.
static int check_tail(struct log *log, int32_t *last_epoch)
{
    struct segment *s = log__active(log);
    int err = segment_open(&log->env, s);
    if (err < 0)
        return err;
    struct offset_entry at = {.position = 0};
    err = offset_index_last(&s->files->offset_index, s->base_offset, &at);
    if (err < 0)
        return err;
    uint8_t window[BATCH_SCAN_WINDOW];
    struct batch_scan scan;
    struct batch_header h;
    int64_t position = 0, end = s->base_offset;
    batch_scan_init(&scan, s->files->log->file, at.position, s->size, window, sizeof window);
    while ((err = batch_scan_next(&scan, &h, &position)) == 1) {
        err = batch_scan_check_crc(&scan, &h, position);
        if (err != 1)
            break;
        end = batch_last_offset(&h) + 1;
        *last_epoch = h.partition_leader_epoch;
    }
    if (err == ERR_IO)
        return err;
    if (err == 0 && end != log->end_offset && log->closed && recovery_point_is_wrong(log, end))
        correct_end(log, end);
    else if (err != 0 || end != log->end_offset)
        log__set_offline(log,
                         "%s/%020" PRId64 ".log: position %" PRId64 ": the log was closed at offset "
                         "%" PRId64 " but what can be read ends at %" PRId64
                         "; put the file back, or cut it there to accept the loss",
                         log->path, s->base_offset, err != 0 ? scan.position : s->size,
                         log->end_offset, end);
    return 0;
}

// ---- Whether epochs and log start can be believed ----

enum { EPOCHS_LOOKED_AT = 16 }; // at the end of the list: a log may have led many lives

// The first batch that reaches `offset`: its epoch, -1 if there is none, and from which offset on, not
// below `offset`, it holds: 1, 0, or an error.
static int batch_epoch(struct log *log, int64_t offset, int32_t *epoch, int64_t *from)
{
    struct batch_header h;
    int64_t position;
    if (offset < log->segments[0]->base_offset || offset >= log->end_offset)
        return 0;
    int got = segment_find(&log->env, log->segments[log__segment_at(log, offset)], offset, &position, &h);
    *epoch = got == 1 ? h.partition_leader_epoch : -1;
    *from = got == 1 && h.base_offset > offset ? h.base_offset : offset;
    return got == ERR_IO ? got : got == 1;
}

// True if the batches contradict the epochs of the file: 1, 0, or an error.
static int epochs_are_wrong(struct log *log, int32_t last_epoch)
{
    const struct epoch_cache *c = &log->epochs;
    // Of what lies below the start the file says nothing.
    if (last_epoch >= 0 && log->end_offset > log->start_offset &&
        epoch_cache_at(c, log->end_offset - 1) != last_epoch)
        return 1;
    for (int i = c->count - 1; i >= 0 && i >= c->count - EPOCHS_LOOKED_AT; i--) {
        int32_t epoch;
        int64_t next = i + 1 < c->count ? c->entries[i + 1].start_offset : log->end_offset;
        if (c->entries[i].start_offset >= next)
            continue; // nothing was written in it
        int64_t from; // later where compaction took the first batches
        int got = batch_epoch(log, c->entries[i].start_offset, &epoch, &from);
        if (got < 0)
            return got;
        if (got == 1 && epoch != epoch_cache_at(c, from))
            return 1;
    }
    return 0;
}

// The log starts where its epochs do, as every raise of the start sees to.
static int check_start(struct log *log)
{
    int64_t base = log->segments[0]->base_offset, start = log->start_offset;
    if (log->epochs.count == 0 || log->end_offset == start)
        return 0;
    int64_t first = log->epochs.entries[0].start_offset;
    if (first < base) {
        log__set_offline(log,
                         "%s: the log began at offset %" PRId64 " when it was closed, its first segment "
                         "begins at %" PRId64 ": segments are missing. Put them back, or remove "
                         "leader-epoch-checkpoint to accept the loss", log->path, first, base);
        return 0;
    }
    if (first < start) {
        log__set_offline(log,
                         "%s: log-start-offset-checkpoint says that the log starts at offset %" PRId64
                         ", leader-epoch-checkpoint that it starts at %" PRId64 ": one is damaged. "
                         "Correct or remove the line of the former, or remove the latter",
                         log->path, start, first);
        return 0;
    }
    int32_t epoch;
    int64_t from;
    int got = first > start ? batch_epoch(log, start, &epoch, &from) : 0;
    if (got <= 0 || epoch < 0 || from >= first)
        return got < 0 ? got : 0; // nothing speaks against it, or compaction took what could
    if (!log->start_unknown)
        return 1; // the epochs are wrong
    trace_error(log->trace, LOG_AREA,
                "%s: where the log starts was lost with log-start-offset-checkpoint; it starts at offset "
                "%" PRId64 " by its leader epochs, what is below was deleted", log->path, first);
    log->start_offset = first;
    if (log->high_watermark < first)
        log->high_watermark = first;
    return 0;
}

static int load_epochs(struct log *log, int32_t last_epoch)
{
    int err = log__load_epochs(log);
    if (err == ERR_NOT_FOUND)
        return log__rebuild_epochs(log);
    int wrong = err == 0 && log->closed ? check_start(log) : 0;
    if (err == 0 && wrong == 0 && !log->offline && log->closed)
        wrong = epochs_are_wrong(log, last_epoch);
    if (err < 0 || wrong < 0)
        return err < 0 ? err : wrong;
    if (wrong == 0)
        return 0;
    trace_error(log->trace, LOG_AREA, "%s/" EPOCHS_FILE " is damaged: batches have other leader epochs "
                "than it says", log->path);
    return log__rebuild_epochs(log);
}

// partition.metadata, which the cache of directories stood for.
static int check_metadata_file(struct log *log)
{
    struct uuid found;
    struct diag diag;
    diag_clear(&diag);
    int err = partition_metadata_read(log->env.fs, log->path, &found, &diag);
    if (err == ERR_IO || err == ERR_REFUSED)
        return err;
    log->topic_id_unread = false;
    if (err == 0 && uuid_equal(found, log->topic_id))
        return 0;
    if (err == 0 && !topic_id_is_nearly(found, log->topic_id)) {
        log__set_offline(log, "%s/" PARTITION_METADATA_FILE " has topic id %s, the metadata %s. If it is "
                         "this topic's, remove the file and start again: it is made anew. If not, move "
                         "the directory away", log->path, uuid_format(found).text,
                         uuid_format(log->topic_id).text);
        return 0;
    }
    trace_error(log->trace, LOG_AREA, "%s/" PARTITION_METADATA_FILE " is missing or damaged; the metadata "
                "has topic id %s for this directory, which it gets again", log->path,
                uuid_format(log->topic_id).text);
    return partition_metadata_write(log->env.fs, log->path, log->topic_id, true);
}

int log_load(struct log *log)
{
    int32_t last_epoch = -1;
    int err = log__check(log);
    if (err < 0 || log->loaded)
        return err;
    if (log->planned)
        return log_make(log);
    if (log->topic_id_unread)
        err = check_metadata_file(log);
    if (err == 0 && log->offline)
        return log__check(log);
    for (int i = 0; i < log->segment_count && err == 0; i++)
        err = segment_load_size(&log->env, log->segments[i]);
    if (err == 0)
        err = check_tail(log, &last_epoch);
    if (err == 0 && !log->offline)
        err = load_epochs(log, last_epoch);
    if (err == 0 && !log->offline)
        err = log__rebuild_producers(log, INT64_MAX);
    if (err < 0)
        return log__failed(log, err, "loading");
    log->loaded = !log->offline;
    log->opened_end_offset = log->end_offset;
    if (log->loaded)
        log__enter_begun_epoch(log);
    return log__check(log);
}

// SPDX-License-Identifier: Apache-2.0
#include "log/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "log/dir.h"
#include "log/dir_internal.h"
#include "log/internal.h"
#include "log/names.h"
#include "log/small_file.h"

void log_free(struct log *log)
{
    if (log == NULL)
        return;
    check(log->home == NULL && !list_linked(&log->commit_node) && log->commit_entry == NULL &&
          log->cleaning == NULL && !list_linked(&log->cleaner_node));
    for (int i = 0; i < log->segment_count; i++)
        segment_free(&log->env, log->segments[i]);
    mem_free(log->segments);
    epoch_cache_release(&log->epochs);
    producer_state_release(&log->producers);
    mem_free(log->path);
    mem_free(log->topic);
    mem_free(log->problem);
    mem_free(log->damages);
    mem_free(log->uncleanable);
    mem_free(log);
}

// ---- Who and where ----

struct str log_topic(const struct log *log)
{
    return str_from(log->topic);
}

int32_t log_partition(const struct log *log)
{
    return log->partition;
}

struct uuid log_topic_id(const struct log *log)
{
    return log->topic_id;
}

const char *log_path(const struct log *log)
{
    return log->path;
}

struct log_dir *log_home(const struct log *log)
{
    return log->home;
}

const struct log_config *log_get_config(const struct log *log)
{
    return &log->config;
}

void log_set_config(struct log *log, const struct log_config *config)
{
    log->config = *config;
    log->env.index_interval_bytes = config->index_interval_bytes;
    mem_free(log->uncleanable); // another setting may be what it takes
    log->uncleanable = NULL;
    log__cleaning_configured(log);
}

bool log_is_offline(const struct log *log)
{
    return log->offline || (log->home != NULL && log_dir_is_offline(log->home));
}

const char *log_problem(const struct log *log)
{
    return log->problem != NULL ? log->problem : "";
}

void log_set_owner(struct log *log, void *owner, void (*on_durable)(struct log *log, void *owner))
{
    log->owner = owner;
    log->on_durable = on_durable;
}

// ---- Offsets and sizes ----

int64_t log_start_offset(const struct log *log)
{
    return log->start_offset;
}

int64_t log_end_offset(const struct log *log)
{
    return log->end_offset;
}

int64_t log_durable_offset(const struct log *log)
{
    return log->durable_offset;
}

int64_t log_recovery_point(const struct log *log)
{
    return log->recovery_point;
}

int64_t log_high_watermark(const struct log *log)
{
    return log->high_watermark;
}

void log_set_high_watermark(struct log *log, int64_t high_watermark)
{
    if (high_watermark > log->end_offset)
        high_watermark = log->end_offset;
    if (high_watermark < log->start_offset)
        high_watermark = log->start_offset;
    log->high_watermark = high_watermark;
    producer_state_set_high_watermark(&log->producers, high_watermark);
}

int64_t log_first_unstable_offset(struct log *log)
{
    int err = log_load(log);
    return err < 0 ? err : producer_state_first_unstable(&log->producers);
}

int64_t log_last_stable_offset(struct log *log)
{
    int64_t unstable = log_first_unstable_offset(log);
    if (unstable < -1)
        return unstable; // an error; -1 is "none"
    if (unstable >= 0 && unstable < log->start_offset)
        unstable = log->start_offset; // DeleteRecords took the beginning of the transaction
    return unstable >= 0 && unstable < log->high_watermark ? unstable : log->high_watermark;
}

int64_t log_size_bytes(struct log *log)
{
    int err = log_load(log);
    if (err < 0)
        return err;
    int64_t size = 0;
    for (int i = 0; i < log->segment_count; i++)
        size += log->segments[i]->size;
    return size;
}

int log_segment_count(const struct log *log)
{
    return log->segment_count;
}

// ---- Errors ----

int log__check(const struct log *log)
{
    return log_is_offline(log) ? ERR_OFFLINE : 0;
}

void log__set_offline(struct log *log, const char *format, ...)
{
    char text[DIAG_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log->offline = true;
    if (log->problem != NULL)
        return; // the first one says it
    log->problem = mem_copy_text(text);
    const struct trace_field fields[] = {
        {"topic", .text = log->topic}, {"partition", .number = log->partition},
        {"reason", .text = text}, {0}};
    trace_event(log->trace, TRACE_ERROR, LOG_AREA, fields, "partition %s-%" PRId32 " is offline: %s",
                log->topic, log->partition, text);
}

int log__failed(struct log *log, int err, const char *what)
{
    if (err == ERR_CORRUPT || err == ERR_TRUNCATED) {
        log__set_offline(log, "%s: %s while %s", log->path, err_text(err), what);
        return ERR_CORRUPT;
    }
    if (err == ERR_NOSPC && log->home != NULL)
        log_dir__note_no_room(log->home);
    // Rights that have been taken away are not expected back either.
    bool failed = err == ERR_IO || err == ERR_REFUSED;
    if (failed && log->home != NULL) {
        char why[DIAG_TEXT_MAX];
        snprintf(why, sizeof why, "%s: %s while %s", log->path, err_text(err), what);
        log_dir_fail(log->home, err, why);
    } else if (failed) {
        log__set_offline(log, "%s: %s while %s", log->path, err_text(err), what);
    }
    return err;
}

// ---- Segments ----

int log__segment_at(const struct log *log, int64_t offset)
{
    int low = 0, high = log->segment_count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (log->segments[middle]->base_offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? low - 1 : 0;
}

int64_t log__segment_end(const struct log *log, int index)
{
    return index + 1 < log->segment_count ? log->segments[index + 1]->base_offset
                                          : log->end_offset;
}

// segment.jitter.ms, spread over partitions and segments but the same at every look.
static int64_t jitter_of(const struct log *log, int64_t base_offset)
{
    if (log->config.segment_jitter_ms <= 0)
        return 0;
    struct hash_seed seed = {(uint64_t)base_offset, (uint64_t)log->partition};
    return (int64_t)(hash_str(seed, log_topic(log)) % (uint64_t)log->config.segment_jitter_ms);
}

void log__push_segment(struct log *log, struct segment *segment)
{
    mem_grow(log->segments, log->segment_count, log->segment_capacity);
    log->segments[log->segment_count++] = segment;
    segment->jitter_ms = jitter_of(log, segment->base_offset);
}

// An active segment that is empty and starts elsewhere makes room.
static int drop_empty_active(struct log *log, struct segment *active)
{
    int err = segment_remove_files(&log->env, active->base_offset, false);
    if (err < 0)
        return err;
    for (int i = 0; i < log->segment_count; i++) {
        if (log->segments[i] != active)
            continue;
        memmove(log->segments + i, log->segments + i + 1,
                (size_t)(log->segment_count - i - 1) * sizeof(struct segment *));
        log->segment_count--;
        break;
    }
    segment_free(&log->env, active);
    return 0;
}

int log__roll_to(struct log *log, int64_t base_offset, int64_t now_ms)
{
    struct segment *active = log__active(log);
    bool empty = active->size == 0;
    if (empty && active->base_offset == base_offset)
        return 0;
    // A second segment without the first would pass for a log that starts there. (This blocks, once in
    // the life of a log that fills a segment before its first commit.)
    int err = log->parent_dirty ? log__sync_names(log) : 0;
    if (err == 0 && !empty)
        err = segment_seal(&log->env, active);
    if (err == 0 && !empty)
        err = log__write_snapshot(log, log->end_offset);
    struct segment *fresh;
    if (err == 0)
        err = segment_create(&log->env, base_offset,
                             log->config.preallocate ? log->config.segment_bytes : 0, &fresh);
    log__note_dir_change(log); // also when it failed, since files were made and removed
    if (err < 0)
        return err;
    fresh->created_ms = now_ms;
    log__push_segment(log, fresh);
    return empty ? drop_empty_active(log, active) : 0;
}

int log_roll(struct log *log, int64_t now_ms)
{
    int err = log_load(log);
    if (err < 0)
        return err;
    err = log__roll_to(log, log->end_offset, now_ms);
    return err < 0 ? log__failed(log, err, "rolling") : 0;
}

void log_close_idle_files(struct log *log)
{
    for (int i = 0; i < log->segment_count; i++)
        segment_close_if_idle(&log->env, log->segments[i]);
}

bool log_is_crowded(const struct log *log)
{
    return log->env.pool != NULL && log->env.pool->count > log->env.pool->count_max;
}

// ---- Leader epochs ----

int log__load_epochs(struct log *log)
{
    char path[FS_PATH_MAX];
    if (!path_join(path, log->path, EPOCHS_FILE))
        return ERR_LIMIT;
    struct buf text;
    struct diag diag;
    buf_init(&text, EPOCH_CACHE_TEXT_MAX);
    diag_clear(&diag);
    int err = small_file_read(log->env.fs, path, &text);
    if (err == 0)
        err = epoch_cache_parse(&log->epochs, buf_str(&text), &diag);
    if (err == 0 && text.size == 0 && log->closed && log->end_offset > log->segments[0]->base_offset)
        err = diag_set(&diag, ERR_CORRUPT, "it is empty");
    buf_release(&text);
    if (err == ERR_NOT_FOUND || err == ERR_CORRUPT) {
        if (err == ERR_CORRUPT)
            trace_warn(log->trace, LOG_AREA, "%s: %s; leader epochs are read from the batches", path,
                       diag.text);
        return ERR_NOT_FOUND;
    }
    return err;
}

int log__write_epochs(struct log *log)
{
    char path[FS_PATH_MAX];
    if (!path_join(path, log->path, EPOCHS_FILE))
        return ERR_LIMIT;
    struct buf text;
    buf_init(&text, EPOCH_CACHE_TEXT_MAX);
    epoch_cache_format(&log->epochs, &text);
    int err = text.failed ? ERR_LIMIT : small_file_replace(log->env.fs, path, buf_bytes(&text));
    buf_release(&text);
    if (err == 0)
        log->epochs_dirty = false;
    return err;
}

void log__enter_begun_epoch(struct log *log)
{
    if (log->begun_epoch > epoch_cache_latest(&log->epochs))
        log->epochs_ahead |= epoch_cache_assign(&log->epochs, log->begun_epoch, log->end_offset);
}

void log_begin_epoch(struct log *log, int32_t leader_epoch)
{
    log->begun_epoch = leader_epoch;
    if (log->loaded)
        log__enter_begun_epoch(log);
}

int32_t log_epoch_at(struct log *log, int64_t offset)
{
    int err = log_load(log);
    return err < 0 ? err : epoch_cache_at(&log->epochs, offset);
}

int32_t log_latest_epoch(struct log *log)
{
    int err = log_load(log);
    return err < 0 ? err : epoch_cache_latest(&log->epochs);
}

int log_epoch_end(struct log *log, int32_t leader_epoch, struct log_epoch_end *out)
{
    int err = log_load(log);
    if (err < 0)
        return err;
    epoch_cache_end(&log->epochs, leader_epoch, log->end_offset, &out->leader_epoch,
                    &out->end_offset);
    return 0;
}

// ---- Producers ----

int log_each_producer(struct log *log, int (*each)(void *context, const struct log_producer *p),
                      void *context)
{
    int err = log_load(log);
    if (err < 0)
        return err;
    struct producer **all = producer_state_sorted(&log->producers);
    for (size_t i = 0; i < log->producers.producers.count && err == 0; i++) {
        const struct producer *p = all[i];
        struct log_producer view = {
            .producer_id = p->id,
            .last_timestamp = p->last_timestamp,
            .current_txn_first_offset = p->txn_first_offset,
            .last_sequence =
                p->batch_count > 0 ? p->batches[p->batch_count - 1].last_sequence : -1,
            .coordinator_epoch = p->coordinator_epoch,
            .producer_epoch = p->epoch,
        };
        err = each(context, &view);
    }
    mem_free(all);
    return err;
}

int log_begin_verification(struct log *log, const struct log_verification *v, int64_t now_ms,
                           int64_t *guard)
{
    int err = log_load(log);
    if (err == 0)
        *guard = producer_verify_begin(&log->producers, v, now_ms);
    return err;
}

int log_expire_producers(struct log *log, int64_t now_ms)
{
    int err = log__check(log);
    if (err == 0 && log->loaded)
        producer_state_expire(&log->producers, now_ms, log->config.producer_id_expiration_ms);
    return err;
}

int log__write_snapshot(struct log *log, int64_t offset)
{
    char path[FS_PATH_MAX];
    if (!log_file_path(path, log->path, offset, LOG_FILE_SNAPSHOT))
        return ERR_LIMIT;
    struct buf bytes, present;
    buf_init(&bytes, SNAPSHOT_SIZE_MAX);
    buf_init(&present, SNAPSHOT_SIZE_MAX);
    producer_state_snapshot(&log->producers, &bytes);
    // One that is there and on disk must not be put at risk by writing the same again.
    int err = bytes.failed ? ERR_LIMIT : small_file_read(log->env.fs, path, &present);
    if (err == ERR_NOT_FOUND || (err == 0 && !bytes_equal(buf_bytes(&bytes), buf_bytes(&present))))
        err = small_file_write(log->env.fs, path, buf_bytes(&bytes), false);
    buf_release(&bytes);
    buf_release(&present);
    return err;
}

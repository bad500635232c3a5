// SPDX-License-Identifier: Apache-2.0
//
// Appending: first everything that can refuse, then one write, then what cannot fail.
#include <inttypes.h>

#include "base/check.h"
#include "base/err.h"
#include "log/dir_internal.h"
#include "log/internal.h"
#include "log/names.h"

struct append {
    struct log *log;
    struct bytes batches;
    bool leader;
    int64_t first_offset;
    int64_t last_offset;
    int64_t max_timestamp;
    struct producer_stage stage;
};

// Offsets stay where a last offset and the one after it can be counted.
static bool offset_is_usable(int64_t offset)
{
    return offset >= 0 && offset <= INT64_MAX - INT32_MAX - 1;
}

// Looks at every batch: offsets for the leader, order for the follower, producers for both. 0 when the
// verdict (in *info) is settled, which is LOG_APPENDED when nothing spoke against it.
static int stage_batches(struct append *a, uint8_t *bytes, int32_t leader_epoch,
                         struct log_append_info *info)
{
    struct bytes rest = a->batches, batch;
    struct batch_header h;
    int64_t next = a->log->end_offset;
    int got;
    info->verdict = LOG_APPENDED;
    a->first_offset = -1;
    a->max_timestamp = -1;
    while ((got = batch_next(&rest, &h, &batch)) == 1) {
        if (h.magic != BATCH_MAGIC_CURRENT || batch.size < BATCH_HEADER_SIZE)
            return ERR_CORRUPT;
        if (a->leader) {
            uint8_t *at = bytes + (batch.data - bytes);
            batch_set_base_offset(at, next);
            batch_set_partition_leader_epoch(at, leader_epoch);
            h.base_offset = next;
        } else if (h.base_offset < next) {
            info->verdict = LOG_OUT_OF_ORDER_OFFSETS;
            info->expected = next;
            info->found = h.base_offset;
            return 0;
        }
        if (!offset_is_usable(h.base_offset))
            return ERR_CORRUPT;
        int err = producer_stage_batch(&a->stage, &h, batch, a->leader, info);
        if (err < 0 || info->verdict != LOG_APPENDED)
            return err;
        if (a->first_offset < 0)
            a->first_offset = h.base_offset;
        a->last_offset = batch_last_offset(&h);
        if (h.max_timestamp > a->max_timestamp)
            a->max_timestamp = h.max_timestamp;
        next = a->last_offset + 1;
    }
    return got < 0 || a->first_offset < 0 ? ERR_CORRUPT : 0;
}

static int64_t segment_bytes_max(const struct log *log)
{
    // Positions in the offset index are int32.
    return log->config.segment_bytes < INT32_MAX ? log->config.segment_bytes : INT32_MAX;
}

// Where compaction may not wait longer, neither may what it waits for.
static int64_t segment_ms_max(const struct log *log, int64_t jitter_ms)
{
    const struct log_config *c = &log->config;
    bool lags = c->cleanup_compact && c->max_compaction_lag_ms > 0 &&
                c->max_compaction_lag_ms < c->segment_ms;
    int64_t most = lags ? c->max_compaction_lag_ms : c->segment_ms;
    return lags ? most - jitter_ms % most : most - jitter_ms;
}

// True if the active segment has had its time: 1, 0, or an error.
static int time_is_up(const struct append *a, struct segment *active, int64_t now_ms)
{
    struct log *log = a->log;
    int err = segment_load_first_timestamp(&log->env, active);
    if (err < 0)
        return err;
    int64_t limit = segment_ms_max(log, active->jitter_ms);
    int64_t waited;
    if (active->first_timestamp < 0)
        waited = now_ms - active->created_ms;
    else if (__builtin_sub_overflow(a->max_timestamp, active->first_timestamp, &waited))
        return 0;
    return waited > limit;
}

static int roll_if_due(struct append *a, int64_t now_ms)
{
    struct log *log = a->log;
    struct segment *active = log__active(log);
    int err = segment_open(&log->env, active);
    if (err < 0)
        return err;
    int64_t size = (int64_t)a->batches.size;
    bool far = a->last_offset - active->base_offset > INT32_MAX;
    int due = far || active->size > segment_bytes_max(log) - size ||
              (active->size > 0 &&
               segment_index_is_full(active, log->config.segment_index_bytes));
    if (!due && active->size > 0)
        due = time_is_up(a, active, now_ms);
    if (due <= 0)
        return due;
    err = log__roll_to(log, a->first_offset, now_ms);
    return err < 0 ? err : segment_open(&log->env, log__active(log));
}

static bool stage_has_aborted(const struct producer_stage *g)
{
    for (int i = 0; i < g->completed_count; i++)
        if (g->completed[i].aborted)
            return true;
    return false;
}

// The bytes are in the file: everything that knows of them follows.
static int take_in(struct append *a, struct segment *s, int64_t position)
{
    struct log *log = a->log;
    struct bytes rest = a->batches, batch;
    struct batch_header h;
    int err = 0;
    segment_note_recent(s, a->first_offset, position);
    while (err >= 0 && batch_next(&rest, &h, &batch) == 1) {
        err = segment_note_batch(&log->env, s, &h, position);
        position += (int64_t)batch.size;
        log->epochs_dirty |=
            epoch_cache_assign(&log->epochs, h.partition_leader_epoch, h.base_offset);
    }
    log->epochs_dirty |= log->epochs_ahead;
    log->epochs_ahead = false;
    if (err >= 0)
        err = log__enter_aborted(log, s, &a->stage);
    producer_stage_commit(&a->stage);
    log->end_offset = a->last_offset + 1;
    return err < 0 ? err : 0;
}

static bool is_bounded(const struct log *log)
{
    return log->home != NULL && !log->config.uses_reserve;
}

static int append_staged(struct append *a, int64_t now_ms, struct log_append_info *info)
{
    struct log *log = a->log;
    if ((int64_t)a->batches.size > segment_bytes_max(log)) {
        info->verdict = LOG_RECORD_LIST_TOO_LARGE;
        info->expected = segment_bytes_max(log);
        info->found = (int64_t)a->batches.size;
        return 0;
    }
    int err = roll_if_due(a, now_ms);
    if (err < 0)
        return log__failed(log, err, "rolling");
    struct segment *s = log__active(log);
    if (a->last_offset - s->base_offset > INT32_MAX)
        return ERR_CORRUPT; // batches of one append too far apart for a segment
    if (stage_has_aborted(&a->stage))
        err = log__prepare_txn(log, s);
    int64_t position = s->size;
    if (err == 0)
        err = segment_write(s, a->batches.data, a->batches.size);
    if (err == 0)
        err = take_in(a, s, position);
    if (err < 0)
        return log__failed(log, err, "appending");
    if (is_bounded(log))
        log_dir__note_room(log->home);
    info->base_offset = a->first_offset;
    info->last_offset = a->last_offset;
    info->max_timestamp = a->max_timestamp;
    return 0;
}

static int append(struct log *log, uint8_t *batches, size_t size, bool leader, int32_t leader_epoch,
                  int64_t now_ms, const struct log_writer *writer, struct log_append_info *out)
{
    int err = log_load(log);
    if (err < 0)
        return err;
    // Before any look at the batches: all that a producer has on the way is to be refused for the same
    // reason, also what only looks out of order since the batch before it was refused.
    if (is_bounded(log) && !log_dir__take_room(log->home, (int64_t)size))
        return ERR_NOSPC;
    struct append a = {.log = log, .batches = bytes_of(batches, size), .leader = leader};
    struct log_append_info info = {
        .base_offset = -1, .last_offset = -1, .max_timestamp = -1, .producer_id = -1};
    producer_stage_init(&a.stage, &log->producers);
    a.stage.writer = writer;
    err = stage_batches(&a, batches, leader_epoch, &info);
    if (err == 0 && info.verdict == LOG_APPENDED)
        err = append_staged(&a, now_ms, &info);
    else if (err == 0 && info.verdict == LOG_OUT_OF_ORDER_SEQUENCE && is_bounded(log) &&
             log_dir__was_full(log->home))
        err = ERR_NOSPC;
    producer_stage_release(&a.stage);
    if (err < 0)
        return err;
    info.log_start_offset = log->start_offset;
    *out = info;
    return 0;
}

int log_append(struct log *log, uint8_t *batches, size_t size, int32_t leader_epoch, int64_t now_ms,
               struct log_append_info *out)
{
    return append(log, batches, size, true, leader_epoch, now_ms, NULL, out);
}

int log_append_as(struct log *log, uint8_t *batches, size_t size, int32_t leader_epoch, int64_t now_ms,
                  const struct log_writer *writer, struct log_append_info *out)
{
    return append(log, batches, size, true, leader_epoch, now_ms, writer, out);
}

int log_append_follower(struct log *log, const uint8_t *batches, size_t size, int64_t now_ms,
                        struct log_append_info *out)
{
    // Only a leader's append writes to the bytes.
    union {
        const uint8_t *read_only;
        uint8_t *bytes;
    } cast = {.read_only = batches};
    return append(log, cast.bytes, size, false, -1, now_ms, NULL, out);
}

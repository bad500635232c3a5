// SPDX-License-Identifier: Apache-2.0
//
// How dirty a log is, and how much of that may be compacted now.
#include "base/err.h"
#include "log/cleaner.h"
#include "log/internal.h"

static int64_t saturating_sub(int64_t a, int64_t b)
{
    int64_t r;
    return __builtin_sub_overflow(a, b, &r) ? INT64_MIN : r;
}

// A checkpoint that does not fit the log is none.
static int64_t first_dirty_of(const struct log *log)
{
    bool fits = log->cleaner_offset >= log->start_offset && log->cleaner_offset <= log->end_offset;
    return fits ? log->cleaner_offset : log->start_offset;
}

// Lowers the bound to `offset`.
static void hold(struct log_cleaning_info *out, int64_t offset, const char *what)
{
    if (offset >= out->first_uncleanable)
        return;
    out->first_uncleanable = offset;
    out->held_by = what;
}

// The first segment from number `first` on with a record that is younger than the lag lets it be.
static int hold_young(struct log *log, int first, int64_t now_ms, struct log_cleaning_info *out)
{
    int64_t limit = saturating_sub(now_ms, log->config.min_compaction_lag_ms);
    for (int i = first; i + 1 < log->segment_count; i++) {
        struct segment *s = log->segments[i];
        bool was_open = s->files != NULL;
        int err = segment_load_times(&log->env, s);
        if (err < 0)
            return err;
        if (!was_open)
            segment_close(&log->env, s);
        if (s->max_timestamp > limit) {
            out->may_ripen = true;
            hold(out, s->base_offset, "min.compaction.lag.ms");
            return 0;
        }
    }
    return 0;
}

// True when a dirty sealed segment began before the lag: 1, 0, or an error.
static int is_overdue(struct log *log, int first, int64_t now_ms, struct log_cleaning_info *out)
{
    int64_t limit = saturating_sub(now_ms, log->config.max_compaction_lag_ms);
    if (log->config.max_compaction_lag_ms == INT64_MAX)
        return 0;
    for (int i = first; i + 1 < log->segment_count; i++) {
        struct segment *s = log->segments[i];
        bool was_open = s->files != NULL;
        int err = segment_load_first_timestamp(&log->env, s);
        if (err < 0)
            return err;
        if (!was_open)
            segment_close(&log->env, s);
        if (s->first_timestamp <= 0)
            continue;
        if (s->first_timestamp < limit)
            return 1;
        out->may_ripen = true;
    }
    return 0;
}

// Whole segments below the bound; what begins in the middle of one counts all of it.
static int count_bytes(struct log *log, int first, struct log_cleaning_info *out)
{
    out->clean_bytes = out->cleanable_bytes = 0;
    int64_t bound = log->segments[first]->base_offset;
    for (int i = 0; i + 1 < log->segment_count; i++) {
        struct segment *s = log->segments[i];
        int64_t end = log__segment_end(log, i);
        if (end > out->first_uncleanable)
            break;
        int err = segment_load_size(&log->env, s);
        if (err < 0)
            return err;
        *(i < first ? &out->clean_bytes : &out->cleanable_bytes) += s->size;
        if (end > bound)
            bound = end;
    }
    out->first_uncleanable = bound;
    return 0;
}

double log_cleaning_ratio(const struct log_cleaning_info *info)
{
    int64_t total = info->clean_bytes + info->cleanable_bytes;
    return total > 0 ? (double)info->cleanable_bytes / (double)total : 0;
}

static bool is_due(const struct log *log, const struct log_cleaning_info *info)
{
    return info->cleanable_bytes > 0 &&
           (info->is_overdue || log_cleaning_ratio(info) > log->config.min_cleanable_dirty_ratio);
}

static int measure(struct log *log, int64_t now_ms, struct log_cleaning_info *out)
{
    out->first_uncleanable = log__active(log)->base_offset;
    out->held_by = "the active segment";
    int first = log__segment_at(log, out->first_dirty);
    hold(out, log->recovery_point, "what is not known to be on disk");
    int err = log->config.min_compaction_lag_ms > 0 ? hold_young(log, first, now_ms, out) : 0;
    int overdue = err == 0 ? is_overdue(log, first, now_ms, out) : err;
    out->is_overdue = overdue > 0;
    err = overdue < 0 ? overdue : count_bytes(log, first, out);
    // Only for what is due otherwise is it worth to find out about transactions.
    if (err < 0 || !is_due(log, out))
        return err;
    int64_t stable = log_last_stable_offset(log);
    if (stable < -1)
        return (int)stable;
    hold(out, stable, stable < log->high_watermark ? "an open transaction" : "the high watermark");
    err = count_bytes(log, first, out);
    out->is_held = err == 0 && !is_due(log, out);
    return err;
}

int log_cleaning_info(struct log *log, int64_t now_ms, struct log_cleaning_info *out)
{
    struct log_cleaning_info info = {.first_dirty = first_dirty_of(log), .last_ms = log->cleaned_ms};
    int err = 0;
    bool is_on = !log_is_offline(log) && !log->planned && log->config.cleanup_compact;
    info.first_uncleanable = info.first_dirty;
    if (is_on && log->segment_count > 1)
        err = measure(log, now_ms, &info);
    if (err < 0)
        return err;
    if (is_on)
        info.state = is_due(log, &info) ? LOG_CLEANING_DUE : LOG_CLEANING_NOT_DUE;
    if (is_on && log->uncleanable != NULL) {
        info.state = LOG_CLEANING_UNCLEANABLE;
        info.why = log->uncleanable;
    }
    if (log->cleaning != NULL)
        info.state = LOG_CLEANING_UNDER_WAY;
    *out = info;
    return 0;
}

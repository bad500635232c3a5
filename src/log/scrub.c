// SPDX-License-Identifier: Apache-2.0
#include "log/scrub.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/timer.h"
#include "env/work.h"
#include "log/internal.h"
#include "log/names.h"
#include "log/segment_check.h"

enum {
    STEP_BYTES = 1 << 20,
    SEGMENT_COST_BYTES = 64 << 10, // of opening its files
    FIRST_DELAY_MS = 1000,         // after a start others have more urgent things to read
    LOGS_AT_ONCE = 256,            // looked through for something to do before others get their turn
    FINDINGS_MAX = 20,             // of one segment
};

struct scrubber {
    struct env *env;
    struct trace *trace;
    int64_t bytes_per_second;
    struct list logs; // that wait
    struct env_timer timer;
    bool stopped;

    // The segment that is being read.
    struct log *log; // NULL: it went meanwhile
    bool reading;    // a segment is
    bool running;    // a worker is at it
    struct env_work work;
    struct segment_check check;
    struct producer_state producers;
    char *path;
    int64_t size;
    uint32_t cuts;
    bool begun;
    bool bad_snapshot; // of the producers before the segment
    int result;      // of the last step
    int64_t step_bytes;
    struct segment_finding findings[FINDINGS_MAX];
    int finding_count;
};

// ---- On the worker ----

static void found(void *context, const struct segment_finding *f)
{
    struct scrubber *s = context;
    if (s->finding_count < FINDINGS_MAX)
        s->findings[s->finding_count++] = *f;
}

static int step(struct scrubber *s)
{
    int err = 0;
    if (!s->begun) {
        bool known = segment_check_load_producers(s->env->fs, s->path, s->check.base_offset, &s->producers,
                                                  &s->bad_snapshot);
        s->check.producers = known && !s->check.live ? &s->producers : NULL;
        err = segment_check_begin(&s->check);
        s->begun = true;
    }
    if (err < 0)
        return err;
    int64_t from = s->check.scan.position;
    int64_t left = s->check.size - from;
    size_t ahead = left < STEP_BYTES ? (size_t)left : STEP_BYTES;
    bool was_cached = fs_file_is_cached(s->check.file, from, ahead);
    err = segment_check_step(&s->check, STEP_BYTES);
    s->step_bytes = s->check.scan.position - from;
    if (!was_cached)
        fs_file_drop_cached(s->check.file, from, s->step_bytes);
    return err;
}

static void run(struct env_work *work)
{
    struct scrubber *s = container_of(work, struct scrubber, work);
    s->result = step(s);
}

// ---- On the shard ----

static void set_timer(struct scrubber *s, int64_t delay_ns)
{
    if (!s->stopped && !env_timer_is_set(&s->timer))
        env_timer_set(s->env->timers, &s->timer, env_mono_ns(s->env->clock) + delay_ns);
}

// As long as reading so much may take.
static int64_t time_of(const struct scrubber *s, int64_t bytes)
{
    return (int64_t)((double)bytes / (double)s->bytes_per_second * 1e9);
}

static void end_segment(struct scrubber *s)
{
    segment_check_release(&s->check);
    producer_state_release(&s->producers);
    mem_free(s->path);
    s->path = NULL;
    s->reading = false;
    s->log = NULL;
}

static void note_log_damage(struct log *log, const struct scrubber *s, const struct segment_finding *f)
{
    struct log_damage d = {.base_offset = s->check.base_offset, .position = f->position,
                           .end = f->end, .offset = f->offset, .end_offset = f->end_offset};
    if (d.end_offset < 0)
        d.end_offset = d.offset + 1;
    log__add_damage(log, &d, f->what);
}

// Indexes of a segment that does not change are made again; those of the active one are judged when
// they are used.
static void repair_indexes(struct log *log, struct scrubber *s, struct segment *segment, const char *what)
{
    int err = segment_remake_indexes(&log->env, segment, what);
    if (err < 0)
        log__failed(log, err, "making an index again");
}

static void repair_txn_index(struct log *log, struct scrubber *s, struct segment *segment,
                             const char *what)
{
    char path[FS_PATH_MAX];
    if (!log_file_path(path, log->path, segment->base_offset, LOG_FILE_TXN_INDEX))
        return;
    trace_error(s->trace, LOG_AREA,
                "%s: %s; made again from the markers in the log. Until now readers of committed records "
                "may have been shown aborted ones", path, what);
    int err = segment_replace_txn_index(&log->env, segment, buf_bytes(&s->check.txn_entries));
    segment->txn_checked = err == 0;
    if (err < 0)
        trace_error(s->trace, LOG_AREA, "%s: %s", path, err_text(err));
}

static void tell_snapshot(const struct scrubber *s)
{
    char path[FS_PATH_MAX];
    if (s->bad_snapshot && log_file_path(path, s->path, s->check.base_offset, LOG_FILE_SNAPSHOT))
        trace_warn(s->trace, LOG_AREA,
                   "%s: it is damaged; a start reads the batches again instead, nothing is lost", path);
}

static void judge(struct scrubber *s, struct log *log, struct segment *segment)
{
    tell_snapshot(s);
    bool log_is_good = true, index_done = false, txns_known = s->check.producers != NULL;
    for (int i = 0; i < s->finding_count; i++) {
        const struct segment_finding *f = &s->findings[i];
        bool index = f->part == SEGMENT_PART_INDEX || f->part == SEGMENT_PART_TIME_INDEX;
        if (f->part == SEGMENT_PART_LOG) {
            log_is_good = false;
            note_log_damage(log, s, f);
        } else if (index && !s->check.live && !index_done) {
            index_done = true;
            repair_indexes(log, s, segment, f->what);
        } else if (f->part == SEGMENT_PART_TXN_INDEX && log_is_good) {
            txns_known = false;
            repair_txn_index(log, s, segment, f->what);
        }
    }
    if (log_is_good)
        segment_note_checked(segment, 0, s->size);
    segment->txn_checked |= log_is_good && txns_known;
}

static void finish(struct scrubber *s)
{
    struct log *log = s->log;
    struct segment *segment = NULL;
    if (log != NULL && !log_is_offline(log) && log->segment_count > 0)
        segment = log->segments[log__segment_at(log, s->check.base_offset)];
    if (segment != NULL && segment->base_offset == s->check.base_offset && segment->cuts == s->cuts) {
        segment->scrubbed_size = s->size;
        if (s->result == 0)
            judge(s, log, segment);
        else if (s->result != ERR_NOT_FOUND)
            log__failed(log, s->result, "scrubbing");
    }
    if (log != NULL)
        scrubber_add(s, log);
    end_segment(s);
}

static void done(struct env_work *work)
{
    struct scrubber *s = container_of(work, struct scrubber, work);
    int64_t cost = s->step_bytes > SEGMENT_COST_BYTES ? s->step_bytes : SEGMENT_COST_BYTES;
    s->running = false;
    if (s->result <= 0)
        finish(s);
    else if (s->log == NULL || s->stopped)
        end_segment(s);
    if (s->reading || !list_empty(&s->logs))
        set_timer(s, time_of(s, cost));
}

static void submit(struct scrubber *s)
{
    s->running = true;
    s->step_bytes = 0;
    s->work = (struct env_work){.run = run, .done = done, .bulk = true};
    env_work_submit(s->env->workers, &s->work);
}

// A segment that was sealed is read as a whole; of the active one what was there before this process.
static bool is_due(const struct log *log, const struct segment *segment)
{
    bool active = segment == log__active(log);
    if (segment->size <= 0 || segment->names != SEGMENT_LIVE)
        return false;
    if (!active)
        return segment->scrubbed_size < segment->size;
    return segment->scrubbed_size == 0 &&
           (segment->checked_from > 0 || segment->checked_to < segment->size);
}

static struct segment *find_due(struct log *log)
{
    if (log_is_offline(log))
        return NULL;
    for (int i = 0; i < log->segment_count; i++) {
        struct segment *segment = log->segments[i];
        if (segment->size < 0 && segment_load_size(&log->env, segment) < 0)
            return NULL; // whoever uses it will learn why
        if (is_due(log, segment))
            return segment;
    }
    return NULL;
}

static void begin_segment(struct scrubber *s, struct log *log, struct segment *segment)
{
    int index = log__segment_at(log, segment->base_offset);
    bool live = segment == log__active(log);
    s->log = log;
    s->reading = true;
    s->begun = s->bad_snapshot = false;
    s->finding_count = 0;
    s->path = mem_copy_text(log->path);
    s->size = segment->size;
    s->cuts = segment->cuts;
    producer_state_init(&s->producers);
    s->check = (struct segment_check){
        .fs = s->env->fs, .dir = s->path, .base_offset = segment->base_offset, .size = segment->size,
        .end_offset = live ? -1 : log__segment_end(log, index), .live = live,
        .may_have_gaps = log->config.cleanup_compact || log->compacted, .found = found, .context = s,
        .index_interval_bytes = log->env.index_interval_bytes,
    };
    submit(s);
}

static void fire(struct env_timer *timer)
{
    struct scrubber *s = container_of(timer, struct scrubber, timer);
    if (s->running || s->stopped)
        return;
    if (s->reading && s->log != NULL) {
        submit(s);
        return;
    }
    if (s->reading)
        end_segment(s);
    for (int i = 0; i < LOGS_AT_ONCE && !s->reading; i++) {
        struct list_node *node = list_pop(&s->logs);
        if (node == NULL)
            return;
        struct log *log = container_of(node, struct log, scrub_node);
        struct segment *segment = find_due(log);
        if (segment != NULL)
            begin_segment(s, log, segment);
    }
    if (!s->reading && !list_empty(&s->logs))
        set_timer(s, time_of(s, SEGMENT_COST_BYTES));
}

void scrubber_add(struct scrubber *s, struct log *log)
{
    if (s->bytes_per_second <= 0 || s->stopped || list_linked(&log->scrub_node))
        return;
    list_append(&s->logs, &log->scrub_node);
    if (!s->reading)
        set_timer(s, FIRST_DELAY_MS * INT64_C(1000000));
}

void scrubber_remove(struct scrubber *s, struct log *log)
{
    if (list_linked(&log->scrub_node))
        list_remove(&log->scrub_node);
    if (s->log == log)
        s->log = NULL;
}

bool scrubber_is_idle(const struct scrubber *s)
{
    return !s->running;
}

void scrubber_stop(struct scrubber *s)
{
    s->stopped = true;
    env_timer_cancel(s->env->timers, &s->timer);
}

struct scrubber *scrubber_new(struct env *env, struct trace *trace, int64_t bytes_per_second)
{
    struct scrubber *s = mem_new(struct scrubber);
    s->env = env;
    s->trace = trace;
    s->bytes_per_second = bytes_per_second;
    s->timer.fire = fire;
    list_init(&s->logs);
    return s;
}

void scrubber_free(struct scrubber *s)
{
    if (s == NULL)
        return;
    check(!s->running);
    scrubber_stop(s);
    if (s->reading)
        end_segment(s);
    while (list_pop(&s->logs) != NULL)
        ;
    mem_free(s);
}

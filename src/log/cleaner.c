// SPDX-License-Identifier: Apache-2.0
#include "log/cleaner.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/random.h"
#include "env/timer.h"
#include "env/work.h"
#include "log/cleaner_run.h"
#include "log/cleaner_swap.h"
#include "log/dir.h"
#include "log/dir_internal.h"
#include "log/internal.h"

enum { SAVE_LOOK_MS = 50 };

struct cleaner {
    struct env *env;
    struct trace *trace;
    struct cleaner_config config;
    struct list logs;      // all that were added
    struct list cleanings; // under way
    int cleaning_count;
    struct env_timer timer; // the next look
    bool follows_save;      // it comes soon, for what was not known to be on disk
    bool stopped;
};

// One compaction: begun on the shard, then by turns on a worker and on the shard.
struct cleaning {
    struct cleaner *cleaner;
    struct list_node node;
    struct log *log;   // NULL: it went
    char *dir;         // the partition's directory
    char *name;        // for people
    struct cleaner_run run;
    struct log_swap swap;
    struct env_work work;
    struct env_timer timer; // until the next step is due
    struct log_save_wait save;
    bool is_running;   // a worker has it
    bool is_saving;    // the checkpoint gets its first entry of the log
    bool is_held;      // by a caller further up the stack, who ends it
    bool is_cancelled;
    bool is_over;      // all is read and in its place
    int result;        // of the last work
    int64_t begin_ns;
};

static void step(struct cleaning *g);

// Nobody will come back to it.
static bool is_idle(const struct cleaning *g)
{
    return !g->is_running && !g->is_saving && !g->is_held;
}

static bool is_swapping(const struct cleaning *g)
{
    return g->swap.log != NULL;
}

// ---- The end of a compaction ----

static void set_timer(struct cleaner *c, int64_t delay_ms)
{
    int64_t delay_ns;
    if (c->stopped || c->config.cleanings_max == 0 || env_timer_is_set(&c->timer) ||
        __builtin_mul_overflow(delay_ms > 0 ? delay_ms : 1, INT64_C(1000000), &delay_ns) ||
        delay_ns > INT64_MAX / 2)
        return;
    env_timer_set(c->env->timers, &c->timer, env_mono_ns(c->env->clock) + delay_ns);
}

// Lets go of the log, which is as it was or as it should be.
static void end(struct cleaning *g)
{
    struct cleaner *c = g->cleaner;
    check(is_idle(g));
    env_timer_cancel(c->env->timers, &g->timer);
    if (g->log != NULL)
        g->log->cleaning = NULL;
    if (g->log != NULL && log_is_offline(g->log))
        g->run.is_dropped = true;
    log_swap_release(&g->swap);
    cleaner_run_end(&g->run);
    list_remove(&g->node);
    c->cleaning_count--;
    mem_free(g->dir);
    mem_free(g->name);
    mem_free(g);
    set_timer(c, c->config.backoff_ms);
}

static void tell_done(const struct cleaning *g, int64_t end_offset)
{
    const struct cleaner_figures *f = &g->run.figures;
    int64_t ms = (env_mono_ns(g->cleaner->env->clock) - g->begin_ns) / 1000000;
    const struct trace_field fields[] = {
        {"topic", .text = g->log->topic},
        {"partition", .number = g->log->partition},
        {"end_offset", .number = end_offset},
        {"segments_before", .number = f->segments_before},
        {"segments_after", .number = f->segments_after},
        {"bytes_before", .number = f->bytes_before},
        {"bytes_after", .number = f->bytes_after},
        {"records_before", .number = f->records_before},
        {"records_after", .number = f->records_after},
        {"keys", .number = f->keys},
        {"map_bytes", .number = f->map_bytes},
        {"duration_ms", .number = ms},
        {0}};
    trace_event(g->cleaner->trace, TRACE_INFO, LOG_AREA, fields,
                "compacted %s up to offset %" PRId64 ": %" PRId64 " segments of %" PRId64
                " bytes are now %" PRId64 " of %" PRId64 "; %" PRId64 " of %" PRId64
                " records stayed; %" PRId64 " ms", g->name, end_offset, f->segments_before,
                f->bytes_before, f->segments_after, f->bytes_after, f->records_after,
                f->records_before, ms);
}

static void finish(struct cleaning *g)
{
    struct cleaner *c = g->cleaner;
    struct log *log = g->log;
    // An entry that is ahead of what a truncation left was taken back by it, and this was cancelled.
    log->cleaner_offset = g->run.map_end;
    log->cleaned_ms = env_wall_ms(c->env->clock);
    log->no_room_said = false;
    tell_done(g, g->run.map_end);
    if (log->home != NULL)
        log_dir_save(log->home, LOG_SAVE_CLEANER_OFFSETS, NULL);
    end(g);
    env_timer_cancel(c->env->timers, &c->timer);
    set_timer(c, 0); // another may be due
}

static const char *advice(int err)
{
    switch (err) {
    case ERR_NOMEM:
        return "raise log.cleaner.dedupe.buffer.size";
    case ERR_CORRUPT:
        return "`chitin log verify` on the closed directory says more; restore the file from a copy";
    default:
        return "it is tried again after a change of configuration, or the next start";
    }
}

// The log may go offline by that, which takes it away; even the cleaner may be stopped.
static void fail_log(struct cleaning *g, int err, const char *what)
{
    g->is_held = true;
    log__failed(g->log, err, what);
    g->is_held = false;
}

static void give_up(struct cleaning *g, int err)
{
    struct log *log = g->log;
    const char *problem = g->run.problem;
    const struct trace_field fields[] = {{"topic", .text = log->topic},
                                         {"partition", .number = log->partition},
                                         {"reason", .text = problem}, {0}};
    if (err == ERR_NOSPC) {
        // Said once; the next look tries again.
        if (!log->no_room_said)
            trace_warn(g->cleaner->trace, LOG_AREA, "%s is not compacted for want of room: %s", g->name,
                       problem);
        log->no_room_said = true;
        fail_log(g, err, "compacting");
    } else if (err == ERR_IO || err == ERR_REFUSED) {
        fail_log(g, err, problem[0] != '\0' ? problem : "compacting");
    } else {
        log->uncleanable = mem_copy_text(problem[0] != '\0' ? problem : err_text(err));
        trace_event(g->cleaner->trace, TRACE_ERROR, LOG_AREA, fields,
                    "%s is not compacted any more: %s; the log is as it was; %s", g->name,
                    log->uncleanable, advice(err));
    }
    end(g);
}

// ---- Steps ----

static void work_run(struct env_work *work)
{
    struct cleaning *g = container_of(work, struct cleaning, work);
    g->result = is_swapping(g) ? fs_dir_sync(g->cleaner->env->fs, g->dir) : cleaner_run_step(&g->run);
}

// As long as reading and writing so much may take.
static int64_t time_of(const struct cleaner *c, int64_t bytes)
{
    double rate = c->config.bytes_per_second / (c->cleaning_count > 0 ? c->cleaning_count : 1);
    double ns = rate > 0 ? (double)bytes / rate * 1e9 : 1e9;
    return ns < 1e17 ? (int64_t)ns : INT64_C(100000000000000000);
}

static void swap_on(struct cleaning *g)
{
    g->is_held = true; // as in fail_log()
    int got = log_swap_step(&g->swap);
    g->is_held = false;
    if (got < 0) {
        end(g);
        return;
    }
    if (got == 0)
        log_swap_release(&g->swap);
    step(g);
}

static void begin_swap(struct cleaning *g)
{
    struct cleaner_run *r = &g->run;
    int64_t *bases = mem_alloc_array((size_t)r->group_count, sizeof *bases);
    for (int i = 0; i < r->group_count; i++)
        bases[i] = r->plan.sources[r->group_first + i].base_offset;
    log_swap_begin(&g->swap, g->log, r->output, bases, r->group_count);
    r->output = NULL;
    mem_free(bases);
    swap_on(g);
}

// Takes back a group that was handed over and is not wanted: its files go with the run.
static void conclude_run(struct cleaning *g)
{
    if (g->result == CLEANER_GROUP)
        begin_swap(g);
    else if (g->result == CLEANER_MORE)
        step(g);
    else if (g->result == 0)
        finish(g);
    else
        give_up(g, g->result);
}

static void conclude_sync(struct cleaning *g)
{
    if (g->result < 0) {
        fail_log(g, g->result, "putting a compacted segment in place");
        end(g);
    } else {
        swap_on(g);
    }
}

static void work_done(struct env_work *work)
{
    struct cleaning *g = container_of(work, struct cleaning, work);
    g->is_running = false;
    bool is_wanted = g->log != NULL && !log_is_offline(g->log);
    // A swap that has begun is not left half way; a truncation may have finished it meanwhile.
    if (is_wanted && is_swapping(g) && g->swap.step < LOG_SWAP_STEPS)
        conclude_sync(g);
    else if (!is_wanted || g->is_cancelled || g->cleaner->stopped)
        end(g);
    else
        conclude_run(g);
}

static void submit(struct cleaning *g)
{
    g->is_running = true;
    g->work = (struct env_work){.run = work_run, .done = work_done, .bulk = !is_swapping(g)};
    env_work_submit(g->cleaner->env->workers, &g->work);
}

static void timer_fire(struct env_timer *timer)
{
    submit(container_of(timer, struct cleaning, timer));
}

// Goes on, when the rate allows it.
static void step(struct cleaning *g)
{
    struct cleaner *c = g->cleaner;
    bool must_end = !is_swapping(g) && (c->stopped || g->is_cancelled || log_is_offline(g->log));
    int64_t delay_ns = is_swapping(g) ? 0 : time_of(c, g->run.step_bytes);
    if (must_end)
        end(g);
    else if (delay_ns > 0)
        env_timer_set(c->env->timers, &g->timer, env_mono_ns(c->env->clock) + delay_ns);
    else
        submit(g);
}

int log__end_cleaning(struct log *log)
{
    struct cleaning *g = log->cleaning;
    if (g == NULL)
        return 0;
    g->is_cancelled = true;
    return log_swap_has_begun(&g->swap) ? log_swap_finish(&g->swap) : 0;
}

void log__cleaning_configured(struct log *log)
{
    if (log->cleaning != NULL && !log->config.cleanup_compact)
        log->cleaning->is_cancelled = true;
}

// ---- Beginning ----

// All segments, since what decides a transaction may lie behind what can be cleaned.
static int note_sources(struct log *log, int64_t first_uncleanable, struct cleaner_plan *plan)
{
    plan->sources = mem_alloc_array((size_t)log->segment_count, sizeof *plan->sources);
    for (int i = 0; i < log->segment_count; i++) {
        struct segment *s = log->segments[i];
        int64_t end_offset = log__segment_end(log, i);
        int err = segment_load_size(&log->env, s);
        if (err < 0)
            return err;
        plan->sources[plan->segment_count++] = (struct segment_span){
            .base_offset = s->base_offset, .size = s->size, .end_offset = end_offset};
        if (i + 1 < log->segment_count && end_offset <= first_uncleanable)
            plan->source_count = plan->segment_count;
    }
    return 0;
}

static void note_producers(const struct log *log, struct cleaner_plan *plan)
{
    struct producer **all = producer_state_sorted(&log->producers);
    size_t count = log->producers.producers.count;
    plan->producers = mem_alloc_array(count + 1, sizeof *plan->producers);
    for (size_t i = 0; i < count; i++) {
        const struct producer *p = all[i];
        plan->producers[plan->producer_count++] = (struct cleaner_producer){
            .producer_id = p->id, .epoch = p->epoch,
            .last_offset = p->batch_count > 0 ? p->batches[p->batch_count - 1].last_offset : -1};
    }
    mem_free(all);
}

static void plan_release(struct cleaner_plan *plan)
{
    mem_free(plan->sources);
    mem_free(plan->producers);
}

static int make_plan(struct cleaning *g, const struct log_cleaning_info *info, struct cleaner_plan *out)
{
    struct cleaner *c = g->cleaner;
    struct log *log = g->log;
    *out = (struct cleaner_plan){
        .fs = log->env.fs,
        .trace = c->trace,
        .dir = g->dir,
        .index_interval_bytes = log->config.index_interval_bytes,
        .segment_bytes = log->config.segment_bytes,
        .segment_index_bytes = log->config.segment_index_bytes,
        .delete_retention_ms = log->config.delete_retention_ms,
        .now_ms = env_wall_ms(c->env->clock),
        .first_dirty = info->first_dirty,
        .map_bytes_max = c->config.map_bytes_max,
        .load_factor = c->config.load_factor,
        .io_bytes = c->config.io_bytes,
    };
    env_random_fill(c->env->random, out->seeds, sizeof out->seeds);
    note_producers(log, out);
    int err = note_sources(log, info->first_uncleanable, out);
    if (err < 0)
        plan_release(out);
    return err;
}

// The directory says that offsets may be missing before any are.
static void entry_saved(struct log_save_wait *wait, int err)
{
    struct cleaning *g = container_of(wait, struct cleaning, save);
    g->is_saving = false;
    if (g->log == NULL || err < 0)
        end(g);
    else
        step(g);
}

// False if that was not possible now.
static bool begin(struct cleaner *c, struct log *log, const struct log_cleaning_info *info)
{
    struct cleaner_plan plan;
    struct cleaning *g = mem_new(struct cleaning);
    char name[LOG_TOPIC_NAME_MAX + 16];
    snprintf(name, sizeof name, "%s-%" PRId32, log->topic, log->partition);
    g->cleaner = c;
    g->log = log;
    g->dir = mem_copy_text(log->path);
    g->name = mem_copy_text(name);
    g->timer.fire = timer_fire;
    g->save.done = entry_saved;
    g->begin_ns = env_mono_ns(c->env->clock);
    int err = make_plan(g, info, &plan);
    if (err < 0) {
        log__read_failed(log, err, "beginning to compact it");
        mem_free(g->dir);
        mem_free(g->name);
        mem_free(g);
        return false;
    }
    log->cleaning = g;
    list_append(&c->cleanings, &g->node);
    c->cleaning_count++;
    cleaner_run_begin(&g->run, &plan);
    bool has_entry = log->home == NULL || log->cleaner_offset == info->first_dirty;
    log->cleaner_offset = info->first_dirty;
    g->is_saving = !has_entry;
    if (has_entry)
        step(g);
    else
        log_dir_save(log->home, LOG_SAVE_CLEANER_OFFSETS, &g->save);
    return true;
}

// ---- Choosing ----

struct choice {
    struct log *log; // NULL: nothing is due
    struct log_cleaning_info info;
    bool may_ripen;
};

// Once, until it is over.
static void tell_hold(struct cleaner *c, struct log *log, const struct log_cleaning_info *info)
{
    if (info->is_held && !log->hold_said)
        trace_info(c->trace, LOG_AREA,
                   "%s-%" PRId32 " is to be compacted from offset %" PRId64 " on, and waits for %s",
                   log->topic, log->partition, info->first_dirty, info->held_by);
    log->hold_said = info->is_held;
}

static void consider(struct cleaner *c, struct log *log, int64_t now_ms, struct choice *best)
{
    struct log_cleaning_info info;
    if (log->home != NULL && log_dir_is_full(log->home)) {
        best->may_ripen = true; // it ends without an append
        return;
    }
    int err = log_cleaning_info(log, now_ms, &info);
    if (err < 0) {
        log__read_failed(log, err, "looking what there is to compact");
        return;
    }
    tell_hold(c, log, &info);
    if (info.state == LOG_CLEANING_DUE &&
        (best->log == NULL || log_cleaning_ratio(&info) > log_cleaning_ratio(&best->info))) {
        best->log = log;
        best->info = info;
    }
    best->may_ripen |= info.may_ripen && info.state == LOG_CLEANING_NOT_DUE;
}

// Sealed segments that are not known to be on disk: the next save of recovery points sees to it.
static bool waits_for_save(const struct log *log)
{
    return log->config.cleanup_compact && log->segment_count > 1 && !log_is_offline(log) &&
           log->recovery_point < log__active(log)->base_offset;
}

// Asks for that save, once for each backoff. True while it is under way: then the next look comes soon.
static bool ask_save(const struct log *log, bool was_asked)
{
    if (!waits_for_save(log) || log->home == NULL)
        return false;
    if (!was_asked && !log_dir__is_saving(log->home))
        log_dir_save(log->home, LOG_SAVE_RECOVERY_POINTS, NULL);
    return log_dir__is_saving(log->home);
}

static void look(struct env_timer *timer)
{
    struct cleaner *c = container_of(timer, struct cleaner, timer);
    int64_t now_ms = env_wall_ms(c->env->clock);
    bool again = false, was_asked = c->follows_save;
    c->follows_save = false;
    while (!c->stopped && c->cleaning_count < c->config.cleanings_max) {
        struct choice best = {0};
        again = false;
        list_for_each(node, next, &c->logs) {
            struct log *log = container_of(node, struct log, cleaner_node);
            if (log->cleaning != NULL || !log->config.cleanup_compact)
                continue;
            c->follows_save |= ask_save(log, was_asked);
            consider(c, log, now_ms, &best);
            again |= best.may_ripen || waits_for_save(log);
        }
        if (best.log == NULL)
            break;
        if (!begin(c, best.log, &best.info)) {
            again = true;
            break;
        }
    }
    if (c->follows_save && !c->stopped)
        set_timer(c, c->config.backoff_ms < SAVE_LOOK_MS ? c->config.backoff_ms : SAVE_LOOK_MS);
    else if (again)
        set_timer(c, c->config.backoff_ms);
}

// ---- The owner's side ----

void cleaner_add(struct cleaner *c, struct log *log)
{
    if (list_linked(&log->cleaner_node))
        return;
    list_append(&c->logs, &log->cleaner_node);
    if (log->config.cleanup_compact)
        cleaner_touch(c);
}

void cleaner_remove(struct cleaner *c, struct log *log)
{
    struct cleaning *g = log->cleaning;
    list_remove(&log->cleaner_node);
    if (g == NULL)
        return;
    check(g->cleaner == c);
    // Its directory is deleted or out of reach, and what lies there has the names that a start understands.
    g->run.is_dropped = true;
    log_swap_release(&g->swap);
    log->cleaning = NULL;
    g->log = NULL;
    if (is_idle(g))
        end(g);
}

void cleaner_touch(struct cleaner *c)
{
    if (!list_empty(&c->logs))
        set_timer(c, c->config.backoff_ms);
}

void cleaner_configure(struct cleaner *c, const struct cleaner_config *config)
{
    c->config = *config;
    cleaner_touch(c);
}

bool cleaner_is_idle(const struct cleaner *c)
{
    return list_empty(&c->cleanings);
}

void cleaner_stop(struct cleaner *c)
{
    c->stopped = true;
    env_timer_cancel(c->env->timers, &c->timer);
    list_for_each(node, next, &c->cleanings) {
        struct cleaning *g = container_of(node, struct cleaning, node);
        if (is_idle(g))
            end(g); // it waited for its time
    }
}

struct cleaner *cleaner_new(struct env *env, struct trace *trace, const struct cleaner_config *config)
{
    struct cleaner *c = mem_new(struct cleaner);
    c->env = env;
    c->trace = trace;
    c->config = *config;
    c->timer.fire = look;
    list_init(&c->logs);
    list_init(&c->cleanings);
    return c;
}

void cleaner_free(struct cleaner *c)
{
    if (c == NULL)
        return;
    cleaner_stop(c);
    check(cleaner_is_idle(c));
    while (list_pop(&c->logs) != NULL)
        ;
    mem_free(c);
}

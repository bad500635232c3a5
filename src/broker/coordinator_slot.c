// SPDX-License-Identifier: Apache-2.0
#include "broker/coordinator_slot.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/trace.h"
#include "broker/coordinator_kind.h"
#include "broker/coordinators.h"
#include "broker/partitions.h"
#include "broker/shard.h"
#include "config/config.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/fs.h"
#include "log/dir.h"
#include "wire/batch.h"

enum {
    LOAD_PIECE_MAX = 256 * 1024, // of the log replayed in one turn: some milliseconds
    RELOAD_MS = 500,             // after a failure
    NS_PER_MS = 1000000,
};

// The partition under it, when it can be used; NULL otherwise.
static struct partition *find_partition(const struct coordinator_slot *slot)
{
    struct partition *p = partitions_find(&slot->shard->partitions, slot->topic_id, slot->partition);
    return p != NULL && p->state == PARTITION_ONLINE ? p : NULL;
}

// ---- Appending ----

static int append_as(struct coordinator_slot *slot, const struct log_writer *writer, uint8_t *batch,
                     size_t size, struct log_append_info *info)
{
    struct partition *p = find_partition(slot);
    if (p == NULL)
        return ERR_OFFLINE;
    int64_t now_ms = env_wall_ms(slot->shard->env->clock);
    slot->is_held = true;
    int err = log_append_as(p->log, batch, size, slot->leader_epoch, now_ms, writer, info);
    slot->is_held = false;
    if (err == 0 && info->verdict == LOG_APPENDED)
        partition_appended(p);
    return err;
}

static int append(void *context, uint8_t *batch, size_t size, int64_t *end_offset)
{
    const struct log_writer writer = {.is_coordinator = true};
    struct log_append_info info;
    int err = append_as(context, &writer, batch, size, &info);
    if (err != 0)
        return err;
    if (info.verdict != LOG_APPENDED)
        return ERR_LIMIT;
    *end_offset = info.last_offset + 1;
    return 0;
}

static int append_txn(void *context, const struct coordinator_txn *txn, uint8_t *batch, size_t size,
                      int64_t *end_offset, enum kafka_error *error)
{
    const struct log_writer writer = {
        .is_coordinator = true,
        .needs_verification = txn->needs_verification,
        .guard = txn->guard,
        .transaction_version = txn->transaction_version,
    };
    struct log_append_info info;
    int err = append_as(context, &writer, batch, size, &info);
    if (err != 0)
        return err;
    *error = partition_append_error(info.verdict);
    *end_offset = info.last_offset + 1;
    return 0;
}

// A full disk refuses before the state has changed, so that reading goes on.
static int may_append(void *context)
{
    const struct coordinator_slot *slot = context;
    const struct partition *p = find_partition(slot);
    if (p == NULL)
        return ERR_OFFLINE;
    return log_dir_is_full(p->dir) ? ERR_NOSPC : 0;
}

// ---- Making and ending ----

static void make(struct coordinator_slot *slot, const struct partition *p)
{
    struct shard *s = slot->shard;
    const struct coordinator_kind_type *type = slot->type;
    slot->state_of_kind = type->new(slot);
    slot->coordinator = coordinator_new(&(struct coordinator_options){
        .machine = type->machine,
        .state = slot->state_of_kind,
        .trace = s->trace,
        .name = slot->name,
        .append = append,
        .append_txn = append_txn,
        .may_append = may_append,
        .append_context = slot,
        .batch_bytes_max = (size_t)p->config.max_message_bytes,
        .codec = type->codec_key == NULL ? 0 : config_i32(s->config, type->codec_key),
    });
    type->attach(slot->state_of_kind, slot->coordinator);
    int32_t piece_bytes = config_i32(s->config, type->piece_bytes_key);
    slot->piece_bytes = (size_t)(piece_bytes < LOAD_PIECE_MAX ? piece_bytes : LOAD_PIECE_MAX);
    slot->linger_ms = type->linger_ms_key == NULL ? 0 : config_i32(s->config, type->linger_ms_key);
}

static void forget(struct coordinator_slot *slot, enum kafka_error error)
{
    partition_cancel_append(&slot->wait);
    env_timer_cancel(slot->shard->env->timers, &slot->timer);
    env_timer_cancel(slot->shard->env->timers, &slot->linger);
    if (slot->coordinator == NULL)
        return;
    slot->type->end(slot->state_of_kind, error);
    coordinator_fail(slot->coordinator, error);
    slot->type->free(slot->state_of_kind);
    coordinator_free(slot->coordinator);
    slot->state_of_kind = NULL;
    slot->coordinator = NULL;
}

static void post_turn(struct coordinator_slot *slot)
{
    if (slot->turn_is_posted)
        return;
    slot->turn_is_posted = true;
    env_post(slot->shard->env->mailbox, &slot->turn);
}

static void set_timer(struct coordinator_slot *slot, struct env_timer *timer, int64_t mono_ms,
                      void (*fire)(struct env_timer *timer))
{
    timer->fire = fire;
    env_timer_set(slot->shard->env->timers, timer, mono_ms * NS_PER_MS);
}

static void reload_is_due(struct env_timer *timer)
{
    coordinator_slot_consider(container_of(timer, struct coordinator_slot, timer));
}

static void load_again_later(struct coordinator_slot *slot, enum kafka_error error)
{
    forget(slot, error);
    slot->state = SLOT_WAITING;
    set_timer(slot, &slot->timer, env_mono_ms(slot->shard->env->clock) + RELOAD_MS, reload_is_due);
}

// ---- Loading ----

static void read_piece(struct env_work *work)
{
    struct coordinator_slot *slot = container_of(work, struct coordinator_slot, work);
    const struct log_slice *slice = &slot->slice;
    if (slice->unchecked)
        log_check_run(slice, &slot->found);
    buf_clear(&slot->piece);
    uint8_t *out = buf_extend(&slot->piece, slice->size);
    int64_t n = out == NULL ? ERR_NOMEM : fs_file_read(slice->ref->file, out, slice->size, slice->position);
    slot->read_error = n < 0 ? (int)n : (size_t)n < slice->size ? ERR_TRUNCATED : 0;
}

static void give_up(struct coordinator_slot *slot, const struct diag *diag)
{
    trace_error(slot->shard->trace, "coordinator",
                "the %s of %s cannot be served: %s; `chitin log verify` tells what is damaged, and their "
                "clients get NOT_COORDINATOR meanwhile",
                slot->type->what, slot->name, diag->text);
    forget(slot, KAFKA_NOT_COORDINATOR);
    slot->state = SLOT_BROKEN;
}

static void end_load(struct coordinator_slot *slot, const struct partition *p)
{
    const struct coordinator_time now = coordinators_now(slot->shard);
    int64_t took_ns = env_mono_ns(slot->shard->env->clock) - slot->load_begin_ns;
    slot->state = SLOT_ACTIVE;
    buf_release(&slot->piece);
    coordinator_activate(slot->coordinator, log_end_offset(p->log));
    trace_debug(slot->shard->trace, "coordinator",
                "loaded %s up to %" PRId64 " in %" PRId64 " ms", slot->name, log_end_offset(p->log),
                took_ns / NS_PER_MS);
    slot->type->loaded(slot->state_of_kind, &now);
    coordinator_slot_touched(slot);
}

static void piece_came(struct env_work *work)
{
    struct coordinator_slot *slot = container_of(work, struct coordinator_slot, work);
    struct partition *p = find_partition(slot);
    struct diag diag = {{0}};
    slot->is_working = false;
    if (p != NULL && slot->slice.unchecked)
        log_check_end(p->log, &slot->slice, &slot->found);
    bool is_bad = slot->slice.unchecked && slot->found.problem != NULL;
    log_slice_release(&slot->slice);
    if (slot->state != SLOT_LOADING)
        return;
    if (p == NULL) {
        load_again_later(slot, KAFKA_NOT_COORDINATOR);
        return;
    }
    int err = is_bad ? diag_set(&diag, ERR_CORRUPT, "batches are damaged: %s", slot->found.problem)
                     : slot->read_error;
    if (err == 0)
        err = coordinator_load(slot->coordinator, buf_bytes(&slot->piece), &diag);
    else if (!is_bad)
        diag_set(&diag, err, "reading failed: %s", err_text(err));
    if (err != 0) {
        give_up(slot, &diag);
        return;
    }
    slot->load_offset = coordinator_loaded_offset(slot->coordinator);
    post_turn(slot);
}

static void end_is_committed(struct append_wait *wait, int kafka_error)
{
    (void)kafka_error; // the next piece finds out
    post_turn(container_of(wait, struct coordinator_slot, wait));
}

// What was written by a leader before us is not told to anybody before it is committed.
static void await_end(struct coordinator_slot *slot, struct partition *p, int64_t end)
{
    slot->wait.offset = end;
    slot->wait.done = end_is_committed;
    partition_wait_append(p, &slot->wait);
}

static void load_piece(struct coordinator_slot *slot)
{
    struct partition *p = find_partition(slot);
    if (p == NULL) {
        load_again_later(slot, KAFKA_NOT_COORDINATOR);
        return;
    }
    int64_t end = log_end_offset(p->log);
    if (slot->load_offset >= end && p->high_watermark < end) {
        await_end(slot, p, end);
        return;
    }
    slot->is_held = true;
    int err = log_read(p->log, slot->load_offset, slot->piece_bytes, true, end, &slot->slice);
    slot->is_held = false;
    if (slot->state == SLOT_ENDED) {
        if (err == 0)
            log_slice_release(&slot->slice);
        return;
    }
    if (err == 0 && slot->slice.size == 0) { // the end, or a compacted tail before it
        end_load(slot, p);
        return;
    }
    if (err != 0) {
        struct diag diag = {{0}};
        diag_set(&diag, err, "reading at offset %" PRId64 " failed: %s", slot->load_offset, err_text(err));
        give_up(slot, &diag);
        return;
    }
    slot->is_working = true;
    slot->work = (struct env_work){.run = read_piece, .done = piece_came};
    env_work_submit(slot->shard->env->workers, &slot->work);
}

void coordinator_slot_consider(struct coordinator_slot *slot)
{
    struct partition *p = find_partition(slot);
    if (slot->state != SLOT_WAITING || slot->is_working || p == NULL)
        return;
    make(slot, p);
    slot->state = SLOT_LOADING;
    slot->load_offset = log_start_offset(p->log);
    slot->load_begin_ns = env_mono_ns(slot->shard->env->clock);
    buf_init(&slot->piece, SIZE_MAX / 2); // a piece is one batch at least, however large
    load_piece(slot);
}

// ---- At work ----

static void deadline_is_due(struct env_timer *timer)
{
    struct coordinator_slot *slot = container_of(timer, struct coordinator_slot, timer);
    const struct coordinator_time now = coordinators_now(slot->shard);
    if (slot->state != SLOT_ACTIVE)
        return;
    coordinator_advance(slot->coordinator, &now);
    coordinator_slot_touched(slot);
}

static void committed(struct append_wait *wait, int kafka_error)
{
    struct coordinator_slot *slot = container_of(wait, struct coordinator_slot, wait);
    const struct partition *p = find_partition(slot);
    if (slot->coordinator == NULL || kafka_error != KAFKA_NONE || p == NULL)
        return; // the next append tells, or the metadata
    coordinator_committed(slot->coordinator, p->high_watermark);
    coordinator_slot_touched(slot);
}

static void await_commit(struct coordinator_slot *slot)
{
    int64_t offset = coordinator_awaited_offset(slot->coordinator);
    struct partition *p = find_partition(slot);
    if (offset < 0 || p == NULL || list_linked(&slot->wait.node))
        return;
    slot->wait.offset = offset;
    slot->wait.done = committed;
    partition_wait_append(p, &slot->wait);
}

static void linger_is_over(struct env_timer *timer)
{
    struct coordinator_slot *slot = container_of(timer, struct coordinator_slot, linger);
    if (slot->state == SLOT_ACTIVE)
        coordinator_flush(slot->coordinator);
    coordinator_slot_touched(slot);
}

// Appends what is gathered, now or when its time has come.
static void consider_flush(struct coordinator_slot *slot)
{
    if (!coordinator_has_batch(slot->coordinator))
        return;
    if (slot->linger_ms > 0 && env_timer_is_set(&slot->linger))
        return;
    if (slot->linger_ms > 0)
        set_timer(slot, &slot->linger, env_mono_ms(slot->shard->env->clock) + slot->linger_ms,
                  linger_is_over);
    else if (coordinator_awaited_offset(slot->coordinator) < 0)
        coordinator_flush(slot->coordinator);
}

static void rearm(struct coordinator_slot *slot)
{
    int64_t deadline_ms = coordinator_deadline_ms(slot->coordinator);
    if (deadline_ms < INT64_MAX / NS_PER_MS)
        set_timer(slot, &slot->timer, deadline_ms, deadline_is_due);
    else
        env_timer_cancel(slot->shard->env->timers, &slot->timer);
}

static void restart(struct coordinator_slot *slot)
{
    int failure = coordinator_failure(slot->coordinator);
    trace_warn(slot->shard->trace, "coordinator",
               "appending to %s failed (%s): its %s are loaded again from the log", slot->name,
               err_text(failure), slot->type->what);
    load_again_later(slot, coordinator_error(failure) == KAFKA_UNKNOWN_SERVER_ERROR
                               ? KAFKA_NOT_COORDINATOR
                               : coordinator_error(failure));
}

static void end_turn(struct env_message *message)
{
    struct coordinator_slot *slot = container_of(message, struct coordinator_slot, turn);
    slot->turn_is_posted = false;
    if (slot->state == SLOT_ENDED)
        forget(slot, slot->end_error);
    if (slot->state == SLOT_LOADING && !slot->is_working)
        load_piece(slot);
    if (slot->state == SLOT_ACTIVE)
        consider_flush(slot);
    if (slot->state != SLOT_ACTIVE)
        return;
    if (coordinator_failure(slot->coordinator) != 0) {
        restart(slot);
        return;
    }
    await_commit(slot);
    if (slot->state == SLOT_ACTIVE)
        rearm(slot);
}

void coordinator_slot_touched(struct coordinator_slot *slot)
{
    if (slot->state == SLOT_ACTIVE)
        post_turn(slot);
}

// ---- Life ----

struct coordinator_slot *coordinator_slot_new(struct shard *s, enum coordinator_kind kind,
                                              int32_t partition, struct uuid topic_id,
                                              int32_t leader_epoch)
{
    struct coordinator_slot *slot = mem_new(struct coordinator_slot);
    slot->shard = s;
    slot->kind = kind;
    slot->type = coordinator_kind_type(kind);
    snprintf(slot->name, sizeof slot->name, "%s-%d", slot->type->topic, partition);
    slot->partition = partition;
    slot->topic_id = topic_id;
    slot->leader_epoch = leader_epoch;
    slot->turn.receive = end_turn;
    return slot;
}

void coordinator_slot_end(struct coordinator_slot *slot, enum kafka_error error)
{
    slot->state = SLOT_ENDED;
    slot->end_error = error;
    // A disk that fails while the log is used may stop the node from within: the slot is still needed on
    // the way back.
    if (slot->is_held)
        post_turn(slot);
    else
        forget(slot, error);
}

bool coordinator_slot_is_idle(const struct coordinator_slot *slot)
{
    return slot->state == SLOT_ENDED && !slot->is_working && !slot->turn_is_posted;
}

void coordinator_slot_free(struct coordinator_slot *slot)
{
    forget(slot, slot->end_error); // if the turn for that never came
    buf_release(&slot->piece);
    mem_free(slot);
}

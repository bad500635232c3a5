// SPDX-License-Identifier: Apache-2.0
#include "broker/partition.h"

#include "base/check.h"
#include "broker/partitions.h"
#include "broker/txn_verify.h"
#include "env/clock.h"
#include "env/env.h"
#include "log/commit.h"

int64_t partition_read_limit(struct partition *p, int isolation_level)
{
    return isolation_level == 0 ? p->high_watermark : log_last_stable_offset(p->log);
}

static void give_turns(struct partition *p)
{
    if (p->giving_turns)
        return; // by whoever has one just now, and ends it
    p->giving_turns = true;
    struct list_node *first;
    while ((first = list_first(&p->append_turns)) != NULL) {
        struct append_turn *turn = container_of(first, struct append_turn, node);
        if (turn->begun)
            break;
        turn->begun = true;
        turn->come(turn, KAFKA_NONE);
    }
    p->giving_turns = false;
}

void partition_take_turn(struct partition *p, struct append_turn *turn)
{
    turn->begun = false;
    list_append(&p->append_turns, &turn->node);
    give_turns(p);
}

void partition_end_turn(struct partition *p, struct append_turn *turn)
{
    check(turn->begun && list_first(&p->append_turns) == &turn->node);
    list_remove(&turn->node);
    give_turns(p);
}

static void end_turns(struct partition *p, int kafka_error)
{
    struct list_node *node;
    while ((node = list_pop(&p->append_turns)) != NULL) {
        struct append_turn *turn = container_of(node, struct append_turn, node);
        turn->kafka_error = kafka_error;
        if (!turn->begun)
            turn->come(turn, kafka_error);
    }
}

// Waits are few and mostly arrive in order, so the place is searched from the end.
void partition_wait_append(struct partition *p, struct append_wait *wait)
{
    if (p->high_watermark >= wait->offset) {
        wait->done(wait, KAFKA_NONE);
        return;
    }
    struct list_node *after = p->append_waits.head.prev;
    while (after != &p->append_waits.head &&
           container_of(after, struct append_wait, node)->offset > wait->offset)
        after = after->prev;
    list_insert_before(after->next, &wait->node);
}

void partition_cancel_append(struct append_wait *wait)
{
    list_remove(&wait->node);
}

void partition_wait_fetch(struct partition *p, struct fetch_wait *wait)
{
    list_append(&p->fetch_waits, &wait->node);
}

void partition_cancel_fetch(struct fetch_wait *wait)
{
    list_remove(&wait->node);
}

void partition_wake_fetches(struct partition *p)
{
    list_for_each(node, next, &p->fetch_waits) {
        struct fetch_wait *wait = container_of(node, struct fetch_wait, node);
        wait->wake(wait);
    }
}

static void raise_high_watermark(struct partition *p, int64_t offset)
{
    if (offset <= p->high_watermark)
        return;
    p->high_watermark = offset;
    log_set_high_watermark(p->log, offset);
    struct list_node *first;
    while ((first = list_first(&p->append_waits)) != NULL) {
        struct append_wait *wait = container_of(first, struct append_wait, node);
        if (wait->offset > p->high_watermark)
            break;
        list_remove(first);
        wait->done(wait, KAFKA_NONE);
    }
    partition_wake_fetches(p);
}

static void flush_is_due(struct env_timer *timer)
{
    struct partition *p = container_of(timer, struct partition, flush_timer);
    if (p->state == PARTITION_ONLINE)
        log_committer_add(p->owner->committer, p->log);
}

static void consider_flush(struct partition *p)
{
    struct env *env = p->owner->env;
    if (p->owner->closing)
        return; // the log is closed soon, and synced then
    int64_t unsynced = log_end_offset(p->log) - log_durable_offset(p->log);
    if (unsynced >= p->config.flush_messages || log_is_crowded(p->log)) {
        log_committer_add(p->owner->committer, p->log);
    } else if (p->config.flush_ms < INT64_MAX / 1000000 && !env_timer_is_set(&p->flush_timer)) {
        p->flush_timer.fire = flush_is_due;
        env_timer_set(env->timers, &p->flush_timer,
                      env_mono_ns(env->clock) + p->config.flush_ms * INT64_C(1000000));
    }
}

void partition_appended(struct partition *p)
{
    if (p->config.write_caching) {
        consider_flush(p);
        raise_high_watermark(p, log_end_offset(p->log));
    } else {
        log_committer_add(p->owner->committer, p->log);
    }
    partitions_touch(p->owner);
}

enum kafka_error partition_append_error(enum log_verdict verdict)
{
    switch (verdict) {
    case LOG_APPENDED:
    case LOG_DUPLICATE: return KAFKA_NONE;
    case LOG_OUT_OF_ORDER_SEQUENCE: return KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
    case LOG_INVALID_PRODUCER_EPOCH: return KAFKA_INVALID_PRODUCER_EPOCH;
    case LOG_INVALID_TXN_STATE: return KAFKA_INVALID_TXN_STATE;
    case LOG_COORDINATOR_FENCED: return KAFKA_TRANSACTION_COORDINATOR_FENCED;
    case LOG_RECORD_LIST_TOO_LARGE: return KAFKA_RECORD_LIST_TOO_LARGE;
    case LOG_OUT_OF_ORDER_OFFSETS: break;
    }
    return KAFKA_UNKNOWN_SERVER_ERROR;
}

void partition_set_caching(struct partition *p)
{
    if (p->config.write_caching && p->state == PARTITION_ONLINE)
        raise_high_watermark(p, log_end_offset(p->log));
}

void partition_durable(struct partition *p, int64_t offset)
{
    raise_high_watermark(p, offset);
}

void partition_end_waits(struct partition *p, int kafka_error)
{
    env_timer_cancel(p->owner->env->timers, &p->flush_timer);
    txn_waits_end(p, kafka_error);
    end_turns(p, kafka_error);
    struct list_node *node;
    while ((node = list_pop(&p->append_waits)) != NULL) {
        struct append_wait *wait = container_of(node, struct append_wait, node);
        wait->done(wait, kafka_error);
    }
    partition_wake_fetches(p);
}

void partition_fail(struct partition *p, int kafka_error)
{
    p->state = PARTITION_OFFLINE;
    partition_end_waits(p, kafka_error);
}

// SPDX-License-Identifier: Apache-2.0
#include "broker/txn_verify.h"

#include "base/check.h"
#include "broker/partition.h"
#include "broker/shard.h"
#include "config/config.h"
#include "env/clock.h"
#include "env/env.h"

enum { NS_PER_MS = 1000000, FIRST_PAUSE_NS = NS_PER_MS };

// ---- Asking ----

static enum kafka_error client_error(const struct txn_verify *v, enum kafka_error error)
{
    if (error == KAFKA_PRODUCER_FENCED)
        return KAFKA_INVALID_PRODUCER_EPOCH;
    if (error == KAFKA_TRANSACTION_ABORTABLE && !v->knows_abortable)
        return KAFKA_INVALID_TXN_STATE;
    return error;
}

static void ask(struct txn_verify *v)
{
    v->ask.partitions = v->partitions;
    v->ask.partition_count = v->partition_count;
    v->shard->away_count++;
    transactions_ask(v->shard, &v->ask);
}

static void ask_again(struct env_timer *timer)
{
    ask(container_of(timer, struct txn_verify, timer));
}

static bool is_concurrent(const struct txn_verify *v)
{
    for (int32_t i = 0; i < v->partition_count; i++)
        if (v->partitions[i].error == KAFKA_CONCURRENT_TRANSACTIONS)
            return true;
    return false;
}

static bool try_later(struct txn_verify *v)
{
    struct shard *s = v->shard;
    int64_t now_ns = env_mono_ns(s->env->clock);
    if (!v->adds || !is_concurrent(v) || now_ns >= v->give_up_ns || s->state == SHARD_STOPPING)
        return false;
    int64_t longest_ns =
        config_i32(s->config, "add.partitions.to.txn.retry.backoff.ms") * INT64_C(1000000);
    int64_t pause_ns = v->pause_ns < longest_ns ? v->pause_ns : longest_ns;
    v->pause_ns *= 2;
    v->timer.fire = ask_again;
    env_timer_set(s->env->timers, &v->timer, now_ns + pause_ns);
    return true;
}

static void answered(struct transaction_ask *asked)
{
    struct txn_verify *v = container_of(asked, struct txn_verify, ask);
    v->shard->away_count--;
    if (try_later(v))
        return;
    for (int32_t i = 0; i < v->partition_count; i++)
        v->partitions[i].error = client_error(v, v->partitions[i].error);
    v->done(v);
}

void txn_verify_start(struct shard *s, struct txn_verify *v)
{
    int64_t patience_ms = config_i32(s->config, "add.partitions.to.txn.retry.backoff.max.ms");
    v->shard = s;
    v->give_up_ns = env_mono_ns(s->env->clock) + patience_ms * NS_PER_MS;
    v->pause_ns = FIRST_PAUSE_NS;
    v->timer = (struct env_timer){0};
    v->ask = (struct transaction_ask){
        .transactional_id = v->transactional_id,
        .producer_id = v->producer_id,
        .producer_epoch = v->producer_epoch,
        .verify_only = !v->adds,
        .done = answered,
    };
    ask(v);
}

bool txn_verify_is_enabled(const struct shard *s)
{
    return config_bool(s->config, "transaction.partition.verification.enable");
}

// ---- The line ----

static struct txn_wait *first_of(const struct partition *p, int64_t producer_id)
{
    for (struct list_node *n = p->txn_waits.head.next; n != &p->txn_waits.head; n = n->next) {
        struct txn_wait *wait = container_of(n, struct txn_wait, node);
        if (wait->producer_id == producer_id)
            return wait;
    }
    return NULL;
}

static void come(struct txn_wait *wait, int kafka_error)
{
    wait->is_first = true;
    wait->come(wait, kafka_error);
}

void txn_wait_enter(struct partition *p, struct txn_wait *wait)
{
    bool is_first = first_of(p, wait->producer_id) == NULL;
    wait->partition = p;
    wait->kafka_error = KAFKA_NONE;
    wait->is_first = false;
    list_append(&p->txn_waits, &wait->node);
    if (is_first)
        come(wait, KAFKA_NONE);
}

void txn_wait_leave(struct txn_wait *wait)
{
    check(wait->is_first);
    list_remove(&wait->node);
}

// Whoever comes may leave at once: the line, which may be long, is not walked by recursion.
void txn_line_move(struct partition *p, int64_t producer_id)
{
    int64_t outer = p->txn_line_moves;
    struct txn_wait *next;
    if (outer == producer_id)
        return;
    p->txn_line_moves = producer_id;
    while ((next = first_of(p, producer_id)) != NULL && !next->is_first)
        come(next, KAFKA_NONE);
    p->txn_line_moves = outer;
}

void txn_waits_end(struct partition *p, int kafka_error)
{
    struct list_node *node;
    while ((node = list_pop(&p->txn_waits)) != NULL) {
        struct txn_wait *wait = container_of(node, struct txn_wait, node);
        wait->kafka_error = kafka_error;
        if (!wait->is_first)
            come(wait, kafka_error);
    }
}

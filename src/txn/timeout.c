// SPDX-License-Identifier: Apache-2.0
//
// What time alone does: transactions that nobody ends in time are aborted, ids that nobody uses are
// forgotten.
#include <inttypes.h>

#include "base/err.h"
#include "base/trace.h"
#include "config/config.h"
#include "txn/internal.h"

enum {
    EXPIRE_MAX = 1000,     // ids forgotten in one turn
    EXPIRE_AGAIN_MS = 100, // then, when there are more
    ID_WAIT_MS = 50,       // for a producer id that a timeout needs
};

static int64_t after(const struct txns *t, int64_t delay_ms)
{
    int64_t at_ms;
    bool is_never = __builtin_add_overflow(coordinator_now(t->coordinator)->mono_ms, delay_ms, &at_ms);
    return is_never ? INT64_MAX : at_ms;
}

// ---- Transactions ----

static void timed_out(struct coordinator_timer *timer)
{
    struct txn *txn = container_of(timer, struct txn, timeout);
    struct txns *t = txn->txns;
    int64_t next_producer_id = -1;
    if (txn_fence_needs_producer_id(txn) && !txns_take_producer_id(t, &next_producer_id)) {
        coordinator_set_timer(t->coordinator, timer, after(t, ID_WAIT_MS), timed_out);
        return;
    }
    int32_t timeout_ms = txn->timeout_ms;
    int64_t producer_id = txn->producer_id;
    int err = txn_fence(txn, next_producer_id);
    if (err != 0) {
        coordinator_set_timer(t->coordinator, timer, after(t, txns_retry_ms(t)), timed_out);
        return;
    }
    trace_info(t->options.trace, "transactions",
               "%s: the transaction of \"%.*s\" (producer %" PRId64 ") is aborted: its timeout of %d ms "
               "is over",
               t->options.name, STR_ARG(txn_id(txn)), producer_id, timeout_ms);
}

void txn_arm_timeout(struct txn *txn)
{
    struct txns *t = txn->txns;
    if (txn->state != TXN_ONGOING) {
        coordinator_cancel_timer(t->coordinator, &txn->timeout);
        return;
    }
    int64_t end_ms, left_ms;
    if (__builtin_add_overflow(txn->start_ms, (int64_t)txn->timeout_ms, &end_ms) ||
        __builtin_sub_overflow(end_ms, coordinator_now(t->coordinator)->wall_ms, &left_ms))
        left_ms = 0; // no record that a broker wrote
    // A clock that was set back must not keep it open for longer than it was meant to be.
    if (left_ms > txn->timeout_ms)
        left_ms = txn->timeout_ms;
    coordinator_set_timer(t->coordinator, &txn->timeout, after(t, left_ms > 0 ? left_ms : 0), timed_out);
}

// ---- Ids ----

static bool is_unused(const struct txn *txn, int64_t now_ms, int64_t expiration_ms)
{
    int64_t age_ms;
    bool is_idle = txn->state == TXN_EMPTY || txn->state == TXN_COMPLETE_COMMIT ||
                   txn->state == TXN_COMPLETE_ABORT;
    return is_idle && !__builtin_sub_overflow(now_ms, txn->last_update_ms, &age_ms) &&
           age_ms >= expiration_ms;
}

// The next id that may go, after `txn` (NULL: from the begin).
static struct txn *next_unused(const struct txns *t, struct txn *txn)
{
    int64_t now_ms = coordinator_now(t->coordinator)->wall_ms;
    int64_t expiration_ms = config_i32(t->options.config, "transactional.id.expiration.ms");
    do
        txn = txns_next(t, txn);
    while (txn != NULL && !is_unused(txn, now_ms, expiration_ms));
    return txn;
}

static void expire(struct coordinator_timer *timer)
{
    struct txns *t = container_of(timer, struct txns, expire_timer);
    int32_t left = EXPIRE_MAX;
    struct txn *txn = next_unused(t, NULL);
    while (txn != NULL && left-- > 0) {
        struct txn *next = next_unused(t, txn); // removing one leaves the others where they are
        if (txn_write_removal(t, txn) != 0)
            break;
        txn = next;
    }
    if (txn != NULL && left < 0)
        coordinator_set_timer(t->coordinator, timer, after(t, EXPIRE_AGAIN_MS), expire);
    else
        txns_arm_expiry(t);
}

void txns_arm_expiry(struct txns *t)
{
    int32_t interval_ms = config_i32(t->options.config,
                                     "transaction.remove.expired.transaction.cleanup.interval.ms");
    coordinator_set_timer(t->coordinator, &t->expire_timer, after(t, interval_ms), expire);
}

// SPDX-License-Identifier: Apache-2.0
//
// Partitions of a transaction: adding them, which begins it, and saying whether they are in it.
#include "base/err.h"
#include "txn/internal.h"

static void add_set_error(struct txn_call *call, enum kafka_error error)
{
    const struct txn_addition *a = call->request;
    for (int32_t i = 0; i < a->partition_count; i++)
        a->partitions[i].error = error;
}

static enum kafka_error check_producer(const struct txn *txn, const struct txn_addition *a)
{
    if (a->transactional_id.size == 0)
        return KAFKA_INVALID_REQUEST;
    if (txn == NULL || txn->producer_id != a->producer_id)
        return KAFKA_INVALID_PRODUCER_ID_MAPPING;
    if (txn->producer_epoch != a->producer_epoch)
        return KAFKA_PRODUCER_FENCED;
    return txn_is_prepared(txn) ? KAFKA_CONCURRENT_TRANSACTIONS : KAFKA_NONE;
}

// *missing is how many of them are not in it.
static void look_up(const struct txn *txn, const struct txn_addition *a, int32_t *missing)
{
    *missing = 0;
    for (int32_t i = 0; i < a->partition_count; i++) {
        struct transaction_partition *p = &a->partitions[i];
        bool is_in = txn_partitions_has(&txn->partitions, p->topic, p->partition);
        p->error = is_in ? KAFKA_NONE : KAFKA_TRANSACTION_ABORTABLE;
        *missing += !is_in;
    }
}

static int add(struct txn *txn, const struct txn_addition *a)
{
    struct txns *t = txn->txns;
    struct transaction_log_value value;
    struct txn_partitions all = {0};
    bool is_new = txn->state != TXN_ONGOING;
    if (!txn_record(txn, TXN_ONGOING, &value))
        return ERR_NOMEM;
    if (!is_new)
        txn_partitions_set(&all, &value.transaction_partitions);
    for (int32_t i = 0; i < a->partition_count; i++)
        txn_partitions_add(&all, a->partitions[i].topic, a->partitions[i].partition);
    value.client_transaction_version = a->client_version;
    if (is_new)
        value.transaction_start_timestamp_ms = value.transaction_last_update_timestamp_ms;
    int err = txn_partitions_list(&all, &t->arena, &value.transaction_partitions)
                  ? txn_write(t, txn_id(txn), &value, &txn)
                  : ERR_NOMEM;
    txn_partitions_clear(&all);
    if (err == 0 && is_new)
        txn_arm_timeout(txn);
    return err;
}

void txns_add(struct txns *t, struct txn_call *call, const struct coordinator_time *now,
              const struct txn_addition *a)
{
    struct txn *txn = txns_find(t, a->transactional_id);
    int32_t missing;
    coordinator_set_time(t->coordinator, now);
    txn_call_begin(call, t, a, add_set_error);
    enum kafka_error error = check_producer(txn, a);
    if (error != KAFKA_NONE) {
        txn_call_fail(call, error);
        return;
    }
    look_up(txn, a, &missing);
    if (!a->verify_only && (missing > 0 || txn->state != TXN_ONGOING)) {
        int err = add(txn, a);
        add_set_error(call, coordinator_error(err));
        if (err != 0) {
            call->done(call);
            return;
        }
    }
    txn_reply(call, txn);
}

// SPDX-License-Identifier: Apache-2.0
//
// Records of __transaction_state: one says all that is known of a transactional id. FROZEN: the layouts
// of wire/schema/records/coordinator/transaction_log.schema, and what Kafka 4.4 puts into each field.
#include "base/err.h"
#include "txn/internal.h"
#include "wire/record/transaction_log_key.h"
#include "wire/record_types.h"

enum { PARTITIONS_NULL = -1 }; // the count of a null array

bool txn_record(struct txn *txn, enum txn_state state, struct transaction_log_value *out)
{
    struct txns *t = txn->txns;
    arena_release(&t->arena);
    transaction_log_value_init(out);
    out->producer_id = txn->producer_id;
    out->previous_producer_id = txn->producer_id;
    out->next_producer_id = txn->next_producer_id;
    out->producer_epoch = txn->producer_epoch;
    out->next_producer_epoch = txn->next_producer_epoch;
    out->transaction_timeout_ms = txn->timeout_ms;
    out->transaction_status = (int8_t)state;
    out->transaction_last_update_timestamp_ms = coordinator_now(t->coordinator)->wall_ms;
    out->transaction_start_timestamp_ms = txn->start_ms;
    out->client_transaction_version = txn->client_version;
    if (state != TXN_EMPTY)
        return txn_partitions_list(&txn->partitions, &t->arena, &out->transaction_partitions);
    out->transaction_partitions.count = PARTITIONS_NULL;
    out->transaction_start_timestamp_ms = -1;
    return true;
}

static int write_end(struct txns *t, struct str id, struct txn **out)
{
    coordinator_ticket ticket;
    int err = coordinator_end(t->coordinator, &ticket);
    struct txn *txn = err == 0 ? txns_find(t, id) : NULL;
    if (txn != NULL)
        txn->written = ticket;
    *out = txn;
    return err;
}

// What version 0 has no room for.
static void clear_tags(struct transaction_log_value *value)
{
    value->previous_producer_id = -1;
    value->next_producer_id = -1;
    value->next_producer_epoch = -1;
    value->client_transaction_version = 0;
}

int txn_write(struct txns *t, struct str id, struct transaction_log_value *value, struct txn **out)
{
    int16_t version = txns_version(t) >= TXN_VERSION_RECORDS ? 1 : 0;
    struct transaction_log_key key = {.transactional_id = id};
    if (version == 0)
        clear_tags(value);
    const struct coordinator_time now = *coordinator_now(t->coordinator);
    coordinator_begin(t->coordinator, &now);
    coordinator_write(t->coordinator, TRANSACTION_RECORD_TRANSACTION_LOG, version, &key, value);
    return write_end(t, id, out);
}

int txn_write_removal(struct txns *t, const struct txn *txn)
{
    struct txn *gone;
    struct transaction_log_key key = {.transactional_id = txn_id(txn)};
    const struct coordinator_time now = *coordinator_now(t->coordinator);
    coordinator_begin(t->coordinator, &now);
    coordinator_write(t->coordinator, TRANSACTION_RECORD_TRANSACTION_LOG, 0, &key, NULL);
    return write_end(t, (struct str){NULL, 0}, &gone);
}

// ---- Replaying ----

static void apply(struct txn *txn, const struct transaction_log_value *value)
{
    bool is_same_producer = txn->producer_id == value->producer_id &&
                            txn->producer_epoch == value->producer_epoch;
    if (!is_same_producer)
        txn->last_producer_epoch = -1; // the command knows better, if there is one
    txn->state = (enum txn_state)value->transaction_status;
    txn->producer_id = value->producer_id;
    txn->previous_producer_id = value->previous_producer_id;
    txn->next_producer_id = value->next_producer_id;
    txn->producer_epoch = value->producer_epoch;
    txn->next_producer_epoch = value->next_producer_epoch;
    txn->client_version = (int8_t)value->client_transaction_version;
    txn->timeout_ms = value->transaction_timeout_ms;
    txn->start_ms = value->transaction_start_timestamp_ms;
    txn->last_update_ms = value->transaction_last_update_timestamp_ms;
    txn_partitions_set(&txn->partitions, &value->transaction_partitions);
}

static int check_value(const struct transaction_log_value *value, struct diag *diag)
{
    int8_t status = value->transaction_status;
    int16_t version = value->client_transaction_version;
    if (status < 0 || status >= TXN_STATES)
        return diag_set(diag, ERR_CORRUPT, "there is no state with number %d", status);
    if (version < 0 || version > INT8_MAX)
        return diag_set(diag, ERR_CORRUPT, "there are no transactions of version %d", version);
    return 0;
}

int txns_replay(struct txns *t, const struct coordinator_record_type *type, struct bytes key,
                struct bytes value, struct diag *diag)
{
    struct transaction_log_key k;
    struct transaction_log_value v;
    arena_release(&t->arena);
    int err = coordinator_key_decode(type, key, &t->arena, &k, diag);
    if (err == 0 && value.data != NULL)
        err = coordinator_value_decode(type, value, &t->arena, &v, diag);
    if (err == 0 && value.data != NULL)
        err = check_value(&v, diag);
    if (err != 0)
        return err;
    struct txn *txn = txns_find(t, k.transactional_id);
    if (value.data == NULL) {
        if (txn != NULL)
            txns_remove(t, txn);
        return 0;
    }
    if (txn == NULL)
        txn = txns_add_new(t, k.transactional_id);
    apply(txn, &v);
    return 0;
}

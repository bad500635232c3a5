// SPDX-License-Identifier: Apache-2.0
//
// EndTxn: a transaction is decided. Writes PrepareCommit or PrepareAbort and answers when that is
// committed; what follows is in marking.c.
//
// Transactions of version 2 (KIP-890, EndTxn from version 5 on) have an epoch each: the end raises it, and
// the answer tells the producer what it is now. So the epoch of a request says whether it is a retry (the
// one before) or about the next transaction (the current one), which may be aborted though nothing is in
// it:
//
//                     Abort                  Commit
//                     retry    current       retry    current
//   Empty             fenced   bump          fenced   invalid
//   CompleteAbort     done     bump          invalid  invalid
//   CompleteCommit    invalid  bump          done     invalid
//
// Before version 2 a retry has the current epoch, and an empty transaction cannot be ended.
#include "base/err.h"
#include "txn/internal.h"
#include "wire/api/end_txn.h"

static void end_set_error(struct txn_call *call, enum kafka_error error)
{
    struct end_txn_response *reply = call->response;
    end_txn_response_init(reply);
    reply->error_code = (int16_t)error;
}

// What a request asks for, in a state.
enum decision {
    DECISION_PREPARE, // it is to be ended so
    DECISION_DONE,    // it has been, this is a retry
    DECISION_WAIT,    // it is being ended so
    DECISION_FENCED,
    DECISION_INVALID,
};

static enum txn_state prepared(bool is_commit)
{
    return is_commit ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT;
}

static enum txn_state completed(bool is_commit)
{
    return is_commit ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT;
}

static enum decision decide_v1(const struct txn *txn, const struct end_txn_request *request)
{
    if (request->producer_epoch != txn->producer_epoch)
        return DECISION_FENCED;
    if (txn->state == TXN_ONGOING)
        return DECISION_PREPARE;
    if (txn->state == prepared(request->committed))
        return DECISION_WAIT;
    return txn->state == completed(request->committed) ? DECISION_DONE : DECISION_INVALID;
}

// The epochs of the id it ended under were used up, and the next id is in place.
static bool is_retry_after_rotation(const struct txn *txn, const struct end_txn_request *request)
{
    return request->producer_id == txn->previous_producer_id &&
           request->producer_epoch == PRODUCER_EPOCH_LAST && txn->producer_epoch == 0;
}

static enum decision decide_v2(const struct txn *txn, const struct end_txn_request *request)
{
    bool is_current = request->producer_epoch == txn->producer_epoch;
    bool is_retry = request->producer_epoch == txn->producer_epoch - 1 ||
                    is_retry_after_rotation(txn, request);
    switch (txn->state) {
    case TXN_ONGOING:
        return is_current ? DECISION_PREPARE : DECISION_FENCED;
    case TXN_EMPTY:
        if (!is_current)
            return DECISION_FENCED;
        return request->committed ? DECISION_INVALID : DECISION_PREPARE;
    case TXN_PREPARE_COMMIT:
    case TXN_PREPARE_ABORT:
        if (!is_retry)
            return DECISION_FENCED;
        return txn->state == prepared(request->committed) ? DECISION_WAIT : DECISION_INVALID;
    case TXN_COMPLETE_COMMIT:
    case TXN_COMPLETE_ABORT:
        if (is_retry)
            return txn->state == completed(request->committed) ? DECISION_DONE : DECISION_INVALID;
        if (!is_current)
            return DECISION_FENCED;
        return request->committed ? DECISION_INVALID : DECISION_PREPARE;
    case TXN_STATES:
        break;
    }
    return DECISION_INVALID;
}

// Writes the decision and sees to what follows from it.
static int prepare(struct txn *txn, struct transaction_log_value *value, int16_t last_epoch)
{
    struct txns *t = txn->txns;
    int err = txn_write(t, txn_id(txn), value, &txn);
    if (err != 0)
        return err;
    txn->last_producer_epoch = last_epoch;
    txn_arm_timeout(txn);
    txn_begin_marking(txn);
    return 0;
}

static void tell(struct txn_call *call, const struct txn *txn)
{
    struct end_txn_response *reply = call->response;
    if (call->version < END_TXN_VERSION_BUMP)
        return;
    bool is_rotated = txn_is_prepared(txn) && txn->next_producer_id >= 0;
    reply->producer_id = is_rotated ? txn->next_producer_id : txn->producer_id;
    reply->producer_epoch = is_rotated ? 0 : txn->producer_epoch;
}

static void end(struct txn_call *call);

static void prepare_for(struct txn_call *call, struct txn *txn)
{
    const struct end_txn_request *request = call->request;
    struct transaction_log_value value;
    bool bumps = call->version >= END_TXN_VERSION_BUMP;
    int16_t last_epoch = bumps ? txn->producer_epoch : txn->last_producer_epoch;
    int64_t next_producer_id = -1;
    if (bumps && txn_epoch_is_used_up(txn->producer_epoch) &&
        !txn_call_take_producer_id(call, end, &next_producer_id))
        return;
    bool is_empty = txn->state != TXN_ONGOING;
    int err = txn_record(txn, prepared(request->committed), &value) ? 0 : ERR_NOMEM;
    value.client_transaction_version = bumps ? TXN_VERSION_BUMP : 0;
    value.next_producer_id = next_producer_id;
    if (bumps && txn->producer_epoch < PRODUCER_EPOCH_MAX)
        value.producer_epoch++;
    if (is_empty)
        value.transaction_start_timestamp_ms = value.transaction_last_update_timestamp_ms;
    if (err == 0)
        err = prepare(txn, &value, last_epoch);
    if (err != 0) {
        txn_call_fail(call, coordinator_error(err));
        return;
    }
    tell(call, txn);
    txn_reply(call, txn);
}

static void end(struct txn_call *call)
{
    const struct end_txn_request *request = call->request;
    struct txn *txn = txns_find(call->txns, request->transactional_id);
    bool bumps = call->version >= END_TXN_VERSION_BUMP;
    if (txn == NULL || (txn->producer_id != request->producer_id &&
                        !(bumps && is_retry_after_rotation(txn, request)))) {
        txn_call_fail(call, KAFKA_INVALID_PRODUCER_ID_MAPPING);
        return;
    }
    switch (bumps ? decide_v2(txn, request) : decide_v1(txn, request)) {
    case DECISION_PREPARE:
        prepare_for(call, txn);
        break;
    case DECISION_DONE:
        tell(call, txn);
        txn_reply(call, txn);
        break;
    case DECISION_WAIT:
        txn_call_fail(call, KAFKA_CONCURRENT_TRANSACTIONS);
        break;
    case DECISION_FENCED:
        txn_call_fail(call, KAFKA_PRODUCER_FENCED);
        break;
    case DECISION_INVALID:
        txn_call_fail(call, KAFKA_INVALID_TXN_STATE);
        break;
    }
}

void txns_end(struct txns *t, struct txn_call *call, const struct coordinator_time *now,
              const struct end_txn_request *request)
{
    coordinator_set_time(t->coordinator, now);
    txn_call_begin(call, t, request, end_set_error);
    if (request->transactional_id.size == 0)
        txn_call_fail(call, KAFKA_INVALID_REQUEST);
    else
        end(call);
}

// ---- Fencing ----

bool txn_fence_needs_producer_id(const struct txn *txn)
{
    return txn_epoch_is_used_up(txn->producer_epoch) && txns_version(txn->txns) >= TXN_VERSION_BUMP;
}

int txn_fence(struct txn *txn, int64_t next_producer_id)
{
    struct transaction_log_value value;
    if (!txn_record(txn, TXN_PREPARE_ABORT, &value))
        return ERR_NOMEM;
    value.client_transaction_version = txns_version(txn->txns);
    value.next_producer_id = next_producer_id;
    if (txn->producer_epoch < PRODUCER_EPOCH_MAX)
        value.producer_epoch++;
    return prepare(txn, &value, -1);
}

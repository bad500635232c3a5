// SPDX-License-Identifier: Apache-2.0
//
// InitProducerId with a transactional id: a producer begins. Whoever had the id before is fenced by a
// higher epoch; what that one left open is aborted first, and the newcomer asks again meanwhile. A
// producer that says which id and epoch it has goes on after an error of its own (KIP-360), and is
// refused when somebody else has begun since.
#include "base/err.h"
#include "config/config.h"
#include "txn/internal.h"
#include "wire/api/init_producer_id.h"

static void init_set_error(struct txn_call *call, enum kafka_error error)
{
    struct init_producer_id_response *reply = call->response;
    init_producer_id_response_init(reply);
    reply->error_code = (int16_t)error;
    reply->producer_epoch = -1;
}

static bool has_expected(const struct init_producer_id_request *request)
{
    return request->producer_id != -1;
}

static bool is_known_producer(const struct txn *txn, const struct init_producer_id_request *request)
{
    if (!has_expected(request) || request->producer_id == txn->producer_id)
        return true;
    // It may not have heard that its id was replaced when the epochs were used up.
    return request->producer_id == txn->previous_producer_id &&
           txn_epoch_is_used_up(request->producer_epoch);
}

// Writes that the producer begins, and answers with what it got.
static void begin(struct txn_call *call, struct transaction_log_value *value, int16_t last_epoch)
{
    struct txns *t = call->txns;
    const struct init_producer_id_request *request = call->request;
    struct init_producer_id_response *reply = call->response;
    struct txn *txn;
    value->transaction_timeout_ms = request->transaction_timeout_ms;
    value->next_producer_id = -1;
    value->next_producer_epoch = -1;
    int err = txn_write(t, request->transactional_id, value, &txn);
    if (err != 0) {
        txn_call_fail(call, coordinator_error(err));
        return;
    }
    txn->last_producer_epoch = last_epoch;
    reply->producer_id = txn->producer_id;
    reply->producer_epoch = txn->producer_epoch;
    txn_reply(call, txn);
}

static void init(struct txn_call *call);

static void begin_new(struct txn_call *call)
{
    struct transaction_log_value value;
    int64_t producer_id;
    if (!txns_have_room(call->txns)) {
        txn_call_fail(call, KAFKA_COORDINATOR_LOAD_IN_PROGRESS); // which clients take as "later"
        return;
    }
    if (!txn_call_take_producer_id(call, init, &producer_id))
        return;
    transaction_log_value_init(&value);
    value.producer_id = producer_id;
    value.previous_producer_id = producer_id; // as Kafka has it
    value.transaction_status = TXN_EMPTY;
    value.transaction_partitions.count = -1;
    value.transaction_start_timestamp_ms = -1;
    value.transaction_last_update_timestamp_ms = coordinator_now(call->txns->coordinator)->wall_ms;
    begin(call, &value, -1);
}

// The epochs of the id are used up: it goes on with another.
static void begin_rotated(struct txn_call *call, struct txn *txn)
{
    struct transaction_log_value value;
    int64_t producer_id;
    int16_t last_epoch = has_expected(call->request) ? txn->producer_epoch : -1;
    if (!txn_call_take_producer_id(call, init, &producer_id))
        return;
    txn_record(txn, TXN_EMPTY, &value);
    value.producer_id = producer_id;
    value.producer_epoch = 0;
    begin(call, &value, last_epoch);
}

static void begin_next(struct txn_call *call, struct txn *txn)
{
    const struct init_producer_id_request *request = call->request;
    struct transaction_log_value value;
    bool has_current = request->producer_epoch == txn->producer_epoch;
    txn_record(txn, TXN_EMPTY, &value);
    if (!has_expected(request) || has_current) {
        value.producer_epoch++;
        begin(call, &value, has_expected(request) ? txn->producer_epoch : -1);
    } else if (request->producer_epoch == txn->last_producer_epoch) {
        begin(call, &value, txn->last_producer_epoch); // a retry: it has been given its epoch
    } else {
        txn_call_fail(call, KAFKA_PRODUCER_FENCED);
    }
}

static void fence(struct txn_call *call, struct txn *txn)
{
    int64_t next_producer_id = -1;
    if (txn_fence_needs_producer_id(txn) &&
        !txn_call_take_producer_id(call, init, &next_producer_id))
        return;
    int err = txn_fence(txn, next_producer_id);
    if (err != 0) {
        txn_call_fail(call, coordinator_error(err));
        return;
    }
    init_set_error(call, KAFKA_CONCURRENT_TRANSACTIONS); // when it has ended it may begin
    txn_reply(call, txn);
}

static void init(struct txn_call *call)
{
    const struct init_producer_id_request *request = call->request;
    struct txn *txn = txns_find(call->txns, request->transactional_id);
    if (txn == NULL) {
        begin_new(call);
    } else if (!is_known_producer(txn, request)) {
        txn_call_fail(call, KAFKA_PRODUCER_FENCED);
    } else if (txn_is_prepared(txn)) {
        txn_call_fail(call, KAFKA_CONCURRENT_TRANSACTIONS);
    } else if (txn->state == TXN_ONGOING) {
        fence(call, txn);
    } else if (txn_epoch_is_used_up(txn->producer_epoch) &&
               (!has_expected(request) || request->producer_epoch == txn->producer_epoch)) {
        begin_rotated(call, txn);
    } else {
        begin_next(call, txn);
    }
}

enum kafka_error txns_check_init_producer_id(const struct config *config,
                                             const struct init_producer_id_request *request)
{
    int32_t timeout_ms = request->transaction_timeout_ms;
    bool has_id = request->transactional_id.data != NULL;
    if ((request->producer_id == -1) != (request->producer_epoch == -1))
        return KAFKA_INVALID_REQUEST;
    if (has_id && request->transactional_id.size == 0)
        return KAFKA_INVALID_REQUEST;
    if (has_id && (timeout_ms <= 0 || timeout_ms > config_i32(config, "transaction.max.timeout.ms")))
        return KAFKA_INVALID_TRANSACTION_TIMEOUT;
    return KAFKA_NONE;
}

void txns_init_producer_id(struct txns *t, struct txn_call *call, const struct coordinator_time *now,
                           const struct init_producer_id_request *request)
{
    coordinator_set_time(t->coordinator, now);
    txn_call_begin(call, t, request, init_set_error);
    init(call);
}

// SPDX-License-Identifier: Apache-2.0
//
// DescribeTransactions and ListTransactions (KIP-664, KIP-994).
#include "txn/internal.h"
#include "wire/api/describe_transactions.h"
#include "wire/api/list_transactions.h"

// ---- One ----

static void describe_set_error(struct txn_call *call, enum kafka_error error)
{
    struct describe_transactions_response_transaction_state *reply = call->response;
    struct str id = reply->transactional_id;
    describe_transactions_response_transaction_state_init(reply);
    reply->transactional_id = id;
    reply->error_code = (int16_t)error;
}

static bool tell_topic(struct txn_call *call, const struct txn_topic *topic,
                       struct describe_transactions_response_topic_data *out)
{
    size_t size = (size_t)topic->count * sizeof(topic->partitions[0]);
    out->partitions.items = arena_alloc(call->arena, size);
    if (out->partitions.items == NULL || !txn_call_copy(call, str_from(topic->name), &out->topic))
        return false;
    memcpy(out->partitions.items, topic->partitions, size);
    out->partitions.count = topic->count;
    return true;
}

static bool tell(struct txn_call *call, const struct txn *txn)
{
    struct describe_transactions_response_transaction_state *reply = call->response;
    reply->transaction_state = str_from(txn_state_name(txn->state));
    reply->transaction_timeout_ms = txn->timeout_ms;
    reply->transaction_start_time_ms = txn->start_ms;
    reply->producer_id = txn->producer_id;
    reply->producer_epoch = txn->producer_epoch;
    if (!describe_transactions_response_topic_data_array_new(call->arena, txn->partitions.count,
                                                             &reply->topics))
        return false;
    for (int32_t i = 0; i < txn->partitions.count; i++)
        if (!tell_topic(call, &txn->partitions.topics[i], &reply->topics.items[i]))
            return false;
    return true;
}

void txns_describe(struct txns *t, struct txn_call *call, const struct coordinator_time *now,
                   struct str transactional_id)
{
    const struct txn *txn = txns_find(t, transactional_id);
    coordinator_set_time(t->coordinator, now);
    txn_call_begin(call, t, NULL, describe_set_error);
    if (transactional_id.size == 0)
        txn_call_fail(call, KAFKA_INVALID_REQUEST);
    else if (txn == NULL)
        txn_call_fail(call, KAFKA_TRANSACTIONAL_ID_NOT_FOUND);
    else if (!tell(call, txn))
        txn_call_end_no_memory(call);
    else
        txn_reply(call, txn);
}

// ---- All ----

static void list_set_error(struct txn_call *call, enum kafka_error error)
{
    struct list_transactions_response *reply = call->response;
    list_transactions_response_init(reply);
    reply->error_code = (int16_t)error;
}

static bool has_state(const struct list_transactions_request *request, const struct txn *txn)
{
    for (int32_t i = 0; i < request->state_filters.count; i++)
        if (str_is(request->state_filters.items[i], txn_state_name(txn->state)))
            return true;
    return request->state_filters.count <= 0;
}

static bool has_producer(const struct list_transactions_request *request, const struct txn *txn)
{
    for (int32_t i = 0; i < request->producer_id_filters.count; i++)
        if (request->producer_id_filters.items[i] == txn->producer_id)
            return true;
    return request->producer_id_filters.count <= 0;
}

static bool is_asked_for(const struct txns *t, const struct list_transactions_request *request,
                         const struct txn *txn, txn_filter filter, void *context)
{
    int64_t now_ms = coordinator_now(t->coordinator)->wall_ms, running_ms;
    bool is_long = request->duration_filter < 0 ||
                   (!__builtin_sub_overflow(now_ms, txn->start_ms, &running_ms) &&
                    running_ms > request->duration_filter);
    return is_long && has_state(request, txn) && has_producer(request, txn) &&
           (filter == NULL || filter(context, txn_id(txn)));
}

void txns_list(struct txns *t, struct txn_call *call, const struct coordinator_time *now,
               const struct list_transactions_request *request, txn_filter filter, void *context)
{
    struct list_transactions_response *reply = call->response;
    const struct txn *newest = NULL; // for whose record the answer waits, as for all before it
    int32_t count = 0;
    coordinator_set_time(t->coordinator, now);
    txn_call_begin(call, t, request, list_set_error);
    if (!list_transactions_response_transaction_state_array_new(call->arena, (int32_t)t->by_id.count,
                                                                &reply->transaction_states)) {
        txn_call_end_no_memory(call);
        return;
    }
    for (struct txn *txn = NULL; (txn = txns_next(t, txn)) != NULL;) {
        if (!is_asked_for(t, request, txn, filter, context))
            continue;
        struct list_transactions_response_transaction_state *out =
            &reply->transaction_states.items[count++];
        out->producer_id = txn->producer_id;
        out->transaction_state = str_from(txn_state_name(txn->state));
        if (newest == NULL || txn->written > newest->written)
            newest = txn;
        if (!txn_call_copy(call, txn_id(txn), &out->transactional_id)) {
            txn_call_end_no_memory(call);
            return;
        }
    }
    reply->transaction_states.count = count;
    txn_reply(call, newest);
}

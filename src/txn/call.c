// SPDX-License-Identifier: Apache-2.0
//
// Calls and their ends; producer ids, for which some of them wait.
#include "base/check.h"
#include "txn/internal.h"

void txn_call_begin(struct txn_call *call, struct txns *t, const void *request,
                    void (*set_error)(struct txn_call *call, enum kafka_error error))
{
    call->txns = t;
    call->request = request;
    call->set_error = set_error;
    call->no_memory = false;
    call->node = (struct list_node){0};
    call->waiter = (struct coordinator_waiter){0};
}

void txn_call_fail(struct txn_call *call, enum kafka_error error)
{
    check(!list_linked(&call->node));
    call->set_error(call, error);
    call->done(call);
}

void txn_call_end_no_memory(struct txn_call *call)
{
    call->no_memory = true;
    call->done(call);
}

bool txn_call_copy(struct txn_call *call, struct str text, struct str *out)
{
    *out = text.size == 0 ? str_of("", 0) : arena_copy_str(call->arena, text);
    return out->data != NULL;
}

static void call_committed(struct coordinator_waiter *w, enum kafka_error error)
{
    struct txn_call *call = container_of(w, struct txn_call, waiter);
    if (error != KAFKA_NONE)
        call->set_error(call, error);
    call->done(call);
}

void txn_reply(struct txn_call *call, const struct txn *txn)
{
    check(!list_linked(&call->node));
    call->waiter.done = call_committed;
    coordinator_wait(call->txns->coordinator, &call->waiter, txn == NULL ? 0 : txn->written);
}

// ---- Producer ids ----

bool txns_take_producer_id(struct txns *t, int64_t *producer_id)
{
    if (t->spare_producer_id >= 0) {
        *producer_id = t->spare_producer_id;
        t->spare_producer_id = -1;
        return true;
    }
    if (t->ids_wanted == 0) {
        t->ids_wanted++;
        t->options.want_producer_id(t->options.context);
    }
    return false;
}

bool txn_call_take_producer_id(struct txn_call *call, void (*again)(struct txn_call *call),
                               int64_t *producer_id)
{
    struct txns *t = call->txns;
    if (t->spare_producer_id >= 0)
        return txns_take_producer_id(t, producer_id);
    call->again = again;
    list_append(&t->id_waits, &call->node);
    t->ids_wanted++;
    t->options.want_producer_id(t->options.context); // the call may be over after this
    return false;
}

void txns_producer_id(struct txns *t, enum kafka_error error, int64_t producer_id,
                      const struct coordinator_time *now)
{
    check(t->ids_wanted > 0);
    t->ids_wanted--;
    if (t->has_ended)
        return;
    coordinator_set_time(t->coordinator, now);
    struct list_node *n = list_pop(&t->id_waits);
    if (error == KAFKA_NONE)
        t->spare_producer_id = producer_id; // whoever came for it takes it, if there is still need
    if (n == NULL)
        return;
    struct txn_call *call = container_of(n, struct txn_call, node);
    if (error == KAFKA_NONE)
        call->again(call);
    else
        txn_call_fail(call, error);
}

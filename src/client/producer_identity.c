// SPDX-License-Identifier: Apache-2.0
//
// Producer id and epoch (KIP-98, KIP-360), by which a broker knows a batch that it has stored.
#include "base/err.h"
#include "client/producer_internal.h"
#include "wire/api_keys.h"
#include "wire/errors.h"

void producer__forget_known(struct topic *t)
{
    for (int i = 0; i < t->queue_count; i++)
        t->queues[i]->known = false;
}

static void on_identity(struct client_request *request, int err, struct client_answer *answer,
                        int64_t now_ms)
{
    struct producer *p = request->user;
    const struct init_producer_id_response *r = answer != NULL ? answer->response : NULL;
    p->identity_code = r != NULL ? r->error_code : 0;
    p->identity_err = err;
    if (err == 0 && r->error_code == 0) {
        // No broker knows a new id.
        list_for_each (n, next, &p->topics)
            producer__forget_known(container_of(n, struct topic, node));
        p->identity = IDENTITY_KNOWN;
        p->producer_id = r->producer_id;
        p->producer_epoch = r->producer_epoch;
        p->identity_attempts = 0;
        return;
    }
    p->identity = IDENTITY_NONE;
    p->identity_failed = err == ERR_REFUSED || err == ERR_UNSUPPORTED ||
                         (err == 0 && !kafka_error_is_retriable(r->error_code));
    p->identity_retry_ms = now_ms + client_backoff_ms(p->client, p->identity_attempts++);
}

static void identity_ask(struct producer *p, int64_t now_ms)
{
    init_producer_id_request_init(&p->identity_body);
    p->identity_body.transactional_id = (struct str){0};
    p->identity_body.transaction_timeout_ms = INT32_MAX; // there are no transactions
    p->identity_body.producer_id = PRODUCER_ID_NONE;
    p->identity_body.producer_epoch = PRODUCER_EPOCH_NONE;
    p->identity = IDENTITY_ASKED;
    p->identity_request = (struct client_request){
        .api_key = API_INIT_PRODUCER_ID,
        .version_min = 0,
        .version_max = 5,
        .node = CLIENT_NODE_ANY,
        .body = &p->identity_body,
        .timeout_ms = p->options.request_timeout_ms,
        .done = on_identity,
        .user = p,
    };
    client_send(p->client, &p->identity_request, now_ms);
}

// Everything that is still queued gets new sequences from 0.
static void unstamp_all(struct producer *p)
{
    list_for_each (n, next, &p->topics) {
        struct topic *t = container_of(n, struct topic, node);
        for (int i = 0; i < t->queue_count; i++) {
            t->queues[i]->sequence_next = 0;
            list_for_each (m, next_batch, &t->queues[i]->batches)
                container_of(m, struct batch, node)->stamped = false;
        }
    }
}

static bool may_restart(const struct producer *p)
{
    if (!list_empty(&p->shipments))
        return false;
    list_for_each (n, next, &p->topics) {
        const struct topic *t = container_of(n, struct topic, node);
        for (int i = 0; i < t->queue_count; i++)
            list_for_each (m, next_batch, &t->queues[i]->batches)
                if (container_of(m, struct batch, node)->uncertain)
                    return false;
    }
    return true;
}

void producer__identity_step(struct producer *p, int64_t now_ms)
{
    if (!p->options.idempotent)
        return;
    if (p->pending == 0) {
        p->identity_failed = false; // which the records that waited were told; later ones try again
        return;
    }
    if (p->restart && p->identity == IDENTITY_KNOWN && may_restart(p)) {
        p->restart = false;
        unstamp_all(p);
        // The next epoch is ours to take (KIP-360). A broker that has seen it refuses what is still on
        // its way from before; under a new id that would be stored, after what came later.
        if (p->producer_epoch < INT16_MAX) {
            p->producer_epoch++;
        } else {
            p->identity = IDENTITY_NONE;
            p->identity_retry_ms = now_ms;
        }
    }
    if (p->identity == IDENTITY_NONE && now_ms >= p->identity_retry_ms)
        identity_ask(p, now_ms);
}

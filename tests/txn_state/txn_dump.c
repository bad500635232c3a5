// SPDX-License-Identifier: Apache-2.0
#include "txn_dump.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"

static void dump_topic(const struct txn_topic *topic, struct buf *out)
{
    for (int32_t i = 0; i < topic->count; i++)
        buf_printf(out, "%s%d", i == 0 ? ":" : ",", topic->partitions[i]);
}

void txn_dump(const struct txn *txn, struct buf *out)
{
    buf_printf(out, "%s %" PRId64 "/%d -> %" PRId64 ", version %d, %d ms, [", txn_state_name(txn->state),
               txn->producer_id, txn->producer_epoch, txn->next_producer_id, txn->client_version,
               txn->timeout_ms);
    for (int32_t i = 0; i < txn->partitions.count; i++) {
        buf_printf(out, "%s%s", i == 0 ? "" : " ", txn->partitions.topics[i].name);
        dump_topic(&txn->partitions.topics[i], out);
    }
    buf_printf(out, "]");
}

static int compare(const void *a, const void *b)
{
    const struct txn *const *x = a, *const *y = b;
    return str_compare(txn_id(*x), txn_id(*y));
}

void txns_dump(const struct txns *t, struct buf *out)
{
    size_t count = 0;
    const struct txn **all = mem_alloc_array(t->by_id.count + 1, sizeof(*all));
    for (const struct txn *txn = NULL; (txn = txns_next(t, txn)) != NULL;)
        all[count++] = txn;
    qsort(all, count, sizeof(*all), compare);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%.*s: ", STR_ARG(txn_id(all[i])));
        txn_dump(all[i], out);
        buf_printf(out, " before %" PRId64 ", next epoch %d, from %" PRId64 " to %" PRId64 "\n",
                   all[i]->previous_producer_id, all[i]->next_producer_epoch, all[i]->start_ms,
                   all[i]->last_update_ms);
    }
    mem_free(all);
}

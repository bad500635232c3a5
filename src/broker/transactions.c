// SPDX-License-Identifier: Apache-2.0
#include "broker/transactions.h"

#include "broker/shard.h"

static void answer_all(struct transaction_ask *ask, enum kafka_error error)
{
    for (int32_t i = 0; i < ask->partition_count; i++)
        ask->partitions[i].error = error;
    ask->done(ask);
}

void transactions_ask(struct shard *s, struct transaction_ask *ask)
{
    ask->home = s;
    answer_all(ask, ask->transactional_id.size == 0 ? KAFKA_INVALID_REQUEST
                                                    : KAFKA_COORDINATOR_NOT_AVAILABLE);
}

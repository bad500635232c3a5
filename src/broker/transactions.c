// SPDX-License-Identifier: Apache-2.0
#include "broker/transactions.h"

#include "broker/coordinators.h"
#include "broker/node.h"
#include "broker/partitions.h"
#include "broker/shard.h"
#include "env/env.h"

// ---- The answer, on the shard that asked ----

static void come_home(struct env_message *message)
{
    struct transaction_ask *ask = container_of(message, struct transaction_ask, message);
    ask->home->away_count--;
    ask->done(ask);
}

static void answered(struct txn_call *call)
{
    struct transaction_ask *ask = container_of(call, struct transaction_ask, call);
    if (ask->home == ask->there) {
        ask->done(ask);
        return;
    }
    ask->message.receive = come_home;
    env_post(ask->home->env->mailbox, &ask->message);
}

static void answer_all(struct transaction_ask *ask, enum kafka_error error)
{
    for (int32_t i = 0; i < ask->partition_count; i++)
        ask->partitions[i].error = error;
    answered(&ask->call);
}

// ---- On the shard of the coordinator ----

static void ask_here(struct transaction_ask *ask)
{
    struct coordinators *cs = &ask->there->coordinators;
    const struct coordinator_time now = coordinators_now(ask->there);
    int32_t partition = ask->state_partition;
    enum kafka_error error;
    struct txns *t = coordinators_find(cs, COORDINATOR_TRANSACTION, partition, &error);
    if (t == NULL) {
        answer_all(ask, error);
        return;
    }
    ask->addition = (struct txn_addition){
        .transactional_id = ask->transactional_id,
        .producer_id = ask->producer_id,
        .producer_epoch = ask->producer_epoch,
        .verify_only = ask->verify_only,
        .client_version = ask->is_version_1 ? 0 : 2,
        .partitions = ask->partitions,
        .partition_count = ask->partition_count,
    };
    ask->call = (struct txn_call){.done = answered};
    txns_add(t, &ask->call, &now, &ask->addition); // it may be gone after this
    coordinators_touched(cs, COORDINATOR_TRANSACTION, partition);
}

static void arrive(struct env_message *message)
{
    ask_here(container_of(message, struct transaction_ask, message));
}

void transactions_ask(struct shard *s, struct transaction_ask *ask)
{
    struct node *n = s->node;
    int32_t partition = coordinators_partition_of(s, COORDINATOR_TRANSACTION, ask->transactional_id);
    ask->home = s;
    ask->there = s;
    ask->state_partition = partition;
    if (ask->transactional_id.size == 0 || partition < 0) {
        answer_all(ask, ask->transactional_id.size == 0 ? KAFKA_INVALID_REQUEST : KAFKA_NOT_COORDINATOR);
        return;
    }
    int there = partitions_shard_of(n->hash_seed, n->shard_count, str_from(TRANSACTION_TOPIC), partition);
    ask->there = &n->shards[there];
    if (ask->there == s) {
        ask_here(ask);
        return;
    }
    s->away_count++;
    ask->message.receive = arrive;
    env_post(ask->there->env->mailbox, &ask->message);
}

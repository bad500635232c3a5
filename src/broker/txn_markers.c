// SPDX-License-Identifier: Apache-2.0
#include "broker/txn_markers.h"

#include "base/buf.h"
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/coordinators.h"
#include "broker/node.h"
#include "broker/partitions.h"
#include "broker/shard.h"
#include "env/clock.h"
#include "env/env.h"
#include "group/groups.h"
#include "wire/batch.h"

enum { MARKER_BYTES_MAX = 256 };

// ---- The end, on the shard that asked ----

static void come_home(struct env_message *message)
{
    struct txn_marker *m = container_of(message, struct txn_marker, message);
    m->home->away_count--;
    m->done(m, m->error);
}

static void finish(struct txn_marker *m, enum kafka_error error)
{
    if (m->home == m->there) {
        m->done(m, error);
        return;
    }
    m->error = error;
    m->message.receive = come_home;
    env_post(m->home->env->mailbox, &m->message);
}

// ---- On the shard of the partition ----

// What makes the coordinator of the transaction look up the leader again, and try again.
static enum kafka_error again_or(enum kafka_error error)
{
    switch (error) {
    case KAFKA_COORDINATOR_NOT_AVAILABLE:
    case KAFKA_COORDINATOR_LOAD_IN_PROGRESS:
    case KAFKA_NOT_COORDINATOR: return KAFKA_NOT_LEADER_OR_FOLLOWER;
    default: return error;
    }
}

static void is_committed(struct append_wait *wait, int kafka_error)
{
    finish(container_of(wait, struct txn_marker, wait), (enum kafka_error)kafka_error);
}

static enum kafka_error append(struct txn_marker *m, struct partition *p, struct log_append_info *info)
{
    struct shard *s = m->there;
    const struct log_writer writer = {
        .is_coordinator = true, .transaction_version = m->transaction_version};
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    int64_t now_ms = env_wall_ms(s->env->clock);
    struct buf batch;
    options.producer_id = m->producer_id;
    options.producer_epoch = m->producer_epoch;
    buf_init(&batch, MARKER_BYTES_MAX);
    int err = batch_append_end_txn_marker(&batch, &options, m->is_commit ? CONTROL_COMMIT : CONTROL_ABORT,
                                          m->coordinator_epoch, now_ms, NULL);
    if (err == 0)
        err = log_append_as(p->log, batch.data, batch.size, p->leader_epoch, now_ms, &writer, info);
    buf_release(&batch);
    if (err != 0)
        return err == ERR_NOSPC ? KAFKA_NOT_ENOUGH_REPLICAS : KAFKA_KAFKA_STORAGE_ERROR;
    return partition_append_error(info->verdict);
}

static void write_to_partition(struct txn_marker *m, struct partition *p)
{
    struct log_append_info info;
    enum kafka_error error = append(m, p, &info);
    if (error != KAFKA_NONE) {
        finish(m, error);
        return;
    }
    partition_appended(p);
    m->wait = (struct append_wait){.offset = info.last_offset + 1, .done = is_committed};
    partition_wait_append(p, &m->wait);
}

static void is_committed_to_group(struct coordinator_waiter *waiter, enum kafka_error error)
{
    finish(container_of(waiter, struct txn_marker, waiter), again_or(error));
}

// The coordinator has records of its own gathered, and must know in which order they and the marker are.
static void write_to_coordinator(struct txn_marker *m)
{
    struct coordinators *cs = &m->there->coordinators;
    const struct coordinator_time now = coordinators_now(m->there);
    const struct coordinator_txn txn = {
        .producer_id = m->producer_id,
        .producer_epoch = m->producer_epoch,
        .is_commit = m->is_commit,
        .coordinator_epoch = m->coordinator_epoch,
        .transaction_version = m->transaction_version,
    };
    int32_t partition = m->partition;
    enum kafka_error error;
    struct groups *g = coordinators_find(cs, COORDINATOR_GROUP, partition, &error);
    if (error == KAFKA_NONE) {
        m->waiter.done = is_committed_to_group;
        error = groups_end_transaction(g, &now, &txn, &m->waiter);
        coordinators_touched(cs, COORDINATOR_GROUP, partition); // the marker may be gone
    }
    if (error != KAFKA_NONE)
        finish(m, again_or(error));
}

static void write_here(struct txn_marker *m)
{
    struct partition *p;
    int error = api_find_leader(m->there, m->topic, (struct uuid){{0}}, m->partition, -1, &p);
    if (error != KAFKA_NONE)
        finish(m, (enum kafka_error)error);
    else if (str_is(m->topic, GROUP_TOPIC))
        write_to_coordinator(m);
    else
        write_to_partition(m, p);
}

static void arrive(struct env_message *message)
{
    write_here(container_of(message, struct txn_marker, message));
}

void txn_marker_write(struct shard *home, struct txn_marker *m)
{
    struct node *n = home->node;
    m->home = home;
    m->there = &n->shards[partitions_shard_of(n->hash_seed, n->shard_count, m->topic, m->partition)];
    if (m->home == m->there) {
        write_here(m);
        return;
    }
    home->away_count++;
    m->message.receive = arrive;
    env_post(m->there->env->mailbox, &m->message);
}

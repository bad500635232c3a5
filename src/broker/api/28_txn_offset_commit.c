// SPDX-License-Identifier: Apache-2.0
//
// TxnOffsetCommit (key 28, versions 0-6): offsets that hold once the producer's transaction is committed
// (KIP-98). As OffsetCommit otherwise, so it is turned into one; before it is served the transaction's
// coordinator is asked whether the group's partition of __consumer_offsets is in it (txn_verify.h).
//   v2: leader epoch. v3: who the member is (KIP-447). v4: TRANSACTION_ABORTABLE. v5: adds the partition to
//   the transaction (KIP-890). v6: topics by id (KIP-1319).
#include "broker/api/api.h"
#include "broker/api/commit_topics.h"
#include "broker/api/group_op.h"
#include "broker/coordinators.h"
#include "broker/partition.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "broker/txn_verify.h"
#include "env/clock.h"
#include "env/env.h"
#include "wire/api/txn_offset_commit.h"

enum {
    VERSION_LOADING = 2, // these: from here on
    VERSION_ABORTABLE = 4,
    VERSION_ADDS_PARTITION = 5,
    VERSION_TOPIC_ID = 6,
};

struct txn_commit {
    struct commit_topics topics;
    struct coordinator_txn txn;
    struct str transactional_id;
    struct txn_offset_commit_response reply;
    struct group_part *part;
    struct txn_verify verify;
    struct transaction_partition partition; // that is verified
};

// ---- On the shard of the group ----

static struct txn_commit *commit_of(const struct group_part *part)
{
    return container_of(part->call.response, struct txn_commit, topics.answer);
}

static void set_error(struct group_part *part, enum kafka_error error)
{
    commit_of(part)->topics.error = error;
}

static void refuse(struct txn_commit *c, enum kafka_error error)
{
    set_error(c->part, error);
    c->part->call.done(&c->part->call);
}

// As it is for commits outside of transactions: errors of the partition become those of its coordinator.
static enum kafka_error coordinator_error_of(int kafka_error)
{
    switch (kafka_error) {
    case KAFKA_NONE: return KAFKA_NONE;
    case KAFKA_UNKNOWN_TOPIC_OR_PARTITION: return KAFKA_COORDINATOR_NOT_AVAILABLE;
    case KAFKA_NOT_LEADER_OR_FOLLOWER:
    case KAFKA_KAFKA_STORAGE_ERROR: return KAFKA_NOT_COORDINATOR;
    default: return KAFKA_UNKNOWN_SERVER_ERROR;
    }
}

static void verified(struct txn_verify *verify)
{
    struct txn_commit *c = container_of(verify, struct txn_commit, verify);
    struct coordinators *cs = &c->part->share->shard->coordinators;
    const struct coordinator_time now = coordinators_now(cs->shard);
    int32_t partition = c->partition.partition;
    enum kafka_error error = c->partition.error;
    struct groups *g = NULL;
    if (error == KAFKA_NONE) // the coordinator may have gone meanwhile
        g = coordinators_find(cs, COORDINATOR_GROUP, partition, &error);
    if (error != KAFKA_NONE) {
        refuse(c, error);
        return;
    }
    groups_commit_txn_offsets(g, &c->part->call, &now, &c->topics.asked, &c->txn);
    coordinators_touched(cs, COORDINATOR_GROUP, partition);
}

// Begins to verify. *guard is LOG_GUARD_NONE if there is nothing to.
static enum kafka_error begin_verification(struct txn_commit *c, struct shard *s, bool adds)
{
    const struct log_verification v = {
        .producer_id = c->txn.producer_id,
        .base_sequence = -1,
        .producer_epoch = c->txn.producer_epoch,
        .adds = adds,
    };
    struct partition *p;
    int error = api_find_leader(s, str_from(GROUP_TOPIC), (struct uuid){{0}}, c->part->partition, -1, &p);
    if (error == KAFKA_NONE)
        error = api_log_error(
            log_begin_verification(p->log, &v, env_wall_ms(s->env->clock), &c->txn.guard));
    return coordinator_error_of(error);
}

static void serve(struct group_part *part, struct groups *g, const struct coordinator_time *now)
{
    struct txn_commit *c = commit_of(part);
    struct shard *s = part->share->shard;
    int16_t version = part->call.version;
    bool adds = version >= VERSION_ADDS_PARTITION;
    c->part = part;
    c->txn.needs_verification = txn_verify_is_enabled(s);
    enum kafka_error error = KAFKA_NONE;
    if (adds || c->txn.needs_verification)
        error = begin_verification(c, s, adds);
    if (error != KAFKA_NONE) {
        refuse(c, error);
        return;
    }
    if (c->txn.guard == LOG_GUARD_NONE) {
        groups_commit_txn_offsets(g, &part->call, now, &c->topics.asked, &c->txn);
        return;
    }
    c->partition = (struct transaction_partition){.topic = str_from(GROUP_TOPIC),
                                                  .partition = part->partition};
    c->verify = (struct txn_verify){
        .transactional_id = c->transactional_id,
        .producer_id = c->txn.producer_id,
        .producer_epoch = c->txn.producer_epoch,
        .adds = adds,
        .knows_abortable = version >= VERSION_ABORTABLE,
        .partitions = &c->partition,
        .partition_count = 1,
        .done = verified,
    };
    txn_verify_start(s, &c->verify);
}

// ---- Request and answer ----

static bool take_topic(struct request *r,
                       const struct txn_offset_commit_request_txn_offset_commit_request_topic *from,
                       struct offset_commit_request_offset_commit_request_topic *to)
{
    to->name = from->name;
    to->topic_id = from->topic_id;
    if (!offset_commit_request_offset_commit_request_partition_array_new(&r->arena, from->partitions.count,
                                                                         &to->partitions))
        return false;
    for (int32_t p = 0; p < from->partitions.count; p++) {
        const struct txn_offset_commit_request_txn_offset_commit_request_partition *asked =
            &from->partitions.items[p];
        struct offset_commit_request_offset_commit_request_partition *out = &to->partitions.items[p];
        out->partition_index = asked->partition_index;
        out->committed_offset = asked->committed_offset;
        out->committed_leader_epoch = asked->committed_leader_epoch;
        out->committed_metadata = asked->committed_metadata;
    }
    return true;
}

// The same as a request of OffsetCommit.
static bool take_request(struct request *r, const struct txn_offset_commit_request *from,
                         struct txn_commit *c)
{
    struct offset_commit_request *to = &c->topics.request;
    offset_commit_request_init(to);
    to->group_id = from->group_id;
    to->member_id = from->member_id;
    to->group_instance_id = from->group_instance_id;
    to->generation_id_or_member_epoch = from->generation_id_or_member_epoch;
    if (!offset_commit_request_offset_commit_request_topic_array_new(&r->arena, from->topics.count,
                                                                     &to->topics))
        return false;
    for (int32_t t = 0; t < from->topics.count; t++)
        if (!take_topic(r, &from->topics.items[t], &to->topics.items[t]))
            return false;
    c->transactional_id = from->transactional_id;
    c->txn.producer_id = from->producer_id;
    c->txn.producer_epoch = from->producer_epoch;
    return true;
}

// Clients before Kafka 2.0 may stumble over an error that they do not expect (KAFKA-7296).
static int16_t known_error(const struct request *r, int16_t error)
{
    bool is_old = r->header.api_version < VERSION_LOADING;
    return is_old && error == KAFKA_COORDINATOR_LOAD_IN_PROGRESS ? KAFKA_COORDINATOR_NOT_AVAILABLE : error;
}

static bool fill_reply(struct request *r, struct txn_commit *c)
{
    const struct offset_commit_response *from = &c->topics.reply;
    struct txn_offset_commit_response *to = &c->reply;
    if (!txn_offset_commit_response_txn_offset_commit_response_topic_array_new(
            &r->arena, from->topics.count, &to->topics))
        return false;
    for (int32_t t = 0; t < from->topics.count; t++) {
        const struct offset_commit_response_offset_commit_response_topic *topic = &from->topics.items[t];
        struct txn_offset_commit_response_txn_offset_commit_response_topic *out = &to->topics.items[t];
        out->name = topic->name;
        out->topic_id = topic->topic_id;
        if (!txn_offset_commit_response_txn_offset_commit_response_partition_array_new(
                &r->arena, topic->partitions.count, &out->partitions))
            return false;
        for (int32_t p = 0; p < topic->partitions.count; p++) {
            out->partitions.items[p].partition_index = topic->partitions.items[p].partition_index;
            out->partitions.items[p].error_code =
                known_error(r, topic->partitions.items[p].error_code);
        }
    }
    return true;
}

static void finish(struct group_op *op)
{
    struct txn_commit *c = container_of(op->reply, struct txn_commit, reply);
    commit_topics_finish(&c->topics);
    if (!fill_reply(op->request, c))
        op->parts[0].call.no_memory = true;
}

static bool prepare(struct shard *s, struct request *r, const struct txn_offset_commit_request *request,
                    struct txn_commit *c)
{
    txn_offset_commit_response_init(&c->reply);
    return take_request(r, request, c) &&
           commit_topics_take(s, r, r->header.api_version >= VERSION_TOPIC_ID, &c->topics);
}

void api_txn_offset_commit(struct shard *s, struct request *r, const void *body)
{
    static const struct group_op_type type = {
        .needs_group_id = true, .serve = serve, .set_error = set_error, .finish = finish};
    const struct txn_offset_commit_request *request = body;
    struct txn_commit *c = arena_new(&r->arena, struct txn_commit);
    if (c == NULL || !prepare(s, r, request, c)) {
        api_no_memory(r);
        return;
    }
    if (c->topics.asked.topics.count == 0) { // as in Kafka, whatever the group
        if (fill_reply(r, c))
            request_reply(r, &c->reply);
        else
            api_no_memory(r);
        return;
    }
    struct group_op *op = group_op_new(s, r, body, &c->reply, 1, &type);
    if (op == NULL)
        return;
    group_op_add(op, request->group_id, c, &c->topics.answer);
    group_op_start(op);
}

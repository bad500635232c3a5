// SPDX-License-Identifier: Apache-2.0
//
// Produce (key 0, versions 3-13): appends one batch to each of some partitions and answers when they
// are as safe as the topic promises: on disk, or with write.caching in the page cache.
//   v7: zstd (KIP-110). v8: errors of single records (KIP-467). v10: current leader (KIP-951).
//   v11: TRANSACTION_ABORTABLE. v12: adds partitions to the transaction (KIP-890). v13: topics by id
//   (KIP-516).
// acks=1 and acks=-1 mean the same with one replica. acks=0 has no answer; if something goes wrong,
// the connection is closed, since that is all the client can notice.
//
// Each partition's shard checks and appends the batch, which stays where it is in the request's frame,
// and waits until it is safe. A batch that takes long to check is checked on a worker (batch_check.h);
// what comes after it for the same partition waits behind it. A batch that begins a transaction in its
// partition is verified first (txn_verify.h); of that only what the same producer sends next has to wait.
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/batch_check.h"
#include "broker/node.h"
#include "broker/partition.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "broker/split.h"
#include "broker/txn_verify.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/timer.h"
#include "log/log.h"
#include "metadata/image.h"
#include "wire/api/produce.h"
#include "wire/errors.h"

// The client's timeout is about replicas. Our own disk gets at least this long, so that a timeout of 0
// means what it means to Kafka: answer when the leader has it.
enum { PRODUCE_WAIT_MS_MIN = 1000 };

enum {
    VERSION_ABORTABLE = 11, // these: from here on
    VERSION_ADDS_PARTITIONS = 12,
    VERSION_TOPIC_ID = 13,
};

// One partition of the request.
struct produce_part {
    struct split_item item;
    bool is_transactional; // its batch belongs to the producer's transaction
    int32_t base_sequence; // of such a batch
    struct txn_wait line;
    int64_t guard;
    struct append_turn turn;
    struct append_wait wait;
    struct produce_share *share;
    const struct produce_request_topic_produce_data *topic;
    const struct produce_request_partition_produce_data *data;
    struct produce_response_partition_produce_response *answer;
    struct partition *partition; // NULL when it failed before the append
    bool waiting;
};

struct produce_op {
    struct split split;
    struct request *request;
    const struct produce_request *body;
    struct produce_response reply;
    struct produce_part *parts;
    int32_t part_count;
    // Of the transaction that it is about; no other may be in it.
    int64_t producer_id; // -1: it is about none
    int16_t producer_epoch;
};

// The partitions that live on one shard.
struct produce_share {
    struct split_share *split_share;
    struct shard *shard;
    struct produce_op *op; // only read, but for the parts of this share
    int32_t appending_count; // parts that are neither appended nor refused, and one while more begin
    int32_t waiting_count;
    struct env_timer timer;
    struct verification *gathered; // those whose verification begins with the request, while it is gathered
};

// Some of these that are verified together.
struct verification {
    struct txn_verify verify;
    struct produce_share *share;
    struct produce_part **parts; // parallel to verify.partitions
};

struct long_check {
    struct batch_check check;
    struct produce_part *part;
};

// --- The end ---

static bool any_failed(const struct produce_op *op)
{
    for (int32_t i = 0; i < op->part_count; i++)
        if (op->parts[i].answer->error_code != KAFKA_NONE)
            return true;
    return false;
}

static void finish(struct split *split)
{
    struct produce_op *op = container_of(split, struct produce_op, split);
    struct request *r = op->request;
    if (op->body->acks != 0)
        request_reply(r, &op->reply);
    else if (any_failed(op))
        request_close_connection(r, "a produce request with acks=0 failed");
    else
        request_drop(r);
}

static void share_done(struct produce_share *share)
{
    env_timer_cancel(share->shard->env->timers, &share->timer);
    split_share_done(share->split_share);
}

static void part_failed(struct produce_part *part, int kafka_error)
{
    part->answer->error_code = (int16_t)kafka_error;
    part->answer->base_offset = -1;
    part->answer->log_append_time_ms = -1;
    part->answer->log_start_offset = -1;
}

static void part_done(struct append_wait *wait, int kafka_error)
{
    struct produce_part *part = container_of(wait, struct produce_part, wait);
    struct produce_share *share = part->share;
    part->waiting = false;
    if (kafka_error != KAFKA_NONE)
        part_failed(part, kafka_error);
    if (--share->waiting_count == 0 && share->appending_count == 0)
        share_done(share);
}

static void timed_out(struct env_timer *timer)
{
    struct produce_share *share = container_of(timer, struct produce_share, timer);
    split_for_each(item, share->split_share) {
        struct produce_part *part = container_of(item, struct produce_part, item);
        if (!part->waiting)
            continue;
        partition_cancel_append(&part->wait);
        part->waiting = false;
        // It was appended and may yet become safe: the client must not take this for a refusal.
        part_failed(part, KAFKA_REQUEST_TIMED_OUT);
    }
    share->waiting_count = 0;
    share_done(share);
}

// --- One partition ---

static void add_record_errors(struct produce_part *part, const struct incoming_batch *batch)
{
    int count = batch->facts.record_error_count;
    struct produce_response_partition_produce_response *answer = part->answer;
    if (!produce_response_batch_index_and_error_message_array_new(
            part->share->split_share->arena, count, &answer->record_errors))
        return; // the error itself is said; which records it was is a courtesy
    for (int i = 0; i < count; i++) {
        const struct batch_record_error *error = &batch->facts.record_errors[i];
        answer->record_errors.items[i].batch_index = error->index;
        answer->record_errors.items[i].batch_index_error_message =
            str_from(batch_problem_text(error->problem));
    }
}

static void refuse_batch(struct produce_part *part, const struct incoming_batch *batch,
                         int kafka_error)
{
    part_failed(part, kafka_error);
    part->answer->error_message = str_from(batch->message);
    part->answer->log_start_offset = log_start_offset(part->partition->log);
    add_record_errors(part, batch);
}

// What makes clients try again, in order and until their own patience ends. A full disk is like a lack of
// replicas: the records are nowhere, and it is nobody else's turn to take them (docs/durability.md has
// the experiment that speaks against the other codes).
static int append_error(const struct produce_part *part, int err)
{
    if (err != ERR_NOSPC)
        return KAFKA_KAFKA_STORAGE_ERROR;
    part->answer->error_message = str_from("The log directory is full.");
    return KAFKA_NOT_ENOUGH_REPLICAS;
}

static int append(struct produce_part *part, const struct incoming_batch *batch, int64_t now_ms)
{
    struct partition *p = part->partition;
    struct log_append_info info;
    const struct log_writer writer = {
        .needs_verification = part->is_transactional && txn_verify_is_enabled(part->share->shard),
        .guard = part->guard,
    };
    int err = log_append_as(p->log, batch->data, batch->size, p->leader_epoch, now_ms, &writer, &info);
    if (err != ERR_OK)
        return append_error(part, err);
    int kafka_error = partition_append_error(info.verdict);
    if (kafka_error != KAFKA_NONE)
        return kafka_error;
    bool duplicate = info.verdict == LOG_DUPLICATE;
    part->answer->base_offset = info.base_offset;
    // Of a duplicate Kafka tells the time of the batch that is there, whatever kind of time it is.
    part->answer->log_append_time_ms = duplicate ? info.max_timestamp : batch->log_append_time_ms;
    part->answer->log_start_offset = info.log_start_offset;
    if (!duplicate)
        partition_appended(p);
    if (part->share->op->body->acks == 0)
        return KAFKA_NONE;
    part->wait.offset = info.last_offset + 1;
    part->wait.done = part_done;
    part->waiting = true;
    part->share->waiting_count++;
    partition_wait_append(p, &part->wait);
    return KAFKA_NONE;
}

static void append_checked(struct produce_part *part, const struct batch_check *check)
{
    if (check->kafka_error != KAFKA_NONE) {
        refuse_batch(part, &check->batch, check->kafka_error);
        return;
    }
    int kafka_error = append(part, &check->batch, check->now_ms);
    if (kafka_error != KAFKA_NONE)
        part_failed(part, kafka_error);
}

static void all_appended(struct produce_share *share);

// Whatever came of it, the next may append.
static void append_over(struct produce_part *part)
{
    struct produce_share *share = part->share;
    if (list_linked(&part->turn.node))
        partition_end_turn(part->partition, &part->turn);
    if (--share->appending_count == 0)
        all_appended(share);
}

static void long_check_done(struct batch_check *check)
{
    struct produce_part *part = container_of(check, struct long_check, check)->part;
    part->share->shard->away_count--;
    if (list_linked(&part->turn.node))
        append_checked(part, check);
    else
        part_failed(part, part->turn.kafka_error);
    batch_check_release(check);
    append_over(part);
}

static bool start_long_check(struct produce_part *part, const struct batch_check *check)
{
    struct shard *s = part->share->shard;
    struct long_check *later = arena_new(part->share->split_share->arena, struct long_check);
    if (later == NULL)
        return false;
    later->part = part;
    later->check = *check;
    later->check.done = long_check_done;
    s->away_count++;
    batch_check_start(&s->batch_checks, &later->check);
    return true;
}

static void turn_came(struct append_turn *turn, int kafka_error)
{
    struct produce_part *part = container_of(turn, struct produce_part, turn);
    struct shard *s = part->share->shard;
    if (kafka_error != KAFKA_NONE) {
        part_failed(part, kafka_error);
        append_over(part);
        return;
    }
    struct batch_check check = {
        .config = part->partition->config,
        .produce_version = part->share->op->request->header.api_version,
        .now_ms = env_wall_ms(s->env->clock),
        .records = part->data->records.bytes,
    };
    if (batch_check_quick(&s->batch_checks, &check)) {
        append_checked(part, &check);
        batch_check_release(&check);
    } else if (start_long_check(part, &check)) {
        return;
    } else {
        part_failed(part, KAFKA_UNKNOWN_SERVER_ERROR);
    }
    append_over(part);
}

// --- Its transaction ---

static int16_t version_of(const struct produce_part *part)
{
    return part->share->op->request->header.api_version;
}

static void set_message(struct produce_part *part, const char *text, int underlying)
{
    struct arena *arena = part->share->split_share->arena;
    const char *name = underlying == KAFKA_NONE ? "" : kafka_error_name(underlying);
    size_t size = strlen(text) + strlen(name);
    char *message = arena_alloc(arena, size + 1);
    if (message == NULL)
        return; // a courtesy
    snprintf(message, size + 1, "%s%s", text, name);
    part->answer->error_message = str_of(message, size);
}

// Not all clients know what to do with the errors of a transaction's coordinator. What passes becomes one
// that makes them send the batch again, and not look for another leader.
static void refuse_unverified(struct produce_part *part, enum kafka_error error)
{
    bool passes = error == KAFKA_COORDINATOR_LOAD_IN_PROGRESS || error == KAFKA_NOT_COORDINATOR ||
                  error == KAFKA_COORDINATOR_NOT_AVAILABLE ||
                  (error == KAFKA_CONCURRENT_TRANSACTIONS && version_of(part) < VERSION_ADDS_PARTITIONS);
    part_failed(part, passes ? KAFKA_NOT_ENOUGH_REPLICAS : error);
    if (passes)
        set_message(part, "Unable to verify the partition has been added to the transaction. "
                          "Underlying error: ", error);
    else if (error == KAFKA_INVALID_TXN_STATE)
        set_message(part, "Partition was not added to the transaction", KAFKA_NONE);
}

static void take_turn(struct produce_part *part)
{
    part->turn.come = turn_came;
    partition_take_turn(part->partition, &part->turn);
}

// The part may be gone after this, with its request.
static void verified(struct produce_part *part, enum kafka_error error)
{
    struct partition *p = part->partition;
    int64_t producer_id = part->line.producer_id;
    bool is_in_line = list_linked(&part->line.node);
    if (is_in_line)
        txn_wait_leave(&part->line);
    else
        error = (enum kafka_error)part->line.kafka_error;
    if (error == KAFKA_NONE) {
        take_turn(part);
    } else {
        refuse_unverified(part, error);
        append_over(part);
    }
    if (is_in_line)
        txn_line_move(p, producer_id);
}

static void verification_done(struct txn_verify *verify)
{
    struct verification *v = container_of(verify, struct verification, verify);
    struct produce_share *share = v->share;
    share->appending_count++; // the share, and all with it, lives until the last of them
    for (int32_t i = 0; i < verify->partition_count; i++)
        verified(v->parts[i], verify->partitions[i].error);
    if (--share->appending_count == 0)
        all_appended(share);
}

static struct verification *verification_new(struct produce_share *share, int32_t count_max)
{
    struct arena *arena = share->split_share->arena;
    const struct produce_op *op = share->op;
    struct verification *v = arena_new(arena, struct verification);
    if (v == NULL)
        return NULL;
    v->share = share;
    v->parts = arena_new_array(arena, (size_t)count_max, struct produce_part *);
    v->verify = (struct txn_verify){
        .transactional_id = op->body->transactional_id,
        .producer_id = op->producer_id,
        .producer_epoch = op->producer_epoch,
        .adds = op->request->header.api_version >= VERSION_ADDS_PARTITIONS,
        .knows_abortable = op->request->header.api_version >= VERSION_ABORTABLE,
        .partitions = arena_new_array(arena, (size_t)count_max, struct transaction_partition),
        .done = verification_done,
    };
    return v->parts == NULL || v->verify.partitions == NULL ? NULL : v;
}

static void verification_add(struct verification *v, struct produce_part *part)
{
    int32_t i = v->verify.partition_count++;
    v->parts[i] = part;
    v->verify.partitions[i] = (struct transaction_partition){
        .topic = str_from(part->partition->topic), .partition = part->partition->index};
}

// Together with others of the request, if they are being gathered.
static void verify(struct produce_part *part)
{
    struct produce_share *share = part->share;
    struct verification *v = share->gathered != NULL ? share->gathered : verification_new(share, 1);
    if (v == NULL) {
        verified(part, KAFKA_UNKNOWN_SERVER_ERROR);
        return;
    }
    verification_add(v, part);
    if (v != share->gathered)
        txn_verify_start(share->shard, &v->verify);
}

static void is_first_in_line(struct txn_wait *wait, int kafka_error)
{
    struct produce_part *part = container_of(wait, struct produce_part, line);
    const struct produce_op *op = part->share->op;
    const struct log_verification v = {
        .producer_id = op->producer_id,
        .base_sequence = part->base_sequence,
        .producer_epoch = op->producer_epoch,
        .adds = version_of(part) >= VERSION_ADDS_PARTITIONS,
    };
    int64_t now_ms = env_wall_ms(part->share->shard->env->clock);
    if (kafka_error == KAFKA_NONE)
        kafka_error = api_log_error(log_begin_verification(part->partition->log, &v, now_ms, &part->guard));
    if (kafka_error != KAFKA_NONE || part->guard == LOG_GUARD_NONE)
        verified(part, (enum kafka_error)kafka_error);
    else
        verify(part);
}

// Sends the batch on its way to the log.
static void begin(struct produce_part *part)
{
    const struct produce_op *op = part->share->op;
    bool adds = op->request->header.api_version >= VERSION_ADDS_PARTITIONS;
    if (!part->is_transactional || (!adds && !txn_verify_is_enabled(part->share->shard))) {
        take_turn(part);
        return;
    }
    part->line.producer_id = op->producer_id;
    part->line.come = is_first_in_line;
    txn_wait_enter(part->partition, &part->line);
}

// --- Its partition ---

static struct str name_of(const struct produce_op *op,
                          const struct produce_request_topic_produce_data *topic)
{
    return op->request->header.api_version >= VERSION_TOPIC_ID ? (struct str){0} : topic->name;
}

static int find_partition(const struct produce_part *part, struct partition **out)
{
    const struct produce_op *op = part->share->op;
    int kafka_error = api_find_leader(part->share->shard, name_of(op, part->topic),
                                      part->topic->topic_id, part->data->index, -1, out);
    bool exists = kafka_error != KAFKA_UNKNOWN_TOPIC_OR_PARTITION &&
                  kafka_error != KAFKA_UNKNOWN_TOPIC_ID;
    if (exists && (op->body->acks < -1 || op->body->acks > 1))
        return KAFKA_INVALID_REQUIRED_ACKS;
    if (kafka_error == KAFKA_NONE && topic_name_is_internal(str_from((*out)->topic)) &&
        !str_is(op->request->header.client_id, "__admin_client"))
        return KAFKA_INVALID_TOPIC_EXCEPTION;
    return kafka_error;
}

// --- The partitions of one shard ---

static void all_appended(struct produce_share *share)
{
    if (share->waiting_count == 0) {
        share_done(share);
        return;
    }
    int64_t timeout_ms = share->op->body->timeout_ms;
    if (timeout_ms < PRODUCE_WAIT_MS_MIN)
        timeout_ms = PRODUCE_WAIT_MS_MIN;
    share->timer.fire = timed_out;
    env_timer_set(share->shard->env->timers, &share->timer,
                  env_mono_ns(share->shard->env->clock) + timeout_ms * INT64_C(1000000));
}

static int32_t count_transactional(const struct split_share *split_share)
{
    int32_t count = 0;
    split_for_each(item, split_share)
        count += container_of(item, struct produce_part, item)->is_transactional;
    return count;
}

static void begin_all(struct produce_share *share)
{
    split_for_each(item, share->split_share) {
        struct produce_part *part = container_of(item, struct produce_part, item);
        part->share = share;
        int kafka_error = find_partition(part, &part->partition);
        if (kafka_error == KAFKA_NONE && part->is_transactional &&
            share->op->body->transactional_id.data == NULL)
            kafka_error = KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        if (kafka_error != KAFKA_NONE) {
            part_failed(part, kafka_error);
            continue;
        }
        share->appending_count++;
        begin(part);
    }
}

static void run_share(struct split_share *split_share)
{
    struct produce_share *share = split_share->user;
    share->split_share = split_share;
    share->shard = split_share->shard;
    share->op = container_of(split_share->split, struct produce_op, split);
    share->appending_count = 1;
    int32_t transactional_count = count_transactional(split_share);
    if (transactional_count > 0)
        share->gathered = verification_new(share, transactional_count);
    begin_all(share);
    struct verification *v = share->gathered;
    share->gathered = NULL;
    if (v != NULL && v->verify.partition_count > 0)
        txn_verify_start(share->shard, &v->verify);
    if (--share->appending_count == 0)
        all_appended(share);
}

// --- All of them ---

static int32_t count_partitions(const struct produce_request *body)
{
    int32_t count = 0;
    for (int32_t i = 0; i < body->topic_data.count; i++)
        count += body->topic_data.items[i].partition_data.count;
    return count;
}

// Notes what the batch says of its transaction, as far as it can be read: the check comes later. False: of
// another producer than the others.
static bool note_transaction(struct produce_op *op, struct produce_part *part)
{
    struct batch_header h;
    if (batch_header_parse(part->data->records.bytes, &h) != 0 || h.magic != BATCH_MAGIC_CURRENT ||
        !batch_is_transactional(&h) || h.producer_id < 0)
        return true;
    part->is_transactional = true;
    part->base_sequence = h.base_sequence;
    if (op->producer_id < 0) {
        op->producer_id = h.producer_id;
        op->producer_epoch = h.producer_epoch;
    }
    return h.producer_id == op->producer_id && h.producer_epoch == op->producer_epoch;
}

// A request is about one transaction.
static bool note_transactions(struct produce_op *op)
{
    bool is_one = true;
    op->producer_id = -1;
    for (int32_t i = 0; i < op->part_count; i++)
        is_one &= note_transaction(op, &op->parts[i]);
    return is_one || op->body->transactional_id.data == NULL;
}

static void refuse_all(struct produce_op *op, int kafka_error)
{
    for (int32_t i = 0; i < op->part_count; i++)
        part_failed(&op->parts[i], kafka_error);
    finish(&op->split);
}

static bool add_topic(struct produce_op *op, const struct produce_request_topic_produce_data *topic,
                      struct produce_response_topic_produce_response *answer)
{
    int32_t count = topic->partition_data.count;
    answer->name = topic->name;
    answer->topic_id = topic->topic_id;
    if (!produce_response_partition_produce_response_array_new(&op->request->arena, count,
                                                               &answer->partition_responses))
        return false;
    for (int32_t i = 0; i < count; i++) {
        struct produce_part *part = &op->parts[op->part_count++];
        part->topic = topic;
        part->data = &topic->partition_data.items[i];
        part->answer = &answer->partition_responses.items[i];
        part->answer->index = part->data->index;
        split_add(&op->split, name_of(op, topic), topic->topic_id, part->data->index, &part->item);
    }
    return true;
}

static bool prepare(struct produce_op *op)
{
    const struct produce_request *body = op->body;
    op->parts = arena_new_array(&op->request->arena, (size_t)count_partitions(body),
                                struct produce_part);
    if (op->parts == NULL || !produce_response_topic_produce_response_array_new(
                                 &op->request->arena, body->topic_data.count, &op->reply.responses))
        return false;
    for (int32_t i = 0; i < body->topic_data.count; i++)
        if (!add_topic(op, &body->topic_data.items[i], &op->reply.responses.items[i]))
            return false;
    return split_new_users(&op->split, sizeof(struct produce_share));
}

void api_produce(struct shard *s, struct request *r, const void *body)
{
    struct produce_op *op = arena_new(&r->arena, struct produce_op);
    if (op == NULL || !split_init(&op->split, s, r)) {
        api_no_memory(r);
        return;
    }
    op->request = r;
    op->body = body;
    produce_response_init(&op->reply);
    if (!prepare(op))
        api_no_memory(r);
    else if (!note_transactions(op))
        refuse_all(op, KAFKA_INVALID_PRODUCER_ID_MAPPING);
    else
        split_start(&op->split, run_share, finish);
}

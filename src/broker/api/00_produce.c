// SPDX-License-Identifier: Apache-2.0
//
// Produce (key 0, versions 3-13): appends one batch to each of some partitions and answers when they
// are as safe as the topic promises: on disk, or with write.caching in the page cache.
//   v7: zstd (KIP-110). v8: errors of single records (KIP-467). v10: current leader (KIP-951).
//   v13: topics by id (KIP-516).
// acks=1 and acks=-1 mean the same with one replica. acks=0 has no answer; if something goes wrong,
// the connection is closed, since that is all the client can notice.
//
// Each partition's shard checks and appends the batch, which stays where it is in the request's frame,
// and waits until it is safe. A batch that takes long to check is checked on a worker (batch_check.h);
// what comes after it for the same partition waits behind it.
#include "base/check.h"
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/batch_check.h"
#include "broker/node.h"
#include "broker/partition.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "broker/split.h"
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

// One partition of the request.
struct produce_part {
    struct split_item item;
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
};

// The partitions that live on one shard.
struct produce_share {
    struct split_share *split_share;
    struct shard *shard;
    struct produce_op *op; // only read, but for the parts of this share
    int32_t appending_count; // parts that are neither appended nor refused, and one while more begin
    int32_t waiting_count;
    struct env_timer timer;
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

static int verdict_error(enum log_verdict verdict)
{
    switch (verdict) {
    case LOG_APPENDED:
    case LOG_DUPLICATE: return KAFKA_NONE;
    case LOG_OUT_OF_ORDER_SEQUENCE: return KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
    case LOG_INVALID_PRODUCER_EPOCH: return KAFKA_INVALID_PRODUCER_EPOCH;
    case LOG_INVALID_TXN_STATE: return KAFKA_INVALID_TXN_STATE;
    case LOG_COORDINATOR_FENCED: return KAFKA_TRANSACTION_COORDINATOR_FENCED;
    case LOG_RECORD_LIST_TOO_LARGE: return KAFKA_RECORD_LIST_TOO_LARGE;
    case LOG_OUT_OF_ORDER_OFFSETS: break;
    }
    return KAFKA_UNKNOWN_SERVER_ERROR;
}

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

// Transactions need a coordinator, which is not there: nothing of one may enter a log.
static int check_transaction(const struct produce_op *op, const struct batch_header *header)
{
    if (!batch_is_transactional(header))
        return KAFKA_NONE;
    return op->body->transactional_id.data == NULL ? KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED
                                                   : KAFKA_INVALID_TXN_STATE;
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
    int err = log_append(p->log, batch->data, batch->size, p->leader_epoch, now_ms, &info);
    if (err != ERR_OK)
        return append_error(part, err);
    int kafka_error = verdict_error(info.verdict);
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
    int kafka_error = check_transaction(part->share->op, &check->batch.facts.header); // first, as in Kafka
    if (kafka_error == KAFKA_NONE && check->kafka_error != KAFKA_NONE) {
        refuse_batch(part, &check->batch, check->kafka_error);
        return;
    }
    if (kafka_error == KAFKA_NONE)
        kafka_error = append(part, &check->batch, check->now_ms);
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

static struct str name_of(const struct produce_op *op,
                          const struct produce_request_topic_produce_data *topic)
{
    return op->request->header.api_version >= 13 ? (struct str){0} : topic->name;
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

static void run_share(struct split_share *split_share)
{
    struct produce_share *share = split_share->user;
    share->split_share = split_share;
    share->shard = split_share->shard;
    share->op = container_of(split_share->split, struct produce_op, split);
    share->appending_count = 1;
    split_for_each(item, split_share) {
        struct produce_part *part = container_of(item, struct produce_part, item);
        part->share = share;
        part->turn.come = turn_came;
        int kafka_error = find_partition(part, &part->partition);
        if (kafka_error != KAFKA_NONE) {
            part_failed(part, kafka_error);
            continue;
        }
        share->appending_count++;
        partition_take_turn(part->partition, &part->turn);
    }
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
    if (prepare(op))
        split_start(&op->split, run_share, finish);
    else
        api_no_memory(r);
}

// SPDX-License-Identifier: Apache-2.0
//
// Produce (key 0, versions 3-13): appends one batch to each of some partitions and answers when they
// are as safe as the topic promises: on disk, or with write.caching in the page cache.
//   v7: zstd (KIP-110). v8: errors of single records (KIP-467). v10: current leader (KIP-951).
//   v13: topics by id (KIP-516).
// acks=1 and acks=-1 mean the same with one replica. acks=0 has no answer; if something goes wrong,
// the connection is closed, since that is all the client can notice.
#include "base/check.h"
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/incoming_batch.h"
#include "broker/node.h"
#include "broker/partition.h"
#include "broker/request.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/timer.h"
#include "log/log.h"
#include "metadata/image.h"
#include "wire/api/produce.h"
#include "wire/errors.h"

// Decompressed records of one batch may take this many times max.message.bytes, or what
// max.decompressed.message.bytes says if that is less; a bomb stops there.
enum { PRODUCE_EXPANSION_MAX = 64, PRODUCE_SCRATCH_MIN = 1 << 20 };

// The client's timeout is about replicas. Our own disk gets at least this long, so that a timeout of 0
// means what it means to Kafka: answer when the leader has it.
enum { PRODUCE_WAIT_MS_MIN = 1000 };

struct produce_op;

// One partition of the request.
struct produce_part {
    struct append_wait wait;
    struct produce_op *op;
    struct produce_response_partition_produce_response *answer;
    struct partition *partition; // NULL when it failed before the append
    bool waiting;
};

struct produce_op {
    struct node *node;
    struct request *request;
    const struct produce_request *body;
    struct produce_response reply;
    struct produce_part *parts;
    int32_t part_count;
    int32_t waiting_count;
    bool started; // all parts were begun; the answer may go
    struct env_timer timer;
    struct buf scratch;
    struct buf rebuilt;
};

// --- The end ---

static bool any_failed(const struct produce_op *op)
{
    for (int32_t i = 0; i < op->part_count; i++)
        if (op->parts[i].answer->error_code != KAFKA_NONE)
            return true;
    return false;
}

static void finish(struct produce_op *op)
{
    struct request *r = op->request;
    env_timer_cancel(op->node->env->timers, &op->timer);
    if (op->body->acks != 0)
        request_reply(r, &op->reply);
    else if (any_failed(op))
        request_close_connection(r, "a produce request with acks=0 failed");
    else
        request_drop(r);
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
    struct produce_op *op = part->op;
    part->waiting = false;
    if (kafka_error != KAFKA_NONE)
        part_failed(part, kafka_error);
    if (--op->waiting_count == 0 && op->started)
        finish(op);
}

static void timed_out(struct env_timer *timer)
{
    struct produce_op *op = container_of(timer, struct produce_op, timer);
    for (int32_t i = 0; i < op->part_count; i++) {
        struct produce_part *part = &op->parts[i];
        if (!part->waiting)
            continue;
        partition_cancel_append(&part->wait);
        part->waiting = false;
        // It was appended and may yet become safe: the client must not take this for a refusal.
        part_failed(part, KAFKA_REQUEST_TIMED_OUT);
    }
    op->waiting_count = 0;
    finish(op);
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
            &part->op->request->arena, count, &answer->record_errors))
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
    part->wait.offset = info.last_offset + 1;
    part->waiting = part->op->body->acks != 0;
    if (!duplicate)
        partition_appended(p);
    return KAFKA_NONE;
}

static void reset_buffers(struct produce_op *op, const struct topic_config *config)
{
    size_t size_max = (size_t)config->max_message_bytes * PRODUCE_EXPANSION_MAX + PRODUCE_SCRATCH_MIN;
    size_t decompressed_max = (size_t)config->max_decompressed_message_bytes;
    buf_release(&op->scratch);
    buf_release(&op->rebuilt);
    buf_init(&op->scratch, size_max < decompressed_max ? size_max : decompressed_max);
    buf_init(&op->rebuilt, size_max);
}

static void produce_part(struct produce_part *part, const struct wire_records *records)
{
    struct produce_op *op = part->op;
    int64_t now_ms = env_wall_ms(op->node->env->clock);
    struct incoming_batch batch;
    reset_buffers(op, &part->partition->config);
    struct incoming_rules rules = {
        .config = &part->partition->config,
        .produce_version = op->request->header.api_version,
        .now_ms = now_ms,
        .scratch = &op->scratch,
        .rebuilt = &op->rebuilt,
    };
    int bad_batch = incoming_batch_prepare(&rules, records->bytes, &batch);
    int kafka_error = check_transaction(op, &batch.facts.header); // goes first, as in Kafka
    if (kafka_error == KAFKA_NONE && bad_batch != KAFKA_NONE) {
        refuse_batch(part, &batch, bad_batch);
        return;
    }
    if (kafka_error == KAFKA_NONE)
        kafka_error = append(part, &batch, now_ms);
    if (kafka_error != KAFKA_NONE)
        part_failed(part, kafka_error);
}

static int find_partition(struct produce_op *op, const struct produce_request_topic_produce_data *topic,
                          int32_t index, struct partition **out)
{
    bool by_id = op->request->header.api_version >= 13;
    int kafka_error = api_find_leader(op->node, by_id ? (struct str){0} : topic->name,
                                      topic->topic_id, index, -1, out);
    bool exists = kafka_error != KAFKA_UNKNOWN_TOPIC_OR_PARTITION &&
                  kafka_error != KAFKA_UNKNOWN_TOPIC_ID;
    if (exists && (op->body->acks < -1 || op->body->acks > 1))
        return KAFKA_INVALID_REQUIRED_ACKS;
    if (kafka_error == KAFKA_NONE && topic_name_is_internal(str_from((*out)->topic)) &&
        !str_is(op->request->header.client_id, "__admin_client"))
        return KAFKA_INVALID_TOPIC_EXCEPTION;
    return kafka_error;
}

// --- All of them ---

static int32_t count_partitions(const struct produce_request *body)
{
    int32_t count = 0;
    for (int32_t i = 0; i < body->topic_data.count; i++)
        count += body->topic_data.items[i].partition_data.count;
    return count;
}

static bool begin_topic(struct produce_op *op, const struct produce_request_topic_produce_data *topic,
                        struct produce_response_topic_produce_response *answer)
{
    int32_t count = topic->partition_data.count;
    answer->name = topic->name;
    answer->topic_id = topic->topic_id;
    if (!produce_response_partition_produce_response_array_new(&op->request->arena, count,
                                                               &answer->partition_responses))
        return false;
    for (int32_t i = 0; i < count; i++) {
        const struct produce_request_partition_produce_data *data = &topic->partition_data.items[i];
        struct produce_part *part = &op->parts[op->part_count++];
        part->op = op;
        part->wait.done = part_done;
        part->answer = &answer->partition_responses.items[i];
        part->answer->index = data->index;
        int kafka_error = find_partition(op, topic, data->index, &part->partition);
        if (kafka_error != KAFKA_NONE)
            part_failed(part, kafka_error);
        else
            produce_part(part, &data->records);
    }
    return true;
}

static bool begin(struct produce_op *op)
{
    const struct produce_request *body = op->body;
    op->parts = arena_new_array(&op->request->arena, (size_t)count_partitions(body),
                                struct produce_part);
    if (op->parts == NULL || !produce_response_topic_produce_response_array_new(
                                 &op->request->arena, body->topic_data.count, &op->reply.responses))
        return false;
    for (int32_t i = 0; i < body->topic_data.count; i++)
        if (!begin_topic(op, &body->topic_data.items[i], &op->reply.responses.items[i]))
            return false;
    return true;
}

static void wait_for_all(struct produce_op *op)
{
    for (int32_t i = 0; i < op->part_count; i++)
        op->waiting_count += op->parts[i].waiting;
    for (int32_t i = 0; i < op->part_count; i++)
        if (op->parts[i].waiting)
            partition_wait_append(op->parts[i].partition, &op->parts[i].wait);
    op->started = true;
    if (op->waiting_count == 0) {
        finish(op);
        return;
    }
    int64_t timeout_ms =
        op->body->timeout_ms > PRODUCE_WAIT_MS_MIN ? op->body->timeout_ms : PRODUCE_WAIT_MS_MIN;
    op->timer.fire = timed_out;
    env_timer_set(op->node->env->timers, &op->timer,
                  env_mono_ns(op->node->env->clock) + timeout_ms * INT64_C(1000000));
}

void api_produce(struct node *n, struct request *r, const void *body)
{
    struct produce_op *op = arena_new(&r->arena, struct produce_op);
    if (op == NULL) {
        api_no_memory(r);
        return;
    }
    op->node = n;
    op->request = r;
    op->body = body;
    buf_init(&op->scratch, 0);
    buf_init(&op->rebuilt, 0);
    produce_response_init(&op->reply);
    bool ok = begin(op);
    buf_release(&op->scratch);
    buf_release(&op->rebuilt);
    if (ok)
        wait_for_all(op);
    else
        api_no_memory(r);
}

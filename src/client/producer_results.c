// SPDX-License-Identifier: Apache-2.0
//
// What becomes of a batch that was sent: stored, tried again, or given up.
#include "base/err.h"
#include "base/mem.h"
#include "client/producer_internal.h"
#include "wire/errors.h"

// --- Results ---

void producer__report(struct producer *p, const struct produce_result *result)
{
    p->pending--;
    p->result(p->user, result);
}

void producer__batch_free(struct batch *b)
{
    struct producer *p = b->queue->topic->producer;
    p->charged -= b->charged;
    list_remove(&b->node);
    buf_release(&b->buf);
    mem_free(b->tags);
    mem_free(b);
}

// The broker's words about one record of a refused batch, else those about the batch.
static struct str record_message(const struct produce_response_partition_produce_response *answer,
                                 int index)
{
    for (int i = 0; answer != NULL && i < answer->record_errors.count; i++)
        if (answer->record_errors.items[i].batch_index == index &&
            answer->record_errors.items[i].batch_index_error_message.data != NULL)
            return answer->record_errors.items[i].batch_index_error_message;
    return answer != NULL ? answer->error_message : (struct str){0};
}

void producer__batch_finish(struct batch *b, int16_t code, int err,
                            const struct produce_response_partition_produce_response *answer)
{
    struct queue *q = b->queue;
    bool delivered = code == 0 && err == 0;
    bool stored = delivered && answer != NULL && answer->base_offset >= 0;
    struct batch_iter iter;
    struct record record = {0};
    struct buf scratch; // for the records of a batch that failed
    buf_init(&scratch, b->buf.size_max);
    bool readable = !delivered && b->built && batch_iter_init(&iter, buf_bytes(&b->buf), &scratch) == 0;
    for (int i = 0; i < b->count; i++) {
        readable = readable && batch_iter_next(&iter, &record) == 1;
        struct produce_result result = {
            .key = readable ? record.key : (struct bytes){0},
            .value = readable ? record.value : (struct bytes){0},
            .tag = b->tags[i].tag,
            .topic = str_from(q->topic->name),
            .partition = q->partition,
            .offset = stored ? answer->base_offset + i : -1,
            .timestamp_ms = stored && answer->log_append_time_ms >= 0 ? answer->log_append_time_ms
                                                                      : b->tags[i].timestamp_ms,
            .code = code,
            .err = err,
            .message = record_message(answer, i),
        };
        producer__report(q->topic->producer, &result);
    }
    buf_release(&scratch);
    producer__batch_free(b);
}

// --- Failures ---

void producer__batch_give_up(struct batch *b, int16_t code, int err,
                             const struct produce_response_partition_produce_response *answer)
{
    if (b->stamped)
        b->queue->topic->producer->restart = true;
    producer__batch_finish(b, code, err, answer);
}

static void batch_retry(struct batch *b, int16_t code, int err,
                        const struct produce_response_partition_produce_response *answer)
{
    struct producer *p = b->queue->topic->producer;
    b->code = code;
    b->err = err;
    b->retry_ms = p->now_ms + client_backoff_ms(p->client, b->attempts++);
    bool spent = p->options.retry_max != 0 && b->attempts > p->options.retry_max;
    if (spent || b->retry_ms >= b->deadline_ms)
        producer__batch_give_up(b, code, err, answer);
    else
        client_topology_is_stale(p->client, p->now_ms);
}

// Takes the broker's word that this batch's sequence does not fit. Behind another batch that is tried
// again that is to be expected; else the broker has forgotten us: a batch that it cannot have stored
// starts anew, but one that it may have stored must not be sent as another one (a broker that started
// again may remember a producer's last batch alone).
static void batch_out_of_sequence(struct batch *b, int16_t code,
                                  const struct produce_response_partition_produce_response *answer)
{
    bool first = list_first(&b->queue->batches) == &b->node;
    bool forgotten = first || code != KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
    if (forgotten)
        b->queue->topic->producer->restart = true;
    if (forgotten && b->uncertain)
        producer__batch_give_up(b, code, 0, answer);
    else
        batch_retry(b, code, 0, answer);
}

// May the batch be in the log all the same? Those that say what came after an append: it waited in
// vain, the leadership moved, the disk failed under it.
static bool leaves_doubt(int16_t code)
{
    return code == KAFKA_REQUEST_TIMED_OUT || code == KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND ||
           code == KAFKA_NETWORK_EXCEPTION || code == KAFKA_UNKNOWN_SERVER_ERROR ||
           code == KAFKA_KAFKA_STORAGE_ERROR || code == KAFKA_NOT_LEADER_OR_FOLLOWER;
}

void producer__batch_answered(struct batch *b,
                              const struct produce_response_partition_produce_response *answer)
{
    int16_t code = answer->error_code;
    bool idempotent = b->stamped;
    if (code == 0 || (idempotent && code == KAFKA_DUPLICATE_SEQUENCE_NUMBER)) {
        producer__batch_finish(b, 0, 0, code == 0 ? answer : NULL);
    } else if (idempotent && (code == KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER ||
                              code == KAFKA_UNKNOWN_PRODUCER_ID ||
                              code == KAFKA_INVALID_PRODUCER_EPOCH)) {
        batch_out_of_sequence(b, code, answer);
    } else {
        b->uncertain |= leaves_doubt(code); // a refusal now tells nothing of an earlier try
        if (kafka_error_is_retriable(code))
            batch_retry(b, code, 0, answer);
        else
            producer__batch_give_up(b, code, 0, answer);
    }
}

void producer__batch_unanswered(struct batch *b, int err)
{
    bool again = err == ERR_CLOSED || err == ERR_TIMEOUT || err == ERR_CORRUPT;
    b->uncertain |= again;
    if (again)
        batch_retry(b, 0, err, NULL);
    else
        producer__batch_give_up(b, 0, err, NULL);
}

// SPDX-License-Identifier: Apache-2.0
//
// Sends records: collects them into batches per partition, sends these to the leaders, several at a
// time and in order, and tries again what may be tried again. With `idempotent` (the default with
// acks=all) every batch carries producer id, epoch and sequence (KIP-98), so that a retry is stored
// once and in order.
//
// When a batch finally fails, later ones of the same partition are still sent: under idempotence
// only after the producer's epoch was bumped (KIP-360), which starts all sequences anew. A batch
// whose fate is unknown (its connection ended) is first asked for again under the old epoch.
//
// A step machine over struct client: no I/O, no clock. One owner, one thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/diag.h"
#include "wire/batch.h"

struct client;
struct producer;

enum producer_acks { ACKS_NONE = 0, ACKS_LEADER = 1, ACKS_ALL = -1 };

struct producer_options {
    enum producer_acks acks;
    bool idempotent;             // needs ACKS_ALL
    enum codec codec;
    int codec_level;             // CODEC_LEVEL_DEFAULT
    int64_t linger_ms;           // how long a batch waits for more records
    size_t batch_bytes_max;      // 0 = 64 KiB; one larger record makes a batch of its own
    size_t request_bytes_max;    // 0 = 1 MiB
    size_t buffer_bytes_max;     // of all that is not delivered yet, 0 = 32 MiB
    int64_t request_timeout_ms;  // 0 = 30 000; also what the broker may take for acks=all
    int64_t delivery_timeout_ms; // 0 = 120 000, from producer_add() on
    int64_t topic_wait_ms;       // of that, until the topic is known; 0 = all of it
    int retry_max;               // 0 = until the delivery timeout; -1 = none
    bool create_topics;          // let the broker create unknown topics, if it does
    uint64_t seed;               // of the sticky partitioner
};

struct produce_record {
    struct str topic;
    int32_t partition; // -1 = by key, or sticky
    int64_t timestamp_ms;
    struct bytes key;   // data NULL = null
    struct bytes value; // data NULL = null
    const struct record_header *headers;
    int header_count;
    uint64_t tag;       // comes back with the result
};

struct produce_result {
    uint64_t tag;
    struct str topic;
    int32_t partition;
    int64_t offset;       // -1 when unknown: failed, acks=0, or a duplicate of long ago
    int64_t timestamp_ms; // of the log for LogAppendTime, else the record's
    int16_t code;         // error code of the protocol (wire/errors.h); 0 = delivered
    int err;              // or an enum err: ERR_TIMEOUT, ERR_REFUSED, ERR_LIMIT...
    struct str message;   // the broker's words, or null
    struct bytes key;     // of a record that failed, as far as they are at hand; else null
    struct bytes value;
};

// Called once for every record that was added, in order within a partition.
typedef void (*producer_result_fn)(void *user, const struct produce_result *result);

// `client` outlives the producer and is used by it alone for its topology callback. ERR_INVALID with
// the cause for options that contradict each other.
int producer_new(struct client *client, const struct producer_options *options,
                 producer_result_fn result, void *user, struct producer **out, struct diag *diag);

// Cancels what is under way; records without a result get none.
void producer_free(struct producer *p);

// Copies a record in. ERR_AGAIN: the buffer is full, wait for results. ERR_LIMIT: it can never fit.
int producer_add(struct producer *p, const struct produce_record *record, int64_t now_ms);

// Sends everything that was added without waiting for more.
void producer_flush(struct producer *p, int64_t now_ms);

// How many records have no result yet.
int64_t producer_pending(const struct producer *p);

// Lingering batches, retries and timeouts: call at producer_next_ms().
void producer_on_time(struct producer *p, int64_t now_ms);
int64_t producer_next_ms(const struct producer *p);

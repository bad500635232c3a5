// SPDX-License-Identifier: Apache-2.0
//
// What a broker does with a batch from a producer before it goes into the log: the checks of the
// produce path (wire/batch.h does the looking, this decides) and the changes that the topic asks for:
// timestamps, another codec. Offsets and leader epoch are the log's business.
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "config/topic_config.h"
#include "wire/batch.h"

struct incoming_batch {
    // Set on success: the bytes to append, either those received (patched in place) or those in
    // the caller's `rebuilt` buffer.
    uint8_t *data;
    size_t size;
    int64_t log_append_time_ms; // -1 for CreateTime topics
    struct batch_facts facts;   // of what was received
    // Set on failure: for the answer's ErrorMessage and RecordErrors (KIP-467). Never NULL then.
    const char *message;
};

struct incoming_rules {
    const struct topic_config *config;
    int16_t produce_version; // zstd needs 7
    int64_t now_ms;
    size_t quick_bytes_max; // what takes longer than decompressing so much is left: INCOMING_BATCH_LONG;
                            // 0: nothing is
    struct buf *scratch; // for decompressed records; its maximum bounds them
    struct buf *rebuilt; // for a batch that has to be written anew
};

enum { INCOMING_BATCH_LONG = -1000 }; // no Kafka error

// Checks the one batch that `records` must be and makes it what the topic wants. Returns KAFKA_NONE
// or the error for the producer, or INCOMING_BATCH_LONG: nothing is changed then. `records` lies in
// the request's frame and is changed in place.
int incoming_batch_prepare(const struct incoming_rules *rules, struct bytes records,
                           struct incoming_batch *out);

// SPDX-License-Identifier: Apache-2.0
//
// Checking batches that take long to check, since they decompress to much, are large, or are to be
// compressed anew: on a worker, one at a time for each shard. So nobody else waits for a bomb, and what
// batches are decompressed to counts once, however many of them there are.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "broker/incoming_batch.h"
#include "config/topic_config.h"
#include "env/work.h"

struct env;

// Of a shard.
struct batch_checks {
    struct env *env;
    size_t quick_bytes_max; // what is checked at once is decompressed to so much at most
    struct list waiting;    // struct batch_check
    bool busy;
};

// Embedded in whoever waits.
struct batch_check {
    struct batch_checks *owner;
    struct env_work work;
    struct list_node node;
    struct topic_config config; // a copy, since the topic's may change meanwhile
    int16_t produce_version;
    int64_t now_ms;
    struct bytes records;
    struct incoming_batch batch; // when done
    int kafka_error;
    struct buf rebuilt;
    void (*done)(struct batch_check *check);
};

// quick_bytes_max 0: the default.
void batch_checks_init(struct batch_checks *checks, struct env *env, size_t quick_bytes_max);

// Checks the one batch that `records` must be, as incoming_batch_prepare() does, if that is quick: true
// with kafka_error and batch. The fields from `config` to `records` are the caller's to fill in. When
// the batch is not needed any more, batch_check_release() follows.
bool batch_check_quick(const struct batch_checks *checks, struct batch_check *check);

// After that was false: does it however long it takes, and calls check->done, which releases it. Until
// then it stays where it is, and the records as they are.
void batch_check_start(struct batch_checks *checks, struct batch_check *check);

void batch_check_release(struct batch_check *check);

// SPDX-License-Identifier: Apache-2.0
//
// Producer ids for this broker: taken from blocks that the controller hands out (AllocateProducerIds),
// so that no two brokers, and no two lives of one broker, ever give the same id. Belongs to a shard.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/list.h"
#include "broker/quorum.h"
#include "wire/api/allocate_producer_ids.h"

// Embedded in whoever wants an id.
struct producer_id_wait {
    struct list_node node;
    // `producer_id` is fresh, or `kafka_error` says why there is none.
    void (*done)(struct producer_id_wait *wait, int kafka_error, int64_t producer_id);
};

struct producer_ids {
    struct quorum *quorum;
    int32_t node_id;
    int64_t broker_epoch;
    int64_t next;
    int64_t end; // exclusive; next == end: the block is used up
    struct list waits;
    bool asking;
    struct quorum_command command;
    struct allocate_producer_ids_response reply;
    struct arena arena;
};

void producer_ids_init(struct producer_ids *ids, int32_t node_id);
void producer_ids_release(struct producer_ids *ids);

// From now on ids can be had.
void producer_ids_start(struct producer_ids *ids, struct quorum *quorum, int64_t broker_epoch);

// Calls wait->done, at once or after a new block has come.
void producer_ids_next(struct producer_ids *ids, struct producer_id_wait *wait);

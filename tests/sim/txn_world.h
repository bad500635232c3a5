// SPDX-License-Identifier: Apache-2.0
//
// What sim_txn lives in: the coordinator of one partition of __transaction_state, the partitions that
// transactions write to, producers that share transactional ids, and what must hold of all of it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "group_scene.h"
#include "metadata/image.h"
#include "sim_coordinator.h"

enum { TXN_IDS = 4, TXN_CLIENTS = 7, TXN_PARTITIONS = 5 };

enum txn_outcome { TXN_OPEN, TXN_COMMITTED, TXN_ABORTED };

// What one partition knows of a producer, as src/log/producer_state does.
struct txn_producer {
    int64_t producer_id;
    int16_t epoch;
    int64_t coordinator_epoch; // of the newest marker
    int64_t marker_count;      // a write that was allowed before the newest comes too late
    int attempt;               // whose transaction is open here, or -1
};

struct txn_log {
    struct txn_producer *producers;
    int count;
    int capacity;
};

// A transaction of one client, from its begin to its end.
struct txn_attempt {
    int id;
    enum txn_outcome told;                      // to the client
    bool is_written[TXN_PARTITIONS];
    enum txn_outcome outcomes[TXN_PARTITIONS];  // by the markers
};

struct txn_client;

struct txn_world {
    struct group_scene scene;
    struct sim_coordinator coordinator;
    struct config *config;
    struct metadata_image *image;
    bool is_over; // clients ask nothing any more
    struct txn_log logs[TXN_PARTITIONS];
    struct txn_attempt *attempts;
    int attempt_count;
    int attempt_capacity;
    struct txn_client *clients[TXN_CLIENTS];
    int64_t next_producer_id;
    uint64_t commits, aborts, fenced;
};

// `transaction_version`: the finalized level.
void txn_world_init(struct txn_world *w, uint64_t seed, int16_t transaction_version);
void txn_world_start(struct txn_world *w); // the coordinator and the clients
void txn_world_release(struct txn_world *w);

// Runs what is due next; false when there is nothing before `end_ms`.
bool txn_world_step(struct txn_world *w, int64_t end_ms);

// At rest: every transaction has ended, in all of its partitions.
void txn_world_check_rest(struct txn_world *w);

// SPDX-License-Identifier: Apache-2.0
//
// A broker in memory for tests of the client: one node, one topic "t", real frames, idempotence as
// KIP-98 has it, and faults on demand. Time is moved by the test.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "client/client.h"

enum { FAKE_PARTITIONS = 2, FAKE_RECORDS_MAX = 64, FAKE_LINKS = 8 };

struct fake_partition {
    struct buf log;        // batches as stored
    int64_t end;           // offset behind the last record
    int64_t start;         // log start offset
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t sequence_next;
};

struct fake_broker {
    struct client *client;
    int64_t now_ms;
    struct fake_partition partitions[FAKE_PARTITIONS];
    bool topic_missing;
    bool refuse;          // connections
    bool mute;            // takes requests and does not answer
    int16_t produce_code; // answered to the next produce request instead of storing it
    bool lose_answer;     // the next produce is stored, then the connection ends
    int connects;
    int requests[100];    // by API key
    struct buf in[FAKE_LINKS];
    bool open[FAKE_LINKS];
};

void fake_broker_init(struct fake_broker *b, bool fail_fast);
void fake_broker_release(struct fake_broker *b);

// Moves everything until nothing moves any more.
void fake_broker_settle(struct fake_broker *b);

// Lets time pass and settles.
void fake_broker_wait(struct fake_broker *b, int64_t ms);

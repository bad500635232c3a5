// SPDX-License-Identifier: Apache-2.0
//
// Looks up offsets by time (ListOffsets): any number of partitions, each asked at its leader, tried
// again while leaders move. A step machine over struct client: no I/O, no clock.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct client;
struct offset_lookup;

// Special times. FROZEN by the protocol.
enum {
    LIST_LATEST = -1,
    LIST_EARLIEST = -2,
    LIST_MAX_TIMESTAMP = -3,
    LIST_EARLIEST_LOCAL = -4,
    LIST_LATEST_TIERED = -5,
    LIST_EARLIEST_PENDING_UPLOAD = -6,
};

// A question and, once the lookup is done, its answer. A partition may appear once per lookup.
struct offset_query {
    struct str topic;    // lives as long as the lookup
    int32_t partition;
    int64_t timestamp;   // milliseconds, or one of the above

    int64_t offset;      // -1: no record at or after that time
    int64_t found_timestamp;
    int32_t leader_epoch;
    int16_t code;        // error code of the protocol, 0 = answered
    int err;             // or an enum err
    bool done;

    int attempts;        // the lookup's
    int64_t retry_ms;
    bool asked;
};

// Starts to look up `count` queries, which the caller keeps. The topology of the topics must be known
// or asked for.
struct offset_lookup *offset_lookup_new(struct client *client, struct offset_query *queries, int count,
                                        bool read_committed, int64_t timeout_ms, int64_t now_ms);
void offset_lookup_free(struct offset_lookup *l);

// Sends what can be sent. Call it when anything happened, and at offset_lookup_next_ms().
void offset_lookup_step(struct offset_lookup *l, int64_t now_ms);
int64_t offset_lookup_next_ms(const struct offset_lookup *l);
bool offset_lookup_is_done(const struct offset_lookup *l);

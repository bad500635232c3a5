// SPDX-License-Identifier: Apache-2.0
//
// Reads partitions: looks up where to start, fetches from the leaders ahead of the reader, and hands
// out record by record. A step machine over struct client: no I/O, no clock. One owner, one thread.
//
// Per leader one request is under way while what arrived before is being read, so reading and
// fetching overlap; what was fetched and not read yet is bounded by twice `fetch_bytes_max` per
// leader.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "wire/batch.h"

struct client;
struct fetcher;

// What becomes of a partition whose offset to read at is not in its log (auto.offset.reset).
enum fetch_reset {
    FETCH_RESET_NEAREST,  // the first or the end, whichever is nearer to it
    FETCH_RESET_EARLIEST,
    FETCH_RESET_LATEST,
    FETCH_RESET_AGE,      // the first record that is not older than `reset_age_ms`, else the end
    FETCH_RESET_NONE,     // it is given up: FETCH_FAILED with OFFSET_OUT_OF_RANGE
};

struct fetcher_options {
    bool read_committed;         // hide records of aborted and open transactions
    bool control_records;        // hand out control records too
    bool check_crcs;
    int64_t wait_ms_max;         // long poll, 0 = 500
    int32_t fetch_bytes_min;     // 0 = 1
    int32_t fetch_bytes_max;     // of one response, 0 = 8 MiB
    int32_t partition_bytes_max; // 0 = 1 MiB
    size_t batch_bytes_max;      // decompressed, 0 = 128 MiB
    enum fetch_reset reset;
    int64_t reset_age_ms;
    int64_t wall_ahead_ms;       // wall clock minus the time that is passed in: for FETCH_RESET_AGE
};

// Where reading starts.
enum fetch_start {
    FETCH_FROM_EARLIEST, // the first offset, plus `value`
    FETCH_FROM_LATEST,   // the end, minus `value`
    FETCH_FROM_OFFSET,   // `value`, brought into the range the log has
    FETCH_FROM_TIME,     // the first record at or after `value`, else the end
};

struct fetch_position {
    enum fetch_start kind;
    int64_t value;
};

// Where reading stops, decided once the partition's offsets are known.
enum fetch_stop {
    FETCH_FOREVER,       // follow
    FETCH_TO_LATEST,     // the end as it was when reading began, minus `value`
    FETCH_TO_EARLIEST,   // the first offset plus `value`
    FETCH_TO_OFFSET,     // up to, not including, `value`
    FETCH_TO_TIME,       // up to the first record at or after `value`
};

struct fetch_limit {
    enum fetch_stop kind;
    int64_t value;
};

// Where a partition starts that `reset` decides about (NEAREST: at its first offset; NONE: nowhere, not
// to be asked).
struct fetch_position fetch_reset_position(const struct fetcher_options *options, int64_t now_ms);

struct fetched {
    struct str topic;
    int32_t partition;
    int32_t leader_epoch;
    struct batch_header batch; // of the batch the record is in
    struct record record;      // views valid until the next call of fetcher_next()
    int64_t high_watermark;    // as of the response
};

// What a partition has to report besides records.
enum fetch_event_kind {
    FETCH_DONE,       // the limit is reached, the partition is finished
    FETCH_RESET,      // `offset` was asked for, which is gone or not there: reading goes on at `value`
    FETCH_FAILED,     // code or err; the partition is given up
    FETCH_TROUBLE,    // code or err; it is tried again
};

struct fetch_event {
    enum fetch_event_kind kind;
    struct str topic;
    int32_t partition;
    int64_t offset;
    int64_t value;
    int16_t code;
    int err;
};

typedef void (*fetch_event_fn)(void *user, const struct fetch_event *event);

struct fetcher *fetcher_new(struct client *client, const struct fetcher_options *options,
                            fetch_event_fn event, void *user);
void fetcher_free(struct fetcher *f);

// Adds a partition. The topology must be known or asked for (client_want_topic).
void fetcher_add(struct fetcher *f, struct str topic, int32_t partition,
                 struct fetch_position position, struct fetch_limit limit, int64_t now_ms);

// The next record: 1, or 0 when there is none now (events of the client bring more). Call it until
// it returns 0 after every event.
int fetcher_next(struct fetcher *f, struct fetched *out, int64_t now_ms);

// Takes a partition out, with what was read ahead of it. Harmless if it is not there.
void fetcher_remove(struct fetcher *f, struct str topic, int32_t partition);

// Tells where each partition stands that is being read: behind the last record that was handed out,
// and behind those that are hidden. `leader_epoch` is that of the batch before, -1 = none was read.
typedef void (*fetch_position_fn)(void *user, struct str topic, int32_t partition, int64_t offset,
                                  int32_t leader_epoch);
void fetcher_positions(const struct fetcher *f, fetch_position_fn tell, void *user);

// Partitions that have not ended.
int fetcher_active(const struct fetcher *f);

void fetcher_on_time(struct fetcher *f, int64_t now_ms);
int64_t fetcher_next_ms(const struct fetcher *f);

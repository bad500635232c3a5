// SPDX-License-Identifier: Apache-2.0
//
// A fetcher's partitions, for the two files that know them: fetcher.c asks and reads,
// fetcher_start.c looks up where to begin and to end.
#pragma once

#include "base/buf.h"
#include "base/list.h"
#include "client/fetcher.h"
#include "client/list_offsets.h"

struct client;

// What has to be looked up before reading can start.
enum lookup_kind { LOOKUP_EARLIEST, LOOKUP_LATEST, LOOKUP_FROM_TIME, LOOKUP_TO_TIME, LOOKUP_COUNT };

enum partition_state { PARTITION_LOOKUP, PARTITION_READ, PARTITION_ENDED };

struct partition {
    struct fetcher *fetcher;
    char *topic;
    int32_t index;
    enum partition_state state;
    struct fetch_position position;
    struct fetch_limit limit;
    bool resetting; // looked up again after OFFSET_OUT_OF_RANGE; `position` says where it goes on then,
                    // unless that is the nearest offset there is

    struct offset_query queries[LOOKUP_COUNT];
    struct offset_lookup *lookups[LOOKUP_COUNT]; // NULL = not needed

    int64_t fetch_offset; // asked for next
    int64_t read_offset;  // handed out next; <= fetch_offset; -1 = not known yet
    int64_t stop_offset;  // exclusive, INT64_MAX = none
    int32_t read_epoch;   // of the batch before read_offset, -1 = none was read
    bool in_flight;
    int32_t node_asked;
    int attempts;
    int64_t retry_ms;

    int64_t *aborted; // producer ids whose transaction is known to be aborted here
    int aborted_count;
    int aborted_capacity;
};

struct fetcher {
    struct client *client;
    struct fetcher_options options;
    fetch_event_fn event;
    void *user;
    struct partition **partitions;
    int partition_count;
    int partition_capacity;
    int active;
    int turn; // which partition comes first in the next request
    struct list leaders;
    struct list answers; // in order of arrival
    struct buf scratch;  // decompressed records of the batch being read
};

// Tells of a partition.
void fetcher__say(struct partition *p, enum fetch_event_kind kind, int64_t offset, int64_t value,
                  int16_t code, int err);

// Nothing is read of it any more. Harmless if it has ended.
void fetcher__partition_end(struct partition *p, enum fetch_event_kind kind, int16_t code, int err);

// Looks up what the partition's position and limit, or its resetting, ask for. When the step has all of
// it the partition is read, or ends.
void fetcher__lookups_start(struct partition *p, int64_t now_ms);
void fetcher__lookups_step(struct partition *p, int64_t now_ms);
void fetcher__lookups_free(struct partition *p);

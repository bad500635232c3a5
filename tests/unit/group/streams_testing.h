// SPDX-License-Identifier: Apache-2.0
//
// Heartbeats of streams groups in a line each.
#pragma once

#include "fixture.h"
#include "group/streams.h"
#include "wire/api/create_topics.h"
#include "wire/api/streams_group_heartbeat.h"

struct streams_beat {
    const char *group;     // "g"
    const char *member;    // "m1"
    int32_t epoch;
    int16_t version;       // 1; -1: 0
    const char *instance;
    const char *rack;
    int32_t timeout_ms;    // of rebalances; 0: 300000 when joining, else not said
    // Of a join, subtopologies with ';' between, each "id sources > sinks < repartition sources # changelogs
    // = copartition groups": see streams_testing.c. NULL: none.
    const char *topology;
    int32_t topology_epoch;
    const char *process;   // "p-" and the member's id when joining; else not said
    const char *active;    // "0:0,1 1:0", "" for none; NULL: not said (none when joining)
    const char *standby;   // needs `active`
    const char *endpoint;  // host; port 9
    int32_t endpoint_epoch;
    const char *tags;      // "zone=a rack=b"
    const char *offsets;   // "0:1=50"
    bool shutdown;
    bool tasks_null;       // also when joining
    bool keeps_topics;     // missing internal topics are not made
};

// Sends a heartbeat and settles, makes the topics that are missing; its answer.
const struct streams_group_heartbeat_response *streams_beat(struct fixture *f, const struct streams_beat *b);
#define STREAMS_BEAT(fixture, ...) streams_beat((fixture), &(struct streams_beat){__VA_ARGS__})

// A topology from text, as above.
struct streams_group_heartbeat_request_topology *streams_topology_of(struct arena *arena, const char *text,
                                                                     int32_t epoch);

// Asserts what the answer says: the member's epoch and its tasks, "0:0,1 1:0 | 1:1" (active | standby; NULL
// for none sent), and its statuses as numbers, "3 5".
void assert_streams_beat(struct fixture *f, const struct streams_group_heartbeat_response *r, int32_t epoch,
                         const char *tasks, const char *statuses);
void assert_streams_error(const struct streams_group_heartbeat_response *r, enum kafka_error error,
                          const char *words);

struct streams_group *streams_of(struct fixture *f, const char *group);
struct streams_member *streams_member_of(struct fixture *f, const char *group, const char *member);

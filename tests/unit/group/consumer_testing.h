// SPDX-License-Identifier: Apache-2.0
//
// Heartbeats of consumer groups in a line each.
#pragma once

#include "fixture.h"
#include "group/consumer.h"
#include "wire/api/consumer_group_heartbeat.h"

enum { OWNED_MAX = 4 };

struct beat {
    const char *group;     // "g"
    const char *member;    // "m1"
    int32_t epoch;
    int16_t version;       // 1
    const char *instance;
    const char *rack;
    int32_t timeout_ms;    // of rebalances; 0: 300000 when joining, else not said
    const char *topics;    // names with ',' between; NULL: not said
    const char *regex;
    const char *assignor;
    const char *owned;     // "t:0,1 u:2", "" for nothing; NULL: not said (nothing when joining)
};

// Sends a heartbeat and settles; its answer.
const struct consumer_group_heartbeat_response *beat(struct fixture *f, const struct beat *b);
#define BEAT(fixture, ...) beat((fixture), &(struct beat){__VA_ARGS__})

// Asserts what the answer says: the member's epoch, and its assignment as text ("t:0,1 u:2" in order of
// name, NULL for none sent).
void assert_beat(struct fixture *f, const struct consumer_group_heartbeat_response *r, int32_t epoch,
                 const char *assignment);
void assert_beat_error(const struct consumer_group_heartbeat_response *r, enum kafka_error error,
                       const char *words);

struct consumer_group *consumer_of(struct fixture *f, const char *group);
struct consumer_member *member_of(struct fixture *f, const char *group, const char *member);

// "t:0,1 u:2", in order of name, with memory of the fixture.
const char *assignment_text(struct fixture *f, const struct assignment *a);

// SPDX-License-Identifier: Apache-2.0
//
// Requests of the classic protocol in a line each. Answers live as long as the fixture.
#pragma once

#include "fixture.h"

#include "group/classic.h"
#include "wire/api/heartbeat.h"
#include "wire/api/join_group.h"
#include "wire/api/leave_group.h"
#include "wire/api/sync_group.h"

enum { SESSION_MS = 10000, REBALANCE_MS = 30000, INITIAL_DELAY_MS = 3000 };

// What a join says; what is left out: group "g", version 9, type "consumer", protocol "range", the timeouts
// above, and nothing.
struct join_options {
    const char *group;
    const char *member;
    const char *instance;
    const char *type;
    const char *protocols;   // "range,sticky"
    const char *metadata;    // of all of them
    const char *client;
    const char *reason;
    int session_ms;
    int rebalance_ms;
    int version;             // VERSION_0 for that
};

enum { VERSION_0 = -1 };

struct fixture_call *join_with(struct fixture *f, const struct join_options *options);

#define JOIN(f, ...) join_with((f), &(struct join_options){__VA_ARGS__})

// What came out of it.
const struct join_group_response *joined(const struct fixture_call *call); // it must be done
const struct sync_group_response *synced(const struct fixture_call *call);

// Each gives the error. Views of the answers' texts live as long as the fixture.
int join_error(const struct fixture_call *call);
int sync_error(const struct fixture_call *call);

// Parts: "member=bytes,member=bytes"; "" of a follower.
struct fixture_call *sync_group(struct fixture *f, const char *group, const char *member, int generation,
                                const char *parts);
int heartbeat(struct fixture *f, const char *group, const char *member, int generation);
int leave(struct fixture *f, const char *group, const char *member);

// The terminated text of an answer, with the fixture's memory.
const char *text_of(struct fixture *f, struct str s);

struct classic_group *classic_of(struct fixture *f, const char *group);

// A new dynamic member joins an empty group until it is stable with it alone. Gives its id.
const char *begin_group(struct fixture *f, const char *group);

// A member joins beside those that are there, all of whom rejoin; the group is stable again with each
// assigned its own id. `ids` has room for one more.
void add_member(struct fixture *f, const char *group, const char **ids, int *count,
                const struct join_options *options);

void assert_state(struct fixture *f, const char *group, const char *state, int generation, int members);

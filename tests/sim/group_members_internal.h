// SPDX-License-Identifier: Apache-2.0
//
// Inside a member of a group: what all kinds share (group_members.c), and what each kind provides.
#pragma once

#include <stdint.h>

#include "group_members.h"
#include "wire/errors.h"
#include "wire/wire.h"

enum {
    SESSION_MS = 10000, // at the least: members of the consumer protocol get what the broker says
    REBALANCE_MS = 15000,
    HEARTBEAT_MS = 2000,
    REQUEST_TIMEOUT_MS = 20000, // more than a rebalance takes
    MEMBER_ID_MAX = 128,
};

enum member_step {
    STEP_JOIN, // classic: JoinGroup. Consumer protocol: a heartbeat of epoch 0
    STEP_SYNC,
    STEP_HEARTBEAT,
    STEP_IDLE, // waits for nothing: MEMBER_SIMPLE
    STEP_GONE,
};

struct member {
    struct group_scene *scene;
    struct scene_event pause;
    int number;
    int group;
    enum member_kind kind;
    enum member_step step;
    int64_t turn; // answers of a former turn do nothing
    bool awaits_answer;
    char id[MEMBER_ID_MAX];
    int32_t generation; // or member epoch
    struct partition_set owned;
    int64_t sure_ms; // when it last asked something that says that it is a member, durably; -1

    // Classic
    char protocol[32]; // that the group chose
    bool is_leader;
    struct partition_set shares[MEMBERS_ALIVE_MAX]; // that the leader dealt out
    char share_ids[MEMBERS_ALIVE_MAX][MEMBER_ID_MAX];
    int share_count;
    int32_t dealt[GROUP_TOPICS]; // partitions that there were then

    // Consumer protocol
    struct partition_set target;
    bool has_pattern; // subscribes by one
    bool tells_all;   // the next heartbeat is a full one
    int64_t release_at; // when what is not in the target is given up; -1: nothing is
};

// ---- For all kinds (group_members.c) ----

struct group_ask *member_ask(struct member *m, int16_t api_key, int16_t version);
struct str member_ask_text(struct group_ask *ask, const char *text);

// Sends what the member waits for: after a timeout it goes on without an answer. `answered` is not called
// for an answer that came too late.
void member_send(struct member *m, struct group_ask *ask);

// Sends something beside what it waits for.
void member_send_beside(struct group_ask *ask);

// True for the answer that the member waits for, which it takes in with that: otherwise nothing is to be
// done. NULL as response: it tries again.
bool member_takes(struct group_ask *ask, const void *response);

// Acts again after a while; whatever it waited for does not matter any more.
void member_pause(struct member *m, int64_t ms);
void member_soon(struct member *m);

// What it owns from now on, in its generation.
void member_set_owned(struct member *m, const struct partition_set *owned);
void member_claim(struct member *m);
void member_forget_all(struct member *m);

// The answer to a request says that it is a member, or that it is not known.
void member_is_known(struct member *m, const struct group_ask *ask);
void member_is_unknown(struct member *m);

// Topics and partitions in a request.
struct wire_string_array member_topics(struct arena *arena);
struct wire_int32_array member_partitions(struct arena *arena, const struct partition_set *s, int topic);

// Errors that say: not now, or not here.
bool member_error_is_passing(int16_t error);

// ---- Each kind ----

void classic_member_act(struct member *m);
void classic_member_leave(struct member *m);
void consumer_member_act(struct member *m);
void consumer_member_leave(struct member *m);

// SPDX-License-Identifier: Apache-2.0
//
// What happened to a group lately, so that somebody can be told why it rebalances: a bounded list of its
// rebalances, each with its cause, who came or went, how long it took, and who was the last to answer.
// Not durable: it begins when the coordinator loads the group. Owned by its group.
//
// A rebalance: for classic groups from PreparingRebalance to Stable (or Empty); for consumer
// groups from a new group epoch until every member has reached its target.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "coordinator/coordinator.h"

enum {
    JOURNAL_ENTRIES_MAX = 16,   // per group, the newest
    JOURNAL_TEXT_MAX = 256,     // bytes of a member's name or reason that are kept
};

enum rebalance_cause {
    REBALANCE_JOINED,          // a member came
    REBALANCE_LEFT,            // a member said good-bye; `reason` is the client's (KIP-800)
    REBALANCE_SESSION_TIMEOUT, // a member was not heard from
    REBALANCE_LATE,            // a member did not rejoin or give up its partitions in time
    REBALANCE_SUBSCRIPTION,    // a member wants other topics, or offers other protocols
    REBALANCE_METADATA,        // topics or partitions came or went
    REBALANCE_LEADER,          // the leader asked for it
    REBALANCE_STATIC_REPLACED, // a static member came back under another id
    REBALANCE_PROTOCOL,        // the group changed between classic and consumer
    REBALANCE_LOADED,          // the coordinator moved here while one went on
    REBALANCE_APPEND_FAILED,   // the assignment could not be stored
};

struct journal_entry {
    enum rebalance_cause cause;
    char *member;      // id of the member that caused it; NULL
    char *client;      // its client id and host, "app-1 (/10.0.0.7)"; NULL
    char *reason;      // in the client's words; NULL
    int64_t begin_wall_ms;
    int64_t begin_mono_ms;
    int64_t duration_ms; // -1: goes on
    int32_t members_before;
    int32_t members_after;
    int32_t epoch;       // generation or group epoch that came out of it
    int32_t causes;      // how many causes fell into it; the first is kept
    char *last_member;   // whom it waited for the longest, with client; NULL
    int64_t last_member_ms; // after the begin
};

struct group_journal {
    struct journal_entry *entries; // grows with the first ones, then a ring
    int first;
    int count;
    int capacity;
    int64_t total;        // of all time since the load
    int64_t total_busy_ms; // spent in rebalances
};

void group_journal_release(struct group_journal *j);

// A cause came up. Begins an entry, or counts it into the one that goes on. The texts are cut and copied;
// null ones are fine.
void group_journal_begin(struct group_journal *j, const struct coordinator_time *now,
                         enum rebalance_cause cause, struct str member, struct str client_id,
                         struct str client_host, struct str reason, int32_t members_before);

// A member has done its part (rejoined, synced, gave up its partitions): the last such is kept.
void group_journal_member(struct group_journal *j, const struct coordinator_time *now, struct str member,
                          struct str client_id, struct str client_host);

// Nothing happens when none goes on.
void group_journal_end(struct group_journal *j, const struct coordinator_time *now,
                       int32_t members_after, int32_t epoch);

// The i-th entry, newest first; NULL past the last.
const struct journal_entry *group_journal_entry(const struct group_journal *j, int i);

const char *rebalance_cause_name(enum rebalance_cause cause); // "member-joined", frozen: machines read it

// SPDX-License-Identifier: Apache-2.0
//
// A member of a consumer group, in either protocol: the classic one (JoinGroup and SyncGroup, the
// assignment made by one of the members) and that of KIP-848 (ConsumerGroupHeartbeat, the assignment
// made by the coordinator). It finds the coordinator, joins, keeps the membership alive, follows
// rebalances, reads and commits offsets; it reads no records: that is client/group_reader.h.
//
// A step machine over struct client: no I/O, no clock, no random numbers. One owner, one thread.
//
//     m = group_member_new(client, &options, on_event, user, &diag)
//     group_member_on_time(m, now_ms)      whenever anything happened, and at group_member_next_ms()
//     group_member_mark(m, ...)            records below this offset are done with
//     group_member_leave(m, now_ms)        and go on until group_member_state() is GROUP_MEMBER_ENDED
//     group_member_free(m)
//
// Offsets. A *mark* is the owner's: the offset behind the last record that is done with. What is
// marked is committed by the member: every commit_interval_ms, when partitions are taken away, and at
// the end (with commit_interval_ms > 0), or when group_member_commit() says so.
//
// A partition belongs to the member from GROUP_MEMBER_ASSIGNED to GROUP_MEMBER_REVOKED or
// GROUP_MEMBER_LOST. Revoked: nobody else has it yet, and what is marked before the event returns is
// committed before anybody gets it. Lost: somebody else may have it already; nothing can be committed.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/diag.h"
#include "base/uuid.h"

struct client_assignor;
struct client;
struct group_member;

enum group_member_protocol { GROUP_MEMBER_CLASSIC, GROUP_MEMBER_CONSUMER };

enum {
    GROUP_MEMBER_TOPICS_MAX = 10000,    // in a subscription
    GROUP_MEMBER_ASSIGNORS_MAX = 8,
};

// Texts are copied.
struct group_member_options {
    enum group_member_protocol protocol;
    const char *group_id;
    const char *instance_id;      // static membership (KIP-345); NULL = dynamic
    const char *rack_id;          // NULL = none
    // Subscription: topics by name, or those that `matches` says true of (asked about every topic that
    // is not internal, again whenever the topology changes), or, with GROUP_MEMBER_CONSUMER alone, those
    // that fit `regex`, RE2 syntax, which the coordinator decides.
    const struct str *topics;
    int topic_count;
    bool create_topics;           // let the broker create what is subscribed to, if it does so at all
    bool (*matches)(void *matches_user, struct str topic);
    void *matches_user;
    const char *regex;
    // Classic: what this member can lead with, best first; none = range, cooperative-sticky, as Java's.
    const struct client_assignor *assignors[GROUP_MEMBER_ASSIGNORS_MAX];
    int assignor_count;
    const char *remote_assignor;  // KIP-848: "uniform", "range"; NULL = the coordinator's choice
    // KIP-848: the member's id, drawn by the owner and used by nobody else (KIP-1082).
    struct uuid member_id;

    int32_t session_timeout_ms;   // classic; 0 = 45 000
    int32_t heartbeat_interval_ms; // classic; 0 = 3 000
    int32_t rebalance_timeout_ms; // how long giving partitions up may take; 0 = 300 000
    int64_t commit_interval_ms;   // 0 = commits are the owner's business
    int64_t leave_timeout_ms;     // how long leaving may take, commits included; 0 = 30 000
};

// A partition and an offset in it.
struct group_position {
    struct str topic;      // valid as long as the member
    int32_t partition;
    int64_t offset;        // the next to read; -1 = none
    int32_t leader_epoch;  // of the record before it; -1 = unknown
    int16_t code;          // GROUP_MEMBER_COMMITTED: 0, or why it is not
};

enum group_member_event_kind {
    // These partitions are the member's from now on, besides those it has. Comes after each rebalance,
    // with none if none were added. Reading waits for GROUP_MEMBER_POSITIONS.
    GROUP_MEMBER_ASSIGNED,
    // Where to read them from: the committed offsets, -1 where there is none.
    GROUP_MEMBER_POSITIONS,
    GROUP_MEMBER_REVOKED,
    GROUP_MEMBER_LOST,
    GROUP_MEMBER_COMMITTED, // an answer to a commit; failed ones have a code and, if marked, come again
    GROUP_MEMBER_TROUBLE,   // code or err; it is tried again, or joined again
    GROUP_MEMBER_FAILED,    // code or err; the member is not one any more
};

struct group_member_event {
    enum group_member_event_kind kind;
    const struct group_position *positions; // by topic and partition
    int count;
    int16_t code;
    int err;
    struct str text; // what the coordinator said, or ""
};

// Called from within group_member_on_time(), group_member_leave() and the client's completions. May call
// everything here but group_member_free() and group_member_leave().
typedef void (*group_member_event_fn)(void *user, const struct group_member_event *event);

// ERR_INVALID with the cause in `diag`. Nothing is sent before the first group_member_on_time().
int group_member_new(struct client *client, const struct group_member_options *options,
                     group_member_event_fn event, void *user, struct group_member **out,
                     struct diag *diag);

// Forgets everything at once; the coordinator notices when the session times out.
void group_member_free(struct group_member *m);

void group_member_on_time(struct group_member *m, int64_t now_ms);
int64_t group_member_next_ms(const struct group_member *m);

// Records of a partition below `offset` are done with. Ignored if the partition is not the member's.
void group_member_mark(struct group_member *m, struct str topic, int32_t partition, int64_t offset,
                       int32_t leader_epoch);

// Commits all marks that are not committed; GROUP_MEMBER_COMMITTED says how it went. True if there is
// anything to commit, or being committed already.
bool group_member_commit(struct group_member *m);

// Changes the subscription: names that replace the ones before.
void group_member_subscribe(struct group_member *m, const struct str *topics, int count);

// Gives everything back, commits what is marked (if commits are the member's business), and leaves;
// static members stay in the group as the protocols have it. Ends at once if it never joined.
void group_member_leave(struct group_member *m, int64_t now_ms);

enum group_member_state {
    GROUP_MEMBER_JOINING,     // no assignment yet, or a rebalance goes on
    GROUP_MEMBER_STABLE,
    GROUP_MEMBER_LEAVING,
    GROUP_MEMBER_ENDED,       // has left, or failed
};

enum group_member_state group_member_state(const struct group_member *m);
const char *group_member_id(const struct group_member *m); // "" before the coordinator gave one
int32_t group_member_epoch(const struct group_member *m);  // or generation; -1 or 0 while it is none
int32_t group_member_coordinator(const struct group_member *m); // node id, -1 = unknown

// What the member has, by topic and partition, with its marks; valid until the next call.
const struct group_position *group_member_partitions(struct group_member *m, int *count);

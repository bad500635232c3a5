// SPDX-License-Identifier: Apache-2.0
//
// A group member's state and what its files call of each other. One file per subject:
//
//     group_member.c             life, steps, events
//     group_member_coordinator.c who the coordinator is, and what its errors mean
//     group_member_subscription.c which topics
//     group_member_partitions.c  what the member has, and giving it up
//     group_member_offsets.c     commits and committed offsets
//     group_member_classic.c     JoinGroup, SyncGroup, Heartbeat, LeaveGroup
//     group_member_lead.c        the assignment that a leader makes
//     group_member_consumer.c    ConsumerGroupHeartbeat (KIP-848)
#pragma once

#include "base/arena.h"
#include "client/assignor.h"
#include "client/client.h"
#include "client/group_member.h"
#include "client/partitions.h"
#include "wire/api/find_coordinator.h"
#include "wire/api/offset_commit.h"
#include "wire/api/offset_fetch.h"

enum {
    GROUP_MEMBER_ID_MAX = 512,
    GROUP_MEMBER_ARENA_MAX = 256 << 20, // one request's body, or one assignment
    // Requests to the coordinator use a connection of their own: a join may be parked for minutes.
    // Leaving must not wait behind it.
    GROUP_MEMBER_CHANNEL = 1,
    GROUP_MEMBER_CHANNEL_LEAVE = 2,
    GROUP_MEMBER_ANSWER_MS = 10000, // for an answer that nobody parks
};

enum offset_state { OFFSET_WANTED, OFFSET_ASKED, OFFSET_KNOWN };

// A partition that the member has, or is giving up.
struct owned {
    struct group_position mark; // offset -1 = nothing is done with yet
    struct uuid topic_id;       // KIP-848; zero = unknown
    enum offset_state state;
    bool revoked;               // given up, and here until its mark is committed
    int64_t committed;          // as far as known, -1 = none
    int64_t committing;         // in the request under way, -1 = not in it
};

// A partition that the member is to have.
struct target {
    struct str topic;
    int32_t partition;
    struct uuid topic_id;
};

struct target_list {
    struct target *items; // sorted by topic and partition
    int count;
    int capacity;
};

// What the one request of the protocol that is under way asks.
enum group_asking { ASKING_NOTHING, ASKING_JOIN, ASKING_SYNC, ASKING_HEARTBEAT, ASKING_LEAVE };

// Classic protocol.
enum classic_phase {
    CLASSIC_UNJOINED,
    CLASSIC_JOINING,   // JoinGroup is under way
    CLASSIC_ASSIGNING, // leads, and waits for topics that others subscribe to
    CLASSIC_SYNCING,
    CLASSIC_STABLE,
};

struct classic_membership {
    enum classic_phase phase;
    bool rejoin;              // a rebalance is due
    bool prepared;            // for it: what has to be given up is
    const char *reason;       // for the coordinator's log (KIP-800)
    bool cooperative;         // every assignor of ours is
    int64_t retry_ms;         // not before
    int64_t session_ms;       // when the session is over unless a heartbeat is answered
    struct client_answer joined; // the leader's, while it assigns
    const struct client_assignor *assignor; // chosen by the coordinator
    bool leads;
    struct partition_list last; // what was assigned last: the sticky assignor tells it
    struct str *joined_topics;  // the subscription as joined with; interned
    int joined_topic_count;
    struct assignor_topic *snapshot; // leader: topics as they were when it assigned
    int snapshot_count;
};

// KIP-848.
struct consumer_membership {
    bool full;                // the next heartbeat says everything
    bool acknowledge;         // what we have has changed: say so at once
    bool subscription_changed;
    bool has_target;          // `target_ids` is to be reconciled
    bool ever_assigned;       // GROUP_MEMBER_ASSIGNED has come in this membership
    bool gave_up;             // something on the way to the target
    struct target_list target_ids; // topic is not set
};

struct group_member {
    struct client *client;
    struct group_member_options options; // texts are the member's
    struct client_assignor const *assignors[GROUP_MEMBER_ASSIGNORS_MAX];
    group_member_event_fn event;
    void *user;
    int64_t now_ms; // of the call that runs now

    char **names; // every topic's name that was ever met, sorted: views of them stay valid
    int name_count;
    int name_capacity;

    struct str *topics; // subscription; sorted, interned
    int topic_count;
    int64_t topology_seen;   // generation
    int64_t topics_ask_ms;   // topics that are not there are asked about again then

    enum group_member_state state;
    bool ending;             // the owner wants it to leave, or it has failed
    int64_t end_ms;          // by then it ends, whatever is missing
    char id[GROUP_MEMBER_ID_MAX];
    int32_t epoch;           // or generation; -1 (classic), 0 (KIP-848) = not a member
    int64_t heartbeat_ms;    // next one
    int64_t heartbeat_interval_ms;
    int64_t give_up_ms;      // while partitions are given up: by then, committed or not

    int32_t coordinator;     // node, -1 = unknown
    struct client_request find;
    struct find_coordinator_request find_body;
    struct str find_key;
    int64_t find_ms;         // not before
    int find_attempts;

    struct client_request request; // of the protocol
    enum group_asking asking;
    struct arena arena;            // of its body
    int attempts;                  // without success

    struct owned *owned; // by topic and partition
    int owned_count;
    int owned_capacity;
    struct group_position *view; // of group_member_partitions()

    struct client_request commit;
    struct offset_commit_request commit_body;
    struct arena commit_arena;
    bool commit_wanted;
    int64_t commit_due_ms;   // the next one by itself
    int64_t commit_retry_ms;
    int commit_attempts;

    struct client_request fetch;
    struct offset_fetch_request fetch_body;
    struct arena fetch_arena;
    int64_t fetch_retry_ms;
    int fetch_attempts;

    struct classic_membership classic;
    struct consumer_membership consumer;
};

static inline bool group_member__is_classic(const struct group_member *m)
{
    return m->options.protocol == GROUP_MEMBER_CLASSIC;
}

// --- group_member.c ---

struct str group_member__name(struct group_member *m, struct str name); // interned
void group_member__say(struct group_member *m, enum group_member_event_kind kind,
                       const struct group_position *positions, int count);
void group_member__trouble(struct group_member *m, int16_t code, int err);

// The end: what the member has is lost.
void group_member__fail(struct group_member *m, int16_t code, int err, struct str text);

// Sends the protocol's request: body and memory are m->arena's. It is not sent where one is under way.
void group_member__ask(struct group_member *m, enum group_asking asking, int16_t api_key,
                       int16_t version_min, int16_t version_max, const void *body,
                       int64_t timeout_ms, client_done_fn done);

// The pause after one more failure.
int64_t group_member__backoff_ms(struct group_member *m, int *attempts);

// --- group_member_coordinator.c ---

void group_member__coordinator_step(struct group_member *m);
void group_member__coordinator_lost(struct group_member *m);

// What an error of a request to the coordinator means.
enum group_member__meaning {
    MEANS_OK,
    MEANS_RETRY,      // the same later
    MEANS_MOVED,      // another coordinator
    MEANS_LATER,      // not now; perhaps when the rebalance is over
    MEANS_NOT_MEMBER, // the membership is over: join again
    MEANS_FATAL,
    MEANS_REFUSED,    // this will never do; the rest may
};
enum group_member__meaning group_member__meaning_of(int16_t code);
// Of a request that had no answer: MEANS_MOVED or MEANS_FATAL.
enum group_member__meaning group_member__meaning_of_err(int err);

// --- group_member_subscription.c ---

void group_member__subscription_step(struct group_member *m);
int64_t group_member__subscription_next_ms(const struct group_member *m);
bool group_member__subscribes(const struct group_member *m, struct str topic);

// --- group_member_partitions.c ---

struct owned *group_member__owned(const struct group_member *m, struct str topic, int32_t partition);
void group_member__target_add(struct target_list *l, struct str topic, int32_t partition,
                              struct uuid topic_id);
void group_member__target_sort(struct target_list *l);
void group_member__target_release(struct target_list *l);

// Whether the member has something that `target` has not.
bool group_member__has_more_than(const struct group_member *m, const struct target_list *target);

// Takes what the member has not yet, and says so.
void group_member__take(struct group_member *m, const struct target_list *target);

// Gives up what `keep` (NULL = nothing) has not: GROUP_MEMBER_REVOKED, then commits as is usual. Until
// group_member__giving_up() is false nobody else may be given it.
void group_member__give_up(struct group_member *m, const struct target_list *keep);
bool group_member__giving_up(struct group_member *m);

// Somebody else may have it: GROUP_MEMBER_LOST.
void group_member__lose_all(struct group_member *m);

// Takes out what is given up and has nothing to commit any more.
void group_member__forget_revoked(struct group_member *m, bool uncommitted_too);

// --- group_member_offsets.c ---

void group_member__offsets_step(struct group_member *m);
int64_t group_member__offsets_next_ms(const struct group_member *m);
bool group_member__is_dirty(const struct owned *o);
void group_member__offsets_cancel(struct group_member *m);

// --- The protocols ---

void group_member__classic_step(struct group_member *m);
int64_t group_member__classic_next_ms(const struct group_member *m);
void group_member__classic_lost(struct group_member *m, bool keep_id); // the generation is over
void group_member__classic_leave(struct group_member *m);
void group_member__classic_release(struct group_member *m);
bool group_member__classic_may_commit(const struct group_member *m);

// Leading: asks about topics that others subscribe to; true when all are known.
bool group_member__lead_is_ready(struct group_member *m);
// Makes the assignment and the body of SyncGroup. ERR_NOMEM, ERR_LIMIT.
struct sync_group_request;
int group_member__lead(struct group_member *m, struct sync_group_request *out);
bool group_member__lead_is_outdated(const struct group_member *m);

void group_member__consumer_step(struct group_member *m);
int64_t group_member__consumer_next_ms(const struct group_member *m);
void group_member__consumer_fenced(struct group_member *m);
void group_member__consumer_leave(struct group_member *m);
void group_member__consumer_release(struct group_member *m);

// SPDX-License-Identifier: Apache-2.0
//
// Consumer groups (KIP-848): the coordinator shares the partitions out and leads each member towards its
// part, one heartbeat after another.
//
// Three numbers: the group epoch rises when members, subscriptions or topics change; the assignment epoch
// is the group epoch that the newest target was made for; a member's epoch is the assignment epoch that it
// has reached. A member gives up what is not in its target first (UNREVOKED), reaches the epoch when it
// says that it has, and gets what others have given up as they do (UNRELEASED).
//
// A heartbeat is a few commands one after another, each on the state that the one before left: the
// member's subscription, the group epoch, the target, the member's part. They end up in one batch as a
// rule; what a crash leaves of them is a state that the next heartbeat carries on from.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/map.h"
#include "base/uuid.h"
#include "coordinator/coordinator.h"
#include "group/assignment.h"
#include "group/classic.h"
#include "group/internal.h"

struct consumer_group_heartbeat_request;
struct consumer_group_heartbeat_request_topic_partitions_array;
struct heartbeat_request;
struct join_group_request;
struct leave_group_request;
struct metadata_topic;
struct sync_group_request;

// Kafka's own words for member epochs.
enum {
    JOIN_GROUP_MEMBER_EPOCH = 0,
    LEAVE_GROUP_MEMBER_EPOCH = -1,
    LEAVE_GROUP_STATIC_MEMBER_EPOCH = -2,
};

// FROZEN: in type 8 records. Other numbers are a later release's: a member in such a state has to begin
// anew.
enum consumer_member_state {
    CONSUMER_MEMBER_STABLE = 0,
    CONSUMER_MEMBER_UNREVOKED = 1,
    CONSUMER_MEMBER_UNRELEASED = 2,
};

enum {
    CONSUMER_FIRST_EPOCH = 1,         // of a group before its first change, as Kafka 4.4
    CONSUMER_PARTITION_MAX = 1 << 20, // of a topic: a record that names a higher one is damaged
    CONSUMER_REGEX_REFRESH_MIN_MS = 10 * 1000, // between two looks at changed topics
};

// What a type 5 record says. Views; consumer_subscription_copy() makes one that owns its memory.
struct consumer_subscription {
    struct str instance_id;   // null: a dynamic member
    struct str rack_id;       // null: none
    struct str client_id;
    struct str client_host;
    struct str *topics;       // names, rising, each once
    int32_t topic_count;
    struct str regex;         // "": none
    struct str assignor;      // null: any
    int32_t rebalance_timeout_ms;
    bool is_classic;          // speaks the classic protocol, with:
    int32_t session_timeout_ms;
    struct classic_protocol *protocols;
    int32_t protocol_count;
    char *memory;             // behind the texts; NULL in a view
};

struct consumer_member {
    struct map_node node;          // in group.members
    struct map_node instance_node; // in group.instances while it is the static member of that name
    struct consumer_group *group;
    char *id;
    bool is_member;                // has a subscription; otherwise only records that go before it
    bool has_target;               // a type 7 record is there
    bool has_current;              // a type 8 record is there
    struct consumer_subscription subscription; // owned
    int32_t epoch;
    int32_t previous_epoch;
    int8_t state;                  // enum consumer_member_state, or unknown
    struct assignment assigned;
    struct assignment pending_revocation;
    struct assignment target;      // epochs mean nothing
    struct coordinator_timer session_timer;
    struct coordinator_timer rebalance_timer; // while it has to give up partitions
    struct coordinator_timer rejoin_timer;    // of a classic member: while it has to join or sync
    int32_t rebalance_epoch;       // the member epoch when that timer was set
};

// A pattern that members subscribe to and the topics that match: a type 16 record.
struct consumer_regex {
    struct map_node node; // in group.regexes
    char *pattern;
    struct str *topics;   // rising; one allocation with the texts
    int32_t topic_count;
    int64_t version;      // of the metadata
    int64_t timestamp_ms; // wall clock
};

// Who has the partitions of a topic, assigned or to be given up.
struct consumer_owned_topic {
    struct map_node node; // in group.owned
    struct uuid id;
    struct consumer_member **owners; // by partition; NULL: free
    int32_t capacity;
};

struct consumer_group {
    struct groups *groups;
    struct group *group;
    struct map members;            // by id: struct consumer_member
    struct map instances;          // by instance id
    struct map regexes;            // by pattern
    struct map searches;           // by pattern: struct consumer_search, under way
    struct map owned;              // by topic id
    int32_t member_count;          // of those with is_member
    int32_t classic_member_count;
    int32_t epoch;
    int32_t assignment_epoch;
    int64_t assignment_timestamp_ms; // wall clock; 0: compute the next at once
    int64_t metadata_hash;
    bool is_metadata_fresh;        // metadata_hash belongs to the newest image
    int64_t regex_refresh_mono_ms; // when the patterns were looked at last; INT64_MIN: not since the load
    bool are_regexes_fresh;        // that was after the newest image came
    bool is_rebalancing;           // the journal has an open entry
};

// ---- The group (consumer_group.c) ----

// NULL: no member of this id, or only its leftovers.
struct consumer_member *consumer_find_member(const struct consumer_group *cg, struct str id);
struct consumer_member *consumer_find_instance(const struct consumer_group *cg, struct str instance_id);

// Members in any order: start with NULL, ends with NULL. With leftovers: skip those without is_member.
struct consumer_member *consumer_next(const struct consumer_group *cg, const struct consumer_member *m);

// Finds or makes the entry of a member.
struct consumer_member *consumer_get(struct consumer_group *cg, struct str id);

// Frees an entry that says nothing any more.
void consumer_drop_if_empty(struct consumer_member *m);

// Takes over a copy; the member is one from now on.
void consumer_set_subscription(struct consumer_member *m, const struct consumer_subscription *s);

// It is none any more; its target may stay behind.
void consumer_unset_subscription(struct consumer_member *m);

// What a member has; the sets are taken. ERR_CORRUPT: a partition number out of bounds.
int consumer_set_current(struct consumer_member *m, int32_t epoch, int32_t previous_epoch, int8_t state,
                         struct assignment *assigned, struct assignment *pending_revocation);

// Whether nobody has the partition.
bool consumer_is_free(const struct consumer_group *cg, struct uuid topic_id, int32_t partition);

bool consumer_is_stable(const struct consumer_group *cg); // every member has reached the target

// A setting of this group or else of the broker: "consumer.session.timeout.ms".
int32_t consumer_setting(const struct consumer_group *cg, const char *name);

// The server assignor that most members name, or the first configured one.
const char *consumer_assignor_name(const struct consumer_group *cg);

// ---- Subscriptions (consumer_subscription.c) ----

void consumer_subscription_copy(struct consumer_subscription *out, const struct consumer_subscription *s);
void consumer_subscription_release(struct consumer_subscription *s);
bool consumer_subscription_equal(const struct consumer_subscription *a,
                                 const struct consumer_subscription *b);
bool consumer_same_topics(const struct consumer_subscription *a, const struct consumer_subscription *b);

// Sorts names and drops what is there twice; gives the new count.
int32_t consumer_sort_names(struct str *names, int32_t count);

// Whether a member subscribes to a topic, by name or pattern.
bool consumer_subscribes(const struct consumer_member *m, struct str topic);

// The topics of the image that members subscribe to, in order of name, in `arena`; NULL when that is full.
// `m` NULL: of all members.
const struct metadata_topic **consumer_topics(const struct consumer_group *cg,
                                              const struct consumer_member *m, struct arena *arena,
                                              int32_t *count);

// ---- Patterns (consumer_regex.c) ----

struct consumer_regex *consumer_find_regex(const struct consumer_group *cg, struct str pattern);
struct consumer_regex *consumer_get_regex(struct consumer_group *cg, struct str pattern);
void consumer_set_regex_topics(struct consumer_regex *r, const struct str *topics, int32_t count);
void consumer_remove_regex(struct consumer_group *cg, struct consumer_regex *r);

// Looks for the topics that match, in `arena`. ERR_INVALID, ERR_LIMIT with words: the pattern is not good.
// ERR_AGAIN: it is, but to look takes too long for one turn: consumer_search(). ERR_NOMEM.
int consumer_resolve(const struct groups *g, struct str pattern, struct arena *arena, struct str **topics,
                     int32_t *count, struct diag *diag);

// Looks again when topics have come or gone, or it was long ago: a command of its own for each pattern
// whose topics are others now. And for the first time for `pattern` ("": none), if nobody has.
int consumer_refresh_regexes(struct consumer_group *cg, struct str pattern);

// A search has ended: a command if that is news.
void consumer_found(struct consumer_group *cg, struct str pattern, const struct str *topics, int32_t count,
                    int64_t version);

// Begins to look for the topics of a pattern in turns to come, unless that is under way
// (consumer_search.c).
void consumer_search(struct consumer_group *cg, struct str pattern);
void consumer_end_searches(struct consumer_group *cg); // what they have found is forgotten

// Inside a command: tombstones of patterns that no member has.
void consumer_write_unused_regexes(struct consumer_group *cg);

// ---- Records, inside a command (consumer_records.c) ----

void consumer_write_group(const struct consumer_group *cg, int32_t epoch, int64_t metadata_hash);
void consumer_write_subscription(const struct consumer_group *cg, struct str member_id,
                                 const struct consumer_subscription *s);
void consumer_write_target(const struct consumer_group *cg, struct str member_id,
                           const struct assignment *target);
void consumer_write_target_epoch(const struct consumer_group *cg, int32_t assignment_epoch,
                                 int64_t timestamp_ms);
void consumer_write_current(const struct consumer_group *cg, struct str member_id, int32_t epoch,
                            int32_t previous_epoch, int8_t state, const struct assignment *assigned,
                            const struct assignment *pending_revocation);
void consumer_write_regex(const struct consumer_group *cg, struct str pattern, const struct str *topics,
                          int32_t count, int64_t version, int64_t timestamp_ms);
void consumer_write_regex_tombstone(const struct consumer_group *cg, struct str pattern);
void consumer_write_member_tombstones(const struct consumer_group *cg, struct str member_id);
void consumer_write_group_tombstones(struct groups *g, const struct group *group);

// Begins and ends a command about the group. The end gives ERR_* of coordinator_end().
void consumer_begin(struct consumer_group *cg);
int consumer_end(struct consumer_group *cg);

// ---- Epochs and targets (consumer_target.c) ----

// Why the group changes, for the journal. Views.
struct consumer_cause {
    enum rebalance_cause cause;
    struct str member;
    struct str client_id;
    struct str client_host;
    struct str reason;
    int32_t grown; // by so many members, who are counted already: 1 one has come, -1 one has gone
};

// The hash of the topics that members subscribe to: see topic_hash.h.
int64_t consumer_compute_hash(struct consumer_group *cg);

// Tells the journal that something came up.
void consumer_note_cause(struct consumer_group *cg, const struct consumer_cause *cause);

// A new group epoch, a command of its own.
int consumer_bump(struct consumer_group *cg, const struct consumer_cause *cause);

// A new group epoch if the topics that are subscribed to are not what they were.
int consumer_follow_metadata(struct consumer_group *cg);

// Makes the target of the newest group epoch if it is not made yet and the last one is old enough. A
// command of its own.
int consumer_update_target(struct consumer_group *cg);

// ---- Leading a member to its target (consumer_reconcile.c) ----

// What a member says that it has.
struct consumer_owned {
    bool is_known; // false: it did not say
    const struct consumer_group_heartbeat_request_topic_partitions_array *topics;
};

// Takes the next step, a command of its own, and sets the rebalance timer. *changed: what it may use is
// not what it was. ERR_REFUSED: it is in a state that is not known here and has to begin anew.
int consumer_reconcile(struct consumer_member *m, const struct consumer_owned *owned,
                       bool has_subscription_changed, bool *changed);

// Whether something in its target is still somebody else's.
bool consumer_waits(const struct consumer_member *m);

// Whether everything in `owned` is assigned to the member; false when it is not known.
bool consumer_owns_no_more(const struct consumer_member *m, const struct consumer_owned *owned);

// Tells the journal that a member has arrived, and that all have.
void consumer_note_progress(struct consumer_member *m);
void consumer_note_stable(struct consumer_group *cg);

// ---- Carrying a group on (consumer_change.c) ----

// What one request of a member changes.
struct consumer_change {
    struct groups *g;
    struct arena *arena;             // of the answer
    struct str group_id;
    struct str member_id;
    struct group *group;             // NULL: a member's first record makes it
    struct group *former;            // an empty group of another kind that has to go, or NULL
    struct consumer_member *member;  // NULL: a new one
    struct consumer_member *replaced; // the static member whose place it takes, or NULL
    struct consumer_subscription before; // a view of what the member's records say, or empty
    struct consumer_subscription after;  // a view of what they shall say
    struct consumer_owned owned;
    bool pattern_is_new;             // nobody had after.regex, these are its topics:
    struct str *pattern_topics;
    int32_t pattern_topic_count;
};

// Member, group epoch, target, the member's part: each a command. `group` and `member` are there
// afterwards, `before` and `after` are gone. Errors as consumer_reconcile().
int consumer_change_apply(struct consumer_change *c, bool *changed);

// ---- Coming and going (consumer_heartbeat.c, consumer_leave.c) ----

void consumer_start_session(struct consumer_member *m);

// Of a classic member that has to join or to sync within its rebalance timeout.
void consumer_start_rejoin_timer(struct consumer_member *m);

// Of a member that has to give up partitions; cancels it for others.
void consumer_start_rebalance_timer(struct consumer_member *m);

// Removes a member: its records, then the new group epoch. The member is freed, and so is the group when
// it becomes a classic one.
int consumer_remove_member(struct consumer_member *m, const struct consumer_cause *cause);

// The same, with the member itself for the journal. `reason` may be null.
int consumer_fence_member(struct consumer_member *m, enum rebalance_cause cause, struct str reason);

// The request with epoch -1 or -2.
void consumer_leave(struct groups *g, struct group_call *call,
                    const struct consumer_group_heartbeat_request *request);

// Ends a heartbeat with an error and words.
__attribute__((format(printf, 3, 4))) void consumer_fail(struct group_call *call, enum kafka_error error,
                                                         const char *format, ...);

// Ends it with the member's id and epoch; `group` is looked up for what the reply rests on.
void consumer_reply(struct groups *g, struct group_call *call, struct str group_id);

// ---- Moving between the protocols (consumer_migrate.c) ----

// Makes a classic group with members a consumer group. NULL: it may not become one, the call was ended with
// an error.
struct group *consumer_upgrade(struct groups *g, struct group *group, struct group_call *call);

// Whether only classic members are left when `leaving` (may be NULL) has gone.
bool consumer_wants_downgrade(const struct consumer_group *cg, const struct consumer_member *leaving);

// Makes the group a classic one without `leaving` (may be NULL). `cause`: the members have to rejoin; NULL:
// nothing changes for them. The group is freed.
int consumer_downgrade(struct consumer_group *cg, const struct consumer_member *leaving,
                       const struct consumer_cause *cause);

// What a classic member is told that it has; false: no memory.
bool consumer_classic_assignment(const struct consumer_member *m, struct arena *arena, struct bytes *out);

// ---- Classic members of a consumer group (consumer_classic.c) ----

// Serve the requests of the classic protocol for a consumer group (an upgrade that goes on). The call has
// begun: group_call_fail() and group_reply() end it. Of the request these are checked: group id, session
// timeout, and that SyncGroup names a protocol where its version must.
void consumer_classic_join(struct groups *g, struct group *group, struct group_call *call,
                           const struct coordinator_time *now, const struct join_group_request *request);
void consumer_classic_sync(struct groups *g, struct group *group, struct group_call *call,
                           const struct coordinator_time *now, const struct sync_group_request *request);
void consumer_classic_heartbeat(struct groups *g, struct group *group, struct group_call *call,
                                const struct coordinator_time *now,
                                const struct heartbeat_request *request);

// The request lists members whatever its version. The answer has each of them with UNKNOWN_MEMBER_ID: set
// what is true, then classic_end_leave() instead of group_reply().
void consumer_classic_leave(struct groups *g, struct group *group, struct group_call *call,
                            const struct coordinator_time *now,
                            const struct leave_group_request *request);

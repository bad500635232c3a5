// SPDX-License-Identifier: Apache-2.0
//
// Classic groups: members join (JoinGroup) until all are there or time is up, the leader among them says
// who gets what (SyncGroup), and all heartbeat until something changes. Also the home of "simple" groups,
// which have committed offsets and never had a member.
//
// What is durable is what the newest GroupMetadata record says: it is written when the leader has assigned,
// when the last member is gone, when a static member comes back under a new id, and, empty, when the group
// begins. Everything between - who has joined the next generation, who is waited for - is lost when the
// coordinator moves; members then find that their generation is unknown and join again.
//
//            first join                       all joined, or time is up
//   Empty ----------------> PreparingRebalance ----------------------> CompletingRebalance
//     ^                      |      ^     ^                               |         | leader synced
//     | nobody left          |      |     | member came, left, changed    |         v
//     +----------------------+      |     +-------------------------------+       Stable
//                                   +-----------------------------------------------+
//
// The log never waits for the state nor the state for the log: a group is Stable as soon as its record is
// replayed, and whoever is told so waits for the commit (group_reply).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"
#include "coordinator/coordinator.h"
#include "group/journal.h"
#include "wire/errors.h"

struct classic_topics;
struct group;
struct group_call;
struct groups;

enum {
    CLASSIC_PROTOCOLS_MAX = 256,      // that one member may offer
    CLASSIC_OFFERS_PER_RECORD_MAX = 4, // what a member offers may be so many times a record
    CLASSIC_PENDING_MAX = 10000,      // ids of a group that were given out and not used yet
    CLASSIC_NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1000, // of a join that is parked, as Kafka
};

enum classic_state {
    CLASSIC_EMPTY,
    CLASSIC_PREPARING_REBALANCE,
    CLASSIC_COMPLETING_REBALANCE,
    CLASSIC_STABLE,
};

// A way of sharing the work that a member offers, "range" for example; views into the member's memory.
struct classic_protocol {
    struct str name;
    struct bytes metadata;
};

struct classic_member {
    struct map_node node;          // in group.members, by id
    struct map_node instance_node; // in group.instances if static
    struct list_node order_node;   // in group.order
    struct classic_group *group;
    struct coordinator_timer session_timer;
    char *texts;                   // memory of the next four
    struct str id;
    struct str instance_id;        // null: a dynamic member
    struct str client_id;
    struct str client_host;
    struct classic_protocol *protocols; // in order of preference, one allocation with what they view
    int32_t protocol_count;
    int32_t session_timeout_ms;
    int32_t rebalance_timeout_ms;
    bool is_new;                   // has not been in a generation yet
    bool owes_sync;                // was told the generation and has not asked for its part
    bool is_in_record;             // scratch of a replay
    struct bytes assignment;       // owned; empty before the leader assigned
    struct group_call *join_call;  // parked until the generation begins; NULL
    struct group_call *sync_call;  // parked until the leader has assigned; NULL
};

struct classic_group {
    struct groups *groups;
    struct group *group;
    enum classic_state state;
    bool is_stored;                // a record says that the group is there; false: simple
    bool is_initial;               // PreparingRebalance from Empty, with its delay
    bool has_new_member;           // since the delay began
    int32_t generation;
    int64_t state_timestamp_ms;    // of the last change of state, wall clock; -1 unknown
    char *protocol_type;           // NULL: none yet, a simple group
    char *protocol_name;           // selected; NULL: none
    struct classic_member *leader; // NULL without members
    struct map members;            // by id
    struct map instances;          // static ones, by instance id
    struct list order;             // all members, as they came
    struct map protocols;          // how many members offer each: struct offered_protocol
    struct map pending;            // ids that were given out (KIP-394): struct pending_member
    struct list pending_order;     // oldest first
    int32_t joined_count;          // members whose join is parked
    int32_t owing_count;           // members with owes_sync
    int32_t initial_delay_ms;      // the step of the delay that runs
    int32_t initial_remaining_ms;  // by how much more it may be extended
    struct coordinator_timer join_timer; // the join phase ends
    struct coordinator_timer sync_timer; // members that have not synced are removed
    struct classic_topics *topics; // subscribed ones; NULL: not worked out yet
};

// Why a rebalance begins, for the journal. Views.
struct classic_cause {
    enum rebalance_cause cause;
    struct str member;
    struct str client_id;
    struct str client_host;
    struct str reason; // in the client's words, or null
};

// ---- For the other parts of group/ ----

struct classic_member *classic_find_member(const struct classic_group *cg, struct str id);
struct classic_member *classic_find_instance(const struct classic_group *cg, struct str instance_id);
int32_t classic_member_count(const struct classic_group *cg);

// Members as they came: start with NULL, ends with NULL.
struct classic_member *classic_next_member(const struct classic_group *cg, const struct classic_member *m);

// The metadata that a member gave for a protocol; empty when it does not offer it or the name is NULL.
struct bytes classic_metadata(const struct classic_member *m, const char *protocol_name);

// "consumer": what its members subscribe to can be read.
bool classic_uses_consumer_protocol(const struct classic_group *cg);

// Whether this member, as it calls itself, is one: NONE, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
// `instance_id` null: dynamic, or a version that does not know.
enum kafka_error classic_check_member(const struct classic_group *cg, struct str id,
                                      struct str instance_id);

// Starts the session of each member anew, as after loading: for a group that another kind became.
void classic_start_sessions(struct classic_group *cg);

// Answers all parked joins and syncs with this error: the members will ask again and may find a group of
// another kind.
void classic_fail_parked(struct classic_group *cg, enum kafka_error error);

// ---- Members (classic_member.c) ----

// What is needed to make one; everything is copied.
struct classic_member_options {
    struct str id;
    struct str instance_id;
    struct str client_id;
    struct str client_host;
    int32_t session_timeout_ms;
    int32_t rebalance_timeout_ms;
};

// Adds a member, which must not be there; it offers nothing yet. The first one leads.
struct classic_member *classic_add_member(struct classic_group *cg,
                                          const struct classic_member_options *options);

// Takes a member out and frees it: nothing may be parked at it. Another one leads if it did.
void classic_remove_member(struct classic_group *cg, struct classic_member *m);

// A static member comes back: the same one from now on, under this id. Nothing may be parked at it.
void classic_rename_member(struct classic_group *cg, struct classic_member *m, struct str id);

void classic_set_assignment(struct classic_member *m, struct bytes assignment);

// ---- What members offer (classic_protocol.c) ----

// Replaces what a member offers; names that come twice count once. At most CLASSIC_PROTOCOLS_MAX.
void classic_set_protocols(struct classic_member *m, const struct classic_protocol *protocols,
                           int32_t count);

// Whether it offers just these, in this order and with this metadata.
bool classic_offers_same(const struct classic_member *m, const struct classic_protocol *protocols,
                         int32_t count);

// Whether somebody of this type with these protocols fits in.
bool classic_supports(const struct classic_group *cg, struct str protocol_type,
                      const struct classic_protocol *protocols, int32_t count);

// The protocol that most members prefer among those that all offer; there must be members. A view.
struct str classic_select_protocol(struct classic_group *cg);

void classic_set_protocol_type(struct classic_group *cg, struct str type); // null or "": none
void classic_set_protocol_name(struct classic_group *cg, struct str name); // null: none

// ---- Subscribed topics (classic_topics.c) ----

// Whether the members subscribe to a topic. When that is not known (no generation yet, or metadata that
// cannot be read), a group of type "consumer" counts as subscribed to everything.
bool classic_is_subscribed(struct classic_group *cg, struct str topic);

// Whether it is known what they subscribe to.
bool classic_knows_topics(struct classic_group *cg);

// Members, what they offer or the selected protocol have changed.
void classic_forget_topics(struct classic_group *cg);

// ---- Ids that were given out and not used yet (classic_pending.c) ----

void classic_add_pending(struct classic_group *cg, struct str id, int32_t session_timeout_ms);
bool classic_is_pending(const struct classic_group *cg, struct str id);
bool classic_remove_pending(struct classic_group *cg, struct str id); // true: it was there
void classic_clear_pending(struct classic_group *cg);

// ---- Rebalances (classic_rebalance.c) ----

// Tells the journal and the trace why a rebalance begins, or what else comes while one goes on. Before the
// change itself; classic_rebalance_or_complete() follows.
void classic_note_cause(struct classic_group *cg, const struct classic_cause *cause);
void classic_note_member_cause(const struct classic_member *m, enum rebalance_cause cause,
                               struct str reason);

// Begins a rebalance, everybody has to join again; or, when one goes on, looks whether all are there.
void classic_rebalance_or_complete(struct classic_group *cg);

// Ends the join phase if everybody is there; not while the initial delay runs.
void classic_try_complete_join(struct classic_group *cg);

// The same without regard to the delay: somebody who was waited for is gone.
void classic_complete_join_if_all(struct classic_group *cg);

// What the leader assigned could not be stored: everybody hears the error and has to join again.
void classic_assignment_failed(struct classic_group *cg, enum kafka_error error);

// The largest of the members' timeouts.
int32_t classic_rebalance_timeout_ms(const struct classic_group *cg);

// A member asked for its part: it is not waited for any longer.
void classic_note_sync(struct classic_member *m);

// ---- Sessions (classic_session.c) ----

// (Re)starts the session of a member; the second with another length.
void classic_start_session(struct classic_member *m);
void classic_set_session(struct classic_member *m, int64_t timeout_ms);

// Answers what is parked at a member with this error and removes it, its timer with it.
void classic_drop_member(struct classic_member *m, enum kafka_error error);

// ---- Parked calls (classic_join.c, classic_sync.c) ----

// Ends the parked join or sync of a member with an error; nothing happens when there is none.
void classic_fail_join(struct classic_member *m, enum kafka_error error);
void classic_fail_sync(struct classic_member *m, enum kafka_error error);

// Parks a join; one that is parked already ends with REBALANCE_IN_PROGRESS.
void classic_park_join(struct classic_member *m, struct group_call *call);

// Ends the parked join: the generation has begun.
void classic_end_join(struct classic_member *m);

// Ends the parked sync with the member's assignment.
void classic_end_sync(struct classic_member *m);

// Ends a LeaveGroup whose answer is filled, in the form of its version; as group_reply().
void classic_end_leave(struct group_call *call, const struct group *group);

// ---- Records (classic_replay.c) ----

// What the record says of one member, when it differs from what the state says.
struct classic_record_change {
    const struct classic_member *member; // NULL: nobody
    struct str id;
    int32_t session_timeout_ms;
    int32_t rebalance_timeout_ms;
};

// Writes the group as it is and replays it. Assignments come from `assignment_of`, or are those that the
// members have when it is NULL. Gives ERR_* of coordinator_end(); then nothing has changed.
int classic_write(struct classic_group *cg, const struct classic_record_change *change,
                  struct bytes (*assignment_of)(void *context, const struct classic_member *m),
                  void *context, coordinator_ticket *ticket);

// Makes a group that is not there, or turns an empty one of another kind into a classic one. ERR_* as
// above; 0 with the group.
int classic_create(struct groups *g, struct str group_id, struct group **out);

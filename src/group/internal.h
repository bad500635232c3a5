// SPDX-License-Identifier: Apache-2.0
//
// Inside the group coordinator: what all kinds of groups share. Each kind has a header of its own
// (classic.h, consumer.h, streams.h), and so have the offsets (offsets.h).
#pragma once

#include "base/map.h"
#include "group/groups.h"
#include "group/journal.h"
#include "group/offsets.h"

struct classic_group;
struct consumer_group;
struct streams_group;

enum group_kind {
    GROUP_CLASSIC,  // also the simple groups, which have offsets and never had a member
    GROUP_CONSUMER,
    GROUP_STREAMS,
};

struct group {
    struct map_node node; // in groups.by_id
    char *id;
    enum group_kind kind;
    // What its newest records are known by: a reply about the group that tells of what they say waits
    // for them, see group_reply().
    coordinator_ticket written;
    struct group_offsets offsets;
    struct list pending;   // struct pending_offsets, of transactions
    struct group_journal journal;
    struct list_node unused_node; // in groups.unused, if it is
    union { // by kind; never NULL while the group is in the map
        void *state;
        struct classic_group *classic;
        struct consumer_group *consumer;
        struct streams_group *streams;
    };
};

struct groups {
    struct groups_options options;
    struct coordinator *coordinator;
    const struct metadata_image *image; // newest
    struct map by_id;                   // struct group
    struct map transactions;            // struct open_transaction, those that committed offsets
    struct arena arena;                 // what a replayed record is decoded to; reset for each
    struct coordinator_timer expire_timer; // of offsets
    struct list unused;                    // groups made for who may never come, oldest first
    size_t unused_count;
    bool is_full;                          // there is no room for more, which was said
    struct list searches;                  // struct consumer_search: of topics for patterns
    struct coordinator_timer search_timer;
    int64_t search_due_ms;                 // for which that is set
    int32_t search_names;                  // to be looked at in a turn
    bool has_ended;
};

// ---- Finding groups (groups.c) ----

// NULL: there is none.
struct group *groups_find(struct groups *g, struct str id);

// Makes a group, which must not be there: an empty classic one (replay turns it into another kind).
struct group *groups_add(struct groups *g, struct str id);

// Finds it or makes it.
struct group *groups_get(struct groups *g, struct str id);

// Takes a group out and frees it with everything: nobody may be parked in it.
void groups_remove(struct groups *g, struct group *group);

// Changes the kind; the state of the former kind is freed (its members were moved or are gone), that of
// the new one is empty. Offsets and journal stay.
void group_become(struct groups *g, struct group *group, enum group_kind kind);

// Every group, in any order: start with NULL, ends with NULL. The map must not change meanwhile.
struct group *groups_next(const struct groups *g, const struct group *group);

// Does something to every group that is there when its turn comes: it may remove groups and make new ones.
void groups_for_each(struct groups *g,
                     void (*act)(struct groups *g, struct group *group, void *context), void *context);

// "Empty", "Stable", ...: never "Dead" of a group that is here.
const char *group_state_name(const struct group *group);
bool group_is_empty(const struct group *group); // without members

// True while records have been waiting to be committed for half a session or longer: whoever asked anything
// since waits for an answer and cannot be heard from, so a session that ends now says nothing. A member
// whose log was merely busy has had the other half of its session to be heard.
bool groups_log_stands_still(const struct groups *g, int64_t session_timeout_ms);

// ---- How many there may be (room.c) ----

// To be asked before a request makes a group: false, and it shall come again later. Groups that nobody ever
// joined give way: pointers to groups are void afterwards.
bool groups_have_room(struct groups *g);
#define GROUPS_FULL_WORDS "The coordinator has as many groups as chitin.groups.max allows."

// The group was made for somebody who was given an id and may never come with it.
void groups_note_unused(struct groups *g, struct group *group);
void groups_forget_unused(struct groups *g, struct group *group); // before it is freed

// ---- What each kind provides ----

// Who commits or fetches offsets, as the request says.
struct offset_caller {
    struct str member_id;   // null or "": none
    struct str instance_id; // null: none, or a fetch
    int32_t epoch;          // generation or member epoch; -1: none
    int16_t version;        // of OffsetCommit or OffsetFetch
    bool is_transactional;  // a commit inside a transaction, whose client need not say who it is (KIP-447)
};

// False for a commit inside a transaction of which only the producer is known.
static inline bool offset_caller_is_known(const struct offset_caller *caller)
{
    return caller->epoch >= 0 || caller->member_id.size > 0 || caller->instance_id.data != NULL;
}

struct group_kind_type {
    const char *name; // "classic"
    void *(*new)(struct groups *g, struct group *group);
    void (*free)(struct groups *g, void *state);
    const char *(*state_name)(const void *state);     // as Kafka's tools print it
    int32_t (*member_count)(const void *state);
    // The coordinator has loaded the group: arms the timers.
    void (*loaded)(struct groups *g, struct group *group);
    // The coordinator goes: parked calls fail.
    void (*end)(struct groups *g, struct group *group, enum kafka_error error);
    // The metadata changed; NULL: it does not matter to this kind. Only takes note: no group comes or goes.
    void (*image_changed)(struct groups *g, struct group *group);
    // Writes the tombstones of everything but offsets, inside a command.
    void (*write_tombstones)(struct groups *g, const struct group *group);

    // What offsets ask (Kafka's Group interface):
    // "consumer", "connect", "" for a simple group.
    struct str (*protocol_type)(const void *state);
    // validateOffsetCommit: KAFKA_NONE, or the error for all partitions of the commit. What is allowed
    // outside of transactions is a sign of life: classic members have their session timeout again.
    enum kafka_error (*check_commit)(struct groups *g, struct group *group,
                                     const struct offset_caller *caller);
    // The same for one partition, when the caller lags behind its own epoch (KIP-1251); an error is for
    // the whole commit. `topic_id` may be zero. NULL: check_commit() has said it all.
    enum kafka_error (*check_commit_partition)(const struct groups *g, const struct group *group,
                                               const struct offset_caller *caller, struct str topic,
                                               struct uuid topic_id, int32_t partition);
    // validateOffsetFetch; NULL: anybody may fetch.
    enum kafka_error (*check_fetch)(const struct groups *g, const struct group *group,
                                    const struct offset_caller *caller);
    // validateOffsetDelete (KIP-496); NULL: always.
    enum kafka_error (*check_offset_delete)(const struct group *group);
    // validateDeleteGroup: KAFKA_NON_EMPTY_GROUP while it has members, or is about to.
    enum kafka_error (*check_delete)(const struct group *group);
    // Whether a topic of the group's offsets is in use by its members, so that its offsets neither
    // expire nor may be deleted (KIP-211, KIP-496).
    bool (*is_subscribed)(const struct groups *g, const struct group *group, struct str topic);
    // offsetExpirationCondition (KIP-211): false when no offset of the group may expire now; else *since_ms
    // is the wall time from which retention counts, or -1: from each offset's own commit.
    bool (*offsets_expire)(const struct group *group, int64_t *since_ms);
};

extern const struct group_kind_type classic_kind;
extern const struct group_kind_type consumer_kind;
extern const struct group_kind_type streams_kind;

const struct group_kind_type *group_kind_type(enum group_kind kind);

// ---- Calls (call.c) ----

// Begins to serve: `set_error` fills the response with an error alone.
void group_call_begin(struct group_call *call, struct groups *g,
                      void (*set_error)(struct group_call *call, enum kafka_error error));

// Ends the call with an error, at once.
void group_call_fail(struct group_call *call, enum kafka_error error);

// Ends it without a response, which does not fit into the arena.
void group_call_end_no_memory(struct group_call *call);

// Copies a text into the answer, since the group may have changed when it goes out; null becomes "". False:
// no room in the arena.
bool group_call_copy(struct group_call *call, struct str text, struct str *out);

// Ends it with its response once `ticket` is committed; if the coordinator ends before, with an error.
void group_call_end(struct group_call *call, coordinator_ticket ticket);

// As group_call_end(), for everything that is known of the group: what a reader is told must not be
// taken back. With all of the group's records committed it goes out at once. `group` may be NULL.
void group_reply(struct group_call *call, const struct group *group);

// coordinator_end() for records about one group: remembers the ticket in it. The group may be NULL or
// have been removed by the records: it is looked up again.
int group_write_end(struct groups *g, struct str id, coordinator_ticket *ticket);

// That alone, for records that were written otherwise; 0: there were none.
void group_written(struct groups *g, struct str id, coordinator_ticket ticket);

// A new member id of the classic protocol: `prefix`, '-' and a random UUID in Java's form. Null when the
// arena is full.
struct str group_new_member_id(struct groups *g, struct arena *arena, struct str prefix);

// A new member id of the consumer protocol: a Uuid in its form of 22 characters.
struct str group_new_uuid(struct groups *g, struct arena *arena);

// ---- Offsets of all groups (offsets_*.c) ----

// After a load: removes the offsets of topics that went meanwhile, and arms the timer of expiration.
void offsets_loaded(struct groups *g);
// Removes the offsets of topics that are gone.
void offsets_image_changed(struct groups *g, const struct metadata_image *before);

// Writes the tombstone of one offset, inside a command.
void offsets_write_tombstone(struct groups *g, struct str group, struct str topic, int32_t partition);
// Writes away all offsets of a group for which `goes` is true (NULL: all of them), in as many commands as
// that takes: no command may be open. *ticket is that of the last, untouched without any. ERR_* of
// coordinator_end(): some may have gone.
typedef bool (*offset_goes)(void *context, const struct offsets_topic *topic,
                            const struct committed_offset *offset);
int offsets_remove(struct groups *g, struct str group, offset_goes goes, void *context,
                   coordinator_ticket *ticket);
// The same for what transactions that are open have committed. The group must stay while they go.
int offsets_remove_all_pending(struct groups *g, struct str group, offset_goes goes, void *context,
                               coordinator_ticket *ticket);

// Offsets that hold once their transaction is committed (offsets_pending.c).
struct offset_commit_value;
void offsets_set_pending(struct groups *g, struct group *group, int64_t producer_id, struct str topic,
                         int32_t partition, const struct offset_commit_value *value,
                         int64_t record_offset);
void offsets_remove_pending(struct groups *g, struct group *group, struct str topic, int32_t partition);
bool offsets_are_pending(const struct group *group, struct str topic, int32_t partition);
// What each open transaction has committed for the group: start with NULL, ends with NULL.
const struct group_offsets *offsets_next_pending(const struct group *group, const struct group_offsets *o);
void offsets_release_pending(struct groups *g, struct group *group);
void offsets_end_transaction(struct groups *g, int64_t producer_id, bool committed);

// Writes away a group without offsets, in a command of its own; it is gone afterwards (admin.c). ERR_* of
// coordinator_end().
int group_write_removal(struct groups *g, const struct group *group, coordinator_ticket *ticket);

// ---- Replaying, each family of records in its file ----

// `value.data` NULL: a tombstone. Errors as coordinator_machine.replay. Memory: g->arena.
int offsets_replay(struct groups *g, const struct coordinator_record_type *type, struct bytes key,
                   struct bytes value, const struct coordinator_origin *origin, struct diag *diag);
int classic_replay(struct groups *g, const struct coordinator_record_type *type, struct bytes key,
                   struct bytes value, const struct coordinator_origin *origin, struct diag *diag);
int consumer_replay(struct groups *g, const struct coordinator_record_type *type, struct bytes key,
                    struct bytes value, const struct coordinator_origin *origin, struct diag *diag);

int streams_replay(struct groups *g, const struct coordinator_record_type *type, struct bytes key,
                   struct bytes value, const struct coordinator_origin *origin, struct diag *diag);

// The group that a record of a kind is about. `creates`: the record is no tombstone; a group that is not
// there is made, and an empty one of another kind becomes one of this. Otherwise *out may be NULL: there is
// nothing to take away. ERR_CORRUPT with words.
int group_replay_kind(struct groups *g, struct str id, enum group_kind kind, bool creates,
                      struct group **out, struct diag *diag);

// The tombstone of a group. Offsets outlive the group that committed them, as those of a group without
// members.
void group_replay_removal(struct groups *g, struct group *group);

// A record while it is replayed.
struct replaying {
    struct groups *g;
    const struct coordinator_record_type *type;
    struct bytes key;
    struct bytes value; // data NULL: a tombstone
    struct diag *diag;
};

// Decodes key and value; that of a tombstone is left alone.
int replaying_read(const struct replaying *r, void *key, void *value);

// Decodes a key or value (after its int16 prefix) into *out with g->arena.
int replay_key(struct groups *g, const struct coordinator_record_type *type, struct bytes key, void *out,
               struct diag *diag);
int replay_value(struct groups *g, const struct coordinator_record_type *type, struct bytes value,
                 void *out, struct diag *diag);

// SPDX-License-Identifier: Apache-2.0
//
// Streams groups (KIP-1071): the coordinator knows the topology of the application, makes its internal
// topics, shares its tasks out and leads each member towards its part, one heartbeat after another.
//
// Epochs as in consumer groups (consumer.h): the group epoch rises when members, topology or topics
// change, the assignment epoch is the group epoch that the newest target was made for, a member's epoch is
// the assignment epoch that it has reached. What is shared out are tasks in roles, see streams_tasks.h; no
// two members are active in a task, and no process has a task in two roles.
//
// What records say changes by replay alone. The rest is soft: the topology resolved against the metadata
// (streams_configured), offsets that members told of their tasks, who wants the application to end.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/map.h"
#include "coordinator/coordinator.h"
#include "group/consumer.h"
#include "group/internal.h"
#include "group/streams_status.h"
#include "group/streams_tasks.h"
#include "wire/record/streams_group_member_metadata_value.h"
#include "wire/record/streams_group_topology_value.h"

// FROZEN: in type 22 records; not the numbers of consumer groups. Others are a later release's: a member in
// such a state has to begin anew.
enum streams_member_state {
    STREAMS_MEMBER_STABLE = 1,
    STREAMS_MEMBER_UNREVOKED = 2,
    STREAMS_MEMBER_UNRELEASED = 3,
};

// ---- The topology ----

// The type 23 record: what the first member said. Subtopologies are in order of id.
struct streams_topology {
    struct streams_group_topology_value value;
    struct arena memory; // behind the value
};

struct streams_internal_topic {
    const struct streams_group_topology_value_topic_info *info; // of the topology
    int32_t partition_count;
};

// A subtopology as it runs.
struct streams_configured_subtopology {
    const struct streams_group_topology_value_subtopology *from; // of the topology
    int32_t number;     // of its id in the group
    int32_t task_count; // the most partitions that one of its sources has
    struct streams_internal_topic *repartition_sources; // as many as `from` has
    struct streams_internal_topic *changelogs;          // as many as `from` has
};

// The topology resolved against an image. Points into the topology.
struct streams_configured {
    struct arena memory;
    int32_t topology_epoch;
    bool is_ready;             // there are tasks
    enum streams_status error; // otherwise why not
    struct str error_text;
    struct streams_configured_subtopology *subtopologies; // of the topology, when it could be resolved
    int32_t subtopology_count;
    const struct streams_internal_topic **missing; // internal topics that have to be made
    int32_t missing_count;
};

// A subtopology's id, which has a number that sets of tasks use.
struct streams_subtopology {
    struct map_node node; // in group.subtopologies
    char *id;
    int32_t number;
};

// Members that have a task, assigned or to be given up: one at least.
struct streams_held {
    struct map_node node; // in group.held
    int32_t subtopology;
    int32_t partition;
    struct streams_holder {
        struct streams_member *member;
        enum task_role role;
    } *holders;
    int32_t count;
    int32_t capacity;
};

// ---- Members ----

// What a member told of tasks whose state it has on disk: the sum over the changelogs of each.
struct streams_task_offsets {
    struct streams_task_offset {
        int32_t subtopology; // its number
        int32_t partition;
        int64_t offset;
    } *items; // owned; in order of task, each once
    int32_t count;
};

// The type 19 record; client tags are in order of key. A copy that owns its memory, in one allocation.
struct streams_subscription {
    struct streams_group_member_metadata_value value;
    struct streams_group_member_metadata_value_endpoint endpoint; // what value.user_endpoint points to
};

struct streams_member {
    struct map_node node;          // in group.members
    struct map_node instance_node; // in group.instances while it is the static member of that name
    struct streams_group *group;
    char *id;
    bool is_member;                // has a subscription; otherwise only records that go before it
    bool has_target;               // a type 21 record is there
    bool has_current;              // a type 22 record is there
    struct streams_subscription *subscription; // owned; NULL: none
    int32_t epoch;
    int32_t previous_epoch;
    int8_t state;                  // enum streams_member_state, or unknown
    struct task_sets assigned;
    struct task_sets pending_revocation;
    struct task_sets target;       // epochs mean nothing
    struct streams_task_offsets offsets;     // soft
    struct streams_task_offsets end_offsets; // soft
    struct coordinator_timer session_timer;
    struct coordinator_timer rebalance_timer; // while it has to give up tasks
    int32_t rebalance_epoch;       // the member epoch when that timer was set
};

// Settings that the assignor looks at, in order of key: of type 17 records.
struct streams_configs {
    struct streams_config {
        struct str key;
        struct str value;
    } *items; // and behind them the texts, when it is a copy
    int32_t count;
};

struct streams_group {
    struct groups *groups;
    struct group *group;
    struct map members;            // by id: struct streams_member
    struct map instances;          // by instance id
    struct map subtopologies;      // by id: struct streams_subtopology
    struct map held;               // by subtopology and partition: struct streams_held
    struct streams_subtopology **by_number;
    int32_t subtopology_count;
    int32_t subtopology_capacity;
    int32_t member_count;          // of those with is_member
    int32_t epoch;
    int32_t assignment_epoch;
    int64_t assignment_timestamp_ms; // wall clock; 0: compute the next at once
    int64_t metadata_hash;
    int32_t validated_topology_epoch;          // -1: none
    int32_t stored_description_topology_epoch; // -1: none; kept for Kafka, which has plugins that store
    int32_t failed_description_topology_epoch; // descriptions
    struct streams_topology *topology;     // owned; NULL: no record yet
    struct streams_configured *configured; // owned; NULL: not resolved since the topology or the load
    bool is_metadata_fresh;        // metadata_hash and `configured` belong to the newest image
    bool is_rebalancing;           // the journal has an open entry
    int32_t endpoint_epoch;        // rises when what members with endpoints have changes
    char *shutdown_member_id;      // who wants the application to end, until the group is empty; or NULL
    struct coordinator_timer initial_timer; // while the first target waits for more members
    struct streams_configs last_configs; // owned: what the assignor was told for the newest target
};

// ---- The group (streams_group.c) ----

// NULL: no member of this id, or only its leftovers.
struct streams_member *streams_find_member(const struct streams_group *sg, struct str id);
struct streams_member *streams_find_instance(const struct streams_group *sg, struct str instance_id);

// Members in any order: start with NULL, ends with NULL. With leftovers: skip those without is_member.
struct streams_member *streams_next(const struct streams_group *sg, const struct streams_member *m);

// Finds or makes the entry of a member.
struct streams_member *streams_get(struct streams_group *sg, struct str id);

// Frees an entry that says nothing any more.
void streams_drop_if_empty(struct streams_member *m);

// Takes over a copy; the member is one from now on.
void streams_set_subscription(struct streams_member *m,
                              const struct streams_group_member_metadata_value *value);

// It is none any more; its target may stay behind.
void streams_unset_subscription(struct streams_member *m);

// What a member has; the sets are taken. ERR_CORRUPT: a partition number out of bounds.
int streams_set_current(struct streams_member *m, int32_t epoch, int32_t previous_epoch, int8_t state,
                        struct task_sets *assigned, struct task_sets *pending_revocation);

bool streams_is_stable(const struct streams_group *sg); // every member has reached the target
const char *streams_state_name(const struct streams_group *sg); // as Kafka's tools print it

// A setting of this group or else of the broker: "streams.session.timeout.ms".
int32_t streams_setting(const struct streams_group *sg, const char *name);
int64_t streams_long_setting(const struct streams_group *sg, const char *name); // of type LONG

// The assignor of the group: "streams.assignor.name", or the first of "group.streams.assignors".
const char *streams_assignor_name(const struct streams_group *sg);

// ---- Tasks and who has them (streams_owners.c) ----

// The subtopology of an id, or NULL; and the id of a number that is in a set of tasks.
struct streams_subtopology *streams_find_subtopology(const struct streams_group *sg, struct str id);
struct str streams_subtopology_id(const struct streams_group *sg, int32_t number);

// Its number, given out when the id is new.
int32_t streams_number_subtopology(struct streams_group *sg, struct str id);

// The tasks of a set by subtopology, in order of its id, as records and answers have them: in one
// allocation, to be freed with mem_free().
struct streams_task_run {
    struct str subtopology_id;
    int32_t *partitions;
    int32_t *epochs;
    int32_t count;
};
struct streams_task_run *streams_task_runs_new(const struct streams_group *sg, const struct task_set *set,
                                               int32_t *count);

void streams_owners_release(struct streams_group *sg);

// Enters and takes out what a member has.
void streams_own(struct streams_member *m, const struct task_sets *sets);
void streams_disown(struct streams_member *m, const struct task_sets *sets);

// Whether a member may not have a task in a role yet: another one is active in it, or its own process
// still has it in some role.
bool streams_is_taken(const struct streams_member *m, enum task_role role, int32_t subtopology,
                      int32_t partition);

// ---- Subscriptions and topologies as values (streams_values.c) ----

struct streams_subscription *
streams_subscription_new(const struct streams_group_member_metadata_value *value);
void streams_subscription_free(struct streams_subscription *s);
bool streams_subscription_equal(const struct streams_group_member_metadata_value *a,
                                const struct streams_group_member_metadata_value *b);

void streams_sort_tags(struct streams_group_member_metadata_value_key_value_array *tags);

// NULL with *err ERR_NOMEM, ERR_CORRUPT, ...: `encoded` is the record's value behind its version.
struct streams_topology *streams_topology_new(struct bytes encoded, int *err);
void streams_topology_free(struct streams_topology *t);

// A topology of a request as a record says it, in `arena`; false when that is full.
struct streams_group_heartbeat_request_topology;
bool streams_topology_convert(const struct streams_group_heartbeat_request_topology *from,
                              struct arena *arena, struct streams_group_topology_value *out);

// Whether both say the same; the order of subtopologies does not matter.
bool streams_topology_equal(const struct streams_topology *t,
                            const struct streams_group_topology_value *value, struct arena *arena);

// Sorts subtopologies by id.
void streams_topology_sort(struct streams_group_topology_value *value);

// The topics that a topology needs, each once, in order of name; in `arena`, NULL when that is full.
struct str *streams_required_topics(const struct streams_group_topology_value *value,
                                    struct arena *arena, int32_t *count);

// All topics that a topology of a request names, each once, in order of name; as above.
struct str *streams_named_topics(const struct streams_group_heartbeat_request_topology *t,
                                 struct arena *arena, int32_t *count);

// Whether a subtopology reads the topic, and which one; NULL: none does.
const struct streams_group_topology_value_subtopology *
streams_reader_of(const struct streams_group_topology_value *value, struct str topic);

// ---- The topology in a cluster (streams_configure.c) ----

// Finds out how many partitions the internal topics need, which of them are missing and how many tasks
// there are. What is wrong with the topics is in the result; NULL with ERR_INVALID and words: with the
// topology; ERR_NOMEM. `value` must outlive the result, its subtopologies are in order of id.
struct streams_configured *streams_configure(const struct streams_group_topology_value *value,
                                             const struct metadata_image *image, int *err,
                                             struct diag *diag);
void streams_configured_free(struct streams_configured *c);

// NULL: not there, or the topology could not be resolved.
const struct streams_configured_subtopology *
streams_configured_find(const struct streams_configured *c, struct str id);

// The hash of the topics that the topology needs: see topic_hash.h.
int64_t streams_compute_hash(const struct streams_group_topology_value *value,
                             const struct metadata_image *image);

// ---- Records, inside a command (streams_records.c) ----

// The rest of a type 17 record stays as it is.
void streams_write_group(const struct streams_group *sg, int32_t epoch, int64_t metadata_hash,
                         int32_t validated_topology_epoch, const struct streams_configs *configs);
void streams_write_subscription(const struct streams_group *sg, struct str member_id,
                                const struct streams_group_member_metadata_value *value);
void streams_write_target(const struct streams_group *sg, struct str member_id,
                          const struct task_sets *target);
void streams_write_target_epoch(const struct streams_group *sg, int32_t assignment_epoch,
                                int64_t timestamp_ms);
void streams_write_current(const struct streams_group *sg, struct str member_id, int32_t epoch,
                           int32_t previous_epoch, int8_t state, const struct task_sets *assigned,
                           const struct task_sets *pending_revocation);
void streams_write_topology(const struct streams_group *sg,
                            const struct streams_group_topology_value *value);
void streams_write_member_tombstones(const struct streams_group *sg, struct str member_id);
void streams_write_group_tombstones(struct groups *g, const struct group *group);

// Begins and ends a command about the group. The end gives ERR_* of coordinator_end().
void streams_begin(struct streams_group *sg);
int streams_end(struct streams_group *sg);

// ---- Epochs and targets (streams_target.c) ----

// What the assignor is told of the settings, as a type 17 record has it. Texts in `arena`; false when that
// is full.
bool streams_current_configs(const struct streams_group *sg, struct arena *arena,
                             struct streams_configs *out);
bool streams_configs_equal(const struct streams_configs *a, const struct streams_configs *b);

// Tells the journal that something came up.
void streams_note_cause(struct streams_group *sg, const struct consumer_cause *cause);

// A new group epoch, a command of its own. `configs` NULL: as they were.
int streams_bump(struct streams_group *sg, const struct consumer_cause *cause, int64_t metadata_hash,
                 int32_t validated_topology_epoch, const struct streams_configs *configs);

// Makes the target of the newest group epoch if it is not made yet and the last one is old enough. A
// command of its own. *is_late: it is too early.
int streams_update_target(struct streams_group *sg, bool *is_late);

// The first target waits for more members; and the end of that.
void streams_start_initial_delay(struct streams_group *sg);

// ---- Leading a member to its target (streams_reconcile.c) ----

struct streams_group_heartbeat_request;

// What a member says that it has: of a request.
struct streams_owned {
    bool is_known; // false: it did not say
    struct task_sets tasks; // those of subtopologies that nobody knows are not there
};

// Takes the next step, a command of its own, and sets the rebalance timer. `target` NULL: nothing, while
// the first target is waited for. *changed: what it may do is not what it was. ERR_REFUSED: it is in a
// state that is not known here and has to begin anew.
int streams_reconcile(struct streams_member *m, const struct task_sets *target,
                      const struct streams_owned *owned, bool *changed);

// Tells the journal that a member has arrived, and that all have.
void streams_note_progress(struct streams_member *m);
void streams_note_stable(struct streams_group *sg);

// ---- Coming and going (streams_heartbeat.c, streams_leave.c) ----

void streams_start_session(struct streams_member *m);

// Of a member that has to give up tasks; cancels it for others.
void streams_start_rebalance_timer(struct streams_member *m);

// A member wants the whole application to end: all are told until the group is empty.
void streams_request_shutdown(struct streams_group *sg, struct str member_id);

// The request with epoch -1 or -2.
void streams_leave(struct groups *g, struct group_call *call,
                   const struct streams_group_heartbeat_request *request);

// Fills the response with an error alone.
void streams_set_error(struct group_call *call, enum kafka_error error);

// Ends the call with an error and words.
__attribute__((format(printf, 3, 4))) void streams_fail(struct group_call *call, enum kafka_error error,
                                                        const char *format, ...);

// ---- Who has which partitions (streams_endpoints.c) ----

// For a member whose endpoint_epoch is not the group's: false when the arena is full.
struct streams_group_heartbeat_response;
bool streams_answer_endpoints(const struct streams_member *m, struct arena *arena,
                              struct streams_group_heartbeat_response *reply);

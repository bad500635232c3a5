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
#include "group/streams_tasks.h"
#include "wire/record/streams_group_member_metadata_value.h"
#include "wire/record/streams_group_topology_value.h"

// FROZEN: in type 22 records. Other numbers are a later release's: a member in such a state has to begin
// anew.
enum streams_member_state {
    STREAMS_MEMBER_STABLE = 0,
    STREAMS_MEMBER_UNREVOKED = 1,
    STREAMS_MEMBER_UNRELEASED = 2,
};

// FROZEN: in responses.
enum streams_status {
    STREAMS_STATUS_STALE_TOPOLOGY = 0,
    STREAMS_STATUS_MISSING_SOURCE_TOPICS = 1,
    STREAMS_STATUS_INCORRECTLY_PARTITIONED_TOPICS = 2,
    STREAMS_STATUS_MISSING_INTERNAL_TOPICS = 3,
    STREAMS_STATUS_SHUTDOWN_APPLICATION = 4,
    STREAMS_STATUS_ASSIGNMENT_DELAYED = 5,
    STREAMS_STATUS_MISSING_CLIENT_TAGS = 6,
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

// A subtopology's id, which has a number that sets of tasks use; and who has its tasks.
struct streams_subtopology {
    struct map_node node; // in group.subtopologies
    char *id;
    int32_t number;
    struct streams_holders *tasks; // by partition
    int32_t task_capacity;
};

// Members that have a task, assigned or to be given up.
struct streams_holders {
    struct streams_holder {
        struct streams_member *member;
        enum task_role role;
    } *items;
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

// The type 19 record.
struct streams_subscription {
    struct streams_group_member_metadata_value value; // client tags are in order of key
    struct arena memory; // behind the value
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

struct streams_group {
    struct groups *groups;
    struct group *group;
    struct map members;            // by id: struct streams_member
    struct map instances;          // by instance id
    struct map subtopologies;      // by id: struct streams_subtopology
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
    // type 17: what the assignor was told when the newest target was made
    struct streams_config_array {
        struct streams_config {
            char *key;
            char *value;
        } *items;
        int32_t count;
    } last_configs;
};

// ---- The group (streams_group.c) ----

// NULL: no member of this id, or only its leftovers.
struct streams_member *streams_find_member(const struct streams_group *sg, struct str id);
struct streams_member *streams_find_instance(const struct streams_group *sg, struct str instance_id);

// Members in any order: start with NULL, ends with NULL. With leftovers: skip those without is_member.
struct streams_member *streams_next(const struct streams_group *sg, const struct streams_member *m);

// The subtopology of an id, or NULL; and of a number that is in a set of tasks.
struct streams_subtopology *streams_find_subtopology(const struct streams_group *sg, struct str id);
struct str streams_subtopology_id(const struct streams_group *sg, int32_t number);

bool streams_is_stable(const struct streams_group *sg); // every member has reached the target
const char *streams_state_name(const struct streams_group *sg); // as Kafka's tools print it

// A setting of this group or else of the broker: "streams.session.timeout.ms".
int32_t streams_setting(const struct streams_group *sg, const char *name);

// The assignor of the group: "streams.assignor.name", or the first of "group.streams.assignors".
const char *streams_assignor_name(const struct streams_group *sg);

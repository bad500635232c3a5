// SPDX-License-Identifier: Apache-2.0
//
// Writes the records of streams groups. FROZEN: as Apache Kafka 4.4 writes them.
#include "base/mem.h"
#include "group/streams.h"
#include "wire/record/streams_group_current_member_assignment_key.h"
#include "wire/record/streams_group_current_member_assignment_value.h"
#include "wire/record/streams_group_member_metadata_key.h"
#include "wire/record/streams_group_metadata_key.h"
#include "wire/record/streams_group_metadata_value.h"
#include "wire/record/streams_group_target_assignment_member_key.h"
#include "wire/record/streams_group_target_assignment_member_value.h"
#include "wire/record/streams_group_target_assignment_metadata_key.h"
#include "wire/record/streams_group_target_assignment_metadata_value.h"
#include "wire/record/streams_group_topology_key.h"

enum { VALUE_VERSION = 0 };

void streams_begin(struct streams_group *sg)
{
    struct coordinator *c = sg->groups->coordinator;
    coordinator_begin(c, coordinator_now(c));
}

int streams_end(struct streams_group *sg)
{
    coordinator_ticket ticket;
    return group_write_end(sg->groups, str_from(sg->group->id), &ticket);
}

static void write(const struct streams_group *sg, int16_t type, const void *key, const void *value)
{
    coordinator_write(sg->groups->coordinator, type, VALUE_VERSION, key, value);
}

static struct str group_id(const struct streams_group *sg)
{
    return str_from(sg->group->id);
}

void streams_write_group(const struct streams_group *sg, int32_t epoch, int64_t metadata_hash,
                         int32_t validated_topology_epoch, const struct streams_configs *configs)
{
    struct streams_group_metadata_key key = {.group_id = group_id(sg)};
    struct streams_group_metadata_value value;
    streams_group_metadata_value_init(&value);
    value.epoch = epoch;
    value.metadata_hash = metadata_hash;
    value.validated_topology_epoch = validated_topology_epoch;
    value.stored_description_topology_epoch = sg->stored_description_topology_epoch;
    value.failed_description_topology_epoch = sg->failed_description_topology_epoch;
    value.last_assignment_configs.count = configs->count;
    value.last_assignment_configs.items =
        mem_alloc_array((size_t)configs->count + 1, sizeof(*value.last_assignment_configs.items));
    for (int32_t i = 0; i < configs->count; i++) {
        value.last_assignment_configs.items[i].key = configs->items[i].key;
        value.last_assignment_configs.items[i].value = configs->items[i].value;
    }
    write(sg, GROUP_RECORD_STREAMS_GROUP_METADATA, &key, &value);
    mem_free(value.last_assignment_configs.items);
}

void streams_write_subscription(const struct streams_group *sg, struct str member_id,
                                const struct streams_group_member_metadata_value *value)
{
    struct streams_group_member_metadata_key key = {.group_id = group_id(sg), .member_id = member_id};
    write(sg, GROUP_RECORD_STREAMS_GROUP_MEMBER_METADATA, &key, value);
}

void streams_write_topology(const struct streams_group *sg,
                            const struct streams_group_topology_value *value)
{
    struct streams_group_topology_key key = {.group_id = group_id(sg)};
    write(sg, GROUP_RECORD_STREAMS_GROUP_TOPOLOGY, &key, value);
}

// ---- Targets ----

// A set as the record has it, with the runs that it points into.
struct target_array {
    struct streams_task_run *runs;
    struct streams_group_target_assignment_member_value_task_ids_array array;
};

static struct target_array target_array_new(const struct streams_group *sg, const struct task_set *set)
{
    struct target_array a;
    a.runs = streams_task_runs_new(sg, set, &a.array.count);
    a.array.items = mem_alloc_array((size_t)a.array.count + 1, sizeof(*a.array.items));
    for (int32_t i = 0; i < a.array.count; i++) {
        a.array.items[i].subtopology_id = a.runs[i].subtopology_id;
        a.array.items[i].partitions = (struct wire_int32_array){a.runs[i].partitions, a.runs[i].count};
    }
    return a;
}

void streams_write_target(const struct streams_group *sg, struct str member_id,
                          const struct task_sets *target)
{
    struct streams_group_target_assignment_member_key key = {.group_id = group_id(sg),
                                                             .member_id = member_id};
    struct streams_group_target_assignment_member_value value;
    struct target_array arrays[TASK_ROLE_COUNT];
    for (int role = 0; role < TASK_ROLE_COUNT; role++)
        arrays[role] = target_array_new(sg, &target->of[role]);
    streams_group_target_assignment_member_value_init(&value);
    value.active_tasks = arrays[TASK_ACTIVE].array;
    value.standby_tasks = arrays[TASK_STANDBY].array;
    value.warmup_tasks = arrays[TASK_WARMUP].array;
    write(sg, GROUP_RECORD_STREAMS_GROUP_TARGET_ASSIGNMENT_MEMBER, &key, &value);
    for (int role = 0; role < TASK_ROLE_COUNT; role++) {
        mem_free(arrays[role].runs);
        mem_free(arrays[role].array.items);
    }
}

void streams_write_target_epoch(const struct streams_group *sg, int32_t assignment_epoch,
                                int64_t timestamp_ms)
{
    struct streams_group_target_assignment_metadata_key key = {.group_id = group_id(sg)};
    struct streams_group_target_assignment_metadata_value value;
    streams_group_target_assignment_metadata_value_init(&value);
    value.assignment_epoch = assignment_epoch;
    value.assignment_timestamp = timestamp_ms;
    write(sg, GROUP_RECORD_STREAMS_GROUP_TARGET_ASSIGNMENT_METADATA, &key, &value);
}

// ---- What members have ----

struct current_array {
    struct streams_task_run *runs;
    struct streams_group_current_member_assignment_value_task_ids_array array;
};

// Only active tasks are known by the epoch in which the member got them.
static struct current_array current_array_new(const struct streams_group *sg, const struct task_sets *sets,
                                              enum task_role role)
{
    struct current_array a;
    a.runs = streams_task_runs_new(sg, &sets->of[role], &a.array.count);
    a.array.items = mem_alloc_array((size_t)a.array.count + 1, sizeof(*a.array.items));
    for (int32_t i = 0; i < a.array.count; i++) {
        streams_group_current_member_assignment_value_task_ids_init(&a.array.items[i]);
        a.array.items[i].subtopology_id = a.runs[i].subtopology_id;
        a.array.items[i].partitions = (struct wire_int32_array){a.runs[i].partitions, a.runs[i].count};
        if (role == TASK_ACTIVE)
            a.array.items[i].assignment_epochs =
                (struct wire_int32_array){a.runs[i].epochs, a.runs[i].count};
    }
    return a;
}

void streams_write_current(const struct streams_group *sg, struct str member_id, int32_t epoch,
                           int32_t previous_epoch, int8_t state, const struct task_sets *assigned,
                           const struct task_sets *pending_revocation)
{
    struct streams_group_current_member_assignment_key key = {.group_id = group_id(sg),
                                                              .member_id = member_id};
    struct streams_group_current_member_assignment_value value;
    struct current_array has[TASK_ROLE_COUNT], gives[TASK_ROLE_COUNT];
    for (enum task_role role = 0; role < TASK_ROLE_COUNT; role++) {
        has[role] = current_array_new(sg, assigned, role);
        gives[role] = current_array_new(sg, pending_revocation, role);
    }
    streams_group_current_member_assignment_value_init(&value);
    value.member_epoch = epoch;
    value.previous_member_epoch = previous_epoch;
    value.state = state;
    value.active_tasks = has[TASK_ACTIVE].array;
    value.standby_tasks = has[TASK_STANDBY].array;
    value.warmup_tasks = has[TASK_WARMUP].array;
    value.active_tasks_pending_revocation = gives[TASK_ACTIVE].array;
    value.standby_tasks_pending_revocation = gives[TASK_STANDBY].array;
    value.warmup_tasks_pending_revocation = gives[TASK_WARMUP].array;
    write(sg, GROUP_RECORD_STREAMS_GROUP_CURRENT_MEMBER_ASSIGNMENT, &key, &value);
    for (int role = 0; role < TASK_ROLE_COUNT; role++) {
        mem_free(has[role].runs);
        mem_free(has[role].array.items);
        mem_free(gives[role].runs);
        mem_free(gives[role].array.items);
    }
}

// ---- Tombstones ----

static void write_current_tombstone(const struct streams_group *sg, struct str member_id)
{
    struct streams_group_current_member_assignment_key key = {group_id(sg), member_id};
    write(sg, GROUP_RECORD_STREAMS_GROUP_CURRENT_MEMBER_ASSIGNMENT, &key, NULL);
}

static void write_target_tombstone(const struct streams_group *sg, struct str member_id)
{
    struct streams_group_target_assignment_member_key key = {group_id(sg), member_id};
    write(sg, GROUP_RECORD_STREAMS_GROUP_TARGET_ASSIGNMENT_MEMBER, &key, NULL);
}

static void write_subscription_tombstone(const struct streams_group *sg, struct str member_id)
{
    struct streams_group_member_metadata_key key = {group_id(sg), member_id};
    write(sg, GROUP_RECORD_STREAMS_GROUP_MEMBER_METADATA, &key, NULL);
}

// In this order: Kafka refuses to load a log in which a member is gone and its assignment is not.
void streams_write_member_tombstones(const struct streams_group *sg, struct str member_id)
{
    write_current_tombstone(sg, member_id);
    write_target_tombstone(sg, member_id);
    write_subscription_tombstone(sg, member_id);
}

void streams_write_group_tombstones(struct groups *g, const struct group *group)
{
    const struct streams_group *sg = group->streams;
    struct streams_member *m = NULL;
    (void)g;
    while ((m = streams_next(sg, m)) != NULL)
        write_current_tombstone(sg, str_from(m->id));
    while ((m = streams_next(sg, m)) != NULL)
        write_target_tombstone(sg, str_from(m->id));
    struct streams_group_target_assignment_metadata_key target_key = {group_id(sg)};
    write(sg, GROUP_RECORD_STREAMS_GROUP_TARGET_ASSIGNMENT_METADATA, &target_key, NULL);
    while ((m = streams_next(sg, m)) != NULL)
        write_subscription_tombstone(sg, str_from(m->id));
    struct streams_group_metadata_key key = {group_id(sg)};
    write(sg, GROUP_RECORD_STREAMS_GROUP_METADATA, &key, NULL);
    struct streams_group_topology_key topology_key = {group_id(sg)};
    write(sg, GROUP_RECORD_STREAMS_GROUP_TOPOLOGY, &topology_key, NULL);
}

// SPDX-License-Identifier: Apache-2.0
//
// Who gets which task of a streams group (KIP-1071): the task assignors as pure functions over plain
// structs, as assign.h has them for partitions. They know nothing of groups.
//
// Members and subtopologies are numbered by their place in the input, tasks by streams_assign_subtopology
// .first plus their own number. The same input gives the same output: members are in order of id,
// subtopologies in order of theirs.
//
// As from the assignor of Kafka 4.4, no warm-up tasks come out: a task moves at once, with what the
// standbys and the state directories of its new owner have. Nor do racks and client tags matter:
// streams.rack.aware.assignment.tags is kept with the group and changes nothing.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "group/assign.h"
#include "group/streams_tasks.h"

struct streams_assign_subtopology {
    struct str id;
    int32_t task_count;
    bool is_stateful; // has changelog topics: its tasks have standbys
    int32_t first;    // number of its task 0: set by streams_assign_number()
};

// What a member has said about a task for which it has state on its disk.
struct streams_assign_offset {
    int32_t task;
    int64_t offset; // the sum over its changelogs
};

struct streams_assign_member {
    struct str id;
    struct str process_id;  // members of one process share its state directory
    const int32_t *previous[TASK_ROLE_COUNT]; // the tasks that it has, rising
    int32_t previous_count[TASK_ROLE_COUNT];
    const struct streams_assign_offset *offsets; // rising by task
    int32_t offset_count;
};

struct streams_assign_input {
    struct streams_assign_subtopology *subtopologies;
    int32_t subtopology_count;
    const struct streams_assign_member *members;
    int32_t member_count; // > 0
    int32_t num_standby_replicas; // that a stateful task shall have; there may be fewer processes
};

// The caller's arrays, filled with members or ASSIGN_NOBODY.
struct streams_assign_output {
    int32_t *active;  // by task
    int32_t *standby; // num_standby_replicas of each task, one task after another; nobody comes last
};

// Numbers the tasks and gives how many there are.
int32_t streams_assign_number(struct streams_assign_subtopology *subtopologies, int32_t count);

typedef void (*streams_assign_function)(const struct streams_assign_input *in,
                                        struct streams_assign_output *out);

// Tasks stay where they are as far as the load of members and processes stays even; a task goes to a
// process that had it as a standby before it goes anywhere else. No process has a task twice.
void streams_assign_sticky(const struct streams_assign_input *in, struct streams_assign_output *out);

// "sticky"; NULL: there is none of this name.
struct streams_assignor {
    const char *name;
    streams_assign_function assign;
};
const struct streams_assignor *streams_assignor_find(struct str name);

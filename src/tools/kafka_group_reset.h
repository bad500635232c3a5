// SPDX-License-Identifier: Apache-2.0
//
// --reset-offsets of kafka-consumer-groups and kafka-streams-groups: what both do the same way. The tool
// decides which groups may be reset and how a plan is shown.
//
// Functions that return int give an exit status; `ended` tells that something was said which ends the
// command with it.
#pragma once

#include "tools/group_seek.h"
#include "tools/kafka_group_tools.h"

struct reset_plan {
    struct str group;
    struct admin_offsets items;
};

struct reset {
    struct tool *tool;
    const struct group_tool *kind;
    struct seek_target target;
    struct buf file;
    struct reset_plan *file_plans; // of --from-file
    int file_plan_count;
    struct reset_plan *plans; // what is shown
    int plan_count;
    bool ended;
};

void reset_init(struct reset *r, struct tool *t, const struct group_tool *kind);
void reset_release(struct reset *r);

// Reads where to go from the flags, and the file; waits for the topology.
int reset_prepare(struct reset *r, const struct group_ids *ids);

int reset_end(struct reset *r, int status);

// A new plan, empty; good until the next one.
struct reset_plan *reset_add(struct reset *r, struct str group);

// What the file says of a group; NULL after saying that it says nothing.
const struct admin_offsets *reset_given(struct reset *r, struct str group);

// What is to be reset, in order, each partition once: `given` when there is a file, else the topics of
// the flags or all of `committed`. Topics are views into those.
int reset_choose(struct reset *r, const struct admin_offsets *committed,
                 const struct admin_offsets *given, struct admin_offsets *out);

// Finds the offsets of the plan's partitions and, with --execute, commits them.
int reset_make(struct reset *r, struct reset_plan *plan, const struct admin_offsets *committed,
               const struct admin_offsets *given);

// The order in which Kafka's tool shows a plan; free it with mem_free().
int *reset_order(const struct admin_offsets *items);

// Shows all plans as CSV.
void reset_export(const struct reset *r);

// SPDX-License-Identifier: Apache-2.0
//
// Sets of tasks: what a member of a streams group has, what it is to have. A task is a partition of a
// subtopology. Subtopologies are known by their number in the group, see streams.h, so that sets are plain
// arrays: in order of subtopology and partition, each task once, with a number beside it: the epoch in
// which the member got it (KIP-1251), or 0 where that means nothing.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum task_role {
    TASK_ACTIVE,
    TASK_STANDBY,
    TASK_WARMUP,
    TASK_ROLE_COUNT,
};

struct task {
    int32_t subtopology;
    int32_t partition;
    int32_t epoch;
};

struct task_set {
    struct task *items; // owned
    int32_t count;
    int32_t capacity;
};

// One set for each role.
struct task_sets {
    struct task_set of[TASK_ROLE_COUNT];
};

void task_set_release(struct task_set *s);

// Appends; in any order: task_set_sort() puts it right.
void task_set_push(struct task_set *s, int32_t subtopology, int32_t partition, int32_t epoch);
void task_set_sort(struct task_set *s); // and drops what is there twice

// NULL: it is not there.
const struct task *task_set_find(const struct task_set *s, int32_t subtopology, int32_t partition);

// Appends all of another set and sorts.
void task_set_add_all(struct task_set *s, const struct task_set *from);

bool task_set_equal(const struct task_set *a, const struct task_set *b);      // epochs too
bool task_set_same_tasks(const struct task_set *a, const struct task_set *b); // without them

void task_sets_release(struct task_sets *s);
// `out` is empty or not initialised.
void task_sets_copy(struct task_sets *out, const struct task_sets *from);
void task_sets_move(struct task_sets *to, struct task_sets *from);        // releases `to` first
bool task_sets_are_empty(const struct task_sets *s);
bool task_sets_equal(const struct task_sets *a, const struct task_sets *b);
bool task_sets_same_tasks(const struct task_sets *a, const struct task_sets *b);

// The end of the run of tasks of one subtopology that begins at `i`.
int32_t task_set_run_end(const struct task_set *s, int32_t i);

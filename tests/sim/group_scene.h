// SPDX-License-Identifier: Apache-2.0
//
// What members of groups (group_members.h) live in: time, chance, the topics that there are, what
// they were promised (group_model.h), and a way to their coordinators. Embedded by its owner, who
// says how a question gets there: through the functions of a coordinator (group_world.h) or over
// sockets to a node (cluster_groups.h).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/heap.h"
#include "base/prng.h"
#include "base/uuid.h"
#include "group_model.h"

struct group_ask;
struct group_scene;
struct member;

// Something that happens later, once. Embedded.
struct scene_event {
    struct heap_node node;
    struct group_scene *scene;
    void (*run)(struct scene_event *event);
};

struct group_scene {
    // Sends it; later one of the group_ask_*() below ends it.
    void (*ask)(struct group_scene *s, struct group_ask *ask);
    // It asks nothing more. `is_dead`: it does not even wait for answers.
    void (*member_gone)(struct group_scene *s, struct member *member, bool is_dead);
    bool verbose;
    struct prng prng;
    int64_t now_ms; // kept by the owner
    struct heap events;
    struct uuid topic_ids[GROUP_TOPICS];
    int32_t partition_counts[GROUP_TOPICS];
    struct group_model model;
    uint64_t hash; // of everything that happened
    uint64_t asked;
    bool failed;
    char message[4096];
};

void scene_init(struct group_scene *s, uint64_t seed);
void scene_release(struct group_scene *s); // without events

// The history is wrong: keeps the first reason.
__attribute__((format(printf, 2, 3))) void scene_fail(struct group_scene *s, const char *format,
                                                      ...);

// Something happened: into the hash, and printed if wanted.
__attribute__((format(printf, 2, 3))) void scene_note(struct group_scene *s, const char *format,
                                                      ...);

uint64_t scene_below(struct group_scene *s, uint64_t bound);
bool scene_chance(struct group_scene *s, uint64_t numerator, uint64_t denominator);

// Sets an event, again if it is set.
void scene_at(struct group_scene *s, struct scene_event *event, int64_t delay_ms);
void scene_cancel(struct group_scene *s, struct scene_event *event);
int64_t scene_next_ms(const struct group_scene *s); // INT64_MAX: nothing is set

// Runs the next event that is due; false: none is.
bool scene_run_due(struct group_scene *s);

const char *scene_topic_name(int topic);
const char *scene_group_id(int group);
int scene_topic_of(const struct group_scene *s, struct str name, struct uuid id); // -1: none

// ---- Asking ----

// A request of a member under way.
struct group_ask {
    struct group_scene *scene;
    struct member *member;
    int group;
    int16_t api_key;
    int16_t version;
    void *request; // in the arena, of which the way may take for itself
    struct arena arena;
    // Called at most once; `response` NULL: there will be none, but it may still be acted on.
    void (*done)(struct group_ask *ask, const void *response);
    // Nothing comes of it that has not come. May be NULL.
    void (*dropped)(struct group_ask *ask);
    // The asker's:
    int64_t turn;
    int64_t sent_ms;
    int64_t commit;  // its number, or the moment of a question about offsets
    int topic, partition;
};

// With its request in its default state.
struct group_ask *group_ask_new(struct group_scene *s, struct member *member, int group,
                                int16_t api_key, int16_t version);

// Each ends and frees it: with its answer; without one, as the asker is told (`is_over`: nobody will act on
// it any more); without a word.
void group_ask_answer(struct group_ask *ask, const void *response);
void group_ask_fail(struct group_ask *ask, bool is_over);
void group_ask_drop(struct group_ask *ask);

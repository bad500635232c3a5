// SPDX-License-Identifier: Apache-2.0
//
// What groups must be, as their members can know it: which offsets may be committed, and who owns
// what. Every answer is held against it as it comes. For whoever plays members of groups, over any
// way to a coordinator (group_scene.h).
//
// A commit is known by its number, which is the offset that it commits and stands in its metadata.
// What is read must be a commit that nobody has answered for certain after it: a commit that was
// under way at the same time as another, or never got an answer, may come before or after it. A
// deletion is a commit of nothing.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    GROUP_TOPICS = 2,
    GROUP_PARTITIONS_MAX = 6, // of a topic
    GROUPS = 4,
    GROUP_MEMBERS_MAX = 64, // that there ever are in a history
};

struct partition_set {
    uint32_t bits[GROUP_TOPICS];
};

static inline bool partition_set_has(const struct partition_set *s, int topic, int partition)
{
    return (s->bits[topic] >> partition & 1) != 0;
}

// Moments are numbers of what happens, in order.
struct group_commit {
    int group, topic, partition;
    bool is_none;     // a deletion
    bool is_refused;  // by an answer that is definite: it has never been
    bool is_abandoned; // nobody waits for an answer any more: it dies with the coordinator at the latest
    int64_t begun;
    int64_t over;     // from when on it does nothing that it has not done; INT64_MAX: it still may
    int64_t replaced; // when it was known that something newer holds; INT64_MAX: it may hold
    int64_t next;     // of those of the partition that may hold; -1
};

struct group_claim {
    int group;             // -1: none
    int64_t incarnation;   // of the group
    int32_t generation;    // or member epoch
    int64_t until_ms;      // then its session may be over, and another may have its place
    struct partition_set owned;
};

struct group_model {
    struct group_commit *commits; // by number
    int64_t commit_count, commit_capacity;
    int64_t holding[GROUPS][GROUP_TOPICS][GROUP_PARTITIONS_MAX]; // first that may hold, -1
    int64_t none_replaced[GROUPS][GROUP_TOPICS][GROUP_PARTITIONS_MAX]; // the last time of that
    int64_t moment;
    int64_t incarnations[GROUPS];
    int deletions[GROUPS]; // under way
    int abandoned_deletions[GROUPS];
    struct group_claim claims[GROUP_MEMBERS_MAX];
    void (*complain)(void *owner, const char *what);
    void *owner;
};

void group_model_init(struct group_model *m, void (*complain)(void *owner, const char *what),
                      void *owner);
void group_model_release(struct group_model *m);

// ---- Offsets ----

// A commit is about to be sent: its number.
int64_t group_model_commit(struct group_model *m, int group, int topic, int partition);

// The same for the deletion of an offset.
int64_t group_model_delete(struct group_model *m, int group, int topic, int partition);

// It was answered: done; refused, so that it never happens. Or nothing of it is under way any more,
// and nobody knows what it has done; or not even that is known.
void group_model_done(struct group_model *m, int64_t number);
void group_model_refused(struct group_model *m, int64_t number);
void group_model_over(struct group_model *m, int64_t number);
void group_model_abandoned(struct group_model *m, int64_t number);

// The coordinator has died, and everything that was abandoned with it.
void group_model_all_over(struct group_model *m);

// The moment to give to group_model_read(), taken when the question is sent.
int64_t group_model_moment(struct group_model *m);

// What a question of that moment was told: an offset and its metadata, or -1.
void group_model_read(struct group_model *m, int64_t asked, int group, int topic, int partition,
                      int64_t offset, struct str metadata);

// True if something must be committed in the group: it is there.
bool group_model_must_exist(const struct group_model *m, int group);

// ---- Groups ----

// The deletion of a whole group: asked for, and then answered, or abandoned.
void group_model_deletion_begins(struct group_model *m, int group);
void group_model_deletion_ends(struct group_model *m, int group);
void group_model_deletion_abandoned(struct group_model *m, int group);

// A member believes that it owns these in this generation or epoch: nobody else may.
void group_model_claim(struct group_model *m, int member, int64_t now_ms,
                       const struct group_claim *claim);
void group_model_prolong(struct group_model *m, int member, int64_t until_ms);
void group_model_disclaim(struct group_model *m, int member);

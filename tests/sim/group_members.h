// SPDX-License-Identifier: Apache-2.0
//
// Members of groups as clients play them: a classic consumer that gives everything up before it
// joins (eager), one of the consumer protocol (KIP-848), and somebody who only commits. They commit
// and fetch offsets, leave, and vanish without a word; what they are told is checked as it comes:
// nobody who was a member a moment ago is unknown, nobody owns what another owns in the same
// generation, and what was committed holds (group_model.h).
#pragma once

#include "group_scene.h"

enum member_kind {
    MEMBER_CLASSIC,
    MEMBER_CONSUMER, // by the names of its topics, or a pattern
    MEMBER_SIMPLE,   // in no group: it commits for one
};

// More than a history has at a time.
enum { MEMBERS_ALIVE_MAX = 12 };

struct member;

// A member of this group that begins at once. `number` is below GROUP_MEMBERS_MAX.
struct member *member_new(struct group_scene *s, int group, enum member_kind kind, int number);

// Of any group, and of the kind that it has: the first is classic, the second of the consumer protocol, the
// third goes to and fro, and to the last one nobody belongs.
struct member *member_new_any(struct group_scene *s, int number);

void member_free(struct member *m); // when none of its requests can be answered any more

bool member_is_alive(const struct member *m);
int member_group(const struct member *m);
int member_number(const struct member *m);

// Says good-bye, or is gone.
void member_leave(struct member *m);
void member_vanish(struct member *m);

// True if it believes that it owns this partition.
bool member_owns(const struct member *m, int topic, int partition);

// Commits for something that it may, or asks for what is committed in its group.
void member_commit(struct member *m);
void member_fetch(struct member *m);

// True if all members are in their groups, and each partition has one owner in each of these; otherwise
// `why` has words.
enum { SETTLED_WORDS_MAX = 200 };
bool members_are_settled(const struct group_scene *s, struct member *const *members, int count, char *why,
                         size_t size);

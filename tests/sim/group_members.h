// SPDX-License-Identifier: Apache-2.0
//
// Members of groups as clients play them: a classic consumer that gives everything up before it
// joins (eager), and one of the consumer protocol (KIP-848). They commit and fetch offsets, leave,
// and vanish without a word; what they are told is checked as it comes.
#pragma once

#include "group_world.h"

struct member;

// A member of this group that begins at once. `classic`: else of the consumer protocol.
struct member *member_new(struct world *w, int group, bool classic, int number);
void member_free(struct member *m); // when no event of the world can come any more

bool member_is_alive(const struct member *m);
int member_group(const struct member *m);

// Says good-bye, or is gone.
void member_leave(struct member *m);
void member_vanish(struct member *m);

// True if it believes that it owns this partition.
bool member_owns(const struct member *m, int topic, int partition);

// Commits for something that it owns, or asks for what is committed in its group.
void member_commit(struct member *m);
void member_fetch(struct member *m);

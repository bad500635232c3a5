// SPDX-License-Identifier: Apache-2.0
//
// What the commands about groups share.
#pragma once

#include "tools/groups.h"
#include "tools/tool.h"

// Says what the cluster said about a group, with a fix; returns the exit status.
int group_fail(struct tool *t, struct str id, const struct admin_result *r);

// Connects and calls `each` for every argument, until nobody can be reached; returns the first status
// that is not EXIT_OK.
int group_for_each(struct tool *t, int bootstrap, int (*each)(struct tool *t, struct str id));

// Describes a group that must be there: EXIT_OK, or the exit status after saying why not. Release
// *out in any case.
int group_find(struct tool *t, struct str id, struct group_info *out);

// The partitions that the values of a FLAG_LIST name ("TOPIC" or "TOPIC:0,1"), in order: a whole
// topic is what of it is in `committed`, or, without, all partitions that the topic has. EXIT_OK,
// or the exit status after saying what is wrong. Names are views into the flags or `committed`.
int group_choose(struct tool *t, int flag, const struct admin_offsets *committed,
                 struct admin_offsets *out);

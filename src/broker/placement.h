// SPDX-License-Identifier: Apache-2.0
//
// Which log directory has a replica, or gets it. Belongs to a shard.
#pragma once

#include <stdbool.h>

struct log_dir;
struct metadata_partition;
struct partition;
struct partitions;

// The one that the metadata names, or NULL: it names none, or one that is not here.
struct log_dir *placement_dir_of(const struct partitions *ps, const struct metadata_partition *assigned);

// Where a new replica goes: not into a directory that is cordoned (KIP-1066) or full while there is
// another, and then to the one with the fewest. NULL when none is online.
struct log_dir *placement_choose(const struct partitions *ps);

// For a replica that was not found where it can be looked for. True, and said, if it may exist where it
// cannot: an empty one in its place would hide what it holds.
bool placement_is_unknown(const struct partitions *ps, const struct partition *p);

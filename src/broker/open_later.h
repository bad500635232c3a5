// SPDX-License-Identifier: Apache-2.0
//
// Partitions that a start found and could not open, since that takes a little room and the disk is full.
// They are tried again every second, as long as there are any; meanwhile requests get
// NOT_LEADER_OR_FOLLOWER, which clients try again. Belongs to a shard.
#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "env/timer.h"
#include "log/dir.h"

struct env;

struct open_item {
    struct list_node node;
    struct log_dir *dir;
    struct log_dir_scan scan;        // what it says of the directory; no partitions
    struct log_dir_partition found;  // with a topic of its own
};

struct open_later {
    struct env *env;
    struct list items;
    struct env_timer timer; // set while there are any
    void *owner;
    bool (*open)(void *owner, struct open_item *item); // true: this one is over
};

void open_later_init(struct open_later *o, struct env *env, void *owner,
                     bool (*open)(void *owner, struct open_item *item));

// Those that are left stay closed.
void open_later_release(struct open_later *o);

// Both are copied.
void open_later_add(struct open_later *o, struct log_dir *dir, const struct log_dir_scan *scan,
                    const struct log_dir_partition *found);

// SPDX-License-Identifier: Apache-2.0
//
// Partitions that exist in the metadata and cannot have a log yet: another topic of their name was here
// a moment ago, and the checkpoints on disk may still speak of it (log_dir_create_args()). They wait
// for the save that ends this, some milliseconds; meanwhile requests get NOT_LEADER_OR_FOLLOWER, which
// clients try again, as from a broker that has not heard of the partition yet.
#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "log/dir.h"

struct create_later;

struct create_later_args {
    struct log_dir *const *dirs; // borrowed, with the array
    int dir_count;
    void *owner;
    // Try this one again; its node is not linked any more. It may be added again.
    void (*create)(void *owner, struct list_node *node, struct log_dir *dir);
    // A save failed, but the directory is not offline (its disk is full): call create_later_retry() in
    // a while.
    void (*failed)(void *owner);
};

struct create_later *create_later_new(const struct create_later_args *args);

// No save of its directories may be under way.
void create_later_free(struct create_later *c);

// `node` belongs to whoever waits, who may unlink it at any time (list_remove()).
void create_later_add(struct create_later *c, struct log_dir *dir, struct list_node *node);

// Saves again where somebody waits.
void create_later_retry(struct create_later *c);

// SPDX-License-Identifier: Apache-2.0
//
// New partitions whose logs are planned (log_plan()) get their directories and files little by little,
// between other events: thousands that are created at once hold up nobody, and whoever uses one of them
// before its turn makes it at once. Belongs to a shard.
#pragma once

#include "base/list.h"
#include "env/timer.h"

struct env;

struct make_later {
    struct env *env;
    struct list nodes;
    struct env_timer timer; // set while there are any
    void *owner;
    void (*make)(void *owner, struct list_node *node); // it is not linked any more
};

void make_later_init(struct make_later *m, struct env *env, void *owner,
                     void (*make)(void *owner, struct list_node *node));

// Those that are left stay planned.
void make_later_release(struct make_later *m);

// `node` belongs to whoever waits, who may unlink it at any time (list_remove()).
void make_later_add(struct make_later *m, struct list_node *node);

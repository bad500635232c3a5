// SPDX-License-Identifier: Apache-2.0
#include "broker/open_later.h"

#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"

enum { RETRY_MS = 1000 };

static void arm(struct open_later *o)
{
    if (!list_empty(&o->items) && !env_timer_is_set(&o->timer))
        env_timer_set(o->env->timers, &o->timer,
                      env_mono_ns(o->env->clock) + RETRY_MS * INT64_C(1000000));
}

static void item_free(struct open_item *item)
{
    list_remove(&item->node);
    mem_free(item->found.topic);
    mem_free(item);
}

static void open_all(struct env_timer *timer)
{
    struct open_later *o = container_of(timer, struct open_later, timer);
    list_for_each (node, next, &o->items) {
        struct open_item *item = container_of(node, struct open_item, node);
        if (log_dir_is_offline(item->dir) ||
            (!log_dir_is_full(item->dir) && o->open(o->owner, item)))
            item_free(item);
    }
    arm(o);
}

void open_later_init(struct open_later *o, struct env *env, void *owner,
                     bool (*open)(void *owner, struct open_item *item))
{
    *o = (struct open_later){.env = env, .owner = owner, .open = open, .timer.fire = open_all};
    list_init(&o->items);
}

void open_later_release(struct open_later *o)
{
    struct list_node *node;
    env_timer_cancel(o->env->timers, &o->timer);
    while ((node = list_first(&o->items)) != NULL)
        item_free(container_of(node, struct open_item, node));
}

void open_later_add(struct open_later *o, struct log_dir *dir, const struct log_dir_scan *scan,
                    const struct log_dir_partition *found)
{
    struct open_item *item = mem_new(struct open_item);
    item->dir = dir;
    item->scan = *scan;
    item->scan.partitions = NULL;
    item->scan.count = 0;
    item->scan.cache = NULL;
    item->scan.synced = false; // a try that failed has written, too
    item->found = *found;
    item->found.cached = NULL;
    item->found.topic = mem_copy_text(found->topic);
    list_append(&o->items, &item->node);
    arm(o);
}

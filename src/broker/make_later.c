// SPDX-License-Identifier: Apache-2.0
#include "broker/make_later.h"

#include "env/clock.h"
#include "env/env.h"

enum {
    SLICE_COUNT_MAX = 32,      // made in one go: about 2 ms on an idle machine,
    SLICE_NS_MAX = 2 * 1000000, // and not much longer on a busy one
};

static void make_some(struct env_timer *timer)
{
    struct make_later *m = container_of(timer, struct make_later, timer);
    int64_t until_ns = env_mono_ns(m->env->clock) + SLICE_NS_MAX;
    struct list_node *node;
    for (int i = 0; i < SLICE_COUNT_MAX && (node = list_pop(&m->nodes)) != NULL; i++) {
        m->make(m->owner, node);
        if (env_mono_ns(m->env->clock) >= until_ns)
            break;
    }
    if (!list_empty(&m->nodes))
        env_timer_set(m->env->timers, timer, env_mono_ns(m->env->clock));
}

void make_later_init(struct make_later *m, struct env *env, void *owner,
                     void (*make)(void *owner, struct list_node *node))
{
    *m = (struct make_later){.env = env, .owner = owner, .make = make, .timer.fire = make_some};
    list_init(&m->nodes);
}

void make_later_release(struct make_later *m)
{
    env_timer_cancel(m->env->timers, &m->timer);
    while (list_pop(&m->nodes) != NULL)
        ;
}

void make_later_add(struct make_later *m, struct list_node *node)
{
    list_append(&m->nodes, node);
    if (!env_timer_is_set(&m->timer))
        env_timer_set(m->env->timers, &m->timer, env_mono_ns(m->env->clock));
}

// SPDX-License-Identifier: Apache-2.0
//
// Timers of one shard. A timer is embedded in its owner, fires once, and may be set again from its
// own callback. Nothing ticks: with no timer set the shard sleeps until something happens.
#pragma once

#include <stdint.h>

#include "base/heap.h"

struct env_timer {
    struct heap_node node; // the implementation's
    void (*fire)(struct env_timer *timer);
};

struct env_timers {
    void (*set)(struct env_timers *timers, struct env_timer *timer, int64_t mono_ns);
    void (*cancel)(struct env_timers *timers, struct env_timer *timer);
};

// Fires at the first opportunity at or after `mono_ns`; replaces an earlier setting.
static inline void env_timer_set(struct env_timers *timers, struct env_timer *timer, int64_t mono_ns)
{
    timers->set(timers, timer, mono_ns);
}

// Harmless when the timer is not set.
static inline void env_timer_cancel(struct env_timers *timers, struct env_timer *timer)
{
    timers->cancel(timers, timer);
}

static inline int env_timer_is_set(const struct env_timer *timer)
{
    return heap_contains(&timer->node);
}

// SPDX-License-Identifier: Apache-2.0
//
// Two clocks. Wall time is what records and people are given and may jump; monotonic time is what
// deadlines are made of and only grows. May be called from any thread.
#pragma once

#include <stdint.h>

struct env_clock {
    int64_t (*wall_ms)(struct env_clock *clock); // milliseconds since 1970-01-01T00:00Z
    int64_t (*mono_ns)(struct env_clock *clock); // nanoseconds since an arbitrary start
};

static inline int64_t env_wall_ms(struct env_clock *clock)
{
    return clock->wall_ms(clock);
}

static inline int64_t env_mono_ns(struct env_clock *clock)
{
    return clock->mono_ns(clock);
}

static inline int64_t env_mono_ms(struct env_clock *clock)
{
    return clock->mono_ns(clock) / 1000000;
}

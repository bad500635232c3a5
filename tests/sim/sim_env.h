// SPDX-License-Identifier: Apache-2.0
//
// The world on virtual time: one `struct sim` is the clock and the queue of everything that is going to
// happen; each `struct sim_env` is the env of one shard in it. Works run at some later moment and are
// done at a later one still; messages arrive in order. One seed decides all of it.
#pragma once

#include "base/heap.h"
#include "base/list.h"
#include "base/prng.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/mailbox.h"
#include "env/random.h"
#include "env/timer.h"
#include "env/work.h"

struct sim {
    struct prng prng;
    int64_t now_ns;      // monotonic
    int64_t wall_offset_ms;
    struct heap tasks;   // messages and steps of works, by time
    struct list envs;
    int64_t work_ns_max; // a step of a work takes up to this
    uint64_t steps;      // taken so far
};

void sim_init(struct sim *sim, uint64_t seed);
void sim_release(struct sim *sim);

// Takes the next thing that happens; false if nothing is to happen any more.
bool sim_step(struct sim *sim);

// Takes all that happens within `ns`, and lets so much time pass.
void sim_run_for(struct sim *sim, int64_t ns);

// Takes steps while there are messages and works (timers stay).
void sim_run_works(struct sim *sim);

// The env of one shard. Its fs is the caller's (sim_fs.h), net is NULL until there is one.
struct sim_env {
    struct env env;
    struct sim *sim;
    struct list_node node;
    struct env_clock clock;
    struct env_timers timers;
    struct env_workers workers;
    struct env_random random;
    struct env_mailbox mailbox;
    struct heap timer_heap;
    int task_count; // of its messages and works
};

void sim_env_init(struct sim_env *e, struct sim *sim, struct env_fs *fs);

// Takes the timers away. No message or work may be under way.
void sim_env_release(struct sim_env *e);

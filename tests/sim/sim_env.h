// SPDX-License-Identifier: Apache-2.0
//
// The world on virtual time: one `struct sim` is the clock and the queue of everything that is going to
// happen; each `struct sim_env` is the env of one shard in it. Works run at some later moment and are
// done at a later one still; messages from one shard to another arrive in order, but overtake those of
// other pairs. One seed decides all of it, and a hash over everything that happened tells whether two
// runs were the same.
//
// There is one thread, but it knows for whom it acts: what belongs to one shard (timers, sockets, works,
// randomness) may be used by that shard alone, and by whoever acts for none (a test, the world).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    struct heap events;  // struct sim_event, by time
    struct list envs;
    int64_t work_ns_max; // a step of a work takes up to this
    int64_t message_ns_max; // and most messages to another shard; now and then one takes far longer
    struct sim_env *current; // for whom something happens now; NULL: nobody
    bool in_work;            // and on one of its workers
    uint64_t steps;      // taken so far
    uint64_t hash;       // of all that happened so far
};

void sim_init(struct sim *sim, uint64_t seed);
void sim_release(struct sim *sim);

// Takes the next thing that happens; false if nothing is to happen any more.
bool sim_step(struct sim *sim);

// The same up to `until_ns`; false, and the time stays, if nothing is to happen until then.
bool sim_step_until(struct sim *sim, int64_t until_ns);

// Takes all that happens within `ns`, and lets so much time pass.
void sim_run_for(struct sim *sim, int64_t ns);

// Takes steps while there are messages and works (timers stay).
void sim_run_works(struct sim *sim);

// Something of the world itself (a packet, a fault) that happens at a time. Embedded in its owner.
struct sim_event {
    struct heap_node node;
    void (*fire)(struct sim_event *event);
};

// Replaces an earlier setting.
void sim_event_set(struct sim *sim, struct sim_event *event, int64_t delay_ns);
void sim_event_cancel(struct sim *sim, struct sim_event *event);
static inline bool sim_event_is_set(const struct sim_event *event)
{
    return heap_contains(&event->node);
}

// Takes something into the hash of what happened. Only what the seed decides: no addresses, and no
// bytes that nobody has written.
void sim_note(struct sim *sim, uint64_t value);
void sim_note_bytes(struct sim *sim, const void *data, size_t size);

enum { SIM_SENDERS_MAX = 8 };

// When the last message of a sender arrives.
struct sim_sender {
    const struct sim_env *env; // NULL: nobody's
    int64_t last_ns;
};

// The env of one shard. Its fs is the caller's (sim_fs.h), and so is its net (sim_net.h) if any.
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
    struct list tasks; // its messages and works
    struct sim_sender senders[SIM_SENDERS_MAX];
    int sender_count;
};

void sim_env_init(struct sim_env *e, struct sim *sim, struct env_fs *fs);

// What follows happens for this shard, on its thread, until sim_leave() with what is returned here.
struct sim_env *sim_enter(struct sim_env *e);
void sim_leave(struct sim *sim, struct sim_env *before);

// May be called for something of this shard, which is not a work: a bug if that is not so.
void sim_env_check_thread(const struct sim_env *e);

// Their process, of so many shards, has ended: its messages and works run to their end now, in no time,
// and nobody else's.
void sim_envs_drain(struct sim_env *envs, int count);

// The same with their timers, until *done: time goes on for these alone, and then back.
void sim_envs_run_out(struct sim_env *envs, int count, const bool *done);

// Takes the timers away. No message or work may be under way.
void sim_env_release(struct sim_env *e);

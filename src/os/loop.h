// SPDX-License-Identifier: Apache-2.0
//
// One shard: a thread with an event loop, and the `struct env` that belongs to it (env/env.h on
// Linux: epoll, an eventfd for messages, a few worker threads for what may block).
//
// Nothing ticks: with no timer set and nothing to do the thread sleeps in epoll_wait without a
// timeout. All functions are the loop thread's, but os_loop_stop() and posting to the mailbox, which
// any thread may do.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

struct env;
struct os_loop;

struct os_loop_options {
    // A loop that was just busy looks for messages this long before it sleeps: waking a sleeping
    // thread costs tens of microseconds. Costs CPU; 0 (right for a single shard) never spins.
    int64_t spin_ns;
    int worker_count_max;         // threads for env_work; 0 means 4. Started at the first submit.
    int listen_backlog;           // socket.listen.backlog.size; 0 means 50
    int socket_send_buffer_bytes; // of every connection; 0 or -1 leaves it to the system
    int socket_receive_buffer_bytes;
};

// A loop that does not run yet. `options` may be NULL. ERR_LIMIT when descriptors have run out.
int os_loop_new(const struct os_loop_options *options, struct os_loop **out, struct diag *diag);

// Ends the workers and frees the loop. No work may be under way, and what was made through its env
// (connections, listeners, timers) must be closed before.
void os_loop_free(struct os_loop *loop);

// The shard's environment; lives as long as the loop.
struct env *os_loop_env(struct os_loop *loop);

// Runs callbacks on the calling thread until os_loop_stop(). May be called again afterwards.
void os_loop_run(struct os_loop *loop);

// os_loop_run() on a thread of its own, which takes no signals. ERR_LIMIT when there can be none.
int os_loop_start(struct os_loop *loop, struct diag *diag);

// Stops it and waits for the end of that thread; harmless when there is none.
void os_loop_end(struct os_loop *loop);

// Lets os_loop_run() return after the callback that runs now. From any thread; not from a signal
// handler (see os/process.h).
void os_loop_stop(struct os_loop *loop);

// Runs what can be done now and returns; with `wait` it sleeps until there is something. For tests
// and for programs that own their main loop. True if anything was done.
bool os_loop_step(struct os_loop *loop, bool wait);

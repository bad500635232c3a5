// SPDX-License-Identifier: Apache-2.0
//
// What the files of os share about the loop.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/mailbox.h"
#include "env/net.h"
#include "env/random.h"
#include "env/timer.h"
#include "env/work.h"
#include "os/fs.h"
#include "os/loop.h"

// A descriptor in the epoll set. The owner embeds it and may close it (and itself) inside `event`
// of this or any other watch: see os__loop_bury().
struct os_watch {
    void (*event)(struct os_watch *watch, uint32_t epoll_events);
    int fd; // -1: closed, no more events
};

// Something to be freed when no event of the current batch can refer to it any more.
struct os_corpse {
    struct list_node node; // in os_loop.corpses
    void (*free)(struct os_corpse *corpse);
};

struct os_net {
    struct env_net net;
    struct os_loop *loop;
    struct list ready;   // connections with a wanted event that epoll will not report again
    uint8_t *scratch;    // small file ranges on their way into a packet; NULL until the first
    int open_count;      // connections and listeners
    int listen_backlog;
    int send_buffer_bytes;
    int receive_buffer_bytes;
};

struct os_workers;

struct os_loop {
    unsigned magic;
    struct env env;
    struct env_clock clock;
    struct env_random random;
    struct env_mailbox mailbox;
    struct env_timers timers;
    struct os_fs fs;
    struct os_net net;
    struct os_workers *workers;

    _Atomic(struct env_message *) messages; // posted, newest first; any thread pushes
    atomic_bool sleeping; // the loop is in epoll_wait or about to be: a wake-up is needed
    atomic_bool stopping;

    struct heap timer_heap;
    struct list corpses;
    struct os_watch wake;
    int epoll_fd;
    bool pwait2_missing; // a kernel or a filter without epoll_pwait2
    int64_t spin_ns;
    pthread_t thread; // of os_loop_start()
    bool has_thread;
};

// Adds a descriptor; `epoll_events` as in epoll_ctl(2). The watch must not move.
int os__watch_add(struct os_loop *loop, struct os_watch *watch, int fd, uint32_t epoll_events);
int os__watch_change(struct os_loop *loop, struct os_watch *watch, uint32_t epoll_events);

// Takes the descriptor out of the epoll set and leaves it open. No event of it may be under way.
void os__watch_remove(struct os_loop *loop, struct os_watch *watch);

// Closes the descriptor; harmless when it is closed.
void os__watch_close(struct os_watch *watch);

// Frees `corpse` after the current batch of events. Its watch must be closed.
void os__loop_bury(struct os_loop *loop, struct os_corpse *corpse);

// Makes sure that the loop looks at its queues. From any thread.
void os__loop_wake(struct os_loop *loop);

// net.c
void os__net_init(struct os_net *net, struct os_loop *loop, const struct os_loop_options *options);
void os__net_release(struct os_net *net);
bool os__net_run_ready(struct os_net *net);
bool os__net_has_ready(const struct os_net *net);

// net_owner.c: who listens on a TCP port, for an error message; "" when that is not to be known.
enum { OS_OWNER_TEXT_MAX = 96 };
void os__net_port_owner(uint16_t port, char out[OS_OWNER_TEXT_MAX]);

// workers.c
struct os_workers *os__workers_new(struct os_loop *loop, int thread_count_max);
void os__workers_free(struct os_workers *workers);
struct env_workers *os__workers_env(struct os_workers *workers);
bool os__workers_run_done(struct os_workers *workers);
bool os__workers_has_done(struct os_workers *workers);

// SPDX-License-Identifier: Apache-2.0
//
// Work that may block for milliseconds (a sync, a cold read, a scan, deleting files) and so must
// not run on a shard. The work is a struct embedded in its owner: submit it, and `run` is called on
// some worker thread, then `done` on the shard that submitted it.
//
// Between submit and done the work, and whatever `run` touches, belongs to the worker. `run` may use
// env/fs.h and env/clock.h and nothing else of an env. There is no cancelling: an owner that wants to
// go away waits for `done`.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct env_work {
    void (*run)(struct env_work *work);  // on a worker thread
    void (*done)(struct env_work *work); // on the submitting shard
    bool bulk;                           // may take seconds and can wait: reads from a slow device,
                                         // deletions. Some workers are kept free of these, for syncs.
    struct env_work *next;               // the implementation's
    void *home;                          // the implementation's
};

struct env_workers {
    void (*submit)(struct env_workers *workers, struct env_work *work);
    int (*turn)(struct env_workers *workers); // NULL: there is never anything to wait for
};

// For a bulk work on its thread, before each piece that it asks of the device: syncs that are under way
// go first, since whatever a device was asked for before makes them wait. Returns how many bytes it may
// ask for at once before its next turn: few beside syncs, ENV_WORK_TURN_MAX when there were none for a
// while. It is never kept for long.
enum { ENV_WORK_TURN_MIN = 64 * 1024, ENV_WORK_TURN_MAX = 1024 * 1024 };

static inline int env_work_turn(struct env_workers *workers)
{
    return workers->turn != NULL ? workers->turn(workers) : ENV_WORK_TURN_MAX;
}

static inline void env_work_submit(struct env_workers *workers, struct env_work *work)
{
    workers->submit(workers, work);
}

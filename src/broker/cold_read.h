// SPDX-License-Identifier: Apache-2.0
//
// Brings what a fetch needs from the device into memory on a worker, before it is read and sent: a
// consumer that reads what nobody read for long must not let the shard, and with it everybody else, wait
// for the disk.
#pragma once

#include <stdint.h>

#include "env/work.h"
#include "log/log.h"

struct arena;
struct env;

// One range: of a partition whose index or batches were not in memory, so that nothing was read, or what
// was read and cannot be sent yet.
struct cold_range {
    struct log_warm warm; // of the first kind
    const struct log_slice *slice; // of the second; NULL
};

// Embedded in whoever waits.
struct cold_read {
    struct env_work work;
    struct env *env;
    struct cold_range *ranges;
    int count;
    int capacity;
    void (*done)(struct cold_read *read);
};

// For at most `capacity` ranges. False if there is no memory for that.
bool cold_read_init(struct cold_read *read, struct arena *arena, struct env *env, int capacity);

// Adds the place of an offset in a log, and `bytes` from there on.
void cold_read_add_place(struct cold_read *read, struct log *log, int64_t offset, size_t bytes);

// Adds what was read: the slice stays as it is until `done`.
void cold_read_add_slice(struct cold_read *read, const struct log_slice *slice);

// Reads all ranges; `done` follows, if there are any. What cannot be read is no matter here: sending it
// will tell. Nothing of `read` is needed any more when `done` is called. False: there are none.
bool cold_read_start(struct cold_read *read, void (*done)(struct cold_read *read));

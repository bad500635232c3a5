// SPDX-License-Identifier: Apache-2.0
//
// Brings ranges of segment files into the page cache on a worker, before they are sent: a consumer that
// reads what nobody read for long must not let the shard, and with it everybody else, wait for the disk.
#pragma once

#include <stdint.h>

#include "env/work.h"

struct env;
struct fs_file;

struct cold_range {
    struct fs_file *file; // held open by whoever asks
    int64_t position;
    int64_t size;
};

// Embedded in whoever waits, who fills `ranges`, `count` and `done` and keeps all of it until `done`.
struct cold_read {
    struct env_work work;
    struct cold_range *ranges;
    int count;
    void (*done)(struct cold_read *read);
};

// True if sending the range would wait for the device, as far as can be known.
bool cold_range_is_cold(const struct cold_range *range);

// Reads all ranges; `done` follows. What cannot be read is no matter here: sending it will tell.
void cold_read_start(struct env *env, struct cold_read *read);

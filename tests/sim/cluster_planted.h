// SPDX-License-Identifier: Apache-2.0
//
// Bugs on purpose, to see that the simulation would catch them: a file system between node and disk
// that makes of a right node a wrong one.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "env/fs.h"

struct planted_fs;
struct process;

enum planted {
    PLANTED_NONE,
    PLANTED_EARLY_ACK,      // an append is acknowledged before it is durable
    PLANTED_EARLY_RECOVERY, // the recovery point is written before the data below it
    PLANTED_OLD_INDEX,      // after a crash, indexes are trusted as they are found
    PLANTED_EARLY_GROUP,    // the same as the first, of what coordinators of groups append
    PLANTED_UNKNOWN,
};

// "early-ack", "early-recovery-point", "old-index", "early-group".
enum planted planted_find(const char *name);
const char *planted_name(enum planted planted);

// Between `process` and its disk.
struct planted_fs *planted_fs_new(enum planted planted, struct process *process, uint64_t seed);
void planted_fs_free(struct planted_fs *p);
struct env_fs *planted_fs_env(struct planted_fs *p);

// The process has ended, and the disk has not lost anything yet.
void planted_fs_crash(struct planted_fs *p);

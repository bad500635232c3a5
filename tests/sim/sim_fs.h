// SPDX-License-Identifier: Apache-2.0
//
// A file system in memory that crashes. It keeps what the contract of env/fs.h promises and nothing
// more: at a power loss the bytes of a file that were not synced survive block by block as chance
// wants, and so do directory entries that were not synced. One seed decides everything.
#pragma once

#include "base/prng.h"
#include "base/trace.h"
#include "env/clock.h"
#include "env/fs.h"

struct sim;
struct sim_fs;

// What a crash does to what was not synced.
enum sim_crash {
    SIM_CRASH_KILL,   // the process ends; the page cache stays (and may be lost by a later crash)
    SIM_CRASH_ALL,    // power loss: everything that was not synced is gone
    SIM_CRASH_PREFIX, // power loss: each file and directory keeps a prefix of its changes
    SIM_CRASH_RANDOM, // power loss: each block and each entry decides for itself
};

enum sim_op {
    SIM_OP_OPEN = 1,
    SIM_OP_READ = 2,
    SIM_OP_WRITE = 4,
    SIM_OP_SYNC = 8,      // of files, directories and everything
    SIM_OP_CHANGE = 16,   // truncate, rename, remove, make_dir
    SIM_OP_LOOK = 32,     // stat, list, size
    SIM_OP_ANY = 63,
    SIM_OP_MUTATE = SIM_OP_OPEN | SIM_OP_WRITE | SIM_OP_SYNC | SIM_OP_CHANGE,
};

// `clock` gives the times of files.
struct sim_fs *sim_fs_new(uint64_t seed, struct env_clock *clock);
void sim_fs_free(struct sim_fs *fs);
struct env_fs *sim_fs_env(struct sim_fs *fs);

// Every operation that changes something, and its result, is taken into the hash of `sim` from now on.
void sim_fs_note_in(struct sim_fs *fs, struct sim *sim);

// The `nth` operation from now (1: the next) among `ops` fails with `err`; 0 takes the fault away. A
// failing write may have written a part. With `sticky` all that follow fail too.
void sim_fs_fail_at(struct sim_fs *fs, uint64_t nth, unsigned ops, int err, bool sticky);

// True since a fault of sim_fs_fail_at() has struck.
bool sim_fs_has_failed(const struct sim_fs *fs);

// Before the `nth` mutating operation from now (in a write: maybe in the middle) the process dies: from
// then on every call fails with ERR_CLOSED and has no effect, until sim_fs_restart().
void sim_fs_crash_at(struct sim_fs *fs, uint64_t nth);
void sim_fs_crash(struct sim_fs *fs);
bool sim_fs_is_crashed(const struct sim_fs *fs);

// What the next process finds. Handles of the former one must be closed.
void sim_fs_restart(struct sim_fs *fs, enum sim_crash crash);

// Bytes that all files together may have; writes beyond fail with ERR_NOSPC, in part.
void sim_fs_set_capacity(struct sim_fs *fs, int64_t bytes);

// Bytes that they have now.
int64_t sim_fs_used(const struct sim_fs *fs);

// Operations so far, of those in `ops`.
uint64_t sim_fs_count(const struct sim_fs *fs, unsigned ops);

// Calls of fs_file_sync_all() that did it.
uint64_t sim_fs_sync_alls(const struct sim_fs *fs);

// Files open now.
int sim_fs_open_count(const struct sim_fs *fs);

// For tests that damage files: flips bits in the durable and current contents. False if there is no
// such byte.
bool sim_fs_flip(struct sim_fs *fs, const char *path, int64_t position, uint8_t bits);

// Prints name and sizes (now, on disk) of all files below a directory, without disturbing anything.
void sim_fs_print(struct sim_fs *fs, const char *path);

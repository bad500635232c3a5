// SPDX-License-Identifier: Apache-2.0
//
// The seam between Chitin and the world. Everything above it asks the world for time, files,
// sockets, threads and randomness through these few tables of functions and through nothing else.
// src/os implements them on Linux; tests/sim implements them on virtual time with faults.
//
// One `struct env` belongs to one shard: a thread with an event loop. All callbacks of an env run
// on its thread, one after the other. What another thread has to say arrives as a message
// (env/mailbox.h) or as the completion of a work (env/work.h).
#pragma once

struct env_clock;
struct env_fs;
struct env_mailbox;
struct env_net;
struct env_random;
struct env_timers;
struct env_workers;

struct env {
    struct env_clock *clock;     // env/clock.h
    struct env_timers *timers;   // env/timer.h
    struct env_fs *fs;           // env/fs.h
    struct env_workers *workers; // env/work.h
    struct env_net *net;         // env/net.h
    struct env_random *random;   // env/random.h
    struct env_mailbox *mailbox; // env/mailbox.h, this shard's own
};

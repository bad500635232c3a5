// SPDX-License-Identifier: Apache-2.0
//
// What a running command has: its flags, its two streams and, once it asks, a client of the cluster.
// Nothing is set up before it is needed: `--help` costs no socket and no thread.
//
// Standard output carries data alone; everything said about the run goes to standard error.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/diag.h"
#include "tools/command.h"

struct driver;
struct env;

// Where text goes: collected, and written out when it is much, at the end, or when asked.
struct sink {
    struct buf buf;
    // Writes all bytes; false when the reader has gone. NULL keeps everything in buf (tests).
    bool (*write)(struct sink *sink, struct bytes bytes);
    int descriptor;
    bool broken; // the reader has gone; what follows is dropped
};

void sink_flush(struct sink *sink);

// Writes out when more than a few tens of KiB have collected.
void sink_flush_if_large(struct sink *sink);

// The surroundings of a command: the system in the program, a simulation in tests.
struct host {
    // The env, made on first use; NULL with diag set when the system refuses.
    struct env *(*env)(struct host *host, struct diag *diag);
    // Runs callbacks of the env; waits until there is one.
    void (*turn)(struct host *host);
    // Blocking read of standard input: bytes read, 0 at the end, a negative error. May be called from
    // a worker thread.
    int64_t (*read_input)(struct host *host, void *out, size_t size);
    // Calls `on_stop` on the env's thread once the user asks to stop (SIGINT, SIGTERM), and ends the
    // process the second time, or when on_stop is NULL.
    int (*catch_stop)(struct host *host, void (*on_stop)(void *context), void *context,
                      struct diag *diag);
    bool keep_loop; // a worker still reads standard input: the loop ends with the process
    bool input_is_terminal;
    bool output_is_terminal;
    bool error_is_terminal;
    const char *(*getenv)(struct host *host, const char *name);
};

struct tool {
    const struct command *command;
    const char *program; // as called
    bool alias;          // one of the kafka-* names
    struct flags flags;
    struct sink out;
    struct sink err;
    struct host *host;
    struct driver *driver; // see tools/driver.h; NULL until the command connects
};

// A tool that keeps what it prints in t->out.buf and t->err.buf; set the sinks' `write` otherwise.
void tool_init(struct tool *t, struct host *host);
void tool_release(struct tool *t);

// "chitin topic create: TEXT" on standard error; returns `status` (1 for an alias).
__attribute__((format(printf, 3, 4))) int tool_fail(struct tool *t, int status, const char *format,
                                                    ...);

// A usage error: the text, and where to read more. Returns EXIT_USAGE (1 for an alias).
__attribute__((format(printf, 2, 3))) int tool_usage(struct tool *t, const char *format, ...);

__attribute__((format(printf, 2, 3))) void tool_warn(struct tool *t, const char *format, ...);

// Runs the command line as the program would: returns the exit status. Streams are flushed.
int tool_main(struct tool *t, int argc, char **argv);

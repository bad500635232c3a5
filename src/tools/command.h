// SPDX-License-Identifier: Apache-2.0
//
// The table of commands: `chitin` words and kafka-* aliases alike. A command is its name, its flags,
// its help and a function; dispatch, `--help`, shell completion and manual pages come from here.
#pragma once

#include "tools/flags.h"

struct tool;

// Exit statuses, stable. The kafka-* aliases exit as Kafka's tools do: 0 or 1.
enum exit_status {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOT_FOUND = 3,
    EXIT_DENIED = 4,
    EXIT_UNREACHABLE = 5, // or another condition under which trying again may help
};

struct command {
    const char *name;      // "topic create"; "kafka-topics" for an alias
    const char *arguments; // "TOPIC...", "" for none
    const char *summary;   // one line, for the list of commands
    const char *text;      // paragraphs and examples of --help
    const struct flag_def *flags;
    int flag_count;
    int arg_min; // number of arguments that are not flags
    int arg_max; // -1 = any number
    enum flags_mode mode;
    // Runs with t->flags filled; returns an exit status.
    int (*run)(struct tool *t);
    // Runs instead with the rest of the command line as it is (server): returns an exit status.
    int (*run_raw)(int argc, char **argv);
};

extern const struct command *const commands[]; // of the chitin program, NULL terminated
extern const struct command *const aliases[];  // by the name of the program, NULL terminated

// The command that the words argv[0..argc) begin with, and in *words how many belong to its name;
// NULL if there is none.
const struct command *command_find(int argc, char **argv, int *words);

// The alias for a program name, "/usr/bin/kafka-topics.sh" for example, or NULL.
const struct command *alias_find(const char *program);

// True for one of aliases[].
bool command_is_alias(const struct command *c);

// Appends what --help shows.
void command_help(struct buf *out, const struct command *c);

// Appends the list of commands, all or those that begin with the word `prefix`.
void command_list(struct buf *out, const char *prefix);

// SPDX-License-Identifier: Apache-2.0
//
// What `chitin produce` and kafka-console-producer share: reads lines, makes records of them, sends
// them and reports each one that failed with its line.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "client/producer.h"

struct tool;

enum sender_parse { SENDER_RECORD, SENDER_SKIP, SENDER_ERROR };

struct sender {
    struct tool *tool;
    struct str topic;
    struct producer_options options;
    bool prompt; // show "> " on standard output before each line
    const char *prompt_text;
    bool one_by_one; // wait for each record before the next

    // Makes a record of a line; what it points to lives until the next call. SENDER_ERROR with words
    // in `diag` ends the run.
    enum sender_parse (*parse)(void *user, struct str line, int64_t number,
                               struct produce_record *out, struct diag *diag);
    // A record was delivered; may be NULL.
    void (*delivered)(void *user, const struct produce_result *result);
    void *user;

    int64_t delivered_count; // set by sender_run()
    int64_t failed_count;
};

// Runs to the end of standard input; the tool must be connected. Returns an exit status, after
// saying why when it is not 0.
int sender_run(struct sender *s);

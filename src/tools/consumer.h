// SPDX-License-Identifier: Apache-2.0
//
// What `chitin consume` and kafka-console-consumer share: reads topics over a fetcher until a limit,
// an idle time, the end or the user ends it, and prints each record.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/fetcher.h"

struct tool;

typedef void (*consumer_print_fn)(void *user, const struct fetched *record, int64_t count,
                                  struct buf *out);

struct consumer {
    struct tool *tool;
    const struct str *topics;
    int topic_count;
    bool create_topics; // let the broker create them, if it does
    const int32_t *partitions; // of every topic; NULL = all
    int partition_count;
    struct fetch_position position;
    struct fetch_limit limit;
    struct fetcher_options options;
    int64_t count_max;   // -1 = no limit
    int64_t idle_ms_max; // ends when nothing came for this long, -1 = never
    consumer_print_fn print;
    void *user;

    int64_t count;  // records printed; set by consumer_run()
    bool idle;      // ended by idle_ms_max
    bool stopped;   // ended by the user
};

// What was said last, so that it is not said again and again.
struct consumer_trouble {
    char text[256];
};

// What a partition has to report, in words on standard error. The last one returns an exit status.
void consumer_warn_trouble(struct tool *t, const struct fetch_event *e, struct consumer_trouble *last);
void consumer_warn_reset(struct tool *t, const struct fetch_event *e);
int consumer_fail_fetch(struct tool *t, const struct fetch_event *e);

// Runs to the end; the tool must be connected. Returns an exit status, after saying why when it is
// not 0.
int consumer_run(struct consumer *c);

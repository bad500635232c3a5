// SPDX-License-Identifier: Apache-2.0
//
// What `chitin consume --group` and kafka-console-consumer share: reads topics as a member of a group
// until a limit, an idle time or the user ends it, prints each record, and leaves the group. A record
// counts as done with once it is written to standard output, and no sooner: what was printed may come
// again after a crash, what was not printed always does.
//
// One thread does everything: while standard output takes nothing, nobody tells the coordinator that
// this member is there. Past the session timeout its partitions go to others; it joins again and goes
// on at what was committed.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/group_reader.h"
#include "tools/consumer.h"

struct group_consumer {
    struct tool *tool;
    struct group_reader_options options; // wall_ahead_ms and member_id are filled in
    bool commit_each;     // commit whenever something was written, not just at intervals
    int64_t count_max;    // -1 = no limit
    int64_t idle_ms_max;  // ends when nothing came for this long, -1 = never
    bool idle_from_start; // joining is idle time, too; else it begins with the first assignment
    bool verbose;         // say which partitions come and go
    const char *no_offset_fix; // what to do where nothing is committed and there is no default
    consumer_print_fn print;
    void *user;

    int64_t count;  // records printed; set by group_consumer_run()
    bool idle;      // ended by idle_ms_max
    bool stopped;   // ended by the user
};

// Runs to the end; the tool must be connected. Returns an exit status, after saying why when it is
// not 0.
int group_consumer_run(struct group_consumer *c);

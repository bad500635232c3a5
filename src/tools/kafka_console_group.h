// SPDX-License-Identifier: Apache-2.0
//
// kafka-console-consumer as a member of a group.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/properties.h"
#include "tools/group_consumer.h"

struct console_group {
    const char *group;    // --group, or NULL
    const char *topic;    // --topic, or NULL and
    const char *include;  // --include
    bool from_beginning;
};

// Adds to the settings what the tool decides by itself, joins and reads until the end: `c` has the limits
// and the printer. Returns an exit status. With neither --group nor group.id it is a group of its own,
// "console-consumer-NNN", which commits nothing unless enable.auto.commit says so.
int console_group_run(struct tool *t, struct properties *settings, const struct console_group *g,
                      struct group_consumer *c);

// Says what --group, group.id and --partition contradict each other in; an exit status.
int console_group_check(struct tool *t, const struct properties *settings, const char *group,
                        bool partition);

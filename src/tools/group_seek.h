// SPDX-License-Identifier: Apache-2.0
//
// Where a group is to go on: the targets of `group seek` and kafka-consumer-groups --reset-offsets.
#pragma once

#include <stdint.h>

#include "base/diag.h"
#include "tools/groups.h"

struct driver;

enum seek_kind {
    SEEK_TO_START,
    SEEK_TO_END,
    SEEK_TO_OFFSET,  // `value`
    SEEK_TO_TIME,    // the first record at or after `value`, else the end
    SEEK_TO_BY,      // `value` further than what is committed
    SEEK_TO_CURRENT, // what is committed, else the end
    SEEK_TO_OTHER,   // where the group `text` is
    SEEK_TO_FILE,    // as the lines of the file `text` say: TOPIC,PARTITION,OFFSET
};

struct seek_target {
    enum seek_kind kind;
    int64_t value;
    struct str text;
};

// "start", "end", "current", "N", "@TIME" (tools/offsets.h), "+N", "-N", "group:G", "file:PATH".
// ERR_INVALID with the cause in `diag`.
int seek_target_parse(struct str text, int64_t now_ms, struct seek_target *out, struct diag *diag);

// Sets `offset` of each item to where it is to go on, within what its log holds; `committed` is
// what the group has now. An item without a target keeps offset -1: nothing is changed for it.
// SEEK_TO_OTHER and SEEK_TO_FILE are the caller's: it gives their offsets as `given`. Partitions
// that do not answer have `code` set.
void group_seek_plan(struct driver *d, const struct seek_target *target,
                     const struct admin_offsets *committed, const struct admin_offsets *given,
                     struct admin_offsets *items);

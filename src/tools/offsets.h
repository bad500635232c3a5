// SPDX-License-Identifier: Apache-2.0
//
// Where to start and stop reading, as people type it:
//
//     start  end           the first offset, the end of the log
//     47                   offset 47
//     +2  -3               two after the first offset, three before the end
//     A:B  A:  :B          from A up to, not including, B (A and B are any of the above)
//     @1700000000000       the first record at or after this time: milliseconds, or
//     @2026-11-21          a date, or
//     @2026-11-21T16:05Z   a date and time (UTC unless it says otherwise), or
//     @-10m                this long ago
//     @T1:T2  @T1:  @:T2   between two times
//
// A range ends the command when it was read.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/diag.h"

enum offset_kind {
    OFFSET_START,    // `value` after the first offset
    OFFSET_END,      // `value` before the end
    OFFSET_EXACT,    // `value`
    OFFSET_TIME,     // first record at or after `value`, wall time in milliseconds
    OFFSET_NEVER,    // as an end: follow
};

struct offset_point {
    enum offset_kind kind;
    int64_t value;
};

struct offset_range {
    struct offset_point from;
    struct offset_point to; // exclusive
};

// Reads the grammar above; ERR_INVALID with the cause in `diag`.
int offset_range_parse(struct str text, int64_t now_ms, struct offset_range *out, struct diag *diag);

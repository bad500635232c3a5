// SPDX-License-Identifier: Apache-2.0
//
// Assertions that are always on. A failed check is a bug in this program: it names the place and
// stops the process. Bytes that came from a peer or a disk never reach a check(); they are
// operating errors and are returned (see err.h).
#pragma once

// Stops the process when `condition` is false. Evaluated exactly once, in every build.
#define check(condition)                                                                          \
    ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__, __func__))

// Marks a place that no input can reach.
#define check_unreachable() check_failed("unreachable", __FILE__, __LINE__, __func__)

_Noreturn void check_failed(const char *condition, const char *file, int line,
                            const char *function);

// Checks at compile time what is FROZEN on disk or on the wire.
#define check_static(condition, why) _Static_assert(condition, why)

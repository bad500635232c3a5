// SPDX-License-Identifier: Apache-2.0
//
// log_each_aborted() as a Fetch calls it: what nobody has looked at is checked first.
#pragma once

#include "base/err.h"
#include "log/log.h"

static inline int sim_check_txns(struct log *log, int64_t offset, int64_t upper_bound_offset)
{
    struct log_txn_check *c;
    int err = 0;
    while (err == 0 && (c = log_txn_check_begin(log, offset, upper_bound_offset)) != NULL) {
        log_txn_check_run(c);
        err = log_txn_check_end(log, c);
    }
    return err;
}

static inline int sim_each_aborted(struct log *log, int64_t offset, int64_t upper_bound_offset,
                                   int (*each)(void *context, const struct log_aborted *txn), void *context)
{
    int err = sim_check_txns(log, offset, upper_bound_offset);
    return err < 0 ? err : log_each_aborted(log, offset, upper_bound_offset, each, context);
}

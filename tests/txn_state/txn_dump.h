// SPDX-License-Identifier: Apache-2.0
//
// The durable state of transactional ids as text, to compare what two replicas say. For unit tests and
// simulations.
#pragma once

#include "base/buf.h"
#include "txn/internal.h"

// "Ongoing 7/0 -> -1, version 2, 60000 ms, [a:0,1 b:3]": producer id and epoch, the next producer id.
void txn_dump(const struct txn *txn, struct buf *out);

// All of them, a line each with id and times, in order of id.
void txns_dump(const struct txns *t, struct buf *out);

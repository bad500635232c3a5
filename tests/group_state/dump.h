// SPDX-License-Identifier: Apache-2.0
//
// The durable state of groups as text, to compare what two replicas say. For unit tests and simulations.
#pragma once

#include "base/buf.h"
#include "group/groups.h"
#include "group/internal.h"

// The durable state of all groups as text, in order of id: what the kinds below and the offsets say.
void fixture_dump(struct groups *g, struct buf *out);

// The same of another replica, to be compared with that of `live`: a classic group that rebalances there
// is ahead of its log, so of that one only its presence, kind and offsets are told, by both functions.
void fixture_dump_beside(struct groups *g, struct groups *live, struct buf *out);

// Each kind adds its own (dump_<kind>.c), and the offsets too; what is NULL here is not compared yet.
typedef void (*fixture_dumper)(const struct group *group, struct buf *out);
extern const fixture_dumper fixture_dumpers[3]; // by enum group_kind
extern const fixture_dumper fixture_offsets_dumper;

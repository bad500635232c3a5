// SPDX-License-Identifier: Apache-2.0
//
// Consumer groups (KIP-848).
#pragma once

#include "coordinator/coordinator.h"

struct group;
struct group_call;
struct groups;
struct heartbeat_request;
struct join_group_request;
struct leave_group_request;
struct sync_group_request;

// ---- Classic members of a consumer group ----

// Serve the requests of the classic protocol for a consumer group (an upgrade that goes on). The call has
// begun: group_call_fail() and group_reply() end it. Of the request these are checked: group id, session
// timeout, and that SyncGroup names a protocol where its version must.
void consumer_classic_join(struct groups *g, struct group *group, struct group_call *call,
                           const struct coordinator_time *now, const struct join_group_request *request);
void consumer_classic_sync(struct groups *g, struct group *group, struct group_call *call,
                           const struct coordinator_time *now, const struct sync_group_request *request);
void consumer_classic_heartbeat(struct groups *g, struct group *group, struct group_call *call,
                                const struct coordinator_time *now,
                                const struct heartbeat_request *request);

// The request lists members whatever its version. The answer has each of them with UNKNOWN_MEMBER_ID: set
// what is true, then classic_end_leave() instead of group_reply().
void consumer_classic_leave(struct groups *g, struct group *group, struct group_call *call,
                            const struct coordinator_time *now,
                            const struct leave_group_request *request);

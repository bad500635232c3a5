// SPDX-License-Identifier: Apache-2.0
//
// What stands in for the kinds that are being written: whoever adds one deletes its part here, and the
// last one the file.
#include "group/consumer.h"
#include "group/internal.h"

// ---- consumer ----

void consumer_classic_join(struct groups *g, struct group *group, struct group_call *call,
                           const struct coordinator_time *now, const struct join_group_request *request)
{
    (void)g, (void)group, (void)now, (void)request;
    group_call_fail(call, KAFKA_INCONSISTENT_GROUP_PROTOCOL);
}

void consumer_classic_sync(struct groups *g, struct group *group, struct group_call *call,
                           const struct coordinator_time *now, const struct sync_group_request *request)
{
    (void)g, (void)group, (void)now, (void)request;
    group_call_fail(call, KAFKA_INCONSISTENT_GROUP_PROTOCOL);
}

void consumer_classic_heartbeat(struct groups *g, struct group *group, struct group_call *call,
                                const struct coordinator_time *now,
                                const struct heartbeat_request *request)
{
    (void)g, (void)group, (void)now, (void)request;
    group_call_fail(call, KAFKA_INCONSISTENT_GROUP_PROTOCOL);
}

void consumer_classic_leave(struct groups *g, struct group *group, struct group_call *call,
                            const struct coordinator_time *now,
                            const struct leave_group_request *request)
{
    (void)g, (void)group, (void)now, (void)request;
    group_call_fail(call, KAFKA_INCONSISTENT_GROUP_PROTOCOL);
}

// ---- streams ----

int streams_replay(struct groups *g, const struct coordinator_record_type *type, struct bytes key,
                   struct bytes value, const struct coordinator_origin *origin, struct diag *diag)
{
    (void)g, (void)type, (void)key, (void)value, (void)origin, (void)diag;
    return 0;
}

const struct group_kind_type streams_kind = {.name = "streams"};

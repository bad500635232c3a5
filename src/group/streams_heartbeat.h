// SPDX-License-Identifier: Apache-2.0
//
// One StreamsGroupHeartbeat while it is served: what streams_heartbeat.c and streams_answer.c share.
#pragma once

#include "group/streams.h"
#include "wire/api/create_topics.h"
#include "wire/api/streams_group_heartbeat.h"

struct streams_heartbeat {
    struct groups *g;
    struct group_call *call;
    const struct streams_group_heartbeat_request *request;
    struct create_topics_request *missing; // the caller's, to be filled
    struct group *group;              // NULL: a member's first record makes it
    struct streams_group *sg;         // its state; NULL as well
    struct group *former;             // an empty classic group that has to go, or NULL
    struct streams_member *member;    // NULL: a new one
    struct streams_member *replaced;  // the static member whose place it takes, or NULL
    struct streams_group_member_metadata_value before; // views of what the member's record says and
    struct streams_group_member_metadata_value after;  // shall say
    struct streams_group_member_metadata_value_endpoint endpoint; // what `after` may point to
    struct streams_group_topology_value topology; // of the request
    bool is_topology_new;
    bool was_there;                   // the group was, before this heartbeat
    bool was_empty;                   // and it had no members, or it was not there
    struct streams_owned owned;
    int64_t hash;                     // of the topics
    const char *delay_text;           // why there is no target yet; NULL: there is
};

static inline bool streams_joins(const struct streams_heartbeat *h)
{
    return h->request->member_epoch == JOIN_GROUP_MEMBER_EPOCH;
}

// Keeps what the member told of its tasks' offsets.
void streams_take_offsets(struct streams_heartbeat *h);

// Fills the response and *missing. `changed`: what the member may do is not what it was. False: the arena
// is full.
bool streams_answer(struct streams_heartbeat *h, bool changed, bool endpoint_changed);

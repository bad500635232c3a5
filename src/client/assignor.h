// SPDX-License-Identifier: Apache-2.0
//
// Assignors of the classic group protocol: one member, the leader, gets everybody's subscription and
// says who reads what. The names and what members tell each other are FROZEN: members written in other
// languages lead groups with our members in them, and are led by ours.
//
// Pure functions. With the same input they give the same output. Kafka's tie-breaking by racks
// (KIP-881) is not among them: racks of members are passed on and not looked at.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "client/partitions.h"

struct consumer_protocol_subscription;

// A topic that somebody subscribes to, as Metadata has it. One without partitions is not there.
struct assignor_topic {
    struct str name;
    int32_t partition_count;
};

// A member with what it said, and with what it gets.
struct assignor_member {
    struct str id;
    struct str instance_id;        // data NULL = none
    const struct consumer_protocol_subscription *subscription; // made for this assignor
    struct partition_list assigned; // out: sorted; names of the topics' table; released by the caller
};

struct client_assignor {
    const char *name;  // "range"
    bool cooperative;  // gives partitions up one by one (KIP-429); any can do so at once
    // Fills `assigned`, which is empty, of every member. Members and topics are sorted by it.
    // ERR_NOMEM when the arena, which serves for what is thrown away, is full.
    int (*assign)(struct assignor_member *members, int member_count,
                  struct assignor_topic *topics, int topic_count, struct arena *arena);
    // What a member adds to its subscription for this assignor, from the arena; NULL = nothing. `owned`
    // is what it had in `generation`, -1 = never. Data NULL = nothing to add, or no memory.
    struct bytes (*user_data)(const struct partition_list *owned, int32_t generation,
                              struct arena *arena);
};

extern const struct client_assignor assignor_range;
extern const struct client_assignor assignor_round_robin;
extern const struct client_assignor assignor_sticky;
extern const struct client_assignor assignor_cooperative_sticky;

// By its name ("cooperative-sticky"), or by that of the Java class; NULL if there is none.
const struct client_assignor *assignor_by_name(struct str name);

// SPDX-License-Identifier: Apache-2.0
//
// What the assignors share: members and topics in their order, and who subscribes to what.
#pragma once

#include <stdbool.h>

#include "client/assignor.h"

struct assignor_table {
    struct assignor_member *members; // static ones first, by instance id, then by member id, as Kafka's
    int member_count;
    struct assignor_topic *topics;   // by name
    int topic_count;
    bool *subscribed;                // [member * topic_count + topic]
};

// ERR_NOMEM.
int assignor_table_init(struct assignor_table *t, struct assignor_member *members, int member_count,
                        struct assignor_topic *topics, int topic_count, struct arena *arena);

static inline bool assignor_subscribes(const struct assignor_table *t, int member, int topic)
{
    return t->subscribed[(size_t)member * (size_t)t->topic_count + (size_t)topic];
}

// The index of a topic, or -1.
int assignor_topic_find(const struct assignor_table *t, struct str name);

void assignor_give(struct assignor_table *t, int member, int topic, int32_t partition);

// SPDX-License-Identifier: Apache-2.0
//
// A topic and its partitions as the metadata log says they are. Immutable once they are in an image,
// reference-counted with atomic counts: shard 0 makes them, any shard may hold them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/diag.h"
#include "base/uuid.h"

enum leader_recovery_state {
    LEADER_RECOVERED = 0,
    LEADER_RECOVERING = 1, // elected uncleanly and not yet recovered (KIP-704)
};

enum { NO_LEADER = -1, TOPIC_NAME_MAX = 249 };

// Directory ids with a meaning of their own (KIP-858): the first two count as online.
#define DIRECTORY_MIGRATING ((struct uuid){{0}})
#define DIRECTORY_UNASSIGNED ((struct uuid){{[15] = 1}})
#define DIRECTORY_LOST ((struct uuid){{[15] = 2}})

// Node ids.
struct replicas {
    const int32_t *ids;
    int32_t count;
};

struct metadata_partition {
    uint32_t refs;             // atomic
    int32_t id;                // of the partition within its topic
    int32_t leader;            // NO_LEADER: none
    int32_t leader_epoch;      // rises with every leader, even the same one again
    int32_t partition_epoch;   // rises with every change
    int8_t leader_recovery_state;
    struct replicas replicas;  // assignment, the preferred leader first
    struct replicas isr;
    struct replicas removing;  // reassignment under way (KIP-455)
    struct replicas adding;
    struct replicas elr;            // eligible leader replicas (KIP-966)
    struct replicas last_known_elr; // at most one: the last leader when ISR and ELR are empty
    const struct uuid *directories; // replicas.count of them
};

struct metadata_topic {
    uint32_t refs; // atomic
    struct uuid id;
    struct str name; // terminated by NUL
    int32_t partition_count;
    struct metadata_partition **partitions; // in order of id: partitions[i]->id == i; owned

    // Inner matters of replay: a topic that was made in the image that is being replayed into, and
    // in no other, grows in place.
    int32_t partition_capacity;
    uint64_t generation;
};

struct metadata_topic *metadata_topic_ref(const struct metadata_topic *t);
void metadata_topic_unref(const struct metadata_topic *t); // NULL is fine

struct metadata_partition *metadata_partition_ref(const struct metadata_partition *p);
void metadata_partition_unref(const struct metadata_partition *p); // NULL is fine

// The partition with this id, or NULL.
const struct metadata_partition *metadata_topic_partition(const struct metadata_topic *t,
                                                          int32_t id);

// Where `node` stands in the list, or -1.
int32_t replicas_index(struct replicas list, int32_t node);

static inline bool replicas_contain(struct replicas list, int32_t node)
{
    return replicas_index(list, node) >= 0;
}

bool replicas_equal(struct replicas a, struct replicas b);

// The directory of this node's replica, or DIRECTORY_LOST when it has none.
struct uuid metadata_partition_directory(const struct metadata_partition *p, int32_t node);

// The rules for topic names: 1 to 249 characters of [a-zA-Z0-9._-], not "." or "..". Writes the
// reason in Kafka's words ("the empty string is not allowed") when not.
bool topic_name_check(struct str name, struct diag *reason);

// True for Kafka's own topics: __consumer_offsets, __transaction_state, __share_group_state.
bool topic_name_is_internal(struct str name);

bool metadata_topic_equal(const struct metadata_topic *a, const struct metadata_topic *b);

// SPDX-License-Identifier: Apache-2.0
//
// What several commands ask about groups: which there are, who is in them, what they have
// committed, and the changes of that. Blocking calls over a driver; each goes to the group's
// coordinator, and is tried again for a while when that moves or loads. Results keep the answers
// they point into.
//
// All return 0 with `result->code` what the cluster said, or a negative error of the call
// (tool_fail_call).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "client/client.h"
#include "tools/admin.h"

struct driver;

enum { GROUP_WAIT_MS = 30000 }; // for a coordinator

// ---- Lists ----

struct group_entry {
    struct str id;
    struct str type;  // "Classic", "Consumer", "Streams", "Share"; "" when the broker does not say
    struct str state; // "Stable" ...; ""
    struct str protocol_type; // "consumer" ...; "" for a group that only has offsets
    int32_t node;             // its coordinator
};

struct group_list {
    struct group_entry *items; // as the brokers said them, or in order of id once sorted
    int count;
    struct client_answer *answers;
    int answer_count;
};

// Asks every broker. Filters may be empty; the brokers apply them.
int admin_groups_list(struct driver *d, struct wire_string_array states,
                      struct wire_string_array types, struct group_list *out,
                      struct admin_result *result);
void admin_group_list_sort(struct group_list *list);
void admin_group_list_release(struct group_list *list);

// ---- One group ----

struct group_share {
    struct str topic;
    struct wire_int32_array partitions;
};

struct group_member_info {
    struct str id;
    struct str instance_id; // null: a dynamic member
    struct str client_id;
    struct str host;
    int32_t epoch;              // -1: a classic member, which has the group's
    bool is_classic;            // in a group of the consumer protocol: has not been upgraded
    struct group_share *shares; // what it owns
    int share_count;
    struct group_share *target; // what it is to own
    int target_count;
};

struct streams_group_describe_response_described_group;

struct group_info {
    struct str id;
    const char *protocol; // "classic", "consumer" (KIP-848), "streams" (KIP-1071)
    // What the coordinator says of a streams group; NULL: another kind. Its members are those of
    // `members`, in the same order.
    const struct streams_group_describe_response_described_group *streams;
    struct str state; // "Dead" when there is no such group
    struct str protocol_type;
    struct str assignor; // protocol of a classic group
    int32_t epoch;       // -1: a classic group does not say
    int32_t target_epoch;
    int32_t node;
    struct group_member_info *members;
    int member_count;
    struct arena arena;
    struct client_answer answer;
};

// A group of consumers, of either protocol, or another kind of classic group.
int admin_group_describe(struct driver *d, struct str id, struct group_info *out,
                         struct admin_result *result);
// A streams group: members own the partitions that their active tasks read (groups_streams.c).
int admin_streams_describe(struct driver *d, struct str id, struct group_info *out,
                           struct admin_result *result);
// A group of any of these kinds.
int admin_any_group_describe(struct driver *d, struct str id, struct group_info *out,
                             struct admin_result *result);
void admin_group_release(struct group_info *g);

// Whether a streams group reads the topic from outside: it is no topic of its own.
bool group_is_source(const struct group_info *g, struct str topic);

// The member that owns the partition, or NULL.
const struct group_member_info *group_owner(const struct group_info *g, struct str topic,
                                            int32_t partition);

// ---- Offsets ----

struct admin_offset {
    struct str topic;
    int32_t partition;
    int64_t offset;       // -1: none
    int32_t leader_epoch; // -1: unknown
    struct str metadata;
    int16_t code;     // of a commit or deletion
    bool is_fallback; // of a plan by time (group_seek.h): nothing is that new, so it is the end
};

struct admin_offsets {
    struct admin_offset *items; // in order of topic and partition
    int count;
    int capacity;
    struct client_answer answer;
};

// Everything that the group has committed.
int admin_offsets_fetch(struct driver *d, struct str id, struct admin_offsets *out,
                        struct admin_result *result);

// Commits these, as somebody who is no member; each item's `code` says what became of it.
int admin_offsets_commit(struct driver *d, struct str id, struct admin_offset *items, int count,
                         struct admin_result *result);

// Removes what is committed for these; `offset` does not matter.
int admin_offsets_delete(struct driver *d, struct str id, struct admin_offset *items, int count,
                         struct admin_result *result);

struct admin_offset *admin_offsets_add(struct admin_offsets *o, struct str topic,
                                       int32_t partition);
void admin_offsets_sort(struct admin_offsets *o);
// Of a partition that is there twice one stays; for sorted ones.
void admin_offsets_drop_doubles(struct admin_offsets *o);
// The entry of a partition, or NULL.
const struct admin_offset *admin_offsets_find(const struct admin_offsets *o, struct str topic,
                                              int32_t partition);
void admin_offsets_release(struct admin_offsets *o);

int admin_group_delete(struct driver *d, struct str id, struct admin_result *result);

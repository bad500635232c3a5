// SPDX-License-Identifier: Apache-2.0
//
// The parts of kafka-streams-groups (Kafka's StreamsGroupCommand).
#pragma once

#include "tools/kafka_group_tools.h"

enum { GF_DELETE_INTERNAL_TOPIC = GF_COUNT, GF_DELETE_ALL_INTERNAL_TOPICS };

extern const struct group_tool streams_groups_tool;

// Each prints what Kafka's tool prints, and returns the exit status.
int streams_groups_describe(struct tool *t, const struct group_ids *ids);
int streams_groups_delete(struct tool *t, const struct group_ids *ids);
int streams_groups_reset(struct tool *t, const struct group_ids *ids);

// The streams groups there are, in the order of Kafka's tool. EXIT_OK, or the exit status after saying
// why not.
int streams_groups_find(struct tool *t, struct wire_string_array states, struct group_list *out);

// Describes one: EXIT_OK, or the exit status after saying why not. Release *out in any case.
int streams_groups_info(struct tool *t, struct str id, struct group_info *out);

// ---- Internal topics (kafka_streams_groups_delete.c) ----

// Names that point into what is known of a group.
struct internal_topics {
    struct str *items;
    int count;
    int16_t *codes; // what became of the deletion
};

// The group's own topics, by name: what is called otherwise is named on standard output and left out.
void internal_topics_find(struct tool *t, const struct group_info *g, struct internal_topics *out);
void internal_topics_release(struct internal_topics *topics);

// Deletes them all; *code is the first error. 0, or a negative error of the call.
int internal_topics_delete(struct tool *t, struct internal_topics *topics, int16_t *code);

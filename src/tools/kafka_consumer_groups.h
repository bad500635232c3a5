// SPDX-License-Identifier: Apache-2.0
//
// The parts of kafka-consumer-groups (Kafka's ConsumerGroupCommand).
#pragma once

#include "tools/kafka_group_tools.h"

extern const struct group_tool consumer_groups_tool;

// Each prints what Kafka's tool prints, and returns the exit status.
int consumer_groups_describe(struct tool *t, const struct group_ids *ids);
int consumer_groups_reset(struct tool *t, const struct group_ids *ids);

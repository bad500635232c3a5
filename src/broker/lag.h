// SPDX-License-Identifier: Apache-2.0
//
// How far committed offsets are behind their partitions: asked of the shards of the partitions, each of
// which looks at its logs. The time of the first unread record is read from the log, on a worker.
#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "base/uuid.h"

struct chitin_describe_groups_response_partition_lag;
struct lag_query;
struct request;
struct shard;

struct lag_query {
    void *user;
};

// In the request's arena, for at most `capacity` partitions; NULL when that is full. `done` is called on
// `home`, at once perhaps.
struct lag_query *lag_query_new(struct shard *home, struct request *r, int32_t capacity,
                                void (*done)(struct lag_query *query), void *user);

// Adds a partition: its index and committed offset are set, the rest of what is known of it is filled in.
// `topic_id` is that of the commit, or zero: a topic with another id is another topic.
void lag_query_add(struct lag_query *query, struct str topic, struct uuid topic_id,
                   struct chitin_describe_groups_response_partition_lag *partition);

void lag_query_start(struct lag_query *query);

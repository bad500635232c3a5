// SPDX-License-Identifier: Apache-2.0
//
// The handlers of the APIs, one file each, and what several of them need. A handler owns its request
// and ends it exactly once (broker/request.h); `body` is the request struct of wire/api/<name>.h and
// lives in the request's arena, as the answer usually does.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/uuid.h"
#include "metadata/feature.h"
#include "wire/wire.h"

struct metadata_broker;
struct metadata_partition;
struct metadata_topic;
struct node;
struct partition;
struct replicas;
struct request;
struct shard;

void api_produce(struct shard *s, struct request *r, const void *body);
void api_fetch(struct shard *s, struct request *r, const void *body);
void api_list_offsets(struct shard *s, struct request *r, const void *body);
void api_metadata(struct node *n, struct request *r, const void *body);
void api_offset_commit(struct shard *s, struct request *r, const void *body);
void api_offset_fetch(struct shard *s, struct request *r, const void *body);
void api_find_coordinator(struct node *n, struct request *r, const void *body);
void api_join_group(struct shard *s, struct request *r, const void *body);
void api_heartbeat(struct shard *s, struct request *r, const void *body);
void api_leave_group(struct shard *s, struct request *r, const void *body);
void api_sync_group(struct shard *s, struct request *r, const void *body);
void api_describe_groups(struct shard *s, struct request *r, const void *body);
void api_list_groups(struct shard *s, struct request *r, const void *body);
void api_api_versions(struct node *n, struct request *r, const void *body);
void api_create_topics(struct node *n, struct request *r, const void *body);
void api_delete_topics(struct node *n, struct request *r, const void *body);
void api_delete_records(struct shard *s, struct request *r, const void *body);
void api_init_producer_id(struct shard *s, struct request *r, const void *body);
void api_offset_for_leader_epoch(struct shard *s, struct request *r, const void *body);
void api_add_partitions_to_txn(struct shard *s, struct request *r, const void *body);
void api_add_offsets_to_txn(struct shard *s, struct request *r, const void *body);
void api_end_txn(struct shard *s, struct request *r, const void *body);
void api_write_txn_markers(struct shard *s, struct request *r, const void *body);
void api_txn_offset_commit(struct shard *s, struct request *r, const void *body);
void api_describe_configs(struct node *n, struct request *r, const void *body);
void api_alter_configs(struct node *n, struct request *r, const void *body);
void api_describe_log_dirs(struct shard *s, struct request *r, const void *body);
void api_create_partitions(struct node *n, struct request *r, const void *body);
void api_delete_groups(struct shard *s, struct request *r, const void *body);
void api_incremental_alter_configs(struct node *n, struct request *r, const void *body);
void api_offset_delete(struct shard *s, struct request *r, const void *body);
void api_describe_cluster(struct node *n, struct request *r, const void *body);
void api_describe_producers(struct shard *s, struct request *r, const void *body);
void api_describe_transactions(struct shard *s, struct request *r, const void *body);
void api_list_transactions(struct shard *s, struct request *r, const void *body);
void api_consumer_group_heartbeat(struct shard *s, struct request *r, const void *body);
void api_consumer_group_describe(struct shard *s, struct request *r, const void *body);
void api_streams_group_heartbeat(struct node *n, struct request *r, const void *body);
void api_streams_group_describe(struct shard *s, struct request *r, const void *body);
void api_list_config_resources(struct node *n, struct request *r, const void *body);
void api_describe_topic_partitions(struct node *n, struct request *r, const void *body);
void api_chitin_describe_groups(struct shard *s, struct request *r, const void *body);

// The answer to an ApiVersions request of a version that we do not know (KIP-511).
void api_api_versions_fallback(struct node *n, struct request *r);

// Bits of authorized operations (KIP-430) when nothing is forbidden, as Kafka answers them: all
// operations that exist for the resource.
enum {
    API_CLUSTER_OPERATIONS = 8096,
    API_TOPIC_OPERATIONS = 3576,
    API_GROUP_OPERATIONS = 3400,
};

// Ends a request whose answer does not fit into its bounds.
void api_no_memory(struct request *r);

// Whether groups of a newer protocol are served: its feature is finalized and the broker's
// group.coordinator.rebalance.protocols names it ("consumer", "streams").
bool api_serves_groups(const struct shard *s, enum feature feature, const char *protocol);

// Finds a partition that this broker leads, on the shard where it lives. `topic` is its name, or null to
// go by `topic_id`. `current_leader_epoch` is what the client believes (KIP-320), -1 if it does not say.
// Returns KAFKA_NONE and *out, or the error for the client.
int api_find_leader(struct shard *s, struct str topic, struct uuid topic_id, int32_t index,
                    int32_t current_leader_epoch, struct partition **out);

// The Kafka error for an ERR_* of a log.
int api_log_error(int err);

// The address under which clients of this request's listener reach a broker: what it advertised,
// or, for this node without advertised.listeners, the address by which the client came.
struct api_endpoint {
    struct str host;
    int32_t port;
};

// False if the broker has no such listener. The host lives as long as request and image do.
bool api_endpoint_of(const struct node *n, const struct request *r, const struct metadata_broker *b,
                     struct api_endpoint *out);

// The node ids of `list` in the request's arena; false when it is full.
bool api_copy_replicas(struct request *r, struct replicas list, struct wire_int32_array *out);

// The replicas of a partition whose broker is not there or fenced; false when the arena is full.
bool api_offline_replicas(struct node *n, struct request *r, const struct metadata_partition *p,
                          struct wire_int32_array *out);

// SPDX-License-Identifier: Apache-2.0
//
// What a client knows of its cluster: nodes, topics, leaders, as Metadata said. Owned by the client;
// pointers into it are valid until the next answer to Metadata is taken in.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/uuid.h"

struct metadata_response;

struct topology_node {
    int32_t id;
    char *host;
    uint16_t port;
    char *rack; // NULL = none
};

struct topology_partition {
    int16_t error;        // of Metadata for this partition
    int32_t leader;       // -1 = none
    int32_t leader_epoch; // -1 = unknown
    int32_t *replicas;
    int replica_count;
    int32_t *isr;
    int isr_count;
};

struct topology_topic {
    char *name;
    struct uuid id; // zero = unknown
    int16_t error;  // of Metadata: UNKNOWN_TOPIC_OR_PARTITION for example
    bool internal;
    bool answered; // in the last answer
    struct topology_partition *partitions; // by index
    int partition_count;
};

struct topology {
    char *cluster_id; // NULL = unknown
    int32_t controller_id;
    struct topology_node *nodes;
    int node_count;
    struct topology_topic *topics; // by name
    int topic_count;
};

void topology_init(struct topology *t);
void topology_release(struct topology *t);

// Takes in an answer. `all` says that it was asked for every topic, so that others are gone. A
// partition whose leader epoch is older than the known one keeps what is known (KIP-320).
void topology_update(struct topology *t, const struct metadata_response *response, bool all);

// NULL when unknown.
const struct topology_node *topology_node(const struct topology *t, int32_t id);
const struct topology_topic *topology_topic(const struct topology *t, struct str name);
const struct topology_topic *topology_topic_by_id(const struct topology *t, struct uuid id);
const struct topology_partition *topology_partition(const struct topology *t, struct str topic,
                                                    int32_t partition);

// The leader's node id, or -1 when there is none or nothing is known.
int32_t topology_leader(const struct topology *t, struct str topic, int32_t partition);

// SPDX-License-Identifier: Apache-2.0
//
// The registration of a broker or a controller, as its record says. Immutable once it is in an
// image; reference-counted, owned by shard 0.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/uuid.h"

struct metadata_endpoint {
    struct str name; // of the listener
    struct str host;
    uint16_t port;
    int16_t security_protocol; // 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL
};

struct metadata_feature_range {
    struct str name;
    int16_t min;
    int16_t max;
};

// Common to both; every str is terminated by NUL.
struct metadata_node {
    uint32_t refs;
    int32_t id;
    struct uuid incarnation_id;
    int endpoint_count;
    const struct metadata_endpoint *endpoints;
    int feature_count;
    const struct metadata_feature_range *features;
    uint8_t key[4];       // of the image's map: the id, big-endian
    struct arena memory;  // of everything that is pointed to
};

struct metadata_broker {
    struct metadata_node node; // first
    int64_t epoch;             // of this registration; rises with each
    int64_t register_offset;   // of its RegisterBroker record; the snapshot's last offset if from one
    struct str rack;           // null: none
    bool fenced;               // not in service: never leads, not in Metadata answers
    bool in_controlled_shutdown;
    int directory_count;
    const struct uuid *directories; // its online log directories
    bool has_cordoned; // cordoned_count says something (KIP-1066)
    int cordoned_count;
    const struct uuid *cordoned; // directories that take no new replicas
};

struct metadata_controller {
    struct metadata_node node; // first
    bool zk_migration_ready;
};

// The endpoint of this listener, or NULL.
const struct metadata_endpoint *metadata_node_endpoint(const struct metadata_node *n,
                                                       struct str listener);

// The supported range of a feature: 0 to 0 when the node did not name it.
struct metadata_feature_range metadata_node_feature(const struct metadata_node *n, struct str name);

// True if the broker may hold a replica there: the directory is one of its own, or one of the ids
// that mean "not known yet", or the broker named no directories.
bool metadata_broker_directory_online(const struct metadata_broker *b, struct uuid directory);

// Registered, unfenced and not on its way out: may lead and be in an ISR.
bool metadata_broker_is_active(const struct metadata_broker *b);

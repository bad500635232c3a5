// SPDX-License-Identifier: Apache-2.0
//
// Who this node is and where it listens: node.id, process.roles, listeners and what belongs to
// them, parsed and held against each other with Kafka's rules. Plain values.
//
// What differs from Kafka on purpose: a file without process.roles, node.id and quorum voters means
// a node 1 that is broker and controller in a quorum of one, so that an empty file starts.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/diag.h"

struct config;

// Numbers are those of the RegisterBrokerRecord and of BrokerRegistration.
enum security_protocol {
    SECURITY_PLAINTEXT = 0,
    SECURITY_SSL = 1,
    SECURITY_SASL_PLAINTEXT = 2,
    SECURITY_SASL_SSL = 3,
};

enum {
    LISTENER_NAME_MAX = 100,
    LISTENER_HOST_MAX = 255,
    LISTENERS_MAX = 32,
    VOTERS_MAX = 32,
};

struct listener {
    char name[LISTENER_NAME_MAX + 1]; // upper case
    char host[LISTENER_HOST_MAX + 1]; // without brackets; "" listens on every address
    int32_t port;                     // 0 lets the system choose (listening only)
    enum security_protocol protocol;
    bool controller; // named by controller.listener.names
};

struct listeners {
    struct listener items[LISTENERS_MAX];
    int count;
};

// A member of controller.quorum.voters ("1@host:9093").
struct voter {
    int32_t node_id;
    char host[LISTENER_HOST_MAX + 1];
    int32_t port;
};

struct node_config {
    int32_t node_id;
    bool is_broker;
    bool is_controller;
    struct listeners listeners;  // where it listens, in the order of the file
    struct listeners advertised; // advertised.listeners as set; count 0: answer with the address
                                 // by which the client came
    int inter_broker;            // index in `listeners`, -1 on a controller
    struct voter voters[VOTERS_MAX];
    int voter_count; // 0: a quorum of this node alone
};

// Reads and checks all of it. ERR_INVALID with words that name the key, its value and the rule;
// ERR_UNSUPPORTED for what is right in Kafka and not there yet (several nodes, one role alone).
int node_config_resolve(struct node_config *out, const struct config *c, struct diag *diag);

// The listener of this name (any case), or NULL.
const struct listener *listeners_find(const struct listeners *l, struct str name);

// Reads a list "NAME://host:port,..." with this protocol map; host may be empty, an IPv4 address, a
// name, or an IPv6 address in brackets. `key` names the setting in messages.
int listeners_parse(struct listeners *out, const char *key, struct str value,
                    struct str protocol_map, struct diag *diag);

// "PLAINTEXT", "SSL", "SASL_PLAINTEXT" or "SASL_SSL".
const char *security_protocol_name(enum security_protocol p);

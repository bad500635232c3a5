// SPDX-License-Identifier: Apache-2.0
//
// Settings from the environment, as the container image of Apache Kafka takes them: KAFKA_LOG_DIRS is
// log.dirs; "_" stands for ".", "__" for "_", "___" for "-". KAFKA_CFG_LOG_DIRS, which other images
// have, means the same. Pure: the caller hands over the environment.
#pragma once

#include "base/buf.h"
#include "base/trace.h"
#include "config/config.h"

// Appends the key that a variable of this name sets. False for a variable that is no setting: one
// without the prefix, one that Kafka's scripts read (KAFKA_HEAP_OPTS, KAFKA_LOG4J_ROOT_LOGLEVEL), one
// that Kubernetes sets for a service called kafka (KAFKA_SERVICE_HOST, KAFKA_PORT_9092_TCP).
bool config_environment_key(struct str name, struct buf *out);

// Adds what the variables set, above the file and below later overrides. Warns of each that has the
// prefix and names no known key, with the nearest that does; it is dropped. `variables` are
// "NAME=value", NULL at the end.
void config_load_environment(struct config *c, char *const *variables, struct trace *trace);

// The id that CLUSTER_ID gives to a cluster which is created, or NULL.
const char *config_environment_cluster_id(char *const *variables);

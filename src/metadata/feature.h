// SPDX-License-Identifier: Apache-2.0
//
// The features of a cluster (KIP-584): a finalized level each, metadata.version first among them,
// which says what may be written to the metadata log and which protocol versions nodes use. One
// table says what this release can do; a level beyond it in a log is refused, never guessed at.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/diag.h"

// In the order of the table, which is the order in which a fresh cluster's levels are written.
enum feature {
    FEATURE_METADATA_VERSION,
    FEATURE_ELIGIBLE_LEADER_REPLICAS_VERSION,
    FEATURE_GROUP_VERSION,
    FEATURE_SHARE_VERSION,
    FEATURE_STREAMS_VERSION,
    FEATURE_TRANSACTION_VERSION,
    FEATURE_COUNT, // of those in FeatureLevel records; kraft.version is a control record (raft.h)
};

// Levels of metadata.version that change what is written. Kafka's names in the comments.
enum metadata_version {
    METADATA_VERSION_MIN = 7,               // 3.3-IV3, the oldest that Kafka 4 accepts
    METADATA_VERSION_REGISTER_BROKER_2 = 8, // 3.4-IV0
    METADATA_VERSION_NO_ISR_SHRINK_BUMP = 12, // 3.6-IV0
    METADATA_VERSION_TRANSACTIONS = 13,     // 3.6-IV1: Begin/End/AbortTransaction
    METADATA_VERSION_CONTROLLERS = 15,      // 3.7-IV0: RegisterController
    METADATA_VERSION_DIRECTORIES = 17,      // 3.7-IV2: directory ids of replicas
    METADATA_VERSION_ELR = 23,              // 4.0-IV1: eligible leader replicas in records
    METADATA_VERSION_OFFSET_TOPIC_ID = 26,  // 4.1-IV0: topic ids in records of committed offsets
    METADATA_VERSION_CORDONED_DIRS = 30,    // 4.3-IV0
    METADATA_VERSION_LATEST = 33,           // 4.4-IV2
};

struct feature_info {
    const char *name;
    int16_t level_min;     // supported, 0 except for metadata.version
    int16_t level_max;     // supported
    int16_t level_default; // of a freshly formatted cluster
};

// The row of a feature.
const struct feature_info *feature_info(enum feature feature);

// kraft.version, which registrations list beside the others.
const struct feature_info *feature_kraft_version(void);

// The feature of this name, or -1.
int feature_find(struct str name);

// The finalized levels; 0 is "not finalized".
struct feature_levels {
    int16_t level[FEATURE_COUNT];
};

// "4.4-IV2" for 33; NULL for a level without a name.
const char *metadata_version_name(int16_t level);

// Whether this release can work with `level` of the feature `name`: ERR_UNSUPPORTED with words that
// name both and what to do. Level 0 of an unknown feature is fine.
int feature_check(struct str name, int16_t level, struct diag *diag);

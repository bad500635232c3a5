// SPDX-License-Identifier: Apache-2.0
//
// The kinds of coordinators, and what each provides for the driver (coordinators.h, coordinator_slot.h),
// which knows nothing else of them. A kind has an internal topic; each partition of it is a state machine
// on coordinator/coordinator.h, whose state the kind makes and keeps.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "wire/errors.h"

struct coordinator;
struct coordinator_machine;
struct coordinator_slot;
struct coordinator_time;
struct metadata_image;

enum coordinator_kind {
    COORDINATOR_GROUP,       // groups, src/group
    COORDINATOR_TRANSACTION, // transactional ids, src/txn
};

enum { COORDINATOR_KINDS = 2 };

struct coordinator_kind_type {
    const char *topic; // "__consumer_offsets"
    const char *what;  // it coordinates, for messages: "groups"
    const struct coordinator_machine *machine;
    // Names of settings: what is read at once while loading; the codec of batches (NULL: none); how long a
    // batch may gather (NULL: not at all).
    const char *piece_bytes_key;
    const char *codec_key;
    const char *linger_ms_key;
    // The state of a slot's partition, of the slot's shard; it is not loaded.
    void *(*new)(struct coordinator_slot *slot);
    void (*attach)(void *state, struct coordinator *c);
    void (*loaded)(void *state, const struct coordinator_time *now); // after coordinator_activate()
    void (*set_image)(void *state, const struct metadata_image *image,
                      const struct coordinator_time *now);
    void (*end)(void *state, enum kafka_error error); // before coordinator_fail()
    void (*free)(void *state);                        // after it
};

extern const struct coordinator_kind_type group_coordinator;
extern const struct coordinator_kind_type transaction_coordinator;

const struct coordinator_kind_type *coordinator_kind_type(enum coordinator_kind kind);

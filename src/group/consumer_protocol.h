// SPDX-License-Identifier: Apache-2.0
//
// The classic protocol's subscriptions and assignments (wire/consumer_protocol.h), which name topics,
// from and to what the coordinator keeps, which has their ids.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "group/assignment.h"
#include "wire/consumer_protocol.h"

struct consumer_group_heartbeat_request_topic_partitions_array;
struct metadata_image;

// What a member says it owns, by topic id as newer clients do; topics that are gone are left out.
// ERR_NOMEM.
int consumer_protocol_owned(const struct metadata_image *image,
                            const struct consumer_protocol_subscription *s, struct arena *arena,
                            struct consumer_group_heartbeat_request_topic_partitions_array *out);

// The partitions of an assignment; empty bytes are none. `out` is the caller's. Errors as of
// consumer_protocol_read_assignment().
int consumer_protocol_to_assignment(const struct metadata_image *image, struct bytes bytes,
                                    struct arena *arena, struct assignment *out);

// The bytes of an assignment; topics that are gone are left out. False: no memory.
bool consumer_protocol_of_assignment(const struct metadata_image *image, const struct assignment *a,
                                     int16_t version, struct arena *arena, struct bytes *out);

// SPDX-License-Identifier: Apache-2.0
//
// What clients of the classic protocol put into JoinGroup and SyncGroup ("consumer" protocol type): a
// version and a message. Bytes of a stranger; a later version than ours is read as ours.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "group/assignment.h"

struct consumer_group_heartbeat_request_topic_partitions_array;
struct consumer_protocol_subscription;
struct metadata_image;

enum { CONSUMER_PROTOCOL_VERSION_MAX = 3 };

// ERR_CORRUPT, ERR_TRUNCATED, ERR_LIMIT or ERR_NOMEM. Views into `bytes`; arrays from the arena. `version`
// may be NULL.
int consumer_protocol_read_subscription(struct bytes bytes, struct arena *arena,
                                        struct consumer_protocol_subscription *out, int16_t *version);

// What a member says it owns, by topic id as newer clients do; topics that are gone are left out.
// ERR_NOMEM.
int consumer_protocol_owned(const struct metadata_image *image,
                            const struct consumer_protocol_subscription *s, struct arena *arena,
                            struct consumer_group_heartbeat_request_topic_partitions_array *out);

// The partitions of an assignment; empty bytes are none. `out` is the caller's. Errors as above.
int consumer_protocol_read_assignment(const struct metadata_image *image, struct bytes bytes,
                                      struct arena *arena, struct assignment *out);

// The bytes of an assignment; topics that are gone are left out. False: no memory.
bool consumer_protocol_write_assignment(const struct metadata_image *image, const struct assignment *a,
                                        int16_t version, struct arena *arena, struct bytes *out);

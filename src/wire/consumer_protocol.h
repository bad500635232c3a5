// SPDX-License-Identifier: Apache-2.0
//
// What members of the classic group protocol put into JoinGroup and SyncGroup ("consumer" protocol
// type): an int16 version and a message. A later version than ours is read as ours, as every reader
// does. FROZEN. Bytes of a stranger.
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"

struct consumer_protocol_assignment;
struct consumer_protocol_subscription;

enum { CONSUMER_PROTOCOL_VERSION_MAX = 3 };

// ERR_CORRUPT, ERR_TRUNCATED, ERR_LIMIT or ERR_NOMEM. Views into `bytes`; arrays from the arena.
// `version` (what it was read as) may be NULL. Empty bytes are an empty assignment.
int consumer_protocol_read_subscription(struct bytes bytes, struct arena *arena,
                                        struct consumer_protocol_subscription *out,
                                        int16_t *version);
int consumer_protocol_read_assignment(struct bytes bytes, struct arena *arena,
                                      struct consumer_protocol_assignment *out);

// Append version and message; errors as wire_encode.
int consumer_protocol_write_subscription(const struct consumer_protocol_subscription *s,
                                         int16_t version, struct buf *out);
int consumer_protocol_write_assignment(const struct consumer_protocol_assignment *a,
                                       int16_t version, struct buf *out);

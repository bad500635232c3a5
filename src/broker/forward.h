// SPDX-License-Identifier: Apache-2.0
//
// A request that another shard serves as a whole: it goes there, is answered there as if it had come in
// there, and its encoded answer comes back to the connection. With one shard it is a plain call.
//
// For what one shard decides alone: what belongs to the node (shard 0), or to one partition, as a group
// or a transaction does to a partition of its internal topic. Requests that name several partitions are
// for split.h.
//
// What the request was decoded to, `body` and whatever is in its arena, goes with it. Requests that one
// shard forwards to another arrive in their order. One that is away is never seen abandoned
// (broker/request.h), and the shard it came from does not stop before it is back: so who lets requests
// wait ends them by a time limit, and all of them, with those that still come, once its shard is
// SHARD_STOPPING.
#pragma once

#include <stdint.h>

#include "base/bytes.h"

struct request;
struct shard;

// Owns the request, and ends it on `there`.
typedef void (*forward_serve)(struct shard *there, struct request *r, const void *body);

// To the shard with this number.
void forward_to_shard(struct shard *home, int number, struct request *r, const void *body,
                      forward_serve serve);

// To the shard on which this partition lives, or would if it existed: whether it is there, and online, is
// for `serve` to see.
void forward_to_partition(struct shard *home, struct str topic, int32_t partition, struct request *r,
                          const void *body, forward_serve serve);

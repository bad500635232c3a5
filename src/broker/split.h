// SPDX-License-Identifier: Apache-2.0
//
// A request about partitions, split by the shards on which these live and gathered where it came in:
// one message to a shard and back, however many of its partitions the request names. With one shard it
// is a plain call.
//
// Use: split_init(), split_add() for each partition, split_start(). Then `run` is called once for each
// shard that has any, on its thread, and says split_share_done() now or later; `done` is called on the
// home shard when all have. Between, what the items point to belongs to the shard they are on, but the
// request's body and frame, which all may read.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/uuid.h"
#include "broker/request.h"
#include "env/mailbox.h"

struct shard;
struct split;

// Embedded in what stands for one partition of the request.
struct split_item {
    struct split_item *next;
};

// What one shard does of it.
struct split_share {
    struct env_message message;
    struct split *split;
    struct shard *shard;
    struct arena *arena; // for what is made there; the request's, or its own, which lives as long
    struct arena own;
    struct split_item *first; // in the order in which they were added
    struct split_item *last;
    int32_t count;
    int32_t waiting_count; // of split_start_each(): items that are not done, and one while more begin
    void *user; // the API's
};

struct split {
    struct shard *home;
    struct request *request;
    struct split_share *shares; // by number of the shard
    int share_count;
    int waiting_count;
    bool went_away;
    void (*run)(struct split_share *share);
    void (*serve)(struct split_share *share, struct split_item *item); // of split_start_each()
    void (*done)(struct split *split);
    struct request_cleanup cleanup;
};

// The number of the shard on which a partition lives, by its topic's name or, if that is null, id. What
// does not exist is the business of `home`.
int split_shard_of(const struct shard *home, struct str topic, struct uuid topic_id, int32_t index);

// In the request's arena; false when that is full.
bool split_init(struct split *split, struct shard *home, struct request *r);

// Adds a partition, for the shard that split_shard_of() says.
void split_add(struct split *split, struct str topic, struct uuid topic_id, int32_t index,
               struct split_item *item);

// As above, for something that is asked of the shard with this number.
void split_add_to(struct split *split, int shard, struct split_item *item);

// Sets share->user for every share that has items, in the request's arena, zeroed; false when that is
// full.
bool split_new_users(struct split *split, size_t size);

void split_start(struct split *split, void (*run)(struct split_share *share),
                 void (*done)(struct split *split));

void split_share_done(struct split_share *share);

// As split_start(), for items that are done one by one: `serve` is called for each, on its shard, and
// split_item_done() says so of each, now or later, in any order.
void split_start_each(struct split *split,
                      void (*serve)(struct split_share *share, struct split_item *item),
                      void (*done)(struct split *split));

void split_item_done(struct split_share *share);

#define split_for_each(item, share) \
    for (struct split_item *item = (share)->first; item != NULL; item = item->next)

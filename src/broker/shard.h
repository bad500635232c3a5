// SPDX-License-Identifier: Apache-2.0
//
// A shard: a thread with an event loop (its env), and what lives on it: partitions with their part of
// each log directory, the committer that makes their appends durable, connections, fetch sessions. A
// node has one shard or more. Number 0 has besides what a node has once: metadata, controller,
// registration, listeners (node.h).
//
// Shards share nothing that changes. What has to cross goes by message:
//   - the metadata: each shard follows the images that shard 0 hands to it, in their order;
//   - requests that are not for this shard's partitions: whole to the shard that serves them (forward.h),
//     or split by partition and gathered where they came in (split.h);
//   - the life of the node: load, ready, stop, settle, close.
// A partition lives on one shard as long as its log directory exists: topic name and index say which
// (partitions_shard_of()). By name and not by id, so that a topic that is deleted and one that takes its
// name meet on one thread, in order.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "broker/coordinators.h"
#include "broker/batch_check.h"
#include "broker/fetch_session.h"
#include "broker/partitions.h"
#include "env/timer.h"

struct config;
struct connections;
struct env;
struct log_committer;
struct log_dir;
struct metadata_image;
struct node;
struct followed_image;
struct trace;

enum { SHARDS_MAX = 64 };

enum shard_state {
    SHARD_STARTING, // requests wait
    SHARD_READY,
    SHARD_STOPPING, // what is in flight is answered
};

struct shard {
    unsigned magic;
    struct node *node; // of which other shards read what does not change after the start
    int index;
    struct env *env;
    struct trace *trace;
    struct config *config; // its own, following the metadata; on shard 0 the node's
    enum shard_state state;
    struct log_committer *committer;
    struct log_dir **dirs; // its parts, parallel to the node's directories
    int dir_count;
    struct partitions partitions;
    struct coordinators coordinators;
    struct fetch_sessions fetch_sessions;
    struct batch_checks batch_checks;
    struct connections *connections;
    struct list early;   // struct early_request: came before the node was ready
    int away_count;      // requests that other shards or works have: the shard ends after them
    bool is_loaded;      // its partitions are there
    bool is_gone;        // it stops, and its connections are gone
    struct followed_image *following; // the newest that came; NULL before the load, and on shard 0
    struct env_timer poll;
    void (*polled)(struct shard *s);
};

// The newest metadata that this shard follows; borrowed, valid until its next event.
const struct metadata_image *shard_image(const struct shard *s);

// The parts of a life, in the order of their use; node.c says when. Each runs on the shard itself but
// the first two and the last, which are called while nothing runs yet or any more. What is named beside
// them is called on shard 0 when they are over.
void shard_init(struct shard *s, struct node *node, int index, struct env *env);
void shard_open(struct shard *s);    // its parts of the directories, which have been scanned
void shard_load(struct shard *s);    // node_shard_loaded()
void shard_ready(struct shard *s);
void shard_stop(struct shard *s);    // node_shard_stopped(): nobody asks anything any more
void shard_cut(struct shard *s);     // while it stops: clients that take no answers are not waited for
void shard_settle(struct shard *s);  // node_shard_settled(): nothing is being written
void shard_close(struct shard *s);   // node_shard_closed(): its logs are closed
void shard_release(struct shard *s); // all but the committer, which the metadata log may hold

// Follows from one image to the next: configuration, then partitions.
void shard_apply(struct shard *s, const struct metadata_image *from, const struct metadata_image *to);

// The limits on who is accepted: shard 0 accepts for all.
void shard_apply_limits(struct shard *s);

// Lets `run` be called on shard `to`. From any shard; calls from one arrive in order.
void shard_post(struct shard *to, void (*run)(struct shard *to, void *argument), void *argument);

// The log directory with this number failed: this shard's part of it goes offline.
void shard_dir_failed(struct shard *s, int dir, int err, const char *why);

// ---- Following the metadata (shard 0's side) ----

// Embedded in whoever waits until all shards follow the newest image.
struct follow_wait {
    struct list_node node;
    int64_t number; // of the image
    void (*done)(struct follow_wait *wait);
};

// Hands an image to the other shards: the first makes them load their partitions.
void shards_publish(struct node *n, const struct metadata_image *image);

// Calls wait->done, at once when they do already: always with one shard.
void shards_when_followed(struct node *n, struct follow_wait *wait);

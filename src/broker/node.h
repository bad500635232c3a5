// SPDX-License-Identifier: Apache-2.0
//
// A node: broker and controller on one set of log directories. Everything hangs off this struct and
// there are no globals, so a process can hold many (tests and simulations do). The node belongs to
// shard 0 and uses the world only through the envs of its shards (shard.h). Everything here runs on
// shard 0; other shards read what does not change after the start.
//
// Start: node_new() reads what is on disk (blocks); node_start() elects the controller, loads the
// partitions, opens the listeners, registers the broker; then on_ready. Requests that come before
// that wait. Stop: node_stop() lets every shard finish what is in flight, then every shard end its
// writes, then close its logs; shard 0 writes the checkpoints; then on_stopped.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/uuid.h"
#include "broker/producer_ids.h"
#include "broker/quorum.h"
#include "broker/replica_dirs.h"
#include "broker/shard.h"
#include "config/listeners.h"
#include "rpc/server.h"

struct config;
struct env;
struct log_dir;
struct log_dir_scan;
struct request;
struct trace;

enum { NODE_APIS_MAX = 128 };

struct node_args {
    struct env *env;         // of shard 0
    struct env *const *envs; // of all shards, that one first; NULL: there is one shard
    int shard_count;         // of `envs`; the array is not needed afterwards
    struct trace *trace;
    struct config *config; // the node sets its dynamic layers
    const struct node_config *node_config;
    struct str cluster_id;
    const char *host_name;   // registered for listeners without a host
    // Open, formatted, with directory ids, or offline from the start (log_dir_new_offline()); the caller
    // frees them.
    struct log_dir **dirs;
    int dir_count;
    int metadata_dir;        // index in `dirs`
    bool metadata_dir_is_apart; // it is not one of log.dirs, but the last, behind them: has no partitions
    size_t quick_check_bytes_max; // 0, or another bound for batch_checks_init(): for tests
    void *owner;
    void (*on_ready)(void *owner);
    // The node has stopped: `failed` unless the stop was asked for and all went well.
    void (*on_stopped)(void *owner, bool failed);
};

enum node_state {
    NODE_NEW,
    NODE_STARTING, // electing, loading, registering
    NODE_READY,
    NODE_STOPPING, // answers what is in flight
    NODE_STOPPED,
};

struct node {
    unsigned magic;
    struct node_args args;
    struct env *env;
    struct trace *trace;
    struct config *config;
    enum node_state state;
    bool failed;
    int32_t node_id;
    char *cluster_id;
    struct uuid incarnation_id;
    int64_t broker_epoch;          // -1 before the registration
    int64_t previous_broker_epoch; // of the clean stop before this start; -1 after any other end

    struct shard *shards;
    int shard_count;
    int next_shard;             // to get a connection
    int loads_waited_for;       // shards that have not loaded their partitions
    int shards_waited_for;      // before the next part of the stop
    bool load_failed;
    bool is_loaded;             // all partitions are there
    bool is_cutting;            // the patience with clients is over
    bool is_quorum_stopped;
    struct log_dir_scan *scans; // parallel to the directories, until the partitions are loaded
    struct quorum *quorum;
    struct producer_ids producer_ids;
    struct replica_dirs replica_dirs;
    struct hash_seed hash_seed;
    int64_t load_begin_ns;
    int64_t image_number;            // of the newest that was handed to the other shards
    int64_t followed[SHARDS_MAX];    // by each of them
    struct list follow_waits;        // struct follow_wait, in order
    struct rpc_api apis[NODE_APIS_MAX]; // served, by rising key
    int api_count;
    struct listeners bound;   // where it really listens, ports included
    int64_t fetch_bytes_max;  // fetch.max.bytes, which does not change
    bool leaving;             // waits for the controller to let the broker go
    struct env_timer leave_timer;
    char *cordoned;           // cordoned.log.dirs, as the controller was told
    struct env_timer beat_timer;
    bool dir_failed;          // a log directory, since the start
    int64_t no_coordinator_warned_ns; // when a coordinator's topic could not be made; 0: never
    struct env_timer stop_patience;
};

// Opens the metadata log and scans the directories. Blocks. On an error (with words) nothing that
// was on disk has changed but the clean-stop markers' absence.
int node_new(const struct node_args *args, struct node **out, struct diag *diag);

// Starts; on_ready or on_stopped follows.
int node_start(struct node *n, struct diag *diag);

// Stops in order; on_stopped follows. Harmless when it is stopping already.
void node_stop(struct node *n);

// After on_stopped, or instead of a start. The directories stay the caller's.
void node_free(struct node *n);

// A heartbeat to the controller in so many milliseconds, outside of the timed ones (registration_beat()).
void node_beat_later(struct node *n, int32_t delay_ms);

// A log directory failed: its partitions go offline, and the controller hears of it; without the metadata
// directory, or without any directory, the node stops.
void node_dir_failed(struct node *n, struct log_dir *dir, const char *why);

// The newest committed metadata; borrowed, valid until the next event.
const struct metadata_image *node_image(const struct node *n);

// What a shard tells: its argument is the shard. (Called on shard 0.)
void node_shard_loaded(struct shard *zero, void *shard);
void node_shard_stopped(struct shard *zero, void *shard);
void node_shard_settled(struct shard *zero, void *shard);
void node_shard_closed(struct shard *zero, void *shard);

struct dir_failure {
    int dir; // number of the directory
    int err;
    char why[1024];
};

// The part of a log directory on another shard failed, and so the directory.
void node_part_failed(struct node *n, const struct dir_failure *failure);

// The listener that a request came by, or NULL for one that is not in the configuration.
const struct listener *node_listener(const struct node *n, const struct request *r);

// SPDX-License-Identifier: Apache-2.0
//
// Incremental fetch sessions (KIP-227): the broker remembers what a consumer fetches, so that a
// request names only what changed and an answer only what has news. The cache belongs to the shard
// that owns the connections. Versions up to 12 name topics, later ones use ids; one session keeps
// to one of both.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "base/prng.h"
#include "base/uuid.h"

// What one partition is asked for, in a session or in a single request.
struct fetch_partition {
    struct list_node node;    // in its session's order of service
    struct map_node map_node; // in its session's map
    struct str topic;         // the name; null when the request carried an id
    struct uuid topic_id;     // zero when the request carried a name
    int32_t index;
    int32_t current_leader_epoch; // -1: unknown to the client
    int32_t last_fetched_epoch;   // -1: unknown to the client (KIP-595)
    int64_t fetch_offset;
    int32_t max_bytes;
    // What the last answer of the session said; -1 before the first one.
    int64_t told_high_watermark;
    int64_t told_log_start_offset;
};

struct fetch_session {
    unsigned magic;
    struct map_node map_node;
    struct list_node lru_node; // in the cache, least recently used first
    int32_t id;
    int32_t epoch; // the one that the next request must carry
    bool uses_topic_ids;
    bool in_use; // a request of it is being served; it stays in memory meanwhile
    bool closed; // closed while in use: nobody finds it any more
    int64_t used_ms;
    struct map partitions;
    struct list order; // of service: those that were answered go to the end
};

struct fetch_sessions {
    struct map sessions;
    struct list lru;
    struct hash_seed seed;
    struct prng prng;
    int count_max;
    int partition_count; // of all sessions
    int partition_count_max;
};

void fetch_sessions_init(struct fetch_sessions *cache, struct hash_seed seed, uint64_t prng_seed,
                         int count_max, int partition_count_max);
void fetch_sessions_release(struct fetch_sessions *cache);

// The session with this id, or NULL.
struct fetch_session *fetch_session_find(struct fetch_sessions *cache, int32_t id);

// A new session with epoch 1 that counts as used now, or NULL when the cache is full of sessions
// that are in use or not idle: the answer is then sent with session id 0, which is always legal.
struct fetch_session *fetch_session_create(struct fetch_sessions *cache, bool uses_topic_ids,
                                           int64_t now_ms);

// Nobody finds the session from now on; it is freed, when it is in use at the end of that.
void fetch_session_close(struct fetch_sessions *cache, struct fetch_session *session);

// A request of the session begins and ends to be served. One at a time; meanwhile its partitions stay.
void fetch_session_begin_use(struct fetch_session *session);
void fetch_session_end_use(struct fetch_sessions *cache, struct fetch_session *session);

// Adds or updates one partition from a request; copies the name. False when the cache has no room.
bool fetch_session_put(struct fetch_sessions *cache, struct fetch_session *session,
                       const struct fetch_partition *asked);

// Removes one partition; harmless when it is not there.
void fetch_session_forget(struct fetch_sessions *cache, struct fetch_session *session,
                          struct str topic, struct uuid topic_id, int32_t index);

// Marks the session as used and moves its epoch on (it wraps from INT32_MAX to 1).
void fetch_session_advance(struct fetch_sessions *cache, struct fetch_session *session,
                           int64_t now_ms);

// Moves a partition that was answered with records to the end of the order, for fairness.
void fetch_session_served(struct fetch_session *session, struct fetch_partition *partition);

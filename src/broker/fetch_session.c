// SPDX-License-Identifier: Apache-2.0
#include "broker/fetch_session.h"

#include "base/check.h"
#include "base/mem.h"
#include "broker/limits.h"

enum { FETCH_SESSION_MAGIC = 0x46534553 };

struct partition_key {
    struct str topic;
    struct uuid topic_id;
    int32_t index;
};

void fetch_sessions_init(struct fetch_sessions *cache, struct hash_seed seed, uint64_t prng_seed,
                         int count_max, int partition_count_max)
{
    *cache = (struct fetch_sessions){.seed = seed,
                                     .count_max = count_max,
                                     .partition_count_max = partition_count_max};
    map_init(&cache->sessions);
    list_init(&cache->lru);
    prng_init(&cache->prng, prng_seed);
}

void fetch_sessions_release(struct fetch_sessions *cache)
{
    struct list_node *node;
    while ((node = list_first(&cache->lru)) != NULL)
        fetch_session_close(cache, container_of(node, struct fetch_session, lru_node));
    map_release(&cache->sessions);
}

static bool session_has_id(const struct map_node *node, const void *id)
{
    return container_of(node, const struct fetch_session, map_node)->id == *(const int32_t *)id;
}

struct fetch_session *fetch_session_find(struct fetch_sessions *cache, int32_t id)
{
    struct map_node *node = map_find(&cache->sessions, (uint32_t)id, session_has_id, &id);
    return node != NULL ? container_of(node, struct fetch_session, map_node) : NULL;
}

// Ids are random so that a client with an id of an earlier life of the broker does not meet a
// session of somebody else.
static int32_t session_new_id(struct fetch_sessions *cache)
{
    int32_t id;
    do
        id = (int32_t)(prng_next(&cache->prng) >> 33);
    while (id == 0 || fetch_session_find(cache, id) != NULL);
    return id;
}

static bool evict_one(struct fetch_sessions *cache, int64_t now_ms)
{
    list_for_each(node, next, &cache->lru) {
        struct fetch_session *session = container_of(node, struct fetch_session, lru_node);
        if (now_ms - session->used_ms < FETCH_SESSION_IDLE_MS)
            return false; // the rest was used later still
        if (!session->in_use) {
            fetch_session_close(cache, session);
            return true;
        }
    }
    return false;
}

struct fetch_session *fetch_session_create(struct fetch_sessions *cache, bool uses_topic_ids,
                                           int64_t now_ms)
{
    if ((int)cache->sessions.count >= cache->count_max && !evict_one(cache, now_ms))
        return NULL;
    struct fetch_session *session = mem_new(struct fetch_session);
    session->magic = FETCH_SESSION_MAGIC;
    session->id = session_new_id(cache);
    session->epoch = 1;
    session->uses_topic_ids = uses_topic_ids;
    session->used_ms = now_ms;
    map_init(&session->partitions);
    list_init(&session->order);
    map_insert(&cache->sessions, &session->map_node, (uint32_t)session->id);
    list_append(&cache->lru, &session->lru_node);
    return session;
}

static void partition_free(struct fetch_sessions *cache, struct fetch_session *session,
                           struct fetch_partition *partition)
{
    map_remove(&session->partitions, &partition->map_node);
    list_remove(&partition->node);
    mem_free((char *)(uintptr_t)partition->topic.data);
    mem_free(partition);
    cache->partition_count--;
}

static void session_free(struct fetch_sessions *cache, struct fetch_session *session)
{
    struct list_node *node;
    while ((node = list_first(&session->order)) != NULL)
        partition_free(cache, session, container_of(node, struct fetch_partition, node));
    map_release(&session->partitions);
    session->magic = 0;
    mem_free(session);
}

void fetch_session_close(struct fetch_sessions *cache, struct fetch_session *session)
{
    check(session->magic == FETCH_SESSION_MAGIC && !session->closed);
    session->closed = true;
    map_remove(&cache->sessions, &session->map_node);
    list_remove(&session->lru_node);
    if (!session->in_use)
        session_free(cache, session);
}

void fetch_session_begin_use(struct fetch_session *session)
{
    check(session->magic == FETCH_SESSION_MAGIC && !session->in_use);
    session->in_use = true;
}

void fetch_session_end_use(struct fetch_sessions *cache, struct fetch_session *session)
{
    check(session->magic == FETCH_SESSION_MAGIC && session->in_use);
    session->in_use = false;
    if (session->closed)
        session_free(cache, session);
}

static uint64_t key_hash(const struct fetch_sessions *cache, const struct partition_key *key)
{
    struct bytes name = key->topic.data != NULL ? str_bytes(key->topic)
                                                : bytes_of(key->topic_id.bytes, UUID_SIZE);
    return hash_bytes(cache->seed, name) + (uint32_t)key->index;
}

static bool partition_has_key(const struct map_node *node, const void *key)
{
    const struct fetch_partition *p = container_of(node, const struct fetch_partition, map_node);
    const struct partition_key *k = key;
    return p->index == k->index && str_equal(p->topic, k->topic) &&
           uuid_equal(p->topic_id, k->topic_id);
}

static struct fetch_partition *find_partition(struct fetch_sessions *cache,
                                              struct fetch_session *session,
                                              const struct partition_key *key)
{
    struct map_node *node =
        map_find(&session->partitions, key_hash(cache, key), partition_has_key, key);
    return node != NULL ? container_of(node, struct fetch_partition, map_node) : NULL;
}

static struct fetch_partition *add_partition(struct fetch_sessions *cache,
                                             struct fetch_session *session,
                                             const struct partition_key *key)
{
    if (cache->partition_count >= cache->partition_count_max)
        return NULL;
    struct fetch_partition *partition = mem_new(struct fetch_partition);
    if (key->topic.data != NULL)
        partition->topic = str_of(mem_copy_str(key->topic), key->topic.size);
    partition->topic_id = key->topic_id;
    partition->index = key->index;
    partition->told_high_watermark = -1;
    partition->told_log_start_offset = -1;
    map_insert(&session->partitions, &partition->map_node, key_hash(cache, key));
    list_append(&session->order, &partition->node);
    cache->partition_count++;
    return partition;
}

bool fetch_session_put(struct fetch_sessions *cache, struct fetch_session *session,
                       const struct fetch_partition *asked)
{
    struct partition_key key = {asked->topic, asked->topic_id, asked->index};
    struct fetch_partition *partition = find_partition(cache, session, &key);
    if (partition == NULL)
        partition = add_partition(cache, session, &key);
    if (partition == NULL)
        return false;
    partition->current_leader_epoch = asked->current_leader_epoch;
    partition->last_fetched_epoch = asked->last_fetched_epoch;
    partition->fetch_offset = asked->fetch_offset;
    partition->max_bytes = asked->max_bytes;
    return true;
}

void fetch_session_forget(struct fetch_sessions *cache, struct fetch_session *session,
                          struct str topic, struct uuid topic_id, int32_t index)
{
    struct partition_key key = {topic, topic_id, index};
    struct fetch_partition *partition = find_partition(cache, session, &key);
    if (partition != NULL)
        partition_free(cache, session, partition);
}

void fetch_session_advance(struct fetch_sessions *cache, struct fetch_session *session,
                           int64_t now_ms)
{
    session->epoch = session->epoch == INT32_MAX ? 1 : session->epoch + 1;
    session->used_ms = now_ms;
    list_remove(&session->lru_node);
    list_append(&cache->lru, &session->lru_node);
}

void fetch_session_served(struct fetch_session *session, struct fetch_partition *partition)
{
    list_remove(&partition->node);
    list_append(&session->order, &partition->node);
}

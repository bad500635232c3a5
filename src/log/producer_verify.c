// SPDX-License-Identifier: Apache-2.0
//
// Verifications that are under way (KIP-890). A guard is a number that is used once; whoever comes back
// from the transaction's coordinator with it finds it gone if a marker was written meanwhile, also when
// the same producer has begun to verify its next transaction.
#include "base/mem.h"
#include "log/producer_state.h"

static uint64_t id_hash(int64_t id)
{
    return (uint64_t)id; // as for producers
}

static bool has_id(const struct map_node *node, const void *key)
{
    return container_of(node, struct producer_verification, node)->producer_id == *(const int64_t *)key;
}

static struct producer_verification *find(const struct producer_state *s, int64_t producer_id)
{
    struct map_node *node = map_find(&s->verifications, id_hash(producer_id), has_id, &producer_id);
    return node == NULL ? NULL : container_of(node, struct producer_verification, node);
}

static struct producer_verification *oldest(const struct producer_state *s)
{
    struct list_node *node = list_first(&s->verifications_by_age);
    return node == NULL ? NULL : container_of(node, struct producer_verification, age_node);
}

static void drop(struct producer_state *s, struct producer_verification *v)
{
    map_remove(&s->verifications, &v->node);
    list_remove(&v->age_node);
    mem_free(v);
}

static struct producer_verification *add(struct producer_state *s, const struct log_verification *of,
                                         int64_t now_ms)
{
    struct producer_verification *v = oldest(s);
    if (v != NULL && s->verifications.count >= VERIFICATIONS_MAX)
        drop(s, v);
    v = mem_new(struct producer_verification);
    v->producer_id = of->producer_id;
    v->guard = ++s->last_guard;
    v->begun_ms = now_ms;
    v->lowest_sequence = of->base_sequence;
    v->epoch = of->producer_epoch;
    v->adds = of->adds;
    map_insert(&s->verifications, &v->node, id_hash(v->producer_id));
    list_append(&s->verifications_by_age, &v->age_node);
    return v;
}

static bool is_open(const struct producer_state *s, const struct log_verification *of)
{
    const struct producer *p = producer_find(s, of->producer_id);
    return p != NULL && p->txn_first_offset >= 0 && p->epoch == of->producer_epoch;
}

int64_t producer_verify_begin(struct producer_state *s, const struct log_verification *of, int64_t now_ms)
{
    if (is_open(s, of))
        return LOG_GUARD_NONE;
    struct producer_verification *v = find(s, of->producer_id);
    if (v == NULL)
        v = add(s, of, now_ms);
    bool is_newer = of->producer_epoch > v->epoch;
    if (is_newer || (of->producer_epoch == v->epoch && of->base_sequence < v->lowest_sequence))
        v->lowest_sequence = of->base_sequence;
    if (is_newer)
        v->epoch = of->producer_epoch;
    return v->guard;
}

const struct producer_verification *producer_verification_find(const struct producer_state *s,
                                                               int64_t producer_id)
{
    return find(s, producer_id);
}

void producer_verification_drop(struct producer_state *s, int64_t producer_id)
{
    struct producer_verification *v = find(s, producer_id);
    if (v != NULL)
        drop(s, v);
}

void producer_verifications_clear(struct producer_state *s)
{
    struct producer_verification *v;
    while ((v = oldest(s)) != NULL)
        drop(s, v);
}

void producer_verifications_expire(struct producer_state *s, int64_t now_ms, int64_t expiration_ms)
{
    struct producer_verification *v;
    while ((v = oldest(s)) != NULL && v->begun_ms <= now_ms - expiration_ms)
        drop(s, v);
}

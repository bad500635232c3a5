// SPDX-License-Identifier: Apache-2.0
//
// Ids that were given out and not used yet (KIP-394): a member that joins for the first time is told its
// id and has to join again with it, so that a client that retries does not leave members behind. A join
// phase waits for them, each until its session timeout. Bounded: the oldest gives way, and its owner asks
// for another id.
#include "group/classic.h"

#include "base/hash.h"
#include "base/mem.h"
#include "group/internal.h"

struct pending_member {
    struct map_node node;        // in classic_group.pending
    struct list_node order_node; // in classic_group.pending_order
    struct coordinator_timer timer;
    struct classic_group *group;
    struct str id;               // of the memory behind this struct
};

static bool pending_has_id(const struct map_node *node, const void *key)
{
    const struct str *id = key;
    return str_equal(container_of(node, struct pending_member, node)->id, *id);
}

static struct pending_member *find_pending(const struct classic_group *cg, struct str id)
{
    struct map_node *n = map_find(&cg->pending, hash_str(cg->groups->options.hash_seed, id),
                                  pending_has_id, &id);
    return n == NULL ? NULL : container_of(n, struct pending_member, node);
}

static void pending_free(struct pending_member *p)
{
    struct classic_group *cg = p->group;
    map_remove(&cg->pending, &p->node);
    list_remove(&p->order_node);
    if (coordinator_timer_is_set(&p->timer))
        coordinator_cancel_timer(cg->groups->coordinator, &p->timer);
    mem_free(p);
}

static void pending_expired(struct coordinator_timer *t)
{
    struct pending_member *p = container_of(t, struct pending_member, timer);
    struct classic_group *cg = p->group;
    pending_free(p);
    classic_complete_join_if_all(cg);
}

void classic_add_pending(struct classic_group *cg, struct str id, int32_t session_timeout_ms)
{
    if (cg->pending.count >= CLASSIC_PENDING_MAX)
        pending_free(container_of(list_first(&cg->pending_order), struct pending_member, order_node));
    struct pending_member *p = mem_alloc_zero(sizeof(*p) + id.size);
    char *text = (char *)(p + 1);
    memcpy(text, id.data, id.size);
    p->id = str_of(text, id.size);
    p->group = cg;
    map_insert(&cg->pending, &p->node, hash_str(cg->groups->options.hash_seed, p->id));
    list_append(&cg->pending_order, &p->order_node);
    struct coordinator *c = cg->groups->coordinator;
    coordinator_set_timer(c, &p->timer, coordinator_now(c)->mono_ms + session_timeout_ms, pending_expired);
}

bool classic_is_pending(const struct classic_group *cg, struct str id)
{
    return find_pending(cg, id) != NULL;
}

bool classic_remove_pending(struct classic_group *cg, struct str id)
{
    struct pending_member *p = find_pending(cg, id);
    if (p == NULL)
        return false;
    pending_free(p);
    return true;
}

void classic_clear_pending(struct classic_group *cg)
{
    struct list_node *n;
    while ((n = list_first(&cg->pending_order)) != NULL)
        pending_free(container_of(n, struct pending_member, order_node));
}

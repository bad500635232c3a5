// SPDX-License-Identifier: Apache-2.0
//
// Members of a classic group: their memory, the leader among them, and looking them up.
#include "group/classic.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "group/internal.h"

static uint64_t hash_of(const struct classic_group *cg, struct str s)
{
    return hash_str(cg->groups->options.hash_seed, s);
}

static bool member_has_id(const struct map_node *node, const void *key)
{
    const struct str *id = key;
    return str_equal(container_of(node, struct classic_member, node)->id, *id);
}

static bool member_has_instance(const struct map_node *node, const void *key)
{
    const struct str *id = key;
    return str_equal(container_of(node, struct classic_member, instance_node)->instance_id, *id);
}

struct classic_member *classic_find_member(const struct classic_group *cg, struct str id)
{
    struct map_node *n = map_find(&cg->members, hash_of(cg, id), member_has_id, &id);
    return n == NULL ? NULL : container_of(n, struct classic_member, node);
}

struct classic_member *classic_find_instance(const struct classic_group *cg, struct str instance_id)
{
    struct map_node *n = map_find(&cg->instances, hash_of(cg, instance_id), member_has_instance,
                                  &instance_id);
    return n == NULL ? NULL : container_of(n, struct classic_member, instance_node);
}

int32_t classic_member_count(const struct classic_group *cg)
{
    return (int32_t)cg->members.count;
}

struct classic_member *classic_next_member(const struct classic_group *cg, const struct classic_member *m)
{
    const struct list_node *n = m == NULL ? cg->order.head.next : m->order_node.next;
    return n == &cg->order.head ? NULL : container_of(n, struct classic_member, order_node);
}

enum kafka_error classic_check_member(const struct classic_group *cg, struct str id,
                                      struct str instance_id)
{
    if (instance_id.data != NULL) {
        const struct classic_member *m = classic_find_instance(cg, instance_id);
        if (m == NULL)
            return KAFKA_UNKNOWN_MEMBER_ID;
        return str_equal(m->id, id) ? KAFKA_NONE : KAFKA_FENCED_INSTANCE_ID;
    }
    return classic_find_member(cg, id) != NULL ? KAFKA_NONE : KAFKA_UNKNOWN_MEMBER_ID;
}

// ---- Adding and removing ----

// Copies a text behind the others and moves on; null stays null.
static struct str put_text(char **at, struct str s)
{
    if (s.data == NULL)
        return s;
    char *begin = *at;
    if (s.size > 0)
        memcpy(begin, s.data, s.size);
    *at += s.size;
    return str_of(begin, s.size);
}

// The views may be into the member's own texts.
static void set_texts(struct classic_member *m, struct str id, struct str instance_id,
                      struct str client_id, struct str client_host)
{
    char *before = m->texts;
    char *at = mem_alloc(id.size + instance_id.size + client_id.size + client_host.size + 1);
    m->texts = at;
    m->id = put_text(&at, id);
    m->instance_id = put_text(&at, instance_id);
    m->client_id = put_text(&at, client_id);
    m->client_host = put_text(&at, client_host);
    mem_free(before);
}

struct classic_member *classic_add_member(struct classic_group *cg,
                                          const struct classic_member_options *options)
{
    struct classic_member *m = mem_new(struct classic_member);
    m->group = cg;
    set_texts(m, options->id, options->instance_id, options->client_id, options->client_host);
    m->session_timeout_ms = options->session_timeout_ms;
    m->rebalance_timeout_ms = options->rebalance_timeout_ms;
    map_insert(&cg->members, &m->node, hash_of(cg, m->id));
    if (m->instance_id.data != NULL)
        map_insert(&cg->instances, &m->instance_node, hash_of(cg, m->instance_id));
    list_append(&cg->order, &m->order_node);
    if (cg->leader == NULL)
        cg->leader = m;
    return m;
}

static void member_unlink(struct classic_group *cg, struct classic_member *m)
{
    map_remove(&cg->members, &m->node);
    if (m->instance_id.data != NULL)
        map_remove(&cg->instances, &m->instance_node);
    list_remove(&m->order_node);
    if (cg->leader == m)
        cg->leader = classic_next_member(cg, NULL);
}

void classic_remove_member(struct classic_group *cg, struct classic_member *m)
{
    check(m->join_call == NULL && m->sync_call == NULL);
    if (m->owes_sync)
        cg->owing_count--;
    if (coordinator_timer_is_set(&m->session_timer))
        coordinator_cancel_timer(cg->groups->coordinator, &m->session_timer);
    classic_set_protocols(m, NULL, 0);
    member_unlink(cg, m);
    mem_free(m->texts);
    mem_free((void *)(uintptr_t)m->assignment.data);
    mem_free(m);
}

void classic_rename_member(struct classic_group *cg, struct classic_member *m, struct str id)
{
    check(m->join_call == NULL && m->sync_call == NULL);
    map_remove(&cg->members, &m->node);
    if (m->instance_id.data != NULL)
        map_remove(&cg->instances, &m->instance_node);
    set_texts(m, id, m->instance_id, m->client_id, m->client_host);
    map_insert(&cg->members, &m->node, hash_of(cg, m->id));
    if (m->instance_id.data != NULL)
        map_insert(&cg->instances, &m->instance_node, hash_of(cg, m->instance_id));
}

void classic_set_assignment(struct classic_member *m, struct bytes assignment)
{
    uint8_t *copy = NULL;
    if (assignment.size > 0) {
        copy = mem_alloc(assignment.size);
        memcpy(copy, assignment.data, assignment.size);
    }
    mem_free((void *)(uintptr_t)m->assignment.data);
    m->assignment = bytes_of(copy, assignment.size);
}

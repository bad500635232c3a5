// SPDX-License-Identifier: Apache-2.0
//
// What members offer: ways of sharing the work, of which one that all know is selected by votes. How
// many members offer each is counted as they come and go, so that a join does not look at all of them.
#include "group/classic.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "group/internal.h"

struct offered_protocol {
    struct map_node node; // in classic_group.protocols
    struct str name;      // owned; any bytes
    int32_t count;        // members that offer it
    int32_t votes;        // scratch of a selection
};

static bool protocol_has_name(const struct map_node *node, const void *key)
{
    const struct str *name = key;
    return str_equal(*name, container_of(node, struct offered_protocol, node)->name);
}

static struct offered_protocol *find_offered(const struct classic_group *cg, struct str name)
{
    struct map_node *n = map_find(&cg->protocols, hash_str(cg->groups->options.hash_seed, name),
                                  protocol_has_name, &name);
    return n == NULL ? NULL : container_of(n, struct offered_protocol, node);
}

static void count_offer(struct classic_group *cg, struct str name)
{
    struct offered_protocol *p = find_offered(cg, name);
    if (p == NULL) {
        p = mem_new(struct offered_protocol);
        p->name = str_of(mem_copy_str(name), name.size);
        map_insert(&cg->protocols, &p->node, hash_str(cg->groups->options.hash_seed, name));
    }
    p->count++;
}

static void discount_offer(struct classic_group *cg, struct str name)
{
    struct offered_protocol *p = find_offered(cg, name);
    check(p != NULL);
    if (--p->count > 0)
        return;
    map_remove(&cg->protocols, &p->node);
    mem_free((void *)(uintptr_t)p->name.data);
    mem_free(p);
}

static bool is_among(const struct classic_protocol *protocols, int32_t count, struct str name)
{
    for (int32_t i = 0; i < count; i++)
        if (str_equal(protocols[i].name, name))
            return true;
    return false;
}

// One allocation: the array, then names and metadata that it views.
static struct classic_protocol *copy_protocols(const struct classic_protocol *from, int32_t count,
                                               int32_t *copied)
{
    size_t size = (size_t)count * sizeof(*from);
    for (int32_t i = 0; i < count; i++)
        size += from[i].name.size + from[i].metadata.size;
    struct classic_protocol *to = mem_alloc(size + 1);
    char *at = (char *)(to + count);
    int32_t n = 0;
    for (int32_t i = 0; i < count; i++) {
        if (is_among(to, n, from[i].name))
            continue;
        struct str name = from[i].name;
        struct bytes metadata = from[i].metadata;
        if (name.size > 0)
            memcpy(at, name.data, name.size);
        to[n].name = str_of(at, name.size);
        at += name.size;
        if (metadata.size > 0)
            memcpy(at, metadata.data, metadata.size);
        to[n++].metadata = bytes_of(at, metadata.size);
        at += metadata.size;
    }
    *copied = n;
    return to;
}

void classic_set_protocols(struct classic_member *m, const struct classic_protocol *protocols,
                           int32_t count)
{
    struct classic_group *cg = m->group;
    struct classic_protocol *before = m->protocols;
    check(count <= CLASSIC_PROTOCOLS_MAX);
    for (int32_t i = 0; i < m->protocol_count; i++)
        discount_offer(cg, before[i].name);
    m->protocols = NULL;
    m->protocol_count = 0;
    if (count > 0)
        m->protocols = copy_protocols(protocols, count, &m->protocol_count);
    for (int32_t i = 0; i < m->protocol_count; i++)
        count_offer(cg, m->protocols[i].name);
    mem_free(before); // last: `protocols` may be these
    classic_forget_topics(cg);
}

bool classic_offers_same(const struct classic_member *m, const struct classic_protocol *protocols,
                         int32_t count)
{
    if (m->protocol_count != count)
        return false;
    for (int32_t i = 0; i < count; i++)
        if (!str_equal(m->protocols[i].name, protocols[i].name) ||
            !bytes_equal(m->protocols[i].metadata, protocols[i].metadata))
            return false;
    return true;
}

struct bytes classic_metadata(const struct classic_member *m, const char *protocol_name)
{
    for (int32_t i = 0; protocol_name != NULL && i < m->protocol_count; i++)
        if (str_is(m->protocols[i].name, protocol_name))
            return m->protocols[i].metadata;
    return bytes_of("", 0);
}

static bool is_offered_by_all(const struct classic_group *cg, struct str name)
{
    const struct offered_protocol *p = find_offered(cg, name);
    return (p == NULL ? 0 : p->count) == classic_member_count(cg);
}

bool classic_supports(const struct classic_group *cg, struct str protocol_type,
                      const struct classic_protocol *protocols, int32_t count)
{
    if (cg->state == CLASSIC_EMPTY)
        return protocol_type.size > 0 && count > 0;
    if (cg->protocol_type == NULL || !str_is(protocol_type, cg->protocol_type))
        return false;
    for (int32_t i = 0; i < count; i++)
        if (is_offered_by_all(cg, protocols[i].name))
            return true;
    return false;
}

// The first that it offers and all others, too.
static struct offered_protocol *vote_of(const struct classic_group *cg, const struct classic_member *m)
{
    for (int32_t i = 0; i < m->protocol_count; i++) {
        struct offered_protocol *p = find_offered(cg, m->protocols[i].name);
        if (p->count == classic_member_count(cg))
            return p;
    }
    return NULL;
}

struct str classic_select_protocol(struct classic_group *cg)
{
    struct offered_protocol *best = NULL;
    for (struct map_node *n = NULL; (n = map_next(&cg->protocols, n)) != NULL;)
        container_of(n, struct offered_protocol, node)->votes = 0;
    for (struct classic_member *m = NULL; (m = classic_next_member(cg, m)) != NULL;) {
        struct offered_protocol *p = vote_of(cg, m);
        if (p != NULL)
            p->votes++;
    }
    // Equal votes: what came first.
    for (struct classic_member *m = NULL; (m = classic_next_member(cg, m)) != NULL;) {
        struct offered_protocol *p = vote_of(cg, m);
        if (p != NULL && (best == NULL || p->votes > best->votes))
            best = p;
    }
    return best == NULL ? (struct str){NULL, 0} : best->name;
}

// ---- What the group has ----

static void set_text(char **field, struct str s)
{
    char *copy = s.data == NULL ? NULL : mem_copy_str(s);
    mem_free(*field);
    *field = copy;
}

void classic_set_protocol_type(struct classic_group *cg, struct str type)
{
    set_text(&cg->protocol_type, type.size == 0 ? (struct str){NULL, 0} : type);
    classic_forget_topics(cg);
}

void classic_set_protocol_name(struct classic_group *cg, struct str name)
{
    set_text(&cg->protocol_name, name);
    classic_forget_topics(cg);
}

bool classic_uses_consumer_protocol(const struct classic_group *cg)
{
    return cg->protocol_type != NULL && strcmp(cg->protocol_type, "consumer") == 0;
}

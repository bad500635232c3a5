// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "client/group_member_internal.h"

// --- Targets ---

void group_member__target_add(struct target_list *l, struct str topic, int32_t partition,
                              struct uuid topic_id)
{
    mem_grow(l->items, l->count, l->capacity);
    l->items[l->count++] = (struct target){topic, partition, topic_id};
}

static int compare_places(struct str topic_a, int32_t a, struct str topic_b, int32_t b)
{
    struct topic_partition left = {topic_a, a}, right = {topic_b, b};
    return topic_partition_compare(&left, &right);
}

static int compare_targets(const void *left, const void *right)
{
    const struct target *a = left, *b = right;
    return compare_places(a->topic, a->partition, b->topic, b->partition);
}

void group_member__target_sort(struct target_list *l)
{
    int kept = 0;
    if (l->count > 0)
        qsort(l->items, (size_t)l->count, sizeof *l->items, compare_targets);
    for (int i = 0; i < l->count; i++)
        if (kept == 0 || compare_targets(&l->items[kept - 1], &l->items[i]) != 0)
            l->items[kept++] = l->items[i];
    l->count = kept;
}

void group_member__target_release(struct target_list *l)
{
    mem_free(l->items);
    *l = (struct target_list){0};
}

// Whether a target is what the member has. A topic that was deleted and made again is another one.
static bool is_in(const struct target_list *l, const struct owned *o)
{
    struct target key = {.topic = o->mark.topic, .partition = o->mark.partition};
    const struct target *found =
        l != NULL && l->count > 0
            ? bsearch(&key, l->items, (size_t)l->count, sizeof key, compare_targets)
            : NULL;
    return found != NULL && uuid_equal(found->topic_id, o->topic_id);
}

// --- What the member has ---

static int owned_search(const struct group_member *m, struct str topic, int32_t partition)
{
    int low = 0, high = m->owned_count;
    while (low < high) {
        int middle = (low + high) / 2;
        const struct group_position *p = &m->owned[middle].mark;
        int order = compare_places(p->topic, p->partition, topic, partition);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1 - low;
}

struct owned *group_member__owned(const struct group_member *m, struct str topic, int32_t partition)
{
    int at = owned_search(m, topic, partition);
    return at >= 0 ? &m->owned[at] : NULL;
}

static void owned_insert(struct group_member *m, int place)
{
    mem_grow(m->owned, m->owned_count, m->owned_capacity);
    memmove(&m->owned[place + 1], &m->owned[place],
            (size_t)(m->owned_count - place) * sizeof *m->owned);
    m->owned_count++;
}

static struct owned owned_new(const struct target *t)
{
    return (struct owned){
        .mark = {.topic = t->topic, .partition = t->partition, .offset = -1, .leader_epoch = -1},
        .topic_id = t->topic_id,
        .committed = -1,
        .committing = -1,
    };
}

// Positions of the partitions to tell of, copied: an event's receiver may change the marks.
struct positions {
    struct group_position *items;
    int count;
};

static struct positions positions_new(const struct group_member *m, int room)
{
    return (struct positions){mem_alloc_array((size_t)(m->owned_count + room) + 1,
                                              sizeof(struct group_position)),
                              0};
}

static void positions_tell(struct group_member *m, struct positions *p,
                           enum group_member_event_kind kind)
{
    group_member__say(m, kind, p->items, p->count);
    mem_free(p->items);
}

bool group_member__has_more_than(const struct group_member *m, const struct target_list *target)
{
    for (int i = 0; i < m->owned_count; i++)
        if (!m->owned[i].revoked && !is_in(target, &m->owned[i]))
            return true;
    return false;
}

void group_member__take(struct group_member *m, const struct target_list *target)
{
    struct positions added = positions_new(m, target->count);
    for (int i = 0; i < target->count; i++) {
        const struct target *t = &target->items[i];
        int at = owned_search(m, t->topic, t->partition);
        if (at >= 0 && !m->owned[at].revoked)
            continue;
        if (at < 0) {
            at = -1 - at;
            owned_insert(m, at);
        }
        m->owned[at] = owned_new(t);
        added.items[added.count++] = m->owned[at].mark;
    }
    positions_tell(m, &added, GROUP_MEMBER_ASSIGNED);
}

void group_member__give_up(struct group_member *m, const struct target_list *keep)
{
    struct positions gone = positions_new(m, 0);
    for (int i = 0; i < m->owned_count; i++) {
        struct owned *o = &m->owned[i];
        if (!o->revoked && !is_in(keep, o))
            gone.items[gone.count++] = o->mark;
    }
    if (gone.count == 0) {
        mem_free(gone.items);
        return;
    }
    m->give_up_ms = m->now_ms + m->options.rebalance_timeout_ms;
    positions_tell(m, &gone, GROUP_MEMBER_REVOKED);
    for (int i = 0; i < m->owned_count; i++)
        m->owned[i].revoked |= !is_in(keep, &m->owned[i]);
    if (m->options.commit_interval_ms > 0)
        m->commit_wanted = true;
    group_member__forget_revoked(m, false);
}

bool group_member__giving_up(struct group_member *m)
{
    bool any = false;
    for (int i = 0; i < m->owned_count; i++)
        any |= m->owned[i].revoked;
    if (!any)
        return false;
    bool can = m->commit_wanted || m->commit.active;
    if (!can || m->now_ms >= m->give_up_ms) {
        group_member__forget_revoked(m, true);
        return false;
    }
    group_member__forget_revoked(m, false);
    return true;
}

void group_member__forget_revoked(struct group_member *m, bool uncommitted_too)
{
    int kept = 0;
    for (int i = 0; i < m->owned_count; i++) {
        const struct owned *o = &m->owned[i];
        bool waits = (m->commit_wanted && group_member__is_dirty(o)) || o->committing >= 0;
        if (!o->revoked || (waits && !uncommitted_too))
            m->owned[kept++] = *o;
    }
    m->owned_count = kept;
}

void group_member__lose_all(struct group_member *m)
{
    struct positions lost = positions_new(m, 0);
    for (int i = 0; i < m->owned_count; i++)
        if (!m->owned[i].revoked)
            lost.items[lost.count++] = m->owned[i].mark;
    m->owned_count = 0;
    m->commit_wanted = false;
    if (lost.count > 0)
        positions_tell(m, &lost, GROUP_MEMBER_LOST);
    else
        mem_free(lost.items);
}

const struct group_position *group_member_partitions(struct group_member *m, int *count)
{
    m->view = mem_resize(m->view, (size_t)(m->owned_count + 1) * sizeof *m->view);
    *count = 0;
    for (int i = 0; i < m->owned_count; i++)
        if (!m->owned[i].revoked)
            m->view[(*count)++] = m->owned[i].mark;
    return m->view;
}

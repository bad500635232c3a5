// SPDX-License-Identifier: Apache-2.0
//
// One step of a member towards its target (KIP-848, "member state machine"). What the member keeps is what
// it has and is to have; what it has besides must go first; what others still have comes later.
//
//             nothing to give up              gave it up
//   STABLE ----------------------> STABLE <------------------ UNREVOKED
//      |                             ^                           ^
//      | some of it is still others' |  they gave it up          | something to give up
//      +---------------------> UNRELEASED ----------------------+
#include "base/err.h"
#include "base/mem.h"
#include "group/consumer.h"
#include "metadata/image.h"
#include "wire/api/consumer_group_heartbeat.h"

// What the next record will say.
struct step {
    int32_t epoch;
    int8_t state;
    struct assignment assigned;
    struct assignment pending_revocation;
};

static void step_release(struct step *s)
{
    assignment_release(&s->assigned);
    assignment_release(&s->pending_revocation);
}

// ---- What the member says that it owns ----

static bool owns_any(const struct consumer_owned *owned, const struct assignment *a)
{
    if (a->count == 0)
        return false;
    if (!owned->is_known)
        return true;
    for (int32_t i = 0; i < owned->topics->count; i++) {
        const struct assigned_topic *t = assignment_topic(a, owned->topics->items[i].topic_id);
        struct wire_int32_array partitions = owned->topics->items[i].partitions;
        for (int32_t p = 0; t != NULL && p < partitions.count; p++)
            if (assigned_topic_index(t, partitions.items[p]) >= 0)
                return true;
    }
    return false;
}

bool consumer_owns_no_more(const struct consumer_member *m, const struct consumer_owned *owned)
{
    if (!owned->is_known)
        return false;
    for (int32_t i = 0; i < owned->topics->count; i++) {
        struct wire_int32_array partitions = owned->topics->items[i].partitions;
        for (int32_t p = 0; p < partitions.count; p++)
            if (!assignment_has(&m->assigned, owned->topics->items[i].topic_id, partitions.items[p]))
                return false;
    }
    return true;
}

bool consumer_waits(const struct consumer_member *m)
{
    for (int32_t i = 0; i < m->target.count; i++) {
        const struct assigned_topic *t = &m->target.topics[i];
        for (int32_t p = 0; p < t->count; p++)
            if (!assignment_has(&m->assigned, t->id, t->partitions[p]) &&
                !consumer_is_free(m->group, t->id, t->partitions[p]))
                return true;
    }
    return false;
}

// ---- Steps ----

// Partitions of topics that the member does not subscribe to any more, or that are gone, are not for it,
// whatever the target says: the next one will not have them.
static bool wants_topic(const struct consumer_member *m, struct uuid id)
{
    const struct metadata_topic *t = metadata_image_topic_by_id(m->group->groups->image, id);
    return t != NULL && consumer_subscribes(m, t->name);
}

struct split {
    const struct consumer_member *member;
    struct assignment *kept;
    struct assignment *revoked;
    struct assignment *added;
    bool waits; // for partitions that others have
};

static void add_new(struct split *s, struct uuid id, int32_t partition)
{
    const struct consumer_group *cg = s->member->group;
    if (consumer_is_free(cg, id, partition))
        assignment_push(s->added, id, partition, cg->assignment_epoch);
    else
        s->waits = true;
}

// Either may be NULL.
static void split_topic(struct split *s, struct uuid id, const struct assigned_topic *current,
                        const struct assigned_topic *target)
{
    if (target != NULL && !wants_topic(s->member, id))
        target = NULL;
    for (int32_t i = 0; current != NULL && i < current->count; i++) {
        int32_t partition = current->partitions[i];
        bool stays = target != NULL && assigned_topic_index(target, partition) >= 0;
        assignment_push(stays ? s->kept : s->revoked, id, partition, current->epochs[i]);
    }
    for (int32_t i = 0; target != NULL && i < target->count; i++)
        if (current == NULL || assigned_topic_index(current, target->partitions[i]) < 0)
            add_new(s, id, target->partitions[i]);
}

// Both are in order of topic id.
static void split_all(struct split *s, const struct assignment *current, const struct assignment *target)
{
    int32_t c = 0, t = 0;
    while (c < current->count && t < target->count) {
        const struct assigned_topic *from = &current->topics[c], *to = &target->topics[t];
        int order = memcmp(from->id.bytes, to->id.bytes, UUID_SIZE);
        if (order <= 0)
            split_topic(s, from->id, from, order == 0 ? to : NULL);
        else
            split_topic(s, to->id, NULL, to);
        c += order <= 0;
        t += order >= 0;
    }
    for (; c < current->count; c++)
        split_topic(s, current->topics[c].id, &current->topics[c], NULL);
    for (; t < target->count; t++)
        split_topic(s, target->topics[t].id, NULL, &target->topics[t]);
}

static void add_all(struct assignment *to, const struct assignment *from)
{
    for (int32_t i = 0; i < from->count; i++) {
        const struct assigned_topic *t = &from->topics[i];
        struct assigned_topic *copy = assignment_append(to, t->id, t->count);
        memcpy(copy->partitions, t->partitions, (size_t)t->count * sizeof(*t->partitions));
        memcpy(copy->epochs, t->epochs, (size_t)t->count * sizeof(*t->epochs));
    }
    assignment_sort(to);
}

// Towards the newest target. `epoch` is kept while something has to be given up.
static void step_to_target(struct step *out, const struct consumer_member *m, int32_t epoch,
                           const struct consumer_owned *owned)
{
    struct assignment added = {0};
    *out = (struct step){.epoch = epoch};
    struct split s = {m, &out->assigned, &out->pending_revocation, &added, false};
    split_all(&s, &m->assigned, &m->target);
    if (owns_any(owned, &out->pending_revocation)) {
        out->state = CONSUMER_MEMBER_UNREVOKED;
    } else {
        assignment_release(&out->pending_revocation);
        add_all(&out->assigned, &added);
        out->epoch = m->group->assignment_epoch;
        out->state = s.waits ? CONSUMER_MEMBER_UNRELEASED : CONSUMER_MEMBER_STABLE;
    }
    assignment_release(&added);
}

// The subscription changed and there is no target for it yet: what is not wanted any more goes at once.
// False: nothing does.
static bool step_of_subscription(struct step *out, const struct consumer_member *m,
                                 const struct consumer_owned *owned)
{
    struct assignment unwanted = {0};
    *out = (struct step){.epoch = m->epoch, .state = m->state};
    for (int32_t i = 0; i < m->assigned.count; i++) {
        const struct assigned_topic *t = &m->assigned.topics[i];
        struct assignment *to = wants_topic(m, t->id) ? &out->assigned : &unwanted;
        for (int32_t p = 0; p < t->count; p++)
            assignment_push(to, t->id, t->partitions[p], t->epochs[p]);
    }
    bool any = unwanted.count > 0;
    assignment_copy(&out->pending_revocation, &m->pending_revocation);
    if (owns_any(owned, &unwanted)) {
        add_all(&out->pending_revocation, &unwanted);
        out->state = CONSUMER_MEMBER_UNREVOKED;
    }
    assignment_release(&unwanted);
    if (!any)
        step_release(out);
    return any;
}

// ERR_REFUSED: the state is not known. *moves false: the member stays as it is.
static int step_choose(struct step *out, const struct consumer_member *m,
                       const struct consumer_owned *owned, bool has_subscription_changed, bool *moves)
{
    *moves = true;
    switch (m->state) {
    case CONSUMER_MEMBER_STABLE:
        if (m->epoch != m->group->assignment_epoch)
            step_to_target(out, m, m->epoch, owned);
        else
            *moves = has_subscription_changed && step_of_subscription(out, m, owned);
        return 0;
    case CONSUMER_MEMBER_UNREVOKED:
        if (owns_any(owned, &m->pending_revocation))
            *moves = has_subscription_changed && step_of_subscription(out, m, owned);
        else
            step_to_target(out, m, m->epoch + 1, owned);
        return 0;
    case CONSUMER_MEMBER_UNRELEASED:
        step_to_target(out, m, m->epoch, owned);
        return 0;
    default:
        if (!owned->is_known || owned->topics->count > 0)
            return ERR_REFUSED;
        step_to_target(out, m, m->group->assignment_epoch, owned);
        return 0;
    }
}

static bool is_same(const struct step *s, const struct consumer_member *m, int32_t previous_epoch)
{
    return m->has_current && s->epoch == m->epoch && previous_epoch == m->previous_epoch &&
           s->state == m->state && assignment_equal(&s->assigned, &m->assigned) &&
           assignment_equal(&s->pending_revocation, &m->pending_revocation);
}

static int step_write(const struct step *s, struct consumer_member *m, bool *changed)
{
    int32_t previous_epoch = m->epoch;
    if (is_same(s, m, previous_epoch))
        return 0;
    *changed = !assignment_same_partitions(&s->assigned, &m->assigned);
    consumer_begin(m->group);
    consumer_write_current(m->group, str_from(m->id), s->epoch, previous_epoch, s->state, &s->assigned,
                           &s->pending_revocation);
    int err = consumer_end(m->group);
    if (err != 0)
        return err;
    consumer_start_rebalance_timer(m);
    consumer_note_progress(m);
    return 0;
}

int consumer_reconcile(struct consumer_member *m, const struct consumer_owned *owned,
                       bool has_subscription_changed, bool *changed)
{
    struct step s = {0};
    bool moves;
    *changed = false;
    int err = step_choose(&s, m, owned, has_subscription_changed, &moves);
    if (err == 0 && moves)
        err = step_write(&s, m, changed);
    step_release(&s);
    return err;
}

// ---- The journal ----

void consumer_note_stable(struct consumer_group *cg)
{
    if (!cg->is_rebalancing || !consumer_is_stable(cg))
        return;
    cg->is_rebalancing = false;
    group_journal_end(&cg->group->journal, coordinator_now(cg->groups->coordinator), cg->member_count,
                      cg->epoch);
}

void consumer_note_progress(struct consumer_member *m)
{
    struct consumer_group *cg = m->group;
    if (!cg->is_rebalancing || m->state != CONSUMER_MEMBER_STABLE || m->epoch != cg->assignment_epoch)
        return;
    group_journal_member(&cg->group->journal, coordinator_now(cg->groups->coordinator), str_from(m->id),
                         m->subscription.client_id, m->subscription.client_host);
    consumer_note_stable(cg);
}

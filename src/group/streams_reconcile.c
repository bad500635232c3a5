// SPDX-License-Identifier: Apache-2.0
//
// One step of a member towards its target, as consumer_reconcile.c has it for partitions. What the member
// keeps is what it has and is to have in the same role; what it has besides must go first; what is still
// taken comes later.
#include "base/err.h"
#include "group/streams.h"

// What the next record will say.
struct step {
    int32_t epoch;
    int8_t state;
    struct task_sets assigned;
    struct task_sets pending_revocation;
};

static void step_release(struct step *s)
{
    task_sets_release(&s->assigned);
    task_sets_release(&s->pending_revocation);
}

static bool owns_any(const struct streams_owned *owned, const struct task_sets *sets)
{
    if (task_sets_are_empty(sets))
        return false;
    if (!owned->is_known)
        return true;
    for (int role = 0; role < TASK_ROLE_COUNT; role++)
        for (int32_t i = 0; i < owned->tasks.of[role].count; i++) {
            const struct task *t = &owned->tasks.of[role].items[i];
            if (task_set_find(&sets->of[role], t->subtopology, t->partition) != NULL)
                return true;
        }
    return false;
}

// ---- Steps ----

// Sorts the tasks of one role into what stays, goes and comes; true when some of what comes is taken.
static bool split_role(const struct streams_member *m, enum task_role role, const struct task_set *target,
                       struct step *out, struct task_set *added)
{
    const struct task_set *current = &m->assigned.of[role];
    bool waits = false;
    for (int32_t i = 0; i < current->count; i++) {
        const struct task *t = &current->items[i];
        bool stays = task_set_find(target, t->subtopology, t->partition) != NULL;
        struct task_sets *to = stays ? &out->assigned : &out->pending_revocation;
        task_set_push(&to->of[role], t->subtopology, t->partition, t->epoch);
    }
    for (int32_t i = 0; i < target->count; i++) {
        const struct task *t = &target->items[i];
        if (task_set_find(current, t->subtopology, t->partition) != NULL)
            continue;
        if (streams_is_taken(m, role, t->subtopology, t->partition))
            waits = true;
        else
            task_set_push(added, t->subtopology, t->partition,
                          role == TASK_ACTIVE ? m->group->assignment_epoch : 0);
    }
    return waits;
}

// Towards the newest target. `epoch` is kept while something has to be given up.
static void step_to_target(struct step *out, const struct streams_member *m, int32_t epoch,
                           const struct task_sets *target, const struct streams_owned *owned)
{
    struct task_sets added = {0};
    bool waits = false;
    *out = (struct step){.epoch = epoch};
    for (enum task_role role = 0; role < TASK_ROLE_COUNT; role++)
        waits |= split_role(m, role, &target->of[role], out, &added.of[role]);
    if (owns_any(owned, &out->pending_revocation)) {
        out->state = STREAMS_MEMBER_UNREVOKED;
    } else {
        task_sets_release(&out->pending_revocation);
        for (int role = 0; role < TASK_ROLE_COUNT; role++)
            task_set_add_all(&out->assigned.of[role], &added.of[role]);
        out->epoch = m->group->assignment_epoch;
        out->state = waits ? STREAMS_MEMBER_UNRELEASED : STREAMS_MEMBER_STABLE;
    }
    task_sets_release(&added);
}

// ERR_REFUSED: the state is not known. *moves false: the member stays as it is.
static int step_choose(struct step *out, const struct streams_member *m, const struct task_sets *target,
                       const struct streams_owned *owned, bool *moves)
{
    *moves = true;
    switch (m->state) {
    case STREAMS_MEMBER_STABLE:
        *moves = m->epoch != m->group->assignment_epoch;
        if (*moves)
            step_to_target(out, m, m->epoch, target, owned);
        return 0;
    case STREAMS_MEMBER_UNREVOKED:
        *moves = owned->is_known && !owns_any(owned, &m->pending_revocation);
        if (*moves)
            step_to_target(out, m, m->epoch + 1, target, owned);
        return 0;
    case STREAMS_MEMBER_UNRELEASED:
        step_to_target(out, m, m->epoch, target, owned);
        return 0;
    default:
        if (!owned->is_known || !task_sets_are_empty(&owned->tasks))
            return ERR_REFUSED;
        step_to_target(out, m, m->group->assignment_epoch, target, owned);
        return 0;
    }
}

static bool is_same(const struct step *s, const struct streams_member *m)
{
    return m->has_current && s->epoch == m->epoch && m->epoch == m->previous_epoch &&
           s->state == m->state && task_sets_equal(&s->assigned, &m->assigned) &&
           task_sets_equal(&s->pending_revocation, &m->pending_revocation);
}

static int step_write(const struct step *s, struct streams_member *m, bool *changed)
{
    if (is_same(s, m))
        return 0;
    *changed = !task_sets_same_tasks(&s->assigned, &m->assigned);
    streams_begin(m->group);
    streams_write_current(m->group, str_from(m->id), s->epoch, m->epoch, s->state, &s->assigned,
                          &s->pending_revocation);
    int err = streams_end(m->group);
    if (err != 0)
        return err;
    streams_start_rebalance_timer(m);
    streams_note_progress(m);
    return 0;
}

int streams_reconcile(struct streams_member *m, const struct task_sets *target,
                      const struct streams_owned *owned, bool *changed)
{
    static const struct task_sets nothing;
    struct step s = {0};
    bool moves;
    *changed = false;
    int err = step_choose(&s, m, target == NULL ? &nothing : target, owned, &moves);
    if (err == 0 && moves)
        err = step_write(&s, m, changed);
    step_release(&s);
    return err;
}

// ---- The journal ----

void streams_note_stable(struct streams_group *sg)
{
    if (!sg->is_rebalancing || !streams_is_stable(sg))
        return;
    sg->is_rebalancing = false;
    group_journal_end(&sg->group->journal, coordinator_now(sg->groups->coordinator), sg->member_count,
                      sg->epoch);
}

void streams_note_progress(struct streams_member *m)
{
    struct streams_group *sg = m->group;
    if (!sg->is_rebalancing || m->state != STREAMS_MEMBER_STABLE || m->epoch != sg->assignment_epoch)
        return;
    group_journal_member(&sg->group->journal, coordinator_now(sg->groups->coordinator), str_from(m->id),
                         m->subscription->value.client_id, m->subscription->value.client_host);
    streams_note_stable(sg);
}

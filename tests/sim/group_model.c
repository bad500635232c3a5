// SPDX-License-Identifier: Apache-2.0
#include "group_model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"

__attribute__((format(printf, 2, 3))) static void complain(const struct group_model *m,
                                                           const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    m->complain(m->owner, what);
}

static int64_t *holding(struct group_model *m, const struct group_commit *c)
{
    return &m->holding[c->group][c->topic][c->partition];
}

static int64_t begin(struct group_model *m, int group, int topic, int partition, bool is_none)
{
    int64_t number = m->commit_count;
    mem_grow(m->commits, m->commit_count, m->commit_capacity);
    struct group_commit *c = &m->commits[m->commit_count++];
    *c = (struct group_commit){.group = group,
                               .topic = topic,
                               .partition = partition,
                               .is_none = is_none,
                               .begun = ++m->moment,
                               .over = INT64_MAX,
                               .replaced = INT64_MAX};
    c->next = *holding(m, c);
    *holding(m, c) = number;
    return number;
}

void group_model_init(struct group_model *m, void (*complain_to)(void *owner, const char *what),
                      void *owner)
{
    *m = (struct group_model){.complain = complain_to, .owner = owner};
    for (int i = 0; i < GROUP_MEMBERS_MAX; i++)
        m->claims[i].group = -1;
    // In the beginning nothing is committed.
    for (int g = 0; g < GROUPS; g++)
        for (int t = 0; t < GROUP_TOPICS; t++)
            for (int p = 0; p < GROUP_PARTITIONS_MAX; p++) {
                m->holding[g][t][p] = -1;
                group_model_done(m, begin(m, g, t, p, true));
            }
}

void group_model_release(struct group_model *m)
{
    mem_free(m->commits);
}

// ---- Offsets ----

int64_t group_model_commit(struct group_model *m, int group, int topic, int partition)
{
    return begin(m, group, topic, partition, false);
}

int64_t group_model_delete(struct group_model *m, int group, int topic, int partition)
{
    return begin(m, group, topic, partition, true);
}

// Takes those out that cannot hold any more: all that were over before this one began. With `itself`
// it has never been.
static void replace(struct group_model *m, int64_t number, bool itself)
{
    const struct group_commit *by = &m->commits[number];
    int64_t *at = holding(m, by);
    while (*at >= 0) {
        struct group_commit *c = &m->commits[*at];
        if (itself ? c != by : c == by || c->over >= by->begun) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        c->replaced = m->moment;
        if (c->is_none)
            m->none_replaced[c->group][c->topic][c->partition] = m->moment;
    }
}

void group_model_over(struct group_model *m, int64_t number)
{
    struct group_commit *c = &m->commits[number];
    m->moment++;
    if (c->over > m->moment)
        c->over = m->moment;
}

void group_model_done(struct group_model *m, int64_t number)
{
    group_model_over(m, number);
    replace(m, number, false);
}

void group_model_refused(struct group_model *m, int64_t number)
{
    group_model_over(m, number);
    m->commits[number].is_refused = true;
    replace(m, number, true);
}

void group_model_abandoned(struct group_model *m, int64_t number)
{
    m->commits[number].is_abandoned = true;
}

void group_model_all_over(struct group_model *m)
{
    m->moment++;
    for (int64_t i = 0; i < m->commit_count; i++)
        if (m->commits[i].is_abandoned && m->commits[i].over > m->moment)
            m->commits[i].over = m->moment;
    for (int g = 0; g < GROUPS; g++) {
        m->incarnations[g] += m->abandoned_deletions[g] > 0;
        m->abandoned_deletions[g] = 0;
    }
}

int64_t group_model_moment(struct group_model *m)
{
    return ++m->moment;
}

static bool may_be_none(const struct group_model *m, int64_t asked, int group, int topic,
                        int partition)
{
    for (int64_t i = m->holding[group][topic][partition]; i >= 0; i = m->commits[i].next)
        if (m->commits[i].is_none)
            return true;
    return m->none_replaced[group][topic][partition] > asked;
}

void group_model_read(struct group_model *m, int64_t asked, int group, int topic, int partition,
                      int64_t offset, struct str metadata)
{
    if (offset < 0) {
        if (!may_be_none(m, asked, group, topic, partition))
            complain(m, "group %d, %d-%d: nothing is committed, but something must be", group,
                     topic, partition);
        return;
    }
    const struct group_commit *c = offset < m->commit_count ? &m->commits[offset] : NULL;
    int64_t said;
    if (c == NULL || c->is_none || c->group != group || c->topic != topic ||
        c->partition != partition) {
        complain(m, "group %d, %d-%d: an offset that nobody committed: %" PRId64, group, topic,
                 partition, offset);
    } else if (c->is_refused) {
        complain(m, "group %d, %d-%d: %" PRId64 " is committed, but it was refused", group, topic,
                 partition, offset);
    } else if (c->replaced <= asked) {
        complain(m, "group %d, %d-%d: %" PRId64 " is committed, but something newer was promised",
                 group, topic, partition, offset);
    } else if (!str_parse_i64(metadata, &said) || said != offset) {
        complain(m, "group %d, %d-%d: offset %" PRId64 " has the metadata %.*s", group, topic,
                 partition, offset, STR_ARG(metadata));
    } else if (c->replaced == INT64_MAX) {
        group_model_done(m, offset); // whoever was told is not told otherwise later
    }
}

bool group_model_must_exist(const struct group_model *m, int group)
{
    for (int t = 0; t < GROUP_TOPICS; t++)
        for (int p = 0; p < GROUP_PARTITIONS_MAX; p++)
            if (!may_be_none(m, m->moment, group, t, p))
                return true;
    return false;
}

// ---- Groups ----

void group_model_deletion_begins(struct group_model *m, int group)
{
    m->deletions[group]++;
    m->incarnations[group]++;
}

void group_model_deletion_ends(struct group_model *m, int group)
{
    check(m->deletions[group] > 0);
    m->deletions[group]--;
    m->incarnations[group]++;
}

void group_model_deletion_abandoned(struct group_model *m, int group)
{
    check(m->deletions[group] > 0);
    m->deletions[group]--;
    m->abandoned_deletions[group]++;
}

static void compare_claims(const struct group_model *m, int member, int other)
{
    const struct group_claim *a = &m->claims[member], *b = &m->claims[other];
    for (int t = 0; t < GROUP_TOPICS; t++)
        if ((a->owned.bits[t] & b->owned.bits[t]) != 0)
            complain(m, "group %d: members %d and %d both own of topic %d in generation %d: %x and %x",
                     a->group, other, member, t, a->generation, b->owned.bits[t], a->owned.bits[t]);
}

void group_model_claim(struct group_model *m, int member, int64_t now_ms,
                       const struct group_claim *claim)
{
    struct group_claim *mine = &m->claims[member];
    group_model_disclaim(m, member);
    if (m->deletions[claim->group] > 0 || m->abandoned_deletions[claim->group] > 0)
        return; // nobody knows of which incarnation it is
    *mine = *claim;
    mine->incarnation = m->incarnations[claim->group];
    for (int i = 0; i < GROUP_MEMBERS_MAX; i++) {
        const struct group_claim *other = &m->claims[i];
        if (i != member && other->group == mine->group && other->incarnation == mine->incarnation &&
            other->generation == mine->generation && other->until_ms > now_ms)
            compare_claims(m, member, i);
    }
}

void group_model_prolong(struct group_model *m, int member, int64_t until_ms)
{
    m->claims[member].until_ms = until_ms;
}

void group_model_disclaim(struct group_model *m, int member)
{
    m->claims[member].group = -1;
}

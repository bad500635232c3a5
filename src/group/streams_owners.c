// SPDX-License-Identifier: Apache-2.0
//
// Numbers of subtopologies, and who has their tasks. A task may have several members: one active, standbys
// and warm-ups on other processes.
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "group/streams.h"

// ---- Numbers ----

static uint64_t hash_of(const struct streams_group *sg, struct str id)
{
    return hash_str(sg->groups->options.hash_seed, id);
}

static bool subtopology_has_id(const struct map_node *n, const void *key)
{
    return str_is(*(const struct str *)key, container_of(n, struct streams_subtopology, node)->id);
}

struct streams_subtopology *streams_find_subtopology(const struct streams_group *sg, struct str id)
{
    struct map_node *n = map_find(&sg->subtopologies, hash_of(sg, id), subtopology_has_id, &id);
    return n == NULL ? NULL : container_of(n, struct streams_subtopology, node);
}

struct str streams_subtopology_id(const struct streams_group *sg, int32_t number)
{
    check(number >= 0 && number < sg->subtopology_count);
    return str_from(sg->by_number[number]->id);
}

int32_t streams_number_subtopology(struct streams_group *sg, struct str id)
{
    struct streams_subtopology *s = streams_find_subtopology(sg, id);
    if (s != NULL)
        return s->number;
    s = mem_new(struct streams_subtopology);
    s->id = mem_copy_str(id);
    s->number = sg->subtopology_count;
    map_insert(&sg->subtopologies, &s->node, hash_of(sg, id));
    mem_grow(sg->by_number, sg->subtopology_count, sg->subtopology_capacity);
    sg->by_number[sg->subtopology_count++] = s;
    return s->number;
}

// ---- Sets by subtopology ----

static int compare_runs(const void *a, const void *b)
{
    return str_compare(((const struct streams_task_run *)a)->subtopology_id,
                       ((const struct streams_task_run *)b)->subtopology_id);
}

struct streams_task_run *streams_task_runs_new(const struct streams_group *sg, const struct task_set *set,
                                               int32_t *count)
{
    size_t size = (size_t)set->count;
    int32_t runs = 0;
    for (int32_t i = 0; i < set->count; i = task_set_run_end(set, i))
        runs++;
    struct streams_task_run *out =
        mem_alloc((size_t)runs * sizeof(*out) + size * 2 * sizeof(int32_t) + 1);
    int32_t *partitions = (int32_t *)(void *)(out + runs), *epochs = partitions + size;
    *count = 0;
    for (int32_t i = 0; i < set->count; i = task_set_run_end(set, i))
        out[(*count)++] =
            (struct streams_task_run){streams_subtopology_id(sg, set->items[i].subtopology), partitions + i,
                                      epochs + i, task_set_run_end(set, i) - i};
    for (int32_t i = 0; i < set->count; i++) {
        partitions[i] = set->items[i].partition;
        epochs[i] = set->items[i].epoch;
    }
    qsort(out, (size_t)runs, sizeof(*out), compare_runs);
    return out;
}

void streams_owners_release(struct streams_group *sg)
{
    map_release(&sg->subtopologies);
    for (int32_t i = 0; i < sg->subtopology_count; i++) {
        struct streams_subtopology *s = sg->by_number[i];
        for (int32_t p = 0; p < s->task_capacity; p++)
            mem_free(s->tasks[p].items);
        mem_free(s->tasks);
        mem_free(s->id);
        mem_free(s);
    }
    mem_free(sg->by_number);
}

// ---- Who has what ----

static struct streams_holders *holders_get(struct streams_subtopology *s, int32_t partition)
{
    if (partition >= s->task_capacity) {
        s->tasks = mem_resize(s->tasks, ((size_t)partition + 1) * sizeof(*s->tasks));
        while (s->task_capacity <= partition)
            s->tasks[s->task_capacity++] = (struct streams_holders){0};
    }
    return &s->tasks[partition];
}

void streams_own(struct streams_member *m, const struct task_sets *sets)
{
    for (enum task_role role = 0; role < TASK_ROLE_COUNT; role++)
        for (int32_t i = 0; i < sets->of[role].count; i++) {
            const struct task *t = &sets->of[role].items[i];
            struct streams_holders *h = holders_get(m->group->by_number[t->subtopology], t->partition);
            mem_grow(h->items, h->count, h->capacity);
            h->items[h->count++] = (struct streams_holder){m, role};
        }
}

static void remove_holder(struct streams_holders *h, const struct streams_member *m, enum task_role role)
{
    for (int32_t i = 0; i < h->count; i++)
        if (h->items[i].member == m && h->items[i].role == role) {
            h->items[i] = h->items[--h->count];
            return;
        }
}

void streams_disown(struct streams_member *m, const struct task_sets *sets)
{
    for (enum task_role role = 0; role < TASK_ROLE_COUNT; role++)
        for (int32_t i = 0; i < sets->of[role].count; i++) {
            const struct task *t = &sets->of[role].items[i];
            remove_holder(holders_get(m->group->by_number[t->subtopology], t->partition), m, role);
        }
}

static struct str process_of(const struct streams_member *m)
{
    return m->subscription == NULL ? (struct str){NULL, 0} : m->subscription->value.process_id;
}

bool streams_is_taken(const struct streams_member *m, enum task_role role, int32_t subtopology,
                      int32_t partition)
{
    const struct streams_subtopology *s = m->group->by_number[subtopology];
    if (partition >= s->task_capacity)
        return false;
    for (int32_t i = 0; i < s->tasks[partition].count; i++) {
        const struct streams_holder *h = &s->tasks[partition].items[i];
        if (role == TASK_ACTIVE && h->role == TASK_ACTIVE)
            return true;
        if (str_equal(process_of(h->member), process_of(m)))
            return true;
    }
    return false;
}

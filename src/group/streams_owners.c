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
    struct map_node *n;
    while ((n = map_take_any(&sg->held)) != NULL) {
        struct streams_held *h = container_of(n, struct streams_held, node);
        mem_free(h->holders);
        mem_free(h);
    }
    map_release(&sg->held);
    map_release(&sg->subtopologies);
    for (int32_t i = 0; i < sg->subtopology_count; i++) {
        mem_free(sg->by_number[i]->id);
        mem_free(sg->by_number[i]);
    }
    mem_free(sg->by_number);
}

// ---- Who has what ----

static uint64_t hash_of_task(const struct streams_group *sg, const struct task *t)
{
    int32_t key[2] = {t->subtopology, t->partition};
    return hash_bytes(sg->groups->options.hash_seed, bytes_of((const uint8_t *)key, sizeof(key)));
}

static bool held_is_of(const struct map_node *n, const void *key)
{
    const struct streams_held *h = container_of(n, struct streams_held, node);
    const struct task *t = key;
    return h->subtopology == t->subtopology && h->partition == t->partition;
}

static struct streams_held *held_find(const struct streams_group *sg, const struct task *t)
{
    struct map_node *n = map_find(&sg->held, hash_of_task(sg, t), held_is_of, t);
    return n == NULL ? NULL : container_of(n, struct streams_held, node);
}

static void own(struct streams_member *m, enum task_role role, const struct task *t)
{
    struct streams_held *h = held_find(m->group, t);
    if (h == NULL) {
        h = mem_new(struct streams_held);
        h->subtopology = t->subtopology;
        h->partition = t->partition;
        map_insert(&m->group->held, &h->node, hash_of_task(m->group, t));
    }
    mem_grow(h->holders, h->count, h->capacity);
    h->holders[h->count++] = (struct streams_holder){m, role};
}

static void disown(struct streams_member *m, enum task_role role, const struct task *t)
{
    struct streams_held *h = held_find(m->group, t);
    int32_t i = 0;
    while (h->holders[i].member != m || h->holders[i].role != role)
        check(++i < h->count);
    h->holders[i] = h->holders[--h->count];
    if (h->count > 0)
        return;
    map_remove(&m->group->held, &h->node);
    mem_free(h->holders);
    mem_free(h);
}

static void for_each_task(struct streams_member *m, const struct task_sets *sets,
                          void (*act)(struct streams_member *m, enum task_role role, const struct task *t))
{
    for (enum task_role role = 0; role < TASK_ROLE_COUNT; role++)
        for (int32_t i = 0; i < sets->of[role].count; i++)
            act(m, role, &sets->of[role].items[i]);
}

void streams_own(struct streams_member *m, const struct task_sets *sets)
{
    for_each_task(m, sets, own);
}

void streams_disown(struct streams_member *m, const struct task_sets *sets)
{
    for_each_task(m, sets, disown);
}

static struct str process_of(const struct streams_member *m)
{
    return m->subscription == NULL ? (struct str){NULL, 0} : m->subscription->value.process_id;
}

bool streams_is_taken(const struct streams_member *m, enum task_role role, int32_t subtopology,
                      int32_t partition)
{
    const struct task task = {.subtopology = subtopology, .partition = partition};
    const struct streams_held *h = held_find(m->group, &task);
    for (int32_t i = 0; h != NULL && i < h->count; i++) {
        if (role == TASK_ACTIVE && h->holders[i].role == TASK_ACTIVE)
            return true;
        if (str_equal(process_of(h->holders[i].member), process_of(m)))
            return true;
    }
    return false;
}

// SPDX-License-Identifier: Apache-2.0
#include "group/streams_tasks.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void task_set_release(struct task_set *s)
{
    mem_free(s->items);
    *s = (struct task_set){0};
}

void task_set_push(struct task_set *s, int32_t subtopology, int32_t partition, int32_t epoch)
{
    mem_grow(s->items, s->count, s->capacity);
    s->items[s->count++] = (struct task){subtopology, partition, epoch};
}

static int compare(const void *pa, const void *pb)
{
    const struct task *a = pa, *b = pb;
    if (a->subtopology != b->subtopology)
        return a->subtopology < b->subtopology ? -1 : 1;
    return (a->partition > b->partition) - (a->partition < b->partition);
}

void task_set_sort(struct task_set *s)
{
    int32_t kept = 0;
    if (s->count == 0)
        return;
    qsort(s->items, (size_t)s->count, sizeof(*s->items), compare);
    for (int32_t i = 1; i < s->count; i++)
        if (compare(&s->items[kept], &s->items[i]) != 0)
            s->items[++kept] = s->items[i];
    s->count = kept + 1;
}

const struct task *task_set_find(const struct task_set *s, int32_t subtopology, int32_t partition)
{
    struct task key = {.subtopology = subtopology, .partition = partition};
    return s->count == 0 ? NULL : bsearch(&key, s->items, (size_t)s->count, sizeof(key), compare);
}

void task_set_add_all(struct task_set *s, const struct task_set *from)
{
    for (int32_t i = 0; i < from->count; i++)
        task_set_push(s, from->items[i].subtopology, from->items[i].partition, from->items[i].epoch);
    task_set_sort(s);
}

static bool equal(const struct task_set *a, const struct task_set *b, bool epochs)
{
    if (a->count != b->count)
        return false;
    for (int32_t i = 0; i < a->count; i++)
        if (compare(&a->items[i], &b->items[i]) != 0 || (epochs && a->items[i].epoch != b->items[i].epoch))
            return false;
    return true;
}

bool task_set_equal(const struct task_set *a, const struct task_set *b)
{
    return equal(a, b, true);
}

bool task_set_same_tasks(const struct task_set *a, const struct task_set *b)
{
    return equal(a, b, false);
}

int32_t task_set_run_end(const struct task_set *s, int32_t i)
{
    int32_t end = i + 1;
    while (end < s->count && s->items[end].subtopology == s->items[i].subtopology)
        end++;
    return end;
}

// ---- One for each role ----

void task_sets_release(struct task_sets *s)
{
    for (int role = 0; role < TASK_ROLE_COUNT; role++)
        task_set_release(&s->of[role]);
}

void task_sets_copy(struct task_sets *out, const struct task_sets *from)
{
    *out = (struct task_sets){0};
    for (int role = 0; role < TASK_ROLE_COUNT; role++)
        if (from->of[role].count > 0)
            task_set_add_all(&out->of[role], &from->of[role]);
}

void task_sets_move(struct task_sets *to, struct task_sets *from)
{
    task_sets_release(to);
    *to = *from;
    *from = (struct task_sets){0};
}

bool task_sets_are_empty(const struct task_sets *s)
{
    for (int role = 0; role < TASK_ROLE_COUNT; role++)
        if (s->of[role].count > 0)
            return false;
    return true;
}

static bool sets_equal(const struct task_sets *a, const struct task_sets *b, bool epochs)
{
    for (int role = 0; role < TASK_ROLE_COUNT; role++)
        if (!equal(&a->of[role], &b->of[role], epochs))
            return false;
    return true;
}

bool task_sets_equal(const struct task_sets *a, const struct task_sets *b)
{
    return sets_equal(a, b, true);
}

bool task_sets_same_tasks(const struct task_sets *a, const struct task_sets *b)
{
    return sets_equal(a, b, false);
}

// SPDX-License-Identifier: Apache-2.0
#include "group/assignment.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

void assignment_release(struct assignment *a)
{
    for (int32_t i = 0; i < a->count; i++)
        mem_free(a->topics[i].partitions);
    mem_free(a->topics);
    *a = (struct assignment){0};
}

static void topic_reserve(struct assigned_topic *t, int32_t capacity)
{
    int32_t *both = mem_alloc_array((size_t)capacity * 2, sizeof(*both));
    if (t->count > 0) {
        memcpy(both, t->partitions, (size_t)t->count * sizeof(*both));
        memcpy(both + capacity, t->epochs, (size_t)t->count * sizeof(*both));
    }
    mem_free(t->partitions);
    t->partitions = both;
    t->epochs = both + capacity;
}

struct assigned_topic *assignment_append(struct assignment *a, struct uuid id, int32_t count)
{
    mem_grow(a->topics, a->count, a->capacity);
    struct assigned_topic *t = &a->topics[a->count++];
    *t = (struct assigned_topic){.id = id};
    if (count > 0)
        topic_reserve(t, count);
    t->count = count;
    return t;
}

void assignment_copy(struct assignment *out, const struct assignment *from)
{
    *out = (struct assignment){0};
    for (int32_t i = 0; i < from->count; i++) {
        const struct assigned_topic *t = &from->topics[i];
        struct assigned_topic *copy = assignment_append(out, t->id, t->count);
        if (t->count == 0)
            continue;
        memcpy(copy->partitions, t->partitions, (size_t)t->count * sizeof(*t->partitions));
        memcpy(copy->epochs, t->epochs, (size_t)t->count * sizeof(*t->epochs));
    }
}

void assignment_move(struct assignment *to, struct assignment *from)
{
    assignment_release(to);
    *to = *from;
    *from = (struct assignment){0};
}

// ---- Sorting ----

struct sorted_partition {
    struct uuid id;
    int32_t partition;
    int32_t epoch;
};

static int compare(const void *pa, const void *pb)
{
    const struct sorted_partition *a = pa, *b = pb;
    int order = memcmp(a->id.bytes, b->id.bytes, UUID_SIZE);
    return order != 0 ? order : (a->partition > b->partition) - (a->partition < b->partition);
}

static bool is_sorted(const struct assignment *a)
{
    for (int32_t i = 0; i < a->count; i++) {
        const struct assigned_topic *t = &a->topics[i];
        if (t->count == 0 || (i > 0 && memcmp(t[-1].id.bytes, t->id.bytes, UUID_SIZE) >= 0))
            return false;
        for (int32_t p = 1; p < t->count; p++)
            if (t->partitions[p - 1] >= t->partitions[p])
                return false;
    }
    return true;
}

void assignment_sort(struct assignment *a)
{
    if (is_sorted(a))
        return;
    size_t size = (size_t)assignment_size(a), n = 0;
    struct sorted_partition *all = mem_alloc_array(size + 1, sizeof(*all));
    for (int32_t i = 0; i < a->count; i++)
        for (int32_t p = 0; p < a->topics[i].count; p++)
            all[n++] = (struct sorted_partition){a->topics[i].id, a->topics[i].partitions[p],
                                                 a->topics[i].epochs[p]};
    qsort(all, n, sizeof(*all), compare);
    assignment_release(a);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || compare(&all[i - 1], &all[i]) != 0)
            assignment_push(a, all[i].id, all[i].partition, all[i].epoch);
    mem_free(all);
}

void assignment_push(struct assignment *a, struct uuid id, int32_t partition, int32_t epoch)
{
    struct assigned_topic *t = a->count > 0 ? &a->topics[a->count - 1] : NULL;
    if (t == NULL || !uuid_equal(t->id, id)) {
        check(t == NULL || memcmp(t->id.bytes, id.bytes, UUID_SIZE) < 0);
        t = assignment_append(a, id, 0);
    }
    check(t->count == 0 || t->partitions[t->count - 1] < partition);
    if ((t->count & (t->count - 1)) == 0) // full: 0 or a power of two
        topic_reserve(t, t->count == 0 ? 1 : t->count * 2);
    t->partitions[t->count] = partition;
    t->epochs[t->count++] = epoch;
}

// ---- Asking ----

const struct assigned_topic *assignment_topic(const struct assignment *a, struct uuid id)
{
    int32_t low = 0, high = a->count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        int order = memcmp(a->topics[middle].id.bytes, id.bytes, UUID_SIZE);
        if (order == 0)
            return &a->topics[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

int32_t assigned_topic_index(const struct assigned_topic *t, int32_t partition)
{
    int32_t low = 0, high = t->count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (t->partitions[middle] == partition)
            return middle;
        if (t->partitions[middle] < partition)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

bool assignment_has(const struct assignment *a, struct uuid id, int32_t partition)
{
    const struct assigned_topic *t = assignment_topic(a, id);
    return t != NULL && assigned_topic_index(t, partition) >= 0;
}

int64_t assignment_size(const struct assignment *a)
{
    int64_t size = 0;
    for (int32_t i = 0; i < a->count; i++)
        size += a->topics[i].count;
    return size;
}

static bool equal(const struct assignment *a, const struct assignment *b, bool epochs)
{
    if (a->count != b->count)
        return false;
    for (int32_t i = 0; i < a->count; i++) {
        const struct assigned_topic *x = &a->topics[i], *y = &b->topics[i];
        size_t size = (size_t)x->count * sizeof(*x->partitions);
        if (!uuid_equal(x->id, y->id) || x->count != y->count ||
            memcmp(x->partitions, y->partitions, size) != 0 ||
            (epochs && memcmp(x->epochs, y->epochs, size) != 0))
            return false;
    }
    return true;
}

bool assignment_equal(const struct assignment *a, const struct assignment *b)
{
    return equal(a, b, true);
}

bool assignment_same_partitions(const struct assignment *a, const struct assignment *b)
{
    return equal(a, b, false);
}

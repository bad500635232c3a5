// SPDX-License-Identifier: Apache-2.0
#include "client/partitions.h"

#include <stdlib.h>

#include "base/mem.h"

int topic_partition_compare(const struct topic_partition *a, const struct topic_partition *b)
{
    int order = str_compare(a->topic, b->topic);
    return order != 0 ? order : (a->partition > b->partition) - (a->partition < b->partition);
}

void partition_list_release(struct partition_list *l)
{
    mem_free(l->items);
    *l = (struct partition_list){0};
}

void partition_list_add(struct partition_list *l, struct str topic, int32_t partition)
{
    mem_grow(l->items, l->count, l->capacity);
    l->items[l->count++] = (struct topic_partition){topic, partition};
}

static int compare(const void *a, const void *b)
{
    return topic_partition_compare(a, b);
}

void partition_list_sort(struct partition_list *l)
{
    int kept = 0;
    if (l->count > 0)
        qsort(l->items, (size_t)l->count, sizeof *l->items, compare);
    for (int i = 0; i < l->count; i++)
        if (kept == 0 || compare(&l->items[kept - 1], &l->items[i]) != 0)
            l->items[kept++] = l->items[i];
    l->count = kept;
}

int partition_list_find(const struct partition_list *l, struct str topic, int32_t partition)
{
    struct topic_partition key = {topic, partition};
    const struct topic_partition *found =
        l->count > 0 ? bsearch(&key, l->items, (size_t)l->count, sizeof key, compare) : NULL;
    return found != NULL ? (int)(found - l->items) : -1;
}

bool partition_list_equal(const struct partition_list *a, const struct partition_list *b)
{
    for (int i = 0; i < a->count && a->count == b->count; i++)
        if (compare(&a->items[i], &b->items[i]) != 0)
            return false;
    return a->count == b->count;
}

void partition_list_minus(const struct partition_list *a, const struct partition_list *b,
                          struct partition_list *out)
{
    for (int i = 0; i < a->count; i++)
        if (partition_list_find(b, a->items[i].topic, a->items[i].partition) < 0)
            partition_list_add(out, a->items[i].topic, a->items[i].partition);
}

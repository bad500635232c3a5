// SPDX-License-Identifier: Apache-2.0
#include "txn/partitions.h"

#include "base/arena.h"
#include "base/mem.h"

void txn_partitions_clear(struct txn_partitions *p)
{
    for (int32_t i = 0; i < p->count; i++) {
        mem_free(p->topics[i].name);
        mem_free(p->topics[i].partitions);
    }
    mem_free(p->topics);
    *p = (struct txn_partitions){0};
}

// Where the topic is, or would be.
static int32_t topic_place(const struct txn_partitions *p, struct str name, bool *is_there)
{
    int32_t low = 0, high = p->count;
    *is_there = false;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        int order = str_compare(str_from(p->topics[middle].name), name);
        if (order == 0) {
            *is_there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int32_t partition_place(const struct txn_topic *t, int32_t partition, bool *is_there)
{
    int32_t low = 0, high = t->count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (t->partitions[middle] < partition)
            low = middle + 1;
        else
            high = middle;
    }
    *is_there = low < t->count && t->partitions[low] == partition;
    return low;
}

bool txn_partitions_has(const struct txn_partitions *p, struct str topic, int32_t partition)
{
    bool is_there;
    int32_t i = topic_place(p, topic, &is_there);
    if (is_there)
        partition_place(&p->topics[i], partition, &is_there);
    return is_there;
}

static struct txn_topic *get_topic(struct txn_partitions *p, struct str name)
{
    bool is_there;
    int32_t i = topic_place(p, name, &is_there);
    if (!is_there) {
        mem_grow(p->topics, p->count, p->capacity);
        memmove(&p->topics[i + 1], &p->topics[i], (size_t)(p->count - i) * sizeof(p->topics[0]));
        p->topics[i] = (struct txn_topic){.name = mem_copy_str(name)};
        p->count++;
    }
    return &p->topics[i];
}

bool txn_partitions_add(struct txn_partitions *p, struct str topic, int32_t partition)
{
    bool is_there;
    struct txn_topic *t = get_topic(p, topic);
    int32_t i = partition_place(t, partition, &is_there);
    if (is_there)
        return false;
    mem_grow(t->partitions, t->count, t->capacity);
    memmove(&t->partitions[i + 1], &t->partitions[i],
            (size_t)(t->count - i) * sizeof(t->partitions[0]));
    t->partitions[i] = partition;
    t->count++;
    p->total++;
    return true;
}

void txn_partitions_set(struct txn_partitions *p,
                        const struct transaction_log_value_partitions_schema_array *listed)
{
    txn_partitions_clear(p);
    for (int32_t i = 0; i < listed->count; i++) {
        const struct transaction_log_value_partitions_schema *topic = &listed->items[i];
        for (int32_t k = 0; k < topic->partition_ids.count; k++)
            txn_partitions_add(p, topic->topic, topic->partition_ids.items[k]);
    }
}

bool txn_partitions_list(const struct txn_partitions *p, struct arena *arena,
                         struct transaction_log_value_partitions_schema_array *out)
{
    if (!transaction_log_value_partitions_schema_array_new(arena, p->count, out))
        return false;
    for (int32_t i = 0; i < p->count; i++) {
        out->items[i].topic = str_from(p->topics[i].name);
        out->items[i].partition_ids.items = p->topics[i].partitions;
        out->items[i].partition_ids.count = p->topics[i].count;
    }
    return true;
}

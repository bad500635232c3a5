// SPDX-License-Identifier: Apache-2.0
//
// The range assignor, and the table of all assignors.
#include <stdlib.h>

#include "base/mem.h"
#include "group/assign.h"

int32_t assign_number(struct assign_topic *topics, int32_t topic_count)
{
    int32_t total = 0;
    for (int32_t t = 0; t < topic_count; t++) {
        topics[t].first = total;
        total += topics[t].partition_count;
    }
    return total;
}

static int compare_members(const void *pa, const void *pb)
{
    const struct assign_member *a = *(const struct assign_member *const *)pa;
    const struct assign_member *b = *(const struct assign_member *const *)pb;
    bool a_static = a->instance_id.data != NULL, b_static = b->instance_id.data != NULL;
    if (a_static != b_static)
        return a_static ? -1 : 1;
    return a_static ? str_compare(a->instance_id, b->instance_id) : str_compare(a->id, b->id);
}

// The members of each topic, one list after another in the order of range; starts[t] is where that of
// topic t begins.
static const struct assign_member **subscribers_new(const struct assign_input *in, size_t *starts)
{
    const struct assign_member **sorted = mem_alloc_array((size_t)in->member_count + 1, sizeof(*sorted));
    for (int32_t m = 0; m < in->member_count; m++)
        sorted[m] = &in->members[m];
    qsort(sorted, (size_t)in->member_count, sizeof(*sorted), compare_members);

    for (int32_t m = 0; m < in->member_count; m++)
        for (int32_t i = 0; i < in->members[m].topic_count; i++)
            starts[in->members[m].topics[i] + 1]++;
    for (int32_t t = 0; t < in->topic_count; t++)
        starts[t + 1] += starts[t];

    const struct assign_member **all =
        mem_alloc_array(starts[in->topic_count] + 1, sizeof(*all));
    size_t *next = mem_alloc_array((size_t)in->topic_count + 1, sizeof(*next));
    for (int32_t m = 0; m < in->member_count; m++)
        for (int32_t i = 0; i < sorted[m]->topic_count; i++) {
            int32_t t = sorted[m]->topics[i];
            all[starts[t] + next[t]++] = sorted[m];
        }
    mem_free(next);
    mem_free(sorted);
    return all;
}

static void assign_blocks(const struct assign_topic *topic, const struct assign_member **members,
                          size_t count, const struct assign_member *base, int32_t *owners)
{
    if (count == 0)
        return;
    int32_t n = (int32_t)count, size = topic->partition_count / n, longer = topic->partition_count % n;
    int32_t at = topic->first;
    for (int32_t m = 0; m < n; m++)
        for (int32_t i = size + (m < longer); i > 0; i--)
            owners[at++] = (int32_t)(members[m] - base);
}

void assign_range(const struct assign_input *in, int32_t *owners)
{
    size_t *starts = mem_alloc_array((size_t)in->topic_count + 1, sizeof(*starts));
    const struct assign_member **subscribers = subscribers_new(in, starts);
    for (int32_t t = 0; t < in->topic_count; t++) {
        for (int32_t p = 0; p < in->topics[t].partition_count; p++)
            owners[in->topics[t].first + p] = ASSIGN_NOBODY;
        assign_blocks(&in->topics[t], subscribers + starts[t], starts[t + 1] - starts[t], in->members,
                      owners);
    }
    mem_free(subscribers);
    mem_free(starts);
}

const struct assignor *assignor_find(struct str name)
{
    static const struct assignor all[] = {
        {"uniform", "org.apache.kafka.coordinator.group.assignor.UniformAssignor", assign_uniform},
        {"range", "org.apache.kafka.coordinator.group.assignor.RangeAssignor", assign_range},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (str_is(name, all[i].name) || str_is(name, all[i].java_class))
            return &all[i];
    return NULL;
}

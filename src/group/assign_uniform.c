// SPDX-License-Identifier: Apache-2.0
//
// The uniform assignor. Two ways: when all members subscribe to the same topics the shares are known
// beforehand; when not, an assignment is balanced by moving one partition after another.
#include <stdlib.h>

#include "base/mem.h"
#include "group/assign.h"

static int32_t partition_total(const struct assign_input *in)
{
    if (in->topic_count == 0)
        return 0;
    const struct assign_topic *last = &in->topics[in->topic_count - 1];
    return last->first + last->partition_count;
}

// ---- The same topics for everybody ----

struct quotas {
    int32_t least;  // partitions that everybody has
    int32_t longer; // how many members may still have one more
    int32_t *counts; // by member
};

static bool quota_take(struct quotas *q, int32_t member)
{
    if (q->counts[member] > q->least || (q->counts[member] == q->least && q->longer == 0))
        return false;
    if (q->counts[member] == q->least)
        q->longer--;
    q->counts[member]++;
    return true;
}

static void assign_homogeneous(const struct assign_input *in, int32_t total, int32_t *owners)
{
    struct quotas q = {
        .least = total / in->member_count,
        .longer = total % in->member_count,
        .counts = mem_alloc_array((size_t)in->member_count, sizeof(*q.counts)),
    };
    for (int32_t p = 0; p < total; p++) {
        int32_t owner = in->current[p];
        owners[p] = owner != ASSIGN_NOBODY && quota_take(&q, owner) ? owner : ASSIGN_NOBODY;
    }
    int32_t member = 0;
    for (int32_t p = 0; p < total; p++) {
        if (owners[p] != ASSIGN_NOBODY)
            continue;
        while (!quota_take(&q, member))
            member++; // its share is complete: the shares add up to the total
        owners[p] = member;
    }
    mem_free(q.counts);
}

// ---- Different topics ----

struct balance {
    const struct assign_input *in;
    int32_t *owners;
    int32_t *counts;      // partitions by member
    int32_t *starts;      // by topic: where its subscribers begin, topic_count + 1 of them
    int32_t *subscribers; // members
};

static void subscribers_fill(struct balance *b)
{
    const struct assign_input *in = b->in;
    for (int32_t m = 0; m < in->member_count; m++)
        for (int32_t i = 0; i < in->members[m].topic_count; i++)
            b->starts[in->members[m].topics[i] + 1]++;
    for (int32_t t = 0; t < in->topic_count; t++)
        b->starts[t + 1] += b->starts[t];
    b->subscribers = mem_alloc_array((size_t)b->starts[in->topic_count] + 1, sizeof(*b->subscribers));
    int32_t *next = mem_alloc_array((size_t)in->topic_count + 1, sizeof(*next));
    for (int32_t m = 0; m < in->member_count; m++)
        for (int32_t i = 0; i < in->members[m].topic_count; i++) {
            int32_t t = in->members[m].topics[i];
            b->subscribers[b->starts[t] + next[t]++] = m;
        }
    mem_free(next);
}

static bool subscribes(const struct balance *b, int32_t topic, int32_t member)
{
    int32_t low = b->starts[topic], high = b->starts[topic + 1]; // members rise within a topic
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (b->subscribers[middle] == member)
            return true;
        if (b->subscribers[middle] < member)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

// The subscriber of a topic with the fewest partitions; ASSIGN_NOBODY: it has none.
static int32_t least_loaded(const struct balance *b, int32_t topic)
{
    int32_t best = ASSIGN_NOBODY;
    for (int32_t i = b->starts[topic]; i < b->starts[topic + 1]; i++)
        if (best == ASSIGN_NOBODY || b->counts[b->subscribers[i]] < b->counts[best])
            best = b->subscribers[i];
    return best;
}

static void keep_current(struct balance *b)
{
    for (int32_t t = 0; t < b->in->topic_count; t++)
        for (int32_t p = 0; p < b->in->topics[t].partition_count; p++) {
            int32_t at = b->in->topics[t].first + p, owner = b->in->current[at];
            bool stays = owner != ASSIGN_NOBODY && subscribes(b, t, owner);
            b->owners[at] = stays ? owner : ASSIGN_NOBODY;
            if (stays)
                b->counts[owner]++;
        }
}

struct topic_order {
    int32_t topic;
    int32_t subscriber_count;
};

static int compare_topics(const void *pa, const void *pb)
{
    const struct topic_order *a = pa, *b = pb;
    if (a->subscriber_count != b->subscriber_count)
        return a->subscriber_count < b->subscriber_count ? -1 : 1;
    return a->topic < b->topic ? -1 : a->topic > b->topic;
}

// Topics with few subscribers first: the others have more ways to even it out.
static void assign_rest(struct balance *b)
{
    int32_t n = b->in->topic_count;
    struct topic_order *order = mem_alloc_array((size_t)n + 1, sizeof(*order));
    for (int32_t t = 0; t < n; t++)
        order[t] = (struct topic_order){t, b->starts[t + 1] - b->starts[t]};
    qsort(order, (size_t)n, sizeof(*order), compare_topics);
    for (int32_t i = 0; i < n; i++) {
        const struct assign_topic *topic = &b->in->topics[order[i].topic];
        for (int32_t p = topic->first; p < topic->first + topic->partition_count; p++) {
            int32_t member;
            if (b->owners[p] != ASSIGN_NOBODY ||
                (member = least_loaded(b, order[i].topic)) == ASSIGN_NOBODY)
                continue;
            b->owners[p] = member;
            b->counts[member]++;
        }
    }
    mem_free(order);
}

// Moves partitions of a topic from members to such that have at least two fewer. Each move makes the sum of
// the squared counts smaller, so there is an end.
static bool balance_topic(struct balance *b, int32_t t)
{
    const struct assign_topic *topic = &b->in->topics[t];
    int32_t to = least_loaded(b, t);
    bool moved = false;
    for (int32_t p = topic->first; p < topic->first + topic->partition_count; p++) {
        int32_t from = b->owners[p];
        if (from == ASSIGN_NOBODY || b->counts[from] - b->counts[to] < 2)
            continue;
        b->owners[p] = to;
        b->counts[from]--;
        b->counts[to]++;
        moved = true;
        to = least_loaded(b, t);
    }
    return moved;
}

static void assign_heterogeneous(const struct assign_input *in, int32_t *owners)
{
    struct balance b = {
        .in = in,
        .owners = owners,
        .counts = mem_alloc_array((size_t)in->member_count, sizeof(*b.counts)),
        .starts = mem_alloc_array((size_t)in->topic_count + 1, sizeof(*b.starts)),
    };
    subscribers_fill(&b);
    keep_current(&b);
    assign_rest(&b);
    for (bool moved = true; moved;) {
        moved = false;
        for (int32_t t = 0; t < in->topic_count; t++)
            moved |= balance_topic(&b, t);
    }
    mem_free(b.subscribers);
    mem_free(b.starts);
    mem_free(b.counts);
}

void assign_uniform(const struct assign_input *in, int32_t *owners)
{
    if (in->member_count == 0) {
        for (int32_t p = partition_total(in); p > 0; p--)
            owners[p - 1] = ASSIGN_NOBODY;
    } else if (in->is_homogeneous) {
        assign_homogeneous(in, partition_total(in), owners);
    } else {
        assign_heterogeneous(in, owners);
    }
}

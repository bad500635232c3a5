// SPDX-License-Identifier: Apache-2.0
#include "client/assignor.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "client/assignor_internal.h"
#include "wire/record/consumer_protocol_subscription.h"

static int compare_members(const void *left, const void *right)
{
    const struct assignor_member *a = left, *b = right;
    bool a_static = a->instance_id.data != NULL, b_static = b->instance_id.data != NULL;
    if (a_static != b_static)
        return a_static ? -1 : 1;
    return a_static ? str_compare(a->instance_id, b->instance_id) : str_compare(a->id, b->id);
}

static int compare_topics(const void *left, const void *right)
{
    return str_compare(((const struct assignor_topic *)left)->name,
                       ((const struct assignor_topic *)right)->name);
}

int assignor_topic_find(const struct assignor_table *t, struct str name)
{
    struct assignor_topic key = {.name = name};
    const struct assignor_topic *found =
        t->topic_count > 0
            ? bsearch(&key, t->topics, (size_t)t->topic_count, sizeof key, compare_topics)
            : NULL;
    return found != NULL ? (int)(found - t->topics) : -1;
}

int assignor_table_init(struct assignor_table *t, struct assignor_member *members, int member_count,
                        struct assignor_topic *topics, int topic_count, struct arena *arena)
{
    *t = (struct assignor_table){members, member_count, topics, topic_count, NULL};
    if (member_count > 0)
        qsort(members, (size_t)member_count, sizeof *members, compare_members);
    if (topic_count > 0)
        qsort(topics, (size_t)topic_count, sizeof *topics, compare_topics);
    size_t columns = (size_t)topic_count;
    t->subscribed = arena_alloc_array(arena, (size_t)member_count * columns + 1, sizeof(bool));
    if (t->subscribed == NULL)
        return ERR_NOMEM;
    memset(t->subscribed, 0, (size_t)member_count * columns + 1);
    for (int m = 0; m < member_count; m++) {
        const struct consumer_protocol_subscription *s = members[m].subscription;
        for (int i = 0; i < s->topics.count; i++) {
            int topic = assignor_topic_find(t, s->topics.items[i]);
            if (topic >= 0)
                t->subscribed[(size_t)m * columns + (size_t)topic] = true;
        }
    }
    return 0;
}

void assignor_give(struct assignor_table *t, int member, int topic, int32_t partition)
{
    partition_list_add(&t->members[member].assigned, t->topics[topic].name, partition);
}

// --- range ---

// Each topic for itself: its partitions in runs, one per member, the first ones longer by one.
static int range_assign(struct assignor_member *members, int member_count,
                        struct assignor_topic *topics, int topic_count, struct arena *arena)
{
    struct assignor_table t;
    int err = assignor_table_init(&t, members, member_count, topics, topic_count, arena);
    for (int k = 0; k < topic_count && err == 0; k++) {
        int takers = 0, left = topics[k].partition_count;
        int32_t next = 0;
        for (int m = 0; m < member_count; m++)
            takers += assignor_subscribes(&t, m, k);
        for (int m = 0; m < member_count; m++) {
            if (!assignor_subscribes(&t, m, k))
                continue;
            int share = (left + takers - 1) / takers;
            for (int i = 0; i < share; i++)
                assignor_give(&t, m, k, next++);
            left -= share;
            takers--;
        }
    }
    return err;
}

const struct client_assignor assignor_range = {.name = "range", .assign = range_assign};

// --- roundrobin ---

// All partitions in a row, dealt to the members in turn; who does not subscribe is passed over.
static int round_robin_assign(struct assignor_member *members, int member_count,
                              struct assignor_topic *topics, int topic_count, struct arena *arena)
{
    struct assignor_table t;
    int turn = 0;
    int err = assignor_table_init(&t, members, member_count, topics, topic_count, arena);
    for (int k = 0; k < topic_count && err == 0; k++) {
        bool wanted = false;
        for (int m = 0; m < member_count; m++)
            wanted |= assignor_subscribes(&t, m, k);
        for (int32_t p = 0; p < topics[k].partition_count && wanted; p++) {
            while (!assignor_subscribes(&t, turn, k))
                turn = (turn + 1) % member_count;
            assignor_give(&t, turn, k, p);
            turn = (turn + 1) % member_count;
        }
    }
    return err;
}

const struct client_assignor assignor_round_robin = {.name = "roundrobin", .assign = round_robin_assign};

// --- By name ---

const struct client_assignor *assignor_by_name(struct str name)
{
    static const struct {
        const char *class_name;
        const struct client_assignor *assignor;
    } known[] = {
        {"RangeAssignor", &assignor_range},
        {"RoundRobinAssignor", &assignor_round_robin},
        {"StickyAssignor", &assignor_sticky},
        {"CooperativeStickyAssignor", &assignor_cooperative_sticky},
    };
    struct str package = str_from("org.apache.kafka.clients.consumer.");
    if (str_starts_with(name, package.data))
        name = str_of(name.data + package.size, name.size - package.size);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_is(name, known[i].assignor->name) || str_is(name, known[i].class_name))
            return known[i].assignor;
    return NULL;
}

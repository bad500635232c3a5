// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include "base/mem.h"
#include "client/group_member_internal.h"
#include "wire/errors.h"

// A topic that is subscribed to and not there may be about to come.
enum { TOPICS_ASK_MS = 1000 };

static int compare_names(const void *left, const void *right)
{
    const struct str *a = left, *b = right;
    return str_compare(*a, *b);
}

// Takes names over as the subscription; true if it is another one.
static bool topics_set(struct group_member *m, struct str *topics, int count)
{
    int kept = 0;
    if (count > 0)
        qsort(topics, (size_t)count, sizeof *topics, compare_names);
    for (int i = 0; i < count; i++)
        if (kept == 0 || !str_equal(topics[kept - 1], topics[i]))
            topics[kept++] = topics[i];
    bool same = m->topics != NULL && m->topic_count == kept;
    for (int i = 0; i < kept && same; i++)
        same = str_equal(m->topics[i], topics[i]);
    mem_free(m->topics);
    m->topics = topics;
    m->topic_count = kept;
    return !same;
}

void group_member_subscribe(struct group_member *m, const struct str *topics, int count)
{
    struct str *own = mem_alloc_array((size_t)count + 1, sizeof *own);
    for (int i = 0; i < count; i++) {
        own[i] = group_member__name(m, topics[i]);
        client_want_topic(m->client, own[i], m->options.create_topics);
    }
    if (topics_set(m, own, count))
        m->consumer.subscription_changed = true;
}

bool group_member__subscribes(const struct group_member *m, struct str topic)
{
    return m->topic_count > 0 &&
           bsearch(&topic, m->topics, (size_t)m->topic_count, sizeof topic, compare_names) != NULL;
}

// All topics that the owner's pattern fits.
static void match_all(struct group_member *m, const struct topology *topology)
{
    struct str *own = mem_alloc_array((size_t)topology->topic_count + 1, sizeof *own);
    int count = 0;
    for (int i = 0; i < topology->topic_count; i++) {
        const struct topology_topic *t = &topology->topics[i];
        if (!t->internal && t->error == 0 && count < GROUP_MEMBER_TOPICS_MAX &&
            m->options.matches(m->options.matches_user, str_from(t->name)))
            own[count++] = group_member__name(m, str_from(t->name));
    }
    if (topics_set(m, own, count))
        m->consumer.subscription_changed = true;
}

static bool lacks_topics(const struct group_member *m, const struct topology *topology)
{
    for (int i = 0; i < m->topic_count; i++) {
        const struct topology_topic *t = topology_topic(topology, m->topics[i]);
        if (t == NULL || (t->error != 0 && kafka_error_is_retriable(t->error)))
            return true;
    }
    return false;
}

void group_member__subscription_step(struct group_member *m)
{
    int64_t generation = client_topology_generation(m->client);
    if (generation > 0 && generation != m->topology_seen) {
        const struct topology *topology = client_topology(m->client);
        m->topology_seen = generation;
        if (m->options.matches != NULL)
            match_all(m, topology);
        m->topics_ask_ms = lacks_topics(m, topology) ? m->now_ms + TOPICS_ASK_MS : INT64_MAX;
    }
    if (m->now_ms >= m->topics_ask_ms) {
        m->topics_ask_ms = INT64_MAX; // until the answer
        client_topology_is_stale(m->client, m->now_ms);
    }
}

int64_t group_member__subscription_next_ms(const struct group_member *m)
{
    return m->topics_ask_ms;
}

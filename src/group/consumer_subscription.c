// SPDX-License-Identifier: Apache-2.0
//
// What members subscribe to, as values, and the topics that come out of it.
#include <stdlib.h>

#include "base/mem.h"
#include "group/consumer.h"
#include "metadata/image.h"

// ---- Copies: one allocation for the arrays and another for the texts ----

static size_t text_size(const struct consumer_subscription *s)
{
    size_t size = s->instance_id.size + s->rack_id.size + s->client_id.size + s->client_host.size +
                  s->regex.size + s->assignor.size;
    for (int32_t i = 0; i < s->topic_count; i++)
        size += s->topics[i].size;
    for (int32_t i = 0; i < s->protocol_count; i++)
        size += s->protocols[i].name.size + s->protocols[i].metadata.size;
    return size;
}

static const void *pack(char **at, const void *data, size_t size)
{
    char *copy = *at;
    if (size > 0)
        memcpy(copy, data, size);
    *at += size;
    return copy;
}

static struct str pack_str(char **at, struct str s)
{
    return s.data == NULL ? s : str_of(pack(at, s.data, s.size), s.size);
}

void consumer_subscription_copy(struct consumer_subscription *out, const struct consumer_subscription *s)
{
    size_t topics_size = (size_t)s->topic_count * sizeof(*s->topics);
    size_t protocols_size = (size_t)s->protocol_count * sizeof(*s->protocols);
    struct consumer_subscription copy = *s;
    copy.memory = mem_alloc(topics_size + protocols_size + text_size(s) + 1);
    copy.topics = (struct str *)(void *)copy.memory;
    copy.protocols = (struct classic_protocol *)(void *)(copy.memory + topics_size);
    char *at = copy.memory + topics_size + protocols_size;
    for (int32_t i = 0; i < s->topic_count; i++)
        copy.topics[i] = pack_str(&at, s->topics[i]);
    for (int32_t i = 0; i < s->protocol_count; i++) {
        struct bytes metadata = s->protocols[i].metadata;
        copy.protocols[i].name = pack_str(&at, s->protocols[i].name);
        copy.protocols[i].metadata = bytes_of(pack(&at, metadata.data, metadata.size), metadata.size);
    }
    copy.instance_id = pack_str(&at, s->instance_id);
    copy.rack_id = pack_str(&at, s->rack_id);
    copy.client_id = pack_str(&at, s->client_id);
    copy.client_host = pack_str(&at, s->client_host);
    copy.regex = pack_str(&at, s->regex);
    copy.assignor = pack_str(&at, s->assignor);
    *out = copy;
}

void consumer_subscription_release(struct consumer_subscription *s)
{
    mem_free(s->memory);
    *s = (struct consumer_subscription){0};
}

// ---- Comparing ----

static bool same_or_null(struct str a, struct str b)
{
    return (a.data == NULL) == (b.data == NULL) && str_equal(a, b);
}

static bool same_protocols(const struct consumer_subscription *a, const struct consumer_subscription *b)
{
    if (a->is_classic != b->is_classic || a->protocol_count != b->protocol_count ||
        a->session_timeout_ms != b->session_timeout_ms)
        return false;
    for (int32_t i = 0; i < a->protocol_count; i++)
        if (!str_equal(a->protocols[i].name, b->protocols[i].name) ||
            !bytes_equal(a->protocols[i].metadata, b->protocols[i].metadata))
            return false;
    return true;
}

bool consumer_same_topics(const struct consumer_subscription *a, const struct consumer_subscription *b)
{
    if (a->topic_count != b->topic_count)
        return false;
    for (int32_t i = 0; i < a->topic_count; i++)
        if (!str_equal(a->topics[i], b->topics[i]))
            return false;
    return true;
}

bool consumer_subscription_equal(const struct consumer_subscription *a,
                                 const struct consumer_subscription *b)
{
    return same_or_null(a->instance_id, b->instance_id) && same_or_null(a->rack_id, b->rack_id) &&
           str_equal(a->client_id, b->client_id) && str_equal(a->client_host, b->client_host) &&
           str_equal(a->regex, b->regex) && same_or_null(a->assignor, b->assignor) &&
           a->rebalance_timeout_ms == b->rebalance_timeout_ms && consumer_same_topics(a, b) &&
           same_protocols(a, b);
}

// ---- Names ----

static int compare_names(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

int32_t consumer_sort_names(struct str *names, int32_t count)
{
    int32_t kept = 0;
    if (count > 0)
        qsort(names, (size_t)count, sizeof(*names), compare_names);
    for (int32_t i = 0; i < count; i++)
        if (kept == 0 || !str_equal(names[kept - 1], names[i]))
            names[kept++] = names[i];
    return kept;
}

static bool names_have(const struct str *names, int32_t count, struct str name)
{
    return count > 0 && bsearch(&name, names, (size_t)count, sizeof(name), compare_names) != NULL;
}

static const struct consumer_regex *regex_of(const struct consumer_member *m)
{
    return m->subscription.regex.size == 0 ? NULL : consumer_find_regex(m->group, m->subscription.regex);
}

bool consumer_subscribes(const struct consumer_member *m, struct str topic)
{
    if (names_have(m->subscription.topics, m->subscription.topic_count, topic))
        return true;
    const struct consumer_regex *r = regex_of(m);
    return r != NULL && names_have(r->topics, r->topic_count, topic);
}

// ---- Topics of the image ----

struct topic_list {
    const struct metadata_topic **items;
    int32_t count;
};

static void add_names(const struct consumer_group *cg, const struct str *names, int32_t count,
                      struct topic_list *out)
{
    for (int32_t i = 0; i < count; i++) {
        const struct metadata_topic *t = metadata_image_topic(cg->groups->image, names[i]);
        if (t != NULL)
            out->items[out->count++] = t;
    }
}

static int compare_topics(const void *a, const void *b)
{
    return str_compare((*(const struct metadata_topic *const *)a)->name,
                       (*(const struct metadata_topic *const *)b)->name);
}

static void sort_topics(struct topic_list *list)
{
    int32_t kept = 0;
    if (list->count > 0)
        qsort(list->items, (size_t)list->count, sizeof(*list->items), compare_topics);
    for (int32_t i = 0; i < list->count; i++)
        if (kept == 0 || list->items[kept - 1] != list->items[i])
            list->items[kept++] = list->items[i];
    list->count = kept;
}

// Members that subscribe to the same as one before add nothing: the first of them is the only one that is
// looked at, which is the rule in a large group.
static bool adds_nothing(const struct consumer_member *m, const struct consumer_member *before)
{
    return before != NULL && str_equal(m->subscription.regex, before->subscription.regex) &&
           consumer_same_topics(&m->subscription, &before->subscription);
}

static size_t names_max(const struct consumer_member *m)
{
    const struct consumer_regex *r = regex_of(m);
    return (size_t)m->subscription.topic_count + (r == NULL ? 0 : (size_t)r->topic_count);
}

static void add_member(const struct consumer_member *m, struct topic_list *out)
{
    const struct consumer_regex *r = regex_of(m);
    add_names(m->group, m->subscription.topics, m->subscription.topic_count, out);
    if (r != NULL)
        add_names(m->group, r->topics, r->topic_count, out);
}

const struct metadata_topic **consumer_topics(const struct consumer_group *cg,
                                              const struct consumer_member *m, struct arena *arena,
                                              int32_t *count)
{
    size_t most = m != NULL ? names_max(m) : 0;
    const struct consumer_member *before = NULL;
    for (struct consumer_member *i = NULL; m == NULL && (i = consumer_next(cg, i)) != NULL;) {
        if (!i->is_member || adds_nothing(i, before))
            continue;
        most += names_max(i);
        before = i;
    }
    struct topic_list list = {.items = arena_alloc_array(arena, most + 1, sizeof(*list.items))};
    if (list.items == NULL)
        return NULL;
    if (m != NULL)
        add_member(m, &list);
    before = NULL;
    for (struct consumer_member *i = NULL; m == NULL && (i = consumer_next(cg, i)) != NULL;) {
        if (!i->is_member || adds_nothing(i, before))
            continue;
        add_member(i, &list);
        before = i;
    }
    sort_topics(&list);
    *count = list.count;
    return list.items;
}

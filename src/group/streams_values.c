// SPDX-License-Identifier: Apache-2.0
//
// What members say of themselves and of their topology, as values: copies, comparisons, questions.
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "group/streams.h"
#include "wire/api/streams_group_heartbeat.h"

enum { TOPOLOGY_MEMORY_MAX = 256 * 1024 * 1024 }; // of one decoded record

// ---- Subscriptions ----

static size_t text_size(const struct streams_group_member_metadata_value *v)
{
    size_t size = v->instance_id.size + v->rack_id.size + v->client_id.size + v->client_host.size +
                  v->process_id.size + (v->user_endpoint == NULL ? 0 : v->user_endpoint->host.size);
    for (int32_t i = 0; i < v->client_tags.count; i++)
        size += v->client_tags.items[i].key.size + v->client_tags.items[i].value.size;
    return size;
}

static struct str pack(char **at, struct str s)
{
    if (s.data == NULL)
        return s;
    char *copy = *at;
    if (s.size > 0)
        memcpy(copy, s.data, s.size);
    *at += s.size;
    return str_of(copy, s.size);
}

struct streams_subscription *
streams_subscription_new(const struct streams_group_member_metadata_value *v)
{
    size_t tags_size = (size_t)v->client_tags.count * sizeof(*v->client_tags.items);
    struct streams_subscription *s = mem_alloc(sizeof(*s) + tags_size + text_size(v) + 1);
    s->value = *v;
    s->value.client_tags.items = (void *)(s + 1);
    char *at = (char *)(s + 1) + tags_size;
    for (int32_t i = 0; i < v->client_tags.count; i++) {
        s->value.client_tags.items[i].key = pack(&at, v->client_tags.items[i].key);
        s->value.client_tags.items[i].value = pack(&at, v->client_tags.items[i].value);
    }
    streams_sort_tags(&s->value.client_tags);
    s->value.instance_id = pack(&at, v->instance_id);
    s->value.rack_id = pack(&at, v->rack_id);
    s->value.client_id = pack(&at, v->client_id);
    s->value.client_host = pack(&at, v->client_host);
    s->value.process_id = pack(&at, v->process_id);
    if (v->user_endpoint != NULL) {
        s->endpoint.host = pack(&at, v->user_endpoint->host);
        s->endpoint.port = v->user_endpoint->port;
        s->value.user_endpoint = &s->endpoint;
    }
    return s;
}

void streams_subscription_free(struct streams_subscription *s)
{
    mem_free(s);
}

bool streams_subscription_equal(const struct streams_group_member_metadata_value *a,
                                const struct streams_group_member_metadata_value *b)
{
    return wire_equal(&streams_group_member_metadata_value_schema, 0, a, b);
}

static int compare_tags(const void *a, const void *b)
{
    const struct streams_group_member_metadata_value_key_value *x = a, *y = b;
    return str_compare(x->key, y->key);
}

void streams_sort_tags(struct streams_group_member_metadata_value_key_value_array *tags)
{
    if (tags->count > 1)
        qsort(tags->items, (size_t)tags->count, sizeof(*tags->items), compare_tags);
}

// ---- Topologies ----

static int compare_subtopologies(const void *a, const void *b)
{
    const struct streams_group_topology_value_subtopology *x = a, *y = b;
    return str_compare(x->subtopology_id, y->subtopology_id);
}

void streams_topology_sort(struct streams_group_topology_value *value)
{
    if (value->subtopologies.count > 1)
        qsort(value->subtopologies.items, (size_t)value->subtopologies.count,
              sizeof(*value->subtopologies.items), compare_subtopologies);
}

struct streams_topology *streams_topology_new(struct bytes encoded, int *err)
{
    struct streams_topology *t = mem_new(struct streams_topology);
    arena_init(&t->memory, TOPOLOGY_MEMORY_MAX);
    struct str copy = arena_copy_str(&t->memory, str_of((const char *)encoded.data, encoded.size));
    *err = copy.data == NULL ? ERR_NOMEM
                             : wire_decode(&streams_group_topology_value_schema, 0,
                                           bytes_of((const uint8_t *)copy.data, copy.size), &t->memory,
                                           &t->value, NULL);
    if (*err != 0) {
        streams_topology_free(t);
        return NULL;
    }
    streams_topology_sort(&t->value);
    return t;
}

void streams_topology_free(struct streams_topology *t)
{
    if (t != NULL)
        arena_release(&t->memory);
    mem_free(t);
}

static bool convert_topics(const struct streams_group_heartbeat_request_topic_info_array *from,
                           struct arena *arena, struct streams_group_topology_value_topic_info_array *out)
{
    if (streams_group_topology_value_topic_info_array_new(arena, from->count, out) == NULL)
        return false;
    for (int32_t i = 0; i < from->count; i++) {
        const struct streams_group_heartbeat_request_topic_info *t = &from->items[i];
        struct streams_group_topology_value_topic_info *o = &out->items[i];
        o->name = t->name;
        o->partitions = t->partitions;
        o->replication_factor = t->replication_factor;
        if (streams_group_topology_value_topic_config_array_new(arena, t->topic_configs.count,
                                                                &o->topic_configs) == NULL)
            return false;
        for (int32_t c = 0; c < t->topic_configs.count; c++) {
            o->topic_configs.items[c].key = t->topic_configs.items[c].key;
            o->topic_configs.items[c].value = t->topic_configs.items[c].value;
        }
    }
    return true;
}

static bool convert_groups(const struct streams_group_heartbeat_request_copartition_group_array *from,
                           struct arena *arena,
                           struct streams_group_topology_value_copartition_group_array *out)
{
    if (streams_group_topology_value_copartition_group_array_new(arena, from->count, out) == NULL)
        return false;
    for (int32_t i = 0; i < from->count; i++) {
        out->items[i].source_topics = from->items[i].source_topics;
        out->items[i].source_topic_regex = from->items[i].source_topic_regex;
        out->items[i].repartition_source_topics = from->items[i].repartition_source_topics;
    }
    return true;
}

bool streams_topology_convert(const struct streams_group_heartbeat_request_topology *from,
                              struct arena *arena, struct streams_group_topology_value *out)
{
    streams_group_topology_value_init(out);
    out->epoch = from->epoch;
    if (streams_group_topology_value_subtopology_array_new(arena, from->subtopologies.count,
                                                           &out->subtopologies) == NULL)
        return false;
    for (int32_t i = 0; i < from->subtopologies.count; i++) {
        const struct streams_group_heartbeat_request_subtopology *s = &from->subtopologies.items[i];
        struct streams_group_topology_value_subtopology *o = &out->subtopologies.items[i];
        o->subtopology_id = s->subtopology_id;
        o->source_topics = s->source_topics;
        o->source_topic_regex = s->source_topic_regex;
        o->repartition_sink_topics = s->repartition_sink_topics;
        if (!convert_topics(&s->state_changelog_topics, arena, &o->state_changelog_topics) ||
            !convert_topics(&s->repartition_source_topics, arena, &o->repartition_source_topics) ||
            !convert_groups(&s->copartition_groups, arena, &o->copartition_groups))
            return false;
    }
    return true;
}

bool streams_topology_equal(const struct streams_topology *t,
                            const struct streams_group_topology_value *value, struct arena *arena)
{
    struct streams_group_topology_value sorted = *value;
    size_t count = (size_t)value->subtopologies.count;
    sorted.subtopologies.items =
        arena_alloc_array(arena, count + 1, sizeof(*sorted.subtopologies.items));
    if (sorted.subtopologies.items == NULL)
        return false;
    if (count > 0)
        memcpy(sorted.subtopologies.items, value->subtopologies.items,
               count * sizeof(*sorted.subtopologies.items));
    streams_topology_sort(&sorted);
    return wire_equal(&streams_group_topology_value_schema, 0, &t->value, &sorted);
}

// ---- Topics of a topology ----


struct str *streams_required_topics(const struct streams_group_topology_value *value,
                                    struct arena *arena, int32_t *count)
{
    size_t most = 0;
    for (int32_t i = 0; i < value->subtopologies.count; i++) {
        const struct streams_group_topology_value_subtopology *s = &value->subtopologies.items[i];
        most += (size_t)s->source_topics.count + (size_t)s->repartition_source_topics.count +
                (size_t)s->state_changelog_topics.count;
    }
    struct str *names = arena_alloc_array(arena, most + 1, sizeof(*names));
    int32_t n = 0;
    for (int32_t i = 0; names != NULL && i < value->subtopologies.count; i++) {
        const struct streams_group_topology_value_subtopology *s = &value->subtopologies.items[i];
        for (int32_t k = 0; k < s->source_topics.count; k++)
            names[n++] = s->source_topics.items[k];
        for (int32_t k = 0; k < s->repartition_source_topics.count; k++)
            names[n++] = s->repartition_source_topics.items[k].name;
        for (int32_t k = 0; k < s->state_changelog_topics.count; k++)
            names[n++] = s->state_changelog_topics.items[k].name;
    }
    *count = names == NULL ? 0 : consumer_sort_names(names, n);
    return names;
}

struct str *streams_named_topics(const struct streams_group_heartbeat_request_topology *t,
                                 struct arena *arena, int32_t *count)
{
    size_t most = 0;
    for (int32_t i = 0; i < t->subtopologies.count; i++) {
        const struct streams_group_heartbeat_request_subtopology *s = &t->subtopologies.items[i];
        most += (size_t)s->source_topics.count + (size_t)s->repartition_sink_topics.count +
                (size_t)s->repartition_source_topics.count + (size_t)s->state_changelog_topics.count;
    }
    struct str *names = arena_alloc_array(arena, most + 1, sizeof(*names));
    int32_t n = 0;
    for (int32_t i = 0; names != NULL && i < t->subtopologies.count; i++) {
        const struct streams_group_heartbeat_request_subtopology *s = &t->subtopologies.items[i];
        for (int32_t k = 0; k < s->source_topics.count; k++)
            names[n++] = s->source_topics.items[k];
        for (int32_t k = 0; k < s->repartition_sink_topics.count; k++)
            names[n++] = s->repartition_sink_topics.items[k];
        for (int32_t k = 0; k < s->repartition_source_topics.count; k++)
            names[n++] = s->repartition_source_topics.items[k].name;
        for (int32_t k = 0; k < s->state_changelog_topics.count; k++)
            names[n++] = s->state_changelog_topics.items[k].name;
    }
    *count = names == NULL ? 0 : consumer_sort_names(names, n);
    return names;
}

const struct streams_group_topology_value_subtopology *
streams_reader_of(const struct streams_group_topology_value *value, struct str topic)
{
    for (int32_t i = 0; i < value->subtopologies.count; i++) {
        const struct streams_group_topology_value_subtopology *s = &value->subtopologies.items[i];
        for (int32_t k = 0; k < s->source_topics.count; k++)
            if (str_equal(s->source_topics.items[k], topic))
                return s;
        for (int32_t k = 0; k < s->repartition_source_topics.count; k++)
            if (str_equal(s->repartition_source_topics.items[k].name, topic))
                return s;
    }
    return NULL;
}

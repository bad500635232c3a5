// SPDX-License-Identifier: Apache-2.0
#include "client/topology.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "wire/api/metadata.h"
#include "wire/errors.h"

void topology_init(struct topology *t)
{
    *t = (struct topology){.controller_id = -1};
}

static void nodes_release(struct topology *t)
{
    for (int i = 0; i < t->node_count; i++) {
        mem_free(t->nodes[i].host);
        mem_free(t->nodes[i].rack);
    }
    mem_free(t->nodes);
    t->nodes = NULL;
    t->node_count = 0;
}

static void partitions_release(struct topology_topic *topic)
{
    for (int i = 0; i < topic->partition_count; i++) {
        mem_free(topic->partitions[i].replicas);
        mem_free(topic->partitions[i].isr);
    }
    mem_free(topic->partitions);
    topic->partitions = NULL;
    topic->partition_count = 0;
}

static void topic_release(struct topology_topic *topic)
{
    partitions_release(topic);
    mem_free(topic->name);
}

void topology_release(struct topology *t)
{
    nodes_release(t);
    for (int i = 0; i < t->topic_count; i++)
        topic_release(&t->topics[i]);
    mem_free(t->topics);
    mem_free(t->cluster_id);
    topology_init(t);
}

static int32_t *copy_ids(const struct wire_int32_array *from, int *count)
{
    *count = from->count > 0 ? from->count : 0;
    int32_t *ids = mem_alloc_array((size_t)*count + 1, sizeof *ids);
    if (*count > 0)
        memcpy(ids, from->items, (size_t)*count * sizeof *ids);
    return ids;
}

static void nodes_update(struct topology *t, const struct metadata_response *m)
{
    nodes_release(t);
    t->nodes = mem_alloc_array((size_t)(m->brokers.count > 0 ? m->brokers.count : 0) + 1,
                               sizeof *t->nodes);
    for (int i = 0; i < m->brokers.count; i++)
        t->nodes[t->node_count++] = (struct topology_node){
            .id = m->brokers.items[i].node_id,
            .host = mem_copy_str(m->brokers.items[i].host),
            .port = (uint16_t)m->brokers.items[i].port,
            .rack = m->brokers.items[i].rack.data != NULL ? mem_copy_str(m->brokers.items[i].rack)
                                                          : NULL,
        };
}

// Where a name is, or would be inserted: -1 - place.
static int topic_search(const struct topology *t, struct str name)
{
    int low = 0, high = t->topic_count;
    while (low < high) {
        int middle = (low + high) / 2;
        int order = str_compare(str_from(t->topics[middle].name), name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1 - low;
}

static struct topology_topic *topic_insert(struct topology *t, int place, struct str name)
{
    t->topics = mem_resize(t->topics, (size_t)(t->topic_count + 1) * sizeof *t->topics);
    memmove(&t->topics[place + 1], &t->topics[place],
            (size_t)(t->topic_count - place) * sizeof *t->topics);
    t->topic_count++;
    t->topics[place] = (struct topology_topic){.name = mem_copy_str(name)};
    return &t->topics[place];
}

// The partition as the answer has it, unless what is known is from a later leader.
static struct topology_partition
partition_copy(const struct metadata_response_metadata_response_partition *from,
               struct topology_partition *known)
{
    if (known != NULL && from->leader_epoch >= 0 && from->leader_epoch < known->leader_epoch) {
        struct topology_partition kept = *known;
        *known = (struct topology_partition){0};
        return kept;
    }
    struct topology_partition p = {
        .error = from->error_code,
        .leader = from->leader_id,
        .leader_epoch = from->leader_epoch,
    };
    p.replicas = copy_ids(&from->replica_nodes, &p.replica_count);
    p.isr = copy_ids(&from->isr_nodes, &p.isr_count);
    return p;
}

static void partitions_update(struct topology_topic *topic,
                              const struct metadata_response_metadata_response_topic *from,
                              bool same_topic)
{
    int count = from->partitions.count > 0 ? from->partitions.count : 0;
    struct topology_topic old = *topic;
    topic->partitions = mem_alloc_array((size_t)count + 1, sizeof *topic->partitions);
    topic->partition_count = count;
    for (int i = 0; i < count; i++)
        topic->partitions[i] = (struct topology_partition){.leader = -1, .leader_epoch = -1};
    for (int i = 0; i < count; i++) {
        int32_t index = from->partitions.items[i].partition_index;
        if (index < 0 || index >= count || topic->partitions[index].replicas != NULL)
            continue; // a gap or a repetition: not an answer of any use
        bool known = same_topic && index < old.partition_count;
        topic->partitions[index] =
            partition_copy(&from->partitions.items[i], known ? &old.partitions[index] : NULL);
    }
    partitions_release(&old);
}

static void topic_update(struct topology *t,
                         const struct metadata_response_metadata_response_topic *from)
{
    if (from->name.data == NULL)
        return;
    int place = topic_search(t, from->name);
    struct topology_topic *topic =
        place >= 0 ? &t->topics[place] : topic_insert(t, -1 - place, from->name);
    // A topic that was deleted and made again starts with new epochs.
    bool same = uuid_equal(topic->id, from->topic_id);
    topic->id = from->topic_id;
    topic->error = from->error_code;
    topic->internal = from->is_internal;
    topic->answered = true;
    partitions_update(topic, from, same);
}

static void forget_unanswered(struct topology *t)
{
    int kept = 0;
    for (int i = 0; i < t->topic_count; i++) {
        if (t->topics[i].answered)
            t->topics[kept++] = t->topics[i];
        else
            topic_release(&t->topics[i]);
    }
    t->topic_count = kept;
}

void topology_update(struct topology *t, const struct metadata_response *m, bool all)
{
    if (m->cluster_id.data != NULL) {
        mem_free(t->cluster_id);
        t->cluster_id = mem_copy_str(m->cluster_id);
    }
    t->controller_id = m->controller_id;
    nodes_update(t, m);
    for (int i = 0; i < t->topic_count; i++)
        t->topics[i].answered = false;
    for (int i = 0; i < m->topics.count; i++)
        topic_update(t, &m->topics.items[i]);
    if (all)
        forget_unanswered(t);
}

const struct topology_node *topology_node(const struct topology *t, int32_t id)
{
    for (int i = 0; i < t->node_count; i++)
        if (t->nodes[i].id == id)
            return &t->nodes[i];
    return NULL;
}

const struct topology_topic *topology_topic(const struct topology *t, struct str name)
{
    int place = topic_search(t, name);
    return place >= 0 ? &t->topics[place] : NULL;
}

const struct topology_topic *topology_topic_by_id(const struct topology *t, struct uuid id)
{
    for (int i = 0; i < t->topic_count; i++)
        if (!uuid_is_zero(id) && uuid_equal(t->topics[i].id, id))
            return &t->topics[i];
    return NULL;
}

const struct topology_partition *topology_partition(const struct topology *t, struct str topic,
                                                    int32_t partition)
{
    const struct topology_topic *found = topology_topic(t, topic);
    if (found == NULL || partition < 0 || partition >= found->partition_count)
        return NULL;
    return &found->partitions[partition];
}

int32_t topology_leader(const struct topology *t, struct str topic, int32_t partition)
{
    const struct topology_partition *p = topology_partition(t, topic, partition);
    return p != NULL ? p->leader : -1;
}

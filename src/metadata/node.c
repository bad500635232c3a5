// SPDX-License-Identifier: Apache-2.0
#include "metadata/broker.h"

#include "base/mem.h"
#include "metadata/internal.h"

const struct metadata_endpoint *metadata_node_endpoint(const struct metadata_node *n,
                                                       struct str listener)
{
    for (int i = 0; i < n->endpoint_count; i++)
        if (str_equal(n->endpoints[i].name, listener))
            return &n->endpoints[i];
    return NULL;
}

struct metadata_feature_range metadata_node_feature(const struct metadata_node *n, struct str name)
{
    for (int i = 0; i < n->feature_count; i++)
        if (str_equal(n->features[i].name, name))
            return n->features[i];
    return (struct metadata_feature_range){.name = name};
}

bool metadata_broker_directory_online(const struct metadata_broker *b, struct uuid directory)
{
    if (b->directory_count == 0 || uuid_equal(directory, DIRECTORY_MIGRATING) ||
        uuid_equal(directory, DIRECTORY_UNASSIGNED))
        return true;
    for (int i = 0; i < b->directory_count; i++)
        if (uuid_equal(b->directories[i], directory))
            return true;
    return false;
}

bool metadata_broker_is_active(const struct metadata_broker *b)
{
    return !b->fenced && !b->in_controlled_shutdown;
}

static struct bytes node_key(const void *item)
{
    return bytes_of(((const struct metadata_node *)item)->key, 4);
}

static void node_ref(void *item)
{
    ((struct metadata_node *)item)->refs++;
}

static void node_unref(void *item)
{
    struct metadata_node *n = item;
    if (--n->refs != 0)
        return;
    arena_release(&n->memory);
    mem_free(n);
}

const struct pmap_type metadata_node_type = {node_key, node_ref, node_unref};

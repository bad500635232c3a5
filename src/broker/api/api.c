// SPDX-License-Identifier: Apache-2.0
#include "broker/api/api.h"

#include "base/err.h"
#include "broker/node.h"
#include "broker/partition.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "config/config.h"
#include "metadata/image.h"
#include "wire/errors.h"

void api_no_memory(struct request *r)
{
    request_close_connection(r, "the answer is larger than one request may take");
}

int api_find_leader(struct shard *s, struct str topic, struct uuid topic_id, int32_t index,
                    int32_t current_leader_epoch, struct partition **out)
{
    const struct metadata_image *image = shard_image(s);
    bool by_name = topic.data != NULL;
    const struct metadata_topic *t = by_name ? metadata_image_topic(image, topic)
                                             : metadata_image_topic_by_id(image, topic_id);
    if (t == NULL)
        return by_name ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION : KAFKA_UNKNOWN_TOPIC_ID;
    const struct metadata_partition *assigned = metadata_topic_partition(t, index);
    if (assigned == NULL)
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    struct partition *p = partitions_find(&s->partitions, t->id, index);
    if (p == NULL)
        return KAFKA_NOT_LEADER_OR_FOLLOWER;
    if (p->state != PARTITION_WAITING && p->state != PARTITION_ONLINE)
        return KAFKA_KAFKA_STORAGE_ERROR; // also when the controller knows, and it has no leader any more
    if (p->state == PARTITION_WAITING || assigned->leader != s->node->node_id)
        return KAFKA_NOT_LEADER_OR_FOLLOWER;
    if (current_leader_epoch >= 0 && current_leader_epoch < p->leader_epoch)
        return KAFKA_FENCED_LEADER_EPOCH;
    if (current_leader_epoch > p->leader_epoch)
        return KAFKA_UNKNOWN_LEADER_EPOCH;
    *out = p;
    return KAFKA_NONE;
}

int api_log_error(int err)
{
    switch (err) {
    case ERR_OK: return KAFKA_NONE;
    case ERR_LIMIT: return KAFKA_OFFSET_OUT_OF_RANGE;
    case ERR_CORRUPT: return KAFKA_CORRUPT_MESSAGE; // this range; the rest is served
    default: return KAFKA_KAFKA_STORAGE_ERROR;
    }
}

bool api_endpoint_of(const struct node *n, const struct request *r, const struct metadata_broker *b,
                     struct api_endpoint *out)
{
    struct str listener = str_from(request_listener(r));
    const struct metadata_endpoint *endpoint = metadata_node_endpoint(&b->node, listener);
    if (endpoint == NULL)
        return false;
    if (b->node.id == n->node_id && n->args.node_config->advertised.count == 0) {
        const struct net_address *local = request_local_address(r);
        *out = (struct api_endpoint){str_from(local->host), local->port};
    } else {
        *out = (struct api_endpoint){endpoint->host, endpoint->port};
    }
    return true;
}

bool api_copy_replicas(struct request *r, struct replicas list, struct wire_int32_array *out)
{
    out->items = arena_new_array(&r->arena, (size_t)list.count, int32_t);
    if (out->items == NULL)
        return false;
    out->count = list.count;
    for (int32_t i = 0; i < list.count; i++)
        out->items[i] = list.ids[i];
    return true;
}

bool api_offline_replicas(struct node *n, struct request *r, const struct metadata_partition *p,
                          struct wire_int32_array *out)
{
    if (!api_copy_replicas(r, p->replicas, out))
        return false;
    out->count = 0;
    for (int32_t i = 0; i < p->replicas.count; i++) {
        const struct metadata_broker *b = metadata_image_broker(node_image(n), p->replicas.ids[i]);
        if (b == NULL || b->fenced || !metadata_broker_directory_online(b, p->directories[i]))
            out->items[out->count++] = p->replicas.ids[i];
    }
    return true;
}

bool api_serves_groups(const struct shard *s, enum feature feature, const char *protocol)
{
    struct str rest = config_list(s->config, "group.coordinator.rebalance.protocols"), item;
    while (config_list_next(&rest, &item))
        if (str_is(item, protocol))
            return metadata_image_feature(shard_image(s), feature) > 0;
    return false;
}

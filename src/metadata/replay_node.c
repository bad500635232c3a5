// SPDX-License-Identifier: Apache-2.0
//
// Records about brokers and controllers.
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "metadata/internal.h"
#include "wire/record/broker_registration_change_record.h"
#include "wire/record/fence_broker_record.h"
#include "wire/record/register_broker_record.h"
#include "wire/record/register_controller_record.h"
#include "wire/record/unfence_broker_record.h"
#include "wire/record/unregister_broker_record.h"
#include "wire/record/unregister_controller_record.h"

enum { NODE_MEMORY_MAX = 16 * 1024 * 1024 };

static void node_init(struct metadata_node *n, int32_t id, struct uuid incarnation_id)
{
    n->refs = 1;
    n->id = id;
    n->incarnation_id = incarnation_id;
    be32_store(n->key, (uint32_t)id);
    arena_init(&n->memory, NODE_MEMORY_MAX);
}

// Copies into the node's memory, or says that there is no room.
static bool node_copy_str(struct metadata_node *n, struct str from, struct str *to)
{
    *to = arena_copy_str(&n->memory, from);
    return to->data != NULL;
}

static bool node_add_endpoints(struct metadata_node *n,
                               const struct register_broker_record_broker_endpoint *from, int count)
{
    struct metadata_endpoint *to = arena_new_array(&n->memory, (size_t)count, struct metadata_endpoint);
    if (to == NULL)
        return false;
    n->endpoints = to;
    n->endpoint_count = count;
    for (int i = 0; i < count; i++) {
        to[i].port = from[i].port;
        to[i].security_protocol = from[i].security_protocol;
        if (!node_copy_str(n, from[i].name, &to[i].name) ||
            !node_copy_str(n, from[i].host, &to[i].host))
            return false;
    }
    return true;
}

static bool node_add_features(struct metadata_node *n,
                              const struct register_broker_record_broker_feature *from, int count)
{
    struct metadata_feature_range *to =
        arena_new_array(&n->memory, (size_t)count, struct metadata_feature_range);
    if (to == NULL)
        return false;
    n->features = to;
    n->feature_count = count;
    for (int i = 0; i < count; i++) {
        to[i].min = from[i].min_supported_version;
        to[i].max = from[i].max_supported_version;
        if (!node_copy_str(n, from[i].name, &to[i].name))
            return false;
    }
    return true;
}

static const struct uuid *uuids_copy(struct arena *memory, const struct uuid *from, int count)
{
    struct uuid *to = arena_new_array(memory, (size_t)count, struct uuid);
    if (to != NULL && count > 0)
        memcpy(to, from, (size_t)count * sizeof *to);
    return to;
}

static struct bytes id_key(int32_t id, uint8_t key[4])
{
    be32_store(key, (uint32_t)id);
    return bytes_of(key, 4);
}

static int node_too_large(const struct pmap *nodes, struct metadata_node *n, struct diag *diag)
{
    diag_set(diag, ERR_LIMIT, "the registration of node %d takes more than %d bytes", n->id,
             NODE_MEMORY_MAX);
    nodes->type->unref(n);
    return ERR_LIMIT;
}

static void node_put(struct pmap *nodes, struct metadata_node *n)
{
    pmap_set(nodes, n);
    nodes->type->unref(n);
}

static int broker_register(struct metadata_image *image,
                           const struct register_broker_record *record, int64_t offset,
                           struct diag *diag)
{
    if (record->broker_id < 0 || record->broker_epoch < 0)
        return diag_set(diag, ERR_CORRUPT, "a registration of broker %d with epoch %lld",
                        record->broker_id, (long long)record->broker_epoch);
    struct metadata_broker *b = mem_new(struct metadata_broker);
    node_init(&b->node, record->broker_id, record->incarnation_id);
    if (!node_add_endpoints(&b->node, record->end_points.items, record->end_points.count) ||
        !node_add_features(&b->node, record->features.items, record->features.count))
        return node_too_large(&image->brokers, &b->node, diag);
    b->epoch = record->broker_epoch;
    b->register_offset = offset;
    if (record->rack.data != NULL && !node_copy_str(&b->node, record->rack, &b->rack))
        return node_too_large(&image->brokers, &b->node, diag);
    b->fenced = record->fenced;
    b->in_controlled_shutdown = record->in_controlled_shutdown;
    b->directory_count = record->log_dirs.count;
    b->directories = uuids_copy(&b->node.memory, record->log_dirs.items, record->log_dirs.count);
    b->has_cordoned = record->cordoned_log_dirs.count >= 0;
    b->cordoned_count = b->has_cordoned ? record->cordoned_log_dirs.count : 0;
    b->cordoned = uuids_copy(&b->node.memory, record->cordoned_log_dirs.items, b->cordoned_count);
    if (b->directories == NULL || b->cordoned == NULL)
        return node_too_large(&image->brokers, &b->node, diag);
    node_put(&image->brokers, &b->node);
    return 0;
}

static struct metadata_broker *broker_copy(const struct metadata_broker *old)
{
    struct metadata_broker *b = mem_new(struct metadata_broker);
    *b = *old;
    node_init(&b->node, old->node.id, old->node.incarnation_id);
    struct arena *memory = &b->node.memory;
    struct metadata_endpoint *endpoints =
        arena_new_array(memory, (size_t)old->node.endpoint_count, struct metadata_endpoint);
    for (int i = 0; i < old->node.endpoint_count; i++) {
        endpoints[i] = old->node.endpoints[i];
        endpoints[i].name = arena_copy_str(memory, endpoints[i].name);
        endpoints[i].host = arena_copy_str(memory, endpoints[i].host);
    }
    b->node.endpoints = endpoints;
    struct metadata_feature_range *features =
        arena_new_array(memory, (size_t)old->node.feature_count, struct metadata_feature_range);
    for (int i = 0; i < old->node.feature_count; i++) {
        features[i] = old->node.features[i];
        features[i].name = arena_copy_str(memory, features[i].name);
    }
    b->node.features = features;
    if (old->rack.data != NULL)
        b->rack = arena_copy_str(memory, old->rack);
    b->directories = uuids_copy(memory, old->directories, old->directory_count);
    b->cordoned = uuids_copy(memory, old->cordoned, old->cordoned_count);
    return b;
}

// The broker that a record is about: registered, in the epoch that the record names.
static const struct metadata_broker *broker_find(const struct metadata_image *image, int32_t id,
                                                 int64_t epoch, const char *what, struct diag *diag)
{
    const struct metadata_broker *b = metadata_image_broker(image, id);
    if (b == NULL) {
        diag_set(diag, ERR_CORRUPT, "%s for broker %d, which is not registered", what, id);
        return NULL;
    }
    if (b->epoch != epoch) {
        diag_set(diag, ERR_CORRUPT, "%s for epoch %lld of broker %d, which is registered in %lld",
                 what, (long long)epoch, id, (long long)b->epoch);
        return NULL;
    }
    return b;
}

static int broker_unregister(struct metadata_image *image,
                             const struct unregister_broker_record *record, struct diag *diag)
{
    if (broker_find(image, record->broker_id, record->broker_epoch, "UnregisterBroker", diag) == NULL)
        return ERR_CORRUPT;
    uint8_t key[4];
    pmap_remove(&image->brokers, id_key(record->broker_id, key));
    return 0;
}

static int broker_set_fenced(struct metadata_image *image, int32_t id, int64_t epoch, bool fenced,
                             struct diag *diag)
{
    const struct metadata_broker *old =
        broker_find(image, id, epoch, fenced ? "FenceBroker" : "UnfenceBroker", diag);
    if (old == NULL)
        return ERR_CORRUPT;
    struct metadata_broker *b = broker_copy(old);
    b->fenced = fenced;
    node_put(&image->brokers, &b->node);
    return 0;
}

static int broker_change(struct metadata_image *image,
                         const struct broker_registration_change_record *record, struct diag *diag)
{
    const struct metadata_broker *old = broker_find(image, record->broker_id, record->broker_epoch,
                                                    "BrokerRegistrationChange", diag);
    if (old == NULL)
        return ERR_CORRUPT;
    if (record->fenced < -1 || record->fenced > 1 || record->in_controlled_shutdown < 0 ||
        record->in_controlled_shutdown > 1)
        return diag_set(diag, ERR_CORRUPT,
                        "BrokerRegistrationChange of broker %d says fenced %d, in controlled "
                        "shutdown %d",
                        record->broker_id, record->fenced, record->in_controlled_shutdown);
    struct metadata_broker *b = broker_copy(old);
    if (record->fenced != 0)
        b->fenced = record->fenced == 1;
    if (record->in_controlled_shutdown == 1)
        b->in_controlled_shutdown = true;
    if (record->log_dirs.count > 0) {
        b->directory_count = record->log_dirs.count;
        b->directories =
            uuids_copy(&b->node.memory, record->log_dirs.items, record->log_dirs.count);
    }
    if (record->cordoned_log_dirs.count >= 0) {
        b->has_cordoned = true;
        b->cordoned_count = record->cordoned_log_dirs.count;
        b->cordoned = uuids_copy(&b->node.memory, record->cordoned_log_dirs.items,
                                 record->cordoned_log_dirs.count);
    }
    if (b->directories == NULL || b->cordoned == NULL)
        return node_too_large(&image->brokers, &b->node, diag);
    node_put(&image->brokers, &b->node);
    return 0;
}

static int controller_register(struct metadata_image *image,
                               const struct register_controller_record *record, struct diag *diag)
{
    if (record->controller_id < 0)
        return diag_set(diag, ERR_CORRUPT, "a registration of controller %d",
                        record->controller_id);
    struct metadata_controller *c = mem_new(struct metadata_controller);
    node_init(&c->node, record->controller_id, record->incarnation_id);
    // The two records' endpoints and features have the same members.
    if (!node_add_endpoints(&c->node, (const void *)record->end_points.items,
                            record->end_points.count) ||
        !node_add_features(&c->node, (const void *)record->features.items, record->features.count))
        return node_too_large(&image->controllers, &c->node, diag);
    c->zk_migration_ready = record->zk_migration_ready;
    node_put(&image->controllers, &c->node);
    return 0;
}

check_static(sizeof(struct register_broker_record_broker_endpoint) ==
                 sizeof(struct register_controller_record_controller_endpoint),
             "endpoints of brokers and controllers are read by one function");
check_static(sizeof(struct register_broker_record_broker_feature) ==
                 sizeof(struct register_controller_record_controller_feature),
             "features of brokers and controllers are read by one function");

static int controller_unregister(struct metadata_image *image, int32_t id, struct diag *diag)
{
    uint8_t key[4];
    if (!pmap_remove(&image->controllers, id_key(id, key)))
        return diag_set(diag, ERR_CORRUPT,
                        "UnregisterController for controller %d, which is not registered", id);
    return 0;
}

int metadata__replay_node(struct metadata_image *image, const struct metadata_record *record,
                          int64_t offset, struct diag *diag)
{
    switch (record->type) {
    case METADATA_REGISTER_BROKER_RECORD:
        return broker_register(image, record->message, offset, diag);
    case METADATA_UNREGISTER_BROKER_RECORD:
        return broker_unregister(image, record->message, diag);
    case METADATA_BROKER_REGISTRATION_CHANGE_RECORD:
        return broker_change(image, record->message, diag);
    case METADATA_FENCE_BROKER_RECORD: {
        const struct fence_broker_record *fence = record->message;
        return broker_set_fenced(image, fence->id, fence->epoch, true, diag);
    }
    case METADATA_UNFENCE_BROKER_RECORD: {
        const struct unfence_broker_record *unfence = record->message;
        return broker_set_fenced(image, unfence->id, unfence->epoch, false, diag);
    }
    case METADATA_REGISTER_CONTROLLER_RECORD:
        return controller_register(image, record->message, diag);
    case METADATA_UNREGISTER_CONTROLLER_RECORD: {
        const struct unregister_controller_record *unregister = record->message;
        return controller_unregister(image, unregister->controller_id, diag);
    }
    default:
        check_unreachable();
    }
}

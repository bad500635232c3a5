// SPDX-License-Identifier: Apache-2.0
#include "metadata/image.h"

#include "base/be.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "metadata/internal.h"
#include "metadata/replay.h"

// The maps of an image, to do the same with each.
static struct pmap *image_map(struct metadata_image *image, int i)
{
    struct pmap *maps[] = {&image->topics_by_name, &image->topics_by_id, &image->plain_names,
                           &image->brokers,        &image->controllers,  &image->configs,
                           &image->raw};
    return i < (int)(sizeof maps / sizeof maps[0]) ? maps[i] : NULL;
}

struct metadata_image *metadata_image_new(void)
{
    struct metadata_image *image = mem_new(struct metadata_image);
    image->refs = 1;
    image->offset = -1;
    image->epoch = -1;
    image->lineage = mem_new(struct metadata_lineage);
    image->lineage->refs = 1;
    image->lineage->generation_next = 1;
    image->generation = image->lineage->generation_next++;
    pmap_init(&image->topics_by_name, &metadata_topic_name_type);
    pmap_init(&image->topics_by_id, &metadata_topic_id_type);
    pmap_init(&image->plain_names, &metadata_plain_name_type);
    pmap_init(&image->brokers, &metadata_node_type);
    pmap_init(&image->controllers, &metadata_node_type);
    pmap_init(&image->configs, &metadata_configs_type);
    pmap_init(&image->raw, &metadata_raw_type);
    return image;
}

struct metadata_image *metadata_image_fork(const struct metadata_image *base)
{
    struct metadata_image *old = (struct metadata_image *)(uintptr_t)base;
    struct metadata_image *image = mem_new(struct metadata_image);
    *image = *base;
    image->refs = 1;
    image->lineage->refs++;
    // From now on neither may change a topic that both have.
    image->generation = image->lineage->generation_next++;
    old->generation = image->lineage->generation_next++;
    for (int i = 0; image_map(image, i) != NULL; i++)
        pmap_copy(image_map(image, i), image_map(old, i));
    return image;
}

struct metadata_image *metadata_image_ref(const struct metadata_image *image)
{
    struct metadata_image *mine = (struct metadata_image *)(uintptr_t)image;
    mine->refs++;
    return mine;
}

void metadata_image_unref(const struct metadata_image *image)
{
    struct metadata_image *mine = (struct metadata_image *)(uintptr_t)image;
    if (mine == NULL || --mine->refs != 0)
        return;
    for (int i = 0; image_map(mine, i) != NULL; i++)
        pmap_release(image_map(mine, i));
    if (--mine->lineage->refs == 0)
        mem_free(mine->lineage);
    mem_free(mine);
}

void metadata_image_advance(struct metadata_image *image, int64_t offset, int32_t epoch)
{
    image->offset = offset;
    image->epoch = epoch;
}

int64_t metadata_image_offset(const struct metadata_image *image)
{
    return image->offset;
}

int32_t metadata_image_epoch(const struct metadata_image *image)
{
    return image->epoch;
}

const struct feature_levels *metadata_image_features(const struct metadata_image *image)
{
    return &image->features;
}

int16_t metadata_image_feature(const struct metadata_image *image, enum feature feature)
{
    return image->features.level[feature];
}

int64_t metadata_image_topic_count(const struct metadata_image *image)
{
    return (int64_t)image->topics_by_id.count;
}

int64_t metadata_image_partition_count(const struct metadata_image *image)
{
    return image->partition_count;
}

const struct metadata_topic *metadata_image_topic(const struct metadata_image *image, struct str name)
{
    return pmap_find(&image->topics_by_name, str_bytes(name));
}

const struct metadata_topic *metadata_image_topic_by_id(const struct metadata_image *image,
                                                        struct uuid id)
{
    return pmap_find(&image->topics_by_id, bytes_of(id.bytes, UUID_SIZE));
}

const struct metadata_topic *metadata_image_topic_colliding(const struct metadata_image *image,
                                                            struct str name)
{
    struct str other = metadata__plain_name_find(&image->plain_names, name);
    return metadata_image_topic(image, other.data != NULL ? other : name);
}

const struct metadata_topic *metadata_topic_first(const struct metadata_image *image, struct str from,
                                                  struct pmap_iter *iter)
{
    return pmap_seek(&image->topics_by_name, str_bytes(from), iter);
}

const struct metadata_topic *metadata_topic_next(struct pmap_iter *iter)
{
    return pmap_next(iter);
}

static void *node_find(const struct pmap *nodes, int32_t id)
{
    uint8_t key[4];
    be32_store(key, (uint32_t)id);
    return pmap_find(nodes, bytes_of(key, sizeof key));
}

const struct metadata_broker *metadata_image_broker(const struct metadata_image *image, int32_t id)
{
    return node_find(&image->brokers, id);
}

int metadata_image_broker_count(const struct metadata_image *image)
{
    return (int)image->brokers.count;
}

const struct metadata_broker *metadata_broker_first(const struct metadata_image *image,
                                                    struct pmap_iter *iter)
{
    return pmap_first(&image->brokers, iter);
}

const struct metadata_broker *metadata_broker_next(struct pmap_iter *iter)
{
    return pmap_next(iter);
}

const struct metadata_controller *metadata_image_controller(const struct metadata_image *image,
                                                            int32_t id)
{
    return node_find(&image->controllers, id);
}

const struct metadata_controller *metadata_controller_first(const struct metadata_image *image,
                                                            struct pmap_iter *iter)
{
    return pmap_first(&image->controllers, iter);
}

const struct metadata_controller *metadata_controller_next(struct pmap_iter *iter)
{
    return pmap_next(iter);
}

const struct properties *metadata_image_configs(const struct metadata_image *image,
                                                enum config_resource type, struct str name)
{
    struct buf key;
    buf_init(&key, 1 + name.size);
    const struct metadata_configs *c =
        pmap_find(&image->configs, metadata__configs_key((int8_t)type, name, &key));
    buf_release(&key);
    return c != NULL ? &c->values : NULL;
}

static const struct metadata_configs *configs_of_type(const struct metadata_configs *c,
                                                      enum config_resource type)
{
    return c != NULL && c->resource_type == (int8_t)type ? c : NULL;
}

const struct metadata_configs *metadata_configs_first(const struct metadata_image *image,
                                                      enum config_resource type,
                                                      struct pmap_iter *iter)
{
    uint8_t key = (uint8_t)type;
    return configs_of_type(pmap_seek(&image->configs, bytes_of(&key, 1), iter), type);
}

const struct metadata_configs *metadata_configs_next(struct pmap_iter *iter,
                                                     enum config_resource type)
{
    return configs_of_type(pmap_next(iter), type);
}

int64_t metadata_image_next_producer_id(const struct metadata_image *image)
{
    return image->next_producer_id;
}

static struct bytes raw_value(const struct metadata_raw *raw)
{
    return raw != NULL ? raw->value : bytes_of(NULL, 0);
}

struct bytes metadata_raw_first(const struct metadata_image *image, struct pmap_iter *iter)
{
    return raw_value(pmap_first(&image->raw, iter));
}

struct bytes metadata_raw_next(struct pmap_iter *iter)
{
    return raw_value(pmap_next(iter));
}

int metadata_image_check(const struct metadata_image *image, struct diag *diag)
{
    if (image->sparse_count == 0)
        return 0;
    return diag_set(diag, ERR_CORRUPT, "%lld topics have partitions missing",
                    (long long)image->sparse_count);
}

static void topic_changed(void *context, void *from, void *to)
{
    const struct metadata_changes *changes = context;
    changes->topic(changes->context, from, to);
}

static void broker_changed(void *context, void *from, void *to)
{
    const struct metadata_changes *changes = context;
    changes->broker(changes->context, from, to);
}

static void configs_changed(void *context, void *from, void *to)
{
    const struct metadata_changes *changes = context;
    changes->configs(changes->context, from, to);
}

void metadata_image_diff(const struct metadata_image *from, const struct metadata_image *to,
                         const struct metadata_changes *changes)
{
    struct metadata_changes copy = *changes;
    if (changes->topic != NULL)
        pmap_diff(&from->topics_by_id, &to->topics_by_id, topic_changed, &copy);
    if (changes->broker != NULL)
        pmap_diff(&from->brokers, &to->brokers, broker_changed, &copy);
    if (changes->configs != NULL)
        pmap_diff(&from->configs, &to->configs, configs_changed, &copy);
}

static bool endpoint_equal(const struct metadata_endpoint *a, const struct metadata_endpoint *b)
{
    return str_equal(a->name, b->name) && str_equal(a->host, b->host) && a->port == b->port &&
           a->security_protocol == b->security_protocol;
}

static bool node_has_endpoint(const struct metadata_node *n, const struct metadata_endpoint *e)
{
    for (int i = 0; i < n->endpoint_count; i++)
        if (endpoint_equal(&n->endpoints[i], e))
            return true;
    return false;
}

static bool node_has_feature(const struct metadata_node *n, const struct metadata_feature_range *f)
{
    for (int i = 0; i < n->feature_count; i++)
        if (str_equal(n->features[i].name, f->name) && n->features[i].min == f->min &&
            n->features[i].max == f->max)
            return true;
    return false;
}

// Endpoints and features say the same in any order: Kafka writes them from hash maps.
static bool nodes_equal(const struct metadata_node *a, const struct metadata_node *b)
{
    if (a->id != b->id || !uuid_equal(a->incarnation_id, b->incarnation_id) ||
        a->endpoint_count != b->endpoint_count || a->feature_count != b->feature_count)
        return false;
    for (int i = 0; i < a->endpoint_count; i++)
        if (!node_has_endpoint(b, &a->endpoints[i]))
            return false;
    for (int i = 0; i < a->feature_count; i++)
        if (!node_has_feature(b, &a->features[i]))
            return false;
    return true;
}

static bool uuids_equal(const struct uuid *a, int a_count, const struct uuid *b, int b_count)
{
    return a_count == b_count && (a_count == 0 || memcmp(a, b, (size_t)a_count * sizeof *a) == 0);
}

static bool broker_equal(const void *left, const void *right)
{
    const struct metadata_broker *a = left, *b = right;
    return nodes_equal(&a->node, &b->node) && a->epoch == b->epoch && str_equal(a->rack, b->rack) &&
           (a->rack.data == NULL) == (b->rack.data == NULL) && a->fenced == b->fenced &&
           a->in_controlled_shutdown == b->in_controlled_shutdown &&
           uuids_equal(a->directories, a->directory_count, b->directories, b->directory_count) &&
           a->has_cordoned == b->has_cordoned &&
           uuids_equal(a->cordoned, a->cordoned_count, b->cordoned, b->cordoned_count);
}

static bool controller_equal(const void *left, const void *right)
{
    const struct metadata_controller *a = left, *b = right;
    return nodes_equal(&a->node, &b->node) && a->zk_migration_ready == b->zk_migration_ready;
}

static bool topic_equal(const void *left, const void *right)
{
    return metadata_topic_equal(left, right);
}

static bool configs_equal(const void *left, const void *right)
{
    const struct metadata_configs *a = left, *b = right;
    if (a->values.count != b->values.count)
        return false;
    for (int i = 0; i < a->values.count; i++) {
        const char *other = properties_get(&b->values, a->values.items[i].key);
        if (other == NULL || strcmp(other, a->values.items[i].value) != 0)
            return false;
    }
    return true;
}

static bool raw_equal(const void *left, const void *right)
{
    const struct metadata_raw *a = left, *b = right;
    return bytes_equal(a->value, b->value);
}

static bool maps_equal(const struct pmap *a, const struct pmap *b,
                       bool (*equal)(const void *left, const void *right))
{
    struct pmap_iter at_a, at_b;
    const void *x = pmap_first(a, &at_a), *y = pmap_first(b, &at_b);
    while (x != NULL && y != NULL) {
        if (!bytes_equal(a->type->key(x), b->type->key(y)) || !equal(x, y))
            return false;
        x = pmap_next(&at_a);
        y = pmap_next(&at_b);
    }
    return x == NULL && y == NULL;
}

bool metadata_image_equal(const struct metadata_image *a, const struct metadata_image *b)
{
    return memcmp(&a->features, &b->features, sizeof a->features) == 0 &&
           a->partition_count == b->partition_count && a->next_producer_id == b->next_producer_id &&
           a->has_producer_ids == b->has_producer_ids &&
           maps_equal(&a->topics_by_name, &b->topics_by_name, topic_equal) &&
           maps_equal(&a->topics_by_id, &b->topics_by_id, topic_equal) &&
           maps_equal(&a->brokers, &b->brokers, broker_equal) &&
           maps_equal(&a->controllers, &b->controllers, controller_equal) &&
           maps_equal(&a->configs, &b->configs, configs_equal) &&
           maps_equal(&a->raw, &b->raw, raw_equal);
}

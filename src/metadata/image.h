// SPDX-License-Identifier: Apache-2.0
//
// The state of the cluster at one offset of the metadata log: immutable, reference-counted, cheap to
// keep (versions share what did not change). Owned by shard 0; topics in it may be handed to other
// shards (topic.h). Pointers that readers get live as long as the image does; take a reference of
// the topic to keep it longer.
//
// Images are made by replaying records (replay.h), usually through a loader (loader.h).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/pmap.h"
#include "base/properties.h"
#include "base/uuid.h"
#include "metadata/broker.h"
#include "metadata/feature.h"
#include "metadata/topic.h"

struct metadata_image;

// An image of nothing, before offset 0.
struct metadata_image *metadata_image_new(void);

// A new version to replay into; `base` does not change. Shares everything with it.
struct metadata_image *metadata_image_fork(const struct metadata_image *base);

struct metadata_image *metadata_image_ref(const struct metadata_image *image);
void metadata_image_unref(const struct metadata_image *image); // NULL is fine

// The last offset that is in it and the epoch in which it was written; -1 and -1 before the first.
// The offset is the epoch of the finalized features in ApiVersions answers.
int64_t metadata_image_offset(const struct metadata_image *image);
int32_t metadata_image_epoch(const struct metadata_image *image);

// The finalized features.
const struct feature_levels *metadata_image_features(const struct metadata_image *image);
int16_t metadata_image_feature(const struct metadata_image *image, enum feature feature);

// Topics.
int64_t metadata_image_topic_count(const struct metadata_image *image);
int64_t metadata_image_partition_count(const struct metadata_image *image);
const struct metadata_topic *metadata_image_topic(const struct metadata_image *image,
                                                  struct str name);
const struct metadata_topic *metadata_image_topic_by_id(const struct metadata_image *image,
                                                        struct uuid id);

// A topic whose name differs from `name` only in '.' against '_', or is `name`; NULL if none.
// Metrics cannot tell such names apart, so the controller refuses the second one.
const struct metadata_topic *metadata_image_topic_colliding(const struct metadata_image *image,
                                                            struct str name);

// In order of name: for (t = metadata_topic_first(image, from, &iter); t; t = metadata_topic_next(
// &iter)). `from` null or "": from the beginning, otherwise from the first name not below it.
const struct metadata_topic *metadata_topic_first(const struct metadata_image *image,
                                                  struct str from, struct pmap_iter *iter);
const struct metadata_topic *metadata_topic_next(struct pmap_iter *iter);

// Brokers and controllers, in order of id.
const struct metadata_broker *metadata_image_broker(const struct metadata_image *image, int32_t id);
int metadata_image_broker_count(const struct metadata_image *image);
const struct metadata_broker *metadata_broker_first(const struct metadata_image *image,
                                                    struct pmap_iter *iter);
const struct metadata_broker *metadata_broker_next(struct pmap_iter *iter);
const struct metadata_controller *metadata_image_controller(const struct metadata_image *image,
                                                            int32_t id);
const struct metadata_controller *metadata_controller_first(const struct metadata_image *image,
                                                            struct pmap_iter *iter);
const struct metadata_controller *metadata_controller_next(struct pmap_iter *iter);

// Configurations that were set. FROZEN: numbers are those of Config records and of the protocol.
enum config_resource {
    CONFIG_RESOURCE_TOPIC = 2,
    CONFIG_RESOURCE_BROKER = 4, // name "" for the default of all brokers
    CONFIG_RESOURCE_BROKER_LOGGER = 8,
    CONFIG_RESOURCE_CLIENT_METRICS = 16,
    CONFIG_RESOURCE_GROUP = 32,
};

struct metadata_configs {
    uint32_t refs;
    int8_t resource_type;
    struct str resource_name;
    struct properties values; // never empty
};

// What was set for this resource, as config/ takes it: NULL when nothing was, which
// topic_config_resolve() and the others take too.
const struct properties *metadata_image_configs(const struct metadata_image *image,
                                                enum config_resource type, struct str name);

// All resources of one type, in order of name.
const struct metadata_configs *metadata_configs_first(const struct metadata_image *image,
                                                      enum config_resource type,
                                                      struct pmap_iter *iter);
const struct metadata_configs *metadata_configs_next(struct pmap_iter *iter,
                                                     enum config_resource type);

// The next producer id that nobody has.
int64_t metadata_image_next_producer_id(const struct metadata_image *image);

// What is kept as it was written - quotas, ACLs, SCRAM credentials, delegation tokens - as framed
// record values, in the order of a snapshot; null at the end.
struct bytes metadata_raw_first(const struct metadata_image *image, struct pmap_iter *iter);
struct bytes metadata_raw_next(struct pmap_iter *iter);

// What differs between two images, for those who act on changes. Unset functions are skipped. Each
// gets (NULL, new), (old, NULL) or (old, new), in order of topic id, broker id and resource.
// A topic that was deleted and created again under its name has another id: a removal and an
// addition.
struct metadata_changes {
    void *context;
    void (*topic)(void *context, const struct metadata_topic *from, const struct metadata_topic *to);
    void (*broker)(void *context, const struct metadata_broker *from,
                   const struct metadata_broker *to);
    void (*configs)(void *context, const struct metadata_configs *from,
                    const struct metadata_configs *to);
};

void metadata_image_diff(const struct metadata_image *from, const struct metadata_image *to,
                         const struct metadata_changes *changes);

// True if both say the same about everything, offsets and epochs of the images aside. Slow: for
// tests and consistency checks.
bool metadata_image_equal(const struct metadata_image *a, const struct metadata_image *b);

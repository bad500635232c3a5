// SPDX-License-Identifier: Apache-2.0
//
// Inside metadata: what an image is made of.
#pragma once

#include "metadata/image.h"
#include "wire/metadata_record.h"

// What is kept as it was written, since nothing here needs to understand it: quotas, ACLs, SCRAM
// credentials, delegation tokens. In the order in which a snapshot has them.
enum raw_kind { RAW_QUOTA = 1, RAW_ACL, RAW_SCRAM, RAW_TOKEN };

enum { RAW_KIND_LAST = RAW_TOKEN };

struct metadata_raw {
    uint32_t refs;
    struct bytes key;   // kind, then what identifies the object
    struct bytes value; // the framed record
};

// What all versions of one history share: the source of numbers that say in which version a topic
// was made.
struct metadata_lineage {
    uint32_t refs;
    uint64_t generation_next;
};

struct metadata_image {
    uint32_t refs;
    int64_t offset;
    int32_t epoch;
    struct metadata_lineage *lineage;
    uint64_t generation; // topics with this number are only here and may be changed in place

    struct feature_levels features;
    struct pmap topics_by_name;
    struct pmap topics_by_id;
    struct pmap plain_names; // of topics with '.' or '_' in their name
    int64_t partition_count;
    int64_t sparse_count; // topics with partitions missing, while records are being replayed
    struct pmap brokers;
    struct pmap controllers;
    struct pmap configs;
    struct pmap raw;
    int64_t next_producer_id;
    bool has_producer_ids;
};

// topic.c
extern const struct pmap_type metadata_topic_name_type;
extern const struct pmap_type metadata_topic_id_type;
extern const struct pmap_type metadata_plain_name_type;

struct metadata_topic *metadata__topic_new(struct str name, struct uuid id);
struct metadata_topic *metadata__topic_copy(const struct metadata_topic *t);
// Puts a partition, whose reference is taken over, in its place, or in the place of another with
// its id.
void metadata__topic_put(struct metadata_topic *t, struct metadata_partition *p);
bool metadata__topic_is_sparse(const struct metadata_topic *t);

// A new partition with the values of `p`, whose lists are copied. `directories` has
// p->replicas.count entries.
struct metadata_partition *metadata__partition_new(const struct metadata_partition *p);

// Names with '_' for every '.', under which those that differ in nothing else are found. The names
// are at most TOPIC_NAME_MAX long; others have no plain name. add and remove do nothing for names
// without these characters; find gives the name of a topic with the same plain name, or null.
void metadata__plain_name_add(struct pmap *names, struct str name);
void metadata__plain_name_remove(struct pmap *names, struct str name);
struct str metadata__plain_name_find(const struct pmap *names, struct str name);

// node.c
extern const struct pmap_type metadata_node_type; // for both maps

// configs.c
extern const struct pmap_type metadata_configs_type;

struct bytes metadata__configs_key(int8_t type, struct str name, struct buf *out);
// A copy of `old` (NULL: of nothing) with one value set, or removed when `value` is null.
struct metadata_configs *metadata__configs_with(const struct metadata_configs *old, int8_t type,
                                                struct str resource, struct str name,
                                                struct str value);
void metadata__configs_unref(struct metadata_configs *c);

// replay.c: as metadata_replay, and says of which type the record was.
int metadata__replay(struct metadata_image *image, struct bytes value, int64_t offset,
                     enum metadata_record_type *type, struct diag *diag);

// raw.c
extern const struct pmap_type metadata_raw_type;

int metadata__replay_raw(struct metadata_image *image, const struct metadata_record *record,
                         struct bytes value, struct diag *diag);

// replay_topic.c, replay_node.c, replay_config.c
int metadata__replay_topic(struct metadata_image *image, const struct metadata_record *record,
                           struct diag *diag);
int metadata__replay_node(struct metadata_image *image, const struct metadata_record *record,
                          int64_t offset, struct diag *diag);
int metadata__replay_config(struct metadata_image *image, const struct metadata_record *record,
                            struct diag *diag);

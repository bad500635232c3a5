// SPDX-License-Identifier: Apache-2.0
//
// The hash by which a group knows whether its topics have changed (KIP-1101). FROZEN: it stands in the
// records of groups; one that differs only costs a rebalance.
#pragma once

#include <stdint.h>

struct metadata_image;
struct metadata_topic;

// XXH3 of id, name, partitions and the racks of their replicas.
int64_t topic_hash(const struct metadata_image *image, const struct metadata_topic *topic);

// XXH3 of the hashes of topics, which stand in order of name; 0 without any.
int64_t topics_hash(const struct metadata_image *image, const struct metadata_topic *const *topics,
                    int32_t count);

// SPDX-License-Identifier: Apache-2.0
//
// Objects of an image as the records that make them, in the versions that the cluster's
// metadata.version asks for: for snapshots and for the controller, which must write the same.
#pragma once

#include <stdint.h>

#include "base/uuid.h"
#include "metadata/broker.h"
#include "metadata/topic.h"
#include "wire/record/partition_record.h"

int16_t metadata_register_broker_version(int16_t metadata_version);
int16_t metadata_partition_version(int16_t metadata_version); // of PartitionChange too

// Fills a Partition record; its lists are views of the partition's.
void metadata_partition_record(struct partition_record *record, struct uuid topic_id,
                           const struct metadata_partition *p);

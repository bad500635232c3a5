// SPDX-License-Identifier: Apache-2.0
//
// Markers that end a transaction in a partition (KIP-98): a control batch with one record, COMMIT or
// ABORT, which the transaction's coordinator has written into each of its partitions, wherever in this
// broker they live. (In a cluster it goes to the partition's leader by WriteTxnMarkers, which ends here.)
//
// What a marker does besides: the partition's producer state forgets the open transaction, so that the
// last stable offset may move on; verifications that are under way for the producer become void
// (txn_verify.h); in __consumer_offsets the group coordinator makes the transaction's offsets hold or
// drops them, in the order in which the log has them.
//
// A marker does not wait for batches that are still being checked or verified: what a producer has on the
// way when its transaction ends is refused when it gets there.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "broker/partition.h"
#include "coordinator/coordinator.h"
#include "env/mailbox.h"
#include "wire/errors.h"

struct shard;

// One marker for one partition. Embedded in what waits for it.
struct txn_marker {
    // The caller's; as they are until done():
    struct str topic; // a view
    int32_t partition;
    int64_t producer_id;
    int16_t producer_epoch;     // transactions of version 2: the epoch after the one that wrote (KIP-890)
    int32_t coordinator_epoch;  // the leader epoch of the coordinator's partition of __transaction_state
    int8_t transaction_version; // 2: the epoch must be above the partition's (KIP-1228); 0, 1: not below
    bool is_commit;
    // On the shard that asked, maybe before txn_marker_write() returns; the marker may be freed there.
    //   NONE                             the marker is committed: below the high watermark
    //   UNKNOWN_TOPIC_OR_PARTITION       there is no such partition (any more): there is nothing to end
    //   NOT_LEADER_OR_FOLLOWER           it has no log just now, its group coordinator is loading or the
    //                                    node stops: to be tried again
    //   KAFKA_STORAGE_ERROR,             its directory is offline, or full (NOT_ENOUGH_REPLICAS): to be
    //   NOT_ENOUGH_REPLICAS              tried again
    //   INVALID_PRODUCER_EPOCH           a newer producer has written there: not to be tried again
    //   TRANSACTION_COORDINATOR_FENCED   a newer coordinator has, likewise
    // An error does not say that the marker was not appended: it is safe to try again, since a marker
    // that comes twice does nothing.
    void (*done)(struct txn_marker *marker, enum kafka_error error);

    // Inner matters:
    struct env_message message;
    struct shard *home;
    struct shard *there;
    struct append_wait wait;           // in its partition, or
    struct coordinator_waiter waiter;  // in the partition's group coordinator
    enum kafka_error error;
};

// From any shard, for a partition on any shard.
void txn_marker_write(struct shard *home, struct txn_marker *marker);

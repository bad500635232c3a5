// SPDX-License-Identifier: Apache-2.0
//
// What the files of the producer share: producer.c (records, batches, requests), producer_results.c
// (answers, retries), producer_identity.c (producer id and epoch).
#pragma once

#include "base/arena.h"
#include "base/list.h"
#include "client/client.h"
#include "client/partitioner.h"
#include "client/producer.h"
#include "wire/api/init_producer_id.h"
#include "wire/api/produce.h"

struct queue;

struct record_tag {
    uint64_t tag;
    int64_t timestamp_ms;
};

struct batch {
    struct list_node node; // in its queue, in order
    struct queue *queue;
    struct buf buf;
    struct batch_builder builder;
    struct record_tag *tags;
    int count;
    int capacity;
    size_t charged;
    int64_t created_ms;
    int64_t deadline_ms;
    bool closed;    // takes no more records
    bool built;     // `buf` is the finished batch
    bool in_flight;
    bool stamped;   // has producer id, epoch and sequence
    bool uncertain; // was sent, and it is not known whether it was stored
    int attempts;
    int64_t retry_ms;
    int16_t code;   // of the last failure, for the final report
    int err;
};

// What waits for one partition.
struct queue {
    struct topic *topic;
    int32_t partition;
    struct list batches;
    int in_flight;
    int32_t sequence_next;
    bool known; // the broker has stored a batch of this producer id here, in the topic of this id
};

// A record whose topic is not known yet: a copy of everything in one block.
struct early {
    struct list_node node;
    struct produce_record record;
    struct record_header *headers;
    size_t charged;
    int64_t deadline_ms;
};

struct topic {
    struct list_node node;
    struct producer *producer;
    char *name;
    struct list early;
    struct uuid id; // as known at the last look; another one: it was created again
    struct sticky_partition sticky;
    struct queue **queues; // by partition
    int queue_count;
    int attempts;
    int64_t retry_ms; // of asking about an unknown topic
};

// One Produce request.
struct shipment {
    struct list_node node;
    struct producer *producer;
    struct client_request request;
    struct produce_request body;
    struct arena arena;
    struct batch **batches;
    int count;
};

enum identity_state { IDENTITY_NONE, IDENTITY_ASKED, IDENTITY_KNOWN };

struct producer {
    struct client *client;
    struct producer_options options;
    producer_result_fn result;
    void *user;
    struct list topics;
    struct list shipments;
    int64_t pending;
    size_t charged;
    bool flushing;
    int64_t now_ms;

    enum identity_state identity;
    int64_t producer_id;
    int16_t producer_epoch;
    bool restart; // a new epoch is needed once nothing is under way or uncertain
    struct client_request identity_request;
    struct init_producer_id_request identity_body;
    int16_t identity_code; // why there is none
    int identity_err;
    bool identity_failed;  // for good
    int identity_attempts;
    int64_t identity_retry_ms;
};

// Tells the owner; the record counts as pending no more.
void producer__report(struct producer *p, const struct produce_result *result);

// Takes the batch out of its queue and frees it.
void producer__batch_free(struct batch *b);

// Reports all records of a batch, stored or failed for good, and frees it.
void producer__batch_finish(struct batch *b, int16_t code, int err,
                            const struct produce_response_partition_produce_response *answer);

// Fails a batch for good. Its sequences are then missing in the partition, so all start anew.
void producer__batch_give_up(struct batch *b, int16_t code, int err,
                             const struct produce_response_partition_produce_response *answer);

// The broker's word on a batch that was sent, or that there is none: finished, or tried again.
void producer__batch_answered(struct batch *b,
                              const struct produce_response_partition_produce_response *answer);
void producer__batch_unanswered(struct batch *b, int err);

// Asks for a producer id where one is missing, and takes a new epoch where sequences must start anew.
void producer__identity_step(struct producer *p, int64_t now_ms);

// The broker may not know this producer in the topic any more.
void producer__forget_known(struct topic *t);

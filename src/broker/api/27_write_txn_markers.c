// SPDX-License-Identifier: Apache-2.0
//
// WriteTxnMarkers (key 27, versions 1-2; KIP-98): the markers that a transaction's coordinator wants in
// partitions of this broker; broker/txn_markers.h.
//   v2: the transaction's version (KIP-1228).
#include "broker/api/api.h"
#include "broker/request.h"
#include "broker/shard.h"
#include "broker/txn_markers.h"
#include "wire/api/write_txn_markers.h"

struct markers_op {
    struct request *request;
    struct write_txn_markers_response reply;
    int32_t waiting_count; // markers that are not done, and one while more begin
};

struct marker_item {
    struct txn_marker marker;
    struct markers_op *op;
    struct write_txn_markers_response_writable_txn_marker_partition_result *answer;
};

static void one_done(struct markers_op *op)
{
    if (--op->waiting_count == 0)
        request_reply(op->request, &op->reply);
}

static void marker_done(struct txn_marker *marker, enum kafka_error error)
{
    struct marker_item *item = container_of(marker, struct marker_item, marker);
    item->answer->error_code = (int16_t)error;
    one_done(item->op);
}

static int32_t count_partitions(const struct write_txn_markers_request *request)
{
    int32_t count = 0;
    for (int32_t m = 0; m < request->markers.count; m++)
        for (int32_t t = 0; t < request->markers.items[m].topics.count; t++)
            count += request->markers.items[m].topics.items[t].partition_indexes.count;
    return count;
}

// Lays out one marker of the request and its part of the answer. False: no memory.
static bool add_marker(struct markers_op *op,
                       const struct write_txn_markers_request_writable_txn_marker *asked,
                       struct write_txn_markers_response_writable_txn_marker_result *answer,
                       struct marker_item **next)
{
    struct arena *arena = &op->request->arena;
    answer->producer_id = asked->producer_id;
    if (!write_txn_markers_response_writable_txn_marker_topic_result_array_new(arena, asked->topics.count,
                                                                               &answer->topics))
        return false;
    for (int32_t t = 0; t < asked->topics.count; t++) {
        const struct write_txn_markers_request_writable_txn_marker_topic *topic = &asked->topics.items[t];
        struct write_txn_markers_response_writable_txn_marker_topic_result *result =
            &answer->topics.items[t];
        int32_t count = topic->partition_indexes.count;
        result->name = topic->name;
        if (!write_txn_markers_response_writable_txn_marker_partition_result_array_new(
                arena, count, &result->partitions))
            return false;
        for (int32_t p = 0; p < count; p++) {
            struct marker_item *item = (*next)++;
            result->partitions.items[p].partition_index = topic->partition_indexes.items[p];
            *item = (struct marker_item){.op = op, .answer = &result->partitions.items[p]};
            item->marker = (struct txn_marker){
                .topic = topic->name,
                .partition = topic->partition_indexes.items[p],
                .producer_id = asked->producer_id,
                .producer_epoch = asked->producer_epoch,
                .coordinator_epoch = asked->coordinator_epoch,
                .transaction_version = asked->transaction_version,
                .is_commit = asked->transaction_result,
                .done = marker_done,
            };
        }
    }
    return true;
}

void api_write_txn_markers(struct shard *s, struct request *r, const void *body)
{
    const struct write_txn_markers_request *request = body;
    int32_t count = count_partitions(request);
    struct markers_op *op = arena_new(&r->arena, struct markers_op);
    struct marker_item *items = arena_new_array(&r->arena, (size_t)count + 1, struct marker_item);
    struct marker_item *end = items;
    bool ok = op != NULL && items != NULL;
    if (ok) {
        op->request = r;
        op->waiting_count = count + 1;
        write_txn_markers_response_init(&op->reply);
        ok = write_txn_markers_response_writable_txn_marker_result_array_new(
            &r->arena, request->markers.count, &op->reply.markers);
    }
    for (int32_t m = 0; ok && m < request->markers.count; m++)
        ok = add_marker(op, &request->markers.items[m], &op->reply.markers.items[m], &end);
    if (!ok) {
        api_no_memory(r);
        return;
    }
    for (struct marker_item *item = items; item < end; item++)
        txn_marker_write(s, &item->marker);
    one_done(op);
}

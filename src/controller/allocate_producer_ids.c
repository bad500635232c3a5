// SPDX-License-Identifier: Apache-2.0
//
// AllocateProducerIds (67): a block of ids that no other broker gets. The record says which id is the
// next free one; it is committed before the block is handed out.
#include "base/check.h"
#include "controller/internal.h"
#include "wire/api/allocate_producer_ids.h"
#include "wire/record/producer_ids_record.h"

void controller_allocate_producer_ids(struct controller *c, struct controller_command *cmd,
                                      const struct allocate_producer_ids_request *request,
                                      struct allocate_producer_ids_response *reply,
                                      struct arena *arena)
{
    allocate_producer_ids_response_init(reply);
    const struct metadata_broker *b =
        cmd->image != NULL ? metadata_image_broker(cmd->image, request->broker_id) : NULL;
    struct api_error e = {0};
    if (cmd->image == NULL) {
        reply->error_code = KAFKA_NOT_CONTROLLER;
        return;
    }
    if (b == NULL || b->epoch != request->broker_epoch) {
        reply->error_code = KAFKA_STALE_BROKER_EPOCH;
        return;
    }
    int64_t start = metadata_image_next_producer_id(cmd->image);
    if (start > INT64_MAX - PRODUCER_ID_BLOCK_SIZE) {
        trace_error(c->trace, "controller", "all producer ids are taken");
        reply->error_code = KAFKA_UNKNOWN_SERVER_ERROR;
        return;
    }
    struct producer_ids_record record = {.broker_id = request->broker_id,
                                         .broker_epoch = request->broker_epoch,
                                         .next_producer_id = start + PRODUCER_ID_BLOCK_SIZE};
    if (!command_put(cmd, METADATA_PRODUCER_IDS_RECORD, 0, &record, &e)) {
        reply->error_code = e.code;
        return;
    }
    reply->producer_id_start = start;
    reply->producer_id_len = PRODUCER_ID_BLOCK_SIZE;
}

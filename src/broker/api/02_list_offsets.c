// SPDX-License-Identifier: Apache-2.0
//
// ListOffsets (key 2, versions 1-11): offsets by time, and the ends of a partition.
//   -1 latest, -2 earliest; v7: -3 record with the largest timestamp (KIP-734); v8: -4 earliest that
//   is local (KIP-405); v9: -5 latest in tiered storage (KIP-1005); v11: -6 earliest that is not
//   uploaded yet (KIP-1023). Without tiered storage -4 is the earliest, -5 and -6 are none (-1).
//   v2: isolation level. v4: leader epochs.
#include "base/err.h"
#include "broker/api/api.h"
#include "broker/node.h"
#include "broker/partition.h"
#include "broker/request.h"
#include "log/log.h"
#include "wire/api/list_offsets.h"
#include "wire/errors.h"

enum {
    LATEST = -1,
    EARLIEST = -2,
    MAX_TIMESTAMP = -3,
    EARLIEST_LOCAL = -4,
    LATEST_TIERED = -5,
    EARLIEST_PENDING_UPLOAD = -6,
};

static bool is_served(int64_t timestamp, int16_t version)
{
    return timestamp >= EARLIEST || (timestamp == MAX_TIMESTAMP && version >= 7) ||
           (timestamp == EARLIEST_LOCAL && version >= 8) ||
           (timestamp == LATEST_TIERED && version >= 9) ||
           (timestamp == EARLIEST_PENDING_UPLOAD && version >= 11);
}

static int position_at(struct partition *p, int64_t offset, struct log_position *out)
{
    int32_t epoch = offset > log_start_offset(p->log) || log_end_offset(p->log) > offset
                        ? log_epoch_at(p->log, offset)
                        : log_latest_epoch(p->log);
    *out = (struct log_position){offset, -1, epoch >= 0 ? epoch : -1};
    return ERR_OK;
}

// What consumers cannot see yet is not found.
static int search(struct partition *p, int64_t timestamp, int64_t limit, struct log_position *out)
{
    int err = timestamp == MAX_TIMESTAMP ? log_find_max_timestamp(p->log, out)
                                         : log_find_timestamp(p->log, timestamp, out);
    if (err == ERR_OK && out->offset >= limit)
        *out = (struct log_position){-1, -1, -1};
    return err;
}

static int find(struct partition *p, int64_t timestamp, int isolation_level,
                struct log_position *out)
{
    int64_t limit = partition_read_limit(p, isolation_level);
    *out = (struct log_position){-1, -1, -1};
    if (limit < 0)
        return (int)limit;
    switch (timestamp) {
    case LATEST:
        *out = (struct log_position){limit, -1, p->leader_epoch};
        return ERR_OK;
    case EARLIEST:
    case EARLIEST_LOCAL: return position_at(p, log_start_offset(p->log), out);
    case LATEST_TIERED:
    case EARLIEST_PENDING_UPLOAD: return ERR_OK;
    default: return search(p, timestamp, limit, out);
    }
}

static void fill(struct node *n, struct request *r, const struct list_offsets_request *request,
                 struct str topic, const struct list_offsets_request_list_offsets_partition *asked,
                 struct list_offsets_response_list_offsets_partition_response *answer)
{
    struct partition *p;
    struct log_position position;
    answer->partition_index = asked->partition_index;
    int kafka_error = api_find_leader(n, topic, (struct uuid){{0}}, asked->partition_index,
                                      asked->current_leader_epoch, &p);
    if (kafka_error == KAFKA_NONE && !is_served(asked->timestamp, r->header.api_version))
        kafka_error = KAFKA_UNSUPPORTED_VERSION;
    if (kafka_error == KAFKA_NONE)
        kafka_error =
            api_log_error(find(p, asked->timestamp, request->isolation_level, &position));
    answer->error_code = (int16_t)kafka_error;
    if (kafka_error != KAFKA_NONE)
        return;
    answer->offset = position.offset;
    answer->timestamp = position.timestamp;
    if (r->header.api_version >= 4)
        answer->leader_epoch = position.leader_epoch;
}

void api_list_offsets(struct node *n, struct request *r, const void *body)
{
    const struct list_offsets_request *request = body;
    struct list_offsets_response reply;
    list_offsets_response_init(&reply);
    if (!list_offsets_response_list_offsets_topic_response_array_new(
            &r->arena, request->topics.count, &reply.topics)) {
        api_no_memory(r);
        return;
    }
    for (int32_t t = 0; t < request->topics.count; t++) {
        const struct list_offsets_request_list_offsets_topic *topic = &request->topics.items[t];
        struct list_offsets_response_list_offsets_topic_response *answer = &reply.topics.items[t];
        answer->name = topic->name;
        if (!list_offsets_response_list_offsets_partition_response_array_new(
                &r->arena, topic->partitions.count, &answer->partitions)) {
            api_no_memory(r);
            return;
        }
        for (int32_t i = 0; i < topic->partitions.count; i++)
            fill(n, r, request, topic->name, &topic->partitions.items[i],
                 &answer->partitions.items[i]);
    }
    request_reply(r, &reply);
}

// SPDX-License-Identifier: Apache-2.0
#include "broker/fetch_read.h"

#include "base/err.h"
#include "broker/api/api.h"
#include "broker/fetch_session.h"
#include "broker/partition.h"
#include "broker/shard.h"
#include "wire/errors.h"

enum { FETCH_ZSTD_VERSION = 10 }; // KIP-110

static void fail(struct fetch_result *out, int kafka_error)
{
    log_slice_release(&out->slice);
    *out = (struct fetch_result){
        .kafka_error = kafka_error,
        .high_watermark = -1,
        .last_stable_offset = -1,
        .log_start_offset = -1,
    };
}

// A client that says which epoch its last record had learns when its history is not ours (KIP-595).
static int check_history(struct partition *p, const struct fetch_partition *asked,
                         struct fetch_result *out)
{
    struct log_epoch_end end;
    if (asked->last_fetched_epoch < 0)
        return KAFKA_NONE;
    int err = log_epoch_end(p->log, asked->last_fetched_epoch, &end);
    if (err != ERR_OK)
        return api_log_error(err);
    if (end.leader_epoch < 0 || end.end_offset < 0)
        return KAFKA_OFFSET_OUT_OF_RANGE;
    if (end.leader_epoch < asked->last_fetched_epoch || end.end_offset < asked->fetch_offset) {
        out->diverging = true;
        out->diverging_epoch = end.leader_epoch;
        out->diverging_end_offset = end.end_offset;
    }
    return KAFKA_NONE;
}

static int read_range(struct partition *p, const struct fetch_partition *asked,
                      const struct fetch_limits *limits, struct fetch_result *out)
{
    int64_t limit = partition_read_limit(p, limits->isolation_level);
    if (limit < 0)
        return api_log_error((int)limit);
    int64_t bytes_max = asked->max_bytes > 0 ? asked->max_bytes : 0;
    if (bytes_max > limits->bytes_left)
        bytes_max = limits->bytes_left > 0 ? limits->bytes_left : 0;
    int err = (limits->may_wait ? log_read : log_read_cached)(
        p->log, asked->fetch_offset, (size_t)bytes_max, limits->min_one_batch, limit, &out->slice);
    out->cold = err == ERR_AGAIN;
    return out->cold ? KAFKA_NONE : api_log_error(err);
}

void fetch_read(struct shard *s, const struct fetch_partition *asked,
                const struct fetch_limits *limits, struct fetch_result *out)
{
    struct partition *p;
    *out = (struct fetch_result){0};
    int kafka_error = api_find_leader(s, asked->topic, asked->topic_id, asked->index,
                                      asked->current_leader_epoch, &p);
    if (kafka_error == KAFKA_NONE && limits->api_version < FETCH_ZSTD_VERSION &&
        p->config.compression == TOPIC_COMPRESSION_ZSTD)
        kafka_error = KAFKA_UNSUPPORTED_COMPRESSION_TYPE;
    if (kafka_error == KAFKA_NONE)
        kafka_error = check_history(p, asked, out);
    if (kafka_error == KAFKA_NONE && !out->diverging)
        kafka_error = read_range(p, asked, limits, out);
    if (kafka_error != KAFKA_NONE) {
        fail(out, kafka_error);
        return;
    }
    int64_t stable = log_last_stable_offset(p->log);
    out->partition = p;
    out->high_watermark = p->high_watermark;
    out->last_stable_offset = stable >= 0 ? stable : p->high_watermark;
    out->log_start_offset = log_start_offset(p->log);
}

// SPDX-License-Identifier: Apache-2.0
#include "broker/incoming_batch.h"

#include "base/err.h"
#include "wire/errors.h"

enum { PRODUCE_ZSTD_VERSION = 7 }; // KIP-110
enum { MAGIC_OFFSET = 16, MAGIC_LAST_OLD = 1 }; // FROZEN, in every format of batches

// What a batch cannot be repaired of. Offsets out of order can be put right: the records are written
// anew then, as Kafka does.
static int problem_error(enum batch_problem problem, struct bytes records,
                         const struct batch_header *header)
{
    if (problem == BATCH_BAD_OFFSETS && batch_codec(header) != CODEC_NONE)
        return KAFKA_NONE;
    // Kafka reads as many whole batches as there are, and finds none.
    if (problem == BATCH_TRUNCATED)
        return KAFKA_INVALID_RECORD;
    // Formats that there were are refused for good; what never was is damage.
    if (problem == BATCH_BAD_MAGIC && records.data[MAGIC_OFFSET] > MAGIC_LAST_OLD)
        return KAFKA_CORRUPT_MESSAGE;
    // Kafka's answer to a batch over max.decompressed.message.bytes.
    return problem == BATCH_TOO_LARGE ? KAFKA_INVALID_RECORD : (int)batch_problem_error(problem);
}

// Compared with looking at decompressed records: looking at those that are not compressed is quick,
// compressing them is slow.
enum { PLAIN_QUICKER = 4, REBUILD_SLOWER = 16 };

static bool takes_long(const struct incoming_rules *rules, size_t bytes, size_t quick_bytes_max)
{
    return rules->quick_bytes_max > 0 && bytes > quick_bytes_max;
}

static int refuse(struct incoming_batch *out, int kafka_error, const char *message)
{
    out->message = message;
    return kafka_error;
}

static int64_t saturating_sub(int64_t a, int64_t b)
{
    int64_t r;
    return __builtin_sub_overflow(a, b, &r) ? (b > 0 ? INT64_MIN : INT64_MAX) : r;
}

static int64_t saturating_add(int64_t a, int64_t b)
{
    int64_t r;
    return __builtin_add_overflow(a, b, &r) ? (b > 0 ? INT64_MAX : INT64_MIN) : r;
}

static struct batch_rules batch_rules_for(const struct incoming_rules *rules)
{
    const struct topic_config *config = rules->config;
    return (struct batch_rules){
        .from_client = true,
        .keys_required = config->cleanup_compact,
        .timestamps_checked = config->timestamp_type == TOPIC_CREATE_TIME,
        .timestamp_min = saturating_sub(rules->now_ms, config->timestamp_before_max_ms),
        .timestamp_max = saturating_add(rules->now_ms, config->timestamp_after_max_ms),
    };
}

static bool must_rebuild(const struct incoming_rules *rules, const struct batch_facts *facts)
{
    enum topic_compression wanted = rules->config->compression;
    return !facts->offsets_in_order ||
           (wanted != TOPIC_COMPRESSION_PRODUCER && (int)wanted != batch_codec(&facts->header));
}

static int codec_level(const struct topic_config *config, int codec)
{
    switch (codec) {
    case TOPIC_COMPRESSION_GZIP: return config->compression_gzip_level;
    case TOPIC_COMPRESSION_LZ4: return config->compression_lz4_level;
    case TOPIC_COMPRESSION_ZSTD: return config->compression_zstd_level;
    default: return CODEC_LEVEL_DEFAULT;
    }
}

static int copy_records(struct batch_builder *builder, struct bytes records, struct buf *scratch)
{
    struct batch_iter it;
    struct record record;
    int32_t delta = 0;
    int result = batch_iter_init(&it, records, scratch);
    while (result == ERR_OK && (result = batch_iter_next(&it, &record)) == 1) {
        batch_builder_copy(builder, delta++, &record);
        result = ERR_OK;
    }
    return result;
}

// Writes the records into a new batch with the topic's codec and offsets in order.
static int rebuild(const struct incoming_rules *rules, struct bytes records,
                   const struct batch_header *header, struct incoming_batch *out)
{
    enum topic_compression wanted = rules->config->compression;
    int codec = wanted == TOPIC_COMPRESSION_PRODUCER ? batch_codec(header) : (int)wanted;
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.codec = (enum codec)codec;
    options.level = codec_level(rules->config, codec);
    options.attributes = (int16_t)(header->attributes & BATCH_TRANSACTIONAL);
    options.producer_id = header->producer_id;
    options.producer_epoch = header->producer_epoch;
    options.base_sequence = header->base_sequence;
    struct batch_builder builder;
    struct bytes batch;
    buf_clear(rules->rebuilt);
    batch_builder_begin(&builder, rules->rebuilt, &options);
    int err = copy_records(&builder, records, rules->scratch);
    if (err != ERR_OK) {
        batch_builder_cancel(&builder);
        return refuse(out, KAFKA_CORRUPT_MESSAGE, "The records could not be read again.");
    }
    if (batch_builder_finish(&builder, &batch) != ERR_OK)
        return refuse(out, KAFKA_MESSAGE_TOO_LARGE, "The batch is too large when recompressed.");
    out->data = rules->rebuilt->data + (batch.data - rules->rebuilt->data);
    out->size = batch.size;
    return KAFKA_NONE;
}

static void stamp(const struct incoming_rules *rules, struct incoming_batch *out)
{
    bool log_append_time = rules->config->timestamp_type == TOPIC_LOG_APPEND_TIME;
    out->log_append_time_ms = log_append_time ? rules->now_ms : -1;
    batch_set_max_timestamp(out->data, out->size, log_append_time,
                            log_append_time ? rules->now_ms : out->facts.max_timestamp);
}

int incoming_batch_prepare(const struct incoming_rules *rules, struct bytes records,
                           struct incoming_batch *out)
{
    *out = (struct incoming_batch){.log_append_time_ms = -1};
    size_t size_max = (size_t)rules->config->max_message_bytes;
    // Looked at first: what is too large is not worth decompressing.
    if (records.size > size_max)
        return refuse(out, KAFKA_MESSAGE_TOO_LARGE,
                      "The batch is larger than the topic's max.message.bytes.");
    if (takes_long(rules, records.size, rules->quick_bytes_max * PLAIN_QUICKER))
        return INCOMING_BATCH_LONG;
    struct batch_rules batch_rules = batch_rules_for(rules);
    enum batch_problem problem =
        batch_validate(records, &batch_rules, rules->scratch, &out->facts);
    const struct batch_header *header = &out->facts.header;
    if (batch_codec(header) == CODEC_ZSTD && rules->produce_version < PRODUCE_ZSTD_VERSION)
        return refuse(out, KAFKA_UNSUPPORTED_COMPRESSION_TYPE,
                      "Produce requests below version 7 may not use zstd.");
    if (problem == BATCH_TOO_LARGE && rules->quick_bytes_max > 0)
        return INCOMING_BATCH_LONG;
    int kafka_error = problem_error(problem, records, header);
    if (kafka_error != KAFKA_NONE)
        return refuse(out, kafka_error, batch_problem_text(problem));
    if (header->base_offset != 0)
        return refuse(out, KAFKA_INVALID_RECORD, "The base offset of the batch is not 0.");
    if (must_rebuild(rules, &out->facts)) {
        if (takes_long(rules, out->facts.records_size, rules->quick_bytes_max / REBUILD_SLOWER))
            return INCOMING_BATCH_LONG;
        kafka_error = rebuild(rules, records, header, out);
        if (kafka_error != KAFKA_NONE)
            return kafka_error;
        if (out->size > size_max)
            return refuse(out, KAFKA_MESSAGE_TOO_LARGE,
                          "The recompressed batch is larger than the topic's max.message.bytes.");
    } else {
        out->data = (uint8_t *)(uintptr_t)records.data;
        out->size = records.size;
    }
    stamp(rules, out);
    return KAFKA_NONE;
}

// SPDX-License-Identifier: Apache-2.0
//
// What a broker asks of a batch before it appends it. Where Kafka stores a batch that readers cannot
// parse or that contradicts itself, this refuses it.
#include "wire/batch.h"

#include "base/err.h"

// X(problem, error that a produce request is answered, text)
#define BATCH_PROBLEMS(X)                                                                         \
    X(BATCH_OK, NONE, "The batch is valid.")                                                      \
    X(BATCH_EMPTY, INVALID_RECORD, "There is no record batch.")                                   \
    X(BATCH_TRUNCATED, CORRUPT_MESSAGE, "The record batch is shorter than it states.")            \
    X(BATCH_TRAILING, INVALID_RECORD, "More than one record batch, or bytes after it.")           \
    X(BATCH_BAD_LENGTH, CORRUPT_MESSAGE,                                                          \
      "The record batch states a length that no batch can have.")                                 \
    X(BATCH_BAD_MAGIC, INVALID_RECORD, "The record batch is not of magic 2.")                     \
    X(BATCH_BAD_CRC, CORRUPT_MESSAGE, "The record batch does not match its CRC.")                 \
    X(BATCH_BAD_COUNT, INVALID_RECORD,                                                            \
      "The record count and the last offset delta of the batch do not fit.")                      \
    X(BATCH_IS_CONTROL, INVALID_RECORD, "A client may not write control batches.")                \
    X(BATCH_BAD_ATTRIBUTES, INVALID_RECORD,                                                       \
      "A client may not set the delete horizon of a batch.")                                      \
    X(BATCH_BAD_SEQUENCE, INVALID_RECORD,                                                         \
      "Producer id, epoch and sequence of the batch do not fit.")                                 \
    X(BATCH_BAD_CODEC, INVALID_RECORD,                                                            \
      "The batch names a compression codec that does not exist.")                                 \
    X(BATCH_BAD_COMPRESSED, CORRUPT_MESSAGE, "The compressed records of the batch are damaged.")  \
    X(BATCH_TOO_LARGE, MESSAGE_TOO_LARGE,                                                         \
      "The records of the batch are too large once decompressed.")                                \
    X(BATCH_BAD_RECORD, INVALID_RECORD, "A record of the batch cannot be parsed.")                \
    X(BATCH_NULL_KEY, INVALID_RECORD, "A record of a compacted topic has no key.")                \
    X(BATCH_BAD_TIMESTAMP, INVALID_TIMESTAMP,                                                     \
      "The timestamp of a record is outside the allowed range.")                                  \
    X(BATCH_BAD_OFFSETS, INVALID_RECORD, "The records of the batch are not numbered 0, 1, 2...")

const char *batch_problem_name(enum batch_problem problem)
{
    switch (problem) {
#define PROBLEM_NAME(name, error, text)                                                           \
    case name: return #name;
        BATCH_PROBLEMS(PROBLEM_NAME)
#undef PROBLEM_NAME
    }
    return "BATCH_UNKNOWN";
}

const char *batch_problem_text(enum batch_problem problem)
{
    switch (problem) {
#define PROBLEM_TEXT(name, error, text)                                                           \
    case name: return text;
        BATCH_PROBLEMS(PROBLEM_TEXT)
#undef PROBLEM_TEXT
    }
    return "The batch is not valid.";
}

enum kafka_error batch_problem_error(enum batch_problem problem)
{
    switch (problem) {
#define PROBLEM_ERROR(name, error, text)                                                          \
    case name: return KAFKA_##error;
        BATCH_PROBLEMS(PROBLEM_ERROR)
#undef PROBLEM_ERROR
    }
    return KAFKA_UNKNOWN_SERVER_ERROR;
}

// Is it one batch of magic 2, whole and undamaged?
static enum batch_problem frame_validate(struct bytes in)
{
    if (in.size == 0)
        return BATCH_EMPTY;
    if (in.size < BATCH_PREFIX_SIZE)
        return BATCH_TRUNCATED;
    if (in.data[BATCH_MAGIC_AT] != BATCH_MAGIC_CURRENT)
        return BATCH_BAD_MAGIC;
    size_t size;
    if (batch_size_peek(in, &size) != 0)
        return BATCH_BAD_LENGTH;
    if (size != in.size)
        return size > in.size ? BATCH_TRUNCATED : BATCH_TRAILING;
    return batch_crc_is_valid(in) ? BATCH_OK : BATCH_BAD_CRC;
}

static bool producer_is_valid(const struct batch_header *h)
{
    if (h->producer_id == PRODUCER_ID_NONE)
        return !batch_is_transactional(h);
    return h->producer_id >= 0 && h->producer_epoch >= 0 && h->base_sequence >= 0;
}

static enum batch_problem header_validate(const struct batch_header *h,
                                          const struct batch_rules *rules)
{
    // A log may hold batches with gaps, or without any record, after compaction.
    int64_t count_max = (int64_t)h->last_offset_delta + 1;
    if (h->record_count > count_max
        || (rules->from_client && (h->record_count < 1 || h->record_count < count_max)))
        return BATCH_BAD_COUNT;
    if (codec_name(batch_codec(h)) == NULL)
        return BATCH_BAD_CODEC;
    if (!rules->from_client)
        return BATCH_OK;
    if (batch_is_control(h))
        return BATCH_IS_CONTROL;
    if (batch_has_delete_horizon(h))
        return BATCH_BAD_ATTRIBUTES;
    return producer_is_valid(h) ? BATCH_OK : BATCH_BAD_SEQUENCE;
}

static void record_blame(struct batch_facts *facts, int32_t index, enum batch_problem problem)
{
    if (facts->record_error_count < BATCH_RECORD_ERRORS_MAX)
        facts->record_errors[facts->record_error_count++] =
            (struct batch_record_error){.index = index, .problem = problem};
}

static void record_validate(const struct record *r, const struct batch_rules *rules,
                            struct batch_facts *facts)
{
    int32_t offset_delta =
        (int32_t)((uint64_t)r->offset - (uint64_t)facts->header.base_offset);
    if (offset_delta != r->index)
        facts->offsets_in_order = false;
    if (r->key.data == NULL) {
        facts->null_key_count++;
        if (rules->keys_required) {
            record_blame(facts, r->index, BATCH_NULL_KEY);
            return;
        }
    }
    if (r->timestamp == TIMESTAMP_NONE)
        return;
    if (r->timestamp > facts->max_timestamp) {
        facts->max_timestamp = r->timestamp;
        facts->max_timestamp_offset_delta = offset_delta;
    }
    if (facts->min_timestamp == TIMESTAMP_NONE || r->timestamp < facts->min_timestamp)
        facts->min_timestamp = r->timestamp;
    if (rules->timestamps_checked
        && (r->timestamp < rules->timestamp_min || r->timestamp > rules->timestamp_max))
        record_blame(facts, r->index, BATCH_BAD_TIMESTAMP);
}

static enum batch_problem records_validate(struct bytes in, const struct batch_rules *rules,
                                           struct buf *scratch, struct batch_facts *facts)
{
    struct batch_iter it;
    int r = batch_iter_init(&it, in, scratch);
    if (r != 0)
        return r == ERR_LIMIT || r == ERR_NOMEM ? BATCH_TOO_LARGE : BATCH_BAD_COMPRESSED;
    it.is_strict = rules->from_client;
    facts->records_size = it.records.size;
    facts->offsets_in_order = true;
    struct record record;
    while ((r = batch_iter_next(&it, &record)) == 1)
        record_validate(&record, rules, facts);
    if (r != 0)
        return BATCH_BAD_RECORD;
    if (facts->record_error_count > 0)
        return facts->record_errors[0].problem;
    return rules->from_client && !facts->offsets_in_order ? BATCH_BAD_OFFSETS : BATCH_OK;
}

enum batch_problem batch_validate(struct bytes in, const struct batch_rules *rules,
                                  struct buf *scratch, struct batch_facts *facts)
{
    *facts = (struct batch_facts){.max_timestamp = TIMESTAMP_NONE, .min_timestamp = TIMESTAMP_NONE,
                                  .max_timestamp_offset_delta = -1};
    enum batch_problem problem = frame_validate(in);
    if (problem != BATCH_OK)
        return problem;
    facts->size = in.size;
    // What the parser refuses beyond the frame is a negative count or delta.
    if (batch_header_parse(in, &facts->header) != 0)
        return BATCH_BAD_COUNT;
    problem = header_validate(&facts->header, rules);
    if (problem != BATCH_OK || rules->records_skipped)
        return problem;
    return records_validate(in, rules, scratch, facts);
}

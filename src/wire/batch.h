// SPDX-License-Identifier: Apache-2.0
//
// Record batches: what producers send, logs hold and consumers get. Magic 2 is read, validated,
// built and patched; the message sets of magic 0 and 1 (written before Kafka 0.11) are only read.
// Everything works on bytes in memory; nothing here allocates except into a struct buf of the
// caller. The layout is FROZEN (KIP-98; offsets below).
//
// Batches of one range of bytes:
//     struct bytes rest = range, batch; struct batch_header h;
//     while ((r = batch_next(&rest, &h, &batch)) == 1) ...
// Records of one batch:
//     struct batch_iter it; struct record record;
//     r = batch_iter_init(&it, batch, &scratch);
//     while (r == 0 && (r = batch_iter_next(&it, &record)) == 1) { ...; r = 0; }
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/be.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "codec/compress.h"
#include "wire/errors.h"

// Where the fields of a batch are.
enum {
    BATCH_BASE_OFFSET_AT = 0,
    BATCH_LENGTH_AT = 8,
    BATCH_LEADER_EPOCH_AT = 12,
    BATCH_MAGIC_AT = 16,
    BATCH_CRC_AT = 17,
    BATCH_ATTRIBUTES_AT = 21, // the CRC covers everything from here on
    BATCH_LAST_OFFSET_DELTA_AT = 23,
    BATCH_BASE_TIMESTAMP_AT = 27,
    BATCH_MAX_TIMESTAMP_AT = 35,
    BATCH_PRODUCER_ID_AT = 43,
    BATCH_PRODUCER_EPOCH_AT = 51,
    BATCH_BASE_SEQUENCE_AT = 53,
    BATCH_RECORD_COUNT_AT = 57,
    BATCH_HEADER_SIZE = 61,
};

enum {
    BATCH_LENGTH_OVERHEAD = 12, // batch size = length field + this
    BATCH_PREFIX_SIZE = 17,     // enough bytes to know the size and the magic of any batch
    BATCH_MAGIC_CURRENT = 2,
    BATCH_SIZE_MAX = INT32_MAX, // of one batch, header included
};

enum batch_attributes {
    BATCH_CODEC_MASK = 0x07,
    BATCH_LOG_APPEND_TIME = 0x08,  // timestamps are the broker's, all equal max_timestamp
    BATCH_TRANSACTIONAL = 0x10,
    BATCH_CONTROL = 0x20,
    BATCH_DELETE_HORIZON = 0x40,   // base_timestamp is when tombstones may go (compaction)
};

// No producer: what the three fields hold when the producer is not idempotent.
enum { PRODUCER_ID_NONE = -1, PRODUCER_EPOCH_NONE = -1, SEQUENCE_NONE = -1 };

enum { TIMESTAMP_NONE = -1 };

// A batch's header in host order. For magic 0 and 1 an entry is one message: base_offset is its
// offset (the last inner one when it is compressed), last_offset_delta 0, record_count 1 (or -1,
// unknown, when compressed), timestamps -1 for magic 0, producer fields "none", leader epoch -1.
struct batch_header {
    int64_t base_offset;
    int32_t length;                 // bytes after the length field
    int32_t partition_leader_epoch;
    int8_t magic;
    uint32_t crc;
    int16_t attributes;
    int32_t last_offset_delta;
    int64_t base_timestamp;
    int64_t max_timestamp;
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
    int32_t record_count;
};

static inline size_t batch_size(const struct batch_header *h)
{
    return (size_t)h->length + BATCH_LENGTH_OVERHEAD;
}

static inline int64_t batch_last_offset(const struct batch_header *h)
{
    return (int64_t)((uint64_t)h->base_offset + (uint64_t)h->last_offset_delta);
}

// 0..7: 5, 6 and 7 are no codec (see codec_name).
static inline int batch_codec(const struct batch_header *h)
{
    return h->attributes & BATCH_CODEC_MASK;
}

static inline bool batch_is_transactional(const struct batch_header *h)
{
    return (h->attributes & BATCH_TRANSACTIONAL) != 0;
}

static inline bool batch_is_control(const struct batch_header *h)
{
    return (h->attributes & BATCH_CONTROL) != 0;
}

static inline bool batch_is_log_append_time(const struct batch_header *h)
{
    return (h->attributes & BATCH_LOG_APPEND_TIME) != 0;
}

static inline bool batch_has_delete_horizon(const struct batch_header *h)
{
    return (h->attributes & BATCH_DELETE_HORIZON) != 0;
}

static inline bool batch_has_producer(const struct batch_header *h)
{
    return h->producer_id != PRODUCER_ID_NONE;
}

// `sequence` + `delta` as Kafka counts: after INT32_MAX comes 0. Requires sequence, delta >= 0.
static inline int32_t sequence_add(int32_t sequence, int32_t delta)
{
    return (int32_t)(((uint32_t)sequence + (uint32_t)delta) & INT32_MAX);
}

// Sequence of the last record, or SEQUENCE_NONE.
static inline int32_t batch_last_sequence(const struct batch_header *h)
{
    return h->base_sequence < 0 ? SEQUENCE_NONE
                                : sequence_add(h->base_sequence, h->last_offset_delta);
}

// Reads the header at the start of `in`, which may hold less than the whole batch: 61 bytes are
// enough for magic 2, 34 for magic 0 and 1. ERR_TRUNCATED: more bytes are needed. ERR_CORRUPT: a
// length too small for its magic, an unknown magic, a negative last_offset_delta or record_count.
int batch_header_parse(struct bytes in, struct batch_header *out);

// The size that the batch at the start of `in` states (BATCH_PREFIX_SIZE bytes are looked at), of
// any magic. ERR_TRUNCATED, ERR_CORRUPT as above; ERR_UNSUPPORTED for an unknown magic.
int batch_size_peek(struct bytes in, size_t *size);

// Cuts the first batch from *rest: 1 and its header and bytes, or 0 at the end. ERR_TRUNCATED: what
// is left is less than a whole batch (in a fetch response that is normal, at the end of a file a
// torn write). ERR_CORRUPT as above. *rest stays on failure. No CRC is checked.
int batch_next(struct bytes *rest, struct batch_header *header, struct bytes *batch);

// True if the CRC in the (whole, parsed) batch is that of its bytes; any magic.
bool batch_crc_is_valid(struct bytes batch);

// --- Records ---

struct record {
    int64_t offset;
    int64_t timestamp;     // TIMESTAMP_NONE if it has none
    int32_t sequence;      // SEQUENCE_NONE if it has none
    int32_t index;         // position in the batch as stored, from 0
    int8_t attributes;
    struct bytes key;      // data == NULL: null
    struct bytes value;    // data == NULL: null, a tombstone on a compacted topic
    int32_t header_count;
    struct bytes headers;  // encoded; see record_header_next
    size_t size;           // encoded, length included, before compression
};

struct record_header {
    struct str key;        // never null
    struct bytes value;    // data == NULL: null
};

// Cuts the first header from *rest (start with record.headers): 1, or 0 at the end. The iterator
// has checked the headers of the records it returned, so ERR_CORRUPT is for other bytes.
int record_header_next(struct bytes *rest, struct record_header *out);

// Walks the records of one batch of any magic (but lz4 in magic 0, whose frames have a wrong
// checksum, is ERR_CORRUPT). Keys, values and headers are views into the batch or
// into `scratch`, so both must stay as they are until the walk is over.
struct batch_iter {
    struct batch_header header;
    struct bytes records;  // of magic 2, decompressed; of magic 0 and 1, the (inner) messages
    size_t position;
    int32_t index;
    int64_t legacy_base;   // what the offsets of inner messages of magic 1 are added to
    bool is_strict;        // refuse what Kafka reads leniently: lengths below -1
};

// `batch` is one whole batch. If it is compressed its records are decompressed into `scratch`,
// which is cleared first and whose size_max bounds them; else `scratch` may be NULL. The CRC is not
// checked. ERR_CORRUPT, ERR_TRUNCATED: a bad header or damaged compressed data. ERR_LIMIT: more
// than scratch holds. ERR_UNSUPPORTED: unknown codec.
int batch_iter_init(struct batch_iter *it, struct bytes batch, struct buf *scratch);

// 1 and the next record, 0 after the last (record_count of them, which must fill the bytes
// exactly), or ERR_CORRUPT, and then *out is unspecified.
int batch_iter_next(struct batch_iter *it, struct record *out);

// --- Validation: what a broker asks of a batch before it goes into a log ---

// What is wrong with a batch, and what a produce request is answered (batch_problem_error).
enum batch_problem {
    BATCH_OK = 0,
    BATCH_EMPTY,          // no bytes at all: INVALID_RECORD
    BATCH_TRUNCATED,      // fewer bytes than it states: CORRUPT_MESSAGE
    BATCH_TRAILING,       // bytes after the first batch: INVALID_RECORD
    BATCH_BAD_LENGTH,     // a length no batch can have: CORRUPT_MESSAGE
    BATCH_BAD_MAGIC,      // not 2: INVALID_RECORD
    BATCH_BAD_CRC,        // CORRUPT_MESSAGE
    BATCH_BAD_COUNT,      // record_count < 1 or not last_offset_delta + 1: INVALID_RECORD
    BATCH_IS_CONTROL,     // control bit from a client: INVALID_RECORD
    BATCH_BAD_ATTRIBUTES, // delete horizon from a client: INVALID_RECORD
    BATCH_BAD_SEQUENCE,   // producer id below -1 or with a negative epoch or sequence, or
                          // transactional without a producer id: INVALID_RECORD
    BATCH_BAD_CODEC,      // codec 5..7: INVALID_RECORD
    BATCH_BAD_COMPRESSED, // damaged compressed data: CORRUPT_MESSAGE
    BATCH_TOO_LARGE,      // decompresses past the bound: MESSAGE_TOO_LARGE
    BATCH_BAD_RECORD,     // a record's bytes do not parse, or are more or fewer than counted:
                          // INVALID_RECORD
    BATCH_NULL_KEY,       // a record without key, and keys are required: INVALID_RECORD
    BATCH_BAD_TIMESTAMP,  // a record's time is outside the rules: INVALID_TIMESTAMP
    BATCH_BAD_OFFSETS,    // offset deltas are not 0, 1, 2...: INVALID_RECORD. Looked at last, with
                          // all facts there, so that a broker may renumber the records instead
};

// "BATCH_BAD_CRC" for example, and a sentence for the peer's error message; never NULL.
const char *batch_problem_name(enum batch_problem problem);
const char *batch_problem_text(enum batch_problem problem);

// The code for the peer, as in the comments above. Where Kafka itself would break down and answer
// UNKNOWN_SERVER_ERROR (damaged compression, unknown codecs), a better one.
enum kafka_error batch_problem_error(enum batch_problem problem);

struct batch_rules {
    bool from_client;         // false (replication, our own log): control, horizon and gaps pass
    bool keys_required;       // the topic is compacted
    bool timestamps_checked;  // the next two apply (CreateTime topics)
    int64_t timestamp_min;
    int64_t timestamp_max;    // TIMESTAMP_NONE is always accepted
    bool records_skipped;     // look at the header and the CRC only; then `facts` about records
                              // are left at "not known"
};

enum { BATCH_RECORD_ERRORS_MAX = 32 };

// Which record broke a rule, for RecordErrors of the produce response.
struct batch_record_error {
    int32_t index;
    enum batch_problem problem;
};

struct batch_facts {
    struct batch_header header;
    size_t size;                      // of the batch as received
    size_t records_size;              // of its records uncompressed
    int64_t max_timestamp;            // over the records, TIMESTAMP_NONE if none has one
    int32_t max_timestamp_offset_delta; // of the first record with it; -1 if none
    int64_t min_timestamp;            // over the records that have one
    int32_t null_key_count;
    bool offsets_in_order;            // deltas are 0, 1, 2...
    int record_error_count;           // of those kept below
    struct batch_record_error record_errors[BATCH_RECORD_ERRORS_MAX]; // in order of records
};

// Looks at the one batch that `in` must be. Returns BATCH_OK or the first problem; then `facts`
// holds what was found up to there (BATCH_NULL_KEY and BATCH_BAD_TIMESTAMP: every record was looked
// at, and the problem is that of the first in record_errors). `scratch` takes decompressed records
// and bounds them; it may be NULL only with records_skipped.
enum batch_problem batch_validate(struct bytes in, const struct batch_rules *rules,
                                  struct buf *scratch, struct batch_facts *facts);

// --- Patching in place; `batch` is a whole batch of magic 2 that has been parsed before ---

void batch_set_base_offset(uint8_t *batch, int64_t base_offset);           // CRC not touched
void batch_set_partition_leader_epoch(uint8_t *batch, int32_t leader_epoch); // CRC not touched

// Sets timestamp type and max_timestamp, and the CRC again if that changed anything.
void batch_set_max_timestamp(uint8_t *batch, size_t size, bool log_append_time,
                             int64_t max_timestamp);

// Sets producer id, epoch and base sequence, and the CRC again.
void batch_set_producer(uint8_t *batch, size_t size, int64_t producer_id, int16_t producer_epoch,
                        int32_t base_sequence);

// Computes and stores the CRC.
void batch_set_crc(uint8_t *batch, size_t size);

// --- Building ---

struct batch_options {
    int64_t base_offset;
    int32_t partition_leader_epoch;
    enum codec codec;
    int level;                 // CODEC_LEVEL_DEFAULT
    int16_t attributes;        // any of BATCH_LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL,
                               // _DELETE_HORIZON; the codec bits come from `codec`
    int64_t log_append_time;   // max_timestamp with BATCH_LOG_APPEND_TIME
    int64_t delete_horizon_ms; // base_timestamp with BATCH_DELETE_HORIZON
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
};

// No codec, no producer, epoch -1, offset 0.
#define BATCH_OPTIONS_DEFAULT                                                                     \
    ((struct batch_options){.partition_leader_epoch = -1, .level = CODEC_LEVEL_DEFAULT,           \
                            .producer_id = PRODUCER_ID_NONE, .producer_epoch = PRODUCER_EPOCH_NONE, \
                            .base_sequence = SEQUENCE_NONE})

// Writes one batch at the end of `out`. Between begin and finish nobody else writes to `out`.
struct batch_builder {
    struct buf *out;
    struct batch_options options;
    size_t start;              // of the batch in `out`
    int32_t record_count;
    int32_t last_offset_delta; // of the last record, -1 before the first
    int64_t base_timestamp;
    int64_t max_timestamp;     // over the records, TIMESTAMP_NONE before the first
    bool is_failed;
};

void batch_builder_begin(struct batch_builder *b, struct buf *out,
                         const struct batch_options *options);

// Appends a record at the next offset. Null bytes make a null key or value. `headers` holds
// `header_count` of them. Failure (the buffer's maximum, a part above INT32_MAX) is sticky and
// reported by finish.
void batch_builder_add(struct batch_builder *b, int64_t timestamp, struct bytes key,
                       struct bytes value, const struct record_header *headers,
                       int32_t header_count);

// The same at a chosen offset delta, greater than the last one (compaction leaves gaps).
void batch_builder_add_at(struct batch_builder *b, int32_t offset_delta, int64_t timestamp,
                          struct bytes key, struct bytes value,
                          const struct record_header *headers, int32_t header_count);

// The same with headers as another batch had them encoded (struct record).
void batch_builder_copy(struct batch_builder *b, int32_t offset_delta,
                        const struct record *record);

// Encoded size so far: header and records, before compression.
size_t batch_builder_size(const struct batch_builder *b);

// Raises last_offset_delta above the last record's, so that a rewritten batch ends where the
// original did.
void batch_builder_set_last_offset_delta(struct batch_builder *b, int32_t last_offset_delta);

// Compresses, completes the header and the CRC. A batch without records needs a last offset delta
// set before; its base timestamp is TIMESTAMP_NONE. On success *batch (may be NULL) is the batch in
// `out`, valid until the next write there. On failure (ERR_LIMIT) `out` is as it was at begin, and
// usable again.
int batch_builder_finish(struct batch_builder *b, struct bytes *batch);

// Gives up: `out` is as it was at begin.
void batch_builder_cancel(struct batch_builder *b);

// --- Control records: batches with BATCH_CONTROL ---

enum control_type {
    CONTROL_ABORT = 0,
    CONTROL_COMMIT = 1,
    CONTROL_LEADER_CHANGE = 2,   // value: wire/record/leader_change_message.h
    CONTROL_SNAPSHOT_HEADER = 3, // value: wire/record/snapshot_header_record.h
    CONTROL_SNAPSHOT_FOOTER = 4, // value: wire/record/snapshot_footer_record.h
    CONTROL_KRAFT_VERSION = 5,   // value: wire/record/kraft_version_record.h
    CONTROL_KRAFT_VOTERS = 6,    // value: wire/record/voters_record.h
};

enum { CONTROL_KEY_SIZE = 4, END_TXN_MARKER_SIZE = 6 };

// The key of a control record: version 0 and the type. Reading gives types we do not know as they
// are; ERR_CORRUPT when it is too short or its version negative.
void control_key_store(uint8_t out[CONTROL_KEY_SIZE], enum control_type type);
int control_key_read(struct bytes key, int16_t *type);

// The value of an ABORT or COMMIT record: version 0 and the coordinator's epoch.
void end_txn_marker_store(uint8_t out[END_TXN_MARKER_SIZE], int32_t coordinator_epoch);
int end_txn_marker_read(struct bytes value, int32_t *coordinator_epoch);

// True if the batch, whose CRC was checked, is a marker that ends a transaction; *type says how:
// CONTROL_ABORT or CONTROL_COMMIT.
bool batch_is_end_txn_marker(struct bytes batch, enum control_type *type);

// Appends the batch of one marker: `options` gives offset, epochs and producer; the transactional
// and control bits are added and the sequence is none. Errors as batch_builder_finish.
int batch_append_end_txn_marker(struct buf *out, const struct batch_options *options,
                                enum control_type type, int32_t coordinator_epoch,
                                int64_t timestamp, struct bytes *batch);

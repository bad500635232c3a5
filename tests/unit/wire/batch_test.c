// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/prng.h"
#include "codec/crc32c.h"
#include "wire/batch.h"

enum { ROOM = 4 << 20, TIME = 1700000000 };

#define TEXT(s) bytes_of(s, sizeof s - 1)
static const struct bytes null_bytes = {NULL, 0};

struct fixture {
    struct buf buf;     // batches
    struct buf scratch; // decompressed records
};

static int setup(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    buf_init(&f->buf, ROOM);
    buf_init(&f->scratch, ROOM);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    buf_release(&f->buf);
    buf_release(&f->scratch);
    free(f);
    return 0;
}

// Three records: key and headers, no key, no value; times TIME, TIME + 5, TIME + 2.
static struct bytes build_three(struct fixture *f, const struct batch_options *options)
{
    struct batch_builder b;
    struct bytes batch;
    const struct record_header headers[] = {{str_from("h"), TEXT("v")}, {str_from(""), null_bytes}};
    batch_builder_begin(&b, &f->buf, options);
    batch_builder_add(&b, TIME, TEXT("key"), TEXT("value"), headers, 2);
    batch_builder_add(&b, TIME + 5, null_bytes, TEXT(""), NULL, 0);
    batch_builder_add(&b, TIME + 2, TEXT("dead"), null_bytes, NULL, 0);
    assert_int_equal(batch_builder_finish(&b, &batch), 0);
    return batch;
}

static struct bytes build_default(struct fixture *f)
{
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    return build_three(f, &options);
}

static void check_three(struct fixture *f, struct bytes batch, int64_t base_offset)
{
    struct batch_iter it;
    struct record r[3], none;
    struct record_header header;
    assert_int_equal(batch_iter_init(&it, batch, &f->scratch), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(batch_iter_next(&it, &r[i]), 1);
        assert_int_equal(r[i].index, i);
        assert_int_equal(r[i].offset, base_offset + i);
    }
    assert_int_equal(batch_iter_next(&it, &none), 0);
    assert_true(bytes_equal(r[0].key, TEXT("key")));
    assert_true(bytes_equal(r[0].value, TEXT("value")));
    assert_int_equal(r[0].timestamp, TIME);
    assert_int_equal(r[0].header_count, 2);
    struct bytes rest = r[0].headers;
    assert_int_equal(record_header_next(&rest, &header), 1);
    assert_true(str_is(header.key, "h"));
    assert_true(bytes_equal(header.value, TEXT("v")));
    assert_int_equal(record_header_next(&rest, &header), 1);
    assert_int_equal(header.key.size, 0);
    assert_null(header.value.data);
    assert_int_equal(record_header_next(&rest, &header), 0);
    assert_null(r[1].key.data);
    assert_non_null(r[1].value.data);
    assert_int_equal(r[1].value.size, 0);
    assert_int_equal(r[1].timestamp, TIME + 5);
    assert_null(r[2].value.data);
    assert_int_equal(r[2].timestamp, TIME + 2);
}

// A batch that kafka-python sent and one that Kafka wrote: FROZEN.
static void test_known_bytes(void **state)
{
    static const uint8_t want[] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x3c, 0, 0, 0, 0, 2, 0x7e, 0x28, 0x80, 0xd3, 0, 0, 0, 0, 0, 0,
        0, 0, 0x01, 0xa1, 0xfe, 0x69, 0x12, 0x9f, 0, 0, 0x01, 0xa1, 0xfe, 0x69, 0x12, 0x9f, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0x01, 0x14, 0,
        0, 0, 0x02, 0x6b, 0x06, 0x6f, 0x6c, 0x64, 0};
    struct fixture *f = *state;
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct batch_builder b;
    struct bytes batch;
    options.partition_leader_epoch = 0;
    batch_builder_begin(&b, &f->buf, &options);
    batch_builder_add(&b, 1795269661343, TEXT("k"), TEXT("old"), NULL, 0);
    assert_int_equal(batch_builder_size(&b), sizeof want);
    assert_int_equal(batch_builder_finish(&b, &batch), 0);
    assert_int_equal(batch.size, sizeof want);
    assert_memory_equal(batch.data, want, sizeof want);
}

static void test_every_codec(void **state)
{
    struct fixture *f = *state;
    for (int codec = CODEC_NONE; codec < CODEC_COUNT; codec++) {
        struct batch_options options = BATCH_OPTIONS_DEFAULT;
        options.codec = (enum codec)codec;
        options.base_offset = 1000;
        options.producer_id = 7;
        options.producer_epoch = 1;
        options.base_sequence = 40;
        buf_clear(&f->buf);
        buf_append_text(&f->buf, "before");
        struct bytes batch = build_three(f, &options);
        struct batch_header h;
        assert_int_equal(batch_header_parse(batch, &h), 0);
        assert_int_equal(batch_size(&h), batch.size);
        assert_int_equal(batch_codec(&h), codec);
        assert_int_equal(h.record_count, 3);
        assert_int_equal(batch_last_offset(&h), 1002);
        assert_int_equal(batch_last_sequence(&h), 42);
        assert_int_equal(h.base_timestamp, TIME);
        assert_int_equal(h.max_timestamp, TIME + 5);
        assert_true(batch_crc_is_valid(batch));
        check_three(f, batch, 1000);
        struct batch_rules rules = {.from_client = true};
        struct batch_facts facts;
        assert_int_equal(batch_validate(batch, &rules, &f->scratch, &facts), BATCH_OK);
        assert_int_equal(facts.max_timestamp, TIME + 5);
        assert_int_equal(facts.max_timestamp_offset_delta, 1);
        assert_int_equal(facts.min_timestamp, TIME);
        assert_int_equal(facts.null_key_count, 1);
        assert_true(facts.offsets_in_order);
        assert_int_equal(facts.size, batch.size);
        assert_true(facts.records_size > 0);
    }
}

static void test_walking_a_range(void **state)
{
    struct fixture *f = *state;
    build_default(f);
    size_t first = f->buf.size;
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.base_offset = 3;
    build_three(f, &options);
    struct bytes rest = bytes_of(f->buf.data, f->buf.size), batch;
    struct batch_header h;
    assert_int_equal(batch_next(&rest, &h, &batch), 1);
    assert_int_equal(batch.size, first);
    assert_int_equal(batch_next(&rest, &h, &batch), 1);
    assert_int_equal(h.base_offset, 3);
    assert_int_equal(batch_next(&rest, &h, &batch), 0);
    for (size_t size = first + 1; size < f->buf.size; size++) {
        rest = bytes_of(f->buf.data + first, size - first);
        struct bytes before = rest;
        assert_int_equal(batch_next(&rest, &h, &batch), ERR_TRUNCATED);
        assert_ptr_equal(rest.data, before.data);
        size_t peeked = 0;
        int err = batch_size_peek(rest, &peeked);
        assert_int_equal(err, rest.size < BATCH_PREFIX_SIZE ? ERR_TRUNCATED : 0);
        assert_int_equal(peeked, err == 0 ? f->buf.size - first : 0);
    }
}

static void test_headers_that_cannot_be(void **state)
{
    static const struct {
        size_t at;
        size_t size;
        uint32_t value;
    } cases[] = {
        {BATCH_LENGTH_AT, 4, 48},         {BATCH_LENGTH_AT, 4, 0},
        {BATCH_LENGTH_AT, 4, 0xffffffff}, {BATCH_MAGIC_AT, 1, 3},
        {BATCH_MAGIC_AT, 1, 0xff},        {BATCH_LAST_OFFSET_DELTA_AT, 4, 0xffffffff},
        {BATCH_RECORD_COUNT_AT, 4, 0x80000000},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&f->buf);
        build_default(f);
        uint8_t *p = f->buf.data + cases[i].at;
        if (cases[i].size == 1)
            *p = (uint8_t)cases[i].value;
        else
            be32_store(p, cases[i].value);
        struct batch_header h;
        assert_int_equal(batch_header_parse(buf_bytes(&f->buf), &h), ERR_CORRUPT);
    }
}

struct damage {
    const char *what;
    enum batch_problem problem;
    size_t at;
    size_t size;
    int64_t value;
    bool own_logs_pass; // replicas and our own log accept it
};

// Each on a batch of three records with a producer, with the CRC right again.
static const struct damage damages[] = {
    {"nothing", BATCH_OK, BATCH_BASE_OFFSET_AT, 8, 5, true},
    {"log append time", BATCH_OK, BATCH_ATTRIBUTES_AT, 2, BATCH_LOG_APPEND_TIME, true},
    {"unused attribute bits", BATCH_OK, BATCH_ATTRIBUTES_AT, 2, 0x4f80, true},
    {"any max timestamp", BATCH_OK, BATCH_MAX_TIMESTAMP_AT, 8, -77, true},
    {"transactional", BATCH_OK, BATCH_ATTRIBUTES_AT, 2, BATCH_TRANSACTIONAL, true},
    {"control", BATCH_IS_CONTROL, BATCH_ATTRIBUTES_AT, 2, BATCH_CONTROL, true},
    {"delete horizon", BATCH_BAD_ATTRIBUTES, BATCH_ATTRIBUTES_AT, 2, BATCH_DELETE_HORIZON, true},
    {"codec 5", BATCH_BAD_CODEC, BATCH_ATTRIBUTES_AT, 2, 5, false},
    {"codec 7", BATCH_BAD_CODEC, BATCH_ATTRIBUTES_AT, 2, 7, false},
    {"not gzip", BATCH_BAD_COMPRESSED, BATCH_ATTRIBUTES_AT, 2, CODEC_GZIP, false},
    {"not snappy", BATCH_BAD_COMPRESSED, BATCH_ATTRIBUTES_AT, 2, CODEC_SNAPPY, false},
    {"not lz4", BATCH_BAD_COMPRESSED, BATCH_ATTRIBUTES_AT, 2, CODEC_LZ4, false},
    {"not zstd", BATCH_BAD_COMPRESSED, BATCH_ATTRIBUTES_AT, 2, CODEC_ZSTD, false},
    {"no records", BATCH_BAD_COUNT, BATCH_RECORD_COUNT_AT, 4, 0, false},
    {"too few records", BATCH_BAD_COUNT, BATCH_RECORD_COUNT_AT, 4, 2, false},
    {"too many records", BATCH_BAD_COUNT, BATCH_RECORD_COUNT_AT, 4, 4, false},
    {"negative count", BATCH_BAD_COUNT, BATCH_RECORD_COUNT_AT, 4, -1, false},
    {"delta too small", BATCH_BAD_COUNT, BATCH_LAST_OFFSET_DELTA_AT, 4, 1, false},
    {"delta too large", BATCH_BAD_COUNT, BATCH_LAST_OFFSET_DELTA_AT, 4, 9, true},
    {"negative delta", BATCH_BAD_COUNT, BATCH_LAST_OFFSET_DELTA_AT, 4, -3, false},
    {"negative sequence", BATCH_BAD_SEQUENCE, BATCH_BASE_SEQUENCE_AT, 4, -1, true},
    {"negative epoch", BATCH_BAD_SEQUENCE, BATCH_PRODUCER_EPOCH_AT, 2, -1, true},
    {"producer -2", BATCH_BAD_SEQUENCE, BATCH_PRODUCER_ID_AT, 8, -2, true},
};

static void store(uint8_t *p, size_t size, int64_t value)
{
    for (size_t i = 0; i < size; i++)
        p[i] = (uint8_t)((uint64_t)value >> (8 * (size - 1 - i)));
}

static void test_validation(void **state)
{
    struct fixture *f = *state;
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    options.producer_id = 9;
    options.producer_epoch = 0;
    options.base_sequence = 0;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        const struct damage *d = &damages[i];
        buf_clear(&f->buf);
        struct bytes batch = build_three(f, &options);
        store(f->buf.data + d->at, d->size, d->value);
        batch_set_crc(f->buf.data, batch.size);
        struct batch_facts facts;
        struct batch_rules rules = {.from_client = true};
        enum batch_problem problem = batch_validate(batch, &rules, &f->scratch, &facts);
        if (problem != d->problem)
            fail_msg("%s: %s, not %s", d->what, batch_problem_name(problem),
                     batch_problem_name(d->problem));
        rules.from_client = false;
        problem = batch_validate(batch, &rules, &f->scratch, &facts);
        if (d->own_logs_pass != (problem == BATCH_OK))
            fail_msg("%s in an own log: %s", d->what, batch_problem_name(problem));
    }
}

static enum batch_problem validate(struct fixture *f, struct bytes batch)
{
    struct batch_rules rules = {.from_client = true};
    struct batch_facts facts;
    return batch_validate(batch, &rules, &f->scratch, &facts);
}

static void test_validation_of_the_frame(void **state)
{
    struct fixture *f = *state;
    struct bytes batch = build_default(f);
    assert_int_equal(validate(f, bytes_of(NULL, 0)), BATCH_EMPTY);
    for (size_t size = 1; size < batch.size; size++)
        assert_int_equal(validate(f, bytes_of(batch.data, size)), BATCH_TRUNCATED);
    for (size_t bit = BATCH_ATTRIBUTES_AT * 8; bit < batch.size * 8; bit++) {
        f->buf.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(validate(f, batch), BATCH_BAD_CRC);
        f->buf.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    f->buf.data[BATCH_MAGIC_AT] = 1;
    assert_int_equal(validate(f, batch), BATCH_BAD_MAGIC);
    f->buf.data[BATCH_MAGIC_AT] = 2;
    be32_store(f->buf.data + BATCH_LENGTH_AT, 48);
    assert_int_equal(validate(f, batch), BATCH_BAD_LENGTH);
    be32_store(f->buf.data + BATCH_LENGTH_AT, (uint32_t)batch.size - 12);
    buf_append_u8(&f->buf, 0);
    assert_int_equal(validate(f, buf_bytes(&f->buf)), BATCH_TRAILING);
    struct batch_rules header_only = {.from_client = true, .records_skipped = true};
    struct batch_facts facts;
    batch = bytes_of(f->buf.data, batch.size);
    assert_int_equal(batch_validate(batch, &header_only, NULL, &facts), BATCH_OK);
    assert_int_equal(facts.header.record_count, 3);
    assert_int_equal(facts.max_timestamp, TIMESTAMP_NONE);
}

// Replaces the records by `records`, as many as stated, and completes the batch.
static struct bytes with_records(struct fixture *f, struct bytes records, int32_t count)
{
    buf_clear(&f->buf);
    build_default(f);
    f->buf.size = BATCH_HEADER_SIZE;
    buf_append(&f->buf, records.data, records.size);
    be32_store(f->buf.data + BATCH_LENGTH_AT, (uint32_t)f->buf.size - 12);
    be32_store(f->buf.data + BATCH_RECORD_COUNT_AT, (uint32_t)count);
    be32_store(f->buf.data + BATCH_LAST_OFFSET_DELTA_AT, (uint32_t)count - 1);
    batch_set_crc(f->buf.data, f->buf.size);
    return buf_bytes(&f->buf);
}

static void test_records_that_cannot_be(void **state)
{
    struct fixture *f = *state;
    // length, attributes, timestamp delta, offset delta, key, value, headers
    static const struct {
        const char *what;
        struct bytes bytes;
        enum batch_problem problem;
        int own_log; // what an iterator that is not strict says of the first record
    } cases[] = {
        {"smallest", {(const uint8_t *)"\x0c\0\0\0\1\1\0", 7}, BATCH_OK, 1},
        {"a longer varint", {(const uint8_t *)"\x0e\0\x80\0\0\1\1\0", 8}, BATCH_OK, 1},
        {"nothing", {(const uint8_t *)"", 0}, BATCH_BAD_RECORD, ERR_CORRUPT},
        {"trailing byte", {(const uint8_t *)"\x0c\0\0\0\1\1\0\0", 8}, BATCH_BAD_RECORD, 1},
        {"byte inside", {(const uint8_t *)"\x0e\0\0\0\1\1\0\0", 8}, BATCH_BAD_RECORD, ERR_CORRUPT},
        {"too short", {(const uint8_t *)"\x0a\0\0\0\1\1", 6}, BATCH_BAD_RECORD, ERR_CORRUPT},
        {"length beyond", {(const uint8_t *)"\x10\0\0\0\1\1\0", 7}, BATCH_BAD_RECORD, ERR_CORRUPT},
        {"negative length", {(const uint8_t *)"\x01\0\0\0\1\1\0", 7}, BATCH_BAD_RECORD, ERR_CORRUPT},
        {"zero length", {(const uint8_t *)"\0", 1}, BATCH_BAD_RECORD, ERR_CORRUPT},
        {"key beyond", {(const uint8_t *)"\x0c\0\0\0\x40\1\0", 7}, BATCH_BAD_RECORD, ERR_CORRUPT},
        {"key of -2", {(const uint8_t *)"\x0c\0\0\0\3\1\0", 7}, BATCH_BAD_RECORD, 1},
        {"value of -9", {(const uint8_t *)"\x0c\0\0\0\1\x11\0", 7}, BATCH_BAD_RECORD, 1},
        {"headers -1", {(const uint8_t *)"\x0c\0\0\0\1\1\1", 7}, BATCH_BAD_RECORD, ERR_CORRUPT},
        {"headers missing", {(const uint8_t *)"\x0c\0\0\0\1\1\4", 7}, BATCH_BAD_RECORD, ERR_CORRUPT},
        {"header without key", {(const uint8_t *)"\x10\0\0\0\1\1\2\1\1", 9}, BATCH_BAD_RECORD,
         ERR_CORRUPT},
        {"a header", {(const uint8_t *)"\x10\0\0\0\1\1\2\0\1", 9}, BATCH_OK, 1},
        {"offset delta 1", {(const uint8_t *)"\x0c\0\0\2\1\1\0", 7}, BATCH_BAD_OFFSETS, 1},
        {"offset delta -1", {(const uint8_t *)"\x0c\0\0\1\1\1\0", 7}, BATCH_BAD_RECORD, ERR_CORRUPT},
        {"varint of 6 bytes", {(const uint8_t *)"\x16\0\0\x80\x80\x80\x80\x80\0\1\1\0", 12},
         BATCH_BAD_RECORD, ERR_CORRUPT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes batch = with_records(f, cases[i].bytes, 1);
        enum batch_problem problem = validate(f, batch);
        if (problem != cases[i].problem)
            fail_msg("%s: %s", cases[i].what, batch_problem_name(problem));
        struct batch_iter it;
        struct record r;
        assert_int_equal(batch_iter_init(&it, batch, NULL), 0);
        if (batch_iter_next(&it, &r) != cases[i].own_log)
            fail_msg("%s: in an own log", cases[i].what);
    }
}

static void test_rules_about_records(void **state)
{
    struct fixture *f = *state;
    struct bytes batch = build_default(f);
    struct batch_facts facts;
    struct batch_rules rules = {.from_client = true, .keys_required = true};
    assert_int_equal(batch_validate(batch, &rules, &f->scratch, &facts), BATCH_NULL_KEY);
    assert_int_equal(facts.record_error_count, 1);
    assert_int_equal(facts.record_errors[0].index, 1);
    rules = (struct batch_rules){.from_client = true, .timestamps_checked = true,
                                 .timestamp_min = TIME + 2, .timestamp_max = TIME + 4};
    assert_int_equal(batch_validate(batch, &rules, &f->scratch, &facts), BATCH_BAD_TIMESTAMP);
    assert_int_equal(facts.record_error_count, 2);
    assert_int_equal(facts.record_errors[0].index, 0);
    assert_int_equal(facts.record_errors[1].index, 1);
    rules.timestamp_min = TIME;
    rules.timestamp_max = TIME + 5;
    assert_int_equal(batch_validate(batch, &rules, &f->scratch, &facts), BATCH_OK);
    // More bad records than are kept.
    struct batch_builder b;
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    buf_clear(&f->buf);
    batch_builder_begin(&b, &f->buf, &options);
    for (int i = 0; i < 2 * BATCH_RECORD_ERRORS_MAX; i++)
        batch_builder_add(&b, TIMESTAMP_NONE, null_bytes, null_bytes, NULL, 0);
    assert_int_equal(batch_builder_finish(&b, &batch), 0);
    assert_int_equal(batch_validate(batch, &rules, &f->scratch, &facts), BATCH_OK); // no times
    assert_int_equal(facts.max_timestamp, TIMESTAMP_NONE);
    assert_int_equal(facts.max_timestamp_offset_delta, -1);
    rules.keys_required = true;
    assert_int_equal(batch_validate(batch, &rules, &f->scratch, &facts), BATCH_NULL_KEY);
    assert_int_equal(facts.record_error_count, BATCH_RECORD_ERRORS_MAX);
    assert_int_equal(facts.null_key_count, 2 * BATCH_RECORD_ERRORS_MAX);
}

static void test_bombs(void **state)
{
    struct fixture *f = *state;
    static uint8_t zeros[1 << 20];
    for (int codec = CODEC_GZIP; codec < CODEC_COUNT; codec++) {
        struct batch_options options = BATCH_OPTIONS_DEFAULT;
        struct batch_builder b;
        struct bytes batch;
        options.codec = (enum codec)codec;
        buf_clear(&f->buf);
        batch_builder_begin(&b, &f->buf, &options);
        batch_builder_add(&b, 0, null_bytes, bytes_of(zeros, sizeof zeros), NULL, 0);
        assert_int_equal(batch_builder_finish(&b, &batch), 0);
        struct buf small;
        buf_init(&small, 10000);
        struct batch_rules rules = {.from_client = true};
        struct batch_facts facts;
        assert_int_equal(batch_validate(batch, &rules, &small, &facts), BATCH_TOO_LARGE);
        assert_true(small.capacity <= 10000);
        buf_release(&small);
    }
}

static void test_patching(void **state)
{
    struct fixture *f = *state;
    struct bytes batch = build_default(f);
    struct batch_header h;
    batch_set_base_offset(f->buf.data, INT64_C(1) << 40);
    batch_set_partition_leader_epoch(f->buf.data, 12);
    assert_true(batch_crc_is_valid(batch)); // neither is covered by the CRC
    batch_set_max_timestamp(f->buf.data, batch.size, true, TIME + 100);
    assert_true(batch_crc_is_valid(batch));
    batch_set_producer(f->buf.data, batch.size, 77, 3, INT32_MAX);
    assert_true(batch_crc_is_valid(batch));
    assert_int_equal(batch_header_parse(batch, &h), 0);
    assert_true(h.base_offset == INT64_C(1) << 40);
    assert_int_equal(h.partition_leader_epoch, 12);
    assert_true(batch_is_log_append_time(&h));
    assert_int_equal(h.max_timestamp, TIME + 100);
    assert_int_equal(h.producer_id, 77);
    assert_int_equal(h.producer_epoch, 3);
    assert_int_equal(batch_last_sequence(&h), 1); // INT32_MAX, 0, 1
    struct batch_iter it;
    struct record r;
    assert_int_equal(batch_iter_init(&it, batch, NULL), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(batch_iter_next(&it, &r), 1);
        assert_int_equal(r.timestamp, TIME + 100); // all records have it
        assert_int_equal(r.sequence, i == 0 ? INT32_MAX : i - 1);
    }
    batch_set_max_timestamp(f->buf.data, batch.size, false, TIME + 5);
    batch_set_base_offset(f->buf.data, 0);
    check_three(f, batch, 0);
}

static void test_builder_with_gaps(void **state)
{
    struct fixture *f = *state;
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct batch_builder b;
    struct bytes batch;
    struct batch_header h;
    struct batch_iter it;
    struct record r;
    options.attributes = BATCH_DELETE_HORIZON;
    options.delete_horizon_ms = TIME + 1000;
    options.base_offset = 50;
    batch_builder_begin(&b, &f->buf, &options);
    batch_builder_add_at(&b, 2, TIME, TEXT("k"), null_bytes, NULL, 0);
    batch_builder_add_at(&b, 5, TIME - 9, TEXT("l"), null_bytes, NULL, 0);
    batch_builder_set_last_offset_delta(&b, 7);
    assert_int_equal(batch_builder_finish(&b, &batch), 0);
    assert_int_equal(batch_header_parse(batch, &h), 0);
    assert_int_equal(batch_last_offset(&h), 57);
    assert_int_equal(h.base_timestamp, TIME + 1000);
    assert_int_equal(h.max_timestamp, TIME);
    assert_int_equal(batch_iter_init(&it, batch, NULL), 0);
    assert_int_equal(batch_iter_next(&it, &r), 1);
    assert_int_equal(r.offset, 52);
    assert_int_equal(r.timestamp, TIME);
    assert_int_equal(batch_iter_next(&it, &r), 1);
    assert_int_equal(r.offset, 55);
    assert_int_equal(r.timestamp, TIME - 9);
    assert_int_equal(batch_iter_next(&it, &r), 0);
    // All records gone.
    buf_clear(&f->buf);
    options.attributes = 0;
    options.codec = CODEC_LZ4;
    batch_builder_begin(&b, &f->buf, &options);
    batch_builder_set_last_offset_delta(&b, 3);
    assert_int_equal(batch_builder_finish(&b, &batch), 0);
    assert_int_equal(batch.size, BATCH_HEADER_SIZE);
    assert_int_equal(batch_iter_init(&it, batch, NULL), 0);
    assert_int_equal(batch_iter_next(&it, &r), 0);
}

static void test_builder_without_room(void **state)
{
    struct fixture *f = *state;
    size_t need = build_default(f).size;
    for (size_t size_max = 5; size_max <= need + 5; size_max++) {
        struct fixture tight;
        struct batch_builder b;
        struct batch_options options = BATCH_OPTIONS_DEFAULT;
        const struct record_header headers[] = {{str_from("h"), TEXT("v")},
                                                {str_from(""), null_bytes}};
        buf_init(&tight.buf, size_max);
        buf_append_text(&tight.buf, "first");
        batch_builder_begin(&b, &tight.buf, &options);
        batch_builder_add(&b, TIME, TEXT("key"), TEXT("value"), headers, 2);
        batch_builder_add(&b, TIME + 5, null_bytes, TEXT(""), NULL, 0);
        batch_builder_add(&b, TIME + 2, TEXT("dead"), null_bytes, NULL, 0);
        bool fits = size_max == need + 5;
        assert_int_equal(batch_builder_finish(&b, NULL), fits ? 0 : ERR_LIMIT);
        assert_int_equal(tight.buf.size, fits ? need + 5 : 5);
        assert_false(tight.buf.failed);
        buf_release(&tight.buf);
    }
}

static void test_control_records(void **state)
{
    struct fixture *f = *state;
    struct batch_options options = BATCH_OPTIONS_DEFAULT;
    struct bytes batch;
    struct batch_header h;
    struct batch_iter it;
    struct record r;
    int16_t type;
    int32_t epoch;
    options.producer_id = 31;
    options.producer_epoch = 2;
    options.base_sequence = 8;
    assert_int_equal(batch_append_end_txn_marker(&f->buf, &options, CONTROL_COMMIT, 5, TIME, &batch),
                     0);
    assert_int_equal(batch.size, 78);
    assert_int_equal(batch_header_parse(batch, &h), 0);
    assert_true(batch_is_control(&h) && batch_is_transactional(&h));
    assert_int_equal(batch_last_sequence(&h), SEQUENCE_NONE);
    assert_int_equal(batch_iter_init(&it, batch, NULL), 0);
    assert_int_equal(batch_iter_next(&it, &r), 1);
    assert_int_equal(control_key_read(r.key, &type), 0);
    assert_int_equal(type, CONTROL_COMMIT);
    assert_int_equal(end_txn_marker_read(r.value, &epoch), 0);
    assert_int_equal(epoch, 5);
    enum control_type ends;
    assert_true(batch_is_end_txn_marker(batch, &ends));
    assert_int_equal(ends, CONTROL_COMMIT);
    f->buf.data[f->buf.size - batch.size + BATCH_ATTRIBUTES_AT + 1] |= CODEC_GZIP;
    assert_false(batch_is_end_txn_marker(batch, &ends));
    f->buf.data[f->buf.size - batch.size + BATCH_ATTRIBUTES_AT + 1] = BATCH_TRANSACTIONAL;
    assert_false(batch_is_end_txn_marker(batch, &ends));
    assert_false(batch_is_end_txn_marker(TEXT("short"), &ends));
    assert_int_equal(control_key_read(TEXT("\0\0\0"), &type), ERR_CORRUPT);
    assert_int_equal(control_key_read(TEXT("\xff\xff\0\1"), &type), ERR_CORRUPT);
    assert_int_equal(control_key_read(TEXT("\0\1\0\x63more"), &type), 0);
    assert_int_equal(type, 0x63);
    assert_int_equal(end_txn_marker_read(TEXT("\0\0\0\0\0"), &epoch), ERR_CORRUPT);
    assert_int_equal(end_txn_marker_read(TEXT("\x80\0\0\0\0\1"), &epoch), ERR_CORRUPT);
}

// Appends a message of magic 0 or 1.
static void legacy_append(struct buf *out, int magic, int attributes, int64_t offset,
                          int64_t timestamp, struct bytes key, struct bytes value)
{
    size_t start = out->size;
    buf_append_be64(out, (uint64_t)offset);
    buf_append_zeros(out, 8);
    buf_append_u8(out, (uint8_t)magic);
    buf_append_u8(out, (uint8_t)attributes);
    if (magic == 1)
        buf_append_be64(out, (uint64_t)timestamp);
    buf_append_be32(out, key.data != NULL ? (uint32_t)key.size : UINT32_MAX);
    buf_append(out, key.data, key.size);
    buf_append_be32(out, value.data != NULL ? (uint32_t)value.size : UINT32_MAX);
    buf_append(out, value.data, value.size);
    uint8_t *p = out->data + start;
    size_t size = out->size - start;
    be32_store(p + 8, (uint32_t)size - 12);
    be32_store(p + 12, crc32_zlib(0, bytes_of(p + 16, size - 16)));
}

static void test_legacy_messages(void **state)
{
    struct fixture *f = *state;
    legacy_append(&f->buf, 0, 0, 7, 0, TEXT("k"), TEXT("zero"));
    legacy_append(&f->buf, 1, 0, 8, TIME, null_bytes, TEXT("one"));
    legacy_append(&f->buf, 1, 0, 9, TIME, TEXT("k"), null_bytes);
    struct bytes rest = buf_bytes(&f->buf), batch;
    struct batch_header h;
    struct batch_iter it;
    struct record r;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(batch_next(&rest, &h, &batch), 1);
        assert_int_equal(h.magic, i > 0);
        assert_int_equal(batch_last_offset(&h), 7 + i);
        assert_int_equal(h.record_count, 1);
        assert_false(batch_has_producer(&h));
        assert_true(batch_crc_is_valid(batch));
        assert_int_equal(batch_iter_init(&it, batch, NULL), 0);
        assert_int_equal(batch_iter_next(&it, &r), 1);
        assert_int_equal(r.offset, 7 + i);
        assert_int_equal(r.timestamp, i > 0 ? TIME : TIMESTAMP_NONE);
        assert_int_equal(batch_iter_next(&it, &r), 0);
    }
    assert_int_equal(batch_next(&rest, &h, &batch), 0);
    f->buf.data[20] ^= 1;
    assert_false(batch_crc_is_valid(buf_bytes(&f->buf)));
    // A produce request may not have them.
    assert_int_equal(validate(f, buf_bytes(&f->buf)), BATCH_BAD_MAGIC);
}

static void test_legacy_compressed(void **state)
{
    static const enum codec codecs[] = {CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4};
    struct fixture *f = *state;
    for (int magic = 0; magic <= 1; magic++) {
        for (size_t c = 0; c < (magic == 0 ? 2 : 3); c++) {
            struct buf inner, packed;
            struct batch_iter it;
            struct record r;
            buf_init(&inner, ROOM);
            buf_init(&packed, ROOM);
            // Three messages at 100, 101, 103: absolute in magic 0, relative in magic 1.
            for (int i = 0; i < 3; i++) {
                int64_t offset = (magic == 0 ? 100 : 0) + (i == 2 ? 3 : i);
                legacy_append(&inner, magic, 0, offset, TIME + i, TEXT("k"), TEXT("v"));
            }
            assert_int_equal(codec_compress(codecs[c], CODEC_LEVEL_DEFAULT, buf_bytes(&inner),
                                            &packed), 0);
            buf_clear(&f->buf);
            legacy_append(&f->buf, magic, (int)codecs[c], 103, TIME + 2, null_bytes,
                          buf_bytes(&packed));
            assert_int_equal(batch_iter_init(&it, buf_bytes(&f->buf), &f->scratch), 0);
            for (int i = 0; i < 3; i++) {
                assert_int_equal(batch_iter_next(&it, &r), 1);
                assert_int_equal(r.offset, i == 2 ? 103 : 100 + i);
                assert_int_equal(r.timestamp, magic == 1 ? TIME + i : TIMESTAMP_NONE);
                assert_int_equal(r.index, i);
            }
            assert_int_equal(batch_iter_next(&it, &r), 0);
            buf_release(&inner);
            buf_release(&packed);
        }
    }
}

// Whatever the bytes, an iteration ends and touches nothing else.
static void test_damage_is_survived(void **state)
{
    struct fixture *f = *state;
    struct prng prng;
    prng_init(&prng, 21);
    for (int i = 0; i < 4000; i++) {
        struct batch_options options = BATCH_OPTIONS_DEFAULT;
        options.codec = (enum codec)(i % CODEC_COUNT);
        buf_clear(&f->buf);
        if (i % 7 == 0)
            legacy_append(&f->buf, i % 2, 0, 1, 2, TEXT("key"), TEXT("value"));
        else
            build_three(f, &options);
        size_t size = f->buf.size - (i % 3 == 0 ? prng_below(&prng, f->buf.size) : 0);
        uint8_t *copy = malloc(size > 0 ? size : 1);
        memcpy(copy, f->buf.data, size);
        for (int n = 0; n < 3 && size > 0; n++)
            copy[prng_below(&prng, size)] ^= (uint8_t)(1 << prng_below(&prng, 8));
        struct batch_iter it;
        struct record r;
        struct batch_facts facts;
        struct batch_rules rules = {.from_client = i % 2 == 0};
        int err = batch_iter_init(&it, bytes_of(copy, size), &f->scratch);
        int count = 0;
        while (err == 0 && batch_iter_next(&it, &r) == 1)
            assert_true(++count <= 1000);
        if (size >= BATCH_HEADER_SIZE)
            batch_set_crc(copy, size);
        (void)batch_validate(bytes_of(copy, size), &rules, &f->scratch, &facts);
        free(copy);
    }
}

static void test_problem_words(void **state)
{
    for (int p = BATCH_OK; p <= BATCH_BAD_OFFSETS; p++) {
        assert_non_null(strstr(batch_problem_name((enum batch_problem)p), "BATCH_"));
        assert_string_not_equal(batch_problem_name((enum batch_problem)p), "BATCH_UNKNOWN");
        assert_true(strlen(batch_problem_text((enum batch_problem)p)) > 10);
        assert_int_equal(batch_problem_error((enum batch_problem)p) == KAFKA_NONE, p == BATCH_OK);
    }
    assert_int_equal(batch_problem_error(BATCH_BAD_CRC), KAFKA_CORRUPT_MESSAGE);
    assert_int_equal(batch_problem_error(BATCH_BAD_COMPRESSED), KAFKA_CORRUPT_MESSAGE);
    assert_int_equal(batch_problem_error(BATCH_TOO_LARGE), KAFKA_MESSAGE_TOO_LARGE);
    assert_int_equal(batch_problem_error(BATCH_BAD_TIMESTAMP), KAFKA_INVALID_TIMESTAMP);
    assert_int_equal(batch_problem_error(BATCH_NULL_KEY), KAFKA_INVALID_RECORD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_known_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_codec, setup, teardown),
        cmocka_unit_test_setup_teardown(test_walking_a_range, setup, teardown),
        cmocka_unit_test_setup_teardown(test_headers_that_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_validation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_validation_of_the_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(test_records_that_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rules_about_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bombs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_patching, setup, teardown),
        cmocka_unit_test_setup_teardown(test_builder_with_gaps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_builder_without_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_control_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_legacy_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_legacy_compressed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_is_survived, setup, teardown),
        cmocka_unit_test(test_problem_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
//
// What the interpreter answers to particular bytes and structs; where Kafka has an answer, it is
// Kafka's (its generated readers and ByteUtils).
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "wire/api/api_versions.h"
#include "wire/api/create_topics.h"
#include "wire/api/fetch.h"
#include "wire/api/metadata.h"
#include "wire/api/produce.h"
#include "wire/api/sasl_authenticate.h"
#include "wire/record/consumer_group_member_metadata_value.h"
#include "wire/record/request_header.h"

enum { MEMORY_MAX = 1 << 20 };

struct fixture {
    struct arena arena;
    struct buf buf;
};

static int setup(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    arena_init(&f->arena, MEMORY_MAX);
    buf_init(&f->buf, MEMORY_MAX);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->arena);
    buf_release(&f->buf);
    free(f);
    return 0;
}

#define BYTES(...)                                                                                \
    bytes_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

// ApiVersions v3: client name and version as compact strings, then tags.
static int decode_versions(struct fixture *f, struct bytes in, struct api_versions_request *msg,
                           size_t *consumed)
{
    return wire_decode(&api_versions_request_schema, 3, in, &f->arena, msg, consumed);
}

static void test_varint_forms(void **state)
{
    struct fixture *f = *state;
    struct api_versions_request msg;
    size_t consumed = 0;
    // The length 2 in one, two and five bytes, the last with bits that do not fit in 32.
    const struct bytes accepted[] = {
        BYTES(0x02, 'a', 0x01, 0x00),
        BYTES(0x82, 0x00, 'a', 0x01, 0x00),
        BYTES(0x82, 0x80, 0x80, 0x80, 0x00, 'a', 0x01, 0x00),
        BYTES(0x82, 0x80, 0x80, 0x80, 0x70, 'a', 0x01, 0x00),
    };
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        assert_int_equal(decode_versions(f, accepted[i], &msg, &consumed), 0);
        assert_true(str_is(msg.client_software_name, "a"));
        assert_int_equal(consumed, accepted[i].size);
    }
    struct bytes six = BYTES(0x82, 0x80, 0x80, 0x80, 0x80, 0x00, 'a', 0x01, 0x00);
    assert_int_equal(decode_versions(f, six, &msg, &consumed), ERR_CORRUPT);
}

static void test_lengths_that_are_negative(void **state)
{
    struct fixture *f = *state;
    struct api_versions_request msg;
    // 0 and everything from 2^31 + 1 up are null, which these strings may not be.
    assert_int_equal(decode_versions(f, BYTES(0x00, 0x01, 0x00), &msg, NULL), ERR_CORRUPT);
    struct bytes large = BYTES(0x81, 0x80, 0x80, 0x80, 0x08, 0x01, 0x00);
    assert_int_equal(decode_versions(f, large, &msg, NULL), ERR_CORRUPT);
    // 2^31 is a length of 2^31 - 1: longer than a string may be.
    struct bytes huge = BYTES(0x80, 0x80, 0x80, 0x80, 0x08, 0x01, 0x00);
    assert_int_equal(decode_versions(f, huge, &msg, NULL), ERR_CORRUPT);
    // Metadata v1: topics as a plain array, where any negative count is null.
    struct metadata_request metadata;
    struct bytes minus_five = BYTES(0xff, 0xff, 0xff, 0xfb);
    assert_int_equal(wire_decode(&metadata_request_schema, 1, minus_five, &f->arena, &metadata, NULL),
                     0);
    assert_int_equal(metadata.topics.count, -1);
    // In v0 it may not be null.
    assert_int_equal(wire_decode(&metadata_request_schema, 0, minus_five, &f->arena, &metadata, NULL),
                     ERR_CORRUPT);
    // The client id of a header: -7 is null too.
    struct request_header header;
    struct bytes header_bytes = BYTES(0, 18, 0, 3, 0, 0, 0, 1, 0xff, 0xf9, 0);
    size_t consumed;
    assert_int_equal(wire_decode(&request_header_schema, 2, header_bytes, &f->arena, &header,
                                 &consumed), 0);
    assert_null(header.client_id.data);
    assert_int_equal(consumed, header_bytes.size);
}

static void test_counts_that_cannot_be(void **state)
{
    struct fixture *f = *state;
    struct metadata_request msg;
    struct bytes huge = BYTES(0x7f, 0xff, 0xff, 0xff, 0, 1, 'a');
    assert_int_equal(wire_decode(&metadata_request_schema, 1, huge, &f->arena, &msg, NULL),
                     ERR_CORRUPT);
    struct bytes two = BYTES(0, 0, 0, 2, 0, 1, 'a');
    assert_int_equal(wire_decode(&metadata_request_schema, 1, two, &f->arena, &msg, NULL),
                     ERR_TRUNCATED);
    assert_true(f->arena.used < 256);
}

static void test_array_maximum(void **state)
{
    struct fixture *f = *state;
    struct metadata_request msg;
    size_t size = 4 + 2 * ((size_t)WIRE_ARRAY_MAX + 1);
    uint8_t *bytes = calloc(size, 1);
    bytes[1] = 0x0f, bytes[2] = 0x42, bytes[3] = 0x41; // 1 000 001 empty names
    assert_int_equal(wire_decode(&metadata_request_schema, 1, bytes_of(bytes, size), &f->arena, &msg,
                                 NULL), ERR_LIMIT);
    free(bytes);
}

static void test_string_maximum(void **state)
{
    struct fixture *f = *state;
    struct api_versions_request msg;
    api_versions_request_init(&msg);
    static char text[WIRE_STRING_MAX + 1];
    memset(text, 'x', sizeof text);
    msg.client_software_name = str_of(text, WIRE_STRING_MAX);
    assert_int_equal(wire_encode_buf(&api_versions_request_schema, 3, &msg, &f->buf), 0);
    assert_int_equal(decode_versions(f, buf_bytes(&f->buf), &msg, NULL), 0);
    assert_int_equal(msg.client_software_name.size, WIRE_STRING_MAX);
    msg.client_software_name = str_of(text, WIRE_STRING_MAX + 1);
    assert_int_equal(wire_encode_buf(&api_versions_request_schema, 3, &msg, &f->buf), ERR_LIMIT);
    // 32768 characters: a length of 0x8001 in three bytes.
    buf_clear(&f->buf);
    buf_append(&f->buf, "\x81\x80\x02", 3);
    buf_append(&f->buf, text, sizeof text);
    buf_append(&f->buf, "\x01", 2);
    assert_int_equal(decode_versions(f, buf_bytes(&f->buf), &msg, NULL), ERR_CORRUPT);
}

static void test_invalid_utf8_is_accepted(void **state)
{
    struct fixture *f = *state;
    struct api_versions_request msg;
    assert_int_equal(decode_versions(f, BYTES(0x03, 0xff, 0xc0, 0x01, 0x00), &msg, NULL), 0);
    assert_int_equal(msg.client_software_name.size, 2);
}

static void test_trailing_bytes_are_left(void **state)
{
    struct fixture *f = *state;
    struct api_versions_request msg;
    size_t consumed;
    assert_int_equal(decode_versions(f, BYTES(0x01, 0x01, 0x00, 9, 9), &msg, &consumed), 0);
    assert_int_equal(consumed, 3);
}

static void test_tags(void **state)
{
    struct fixture *f = *state;
    struct fetch_request_fetch_partition *p;
    struct fetch_request msg;
    fetch_request_init(&msg);
    fetch_request_fetch_topic_array_new(&f->arena, 1, &msg.topics);
    p = fetch_request_fetch_partition_array_new(&f->arena, 1, &msg.topics.items[0].partitions);
    assert_int_equal(p->high_watermark, INT64_MAX);
    assert_int_equal(msg.replica_state.replica_id, -1);
    msg.cluster_id = str_from("cluster");
    msg.replica_state.replica_epoch = 7;
    p->high_watermark = 5;
    assert_int_equal(wire_encode_buf(&fetch_request_schema, 18, &msg, &f->buf), 0);
    struct fetch_request back;
    assert_int_equal(wire_decode(&fetch_request_schema, 18, buf_bytes(&f->buf), &f->arena, &back,
                                 NULL), 0);
    assert_true(wire_equal(&fetch_request_schema, 18, &msg, &back));
    assert_int_equal(back.topics.items[0].partitions.items[0].high_watermark, 5);
    // A version that lacks replica_state and high_watermark cannot say the first, drops the second.
    assert_int_equal(wire_encode_buf(&fetch_request_schema, 14, &msg, &f->buf), ERR_UNSUPPORTED);
    msg.replica_state.replica_epoch = -1;
    assert_int_equal(wire_encode_buf(&fetch_request_schema, 14, &msg, &f->buf), 0);
}

static void test_tag_sections(void **state)
{
    struct fixture *f = *state;
    struct api_versions_response msg;
    size_t consumed;
    // ApiVersions v3 response: error, no keys, throttle time, then tags.
#define PREFIX 0, 0, 1, 0, 0, 0, 0
    const struct wire_schema *s = &api_versions_response_schema;
    // Unknown tag 9; finalized_features_epoch (tag 1) twice, the second counts.
    struct bytes twice = BYTES(PREFIX, 3, 9, 2, 'x', 'y', 1, 8, 0, 0, 0, 0, 0, 0, 0, 5, 1, 8, 0, 0, 0,
                               0, 0, 0, 0, 6);
    assert_int_equal(wire_decode(s, 3, twice, &f->arena, &msg, &consumed), 0);
    assert_int_equal(msg.finalized_features_epoch, 6);
    assert_int_equal(consumed, twice.size);
    // Out of order is fine: zk_migration_ready (3) before the epoch (1).
    struct bytes order = BYTES(PREFIX, 2, 3, 1, 1, 1, 8, 0, 0, 0, 0, 0, 0, 0, 5);
    assert_int_equal(wire_decode(s, 3, order, &f->arena, &msg, NULL), 0);
    assert_true(msg.zk_migration_ready);
    assert_int_equal(msg.finalized_features_epoch, 5);
    // A value that does not fill its size, or does not fit.
    struct bytes loose = BYTES(PREFIX, 1, 3, 2, 1, 0);
    assert_int_equal(wire_decode(s, 3, loose, &f->arena, &msg, NULL), ERR_CORRUPT);
    struct bytes tight = BYTES(PREFIX, 1, 1, 4, 0, 0, 0, 0, 0, 0, 0, 5);
    assert_int_equal(wire_decode(s, 3, tight, &f->arena, &msg, NULL), ERR_CORRUPT);
    struct bytes beyond = BYTES(PREFIX, 1, 9, 200, 1, 1);
    assert_int_equal(wire_decode(s, 3, beyond, &f->arena, &msg, NULL), ERR_TRUNCATED);
    // More of them than allowed, whether they are there or not.
    struct bytes negative = BYTES(PREFIX, 0x80, 0x80, 0x80, 0x80, 0x08);
    assert_int_equal(wire_decode(s, 3, negative, &f->arena, &msg, NULL), ERR_LIMIT);
    struct bytes many = BYTES(PREFIX, 0x91, 0x4e);
    assert_int_equal(wire_decode(s, 3, many, &f->arena, &msg, NULL), ERR_LIMIT);
}

static void test_unknown_tags_are_counted(void **state)
{
    struct fixture *f = *state;
    struct api_versions_request msg;
    for (uint32_t count = WIRE_TAGS_MAX; count <= WIRE_TAGS_MAX + 1; count++) {
        buf_clear(&f->buf);
        buf_append(&f->buf, "\x01\x01", 2);
        buf_append_u8(&f->buf, (uint8_t)(count | 0x80));
        buf_append_u8(&f->buf, (uint8_t)(count >> 7));
        for (uint32_t i = 0; i < count; i++)
            buf_append(&f->buf, "\x20\x00", 2);
        assert_int_equal(decode_versions(f, buf_bytes(&f->buf), &msg, NULL),
                         count > WIRE_TAGS_MAX ? ERR_LIMIT : 0);
    }
}

// Tag 0 of this record is a struct that may be null, and whose default is not null.
static void test_nullable_struct_in_a_tag(void **state)
{
    struct fixture *f = *state;
    const struct wire_schema *s = &consumer_group_member_metadata_value_schema;
    struct consumer_group_member_metadata_value msg, back;
    struct consumer_group_member_metadata_value_classic_member_metadata classic;
    consumer_group_member_metadata_value_init(&msg);
    assert_null(msg.classic_member_metadata);
    assert_int_equal(wire_encode_buf(s, 0, &msg, &f->buf), 0);
    // One tag, number 0, one byte: null.
    struct bytes tail = bytes_of(f->buf.data + f->buf.size - 4, 4);
    assert_true(bytes_equal(tail, BYTES(1, 0, 1, 0)));
    assert_int_equal(wire_decode(s, 0, buf_bytes(&f->buf), &f->arena, &back, NULL), 0);
    assert_null(back.classic_member_metadata);
    // A struct of defaults is not written, and is there when the tag is missing.
    consumer_group_member_metadata_value_classic_member_metadata_init(&classic);
    msg.classic_member_metadata = &classic;
    buf_clear(&f->buf);
    assert_int_equal(wire_encode_buf(s, 0, &msg, &f->buf), 0);
    assert_int_equal(f->buf.data[f->buf.size - 1], 0);
    assert_int_equal(wire_decode(s, 0, buf_bytes(&f->buf), &f->arena, &back, NULL), 0);
    assert_non_null(back.classic_member_metadata);
    assert_int_equal(back.classic_member_metadata->session_timeout_ms, 0);
    classic.session_timeout_ms = 45000;
    buf_clear(&f->buf);
    assert_int_equal(wire_encode_buf(s, 0, &msg, &f->buf), 0);
    assert_int_equal(wire_decode(s, 0, buf_bytes(&f->buf), &f->arena, &back, NULL), 0);
    assert_int_equal(back.classic_member_metadata->session_timeout_ms, 45000);
}

static void test_null_where_it_is_not_allowed(void **state)
{
    struct fixture *f = *state;
    struct create_topics_request msg;
    create_topics_request_init(&msg);
    create_topics_request_creatable_topic_array_new(&f->arena, 1, &msg.topics);
    buf_append_u8(&f->buf, 42);
    msg.topics.items[0].name = str_from(NULL);
    assert_int_equal(wire_encode_buf(&create_topics_request_schema, 7, &msg, &f->buf), ERR_INVALID);
    msg.topics.items[0].name = str_from("t");
    msg.topics.items[0].configs.count = -1;
    assert_int_equal(wire_encode_buf(&create_topics_request_schema, 7, &msg, &f->buf), ERR_INVALID);
    assert_int_equal(f->buf.size, 1);
}

static void test_versions_outside_the_schema(void **state)
{
    struct fixture *f = *state;
    struct produce_request msg;
    produce_request_init(&msg);
    size_t size;
    assert_int_equal(wire_encode_buf(&produce_request_schema, 2, &msg, &f->buf), ERR_UNSUPPORTED);
    assert_int_equal(wire_size(&produce_request_schema, 14, &msg, &size), ERR_UNSUPPORTED);
    assert_int_equal(wire_decode(&produce_request_schema, 2, BYTES(0), &f->arena, &msg, NULL),
                     ERR_UNSUPPORTED);
}

// Defaults of fields that the version at hand does not have.
static void test_defaults_after_decoding(void **state)
{
    struct fixture *f = *state;
    struct metadata_request msg;
    struct bytes all = BYTES(0, 0, 0, 0);
    memset(&msg, 0xee, sizeof msg);
    assert_int_equal(wire_decode(&metadata_request_schema, 0, all, &f->arena, &msg, NULL), 0);
    assert_int_equal(msg.topics.count, 0);
    assert_true(msg.allow_auto_topic_creation);
    assert_false(msg.include_topic_authorized_operations);
}

static void test_splices(void **state)
{
    struct fixture *f = *state;
    static const char file[] = "pretend file";
    struct fetch_response msg;
    fetch_response_init(&msg);
    struct fetch_response_fetchable_topic_response *topic =
        fetch_response_fetchable_topic_response_array_new(&f->arena, 1, &msg.responses);
    struct fetch_response_partition_data *p =
        fetch_response_partition_data_array_new(&f->arena, 3, &topic->partitions);
    p[0].records = (struct wire_records){.source = file, .position = 100, .size = 5};
    p[1].records.bytes = BYTES('m', 'e', 'm');
    p[2].records = (struct wire_records){.source = file, .position = 900, .size = 70000};
    struct wire_splice splices[2];
    struct wire_out out = {.buf = &f->buf, .splices = splices, .splice_max = 2};
    buf_append_text(&f->buf, "head");
    assert_int_equal(wire_encode(&fetch_response_schema, 12, &msg, &out), 0);
    assert_int_equal(out.splice_count, 2);
    assert_int_equal(splices[0].position, 100);
    assert_int_equal(splices[1].position, 900);
    size_t size;
    assert_int_equal(wire_size(&fetch_response_schema, 12, &msg, &size), 0);
    assert_int_equal(size, f->buf.size - 4 + 5 + 70000);
    // Put together, it is the message with these bytes.
    struct buf whole;
    buf_init(&whole, MEMORY_MAX);
    buf_append(&whole, f->buf.data, splices[0].offset);
    buf_append_text(&whole, "splic");
    buf_append(&whole, f->buf.data + splices[0].offset, splices[1].offset - splices[0].offset);
    buf_append_zeros(&whole, 70000);
    buf_append(&whole, f->buf.data + splices[1].offset, f->buf.size - splices[1].offset);
    struct fetch_response back;
    assert_int_equal(wire_decode(&fetch_response_schema, 12,
                                 bytes_of(whole.data + 4, whole.size - 4), &f->arena, &back, NULL),
                     0);
    p = back.responses.items[0].partitions.items;
    assert_true(bytes_equal(p[0].records.bytes, str_bytes(str_from("splic"))));
    assert_true(bytes_equal(p[1].records.bytes, str_bytes(str_from("mem"))));
    assert_int_equal(p[2].records.bytes.size, 70000);
    buf_release(&whole);
    // Without room for the second nothing is written.
    size_t before = f->buf.size;
    out = (struct wire_out){.buf = &f->buf, .splices = splices, .splice_max = 1};
    assert_int_equal(wire_encode(&fetch_response_schema, 12, &msg, &out), ERR_LIMIT);
    assert_int_equal(out.splice_count, 0);
    assert_int_equal(f->buf.size, before);
}

static void test_full_buffer(void **state)
{
    struct fixture *f = *state;
    struct metadata_request msg;
    metadata_request_init(&msg);
    metadata_request_metadata_request_topic_array_new(&f->arena, 3, &msg.topics);
    size_t size;
    assert_int_equal(wire_size(&metadata_request_schema, 9, &msg, &size), 0);
    for (size_t size_max = 0; size_max <= size; size_max++) {
        struct buf buf;
        buf_init(&buf, size_max);
        int err = wire_encode_buf(&metadata_request_schema, 9, &msg, &buf);
        assert_int_equal(err, size_max < size ? ERR_LIMIT : 0);
        assert_int_equal(buf.size, size_max < size ? 0 : size);
        assert_false(buf.failed);
        buf_release(&buf);
    }
}

static void test_print(void **state)
{
    struct fixture *f = *state;
    struct sasl_authenticate_request msg;
    sasl_authenticate_request_init(&msg);
    msg.auth_bytes = BYTES(0xca, 0xfe);
    wire_print(&sasl_authenticate_request_schema, 2, &msg, 0, &f->buf);
    assert_string_equal(buf_text(&f->buf), "{\"AuthBytes\":\"(secret)\"}");
    buf_clear(&f->buf);
    wire_print(&sasl_authenticate_request_schema, 2, &msg, WIRE_PRINT_SECRETS, &f->buf);
    assert_string_equal(buf_text(&f->buf), "{\"AuthBytes\":\"cafe\"}");
}

static void test_array_new_without_memory(void **state)
{
    struct arena little;
    struct metadata_request msg;
    arena_init(&little, 16);
    metadata_request_init(&msg);
    assert_null(metadata_request_metadata_request_topic_array_new(&little, 100, &msg.topics));
    assert_int_equal(msg.topics.count, -1);
    arena_release(&little);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_varint_forms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lengths_that_are_negative, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counts_that_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_array_maximum, setup, teardown),
        cmocka_unit_test_setup_teardown(test_string_maximum, setup, teardown),
        cmocka_unit_test_setup_teardown(test_invalid_utf8_is_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trailing_bytes_are_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tags, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tag_sections, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_tags_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nullable_struct_in_a_tag, setup, teardown),
        cmocka_unit_test_setup_teardown(test_null_where_it_is_not_allowed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_versions_outside_the_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(test_defaults_after_decoding, setup, teardown),
        cmocka_unit_test_setup_teardown(test_splices, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_buffer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_print, setup, teardown),
        cmocka_unit_test_setup_teardown(test_array_new_without_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

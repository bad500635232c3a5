// SPDX-License-Identifier: Apache-2.0
//
// The lookups: APIs, errors, record types, varints, the frame of metadata records.
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "wire/apis.h"
#include "wire/errors.h"
#include "wire/metadata_record.h"
#include "wire/record/offset_commit_key.h"
#include "wire/record/offset_commit_value.h"
#include "wire/record/topic_record.h"
#include "wire/records.h"
#include "wire/tables.h"
#include "wire/varint.h"

// FROZEN: a sample of what ApiVersions says.
static void test_apis(void **state)
{
    static const struct {
        int key;
        const char *name;
        int min, max, flexible;
        int listeners;
    } cases[] = {
        {0, "Produce", 3, 13, 9, API_ON_BROKER},
        {1, "Fetch", 4, 18, 12, API_ON_BROKER | API_ON_CONTROLLER},
        {18, "ApiVersions", 0, 5, 3, API_ON_BROKER | API_ON_CONTROLLER},
        {17, "SaslHandshake", 0, 1, INT16_MAX, API_ON_BROKER | API_ON_CONTROLLER},
        {22, "InitProducerId", 0, 5, 2, API_ON_BROKER},
        {52, "Vote", 0, 2, 0, API_ON_CONTROLLER},
        {94, "UnregisterController", 0, 0, 0, API_ON_BROKER | API_ON_CONTROLLER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct api *api = api_find(cases[i].key);
        assert_non_null(api);
        assert_string_equal(api->name, cases[i].name);
        assert_int_equal(api->version_min, cases[i].min);
        assert_int_equal(api->version_max, cases[i].max);
        assert_int_equal(api->flexible_since, cases[i].flexible);
        assert_int_equal(api->listeners, cases[i].listeners);
        assert_ptr_equal(api_find_name(str_from(cases[i].name)), api);
    }
    assert_null(api_find(-1));
    assert_null(api_find(API_KEY_MAX + 1));
    assert_null(api_find(API_OWN_FIRST - 1));
    assert_null(api_find(API_OWN_MAX + 1));
    assert_string_equal(api_find(API_CHITIN_DESCRIBE_GROUPS)->name, "ChitinDescribeGroups");
    assert_ptr_equal(api_find_name(str_from("chitindescribegroups")), api_find(API_CHITIN_DESCRIBE_GROUPS));
    assert_null(api_find_name(str_from("Nonsense")));
    assert_ptr_equal(api_find_name(str_from("createtopics")), api_find(API_CREATE_TOPICS));
    assert_int_equal(api_find(API_INIT_PRODUCER_ID)->version_unstable, 6);
    assert_false(api_has_version(api_find(API_INIT_PRODUCER_ID), 6));
    assert_true(api_find(API_CREATE_TOPICS)->forwarded);
    assert_false(api_find(API_CREATE_TOPICS)->cluster_action);
    assert_true(api_find(API_VOTE)->cluster_action);
    assert_int_equal(api_advertised_min(api_find(API_PRODUCE)), 0);
    assert_int_equal(api_advertised_min(api_find(API_FETCH)), 4);
}

static void test_slots(void **state)
{
    bool seen[API_SLOT_COUNT] = {false};
    for (int32_t key = -2; key <= API_OWN_MAX + 2; key++) {
        int slot = api_slot(key);
        assert_int_equal(slot >= 0, (key >= 0 && key <= API_KEY_MAX) ||
                                        (key >= API_OWN_FIRST && key <= API_OWN_MAX));
        if (slot < 0)
            continue;
        assert_in_range(slot, 0, API_SLOT_COUNT - 1);
        assert_false(seen[slot]);
        seen[slot] = true;
    }
}

static void test_api_table(void **state)
{
    int count, served = 0;
    const struct api *apis = api_table(&count);
    assert_int_equal(count, 95);
    for (int key = 0; key < count; key++) {
        assert_int_equal(apis[key].key, key);
        bool removed = key >= 4 && key <= 7;
        assert_int_equal(apis[key].request == NULL, removed);
        assert_int_equal(apis[key].version_min > apis[key].version_max, removed);
        assert_false(removed && api_has_version(&apis[key], 0));
        served += !removed;
    }
    assert_int_equal(served, 91);
    assert_string_equal(api_find(4)->name, "LeaderAndIsr");
}

static void test_header_versions(void **state)
{
    static const struct {
        int key, version, request, response;
    } cases[] = {{0, 8, 1, 0},  {0, 9, 2, 1},  {18, 0, 1, 0}, {18, 3, 2, 0}, {18, 99, 2, 0},
                 {17, 1, 1, 0}, {52, 0, 2, 1}, {3, 9, 2, 1},  {999, 5, 1, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int16_t version = (int16_t)cases[i].version;
        assert_int_equal(api_request_header_version(cases[i].key, version), cases[i].request);
        assert_int_equal(api_response_header_version(cases[i].key, version), cases[i].response);
    }
}

static void test_errors(void **state)
{
    int16_t code = 0;
    for (int c = KAFKA_ERROR_MIN; c <= KAFKA_ERROR_MAX; c++) {
        assert_non_null(kafka_error_name(c));
        assert_non_null(kafka_error_text(c));
        assert_true(kafka_error_find(str_from(kafka_error_name(c)), &code));
        assert_int_equal(code, c);
    }
    assert_int_equal(KAFKA_ERROR_MAX, 136);
    assert_string_equal(kafka_error_name(3), "UNKNOWN_TOPIC_OR_PARTITION");
    assert_string_equal(kafka_error_name(-1), "UNKNOWN_SERVER_ERROR");
    assert_string_equal(kafka_error_name(5000), "UNKNOWN_ERROR");
    assert_true(kafka_error_is_retriable(KAFKA_NOT_LEADER_OR_FOLLOWER));
    assert_false(kafka_error_is_retriable(KAFKA_NONE));
    assert_false(kafka_error_is_retriable(-300));
    assert_false(kafka_error_find(str_from("NOTHING"), &code));
    assert_true(kafka_error_find(str_from("invalid_record"), &code));
    assert_int_equal(code, KAFKA_INVALID_RECORD);
}

static void test_record_types(void **state)
{
    assert_string_equal(metadata_record_name(METADATA_TOPIC_RECORD), "TopicRecord");
    assert_null(metadata_record_schema(6)); // there is no such type
    assert_null(metadata_record_schema(-1));
    assert_null(metadata_record_schema(METADATA_RECORD_TYPE_MAX + 1));
    const struct coordinator_record_type *type =
        coordinator_record_type_find(COORDINATOR_LOG_GROUP, GROUP_RECORD_OFFSET_COMMIT);
    assert_string_equal(type->name, "OffsetCommit");
    assert_ptr_equal(type->key, &offset_commit_key_schema);
    assert_ptr_equal(type->value, &offset_commit_value_schema);
    assert_null(coordinator_record_type_find(COORDINATOR_LOG_GROUP, 999));
    assert_null(coordinator_record_type_find(COORDINATOR_LOG_GROUP, -1));
    assert_null(coordinator_record_type_find(COORDINATOR_LOG_TRANSACTION, 1));
    assert_string_equal(coordinator_record_type_find(COORDINATOR_LOG_TRANSACTION, 0)->name,
                        "TransactionLog");
    assert_string_equal(coordinator_record_type_find(COORDINATOR_LOG_SHARE, 1)->name, "ShareUpdate");
}

static void test_coordinator_records(void **state)
{
    struct buf buf;
    buf_init(&buf, 200);
    const struct coordinator_record_type *type =
        coordinator_record_type_find(COORDINATOR_LOG_GROUP, GROUP_RECORD_OFFSET_COMMIT);
    struct offset_commit_key key = {.group = str_from("g"), .topic = str_from("t"), .partition = 3};
    assert_int_equal(coordinator_key_encode(type, &key, &buf), 0);
    assert_int_equal(buf.size, 12);
    assert_memory_equal(buf.data, "\0\1\0\1g\0\1t\0\0\0\3", 12);
    struct offset_commit_value value;
    offset_commit_value_init(&value);
    value.offset = 42;
    buf_clear(&buf);
    assert_int_equal(coordinator_value_encode(type, 4, &value, &buf), 0);
    int16_t version;
    struct bytes rest;
    assert_int_equal(coordinator_prefix_read(buf_bytes(&buf), &version, &rest), 0);
    assert_int_equal(version, 4);
    assert_int_equal(rest.size, buf.size - 2);
    // A failure takes the prefix back.
    size_t before = buf.size;
    assert_int_equal(coordinator_value_encode(type, 9, &value, &buf), ERR_UNSUPPORTED);
    assert_int_equal(buf.size, before);
    assert_int_equal(coordinator_prefix_read(bytes_of("x", 1), &version, &rest), ERR_TRUNCATED);
    buf_release(&buf);
}

static void test_metadata_records(void **state)
{
    struct arena arena;
    struct buf buf;
    struct metadata_record record;
    struct topic_record topic;
    arena_init(&arena, 10000);
    buf_init(&buf, 100);
    topic_record_init(&topic);
    topic.name = str_from("t");
    topic.topic_id = uuid_from_halves(1, 2);
    assert_int_equal(metadata_record_encode(METADATA_TOPIC_RECORD, 0, &topic, &buf), 0);
    assert_memory_equal(buf.data, "\1\2\0\2t\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0", 22);
    assert_int_equal(buf.size, 22);
    assert_int_equal(metadata_record_decode(buf_bytes(&buf), &arena, &record), 0);
    assert_int_equal(record.type, METADATA_TOPIC_RECORD);
    assert_true(wire_equal(record.schema, 0, record.message, &topic));
    static const struct {
        struct bytes in;
        int err;
    } cases[] = {
        {{(const uint8_t *)"", 0}, ERR_CORRUPT},
        {{(const uint8_t *)"\0\2\0", 3}, ERR_CORRUPT},          // frame version 0
        {{(const uint8_t *)"\2\2\0", 3}, ERR_UNSUPPORTED},      // a newer frame
        {{(const uint8_t *)"\1\6\0", 3}, ERR_UNSUPPORTED},      // no such type
        {{(const uint8_t *)"\1\xff\xff\xff\xff\x0f\0", 7}, ERR_UNSUPPORTED},
        {{(const uint8_t *)"\1\2\1\2t", 5}, ERR_UNSUPPORTED},   // a newer record version
        {{(const uint8_t *)"\1\2\xff\xff\xff\xff\x0f", 7}, ERR_UNSUPPORTED},
        {{(const uint8_t *)"\1\2\0\2t", 5}, ERR_CORRUPT},       // cut short
        {{(const uint8_t *)"\1\2", 2}, ERR_CORRUPT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(metadata_record_decode(cases[i].in, &arena, &record), cases[i].err);
    buf_append_u8(&buf, 0); // bytes left over are an error here
    assert_int_equal(metadata_record_decode(buf_bytes(&buf), &arena, &record), ERR_CORRUPT);
    assert_int_equal(metadata_record_encode((enum metadata_record_type)6, 0, &topic, &buf),
                     ERR_UNSUPPORTED);
    buf_release(&buf);
    arena_release(&arena);
}

static void test_varints(void **state)
{
    static const struct {
        int64_t value;
        size_t size;
    } cases[] = {{0, 1},           {-1, 1},           {63, 1},         {-64, 1},        {64, 2},
                 {-65, 2},         {8191, 2},         {8192, 3},       {INT32_MAX, 5},  {INT32_MIN, 5},
                 {INT64_C(1) << 34, 6}, {INT64_MAX, 10}, {INT64_MIN, 10}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[VARLONG_SIZE_MAX];
        int64_t back = 0;
        size_t at = 0;
        assert_int_equal(varlong_size(cases[i].value), cases[i].size);
        assert_int_equal(varlong_store(bytes, cases[i].value), cases[i].size);
        for (size_t size = 0; size < cases[i].size; size++)
            assert_int_equal(varlong_read(bytes_of(bytes, size), &at, &back), ERR_TRUNCATED);
        assert_int_equal(at, 0);
        assert_int_equal(varlong_read(bytes_of(bytes, cases[i].size), &at, &back), 0);
        assert_true(back == cases[i].value);
        assert_int_equal(at, cases[i].size);
        if (back != (int32_t)back)
            continue;
        int32_t narrow = 0;
        at = 0;
        assert_int_equal(varint_size((int32_t)back), cases[i].size);
        assert_int_equal(varint_read(bytes_of(bytes, cases[i].size), &at, &narrow), 0);
        assert_int_equal(narrow, back);
    }
}

static void test_unsigned_varints(void **state)
{
    uint32_t v = 0;
    size_t at = 0;
    assert_int_equal(uvarint_size(127), 1);
    assert_int_equal(uvarint_size(128), 2);
    assert_int_equal(uvarint_size(UINT32_MAX), 5);
    assert_int_equal(uvarint_read(bytes_of("\xff\xff\xff\xff\x0f", 5), &at, &v), 0);
    assert_true(v == UINT32_MAX);
    at = 0; // bits beyond 32 are dropped, a sixth byte is not taken
    assert_int_equal(uvarint_read(bytes_of("\xff\xff\xff\xff\x7f", 5), &at, &v), 0);
    assert_true(v == UINT32_MAX);
    at = 0;
    assert_int_equal(uvarint_read(bytes_of("\x80\x80\x80\x80\x80\x00", 6), &at, &v), ERR_CORRUPT);
    assert_int_equal(at, 0);
    int64_t l = 0;
    assert_int_equal(varlong_read(bytes_of("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11), &at,
                                  &l), ERR_CORRUPT);
}

// Every schema's tables hang together.
static void test_tables(void **state)
{
    for (int i = 0; wire_all_schemas[i] != NULL; i++) {
        const struct wire_schema *s = wire_all_schemas[i];
        assert_true(s->version_min <= s->version_max);
        assert_true(s->root->field_count >= s->root->plain_count);
        for (int n = 0; n < s->root->field_count; n++) {
            const struct wire_field *f = &s->root->fields[n];
            assert_int_equal(f->tag >= 0, n >= s->root->plain_count);
            assert_true(f->offset < s->root->size);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apis),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_api_table),
        cmocka_unit_test(test_header_versions),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_record_types),
        cmocka_unit_test(test_coordinator_records),
        cmocka_unit_test(test_metadata_records),
        cmocka_unit_test(test_varints),
        cmocka_unit_test(test_unsigned_varints),
        cmocka_unit_test(test_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

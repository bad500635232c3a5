// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/be.h"
#include "base/err.h"
#include "base/mem.h"
#include "rpc/server.h"
#include "wire/api/api_versions.h"
#include "wire/api/fetch.h"
#include "wire/api/metadata.h"
#include "wire/apis.h"

static const struct rpc_api served[] = {
    {.key = API_PRODUCE, .version_min = 3, .version_max = 13},
    {.key = API_FETCH, .version_min = 4, .version_max = 18},
    {.key = API_METADATA, .version_min = 0, .version_max = 13},
    {.key = API_API_VERSIONS, .version_min = 0, .version_max = 4},
};
static const struct rpc_apis apis = {.items = served, .count = 4};

#define BYTES(text) {(const uint8_t *)(text), sizeof(text) - 1}

static void test_find(void **state)
{
    for (int i = 0; i < apis.count; i++)
        assert_ptr_equal(rpc_apis_find(&apis, served[i].key), &served[i]);
    assert_null(rpc_apis_find(&apis, 2));
    assert_null(rpc_apis_find(&apis, -1));
    assert_null(rpc_apis_find(&apis, 1000));
}

static void test_request_headers(void **state)
{
    static const struct {
        const char *name;
        struct bytes frame;
        int result;
        const char *client_id; // NULL: null
        size_t size;
        bool fallback;
    } cases[] = {
        {"v1", BYTES("\0\3\0\1\0\0\0\7\0\2abBODY"), 0, "ab", 12, false},
        {"v1, null client id", BYTES("\0\3\0\1\0\0\0\7\xff\xff"), 0, NULL, 10, false},
        {"v1, empty client id", BYTES("\0\3\0\1\0\0\0\7\0\0"), 0, "", 10, false},
        {"v2", BYTES("\0\3\0\x0d\0\0\0\7\0\2ab\0BODY"), 0, "ab", 13, false},
        {"v2 with an unknown tag", BYTES("\0\3\0\x0d\0\0\0\7\0\2ab\1\5\3xyzBODY"), 0, "ab", 18, false},
        {"v2 without its tags", BYTES("\0\3\0\x0d\0\0\0\7\0\2ab"), ERR_TRUNCATED, 0, 0, false},
        {"v2, tag past the end", BYTES("\0\3\0\x0d\0\0\0\7\0\2ab\1\5\x09xyz"), ERR_TRUNCATED, 0, 0,
         false},
        {"client id past the end", BYTES("\0\3\0\1\0\0\0\7\0\5ab"), ERR_TRUNCATED, 0, 0, false},
        {"short", BYTES("\0\3\0\1\0\0\0"), ERR_TRUNCATED, 0, 0, false},
        {"empty", BYTES(""), ERR_TRUNCATED, 0, 0, false},
        {"unknown key", BYTES("\3\3\0\1\0\0\0\7\0\0"), ERR_UNSUPPORTED, 0, 0, false},
        {"negative key", BYTES("\xff\xff\0\1\0\0\0\7\0\0"), ERR_UNSUPPORTED, 0, 0, false},
        {"version too high", BYTES("\0\3\0\x0e\0\0\0\7\0\0\0"), ERR_UNSUPPORTED, 0, 0, false},
        {"version too low", BYTES("\0\0\0\2\0\0\0\7\0\0"), ERR_UNSUPPORTED, 0, 0, false},
        {"negative version", BYTES("\0\3\xff\xff\0\0\0\7\0\0"), ERR_UNSUPPORTED, 0, 0, false},
        {"ApiVersions", BYTES("\0\x12\0\4\0\0\0\7\0\2ab\0"), 0, "ab", 13, false},
        {"ApiVersions 9", BYTES("\0\x12\0\x09\0\0\0\7\0\2ab\0???"), 0, "ab", 13, true},
        {"ApiVersions 9 without tags", BYTES("\0\x12\0\x09\0\0\0\7\0\2ab"), ERR_TRUNCATED, 0, 0,
         false},
        {"ApiVersions -1", BYTES("\0\x12\xff\xff\0\0\0\7\0\2ab"), 0, "ab", 12, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rpc_request_header header = {.correlation_id = -99};
        int result = rpc_request_header_decode(cases[i].frame, &apis, &header);
        if (result != cases[i].result)
            fail_msg("%s: %s", cases[i].name, err_name(result));
        if (result != 0) {
            assert_int_equal(header.correlation_id, -99); // untouched
            continue;
        }
        assert_int_equal(header.correlation_id, 7);
        assert_int_equal(header.size, cases[i].size);
        assert_int_equal(header.is_version_fallback, cases[i].fallback);
        assert_true(str_equal(header.client_id, str_from(cases[i].client_id)));
        assert_int_equal(header.client_id.data == NULL, cases[i].client_id == NULL);
    }
}

// The early look and the whole header agree on keys and versions.
static void test_admission_agrees_with_the_header(void **state)
{
    for (int key = -2; key < 100; key++)
        for (int version = -2; version < 25; version++) {
            uint8_t frame[32] = {0};
            struct rpc_request_header header;
            be16_store(frame, (uint16_t)key);
            be16_store(frame + 2, (uint16_t)version);
            int early = rpc_request_admit(frame, 8, &apis);
            int late = rpc_request_header_decode(bytes_of(frame, sizeof frame), &apis, &header);
            assert_int_equal(early == 0, late == 0);
        }
    assert_int_equal(rpc_request_admit((const uint8_t *)"\0\3\0\1\0\0\0", 7, &apis), ERR_TRUNCATED);
}

static void collect(const struct rpc_slice *slices, int count, struct buf *out)
{
    for (int i = 0; i < count; i++) {
        assert_true(slices[i].size > 0);
        if (slices[i].source != NULL) // a range prints as its position's bytes
            for (size_t j = 0; j < slices[i].size; j++)
                buf_append_u8(out, (uint8_t)((size_t)slices[i].position + j));
        else
            buf_append(out, slices[i].data, slices[i].size);
    }
}

static void test_response_headers(void **state)
{
    struct api_versions_response versions;
    struct metadata_response metadata;
    struct rpc_output o;
    api_versions_response_init(&versions);
    metadata_response_init(&metadata);

    // ApiVersions: header version 0 even when the body is flexible.
    assert_int_equal(rpc_response_encode(&o, API_API_VERSIONS, 3, 0x01020304, &versions, 0, 1000), 0);
    assert_int_equal(be32_load(o.buf.data), o.buf.size - 4);
    assert_memory_equal(o.buf.data + 4, "\1\2\3\4\0\0", 6); // correlation id, error code
    rpc_output_release(&o);

    // A flexible answer has a tag section in its header, an older one has not.
    assert_int_equal(rpc_response_encode(&o, API_METADATA, 9, -1, &metadata, 0, 1000), 0);
    assert_memory_equal(o.buf.data + 4, "\xff\xff\xff\xff\0", 5);
    size_t flexible_size = o.buf.size;
    rpc_output_release(&o);
    assert_int_equal(rpc_response_encode(&o, API_METADATA, 1, 5, &metadata, 0, 1000), 0);
    assert_memory_equal(o.buf.data + 4, "\0\0\0\5", 4);
    assert_true(flexible_size != o.buf.size);
    rpc_output_release(&o);

    // What does not fit leaves nothing behind.
    assert_int_equal(rpc_response_encode(&o, API_METADATA, 1, 5, &metadata, 0, 10), ERR_LIMIT);
    assert_int_equal(o.size_left, 0);
    assert_null(o.buf.data);
    assert_int_equal(rpc_response_encode(&o, API_METADATA, 99, 5, &metadata, 0, 1000), ERR_UNSUPPORTED);
}

// A Fetch answer with memory, two ranges side by side, and memory again.
static void make_fetch(struct rpc_output *o, int32_t correlation_id)
{
    struct arena arena;
    struct fetch_response response;
    arena_init(&arena, 1 << 20);
    fetch_response_init(&response);
    fetch_response_fetchable_topic_response_array_new(&arena, 1, &response.responses);
    struct fetch_response_fetchable_topic_response *topic = &response.responses.items[0];
    topic->topic = str_from("t");
    fetch_response_partition_data_array_new(&arena, 3, &topic->partitions);
    static const char file[] = "file";
    for (int i = 0; i < 3; i++) {
        topic->partitions.items[i].partition_index = i;
        if (i < 2)
            topic->partitions.items[i].records = (struct wire_records){
                .source = file, .position = 100 * (i + 1), .size = 50 + i};
    }
    assert_int_equal(rpc_response_encode(o, API_FETCH, 11, correlation_id, &response, 3, 1000), 0);
    arena_release(&arena);
}

static void test_output_is_the_same_in_any_portions(void **state)
{
    struct rpc_slice slices[16];
    struct rpc_output o;
    struct buf whole;
    buf_init(&whole, 10000);
    make_fetch(&o, 1);
    assert_int_equal(o.splice_count, 2);
    size_t total = o.size_left;
    assert_int_equal(total, o.buf.size + 50 + 51);
    assert_int_equal(be32_load(o.buf.data), total - 4);
    collect(slices, rpc_output_slices(&o, slices, 16), &whole);
    assert_int_equal(whole.size, total);
    rpc_output_release(&o);

    for (size_t portion = 1; portion < total; portion = portion < 20 ? portion + 1 : portion * 2)
        for (int slices_max = 1; slices_max <= 5; slices_max += 2) {
            struct buf got;
            buf_init(&got, 10000);
            make_fetch(&o, 1);
            while (o.size_left > 0) {
                struct buf now;
                buf_init(&now, 10000);
                collect(slices, rpc_output_slices(&o, slices, slices_max), &now);
                size_t n = now.size < portion ? now.size : portion;
                assert_true(n > 0);
                buf_append(&got, now.data, n);
                assert_int_equal(rpc_output_sent(&o, n), n);
                buf_release(&now);
            }
            assert_int_equal(rpc_output_slices(&o, slices, 16), 0);
            assert_int_equal(got.size, total);
            assert_memory_equal(got.data, whole.data, total);
            buf_release(&got);
            rpc_output_release(&o);
        }
    buf_release(&whole);
}

static void answer(struct rpc_pipeline *p, struct rpc_exchange *e, int32_t correlation_id)
{
    make_fetch(&e->output, correlation_id);
    rpc_pipeline_answer(p, e);
}

// The correlation ids of what goes out, and the exchanges that are finished then.
static int send_all(struct rpc_pipeline *p, int32_t *ids)
{
    struct rpc_slice slices[64];
    struct buf out;
    int count = 0;
    int n;
    buf_init(&out, 100000);
    while ((n = rpc_pipeline_slices(p, slices, 64)) > 0) {
        size_t before = out.size;
        collect(slices, n, &out);
        rpc_pipeline_sent(p, out.size - before);
        struct rpc_exchange *e;
        while ((e = rpc_pipeline_take_finished(p)) != NULL)
            rpc_output_release(&e->output);
    }
    for (size_t at = 0; at < out.size; at += 4 + be32_load(out.data + at))
        ids[count++] = (int32_t)be32_load(out.data + at + 4);
    buf_release(&out);
    return count;
}

static void test_answers_leave_in_the_order_of_requests(void **state)
{
    struct rpc_pipeline p;
    struct rpc_exchange e[5] = {0};
    int32_t ids[5];
    rpc_pipeline_init(&p);
    for (int i = 0; i < 5; i++)
        rpc_pipeline_add(&p, &e[i]);
    answer(&p, &e[1], 11);
    answer(&p, &e[3], 13);
    assert_int_equal(p.waiting_count, 3);
    assert_int_equal(send_all(&p, ids), 0);
    assert_null(rpc_pipeline_take_finished(&p));
    rpc_pipeline_skip(&p, &e[0]); // no answer: but now the next may go
    assert_int_equal(send_all(&p, ids), 1);
    assert_int_equal(ids[0], 11);
    answer(&p, &e[2], 12);
    assert_int_equal(send_all(&p, ids), 2);
    assert_int_equal(ids[0], 12);
    assert_int_equal(ids[1], 13);
    assert_int_equal(p.count, 1);
    rpc_pipeline_remove(&p, &e[4]);
    assert_int_equal(p.count, 0);
    assert_int_equal(p.waiting_count, 0);
    assert_int_equal(p.memory_bytes, 0);
}

static void test_silent_exchanges_alone(void **state)
{
    struct rpc_pipeline p;
    struct rpc_exchange e[2] = {0};
    rpc_pipeline_init(&p);
    rpc_pipeline_add(&p, &e[0]);
    rpc_pipeline_add(&p, &e[1]);
    rpc_pipeline_skip(&p, &e[1]);
    assert_null(rpc_pipeline_take_finished(&p));
    rpc_pipeline_skip(&p, &e[0]);
    assert_ptr_equal(rpc_pipeline_take_finished(&p), &e[0]);
    assert_ptr_equal(rpc_pipeline_take_finished(&p), &e[1]);
    assert_null(rpc_pipeline_take_finished(&p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_request_headers),
        cmocka_unit_test(test_admission_agrees_with_the_header),
        cmocka_unit_test(test_response_headers),
        cmocka_unit_test(test_output_is_the_same_in_any_portions),
        cmocka_unit_test(test_answers_leave_in_the_order_of_requests),
        cmocka_unit_test(test_silent_exchanges_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/be.h"
#include "base/err.h"
#include "base/list.h"
#include "rpc/client.h"
#include "wire/api/api_versions.h"
#include "wire/api/metadata.h"
#include "wire/apis.h"
#include "wire/errors.h"

struct fixture {
    struct rpc_client client;
    struct buf sent; // what the server received and has not looked at
    int ready_count;
};

static void on_ready(struct rpc_client *c)
{
    ((struct fixture *)c->user)->ready_count++;
}

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof *f);
    rpc_client_init(&f->client, &(struct rpc_client_options){.client_id = "me"});
    f->client.ready = on_ready;
    f->client.user = f;
    buf_init(&f->sent, 1 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->client.magic != 0)
        rpc_client_release(&f->client);
    buf_release(&f->sent);
    test_free(f);
    return 0;
}

// Moves the client's output to the server, in portions.
static void pump(struct fixture *f, size_t portion)
{
    struct rpc_slice slices[3];
    while (rpc_client_slices(&f->client, slices, 3) > 0) {
        size_t n = slices[0].size < portion ? slices[0].size : portion;
        buf_append(&f->sent, slices[0].data, n);
        rpc_client_sent(&f->client, n);
    }
}

// The server takes the next request: its key, version, correlation id.
static void expect_request(struct fixture *f, int16_t key, int16_t version, int32_t correlation_id)
{
    assert_true(f->sent.size >= 12);
    assert_int_equal(be16_load(f->sent.data + 4), key);
    assert_int_equal(be16_load(f->sent.data + 6), version);
    assert_int_equal(be32_load(f->sent.data + 8), correlation_id);
    assert_memory_equal(f->sent.data + 12, "\0\2me", 4);
    buf_consume(&f->sent, 4 + be32_load(f->sent.data));
}

static int deliver(struct fixture *f, const void *data, size_t size, size_t portion)
{
    uint8_t scratch[RPC_SCRATCH_BYTES];
    for (size_t at = 0; at < size;) {
        uint8_t *to;
        size_t room;
        rpc_client_space(&f->client, scratch, sizeof scratch, &to, &room);
        size_t n = size - at < portion ? size - at : portion;
        memcpy(to, (const uint8_t *)data + at, n);
        at += n;
        int result = rpc_client_received(&f->client, to, n);
        if (result != 0)
            return result;
    }
    return 0;
}

static int answer(struct fixture *f, int16_t key, int16_t version, int32_t correlation_id,
                  const void *message)
{
    struct rpc_output o;
    assert_int_equal(rpc_response_encode(&o, key, version, correlation_id, message, 0, 1 << 20), 0);
    int result = deliver(f, o.buf.data, o.buf.size, 7);
    rpc_output_release(&o);
    return result;
}

static int answer_versions(struct fixture *f, int16_t version, int32_t correlation_id, int16_t error,
                           int16_t own_max)
{
    struct api_versions_response response;
    struct api_versions_response_api_version items[] = {
        {.api_key = API_METADATA, .min_version = 2, .max_version = 8},
        {.api_key = API_API_VERSIONS, .min_version = 0, .max_version = own_max},
        {.api_key = 30000, .min_version = 0, .max_version = 1},
        {.api_key = -5, .min_version = 0, .max_version = 1},
    };
    api_versions_response_init(&response);
    response.error_code = error;
    response.api_keys.items = items;
    response.api_keys.count = 4;
    return answer(f, API_API_VERSIONS, version, correlation_id, &response);
}

static int16_t own_max(void)
{
    return api_find(API_API_VERSIONS)->version_max;
}

static void make_ready(struct fixture *f)
{
    pump(f, 3);
    expect_request(f, API_API_VERSIONS, own_max(), 0);
    assert_int_equal(answer_versions(f, own_max(), 0, 0, own_max()), 0);
    assert_int_equal(f->client.state, RPC_CLIENT_READY);
    assert_int_equal(f->ready_count, 1);
}

static void never_done(struct rpc_call *call, int err, struct rpc_answer *a)
{
    fail();
}

static void test_negotiation(void **state)
{
    struct fixture *f = *state;
    struct rpc_call call = {0};
    struct metadata_request request;
    struct diag diag;
    metadata_request_init(&request);
    call.done = never_done;
    assert_int_equal(rpc_client_call(&f->client, &call, API_METADATA, 5, &request), ERR_AGAIN);
    make_ready(f);
    assert_int_equal(rpc_client_version(&f->client, API_METADATA, 0, 100, NULL), 8);
    assert_int_equal(rpc_client_version(&f->client, API_METADATA, 0, 5, NULL), 5);
    assert_int_equal(rpc_client_version(&f->client, API_METADATA, 2, 2, NULL), 2);
    assert_int_equal(rpc_client_version(&f->client, API_METADATA, 0, 1, &diag), ERR_UNSUPPORTED);
    assert_string_equal(diag.text, "Metadata: the server serves versions 2 to 8, versions 0 to 1 are needed");
    assert_int_equal(rpc_client_version(&f->client, API_METADATA, 9, 12, NULL), ERR_UNSUPPORTED);
    assert_int_equal(rpc_client_version(&f->client, API_FETCH, 0, 100, &diag), ERR_UNSUPPORTED);
    assert_string_equal(diag.text, "the server does not serve Fetch");
}

// The answer to an unknown version has the shape of version 0 and lists what the server knows.
static void test_fallback_to_a_listed_version(void **state)
{
    struct fixture *f = *state;
    pump(f, 100);
    expect_request(f, API_API_VERSIONS, own_max(), 0);
    assert_int_equal(answer_versions(f, 0, 0, KAFKA_UNSUPPORTED_VERSION, 2), 0);
    assert_int_equal(f->client.state, RPC_CLIENT_NEGOTIATING);
    pump(f, 100);
    expect_request(f, API_API_VERSIONS, 2, 1);
    assert_int_equal(answer_versions(f, 2, 1, 0, 2), 0);
    assert_int_equal(f->client.state, RPC_CLIENT_READY);
}

static void test_fallback_to_version_0(void **state)
{
    struct fixture *f = *state;
    struct api_versions_response nothing;
    api_versions_response_init(&nothing);
    nothing.error_code = KAFKA_UNSUPPORTED_VERSION;
    pump(f, 100);
    expect_request(f, API_API_VERSIONS, own_max(), 0);
    assert_int_equal(answer(f, API_API_VERSIONS, 0, 0, &nothing), 0);
    pump(f, 100);
    expect_request(f, API_API_VERSIONS, 0, 1);
    // A server that refuses even that is none.
    assert_int_equal(answer(f, API_API_VERSIONS, 0, 1, &nothing), ERR_UNSUPPORTED);
    assert_int_equal(f->client.state, RPC_CLIENT_FAILED);
    assert_non_null(strstr(f->client.diag.text, "not a Kafka server"));
}

struct counted_call {
    struct rpc_call call;
    int done_count;
    int err;
    int32_t controller_id;
    struct rpc_frame kept;
    struct fixture *again; // calls again from inside
};

static void on_done(struct rpc_call *call, int err, struct rpc_answer *a)
{
    struct counted_call *c = container_of(call, struct counted_call, call);
    c->done_count++;
    c->err = err;
    if (err != 0) {
        assert_null(a);
    } else {
        struct metadata_response response;
        struct arena arena;
        arena_init(&arena, 1 << 20);
        assert_int_equal(rpc_answer_decode(a, &arena, &response), 0);
        c->controller_id = response.controller_id;
        arena_release(&arena);
        c->kept = a->frame;
        a->frame = (struct rpc_frame){0};
    }
    if (c->again != NULL) {
        struct metadata_request request;
        metadata_request_init(&request);
        int result = rpc_client_call(&c->again->client, call, API_METADATA, 5, &request);
        assert_int_equal(result, err == 0 ? 0 : ERR_CLOSED);
        c->again = NULL;
    }
}

static int answer_metadata(struct fixture *f, int32_t correlation_id, int32_t controller_id)
{
    struct metadata_response response;
    metadata_response_init(&response);
    response.controller_id = controller_id;
    return answer(f, API_METADATA, 5, correlation_id, &response);
}

static void make_call(struct fixture *f, struct counted_call *c)
{
    struct metadata_request request;
    metadata_request_init(&request);
    c->call.done = on_done;
    assert_int_equal(rpc_client_call(&f->client, &c->call, API_METADATA, 5, &request), 0);
}

static void test_calls_and_cancelling(void **state)
{
    struct fixture *f = *state;
    struct counted_call a = {.again = f}, b = {0}, c = {0};
    struct metadata_request request;
    make_ready(f);
    metadata_request_init(&request);
    make_call(f, &a);
    make_call(f, &b);
    assert_int_equal(rpc_client_send_silent(&f->client, API_METADATA, 5, &request), 0);
    make_call(f, &c);
    pump(f, 5);
    for (int32_t id = 1; id <= 4; id++)
        expect_request(f, API_METADATA, 5, id);
    assert_int_equal(f->sent.size, 0);
    rpc_client_cancel(&f->client, &b.call);
    assert_int_equal(answer_metadata(f, 1, 100), 0);
    assert_int_equal(answer_metadata(f, 2, 200), 0); // read and dropped
    assert_int_equal(answer_metadata(f, 4, 400), 0); // 3 was silent
    assert_int_equal(a.done_count, 1);
    assert_int_equal(a.controller_id, 100);
    assert_int_equal(b.done_count, 0);
    assert_int_equal(c.controller_id, 400);
    pump(f, 100); // the one made from inside
    expect_request(f, API_METADATA, 5, 5);
    rpc_frame_release(&a.kept);
    assert_int_equal(answer_metadata(f, 5, 500), 0);
    assert_int_equal(a.controller_id, 500);
    rpc_frame_release(&a.kept);
    rpc_frame_release(&c.kept);
}

static void test_a_lost_connection_ends_all_calls_once(void **state)
{
    struct fixture *f = *state;
    struct counted_call sent = {.again = f}, unsent = {0}, cancelled = {0};
    make_ready(f);
    make_call(f, &sent);
    pump(f, 100);
    make_call(f, &unsent);
    make_call(f, &cancelled);
    rpc_client_cancel(&f->client, &cancelled.call);
    rpc_client_release(&f->client);
    assert_int_equal(sent.done_count, 1);
    assert_int_equal(sent.err, ERR_CLOSED);
    assert_int_equal(unsent.done_count, 1);
    assert_int_equal(unsent.err, ERR_CLOSED);
    assert_int_equal(cancelled.done_count, 0);
}

static void test_servers_that_make_no_sense(void **state)
{
    struct fixture *f = *state;
    make_ready(f);
    // An answer to nothing.
    assert_int_equal(answer_metadata(f, 1, 0), ERR_CORRUPT);
    assert_int_equal(f->client.state, RPC_CLIENT_FAILED);
    assert_non_null(strstr(f->client.diag.text, "although nothing was asked"));
    uint8_t byte = 0;
    assert_int_equal(rpc_client_received(&f->client, &byte, 1), ERR_CLOSED);
}

static void test_wrong_correlation_id(void **state)
{
    struct fixture *f = *state;
    struct counted_call a = {0};
    make_ready(f);
    make_call(f, &a);
    pump(f, 100);
    assert_int_equal(answer_metadata(f, 2, 0), ERR_CORRUPT);
    assert_non_null(strstr(f->client.diag.text, "does not belong to request 1 (Metadata)"));
    rpc_client_release(&f->client);
    assert_int_equal(a.err, ERR_CLOSED);
}

static void test_an_http_server(void **state)
{
    struct fixture *f = *state;
    pump(f, 100);
    assert_int_equal(deliver(f, "HTTP/1.1 400 Bad", 16, 16), ERR_LIMIT);
    assert_int_equal(f->client.state, RPC_CLIENT_FAILED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_negotiation),
        TEST(test_fallback_to_a_listed_version),
        TEST(test_fallback_to_version_0),
        TEST(test_calls_and_cancelling),
        TEST(test_a_lost_connection_ends_all_calls_once),
        TEST(test_servers_that_make_no_sense),
        TEST(test_wrong_correlation_id),
        TEST(test_an_http_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

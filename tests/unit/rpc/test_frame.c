// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/prng.h"
#include "rpc/frame.h"

static uint8_t scratch[RPC_SCRATCH_BYTES];

// A stream that is read in pieces of at most `piece` bytes.
struct stream {
    const uint8_t *data;
    size_t size;
    size_t at;
};

// One read; returns its size.
static size_t feed(struct rpc_frame_reader *r, struct stream *s, size_t piece)
{
    uint8_t *at;
    size_t room;
    rpc_frame_reader_space(r, scratch, sizeof scratch, &at, &room);
    assert_true(room > 0);
    size_t n = s->size - s->at < piece ? s->size - s->at : piece;
    n = n < room ? n : room;
    memcpy(at, s->data + s->at, n);
    s->at += n;
    rpc_frame_reader_filled(r, at, n);
    return n;
}

static uint8_t byte_of(size_t frame, size_t i)
{
    return (uint8_t)(frame * 31 + i * 7 + i / 256);
}

static void append_frame(struct buf *b, size_t number, size_t size)
{
    buf_append_be32(b, (uint32_t)size);
    for (size_t i = 0; i < size; i++)
        buf_append_u8(b, byte_of(number, i));
}

static void check_frame(const struct rpc_frame *frame, size_t number, size_t size)
{
    assert_int_equal(frame->size, size);
    for (size_t i = 0; i < size; i++)
        if (frame->data[i] != byte_of(number, i))
            fail_msg("frame %zu differs at %zu", number, i);
}

static const size_t sizes[] = {0,     1,     3,      4,      5,     200,   20000, 32764,
                               32765, 40000, 150000, 300000, 10000, 90000, 7,     0};
enum { COUNT = sizeof sizes / sizeof sizes[0] };

// Whatever the pieces, the frames come out whole and the budget returns to zero.
static void test_frames_in_pieces(void **state)
{
    static const size_t pieces[] = {1, 2, 3, 5, 1000, 8192, 32767, 32768, 1000000};
    struct buf all;
    buf_init(&all, 10 << 20);
    for (size_t i = 0; i < COUNT; i++)
        append_frame(&all, i, sizes[i]);
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        struct rpc_budget budget = {.size_max = 10 << 20};
        struct rpc_frame_reader r;
        struct rpc_frame frame;
        struct stream s = {.data = all.data, .size = all.size};
        size_t number = 0;
        rpc_frame_reader_init(&r, 1 << 20, &budget);
        while (s.at < s.size) {
            int result;
            feed(&r, &s, pieces[p]);
            while ((result = rpc_frame_reader_next(&r, &frame)) == 1) {
                check_frame(&frame, number, sizes[number]);
                number++;
                rpc_frame_release(&frame);
            }
            assert_int_equal(result, 0);
            rpc_frame_reader_park(&r);
        }
        assert_int_equal(number, COUNT);
        assert_int_equal(budget.used, 0);
        assert_int_equal(rpc_frame_reader_held(&r), 0);
        rpc_frame_reader_release(&r);
    }
    buf_release(&all);
}

// Only some of the frames are taken after each read: what is left is parked, although the scratch
// memory is overwritten.
static void test_parked_bytes_survive(void **state)
{
    struct buf all;
    struct rpc_frame_reader r;
    struct rpc_frame frame;
    size_t number = 0;
    buf_init(&all, 10 << 20);
    for (size_t i = 0; i < 500; i++)
        append_frame(&all, i, i % 90);
    struct stream s = {.data = all.data, .size = all.size};
    rpc_frame_reader_init(&r, 1 << 20, NULL);
    while (number < 500) {
        int result = rpc_frame_reader_next(&r, &frame);
        if (result == 0) {
            feed(&r, &s, sizeof scratch);
            continue;
        }
        assert_int_equal(result, 1);
        check_frame(&frame, number, number % 90);
        number++;
        rpc_frame_release(&frame);
        rpc_frame_reader_park(&r);
        memset(scratch, 0xee, sizeof scratch);
    }
    rpc_frame_reader_release(&r);
    buf_release(&all);
}

static void expect_error(const char *bytes, size_t size, size_t frame_max, int expected)
{
    struct rpc_frame_reader r;
    struct rpc_frame frame;
    struct stream s = {.data = (const uint8_t *)bytes, .size = size};
    rpc_frame_reader_init(&r, frame_max, NULL);
    feed(&r, &s, size);
    assert_int_equal(rpc_frame_reader_next(&r, &frame), expected);
    assert_int_equal(rpc_frame_reader_held(&r), 0);
    rpc_frame_reader_release(&r);
}

static void test_sizes_that_cannot_be(void **state)
{
    expect_error("\xff\xff\xff\xff", 4, 1 << 20, ERR_CORRUPT);
    expect_error("\x80\x00\x00\x00", 4, 1 << 20, ERR_CORRUPT);
    expect_error("\x7f\xff\xff\xff", 4, 104857600, ERR_LIMIT);
    expect_error("\x00\x10\x00\x01", 4, 1 << 20, ERR_LIMIT);
    expect_error("GET / HTTP/1.1\r\n", 16, 104857600, ERR_LIMIT);
    expect_error("\x16\x03\x01\x02\x00\x01", 6, 104857600, ERR_LIMIT); // a TLS hello
}

// A declared size costs nothing; what is held stays a small multiple of what arrived.
static void test_memory_follows_the_bytes(void **state)
{
    enum { SIZE = 60 << 20 };
    struct rpc_budget budget = {.size_max = 200 << 20};
    struct rpc_frame_reader r;
    struct rpc_frame frame;
    uint8_t *data = calloc(1, SIZE + 4);
    be32_store(data, SIZE);
    struct stream s = {.data = data, .size = SIZE + 4};
    rpc_frame_reader_init(&r, 104857600, &budget);
    for (size_t piece = 4; s.at < s.size; piece = 100000) {
        feed(&r, &s, piece);
        int result = rpc_frame_reader_next(&r, &frame);
        size_t arrived = s.at;
        if (result == 0) {
            assert_true(budget.used <= 4096 + 2 * arrived);
            assert_int_equal(budget.used, rpc_frame_reader_held(&r));
        }
        assert_int_equal(result, s.at == s.size);
    }
    assert_int_equal(frame.size, SIZE);
    assert_int_equal(budget.used, SIZE); // exactly, once it is whole
    rpc_frame_release(&frame);
    assert_int_equal(budget.used, 0);

    // Having filled a large frame once does not entitle to more than RPC_FRAME_PROVEN_MAX.
    s.at = 0;
    feed(&r, &s, 100);
    assert_int_equal(rpc_frame_reader_next(&r, &frame), 0);
    assert_int_equal(budget.used, RPC_FRAME_PROVEN_MAX);
    rpc_frame_reader_release(&r);
    assert_int_equal(budget.used, 0);
    free(data);
}

// The third frame has to wait until one of the first two is released, then goes on where it was.
static void test_a_spent_budget_waits(void **state)
{
    struct rpc_budget budget = {.size_max = 100000};
    struct rpc_frame_reader readers[3];
    struct rpc_frame frames[3];
    struct buf b;
    buf_init(&b, 1 << 20);
    append_frame(&b, 0, 40000);
    for (int i = 0; i < 3; i++) {
        struct stream s = {.data = b.data, .size = b.size};
        int result = 0;
        rpc_frame_reader_init(&readers[i], 100000, &budget);
        while (result == 0 && s.at < s.size) {
            feed(&readers[i], &s, 16000);
            result = rpc_frame_reader_next(&readers[i], &frames[i]);
            rpc_frame_reader_park(&readers[i]);
        }
        assert_int_equal(result, i < 2 ? 1 : ERR_AGAIN);
        if (i < 2)
            continue;
        memset(scratch, 0xee, sizeof scratch);
        assert_int_equal(rpc_frame_reader_next(&readers[2], &frames[2]), ERR_AGAIN);
        assert_int_equal(budget.refused_count, 2);
        rpc_frame_release(&frames[0]);
        while ((result = rpc_frame_reader_next(&readers[2], &frames[2])) == 0)
            feed(&readers[2], &s, 16000);
        assert_int_equal(result, 1);
        check_frame(&frames[2], 0, 40000);
    }
    rpc_frame_release(&frames[1]);
    rpc_frame_release(&frames[2]);
    for (int i = 0; i < 3; i++)
        rpc_frame_reader_release(&readers[i]);
    assert_int_equal(budget.used, 0);
    buf_release(&b);
}

struct admission {
    int call_count;
    size_t size;
    uint8_t first[RPC_ADMIT_BYTES];
    int answer;
};

static int admit(void *context, const uint8_t *first, size_t size)
{
    struct admission *a = context;
    a->call_count++;
    a->size = size;
    assert_true(size <= RPC_ADMIT_BYTES);
    if (size > 0)
        memcpy(a->first, first, size);
    return a->answer;
}

static void test_admission_comes_with_the_first_bytes(void **state)
{
    struct admission a = {0};
    struct rpc_frame_reader r;
    struct rpc_frame frame;
    struct buf b;
    buf_init(&b, 1 << 20);
    append_frame(&b, 3, 100000);
    struct stream s = {.data = b.data, .size = b.size};
    rpc_frame_reader_init(&r, 104857600, NULL);
    r.admit = admit;
    r.context = &a;
    for (int i = 0; i < 11; i++) {
        feed(&r, &s, 1);
        assert_int_equal(rpc_frame_reader_next(&r, &frame), 0);
        assert_int_equal(a.call_count, 0);
    }
    feed(&r, &s, 1);
    assert_int_equal(rpc_frame_reader_next(&r, &frame), 0);
    assert_int_equal(a.call_count, 1);
    assert_int_equal(a.size, RPC_ADMIT_BYTES);
    assert_memory_equal(a.first, b.data + 4, RPC_ADMIT_BYTES);
    int result;
    do {
        feed(&r, &s, 5000);
        result = rpc_frame_reader_next(&r, &frame);
    } while (result == 0);
    assert_int_equal(result, 1);
    assert_int_equal(a.call_count, 1);
    rpc_frame_release(&frame);

    // A frame of less than that is shown whole; and each frame is asked about.
    s = (struct stream){.data = (const uint8_t *)"\0\0\0\2ab", .size = 6};
    feed(&r, &s, 6);
    a.answer = ERR_UNSUPPORTED;
    assert_int_equal(rpc_frame_reader_next(&r, &frame), ERR_UNSUPPORTED);
    assert_int_equal(a.call_count, 2);
    assert_int_equal(a.size, 2);
    rpc_frame_reader_release(&r);
    buf_release(&b);
}

// Before the first admission a peer makes us hold no more than was promised.
static void test_unproven_memory(void **state)
{
    struct rpc_budget budget = {.size_max = 200 << 20};
    struct rpc_frame_reader r;
    struct rpc_frame frame;
    struct admission a = {.answer = ERR_UNSUPPORTED};
    rpc_frame_reader_init(&r, 104857600, &budget);
    r.admit = admit;
    r.context = &a;
    uint8_t *data = calloc(1, 1 << 20);
    be32_store(data, 50 << 20);
    struct stream s = {.data = data, .size = 1 << 20};
    feed(&r, &s, 1 << 20);
    assert_int_equal(rpc_frame_reader_next(&r, &frame), ERR_UNSUPPORTED);
    assert_true(budget.used <= RPC_FRAME_UNPROVEN_MAX);
    rpc_frame_reader_release(&r);
    assert_int_equal(budget.used, 0);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_in_pieces),
        cmocka_unit_test(test_parked_bytes_survive),
        cmocka_unit_test(test_sizes_that_cannot_be),
        cmocka_unit_test(test_memory_follows_the_bytes),
        cmocka_unit_test(test_a_spent_budget_waits),
        cmocka_unit_test(test_admission_comes_with_the_first_bytes),
        cmocka_unit_test(test_unproven_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

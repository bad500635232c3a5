// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

static void test_append_everything(void **state)
{
    static const uint8_t expected[] = {'a', 'b', 0, 0, 7, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4,
                                       5,   6,   7, 8, 'x', '=', '-', '5'};
    struct buf b;
    buf_init(&b, 1000);
    buf_append(&b, "ab", 2);
    buf_append_zeros(&b, 2);
    buf_append_zeros(&b, 0);
    buf_append_u8(&b, 7);
    buf_append_be16(&b, 0x0102);
    buf_append_be32(&b, 0x03040506);
    buf_append_be64(&b, 0x0102030405060708);
    buf_append_text(&b, "x");
    buf_append_str(&b, str_from("="));
    buf_append(&b, NULL, 0);
    buf_printf(&b, "%d", -5);
    assert_false(b.failed);
    assert_int_equal(b.size, sizeof expected);
    assert_memory_equal(b.data, expected, sizeof expected);
    assert_int_equal(buf_bytes(&b).size, sizeof expected);
    buf_consume(&b, 19);
    assert_string_equal(buf_text(&b), "x=-5");
    buf_consume(&b, 4);
    assert_int_equal(b.size, 0);
    buf_release(&b);
}

static void test_grows_to_its_maximum_and_no_further(void **state)
{
    for (size_t max = 0; max < 300; max++) {
        struct buf b;
        buf_init(&b, max);
        for (size_t i = 0; i < max; i++)
            buf_append_u8(&b, (uint8_t)i);
        assert_false(b.failed);
        assert_int_equal(b.size, max);
        buf_append_zeros(&b, 0);
        assert_false(b.failed);
        buf_append_u8(&b, 1);
        assert_true(b.failed);
        assert_int_equal(b.size, max);
        for (size_t i = 0; i < max; i++)
            assert_int_equal(b.data[i], (uint8_t)i);
        buf_release(&b);
    }
}

static void test_failure_is_sticky(void **state)
{
    struct buf b;
    buf_init(&b, 4);
    buf_append_text(&b, "abcde");
    assert_true(b.failed);
    buf_append_text(&b, "a");
    assert_null(buf_extend(&b, 1));
    assert_false(buf_reserve(&b, 0));
    assert_int_equal(b.size, 0);
    assert_string_equal(buf_text(&b), "");
    buf_clear(&b);
    buf_append_text(&b, "abcd");
    assert_false(b.failed);
    // The terminator does not count.
    assert_string_equal(buf_text(&b), "abcd");
    buf_clear(&b);
    buf_printf(&b, "%s", "abcd");
    assert_string_equal(buf_text(&b), "abcd");
    assert_false(buf_reserve(&b, SIZE_MAX));
    buf_release(&b);
}

static void test_detach(void **state)
{
    struct buf b;
    buf_init(&b, 10);
    buf_append_text(&b, "abc");
    size_t size;
    uint8_t *data = buf_detach(&b, &size);
    assert_int_equal(size, 3);
    assert_memory_equal(data, "abc", 3);
    assert_null(b.data);
    assert_int_equal(b.size_max, 10);
    mem_free(data);
    buf_append_text(&b, "d");
    assert_string_equal(buf_text(&b), "d");
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_everything),
        cmocka_unit_test(test_grows_to_its_maximum_and_no_further),
        cmocka_unit_test(test_failure_is_sticky),
        cmocka_unit_test(test_detach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

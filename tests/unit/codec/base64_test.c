// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "codec/base64.h"

// RFC 4648 section 10.
static const struct {
    const char *plain, *encoded;
} vectors[] = {{"", ""},           {"f", "Zg=="},         {"fo", "Zm8="},     {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};

static void test_vectors(void **state)
{
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct buf out;
        buf_init(&out, 100);
        base64_encode(str_bytes(str_from(vectors[i].plain)), &out);
        assert_string_equal(buf_text(&out), vectors[i].encoded);
        buf_clear(&out);
        assert_int_equal(base64_decode(str_from(vectors[i].encoded), &out), 0);
        assert_string_equal(buf_text(&out), vectors[i].plain);
        buf_release(&out);
    }
}

static void test_all_bytes(void **state)
{
    uint8_t bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (uint8_t)(i * 7);
    struct buf text, back;
    buf_init(&text, 1000);
    buf_init(&back, 256);
    base64_encode(bytes_of(bytes, 256), &text);
    assert_int_equal(base64_decode(buf_str(&text), &back), 0);
    assert_true(bytes_equal(buf_bytes(&back), bytes_of(bytes, 256)));
    // Not one byte less.
    struct buf tight;
    buf_init(&tight, 255);
    assert_int_equal(base64_decode(buf_str(&text), &tight), ERR_LIMIT);
    buf_release(&tight);
    buf_release(&text);
    buf_release(&back);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"Z",    "Zg",   "Zg=",  "Zg===", "Zh==",     "Zm9=", "Z===",
                                      "====", "Zm9v\n", "Zm 9", "Zm-v",  "Zg==Zg==", "=m9v", "Zm=v"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf out;
        buf_init(&out, 100);
        buf_append_text(&out, "kept");
        assert_int_equal(base64_decode(str_from(bad[i]), &out), ERR_INVALID);
        assert_string_equal(buf_text(&out), "kept");
        buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_all_bytes),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <math.h>

#include "base/err.h"
#include "codec/json.h"

static void test_printer(void **state)
{
    struct buf out;
    struct json_printer p;
    buf_init(&out, 1000);
    json_printer_init(&p, &out);
    json_object_begin(&p);
    json_key(&p, "a");
    json_array_begin(&p);
    json_print_int(&p, INT64_MIN);
    json_print_uint(&p, UINT64_MAX);
    json_print_bool(&p, true);
    json_print_null(&p);
    json_object_begin(&p);
    json_object_end(&p);
    json_array_end(&p);
    json_key(&p, "b");
    json_print_hex(&p, bytes_of("\x00\xff", 2));
    json_key(&p, "c");
    json_print_str(&p, str_of(NULL, 0));
    json_key(&p, "d");
    json_print_text(&p, "");
    json_key(&p, "e");
    json_array_begin(&p);
    json_array_end(&p);
    json_object_end(&p);
    assert_string_equal(buf_text(&out),
                        "{\"a\":[-9223372036854775808,18446744073709551615,true,null,{}],"
                        "\"b\":\"00ff\",\"c\":null,\"d\":\"\",\"e\":[]}");
    buf_release(&out);
}

static void test_escapes(void **state)
{
    static const struct {
        struct str in;
        const char *out;
    } cases[] = {
        {{"\"\\/", 3}, "\"\\\"\\\\/\""},
        {{"\b\f\n\r\t\x01\x1f\x7f", 8}, "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\""},
        {{"a\0b", 3}, "\"a\\u0000b\""},
        {{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9}, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
        // Cut short, overlong, a surrogate, a stray byte: each bad byte is one U+FFFD.
        {{"\xc3", 1}, "\"\xef\xbf\xbd\""},
        {{"\xc0\x80x", 3}, "\"\xef\xbf\xbd\xef\xbf\xbdx\""},
        {{"\xed\xa0\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xff\xc3\xa4", 3}, "\"\xef\xbf\xbd\xc3\xa4\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;
        struct json_printer p;
        json_t *back = NULL;
        buf_init(&out, 1000);
        json_printer_init(&p, &out);
        json_print_str(&p, cases[i].in);
        assert_string_equal(buf_text(&out), cases[i].out);
        if (memchr(cases[i].in.data, 0, cases[i].in.size) == NULL) {
            assert_int_equal(json_read(buf_str(&out), &back, NULL), 0);
            json_decref(back);
        }
        buf_release(&out);
    }
}

static void test_doubles(void **state)
{
    static const struct {
        double in;
        const char *out;
    } cases[] = {{0, "0.0"},       {-1.5, "-1.5"},      {0.1, "0.1"},     {1e300, "1e+300"},
                 {1.0 / 3, "0.3333333333333333"},       {100, "100.0"},   {INFINITY, "null"},
                 {NAN, "null"},    {5e-324, "4.94065645841247e-324"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;
        struct json_printer p;
        buf_init(&out, 100);
        json_printer_init(&p, &out);
        json_print_double(&p, cases[i].in);
        assert_string_equal(buf_text(&out), cases[i].out);
        buf_release(&out);
    }
}

static void test_full_buffer_is_sticky(void **state)
{
    struct buf out;
    struct json_printer p;
    buf_init(&out, 3);
    json_printer_init(&p, &out);
    json_print_text(&p, "abcdef");
    assert_true(out.failed);
    buf_release(&out);
}

static void test_read(void **state)
{
    json_t *value = NULL;
    struct diag diag;
    assert_int_equal(json_read(str_from(" {\"a\": [1, 2.5, \"x\"]} "), &value, &diag), 0);
    assert_int_equal(json_array_size(json_object_get(value, "a")), 3);
    json_decref(value);
    static const char *const bad[] = {"", "{", "{} x", "{\"a\":1,\"a\":2}", "[1,]", "nul", "'x'"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        value = NULL;
        diag_clear(&diag);
        assert_int_equal(json_read(str_from(bad[i]), &value, &diag), ERR_INVALID);
        assert_null(value);
        assert_non_null(strstr(diag.text, "line"));
    }
    assert_int_equal(json_read(str_of(NULL, 0), &value, NULL), ERR_INVALID);
    // Deep nesting is refused, not a crash.
    enum { DEEP = 100000 };
    char *deep = malloc(DEEP);
    memset(deep, '[', DEEP);
    assert_int_equal(json_read(str_of(deep, DEEP), &value, &diag), ERR_INVALID);
    free(deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_printer),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_full_buffer_is_sticky),
        cmocka_unit_test(test_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

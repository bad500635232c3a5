// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/be.h"
#include "base/bytes.h"

static void test_parse_i64(void **state)
{
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } cases[] = {
        {"0", true, 0}, {"-0", true, 0}, {"+7", true, 7}, {"007", true, 7},
        {"9223372036854775807", true, INT64_MAX}, {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0}, {"-9223372036854775809", false, 0},
        {"99999999999999999999999", false, 0}, {"", false, 0}, {"-", false, 0}, {"+", false, 0},
        {"--1", false, 0}, {" 1", false, 0}, {"1 ", false, 0}, {"1a", false, 0}, {"0x1", false, 0},
        {"1.0", false, 0}, {"1e3", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = 42;
        assert_int_equal(str_parse_i64(str_from(cases[i].text), &value), cases[i].good);
        assert_int_equal(value, cases[i].good ? cases[i].value : 42);
    }
    int64_t value;
    assert_false(str_parse_i64((struct str){0}, &value));
    assert_false(str_parse_i64(str_of("1\0", 2), &value));
    assert_true(str_parse_i64(str_of("123", 2), &value));
    assert_int_equal(value, 12);
}

static void test_parse_i32(void **state)
{
    int32_t value = 42;
    assert_true(str_parse_i32(str_from("-2147483648"), &value));
    assert_int_equal(value, INT32_MIN);
    assert_true(str_parse_i32(str_from("2147483647"), &value));
    assert_int_equal(value, INT32_MAX);
    assert_false(str_parse_i32(str_from("2147483648"), &value));
    assert_false(str_parse_i32(str_from("-2147483649"), &value));
    assert_int_equal(value, INT32_MAX);
}

static void test_parse_double(void **state)
{
    static const struct {
        const char *text;
        bool good;
        double value;
    } cases[] = {
        {"0.5", true, 0.5}, {"-1e3", true, -1000}, {".25", true, 0.25},
        {"1.7976931348623157E308", true, 1.7976931348623157e308},
        {"1e999", false, 0}, {"nan", false, 0}, {"", false, 0}, {" 1", false, 0}, {"1 ", false, 0},
        {"1x", false, 0}, {"1,5", false, 0},
        {"0000000000000000000000000000000000000000000000000000000000000000000000001", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value = 42;
        assert_int_equal(str_parse_double(str_from(cases[i].text), &value), cases[i].good);
        assert_true(value == (cases[i].good ? cases[i].value : 42));
    }
}

static void test_trim_and_cut(void **state)
{
    assert_true(str_is(str_trim(str_from(" \t\r\n\fa b\f ")), "a b"));
    assert_true(str_is(str_trim(str_from("   ")), ""));
    assert_true(str_is(str_trim((struct str){0}), ""));

    struct str rest = str_from("a,,b,");
    static const char *const parts[] = {"a", "", "b", ""};
    for (int i = 0; i < 4; i++) {
        assert_non_null(rest.data);
        assert_true(str_is(str_cut(&rest, ','), parts[i]));
    }
    assert_null(rest.data);
    rest = str_from("");
    assert_true(str_is(str_cut(&rest, ','), ""));
    assert_null(rest.data);
}

static void test_compare_and_equal(void **state)
{
    assert_true(str_compare(str_from("a"), str_from("b")) < 0);
    assert_true(str_compare(str_from("ab"), str_from("a")) > 0);
    assert_true(str_compare(str_from("\xff"), str_from("a")) > 0); // by bytes, not by sign
    assert_int_equal(str_compare(str_from(""), (struct str){0}), 0);
    assert_true(str_equal(str_from(""), (struct str){0}));
    assert_false(str_equal(str_from("a"), str_from("A")));
    assert_true(str_equal_nocase(str_from("aZ-9"), str_from("Az-9")));
    assert_false(str_equal_nocase(str_from("a"), str_from("ab")));
    assert_false(str_equal_nocase(str_from("["), str_from("{"))); // 32 apart, no letters
    assert_true(bytes_equal(bytes_of("\0a", 2), bytes_of("\0a", 2)));
    assert_false(bytes_equal(bytes_of("\0a", 2), bytes_of("\0b", 2)));
    assert_true(str_starts_with(str_from("abc"), "ab") && str_starts_with((struct str){0}, ""));
    assert_false(str_starts_with(str_from("a"), "ab"));
    assert_true(str_ends_with(str_from("abc"), "bc") && str_ends_with((struct str){0}, ""));
    assert_false(str_ends_with(str_from("c"), "bc"));
}

static void test_utf8(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"", true}, {"plain", true}, {"\xc3\xa9", true}, {"\xe2\x82\xac", true},
        {"\xf0\x9f\x98\x80", true}, {"\xf4\x8f\xbf\xbf", true}, {"\xed\x9f\xbf", true},
        {"\xee\x80\x80", true},
        {"\x80", false}, {"\xc3", false}, {"\xc3z", false}, {"\xe2\x82", false},
        {"\xc0\x80", false}, {"\xc1\xbf", false},         // overlong
        {"\xe0\x9f\xbf", false}, {"\xf0\x8f\xbf\xbf", false},
        {"\xed\xa0\x80", false}, {"\xed\xbf\xbf", false}, // surrogates
        {"\xf4\x90\x80\x80", false}, {"\xf5\x80\x80\x80", false}, {"\xff", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(str_is_utf8(str_from(cases[i].text)), cases[i].good);
    assert_true(str_is_utf8(str_of("a\0b", 3)));
    // Cut short: the byte behind the end must not be looked at.
    assert_false(str_is_utf8(str_of("\xe2\x82\xac", 2)));
}

static void test_copy_to(void **state)
{
    char out[4] = "zzz";
    assert_true(str_copy_to(str_from("abc"), out, sizeof out));
    assert_string_equal(out, "abc");
    assert_false(str_copy_to(str_from("abcd"), out, sizeof out));
    assert_string_equal(out, "");
    assert_true(str_copy_to((struct str){0}, out, 1));
    assert_string_equal(out, "");
}

static void test_big_endian(void **state)
{
    uint8_t raw[9] = {0xff, 1, 2, 3, 4, 5, 6, 7, 8};
    assert_int_equal(be16_load(raw + 1), 0x0102);
    assert_int_equal(be32_load(raw + 1), 0x01020304);
    assert_true(be64_load(raw + 1) == UINT64_C(0x0102030405060708));
    uint8_t out[9] = {0};
    be64_store(out + 1, UINT64_C(0x0102030405060708));
    assert_memory_equal(out + 1, raw + 1, 8);
    be32_store(out, 0xff010203);
    assert_memory_equal(out, raw, 4);
    be16_store(out, 0xff01);
    assert_memory_equal(out, raw, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_i64),         cmocka_unit_test(test_parse_i32),
        cmocka_unit_test(test_parse_double),      cmocka_unit_test(test_trim_and_cut),
        cmocka_unit_test(test_compare_and_equal), cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_copy_to),           cmocka_unit_test(test_big_endian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

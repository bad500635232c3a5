// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/properties.h"

// What java.util.Properties.load reads: pairs separated by '|', key and value by '>'.
static void test_parse(void **state)
{
    static const struct {
        const char *text;
        const char *pairs;
    } cases[] = {
        {"", ""},
        {"a=1", "a>1"},
        {"a = 1 ", "a>1 "}, // blanks at the end belong to the value
        {"  a=1\n\n\tb:2\r\nc 3\rd\n", "a>1|b>2|c>3|d>"},
        {"a==b", "a>=b"},
        {"a : = b", "a>= b"},
        {"# x=1\n  ! y=2\nz=#3", "z>#3"},
        {"#a\\\nb=1", "b>1"}, // a comment does not continue
        {"a=b\\\n   c\\\r\n\td", "a>bcd"},
        {"a=b\\\n\nc=1", "a>b|c>1"}, // a blank line ends the continuation
        {"a\\\nb=1", "ab>1"},
        {"a\\ b\\=c\\:d = e\\=f", "a b=c:d>e=f"},
        {"k=\\t\\n\\r\\f\\\\\\q\\\"", "k>\t\n\r\f\\q\""},
        {"k=\\u0041\\u00e9\\u20AC", "k>A\xc3\xa9\xe2\x82\xac"},
        {"k=\\ud83d\\ude00!", "k>\xf0\x9f\x98\x80!"}, // a pair is one character
        {"k=\\ud83dx\\ude00\\ud83d\\u0041", "k>?x??A"}, // half a pair is none
        {"a=1\na=2", "a>2"},
        {"b=1\na=1\nb=2", "b>2|a>1"},
        {"=v", ">v"},
        {"k=v\\", "k>v"},
        {"path=C:\\\\x", "path>C:\\x"},
        {"u=\xc3\xa9", "u>\xc3\xa9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct properties p;
        struct diag diag;
        properties_init(&p);
        assert_int_equal(properties_parse(&p, str_from(cases[i].text), &diag), ERR_OK);
        struct buf pairs;
        buf_init(&pairs, 1000);
        for (int j = 0; j < p.count; j++)
            buf_printf(&pairs, "%s%s>%s", j > 0 ? "|" : "", p.items[j].key, p.items[j].value);
        assert_string_equal(buf_text(&pairs), cases[i].pairs);
        buf_release(&pairs);
        properties_release(&p);
    }
}

static void test_lines_are_counted(void **state)
{
    struct properties p;
    properties_init(&p);
    assert_int_equal(properties_parse(&p, str_from("\n#\r\na=1\\\n2\r\nb=2\rc=3"), NULL), ERR_OK);
    assert_int_equal(p.items[0].line, 3);
    assert_int_equal(p.items[1].line, 5);
    assert_int_equal(p.items[2].line, 6);
    properties_release(&p);
}

static void test_errors(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        const char *words;
    } cases[] = {
        {"a=1\nb=\\u12", 10, "line 2: malformed"}, {"b=\\u12g4", 8, "line 1: malformed"},
        {"b=\\u", 4, "line 1: malformed"},         {"a\0b=1", 5, "NUL"},
        {"a=\\u0000", 8, "NUL"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct properties p;
        struct diag diag = {""};
        properties_init(&p);
        assert_int_equal(properties_parse(&p, str_of(cases[i].text, cases[i].size), &diag),
                         ERR_INVALID);
        assert_non_null(strstr(diag.text, cases[i].words));
        properties_release(&p);
    }
}

static void test_maxima(void **state)
{
    struct properties p;
    struct diag diag;
    properties_init(&p);
    char *big = mem_alloc_zero(PROPERTIES_TEXT_MAX + 1);
    assert_int_equal(properties_parse(&p, str_of(big, PROPERTIES_TEXT_MAX + 1), &diag), ERR_LIMIT);
    mem_free(big);
    struct buf text;
    buf_init(&text, PROPERTIES_TEXT_MAX);
    for (int i = 0; i <= PROPERTIES_COUNT_MAX; i++)
        buf_printf(&text, "%d\n", i);
    assert_int_equal(properties_parse(&p, buf_str(&text), &diag), ERR_LIMIT);
    assert_int_equal(p.count, PROPERTIES_COUNT_MAX);
    buf_release(&text);
    properties_release(&p);
}

static void test_set_get_unset(void **state)
{
    struct properties p;
    properties_init(&p);
    assert_null(properties_get(&p, "a"));
    properties_unset(&p, "a");
    properties_set(&p, str_from("a"), str_from("1"), 0);
    properties_set(&p, str_from("b"), str_from("2"), 0);
    properties_set(&p, str_from("c"), str_from("3"), 0);
    properties_set(&p, str_from("a"), str_from("4"), 9);
    assert_string_equal(properties_get(&p, "a"), "4");
    assert_int_equal(p.count, 3);
    properties_unset(&p, "b");
    assert_null(properties_get(&p, "b"));
    assert_string_equal(properties_get(&p, "c"), "3");
    properties_unset(&p, "c");
    properties_unset(&p, "a");
    assert_int_equal(p.count, 0);
    properties_release(&p);
}

static void test_format_line(void **state)
{
    static const struct {
        const char *key;
        const char *value;
        const char *line;
    } cases[] = {
        {"a", "1", "a=1\n"},
        {"a b", " c d", "a\\ b=\\ c d\n"},
        {"k=:#!", "x=:#!", "k\\=\\:\\#\\!=x\\=\\:\\#\\!\n"},
        {"t", "\t\n\r\f\\", "t=\\t\\n\\r\\f\\\\\n"},
        {"", "", "=\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;
        buf_init(&out, 100);
        properties_format_line(&out, str_from(cases[i].key), str_from(cases[i].value));
        assert_string_equal(buf_text(&out), cases[i].line);
        struct properties p;
        properties_init(&p);
        assert_int_equal(properties_parse(&p, buf_str(&out), NULL), ERR_OK);
        assert_string_equal(p.items[0].key, cases[i].key);
        assert_string_equal(p.items[0].value, cases[i].value);
        properties_release(&p);
        buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),  cmocka_unit_test(test_lines_are_counted),
        cmocka_unit_test(test_errors), cmocka_unit_test(test_maxima),
        cmocka_unit_test(test_set_get_unset), cmocka_unit_test(test_format_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

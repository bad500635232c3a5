// SPDX-License-Identifier: Apache-2.0
//
// Regular expressions: RE2's syntax and nothing else, whole names, bounded work. The errors are those that
// Apache Kafka 4.4 gave for the same patterns.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "base/err.h"
#include "group/regex.h"

static void test_matches(void **state)
{
    static const struct {
        const char *pattern;
        const char *yes;
        const char *no;
    } table[] = {
        {"", "", "a"},
        {"orders", "orders", "orders2"},
        {"orders.*", "orders-eu", "my-orders"},
        {"a|bc", "bc", "abc"},
        {"a|", "", "b"},
        {"[a-c-]+", "a-b", "d"},
        {"[^a-c]", "d", "a"},
        {"[]a]+", "]a", "b"},
        {"[a-b-c]+", "c-a", "d"},
        {"\\d{2,}", "123", "1"},
        {"a{,2}", "a{,2}", "aa"},
        {"x{2}", "xx", "x{2}"},
        {"(ab)*?c", "ababc", "abac"},
        {"(?P<n>a)(?<m>b)", "ab", "a"},
        {"(?i)ABC", "aBc", "abd"},
        {"a(?i:B)c", "aBc", "ABc"},
        {"(?i)a(?-i)b", "Ab", "AB"},
        {"(?U)a+", "aa", "b"},
        {"^a$", "a", "b"},
        {"^*a", "a", "^a"},
        {"\\Aa\\z", "a", "b"},
        {"\\ba\\B.", "ab", "a-"},
        {"\\Qa.b\\E+", "a.bb", "axb"},
        {"\\pL\\p{Nd}\\P{L}", "a1-", "aa-"},
        {"\\p{^L}", "1", "a"},
        {"[[:alpha:]]+[[:^digit:]]", "ab", "a1"},
        {"[\\d_]+\\w\\S\\D\\W\\s?", "1_aba.", "b"},
        {"\\x41\\x{42}\\103\\_\\.", "ABC_.", "ABC_x"},
        {"\\v|\\a|\\f|\\n|\\r|\\t", "\v", "v"},
        {"[\\x{d800}-\\x{dfff}]|\\x{d800}|a", "a", "b"},
        {"[^\\x00-\\x7f]|a", "a", "b"},
        {"\xc3\xa9|e", "e", "f"},
        {"a{1000}|b", "b", "a"},
        {"a.c", "a.c", "ac"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct regex *r;
        struct diag diag;
        bool yes = false, no = true;
        if (regex_new(str_from(table[i].pattern), &r, &diag) != 0)
            fail_msg("%s: %s", table[i].pattern, diag.text);
        assert_int_equal(regex_match(r, str_from(table[i].yes), &yes), 0);
        assert_int_equal(regex_match(r, str_from(table[i].no), &no), 0);
        if (!yes || no)
            fail_msg("%s: %d for \"%s\", %d for \"%s\"", table[i].pattern, yes, table[i].yes, no,
                     table[i].no);
        regex_free(r);
    }
}

static void test_refused(void **state)
{
    static const char perl[] = "invalid or unsupported Perl syntax";
    static const char escape[] = "invalid escape sequence";
    static const char range[] = "invalid character class range";
    static const char nested[] = "invalid nested repetition operator";
    static const char missing[] = "missing argument to repetition operator";
    static const struct {
        const char *pattern;
        const char *words;
    } table[] = {
        {"a**", nested}, {"a*+", nested}, {"a++", nested}, {"a??b?+", nested}, {"a{2}{3}", nested},
        {"*", missing}, {"a|*", missing}, {"(*)", missing}, {"(?i)*", missing},
        {"(*ACCEPT)", missing}, {"(*UTF)a", missing},
        {"(?=a)", perl}, {"(?!a)", perl}, {"(?>a)", perl}, {"(?#a)", perl}, {"(?|a)", perl},
        {"(?R)", perl}, {"(?1)", perl}, {"(?C1)a", perl}, {"(?x)a", perl}, {"(?P=n)", perl}, {"(?i-)", perl},
        {"(?", perl}, {"(?i", perl},
        {"(?<=a)", "invalid named capture"}, {"(?P<n", "invalid named capture"},
        {"(?P<n-x>a)", "invalid named capture"}, {"(?P<n>a)(?P<n>b)", "duplicate capture group name"},
        {"\\1", escape}, {"\\8", escape}, {"\\C", escape}, {"\\K", escape}, {"\\G", escape}, {"\\R", escape},
        {"\\X", escape}, {"\\Z", escape}, {"\\h", escape}, {"\\N", escape}, {"\\g1", escape},
        {"\\k<n>", escape}, {"\\cA", escape}, {"\\x4", escape}, {"\\x{}", escape}, {"\\x{110000}", escape},
        {"\\E", escape}, {"[\\b]", escape}, {"[\\Q]\\E]", escape},
        {"\\", "trailing backslash at end of expression"},
        {"[", "missing closing ]"}, {"[]", "missing closing ]"}, {"[a", "missing closing ]"},
        {"(", "missing closing )"}, {"(?i:a", "missing closing )"}, {")", "unexpected )"},
        {"[b-a]", range}, {"[a-\\d]", escape}, {"[[:nope:]]", range}, {"\\p{Nope}", range}, {"\\p", range},
        {"a{1001}", "invalid repeat count"}, {"a{2,1}", "invalid repeat count"},
        {"a\xff", "invalid UTF-8"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct regex *r;
        struct diag diag;
        if (regex_new(str_from(table[i].pattern), &r, &diag) != ERR_INVALID)
            fail_msg("%s was taken", table[i].pattern);
        assert_null(r);
        if (strcmp(diag.text, table[i].words) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", table[i].pattern, diag.text, table[i].words);
    }
}

static void test_too_large(void **state)
{
    static char text[REGEX_PATTERN_MAX + 2];
    struct regex *r;
    struct diag diag;
    memset(text, 'a', REGEX_PATTERN_MAX + 1);
    assert_int_equal(regex_new(str_from(text), &r, &diag), ERR_LIMIT);
    memset(text, '(', REGEX_DEPTH_MAX + 1);
    assert_int_equal(regex_new(str_from(text), &r, &diag), ERR_LIMIT);
    assert_int_equal(regex_new(str_from("((a{1000}){1000}){1000}"), &r, &diag), ERR_LIMIT);
    assert_string_equal(diag.text, "expression is too large");
}

// Patterns that take a backtracking matcher for ever, or that are in as many places at once as they may be:
// no name costs more than some milliseconds. The bound allows for slow machines and sanitizers.
static void test_bounded(void **state)
{
    static const char *const patterns[] = {"(a*)*b", "(a|aa)*b", "((a?){30}){30}b", "(.*)(.*)(.*)(.*)(.*)[^a]",
                                           "(.{0,400}.*){2}x", "(a|a|a|a|a|a|a|a|a)*b"};
    static char many[REGEX_PATTERN_MAX + 1];
    char name[250];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (size_t i = 0, at = 0; i < 350; i++)
        at += (size_t)snprintf(many + at, sizeof(many) - at, "%s(a|b)*[cd]", i > 0 ? "|" : "");
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]) + 1; i++) {
        bool last = i == sizeof(patterns) / sizeof(patterns[0]), matches = false;
        struct regex *r;
        assert_int_equal(regex_new(str_from(last ? many : patterns[i]), &r, NULL), 0);
        clock_t begin = clock();
        int err = regex_match(r, str_from(name), &matches);
        assert_true(clock() - begin < CLOCKS_PER_SEC);
        assert_true(err == 0 || err == ERR_LIMIT);
        assert_false(matches);
        if (last)
            assert_int_equal(err, ERR_LIMIT);
        regex_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

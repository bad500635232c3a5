// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "tools/flags.h"

enum { ALL, COUNT, PART, ZIP, HEADER, PARTITIONS };

static const struct flag_def defs[] = {
    [ALL] = {.names = "-a, --all", .kind = FLAG_BOOL, .help = "All."},
    [COUNT] = {.names = "-n, --num", .argument = "N", .kind = FLAG_I32, .min = 1, .max = 10,
               .fallback = "3", .help = "Count."},
    [PART] = {.names = "-p, --partition", .argument = "N", .kind = FLAG_TEXT, .help = "One."},
    [ZIP] = {.names = "-z, --compression", .argument = "C", .kind = FLAG_OPTIONAL,
             .values = "gzip|zstd", .fallback = "gzip", .help = "Codec."},
    [HEADER] = {.names = "-H, --header", .argument = "K:V", .kind = FLAG_LIST, .help = "Header."},
    [PARTITIONS] = {.names = "--partitions-of", .argument = "T", .kind = FLAG_TEXT, .help = "T."},
};

static int parse(struct flags *f, enum flags_mode mode, const char *line, struct diag *diag)
{
    static char text[256];
    static char *argv[32];
    int argc = 0;
    assert_true(str_copy_to(str_from(line), text, sizeof text));
    for (char *rest = text, *word; (word = strsep(&rest, " ")) != NULL;)
        if (word[0] != '\0')
            argv[argc++] = word;
    return flags_parse(f, defs, sizeof defs / sizeof *defs, mode, argc, argv, diag);
}

static void all_forms(void **state)
{
    struct flags f;
    struct diag diag;
    assert_int_equal(parse(&f, FLAGS_STRICT, "x -a -n 5 --partition=7 -H a:b -Hc:d -- -n", &diag), 0);
    assert_true(flags_given(&f, ALL));
    assert_int_equal(flags_number(&f, COUNT), 5);
    assert_string_equal(flags_text(&f, PART), "7");
    assert_int_equal(f.values[HEADER].count, 2);
    assert_string_equal(f.values[HEADER].list[1], "c:d");
    assert_int_equal(f.arg_count, 2);
    assert_string_equal(f.args[1], "-n");
    flags_release(&f);
}

static void fallbacks_do_not_count_as_given(void **state)
{
    struct flags f;
    struct diag diag;
    assert_int_equal(parse(&f, FLAGS_STRICT, "-az zstd", &diag), 0);
    assert_false(flags_given(&f, COUNT));
    assert_int_equal(flags_number(&f, COUNT), 3);
    assert_string_equal(flags_text(&f, ZIP), "zstd");
    flags_release(&f);
}

static void an_optional_value(void **state)
{
    struct flags f;
    struct diag diag;
    assert_int_equal(parse(&f, FLAGS_ABBREVIATED, "--compression --all", &diag), 0);
    assert_string_equal(flags_text(&f, ZIP), "gzip");
    assert_true(flags_given(&f, ALL));
    flags_release(&f);
}

static void a_negative_number_is_a_value(void **state)
{
    struct flags f;
    struct diag diag;
    assert_int_equal(parse(&f, FLAGS_STRICT, "-p -3", &diag), 0);
    assert_string_equal(flags_text(&f, PART), "-3");
    flags_release(&f);
}

static void abbreviations(void **state)
{
    struct flags f;
    struct diag diag;
    assert_int_equal(parse(&f, FLAGS_ABBREVIATED, "--comp gzip -num 2", &diag), 0);
    assert_int_equal(flags_number(&f, COUNT), 2);
    flags_release(&f);
    assert_int_equal(parse(&f, FLAGS_ABBREVIATED, "--part 1", &diag), ERR_INVALID);
    assert_non_null(strstr(diag.text, "ambiguous"));
    assert_int_equal(parse(&f, FLAGS_STRICT, "--comp gzip", &diag), ERR_INVALID);
}

static void mistakes_are_explained(void **state)
{
    static const struct {
        const char *line;
        const char *words;
    } cases[] = {
        {"--al", "did you mean --all?"},
        {"--nosuch", "unknown flag --nosuch"},
        {"-n", "--num needs a value: N"},
        {"-n x", "--num needs a number, not \"x\""},
        {"-n 11", "--num is 11, outside 1 to 10"},
        {"--compression=lz5", "--compression is \"lz5\", not one of gzip|zstd"},
        {"--all=yes", "--all takes no value"},
        {"-q", "unknown flag -q"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct flags f;
        struct diag diag;
        assert_int_equal(parse(&f, FLAGS_STRICT, cases[i].line, &diag), ERR_INVALID);
        if (strstr(diag.text, cases[i].words) == NULL)
            fail_msg("%s: %s", cases[i].line, diag.text);
        flags_release(&f);
    }
}

static void nearest(void **state)
{
    static const char *const names[] = {"orders", "payments", "orders-dlq"};
    assert_string_equal(nearest_name(str_from("ordrs"), names, 3), "orders");
    assert_string_equal(nearest_name(str_from("paymetns"), names, 3), "payments");
    assert_null(nearest_name(str_from("zebra"), names, 3));
}

static void help_names_everything(void **state)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    flags_help(&b, defs, sizeof defs / sizeof *defs);
    const char *text = buf_text(&b);
    assert_non_null(strstr(text, "  -n, --num N "));
    assert_non_null(strstr(text, "[default: 3]"));
    assert_non_null(strstr(text, "      --partitions-of T"));
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms),
        cmocka_unit_test(fallbacks_do_not_count_as_given),
        cmocka_unit_test(an_optional_value),
        cmocka_unit_test(a_negative_number_is_a_value),
        cmocka_unit_test(abbreviations),
        cmocka_unit_test(mistakes_are_explained),
        cmocka_unit_test(nearest),
        cmocka_unit_test(help_names_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

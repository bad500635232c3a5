// SPDX-License-Identifier: Apache-2.0
//
// The table of features, and topic names.
#include "metadata/feature.h"

#include "testing.h"

static void levels_beyond_ours_are_refused(void **state)
{
    static const struct {
        const char *name;
        int16_t level;
        int err;
    } cases[] = {
        {"metadata.version", 33, 0},
        {"metadata.version", 7, 0},
        {"metadata.version", 34, ERR_UNSUPPORTED},
        {"metadata.version", 6, ERR_UNSUPPORTED},
        {"metadata.version", 0, ERR_UNSUPPORTED},
        {"share.version", 2, 0},
        {"share.version", 3, ERR_UNSUPPORTED},
        {"transaction.version", -1, ERR_UNSUPPORTED},
        {"group.version", 0, 0},
        {"no.such.version", 0, 0},
        {"no.such.version", 1, ERR_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct diag diag;
        diag_clear(&diag);
        assert_int_equal(feature_check(str_from(cases[i].name), cases[i].level, &diag), cases[i].err);
        if (cases[i].err != 0)
            assert_non_null(strstr(diag.text, cases[i].name));
    }
}

static void the_table_names_every_level(void **state)
{
    assert_string_equal(metadata_version_name(33), "4.4-IV2");
    assert_string_equal(metadata_version_name(25), "4.0-IV3");
    assert_string_equal(metadata_version_name(7), "3.3-IV3");
    assert_string_equal(metadata_version_name(1), "3.0-IV1");
    assert_null(metadata_version_name(0));
    assert_null(metadata_version_name(34));
    for (int i = 0; i < FEATURE_COUNT; i++)
        assert_int_equal(feature_find(str_from(feature_info((enum feature)i)->name)), i);
    assert_int_equal(feature_find(str_from("kraft.version")), -1);
}

// The reasons are Kafka's words.
static void topic_names_follow_the_rules(void **state)
{
    char longest[250], too_long[251];
    memset(longest, 'a', sizeof longest);
    longest[249] = '\0';
    memset(too_long, 'a', sizeof too_long);
    too_long[250] = '\0';
    char reason_too_long[400];
    snprintf(reason_too_long, sizeof reason_too_long,
             "the length of '%s' is longer than the max allowed length 249", too_long);
    const struct {
        const char *name;
        const char *reason;
    } cases[] = {
        {"a", NULL},
        {"A-z_0.9", NULL},
        {"...", NULL},
        {longest, NULL},
        {"", "the empty string is not allowed"},
        {".", "'.' is not allowed"},
        {"..", "'..' is not allowed"},
        {too_long, reason_too_long},
        {"bad name", "'bad name' contains one or more characters other than ASCII alphanumerics, "
                     "'.', '_' and '-'"},
        {"a/b", "'a/b' contains one or more characters other than ASCII alphanumerics, '.', '_' and "
                "'-'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct diag reason;
        assert_int_equal(topic_name_check(str_from(cases[i].name), &reason),
                         cases[i].reason == NULL);
        if (cases[i].reason != NULL)
            assert_string_equal(reason.text, cases[i].reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_beyond_ours_are_refused),
        cmocka_unit_test(the_table_names_every_level),
        cmocka_unit_test(topic_names_follow_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

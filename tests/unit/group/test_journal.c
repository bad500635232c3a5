// SPDX-License-Identifier: Apache-2.0
//
// The journal of a group: bounded, in order, with the first cause of each rebalance and the last member.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "group/journal.h"

static const struct str NOTHING = {NULL, 0};

static void begin(struct group_journal *j, int64_t ms, const char *member)
{
    group_journal_begin(j, &(struct coordinator_time){ms, ms + 1000}, REBALANCE_JOINED, str_from(member),
                        str_from("app"), str_from("/10.0.0.1"), NOTHING, 3);
}

static void end(struct group_journal *j, int64_t ms, int32_t epoch)
{
    group_journal_end(j, &(struct coordinator_time){ms, ms + 1000}, 4, epoch);
}

static void test_one(void **state)
{
    struct group_journal j = {0};
    assert_null(group_journal_entry(&j, 0));
    end(&j, 1, 1); // none goes on
    begin(&j, 10, "a");
    begin(&j, 20, "b"); // falls into it
    group_journal_member(&j, &(struct coordinator_time){30, 1030}, str_from("c"), str_from("app-c"),
                         str_from("/10.0.0.3"));
    const struct journal_entry *e = group_journal_entry(&j, 0);
    assert_int_equal(e->duration_ms, -1);
    end(&j, 50, 7);
    assert_string_equal(e->member, "a");
    assert_string_equal(e->client, "app (/10.0.0.1)");
    assert_null(e->reason);
    assert_int_equal(e->begin_mono_ms, 10);
    assert_int_equal(e->begin_wall_ms, 1010);
    assert_int_equal(e->duration_ms, 40);
    assert_int_equal(e->members_before, 3);
    assert_int_equal(e->members_after, 4);
    assert_int_equal(e->epoch, 7);
    assert_int_equal(e->causes, 2);
    assert_string_equal(e->last_member, "app-c (/10.0.0.3)");
    assert_int_equal(e->last_member_ms, 20);
    assert_int_equal(j.total, 1);
    assert_int_equal(j.total_busy_ms, 40);
    group_journal_release(&j);
}

static void test_keeps_the_newest(void **state)
{
    struct group_journal j = {0};
    for (int i = 0; i < 3 * JOURNAL_ENTRIES_MAX + 5; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m%d", i);
        begin(&j, i, name);
        end(&j, i, i);
        for (int k = 0; k <= i && k < JOURNAL_ENTRIES_MAX; k++) {
            snprintf(name, sizeof(name), "m%d", i - k);
            assert_string_equal(group_journal_entry(&j, k)->member, name);
        }
        assert_null(group_journal_entry(&j, i < JOURNAL_ENTRIES_MAX ? i + 1 : JOURNAL_ENTRIES_MAX));
        assert_true(j.capacity <= 2 * j.count); // a quiet group has little
    }
    assert_null(group_journal_entry(&j, -1));
    assert_int_equal(j.total, 3 * JOURNAL_ENTRIES_MAX + 5);
    group_journal_release(&j);
}

static void test_cuts_texts(void **state)
{
    struct group_journal j = {0};
    char text[JOURNAL_TEXT_MAX + 4];
    memset(text, 'x', sizeof(text));
    memcpy(text + JOURNAL_TEXT_MAX - 1, "\303\244", 2); // the limit is in the middle of a character
    group_journal_begin(&j, &(struct coordinator_time){0}, REBALANCE_LEFT, NOTHING, NOTHING, NOTHING,
                        str_of(text, sizeof(text)), 1);
    const struct journal_entry *e = group_journal_entry(&j, 0);
    assert_int_equal(strlen(e->reason), JOURNAL_TEXT_MAX - 1);
    assert_null(e->member);
    assert_null(e->client);
    group_journal_release(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_keeps_the_newest),
        cmocka_unit_test(test_cuts_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
//
// Patterns whose topics are looked for in more than one turn.
#include "consumer_testing.h"

#include <stdio.h>

#include "wire/api/delete_groups.h"

enum { MANY = 1100, SEARCH_MS = 200 };

static void begin(struct fixture *f, int others)
{
    char name[32];
    fixture_init(f);
    fixture_topic(f, "t", 4);
    fixture_topic(f, "tt", 1);
    for (int i = 0; i < others; i++) {
        snprintf(name, sizeof(name), "other-%04d", i);
        fixture_topic(f, name, 1);
    }
}

static int regex_records(struct fixture *f)
{
    return fixture_record_count(f, GROUP_RECORD_CONSUMER_GROUP_REGULAR_EXPRESSION);
}

// The member hears of the topics with a later heartbeat, and has what it had until then.
static void test_found_later(void **state)
{
    struct fixture f;
    begin(&f, MANY);
    assert_beat(&f, BEAT(&f, .regex = "t+"), 1, "");
    assert_beat(&f, BEAT(&f, .epoch = 1), 1, NULL); // the same search goes on
    fixture_advance(&f, 1);
    assert_int_equal(regex_records(&f), 0); // a turn looks at some of them
    assert_false(list_empty(&f.groups->searches));
    fixture_advance(&f, SEARCH_MS);
    assert_int_equal(regex_records(&f), 1);
    assert_true(list_empty(&f.groups->searches));
    assert_beat(&f, BEAT(&f, .epoch = 1), 2, "t:0,1,2,3 tt:0");
    fixture_advance(&f, CONSUMER_REGEX_REFRESH_MIN_MS);
    fixture_topic(&f, "ttt", 1);
    assert_beat(&f, BEAT(&f, .epoch = 2), 2, NULL);
    fixture_advance(&f, SEARCH_MS);
    assert_int_equal(regex_records(&f), 2);
    assert_beat(&f, BEAT(&f, .epoch = 2), 3, "t:0,1,2,3 tt:0 ttt:0");
    // Nothing new is no news.
    fixture_advance(&f, CONSUMER_REGEX_REFRESH_MIN_MS);
    fixture_topic(&f, "x", 1);
    assert_beat(&f, BEAT(&f, .epoch = 3), 3, NULL);
    fixture_advance(&f, SEARCH_MS);
    assert_int_equal(regex_records(&f), 2);
    fixture_check_replay(&f);
    fixture_release(&f);
}

// What is wrong with a pattern is said at once.
static void test_wrong_pattern(void **state)
{
    struct fixture f;
    begin(&f, MANY);
    assert_beat_error(BEAT(&f, .regex = "t["), KAFKA_INVALID_REGULAR_EXPRESSION,
                      "SubscribedTopicRegex `t[` is not a valid regular expression: missing closing ].");
    assert_true(list_empty(&f.groups->searches));
    fixture_release(&f);
}

// A pattern that may be in many places at once is looked for later, too, however few topics there are.
static void test_heavy_pattern(void **state)
{
    struct fixture f;
    begin(&f, 0);
    fixture_topic(&f, "tttttttttttttttttttttttttttttttttttttttttttt-end", 1);
    assert_beat(&f, BEAT(&f, .regex = "(.{0,40}.*){2}.*end"), 1, "");
    fixture_advance(&f, SEARCH_MS);
    assert_beat(&f, BEAT(&f, .epoch = 1), 2, "tttttttttttttttttttttttttttttttttttttttttttt-end:0");
    fixture_release(&f);
}

// Two groups and two patterns, one after another.
static void test_several(void **state)
{
    struct fixture f;
    begin(&f, MANY);
    assert_beat(&f, BEAT(&f, .regex = "t"), 1, "");
    assert_beat(&f, BEAT(&f, .member = "m2", .regex = "tt"), 1, "");
    assert_beat(&f, BEAT(&f, .group = "h", .regex = "t+"), 1, "");
    fixture_advance(&f, 2 * SEARCH_MS);
    assert_beat(&f, BEAT(&f, .epoch = 1), 2, "t:0,1,2,3");
    assert_beat(&f, BEAT(&f, .member = "m2", .epoch = 1), 2, "tt:0");
    assert_beat(&f, BEAT(&f, .group = "h", .epoch = 1), 2, "t:0,1,2,3 tt:0");
    fixture_release(&f);
}

// A search dies with its coordinator, its member or its group; whoever still needs it begins it again.
static void test_interrupted(void **state)
{
    struct fixture f;
    begin(&f, MANY);
    assert_beat(&f, BEAT(&f, .regex = "t+"), 1, "");
    fixture_advance(&f, 1);
    fixture_reload(&f, true);
    assert_true(list_empty(&f.groups->searches));
    assert_beat(&f, BEAT(&f, .epoch = 1), 1, NULL);
    fixture_advance(&f, SEARCH_MS);
    assert_beat(&f, BEAT(&f, .epoch = 1), 2, "t:0,1,2,3 tt:0");
    // Nobody subscribes to what is found.
    assert_beat(&f, BEAT(&f, .member = "m2", .regex = "o.*"), 2, "");
    assert_beat(&f, BEAT(&f, .member = "m2", .epoch = -1), -1, NULL);
    fixture_advance(&f, SEARCH_MS);
    assert_int_equal(regex_records(&f), 1);
    fixture_check_replay(&f);
    // The group goes.
    assert_beat(&f, BEAT(&f, .group = "h", .regex = "t+"), 1, "");
    assert_beat(&f, BEAT(&f, .group = "h", .epoch = -1), -1, NULL);
    struct delete_groups_response_deletable_group_result deleted = {0};
    struct fixture_call *call = fixture_call_part(&f, &deleted, 2);
    groups_delete(f.groups, &call->call, &f.now, str_from("h"));
    fixture_settle(&f);
    assert_int_equal(deleted.error_code, KAFKA_NONE);
    assert_true(list_empty(&f.groups->searches));
    fixture_advance(&f, SEARCH_MS);
    // Under way at the end.
    assert_beat(&f, BEAT(&f, .group = "i", .regex = "t+"), 1, "");
    fixture_release(&f);
}

// Slower turns look at less.
static void test_late_turns(void **state)
{
    struct fixture f;
    begin(&f, MANY);
    assert_beat(&f, BEAT(&f, .regex = "t+"), 1, "");
    int32_t names = f.groups->search_names;
    fixture_advance(&f, 2);
    assert_true(f.groups->search_names > names);
    names = f.groups->search_names;
    f.now.mono_ms += 50; // the thread was busy
    coordinator_advance(f.coordinator, &f.now);
    assert_int_equal(f.groups->search_names, names / 2);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_later),
        cmocka_unit_test(test_wrong_pattern),
        cmocka_unit_test(test_heavy_pattern),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_late_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

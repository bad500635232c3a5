// SPDX-License-Identifier: Apache-2.0
//
// The fixture itself: a log that is written, read back, cut and loaded.
#include "fixture.h"


static void test_starts_empty(void **state)
{
    struct fixture f;
    fixture_init(&f);
    struct uuid id = fixture_topic(&f, "t", 2);
    assert_true(uuid_equal(id, fixture_topic(&f, "t", 3)));
    assert_int_equal(metadata_image_topic(f.image, str_from("t"))->partition_count, 3);
    fixture_advance(&f, 10000);
    assert_int_equal(f.now.mono_ms, 1010000);
    fixture_check_replay(&f);
    fixture_reload(&f, false);
    fixture_delete_topic(&f, "t");
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

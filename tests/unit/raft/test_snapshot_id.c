// SPDX-License-Identifier: Apache-2.0
//
// Names of snapshots of the metadata log.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "raft/snapshot_id.h"

static void names_are_kafkas(void **state)
{
    struct snapshot_id id = {.end_offset = 137, .epoch = 1};
    assert_string_equal(snapshot_name_format(id).text,
                        "00000000000000000137-0000000001.checkpoint");
    assert_string_equal(snapshot_part_name_format(id).text,
                        "00000000000000000137-0000000001.checkpoint.part");
    id = (struct snapshot_id){.end_offset = INT64_MAX, .epoch = INT32_MAX};
    assert_string_equal(snapshot_name_format(id).text,
                        "09223372036854775807-2147483647.checkpoint");
}

static void names_are_read(void **state)
{
    static const struct {
        const char *name;
        bool good;
        int64_t end_offset;
        int32_t epoch;
        enum snapshot_state state;
    } cases[] = {
        {"00000000000000000000-0000000000.checkpoint", true, 0, 0, SNAPSHOT_COMPLETE},
        {"00000000000000000137-0000000001.checkpoint", true, 137, 1, SNAPSHOT_COMPLETE},
        {"09223372036854775807-2147483647.checkpoint", true, INT64_MAX, INT32_MAX,
         SNAPSHOT_COMPLETE},
        {"00000000000000000137-0000000001.checkpoint.part", true, 137, 1, SNAPSHOT_PARTIAL},
        {"00000000000000000137-0000000001-8837.checkpoint.part", true, 137, 1, SNAPSHOT_PARTIAL},
        {"00000000000000000137-0000000001.checkpoint.deleted", true, 137, 1, SNAPSHOT_DELETED},
        {"bootstrap.checkpoint", false, 0, 0, 0},
        {"00000000000000000137-0000000001.checkpoin", false, 0, 0, 0},
        {"00000000000000000137-0000000001.checkpoint.bak", false, 0, 0, 0},
        {"00000000000000000137_0000000001.checkpoint", false, 0, 0, 0},
        {"0000000000000000013x-0000000001.checkpoint", false, 0, 0, 0},
        {"-0000000000000000137-0000000001.checkpoint", false, 0, 0, 0},
        {"00000000000000000137-9999999999.checkpoint", false, 0, 0, 0},
        {"99999999999999999999-0000000001.checkpoint", false, 0, 0, 0},
        {"00000000000000000000.log", false, 0, 0, 0},
        {"", false, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct snapshot_id id;
        enum snapshot_state kind;
        assert_int_equal(snapshot_name_parse(str_from(cases[i].name), &id, &kind), cases[i].good);
        if (!cases[i].good)
            continue;
        assert_int_equal(id.end_offset, cases[i].end_offset);
        assert_int_equal(id.epoch, cases[i].epoch);
        assert_int_equal(kind, cases[i].state);
    }
}

static void the_later_epoch_wins(void **state)
{
    struct snapshot_id old = {100, 3}, longer = {200, 3}, newer = {50, 4};
    assert_true(snapshot_id_compare(old, longer) < 0);
    assert_true(snapshot_id_compare(newer, longer) > 0);
    assert_int_equal(snapshot_id_compare(old, old), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_kafkas),
        cmocka_unit_test(names_are_read),
        cmocka_unit_test(the_later_epoch_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

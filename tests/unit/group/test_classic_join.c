// SPDX-License-Identifier: Apache-2.0
//
// JoinGroup: who may join, who is told what, and when a generation begins.
#include "classic_testing.h"

#include "wire/record/group_metadata_value.h"

static void test_first_member(void **state)
{
    struct fixture f;
    fixture_init(&f);
    struct fixture_call *first = JOIN(&f, .client = "app");
    assert_int_equal(join_error(first), KAFKA_MEMBER_ID_REQUIRED);
    assert_int_equal(joined(first)->generation_id, -1);
    assert_null(joined(first)->protocol_type.data);
    assert_null(joined(first)->protocol_name.data);
    assert_int_equal(joined(first)->member_id.size, strlen("app-") + 36);
    assert_true(str_starts_with(joined(first)->member_id, "app-"));
    assert_state(&f, "g", "Empty", 0, 0);
    assert_int_equal(fixture_record_count(&f, GROUP_RECORD_GROUP_METADATA), 1);

    const char *id = text_of(&f, joined(first)->member_id);
    struct fixture_call *second = JOIN(&f, .member = id, .client = "app", .metadata = "meta");
    assert_false(second->is_done);
    assert_state(&f, "g", "PreparingRebalance", 0, 1);
    fixture_advance(&f, INITIAL_DELAY_MS - 1);
    assert_false(second->is_done);
    fixture_advance(&f, 1);
    const struct join_group_response *r = joined(second);
    assert_int_equal(r->error_code, KAFKA_NONE);
    assert_int_equal(r->generation_id, 1);
    assert_true(str_is(r->protocol_type, "consumer"));
    assert_true(str_is(r->protocol_name, "range"));
    assert_true(str_is(r->leader, id));
    assert_true(str_is(r->member_id, id));
    assert_false(r->skip_assignment);
    assert_int_equal(r->members.count, 1);
    assert_true(str_is(r->members.items[0].member_id, id));
    assert_null(r->members.items[0].group_instance_id.data);
    assert_true(str_is(bytes_str(r->members.items[0].metadata), "meta"));
    assert_state(&f, "g", "CompletingRebalance", 1, 1);
    fixture_release(&f);
}

static void test_becomes_stable(void **state)
{
    struct fixture f;
    struct group_metadata_value v;
    fixture_init(&f);
    const char *id = begin_group(&f, "g");
    assert_state(&f, "g", "Stable", 1, 1);
    assert_int_equal(fixture_last_value(&f, GROUP_RECORD_GROUP_METADATA, &v), 3);
    assert_true(str_is(v.protocol_type, "consumer"));
    assert_int_equal(v.generation, 1);
    assert_true(str_is(v.protocol, "range"));
    assert_true(str_is(v.leader, id));
    assert_int_equal(v.members.count, 1);
    assert_true(str_is(v.members.items[0].member_id, id));
    assert_true(str_is(v.members.items[0].client_host, "/127.0.0.1"));
    assert_true(str_is(bytes_str(v.members.items[0].assignment), id));
    fixture_check_replay(&f);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_member),
        cmocka_unit_test(test_becomes_stable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

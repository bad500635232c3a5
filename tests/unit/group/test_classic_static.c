// SPDX-License-Identifier: Apache-2.0
//
// Static members (KIP-345): they come back without their id and keep their place; leaders may skip the
// assignment (KIP-814).
#include "classic_testing.h"

#include "wire/record/group_metadata_value.h"

// A stable group of a static leader "lead", a static "stat" and a dynamic member, generation 3.
static void begin_static(struct fixture *f, const char *ids[4])
{
    int count = 0;
    fixture_init(f);
    struct fixture_call *call = JOIN(f, .instance = "lead");
    assert_false(call->is_done); // never asked to come again with an id
    fixture_advance(f, INITIAL_DELAY_MS);
    ids[count++] = text_of(f, joined(call)->member_id);
    assert_true(str_starts_with(joined(call)->member_id, "lead-"));
    assert_true(str_is(joined(call)->members.items[0].group_instance_id, "lead"));
    char parts[200];
    snprintf(parts, sizeof(parts), "%s=%s", ids[0], ids[0]);
    assert_int_equal(sync_error(sync_group(f, "g", ids[0], 1, parts)), KAFKA_NONE);
    add_member(f, "g", ids, &count, &(struct join_options){.instance = "stat"});
    add_member(f, "g", ids, &count, &(struct join_options){0});
    assert_state(f, "g", "Stable", 3, 3);
}

static void test_comes_back(void **state)
{
    static const struct {
        const char *instance;
        int version;
        bool skips, told_members, leads_by_new_id;
    } cases[] = {
        {"lead", 9, true, true, true},
        {"lead", 8, false, false, false}, // it must not believe that it leads
        {"lead", 5, false, false, false},
        {"stat", 9, false, false, false},
        {"stat", 8, false, false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct fixture f;
        const char *ids[4];
        struct group_metadata_value v;
        begin_static(&f, ids);
        bool is_leader = strcmp(cases[i].instance, "lead") == 0;
        const char *old_id = ids[is_leader ? 0 : 1];
        int records = fixture_record_count(&f, GROUP_RECORD_GROUP_METADATA);
        struct fixture_call *call = JOIN(&f, .instance = cases[i].instance, .version = cases[i].version,
                                         .session_ms = 7000, .rebalance_ms = 8000, .metadata = "new");
        const struct join_group_response *r = joined(call);
        assert_int_equal(r->error_code, KAFKA_NONE);
        assert_int_equal(r->generation_id, 3); // no rebalance
        assert_state(&f, "g", "Stable", 3, 3);
        assert_false(str_is(r->member_id, old_id));
        assert_int_equal(r->skip_assignment, cases[i].skips);
        assert_int_equal(r->members.count, cases[i].told_members ? 3 : 0);
        assert_true(cases[i].leads_by_new_id ? str_equal(r->leader, r->member_id) : str_is(r->leader, ids[0]));

        // It was written, with what it was assigned.
        assert_int_equal(fixture_record_count(&f, GROUP_RECORD_GROUP_METADATA), records + 1);
        fixture_last_value(&f, GROUP_RECORD_GROUP_METADATA, &v);
        const struct group_metadata_value_member_metadata *m = &v.members.items[is_leader ? 0 : 1];
        assert_true(str_equal(m->member_id, r->member_id));
        assert_true(str_is(bytes_str(m->assignment), old_id));
        assert_true(str_is(bytes_str(m->subscription), "new"));
        assert_int_equal(m->session_timeout, 7000);
        assert_int_equal(m->rebalance_timeout, 8000);
        assert_int_equal(str_equal(v.leader, r->member_id), is_leader);
        fixture_check_replay(&f);

        // The old id is fenced, the new one gets the assignment.
        const char *new_id = text_of(&f, r->member_id);
        assert_int_equal(join_error(JOIN(&f, .member = old_id, .instance = cases[i].instance)),
                         KAFKA_FENCED_INSTANCE_ID);
        assert_int_equal(heartbeat(&f, "g", old_id, 3), KAFKA_UNKNOWN_MEMBER_ID);
        struct fixture_call *sync = sync_group(&f, "g", new_id, 3, "");
        assert_true(str_is(bytes_str(synced(sync)->assignment), old_id));
        fixture_release(&f);
    }
}

static void test_answer_waits_for_the_record(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_static(&f, ids);
    f.holds_commits = true;
    struct fixture_call *call = JOIN(&f, .instance = "stat");
    assert_false(call->is_done);
    f.holds_commits = false;
    fixture_settle(&f);
    assert_int_equal(join_error(call), KAFKA_NONE);
    fixture_release(&f);
}

static void test_record_that_does_not_fit(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_static(&f, ids);
    f.batch_bytes_max = 800;
    fixture_reload(&f, true);
    char metadata[1000];
    memset(metadata, 'x', sizeof(metadata));
    metadata[sizeof(metadata) - 1] = '\0';
    struct fixture_call *call = JOIN(&f, .instance = "stat", .metadata = metadata);
    assert_int_equal(join_error(call), KAFKA_UNKNOWN_SERVER_ERROR);
    assert_int_equal(joined(call)->member_id.size, 0);
    assert_int_equal(heartbeat(&f, "g", ids[1], 3), KAFKA_NONE); // the old id is still good
    fixture_release(&f);
}

static void test_comes_back_with_other_protocol(void **state)
{
    struct fixture f;
    fixture_init(&f);
    struct fixture_call *a = JOIN(&f, .instance = "a", .protocols = "range,sticky");
    fixture_advance(&f, INITIAL_DELAY_MS);
    const char *id = text_of(&f, joined(a)->member_id);
    char parts[200];
    snprintf(parts, sizeof(parts), "%s=x", id);
    assert_int_equal(sync_error(sync_group(&f, "g", id, 1, parts)), KAFKA_NONE);
    struct fixture_call *call = JOIN(&f, .instance = "a", .protocols = "sticky,range");
    assert_int_equal(join_error(call), KAFKA_NONE);
    assert_true(str_is(joined(call)->protocol_name, "sticky"));
    assert_int_equal(joined(call)->generation_id, 2);
    assert_state(&f, "g", "CompletingRebalance", 2, 1);
    fixture_release(&f);
}

static void test_comes_back_while_members_sync(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_static(&f, ids);
    struct fixture_call *calls[3];
    for (int i = 0; i < 3; i++)
        calls[i] = JOIN(&f, .member = ids[i]);
    assert_int_equal(join_error(calls[0]), KAFKA_NONE);
    struct fixture_call *fenced = sync_group(&f, "g", ids[1], 4, "");
    struct fixture_call *waiting = sync_group(&f, "g", ids[2], 4, "");
    struct fixture_call *call = JOIN(&f, .instance = "stat");
    assert_int_equal(sync_error(fenced), KAFKA_FENCED_INSTANCE_ID);
    assert_int_equal(sync_error(waiting), KAFKA_REBALANCE_IN_PROGRESS);
    assert_false(call->is_done);
    assert_state(&f, "g", "PreparingRebalance", 4, 3);
    fixture_release(&f);
}

static void test_comes_back_while_members_join(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_static(&f, ids);
    struct fixture_call *fenced = JOIN(&f, .member = ids[0], .instance = "lead");
    assert_false(fenced->is_done);
    struct fixture_call *call = JOIN(&f, .instance = "lead");
    assert_int_equal(join_error(fenced), KAFKA_FENCED_INSTANCE_ID);
    assert_true(str_is(joined(fenced)->member_id, ids[0]));
    JOIN(&f, .member = ids[1]);
    JOIN(&f, .member = ids[2]);
    assert_int_equal(join_error(call), KAFKA_NONE);
    assert_true(str_equal(joined(call)->leader, joined(call)->member_id)); // leads on, under its new id
    assert_int_equal(joined(call)->members.count, 3);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_answer_waits_for_the_record),
        cmocka_unit_test(test_record_that_does_not_fit),
        cmocka_unit_test(test_comes_back_with_other_protocol),
        cmocka_unit_test(test_comes_back_while_members_sync),
        cmocka_unit_test(test_comes_back_while_members_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

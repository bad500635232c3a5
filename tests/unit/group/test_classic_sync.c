// SPDX-License-Identifier: Apache-2.0
//
// SyncGroup: the leader's assignment is stored, then everybody has it; what goes wrong on the way.
#include "classic_testing.h"

#include "base/err.h"

// Three members, the first leads; CompletingRebalance in generation 4 when `joins`, else Stable in 3.
static void begin_three(struct fixture *f, const char *ids[4], bool joins)
{
    int count = 1;
    fixture_init(f);
    ids[0] = begin_group(f, "g");
    add_member(f, "g", ids, &count, &(struct join_options){.instance = "stat"});
    add_member(f, "g", ids, &count, &(struct join_options){0});
    for (int i = 0; joins && i < 3; i++)
        JOIN(f, .member = ids[i]);
    assert_state(f, "g", joins ? "CompletingRebalance" : "Stable", joins ? 4 : 3, 3);
}

static struct fixture_call *sync_with(struct fixture *f, struct sync_group_request *r, int16_t version)
{
    struct fixture_call *call = fixture_call_new(f, &sync_group_response_schema, version);
    groups_sync(f->groups, &call->call, &f->now, r);
    fixture_settle(f);
    return call;
}

static void test_refusals(void **state)
{
    static const struct {
        const char *group, *member, *instance, *type, *protocol;
        int generation;
        int16_t version;
        enum kafka_error error;
    } cases[] = {
        {"", "m", NULL, NULL, NULL, 4, 4, KAFKA_INVALID_GROUP_ID},
        {"", "m", NULL, NULL, NULL, 4, 5, KAFKA_INCONSISTENT_GROUP_PROTOCOL}, // goes before the group id
        {"g", "0", NULL, NULL, "range", 4, 5, KAFKA_INCONSISTENT_GROUP_PROTOCOL},
        {"g", "0", NULL, "consumer", NULL, 4, 5, KAFKA_INCONSISTENT_GROUP_PROTOCOL},
        {"h", "m", NULL, "consumer", "range", 4, 5, KAFKA_UNKNOWN_MEMBER_ID},
        {"empty", "m", NULL, "consumer", "range", 0, 5, KAFKA_UNKNOWN_MEMBER_ID},
        {"g", "m", NULL, "consumer", "range", 4, 5, KAFKA_UNKNOWN_MEMBER_ID},
        {"g", "0", "other", "consumer", "range", 4, 5, KAFKA_UNKNOWN_MEMBER_ID},
        {"g", "0", "stat", "consumer", "range", 4, 5, KAFKA_FENCED_INSTANCE_ID},
        {"g", "m", "stat", "consumer", "range", 9, 5, KAFKA_FENCED_INSTANCE_ID},
        {"g", "0", NULL, "consumer", "range", 3, 5, KAFKA_ILLEGAL_GENERATION},
        {"g", "0", NULL, "connect", "range", 3, 5, KAFKA_ILLEGAL_GENERATION}, // goes before the type
        {"g", "0", NULL, "connect", "range", 4, 5, KAFKA_INCONSISTENT_GROUP_PROTOCOL},
        {"g", "0", NULL, "consumer", "sticky", 4, 5, KAFKA_INCONSISTENT_GROUP_PROTOCOL},
    };
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids, true);
    JOIN(&f, .group = "empty");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sync_group_request r;
        sync_group_request_init(&r);
        r.group_id = str_from(cases[i].group);
        r.member_id = str_from(cases[i].member[0] == '0' ? ids[0] : cases[i].member);
        r.group_instance_id = str_from(cases[i].instance);
        r.protocol_type = str_from(cases[i].type);
        r.protocol_name = str_from(cases[i].protocol);
        r.generation_id = cases[i].generation;
        struct fixture_call *call = sync_with(&f, &r, cases[i].version);
        if (sync_error(call) != cases[i].error)
            fail_msg("case %zu: %d", i, sync_error(call));
        assert_null(synced(call)->protocol_type.data);
        assert_null(synced(call)->protocol_name.data);
        assert_int_equal(synced(call)->assignment.size, 0);
    }
    assert_state(&f, "g", "CompletingRebalance", 4, 3);
    fixture_release(&f);
}

static void test_in_each_state(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids, false);
    struct fixture_call *call = sync_group(&f, "g", ids[1], 3, "");
    assert_true(str_is(bytes_str(synced(call)->assignment), ids[1])); // Stable: what it has
    JOIN(&f, .member = ids[0]);
    assert_int_equal(sync_error(sync_group(&f, "g", ids[1], 3, "")), KAFKA_REBALANCE_IN_PROGRESS);
    fixture_release(&f);
}

static void test_everybody_waits_for_leader_and_log(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids, true);
    struct fixture_call *early = sync_group(&f, "g", ids[1], 4, "");
    assert_false(early->is_done);
    f.holds_commits = true;
    char parts[300];
    // Of two parts the later counts; one for somebody else is dropped; ids[2] has none.
    snprintf(parts, sizeof(parts), "%s=no,%s=yes,%s=lead,nobody=x", ids[1], ids[1], ids[0]);
    struct fixture_call *leader = sync_group(&f, "g", ids[0], 4, parts);
    assert_false(leader->is_done);
    assert_false(early->is_done);
    struct fixture_call *late = sync_group(&f, "g", ids[2], 4, "");
    assert_false(late->is_done); // nobody is told before it is committed
    f.holds_commits = false;
    fixture_settle(&f);
    assert_true(str_is(bytes_str(synced(early)->assignment), "yes"));
    assert_true(str_is(bytes_str(synced(leader)->assignment), "lead"));
    assert_int_equal(sync_error(late), KAFKA_NONE);
    assert_int_equal(synced(late)->assignment.size, 0);
    assert_non_null(synced(late)->assignment.data);
    assert_true(str_is(synced(late)->protocol_type, "consumer"));
    assert_true(str_is(synced(late)->protocol_name, "range"));
    assert_state(&f, "g", "Stable", 4, 3);
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void test_second_sync_ends_the_first(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids, true);
    struct fixture_call *first = sync_group(&f, "g", ids[1], 4, "");
    struct fixture_call *second = sync_group(&f, "g", ids[1], 4, "");
    assert_int_equal(sync_error(first), KAFKA_REBALANCE_IN_PROGRESS);
    assert_false(second->is_done);
    fixture_release(&f);
}

static void test_rebalance_meanwhile(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids, true);
    struct fixture_call *waiting = sync_group(&f, "g", ids[1], 4, "");
    JOIN(&f, .member = ids[2], .metadata = "new");
    assert_int_equal(sync_error(waiting), KAFKA_REBALANCE_IN_PROGRESS);
    assert_state(&f, "g", "PreparingRebalance", 4, 3);
    fixture_advance(&f, SESSION_MS - 1); // the session of the one who waited began with the answer
    assert_non_null(classic_find_member(classic_of(&f, "g"), str_from(ids[1])));
    fixture_release(&f);
}

// The parts together are more than a batch may be: nothing is stored, everybody has to join again.
static void test_assignment_does_not_fit(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids, false);
    f.batch_bytes_max = 1500;
    fixture_reload(&f, true);
    for (int i = 0; i < 3; i++)
        JOIN(&f, .member = ids[i], .instance = i == 1 ? "stat" : NULL);
    assert_state(&f, "g", "CompletingRebalance", 4, 3);
    struct fixture_call *waiting = sync_group(&f, "g", ids[1], 4, "");
    char parts[2000];
    int n = snprintf(parts, sizeof(parts), "%s=", ids[2]);
    memset(parts + n, 'x', sizeof(parts) - (size_t)n);
    parts[sizeof(parts) - 1] = '\0';
    struct fixture_call *leader = sync_group(&f, "g", ids[0], 4, parts);
    assert_int_equal(sync_error(leader), KAFKA_UNKNOWN_SERVER_ERROR);
    assert_int_equal(sync_error(waiting), KAFKA_UNKNOWN_SERVER_ERROR);
    assert_state(&f, "g", "PreparingRebalance", 4, 3);
    assert_int_equal(group_journal_entry(&classic_of(&f, "g")->group->journal, 0)->causes, 2);
    fixture_release(&f);
}

// The log cannot take it: who waits hears so, and after a reload the last stored generation holds.
static void test_append_fails(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids, true);
    struct fixture_call *waiting = sync_group(&f, "g", ids[1], 4, "");
    f.append_error = ERR_IO;
    struct fixture_call *leader = sync_group(&f, "g", ids[0], 4, "");
    fixture_reload(&f, true);
    assert_int_equal(sync_error(waiting), KAFKA_NOT_COORDINATOR);
    assert_int_equal(sync_error(leader), KAFKA_NOT_COORDINATOR);
    assert_state(&f, "g", "Stable", 3, 3);
    assert_int_equal(heartbeat(&f, "g", ids[0], 4), KAFKA_ILLEGAL_GENERATION);
    fixture_release(&f);
}

static void test_not_committed(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids, true);
    f.holds_commits = true;
    struct fixture_call *leader = sync_group(&f, "g", ids[0], 4, "");
    assert_false(leader->is_done);
    fixture_reload(&f, false); // the batch is lost
    f.holds_commits = false;
    assert_int_equal(sync_error(leader), KAFKA_NOT_COORDINATOR);
    assert_state(&f, "g", "Stable", 3, 3);
    fixture_release(&f);
}

// Who does not sync within the rebalance timeout is out, though it heartbeats.
static void test_sync_time_is_up(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids, true);
    assert_int_equal(sync_error(sync_group(&f, "g", ids[0], 4, "")), KAFKA_NONE);
    assert_int_equal(sync_error(sync_group(&f, "g", ids[1], 4, "")), KAFKA_NONE);
    for (int ms = 0; ms < REBALANCE_MS; ms += 1000) {
        assert_state(&f, "g", "Stable", 4, 3);
        for (int i = 0; i < 3; i++)
            assert_int_equal(heartbeat(&f, "g", ids[i], 4), KAFKA_NONE);
        fixture_advance(&f, 1000);
    }
    assert_state(&f, "g", "PreparingRebalance", 4, 2);
    assert_null(classic_find_member(classic_of(&f, "g"), str_from(ids[2])));
    fixture_release(&f);
}

static void test_all_have_synced(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids, true);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sync_error(sync_group(&f, "g", ids[i], 4, "")), KAFKA_NONE);
    assert_false(coordinator_timer_is_set(&classic_of(&f, "g")->sync_timer));
    assert_int_equal(classic_of(&f, "g")->owing_count, 0);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_in_each_state),
        cmocka_unit_test(test_everybody_waits_for_leader_and_log),
        cmocka_unit_test(test_second_sync_ends_the_first),
        cmocka_unit_test(test_rebalance_meanwhile),
        cmocka_unit_test(test_assignment_does_not_fit),
        cmocka_unit_test(test_append_fails),
        cmocka_unit_test(test_not_committed),
        cmocka_unit_test(test_sync_time_is_up),
        cmocka_unit_test(test_all_have_synced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

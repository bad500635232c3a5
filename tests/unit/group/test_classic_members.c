// SPDX-License-Identifier: Apache-2.0
//
// Members that live, go and die: Heartbeat, LeaveGroup, sessions; and what the journal says of it.
#include "classic_testing.h"

#include "wire/record/group_metadata_value.h"

static const struct journal_entry *newest(struct fixture *f)
{
    const struct journal_entry *e = group_journal_entry(&classic_of(f, "g")->group->journal, 0);
    assert_non_null(e);
    return e;
}

// Three members, the first leads; Stable in generation 3.
static void begin_three(struct fixture *f, const char *ids[4])
{
    int count = 1;
    fixture_init(f);
    ids[0] = begin_group(f, "g");
    add_member(f, "g", ids, &count, &(struct join_options){.instance = "stat"});
    add_member(f, "g", ids, &count, &(struct join_options){0});
    assert_state(f, "g", "Stable", 3, 3);
}

static void keep_alive(struct fixture *f, const char *const *ids, int count, int generation, int ms)
{
    for (int at = 0; at < ms; at += 1000) {
        for (int i = 0; i < count; i++)
            heartbeat(f, "g", ids[i], generation);
        fixture_advance(f, 1000);
    }
}

// ---- Heartbeat ----

static int heartbeat_as(struct fixture *f, const char *group, const char *member, const char *instance,
                        int generation)
{
    struct heartbeat_request r = {str_from(group), generation, str_from(member), str_from(instance)};
    struct fixture_call *call = fixture_call_new(f, &heartbeat_response_schema, 4);
    groups_heartbeat(f->groups, &call->call, &f->now, &r);
    assert_true(call->is_done);
    return ((struct heartbeat_response *)call->response)->error_code;
}

static void test_heartbeat_refusals(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids);
    const char *given = text_of(&f, joined(JOIN(&f))->member_id);
    const struct {
        const char *group, *member, *instance;
        int generation;
        enum kafka_error error;
    } cases[] = {
        {"", ids[0], NULL, 3, KAFKA_INVALID_GROUP_ID},
        {"h", ids[0], NULL, 3, KAFKA_UNKNOWN_MEMBER_ID},
        {"g", "m", NULL, 3, KAFKA_UNKNOWN_MEMBER_ID},
        {"g", given, NULL, 3, KAFKA_UNKNOWN_MEMBER_ID}, // not a member yet
        {"g", ids[0], "other", 3, KAFKA_UNKNOWN_MEMBER_ID},
        {"g", ids[0], "stat", 3, KAFKA_FENCED_INSTANCE_ID},
        {"g", "m", "stat", 9, KAFKA_FENCED_INSTANCE_ID},
        {"g", ids[0], NULL, 2, KAFKA_ILLEGAL_GENERATION},
        {"g", ids[0], NULL, 3, KAFKA_NONE},
        {"g", ids[1], "stat", 3, KAFKA_NONE},
        {"g", ids[1], NULL, 3, KAFKA_NONE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int error = heartbeat_as(&f, cases[i].group, cases[i].member, cases[i].instance, cases[i].generation);
        if (error != (int)cases[i].error)
            fail_msg("case %zu: %d", i, error);
    }
    fixture_release(&f);
}

static void test_heartbeat_in_each_state(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids);
    assert_int_equal(heartbeat(&f, "g", ids[1], 3), KAFKA_NONE);
    JOIN(&f, .member = ids[0]);
    assert_int_equal(heartbeat(&f, "g", ids[1], 3), KAFKA_REBALANCE_IN_PROGRESS);
    JOIN(&f, .member = ids[1]);
    JOIN(&f, .member = ids[2]);
    assert_state(&f, "g", "CompletingRebalance", 4, 3);
    assert_int_equal(heartbeat(&f, "g", ids[1], 4), KAFKA_NONE);
    fixture_release(&f);
}

// ---- Sessions ----

static void test_session_ends(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids);
    fixture_advance(&f, SESSION_MS - 1);
    heartbeat(&f, "g", ids[1], 3);
    heartbeat(&f, "g", ids[2], 3);
    assert_state(&f, "g", "Stable", 3, 3);
    fixture_advance(&f, 1);
    assert_state(&f, "g", "PreparingRebalance", 3, 2); // the leader has not been heard of
    assert_int_equal(newest(&f)->cause, REBALANCE_SESSION_TIMEOUT);
    assert_string_equal(newest(&f)->member, ids[0]);
    assert_string_equal(newest(&f)->client, "client (/127.0.0.1)");
    assert_int_equal(newest(&f)->members_before, 3);
    struct fixture_call *calls[2] = {JOIN(&f, .member = ids[1]), JOIN(&f, .member = ids[2])};
    assert_int_equal(join_error(calls[0]), KAFKA_NONE);
    assert_true(str_is(joined(calls[1])->leader, ids[1])); // the one who came first
    assert_int_equal(newest(&f)->duration_ms, -1); // it ends when the assignment is there
    fixture_advance(&f, 700);
    assert_int_equal(sync_error(sync_group(&f, "g", ids[1], 4, "")), KAFKA_NONE);
    assert_int_equal(newest(&f)->duration_ms, 700);
    assert_int_equal(newest(&f)->members_after, 2);
    assert_int_equal(newest(&f)->epoch, 4);
    fixture_release(&f);
}

static void test_all_sessions_end(void **state)
{
    struct fixture f;
    const char *ids[4];
    struct group_metadata_value v;
    begin_three(&f, ids);
    fixture_advance(&f, SESSION_MS + 1);
    assert_state(&f, "g", "Empty", 4, 0);
    fixture_last_value(&f, GROUP_RECORD_GROUP_METADATA, &v);
    assert_int_equal(v.generation, 4);
    assert_int_equal(v.members.count, 0);
    assert_null(v.protocol.data);
    assert_null(v.leader.data);
    assert_true(str_is(v.protocol_type, "consumer"));
    assert_int_equal(v.current_state_timestamp, f.now.wall_ms - 1);
    assert_int_equal(newest(&f)->members_after, 0);
    fixture_check_replay(&f);
    fixture_release(&f);
}

// Who is parked cannot heartbeat, and lives.
static void test_parked_members_live(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids);
    struct fixture_call *join = JOIN(&f, .member = ids[0]);
    keep_alive(&f, ids + 1, 2, 3, SESSION_MS + 2000);
    assert_false(join->is_done);
    JOIN(&f, .member = ids[1]);
    JOIN(&f, .member = ids[2]);
    assert_int_equal(join_error(join), KAFKA_NONE);
    struct fixture_call *sync = sync_group(&f, "g", ids[1], 4, "");
    keep_alive(&f, (const char *const[]){ids[0], ids[2]}, 2, 4, SESSION_MS + 2000);
    assert_false(sync->is_done);
    assert_int_equal(sync_error(sync_group(&f, "g", ids[0], 4, "")), KAFKA_NONE);
    assert_int_equal(sync_error(sync), KAFKA_NONE);
    assert_state(&f, "g", "Stable", 4, 3);
    fixture_advance(&f, SESSION_MS - 1); // the session began with the answer
    assert_non_null(classic_find_member(classic_of(&f, "g"), str_from(ids[1])));
    fixture_release(&f);
}

// Who asks for its part once more is alive (its first answer was lost): found by a simulation, seed 5021.
static void test_sync_is_a_sign_of_life(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids);
    fixture_advance(&f, SESSION_MS - 1);
    assert_int_equal(sync_error(sync_group(&f, "g", ids[1], 3, "")), KAFKA_NONE);
    fixture_advance(&f, SESSION_MS - 1);
    assert_state(&f, "g", "PreparingRebalance", 3, 1);
    assert_non_null(classic_find_member(classic_of(&f, "g"), str_from(ids[1])));
    fixture_release(&f);
}

// Whose call ends with an error without a rebalance, has a session again.
static void test_parked_calls_fail(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids);
    struct fixture_call *join = JOIN(&f, .member = ids[0]);
    keep_alive(&f, ids + 1, 2, 3, SESSION_MS + 1000);
    classic_fail_parked(classic_of(&f, "g"), KAFKA_REBALANCE_IN_PROGRESS);
    assert_int_equal(join_error(join), KAFKA_REBALANCE_IN_PROGRESS);
    assert_state(&f, "g", "PreparingRebalance", 3, 3);
    keep_alive(&f, ids + 1, 2, 3, SESSION_MS);
    assert_state(&f, "g", "PreparingRebalance", 3, 2);
    fixture_release(&f);
}

// The last one that is waited for is dead: the generation begins without it, before the timeout.
static void test_session_ends_while_members_join(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids);
    fixture_advance(&f, 5000);
    struct fixture_call *call = JOIN(&f, .member = ids[0]);
    JOIN(&f, .member = ids[1]);
    fixture_advance(&f, SESSION_MS - 5001);
    assert_false(call->is_done);
    fixture_advance(&f, 1);
    assert_int_equal(join_error(call), KAFKA_NONE);
    assert_state(&f, "g", "CompletingRebalance", 4, 2);
    fixture_release(&f);
}

// While the log stands still nobody was told anything, so nobody can be late.
static void test_log_stands_still(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids);
    for (int i = 0; i < 3; i++)
        JOIN(&f, .member = ids[i]);
    f.holds_commits = true;
    struct fixture_call *calls[3];
    for (int i = 0; i < 3; i++)
        calls[i] = sync_group(&f, "g", ids[i], 4, "");
    fixture_advance(&f, 3 * SESSION_MS);
    assert_state(&f, "g", "Stable", 4, 3);
    f.holds_commits = false;
    fixture_settle(&f);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sync_error(calls[i]), KAFKA_NONE);
    fixture_advance(&f, SESSION_MS + 1);
    assert_int_equal(classic_member_count(classic_of(&f, "g")), 0);
    fixture_release(&f);
}

// A log that is busy does not stand still: the commits of those who live keep nobody alive.
static void test_log_is_busy(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids);
    fixture_topic(&f, "t", 1);
    keep_alive(&f, ids, 2, 3, SESSION_MS - 1000);
    fixture_advance(&f, 999);
    for (int i = 0; i < 2; i++)
        heartbeat(&f, "g", ids[i], 3);
    f.holds_commits = true;
    struct fixture_call *call = fixture_commit_offset(&f, 8, "g", ids[0], 3, 0);
    assert_false(call->is_done);
    assert_state(&f, "g", "Stable", 3, 3);
    fixture_advance(&f, 1);
    assert_state(&f, "g", "PreparingRebalance", 3, 2);
    fixture_release(&f);
}

// ---- LeaveGroup ----

static const struct leave_group_response *leave_with(struct fixture *f, const char *group,
                                                     struct leave_group_request_member_identity *who,
                                                     int count)
{
    struct leave_group_request r = {.group_id = str_from(group), .members = {who, count}};
    struct fixture_call *call = fixture_call_new(f, &leave_group_response_schema, 5);
    groups_leave(f->groups, &call->call, &f->now, &r);
    fixture_settle(f);
    assert_true(call->is_done);
    return call->response;
}

static void test_leave_refusals(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids);
    assert_int_equal(leave(&f, "", ids[0]), KAFKA_INVALID_GROUP_ID);
    assert_int_equal(leave(&f, "h", ids[0]), KAFKA_UNKNOWN_MEMBER_ID);
    assert_int_equal(leave(&f, "g", "m"), KAFKA_UNKNOWN_MEMBER_ID);
    assert_int_equal(leave(&f, "g", ""), KAFKA_UNKNOWN_MEMBER_ID);
    struct leave_group_request_member_identity who[] = {
        {str_from(ids[0]), str_from("stat"), {NULL, 0}},
        {str_from("m"), str_from("stat"), {NULL, 0}},
        {str_from(ids[1]), str_from("other"), {NULL, 0}},
        {str_from(""), str_from("other"), {NULL, 0}},
        {str_from(""), {NULL, 0}, {NULL, 0}},
    };
    static const enum kafka_error errors[] = {
        KAFKA_FENCED_INSTANCE_ID, KAFKA_FENCED_INSTANCE_ID, KAFKA_UNKNOWN_MEMBER_ID,
        KAFKA_UNKNOWN_MEMBER_ID, KAFKA_UNKNOWN_MEMBER_ID,
    };
    const struct leave_group_response *r = leave_with(&f, "g", who, 5);
    assert_int_equal(r->error_code, KAFKA_NONE);
    assert_int_equal(r->members.count, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(r->members.items[i].error_code, errors[i]);
        assert_true(str_equal(r->members.items[i].member_id, who[i].member_id));
        assert_true(str_equal(r->members.items[i].group_instance_id, who[i].group_instance_id));
    }
    r = leave_with(&f, "h", who, 5);
    assert_int_equal(r->error_code, KAFKA_NONE);
    assert_int_equal(r->members.items[0].error_code, KAFKA_UNKNOWN_MEMBER_ID);
    r = leave_with(&f, "", who, 5);
    assert_int_equal(r->error_code, KAFKA_INVALID_GROUP_ID);
    assert_int_equal(r->members.count, 0);
    assert_state(&f, "g", "Stable", 3, 3);
    fixture_release(&f);
}

static void test_leave_several(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids);
    struct leave_group_request_member_identity who[] = {
        {str_from("m"), {NULL, 0}, {NULL, 0}},
        {str_from(""), str_from("stat"), str_from("scaled down")}, // as an administrator does
        {str_from(ids[2]), {NULL, 0}, {NULL, 0}},
    };
    const struct leave_group_response *r = leave_with(&f, "g", who, 3);
    assert_int_equal(r->members.items[0].error_code, KAFKA_UNKNOWN_MEMBER_ID);
    assert_int_equal(r->members.items[1].error_code, KAFKA_NONE);
    assert_int_equal(r->members.items[2].error_code, KAFKA_NONE);
    assert_state(&f, "g", "PreparingRebalance", 3, 1);
    assert_int_equal(newest(&f)->cause, REBALANCE_LEFT);
    assert_string_equal(newest(&f)->reason, "scaled down");
    assert_string_equal(newest(&f)->member, ids[1]);
    assert_int_equal(newest(&f)->members_before, 3);
    assert_int_equal(newest(&f)->causes, 2);
    fixture_release(&f);
}

static void test_leave_ends_waits(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids);
    // A parked join of one that leaves, which was also the last that was waited for.
    JOIN(&f, .member = ids[0]);
    struct fixture_call *join = JOIN(&f, .member = ids[1]);
    assert_int_equal(leave(&f, "g", ids[1]), KAFKA_NONE);
    assert_int_equal(join_error(join), KAFKA_UNKNOWN_MEMBER_ID);
    JOIN(&f, .member = ids[2]);
    assert_state(&f, "g", "CompletingRebalance", 4, 2);
    // A parked sync.
    struct fixture_call *sync = sync_group(&f, "g", ids[2], 4, "");
    assert_int_equal(leave(&f, "g", ids[2]), KAFKA_NONE);
    assert_int_equal(sync_error(sync), KAFKA_UNKNOWN_MEMBER_ID);
    assert_state(&f, "g", "PreparingRebalance", 4, 1);
    struct fixture_call *last = JOIN(&f, .member = ids[0]);
    assert_int_equal(join_error(last), KAFKA_NONE);
    fixture_release(&f);
}

static void test_last_one_leaves(void **state)
{
    struct fixture f;
    fixture_init(&f);
    const char *id = begin_group(&f, "g");
    assert_int_equal(leave(&f, "g", id), KAFKA_NONE);
    assert_state(&f, "g", "Empty", 2, 0);
    fixture_check_replay(&f);
    assert_int_equal(leave(&f, "g", id), KAFKA_UNKNOWN_MEMBER_ID);
    // Whoever comes then waits for more members again.
    struct fixture_call *call = JOIN(&f, .version = 3, .protocols = "other", .type = "connect");
    assert_false(call->is_done);
    fixture_advance(&f, INITIAL_DELAY_MS);
    assert_int_equal(joined(call)->generation_id, 3);
    fixture_release(&f);
}

static void test_leave_of_an_id_given_out(void **state)
{
    struct fixture f;
    fixture_init(&f);
    const char *id = begin_group(&f, "g");
    const char *given = text_of(&f, joined(JOIN(&f))->member_id);
    struct fixture_call *call = JOIN(&f, .member = id);
    assert_false(call->is_done); // it waits for the id
    assert_int_equal(leave(&f, "g", given), KAFKA_NONE);
    assert_int_equal(join_error(call), KAFKA_NONE);
    given = text_of(&f, joined(JOIN(&f))->member_id);
    assert_int_equal(leave(&f, "g", given), KAFKA_NONE);
    assert_state(&f, "g", "CompletingRebalance", 2, 1); // nothing has changed
    fixture_release(&f);
}

// ---- The journal ----

static void test_journal(void **state)
{
    struct fixture f;
    const char *ids[4];
    begin_three(&f, ids);
    assert_int_equal(newest(&f)->cause, REBALANCE_JOINED);
    assert_int_equal(newest(&f)->members_before, 2);
    assert_int_equal(newest(&f)->members_after, 3);
    assert_int_equal(newest(&f)->epoch, 3);
    struct group_journal *j = &classic_of(&f, "g")->group->journal;
    assert_int_equal(j->total, 3);
    assert_int_equal(group_journal_entry(j, 2)->cause, REBALANCE_JOINED);
    assert_int_equal(group_journal_entry(j, 2)->members_before, 0);
    assert_int_equal(group_journal_entry(j, 2)->duration_ms, INITIAL_DELAY_MS);

    JOIN(&f, .member = ids[0], .reason = "topic t has 8 partitions");
    assert_int_equal(newest(&f)->cause, REBALANCE_LEADER);
    assert_string_equal(newest(&f)->reason, "topic t has 8 partitions");
    fixture_advance(&f, 2000);
    JOIN(&f, .member = ids[1]);
    fixture_advance(&f, 3000);
    JOIN(&f, .member = ids[2], .metadata = "new"); // joins anyway: no cause of its own
    assert_int_equal(newest(&f)->causes, 1);
    assert_int_equal(newest(&f)->last_member_ms, 5000); // whom all waited for
    assert_string_equal(newest(&f)->last_member, "client (/127.0.0.1)");
    sync_group(&f, "g", ids[0], 4, "");
    assert_int_equal(newest(&f)->duration_ms, 5000);

    JOIN(&f, .member = ids[1], .metadata = "other");
    assert_int_equal(newest(&f)->cause, REBALANCE_SUBSCRIPTION);
    keep_alive(&f, ids, 3, 4, REBALANCE_MS);
    assert_int_equal(newest(&f)->causes, 2); // the others did not come
    assert_state(&f, "g", "CompletingRebalance", 5, 1);
    fixture_release(&f);
}

// Somebody who asked to join and has gone is not waited for longer than its session.
static void test_a_parked_member_whose_client_has_gone(void **state)
{
    struct fixture f;
    fixture_init(&f);
    const char *ids[4];
    int count = 0;
    ids[count++] = begin_group(&f, "g");
    add_member(&f, "g", ids, &count, &(struct join_options){0});
    struct fixture_call *gone = JOIN(&f, .member = ids[1], .metadata = "other");
    fixture_settle(&f);
    assert_false(gone->is_done);
    groups_call_gone(f.groups, &gone->call, &f.now);
    assert_true(gone->is_done);
    groups_call_gone(f.groups, &gone->call, &f.now); // harmless
    struct fixture_call *stays = JOIN(&f, .member = ids[0], .metadata = "other");
    fixture_advance(&f, SESSION_MS - 1);
    assert_false(stays->is_done); // it may be back any moment
    fixture_advance(&f, 2);
    assert_true(stays->is_done);
    assert_int_equal(join_error(stays), KAFKA_NONE);
    assert_int_equal(joined(stays)->members.count, 1);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heartbeat_refusals),
        cmocka_unit_test(test_heartbeat_in_each_state),
        cmocka_unit_test(test_session_ends),
        cmocka_unit_test(test_sync_is_a_sign_of_life),
        cmocka_unit_test(test_all_sessions_end),
        cmocka_unit_test(test_parked_members_live),
        cmocka_unit_test(test_parked_calls_fail),
        cmocka_unit_test(test_session_ends_while_members_join),
        cmocka_unit_test(test_log_stands_still),
        cmocka_unit_test(test_log_is_busy),
        cmocka_unit_test(test_leave_refusals),
        cmocka_unit_test(test_leave_several),
        cmocka_unit_test(test_a_parked_member_whose_client_has_gone),
        cmocka_unit_test(test_leave_ends_waits),
        cmocka_unit_test(test_last_one_leaves),
        cmocka_unit_test(test_leave_of_an_id_given_out),
        cmocka_unit_test(test_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
//
// JoinGroup: who may join, who is told what, and when a generation begins.
#include "classic_testing.h"

#include <string.h>

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

// ---- Refusals ----

// Each into a stable group "g" with the members "stat-..." (instance "stat") and a dynamic one.
static const struct refusal {
    const char *name;
    struct join_options options;
    enum kafka_error error;
} refusals[] = {
    {"no group id", {.group = "", .member = "m"}, KAFKA_INVALID_GROUP_ID},
    {"no group id goes before the timeout", {.group = "", .session_ms = 1}, KAFKA_INVALID_GROUP_ID},
    {"session too short", {.session_ms = 5999}, KAFKA_INVALID_SESSION_TIMEOUT},
    {"session too long", {.session_ms = 1800001}, KAFKA_INVALID_SESSION_TIMEOUT},
    {"timeout goes before the member", {.member = "x", .session_ms = 1}, KAFKA_INVALID_SESSION_TIMEOUT},
    {"a member of no group", {.group = "h", .member = "m"}, KAFKA_UNKNOWN_MEMBER_ID},
    {"unknown member", {.member = "m"}, KAFKA_UNKNOWN_MEMBER_ID},
    {"unknown instance", {.member = "m", .instance = "other"}, KAFKA_UNKNOWN_MEMBER_ID},
    {"another member has the instance", {.member = "m", .instance = "stat"}, KAFKA_FENCED_INSTANCE_ID},
    {"another type", {.type = "connect"}, KAFKA_INCONSISTENT_GROUP_PROTOCOL},
    {"another type goes before the member", {.member = "m", .type = "connect"},
     KAFKA_INCONSISTENT_GROUP_PROTOCOL},
    {"no common protocol", {.protocols = "sticky"}, KAFKA_INCONSISTENT_GROUP_PROTOCOL},
    {"no protocol", {.protocols = ","}, KAFKA_INCONSISTENT_GROUP_PROTOCOL},
    {"no type for a new group", {.group = "h", .type = ""}, KAFKA_INCONSISTENT_GROUP_PROTOCOL},
};

static void test_refusals(void **state)
{
    struct fixture f;
    fixture_init(&f);
    const char *ids[4] = {begin_group(&f, "g")};
    int count = 1;
    add_member(&f, "g", ids, &count, &(struct join_options){.instance = "stat"});
    for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
        const struct refusal *r = &refusals[i];
        static const int versions[] = {5, 6, 7, 9};
        for (size_t v = 0; v < sizeof(versions) / sizeof(*versions); v++) {
            struct join_options o = r->options;
            o.version = versions[v];
            struct fixture_call *call = join_with(&f, &o);
            if (join_error(call) != r->error)
                fail_msg("%s: %d", r->name, join_error(call));
            assert_int_equal(joined(call)->generation_id, -1);
            assert_true(str_is(joined(call)->member_id, o.member != NULL ? o.member : ""));
            assert_int_equal(joined(call)->protocol_name.data == NULL, versions[v] >= 7);
            assert_int_equal(joined(call)->leader.size, 0);
        }
    }
    assert_state(&f, "g", "Stable", 2, 2);
    assert_null(groups_find(f.groups, str_from("h"))); // nothing was made for a refusal
    fixture_release(&f);
}

static void test_too_many_protocols(void **state)
{
    struct fixture f;
    char names[8 * 300] = "";
    fixture_init(&f);
    for (int i = 0, n = 0; i < CLASSIC_PROTOCOLS_MAX + 1; i++)
        n += snprintf(names + n, sizeof(names) - (size_t)n, "%sp%d", i > 0 ? "," : "", i);
    assert_int_equal(join_error(JOIN(&f, .protocols = names)), KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    *strrchr(names, ',') = '\0';
    assert_int_equal(join_error(JOIN(&f, .protocols = names)), KAFKA_MEMBER_ID_REQUIRED);
    fixture_release(&f);
}

// Names are any bytes; two that differ behind a NUL are two.
static void test_names_with_nul(void **state)
{
    struct fixture f;
    struct join_group_request_join_group_request_protocol protocols[] = {
        {str_of("a\0x", 3), bytes_of("m", 1)},
        {str_of("a\0y", 3), bytes_of("m", 1)},
    };
    struct join_group_request r;
    fixture_init(&f);
    join_group_request_init(&r);
    r.group_id = str_from("g");
    r.protocol_type = str_of("c\0", 2);
    r.session_timeout_ms = SESSION_MS;
    r.protocols.items = protocols;
    r.protocols.count = 2;
    struct fixture_call *call = fixture_call_new(&f, &join_group_response_schema, 0);
    groups_join(f.groups, &call->call, &f.now, &r);
    fixture_settle(&f);
    assert_int_equal(classic_of(&f, "g")->protocols.count, 2);
    fixture_advance(&f, INITIAL_DELAY_MS);
    assert_int_equal(join_error(call), KAFKA_NONE);
    fixture_advance(&f, SESSION_MS);
    assert_int_equal(classic_of(&f, "g")->protocols.count, 0);
    // Of a group id what stands before the NUL counts, here; requests with such are refused before.
    r.group_id = str_of("h\0z", 3);
    call = fixture_call_new(&f, &join_group_response_schema, 0);
    groups_join(f.groups, &call->call, &f.now, &r);
    assert_state(&f, "h", "PreparingRebalance", 0, 1);
    fixture_release(&f);
}

// ---- Versions ----

static void test_old_versions_join_at_once(void **state)
{
    static const int versions[] = {VERSION_0, 1, 2, 3};
    for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
        struct fixture f;
        fixture_init(&f);
        struct fixture_call *call = JOIN(&f, .version = versions[i]);
        assert_false(call->is_done);
        const struct classic_member *m = classic_next_member(classic_of(&f, "g"), NULL);
        // Version 0 has no rebalance timeout of its own.
        assert_int_equal(m->rebalance_timeout_ms, versions[i] == VERSION_0 ? SESSION_MS : REBALANCE_MS);
        fixture_advance(&f, INITIAL_DELAY_MS);
        assert_int_equal(join_error(call), KAFKA_NONE);
        assert_true(str_equal(joined(call)->leader, joined(call)->member_id));
        fixture_release(&f);
    }
}

// ---- Protocols ----

static const struct selection {
    const char *offers[4];
    const char *selected;
} selections[] = {
    {{"range"}, "range"},
    {{"range,sticky", "sticky,range", "sticky,range"}, "sticky"},
    {{"range,sticky", "sticky,range"}, "range"},            // a tie: what came first
    {{"a,b,c", "b,c,a", "c,b"}, "b"},                       // only b and c are common
    {{"a,b", "x,b", "b"}, "b"},
    {{"a,a,a", "a,b", "b,a"}, "a"},                         // a name counts once
};

static void test_selection(void **state)
{
    for (size_t i = 0; i < sizeof(selections) / sizeof(*selections); i++) {
        struct fixture f;
        struct fixture_call *calls[4] = {0};
        fixture_init(&f);
        for (int m = 0; m < 4 && selections[i].offers[m] != NULL; m++)
            calls[m] = JOIN(&f, .protocols = selections[i].offers[m], .version = 3);
        fixture_advance(&f, 2 * INITIAL_DELAY_MS);
        for (int m = 0; m < 4 && calls[m] != NULL; m++) {
            assert_int_equal(join_error(calls[m]), KAFKA_NONE);
            assert_true(str_is(joined(calls[m])->protocol_name, selections[i].selected));
        }
        fixture_release(&f);
    }
}

// ---- The initial delay ----

static void test_delay_grows_with_members(void **state)
{
    struct fixture f;
    fixture_init(&f);
    struct fixture_call *first = JOIN(&f, .version = 3);
    fixture_advance(&f, 2000);
    struct fixture_call *second = JOIN(&f, .version = 3);
    fixture_advance(&f, 3999); // 3 s, and 3 more for the second
    assert_false(first->is_done);
    fixture_advance(&f, 1);
    assert_int_equal(join_error(first), KAFKA_NONE);
    assert_int_equal(join_error(second), KAFKA_NONE);
    assert_state(&f, "g", "CompletingRebalance", 1, 2);
    fixture_release(&f);
}

static void test_delay_ends_with_rebalance_timeout(void **state)
{
    struct fixture f;
    struct fixture_call *calls[10];
    fixture_init(&f);
    for (int i = 0; i < 10; i++) { // one each second, 7 s in all
        calls[i] = JOIN(&f, .version = 3, .rebalance_ms = 7000);
        fixture_advance(&f, i < 7 ? 1000 : 0);
        assert_int_equal(calls[0]->is_done, i >= 6);
    }
    assert_state(&f, "g", "PreparingRebalance", 1, 10); // those that came later begin the next one
    fixture_release(&f);
}

static void test_no_delay(void **state)
{
    struct fixture f;
    fixture_init_config(&f, (const char *const[]){"group.initial.rebalance.delay.ms=0", NULL});
    struct fixture_call *call = JOIN(&f, .version = 3);
    fixture_advance(&f, 1);
    assert_int_equal(join_error(call), KAFKA_NONE);
    fixture_release(&f);
}

// ---- Joining again ----

static void test_rejoin(void **state)
{
    static const struct {
        const char *state;
        bool leads, changes;
        bool begins; // a rebalance; otherwise the generation is repeated
    } cases[] = {
        {"Stable", false, false, false},
        {"Stable", false, true, true},
        {"Stable", true, false, true},
        {"Stable", true, true, true},
        {"CompletingRebalance", false, false, false},
        {"CompletingRebalance", true, false, false},
        {"CompletingRebalance", false, true, true},
        {"CompletingRebalance", true, true, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct fixture f;
        fixture_init(&f);
        const char *ids[3] = {begin_group(&f, "g")};
        int count = 1, generation = 2;
        add_member(&f, "g", ids, &count, &(struct join_options){0});
        if (strcmp(cases[i].state, "Stable") != 0) {
            struct fixture_call *leader = JOIN(&f, .member = ids[0]);
            JOIN(&f, .member = ids[1]);
            assert_int_equal(join_error(leader), KAFKA_NONE);
            generation = 3;
        }
        assert_state(&f, "g", cases[i].state, generation, 2);
        struct fixture_call *call = JOIN(&f, .member = ids[cases[i].leads ? 0 : 1],
                                         .metadata = cases[i].changes ? "other" : NULL);
        assert_int_equal(call->is_done, !cases[i].begins);
        if (cases[i].begins) {
            assert_state(&f, "g", "PreparingRebalance", generation, 2);
        } else {
            assert_state(&f, "g", cases[i].state, generation, 2);
            assert_int_equal(join_error(call), KAFKA_NONE);
            assert_int_equal(joined(call)->generation_id, generation);
            assert_true(str_is(joined(call)->leader, ids[0]));
            assert_int_equal(joined(call)->members.count, cases[i].leads ? 2 : 0);
        }
        fixture_release(&f);
    }
}

static void test_second_join_of_a_member_ends_the_first(void **state)
{
    struct fixture f;
    fixture_init(&f);
    const char *id = text_of(&f, joined(JOIN(&f))->member_id);
    struct fixture_call *first = JOIN(&f, .member = id);
    struct fixture_call *second = JOIN(&f, .member = id);
    assert_int_equal(join_error(first), KAFKA_REBALANCE_IN_PROGRESS);
    assert_false(second->is_done);
    fixture_advance(&f, INITIAL_DELAY_MS);
    assert_int_equal(join_error(second), KAFKA_NONE);
    assert_state(&f, "g", "CompletingRebalance", 1, 1);
    fixture_release(&f);
}

// ---- The end of the join phase ----

static void test_late_members(void **state)
{
    struct fixture f;
    fixture_init(&f);
    const char *ids[4] = {begin_group(&f, "g")};
    int count = 1;
    add_member(&f, "g", ids, &count, &(struct join_options){.instance = "stat"});
    add_member(&f, "g", ids, &count, &(struct join_options){0});
    // The last one joins again; the leader, a dynamic one, and the static one do not, but live on.
    struct fixture_call *call = JOIN(&f, .member = ids[2], .metadata = "new");
    for (int ms = 0; ms < REBALANCE_MS - 1000; ms += 1000) {
        fixture_advance(&f, 1000);
        assert_int_equal(heartbeat(&f, "g", ids[0], 3), KAFKA_REBALANCE_IN_PROGRESS);
        assert_int_equal(heartbeat(&f, "g", ids[1], 3), KAFKA_REBALANCE_IN_PROGRESS);
    }
    assert_false(call->is_done);
    fixture_advance(&f, 1000);
    assert_int_equal(join_error(call), KAFKA_NONE);
    assert_true(str_is(joined(call)->leader, ids[2])); // elected
    assert_int_equal(joined(call)->members.count, 2);
    assert_state(&f, "g", "CompletingRebalance", 4, 2);
    assert_null(classic_find_member(classic_of(&f, "g"), str_from(ids[0])));
    assert_int_equal(heartbeat(&f, "g", ids[0], 4), KAFKA_UNKNOWN_MEMBER_ID);
    fixture_release(&f);
}

// With only static members, and none back in time, the join phase goes on until their sessions end.
static void test_nobody_rejoins(void **state)
{
    struct fixture f;
    fixture_init(&f);
    struct fixture_call *first = JOIN(&f, .instance = "a", .session_ms = 120000, .rebalance_ms = 10000);
    struct fixture_call *second = JOIN(&f, .instance = "b", .rebalance_ms = 10000);
    fixture_advance(&f, 2 * INITIAL_DELAY_MS);
    const char *a = text_of(&f, joined(first)->member_id), *b = text_of(&f, joined(second)->member_id);
    char parts[300];
    snprintf(parts, sizeof(parts), "%s=a,%s=b", a, b);
    struct fixture_call *sync_b = sync_group(&f, "g", b, 1, "");
    sync_group(&f, "g", a, 1, parts);
    assert_int_equal(sync_error(sync_b), KAFKA_NONE);
    fixture_advance(&f, SESSION_MS); // b is gone
    assert_state(&f, "g", "PreparingRebalance", 1, 1);
    fixture_advance(&f, 50000);
    assert_state(&f, "g", "PreparingRebalance", 1, 1);
    struct fixture_call *back = JOIN(&f, .member = a, .instance = "a");
    assert_int_equal(join_error(back), KAFKA_NONE);
    assert_state(&f, "g", "CompletingRebalance", 2, 1);
    fixture_release(&f);
}

static void test_waits_for_ids_given_out(void **state)
{
    struct fixture f;
    fixture_init(&f);
    const char *id = begin_group(&f, "g");
    const char *given = text_of(&f, joined(JOIN(&f, .session_ms = 20000))->member_id);
    assert_state(&f, "g", "Stable", 1, 1); // an id alone changes nothing
    struct fixture_call *call = JOIN(&f, .member = id);
    assert_false(call->is_done);
    fixture_advance(&f, 19999);
    assert_false(call->is_done);
    fixture_advance(&f, 1);
    assert_int_equal(join_error(call), KAFKA_NONE);
    assert_int_equal(join_error(JOIN(&f, .member = given)), KAFKA_UNKNOWN_MEMBER_ID);
    fixture_release(&f);
}

static void test_ids_given_out_are_bounded(void **state)
{
    struct fixture f;
    fixture_init(&f);
    const char *oldest = text_of(&f, joined(JOIN(&f))->member_id);
    struct classic_group *cg = classic_of(&f, "g");
    for (int i = 0; i < CLASSIC_PENDING_MAX; i++) {
        char id[16];
        snprintf(id, sizeof(id), "x-%d", i);
        classic_add_pending(cg, str_from(id), SESSION_MS);
    }
    assert_int_equal(cg->pending.count, CLASSIC_PENDING_MAX);
    assert_false(classic_is_pending(cg, str_from(oldest)));
    assert_true(classic_is_pending(cg, str_from("x-0")));
    assert_int_equal(join_error(JOIN(&f, .member = oldest)), KAFKA_UNKNOWN_MEMBER_ID);
    fixture_advance(&f, SESSION_MS);
    assert_int_equal(cg->pending.count, 0);
    fixture_release(&f);
}

static void test_parked_join_of_a_new_member_ends(void **state)
{
    struct fixture f;
    fixture_init(&f);
    const char *id = begin_group(&f, "g");
    struct fixture_call *first = JOIN(&f, .version = 3, .rebalance_ms = 1000000);
    for (int ms = 0; ms < CLASSIC_NEW_MEMBER_JOIN_TIMEOUT_MS; ms += 5000) {
        assert_false(first->is_done);
        assert_int_equal(heartbeat(&f, "g", id, 1), KAFKA_REBALANCE_IN_PROGRESS);
        fixture_advance(&f, 5000);
    }
    assert_int_equal(join_error(first), KAFKA_UNKNOWN_MEMBER_ID);
    assert_int_equal(joined(first)->member_id.size, 0);
    assert_state(&f, "g", "PreparingRebalance", 1, 1);
    fixture_release(&f);
}

static void test_generation_starts_again(void **state)
{
    struct fixture f;
    fixture_init(&f);
    const char *id = begin_group(&f, "g");
    classic_of(&f, "g")->generation = INT32_MAX;
    struct fixture_call *call = JOIN(&f, .member = id);
    assert_int_equal(joined(call)->generation_id, 1);
    fixture_release(&f);
}

// ---- Size ----

static void test_max_size(void **state)
{
    struct fixture f;
    fixture_init_config(&f, (const char *const[]){"group.max.size=2", NULL});
    const char *ids[4] = {begin_group(&f, "g")};
    int count = 1;
    add_member(&f, "g", ids, &count, &(struct join_options){0});
    struct fixture_call *third = JOIN(&f, .version = 3);
    assert_int_equal(join_error(third), KAFKA_GROUP_MAX_SIZE_REACHED);
    assert_int_equal(joined(third)->member_id.size, 0);
    assert_state(&f, "g", "Stable", 2, 2);

    // It has become too large: whoever joins last is out, and nobody waits for it.
    fixture_set(&f, "group.max.size=3");
    add_member(&f, "g", ids, &count, &(struct join_options){0});
    fixture_set(&f, "group.max.size=2");
    struct fixture_call *calls[3] = {JOIN(&f, .member = ids[0]), JOIN(&f, .member = ids[1])};
    assert_false(calls[0]->is_done);
    calls[2] = JOIN(&f, .member = ids[2]);
    assert_int_equal(join_error(calls[2]), KAFKA_GROUP_MAX_SIZE_REACHED);
    assert_int_equal(join_error(calls[0]), KAFKA_NONE);
    assert_int_equal(join_error(calls[1]), KAFKA_NONE);
    assert_state(&f, "g", "CompletingRebalance", 4, 2);
    fixture_release(&f);
}

static void test_large_group(void **state)
{
    enum { COUNT = 1000 };
    static struct fixture_call *calls[COUNT];
    struct fixture f;
    fixture_init(&f);
    for (int i = 0; i < COUNT; i++)
        calls[i] = JOIN(&f, .version = 3, .metadata = "0123456789");
    fixture_advance(&f, 2 * INITIAL_DELAY_MS);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(join_error(calls[i]), KAFKA_NONE);
    assert_int_equal(joined(calls[0])->members.count, COUNT);
    for (int i = COUNT - 1; i >= 0; i--)
        calls[i] = sync_group(&f, "g", text_of(&f, joined(calls[i])->member_id), 1, "");
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(sync_error(calls[i]), KAFKA_NONE);
    assert_state(&f, "g", "Stable", 1, COUNT);
    fixture_check_replay(&f);
    fixture_release(&f);
}

// What could never be stored is not held either.
static void test_a_member_that_offers_too_much(void **state)
{
    struct fixture f;
    char metadata[2000];
    memset(metadata, 'm', sizeof metadata - 1);
    metadata[sizeof metadata - 1] = '\0';
    fixture_init(&f);
    f.batch_bytes_max = 1000;
    fixture_reload(&f, true);
    struct fixture_call *too_much = JOIN(&f, .protocols = "a,b", .metadata = metadata);
    assert_int_equal(join_error(too_much), KAFKA_UNKNOWN_SERVER_ERROR);
    assert_null(groups_find(f.groups, str_from("g")));
    struct fixture_call *enough = JOIN(&f, .protocols = "a", .metadata = metadata);
    assert_int_equal(join_error(enough), KAFKA_MEMBER_ID_REQUIRED);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_member),
        cmocka_unit_test(test_becomes_stable),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_too_many_protocols),
        cmocka_unit_test(test_names_with_nul),
        cmocka_unit_test(test_old_versions_join_at_once),
        cmocka_unit_test(test_selection),
        cmocka_unit_test(test_delay_grows_with_members),
        cmocka_unit_test(test_delay_ends_with_rebalance_timeout),
        cmocka_unit_test(test_no_delay),
        cmocka_unit_test(test_rejoin),
        cmocka_unit_test(test_second_join_of_a_member_ends_the_first),
        cmocka_unit_test(test_late_members),
        cmocka_unit_test(test_nobody_rejoins),
        cmocka_unit_test(test_waits_for_ids_given_out),
        cmocka_unit_test(test_ids_given_out_are_bounded),
        cmocka_unit_test(test_parked_join_of_a_new_member_ends),
        cmocka_unit_test(test_generation_starts_again),
        cmocka_unit_test(test_max_size),
        cmocka_unit_test(test_large_group),
        cmocka_unit_test(test_a_member_that_offers_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

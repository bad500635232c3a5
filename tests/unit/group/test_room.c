// SPDX-License-Identifier: Apache-2.0
//
// How many groups there may be: those that nobody ever joined give way, and past the bound none is made.
#include <stdio.h>

#include "classic_testing.h"
#include "wire/api/consumer_group_heartbeat.h"
#include "wire/api/delete_groups.h"
#include "wire/api/offset_commit.h"

enum { GROUPS_MAX = 64, UNUSED_MAX = GROUPS_MAX / 16 };

static void begin(struct fixture *f)
{
    const char *const settings[] = {"chitin.groups.max=64", NULL};
    fixture_init_config(f, settings);
    fixture_reload(f, true);
    fixture_topic(f, "t", 1);
}

static int join_error_of(const struct fixture_call *call)
{
    return joined(call)->error_code;
}

static int commit(struct fixture *f, const char *group)
{
    struct offset_commit_request_offset_commit_request_partition partition = {
        .committed_offset = 1, .committed_leader_epoch = -1, .committed_metadata = str_from("")};
    struct offset_commit_request_offset_commit_request_topic topic = {.name = str_from("t"),
                                                                      .partitions = {&partition, 1}};
    struct offset_commit_request request;
    offset_commit_request_init(&request);
    request.group_id = str_from(group);
    request.generation_id_or_member_epoch = -1;
    request.topics.items = &topic;
    request.topics.count = 1;
    struct fixture_call *call = fixture_call_new(f, &offset_commit_response_schema, 9);
    groups_commit_offsets(f->groups, &call->call, &f->now, &request);
    fixture_settle(f);
    const struct offset_commit_response *reply = call->response;
    return reply->topics.items[0].partitions.items[0].error_code;
}

static int consumer_join(struct fixture *f, const char *group)
{
    struct str name = str_from("t");
    struct consumer_group_heartbeat_request request;
    consumer_group_heartbeat_request_init(&request);
    request.group_id = str_from(group);
    request.member_id = str_from("m");
    request.rebalance_timeout_ms = 1000;
    request.subscribed_topic_names = (struct wire_string_array){&name, 1};
    request.topic_partitions.count = 0;
    struct fixture_call *call = fixture_call_new(f, &consumer_group_heartbeat_response_schema, 1);
    groups_consumer_heartbeat(f->groups, &call->call, &f->now, &request);
    fixture_settle(f);
    return ((struct consumer_group_heartbeat_response *)call->response)->error_code;
}

static size_t count(const struct fixture *f)
{
    return f->groups->by_id.count;
}

// Whoever asks for ids of ever more groups has a few of them; who comes with his id at once is served, and
// who comes too late begins anew.
static void test_unused_give_way(void **state)
{
    struct fixture f;
    char name[32], first[128];
    begin(&f);
    assert_int_equal(commit(&f, "used"), KAFKA_NONE);
    str_copy_to(joined(JOIN(&f, .group = "first"))->member_id, first, sizeof(first));
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "hostile-%d", i);
        assert_int_equal(join_error_of(JOIN(&f, .group = name)), KAFKA_MEMBER_ID_REQUIRED);
        assert_true(count(&f) <= UNUSED_MAX + 3);
        if (i % 100 != 50)
            continue;
        char id[128];
        snprintf(name, sizeof(name), "good-%d", i);
        str_copy_to(joined(JOIN(&f, .group = name))->member_id, id, sizeof(id));
        struct fixture_call *call = JOIN(&f, .group = name, .member = id);
        fixture_advance(&f, INITIAL_DELAY_MS);
        assert_int_equal(join_error_of(call), KAFKA_NONE);
        fixture_advance(&f, REBALANCE_MS + SESSION_MS); // it never syncs, and is gone
        struct delete_groups_response_deletable_group_result result = {0};
        groups_delete(f.groups, &fixture_call_part(&f, &result, 2)->call, &f.now, str_from(name));
        fixture_settle(&f);
    }
    assert_int_equal(join_error_of(JOIN(&f, .group = "first", .member = first)), KAFKA_UNKNOWN_MEMBER_ID);
    assert_non_null(groups_find(f.groups, str_from("used")));
    fixture_check_replay(&f);
    fixture_release(&f);
}

// A group that came into use is not among those that give way.
static void test_used_stay(void **state)
{
    struct fixture f;
    char name[32];
    begin(&f);
    JOIN(&f, .group = "g");
    assert_int_equal(commit(&f, "g"), KAFKA_NONE);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "hostile-%d", i);
        JOIN(&f, .group = name);
    }
    assert_non_null(groups_find(f.groups, str_from("g")));
    fixture_release(&f);
}

static void test_full(void **state)
{
    struct fixture f;
    char name[32];
    begin(&f);
    JOIN(&f, .group = "unused");
    for (int i = 0; i < GROUPS_MAX; i++) {
        snprintf(name, sizeof(name), "used-%d", i);
        assert_int_equal(commit(&f, name), KAFKA_NONE); // the last takes the place of the unused one
    }
    assert_int_equal(count(&f), GROUPS_MAX);
    assert_int_equal(commit(&f, "one-more"), KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    assert_int_equal(join_error_of(JOIN(&f, .group = "one-more")), KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    assert_int_equal(consumer_join(&f, "one-more"), KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    assert_int_equal(count(&f), GROUPS_MAX);
    // Those that are there go on.
    assert_int_equal(commit(&f, "used-1"), KAFKA_NONE);
    assert_int_equal(consumer_join(&f, "used-2"), KAFKA_NONE);
    assert_int_equal(join_error_of(JOIN(&f, .group = "used-3")), KAFKA_MEMBER_ID_REQUIRED);
    struct delete_groups_response_deletable_group_result result = {0};
    groups_delete(f.groups, &fixture_call_part(&f, &result, 2)->call, &f.now, str_from("used-1"));
    fixture_settle(&f);
    assert_int_equal(commit(&f, "one-more"), KAFKA_NONE);
    fixture_check_replay(&f);
    // What the log says is loaded, however much it is.
    fixture_set(&f, "chitin.groups.max=10");
    fixture_reload(&f, true);
    assert_int_equal(count(&f), GROUPS_MAX);
    fixture_set(&f, "chitin.groups.max=0");
    assert_int_equal(commit(&f, "two-more"), KAFKA_NONE);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unused_give_way),
        cmocka_unit_test(test_used_stay),
        cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

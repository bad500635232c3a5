// SPDX-License-Identifier: Apache-2.0
//
// Who may commit for a group with members of the consumer protocol, fetch and delete: through the requests.
#include "consumer_testing.h"

#include <string.h>

#include "wire/api/delete_groups.h"
#include "wire/api/offset_commit.h"
#include "wire/api/offset_delete.h"
#include "wire/api/offset_fetch.h"

static int commit(struct fixture *f, int16_t version, const char *member, int32_t epoch, int32_t partition)
{
    struct fixture_call *call = fixture_commit_offset(f, version, "g", member, epoch, partition);
    const struct offset_commit_response *reply = call->response;
    assert_true(call->is_done);
    return reply->topics.items[0].partitions.items[0].error_code;
}

// Gives the error of the group, or the offset of partition 0.
static int64_t fetch(struct fixture *f, const char *member, int32_t epoch)
{
    static struct offset_fetch_response_offset_fetch_response_group reply;
    int32_t partition = 0;
    struct offset_fetch_request_offset_fetch_request_topics t = {.name = str_from("t"),
                                                                 .partition_indexes = {&partition, 1}};
    struct offset_fetch_request_offset_fetch_request_group request = {
        .group_id = str_from("g"), .member_id = str_from(member), .member_epoch = epoch, .topics = {&t, 1}};
    offset_fetch_response_offset_fetch_response_group_init(&reply);
    struct fixture_call *call = fixture_call_part(f, &reply, 9);
    groups_fetch_offsets(f->groups, &call->call, &f->now, &request, false);
    fixture_settle(f);
    assert_true(call->is_done);
    return reply.error_code != 0 ? reply.error_code
                                 : reply.topics.items[0].partitions.items[0].committed_offset;
}

static int delete_offset(struct fixture *f)
{
    struct offset_delete_request_offset_delete_request_partition p = {.partition_index = 0};
    struct offset_delete_request_offset_delete_request_topic t = {.name = str_from("t"),
                                                                  .partitions = {&p, 1}};
    struct offset_delete_request request = {.group_id = str_from("g"), .topics = {&t, 1}};
    struct fixture_call *call = fixture_call_new(f, &offset_delete_response_schema, 0);
    groups_delete_offsets(f->groups, &call->call, &f->now, &request);
    fixture_settle(f);
    const struct offset_delete_response *reply = call->response;
    return reply->topics.items[0].partitions.items[0].error_code;
}

static int delete_group(struct fixture *f)
{
    static struct delete_groups_response_deletable_group_result reply;
    delete_groups_response_deletable_group_result_init(&reply);
    struct fixture_call *call = fixture_call_part(f, &reply, 3);
    groups_delete(f->groups, &call->call, &f->now, str_from("g"));
    fixture_settle(f);
    return reply.error_code;
}

static void test_members_alone_commit(void **state)
{
    struct fixture f;
    fixture_init(&f);
    fixture_topic(&f, "t", 2);
    BEAT(&f, .epoch = 0, .topics = "t");
    int32_t epoch = member_of(&f, "g", "m1")->epoch;
    assert_true(epoch > 0);
    const struct {
        int16_t version;
        const char *member;
        int32_t epoch;
        int error;
    } cases[] = {
        {9, "m1", epoch, KAFKA_NONE},
        {10, "m1", epoch, KAFKA_NONE},
        {9, "m1", epoch + 1, KAFKA_STALE_MEMBER_EPOCH},
        {9, "m1", -1, KAFKA_STALE_MEMBER_EPOCH},
        {9, "nobody", epoch, KAFKA_UNKNOWN_MEMBER_ID},
        {9, "", -1, KAFKA_UNKNOWN_MEMBER_ID},
        {8, "m1", epoch, KAFKA_UNSUPPORTED_VERSION},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(commit(&f, cases[i].version, cases[i].member, cases[i].epoch, 0), cases[i].error);

    assert_int_equal(fetch(&f, NULL, -1), 5); // tools
    assert_int_equal(fetch(&f, "m1", epoch), 5);
    assert_int_equal(fetch(&f, "m1", epoch + 1), KAFKA_STALE_MEMBER_EPOCH);
    assert_int_equal(fetch(&f, "nobody", epoch), KAFKA_UNKNOWN_MEMBER_ID);
    assert_int_equal(delete_offset(&f), KAFKA_GROUP_SUBSCRIBED_TO_TOPIC);
    assert_int_equal(delete_group(&f), KAFKA_NON_EMPTY_GROUP);

    BEAT(&f, .epoch = -1);
    assert_int_equal(commit(&f, 9, "m1", epoch, 0), KAFKA_UNKNOWN_MEMBER_ID);
    assert_int_equal(commit(&f, 9, "", -1, 1), KAFKA_NONE); // tools, once nobody is there
    assert_int_equal(delete_offset(&f), KAFKA_NONE);
    assert_int_equal(delete_group(&f), KAFKA_NONE);
    assert_null(groups_find(f.groups, str_from("g")));
    fixture_check_replay(&f);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_alone_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

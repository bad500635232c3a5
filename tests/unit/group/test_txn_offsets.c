// SPDX-License-Identifier: Apache-2.0
//
// Offsets that are committed inside transactions: when they hold, who may commit them, what is refused
// while they are pending.
#include "classic_testing.h"
#include "consumer_testing.h"

#include <string.h>

#include "wire/api/delete_groups.h"
#include "wire/api/offset_commit.h"
#include "wire/api/offset_delete.h"
#include "wire/api/offset_fetch.h"

enum { PID = 7, OFFSET_NONE = -1, UNKNOWN_EPOCH = -1, STRICT = true, LAX = false };

// ---- Requests ----

struct commit {
    const char *group;     // NULL: "g"
    const char *topic;     // NULL: "t"
    int32_t partition;
    int64_t offset;
    int64_t producer_id;   // 0: PID
    const char *member;    // NULL: ""
    const char *instance;
    int32_t epoch;         // what is meant and 1 more, so that 0 is none
    int16_t version;       // 0: 5
};

static struct fixture_call *send_commit(struct fixture *f, const struct commit *c)
{
    struct offset_commit_request_offset_commit_request_partition p = {
        .partition_index = c->partition, .committed_offset = c->offset, .committed_leader_epoch = -1};
    struct offset_commit_request_offset_commit_request_topic t = {
        .name = str_from(c->topic == NULL ? "t" : c->topic), .partitions = {&p, 1}};
    const struct coordinator_txn txn = {
        .producer_id = c->producer_id == 0 ? PID : c->producer_id, .producer_epoch = 1, .guard = 99};
    struct offset_commit_request request;
    offset_commit_request_init(&request);
    request.group_id = str_from(c->group == NULL ? "g" : c->group);
    request.member_id = str_from(c->member == NULL ? "" : c->member);
    request.group_instance_id = str_from(c->instance);
    request.generation_id_or_member_epoch = c->epoch - 1;
    request.topics.items = &t;
    request.topics.count = 1;
    struct fixture_call *call = fixture_call_new(f, &offset_commit_response_schema, 9);
    call->call.version = c->version == 0 ? 5 : c->version;
    groups_commit_txn_offsets(f->groups, &call->call, &f->now, &request, &txn);
    call->call.version = 9; // the answer is encoded as one to OffsetCommit
    return call;
}

static int error_of(const struct fixture_call *call)
{
    const struct offset_commit_response *reply = call->response;
    assert_true(call->is_done);
    return reply->topics.items[0].partitions.items[0].error_code;
}

static int commit_with(struct fixture *f, const struct commit *c)
{
    struct fixture_call *call = send_commit(f, c);
    fixture_settle(f);
    return error_of(call);
}

#define COMMIT(f, ...) commit_with((f), &(struct commit){__VA_ARGS__})

static struct fixture_call *send_fetch(struct fixture *f, int32_t partition, bool strict)
{
    static struct offset_fetch_response_offset_fetch_response_group reply;
    static int32_t asked;
    asked = partition;
    struct offset_fetch_request_offset_fetch_request_topics t = {.name = str_from("t"),
                                                                 .partition_indexes = {&asked, 1}};
    struct offset_fetch_request_offset_fetch_request_group request;
    offset_fetch_request_offset_fetch_request_group_init(&request);
    request.group_id = str_from("g");
    if (partition >= 0) {
        request.topics.items = &t;
        request.topics.count = 1;
    } else {
        request.topics.count = -1; // all
    }
    offset_fetch_response_offset_fetch_response_group_init(&reply);
    struct fixture_call *call = fixture_call_part(f, &reply, 9);
    groups_fetch_offsets(f->groups, &call->call, &f->now, &request, strict);
    return call;
}

// The offset, or the error of the partition as a large negative number.
static int64_t fetch(struct fixture *f, int32_t partition, bool strict)
{
    struct fixture_call *call = send_fetch(f, partition, strict);
    fixture_settle(f);
    const struct offset_fetch_response_offset_fetch_response_group *reply = call->response;
    assert_true(call->is_done);
    assert_int_equal(reply->error_code, 0);
    if (reply->topics.count == 0)
        return OFFSET_NONE;
    const struct offset_fetch_response_offset_fetch_response_partitions *p =
        &reply->topics.items[0].partitions.items[0];
    if (p->error_code != 0)
        assert_int_equal(p->committed_offset, OFFSET_NONE);
    return p->error_code != 0 ? -1000 - p->error_code : p->committed_offset;
}

enum { UNSTABLE = -1000 - KAFKA_UNSTABLE_OFFSET_COMMIT };

static void commit_plain(struct fixture *f, int32_t partition, int64_t offset)
{
    struct offset_commit_request_offset_commit_request_partition p = {
        .partition_index = partition, .committed_offset = offset, .committed_leader_epoch = -1};
    struct offset_commit_request_offset_commit_request_topic t = {.name = str_from("t"),
                                                                  .partitions = {&p, 1}};
    struct offset_commit_request request;
    offset_commit_request_init(&request);
    request.group_id = str_from("g");
    request.topics.items = &t;
    request.topics.count = 1;
    struct fixture_call *call = fixture_call_new(f, &offset_commit_response_schema, 9);
    groups_commit_offsets(f->groups, &call->call, &f->now, &request);
    fixture_settle(f);
    assert_int_equal(error_of(call), 0);
}

// ---- Tests ----

static void offsets_hold_when_the_transaction_is_committed(void **state)
{
    struct fixture f;
    fixture_init(&f);
    commit_plain(&f, 0, 3);
    assert_int_equal(COMMIT(&f, .offset = 10), 0);
    assert_int_equal(f.txn.guard, 99);
    assert_int_equal(f.txn.producer_epoch, 1);
    assert_int_equal(fetch(&f, 0, LAX), 3);
    assert_int_equal(fetch(&f, 0, STRICT), UNSTABLE);
    assert_int_equal(fetch(&f, -1, LAX), 3);
    assert_int_equal(fetch(&f, -1, STRICT), UNSTABLE);
    assert_int_equal(fetch(&f, 1, STRICT), OFFSET_NONE);
    fixture_check_replay(&f);
    fixture_reload(&f, true);
    assert_int_equal(fetch(&f, 0, STRICT), UNSTABLE);
    fixture_end_transaction(&f, PID, true);
    assert_int_equal(fetch(&f, 0, STRICT), 10);
    fixture_check_replay(&f);

    assert_int_equal(COMMIT(&f, .offset = 20), 0);
    fixture_end_transaction(&f, PID, false);
    assert_int_equal(fetch(&f, 0, STRICT), 10);
    fixture_check_replay(&f);
    fixture_reload(&f, true);
    assert_int_equal(fetch(&f, 0, STRICT), 10);
    fixture_release(&f);
}

// Nobody is told of what a crash could take back: neither the one who commits, nor whoever reads what a
// marker has made hold.
static void answers_wait_for_the_log(void **state)
{
    struct fixture f;
    fixture_init(&f);
    f.holds_commits = true;
    struct fixture_call *call = send_commit(&f, &(struct commit){.offset = 10});
    fixture_settle(&f);
    assert_false(call->is_done);
    fixture_commit(&f);
    assert_int_equal(error_of(call), 0);

    fixture_end_transaction(&f, PID, true);
    call = send_fetch(&f, 0, LAX);
    fixture_settle(&f);
    assert_false(call->is_done);
    fixture_commit(&f);
    assert_true(call->is_done);
    fixture_release(&f);
}

// What was gathered before, and what comes after, keeps its place in the log.
static void the_newest_commit_wins(void **state)
{
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(COMMIT(&f, .offset = 10), 0);
    commit_plain(&f, 0, 11);
    fixture_end_transaction(&f, PID, true);
    assert_int_equal(fetch(&f, 0, LAX), 11);
    fixture_check_replay(&f);
    assert_int_equal(COMMIT(&f, .offset = 20), 0);
    assert_int_equal(COMMIT(&f, .offset = 30, .producer_id = 8), 0);
    fixture_end_transaction(&f, 8, true);
    assert_int_equal(fetch(&f, 0, STRICT), UNSTABLE);
    fixture_end_transaction(&f, PID, true);
    assert_int_equal(fetch(&f, 0, STRICT), 30);
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void what_the_log_refuses_changes_nothing(void **state)
{
    struct fixture f;
    fixture_init(&f);
    commit_plain(&f, 0, 3);
    f.txn_error = KAFKA_INVALID_PRODUCER_EPOCH;
    assert_int_equal(COMMIT(&f, .offset = 10), KAFKA_INVALID_PRODUCER_EPOCH);
    f.txn_error = KAFKA_INVALID_TXN_STATE;
    assert_int_equal(COMMIT(&f, .offset = 10), KAFKA_INVALID_TXN_STATE);
    assert_int_equal(COMMIT(&f, .group = "new", .offset = 10), KAFKA_INVALID_TXN_STATE);
    assert_int_equal(fetch(&f, 0, STRICT), 3);
    assert_null(groups_find(f.groups, str_from("new")));
    f.txn_error = KAFKA_NONE;
    assert_int_equal(COMMIT(&f, .offset = 10), 0);
    fixture_release(&f);
}

// KIP-447: a member that was replaced commits nothing, whatever its producer.
static void members_of_a_classic_group_are_fenced(void **state)
{
    struct fixture f;
    fixture_init(&f);
    const char *member = begin_group(&f, "g");
    const struct {
        const char *member;
        const char *instance;
        int32_t epoch;
        int error;
    } cases[] = {
        {member, NULL, 1, KAFKA_NONE},
        {"", NULL, UNKNOWN_EPOCH, KAFKA_NONE}, // a producer that knows its id alone
        {member, NULL, 0, KAFKA_ILLEGAL_GENERATION},
        {member, NULL, 2, KAFKA_ILLEGAL_GENERATION},
        {member, NULL, UNKNOWN_EPOCH, KAFKA_ILLEGAL_GENERATION},
        {"nobody", NULL, 1, KAFKA_UNKNOWN_MEMBER_ID},
        {"", NULL, 1, KAFKA_UNKNOWN_MEMBER_ID},
        {member, "i", 1, KAFKA_UNKNOWN_MEMBER_ID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(COMMIT(&f, .member = cases[i].member, .instance = cases[i].instance,
                                .epoch = cases[i].epoch + 1, .offset = 5),
                         cases[i].error);
    assert_int_equal(leave(&f, "g", member), 0);
    assert_int_equal(COMMIT(&f, .member = member, .epoch = 2), KAFKA_UNKNOWN_MEMBER_ID);
    assert_int_equal(COMMIT(&f, .offset = 5), 0);
    fixture_release(&f);
}

static void members_of_a_consumer_group_are_fenced(void **state)
{
    struct fixture f;
    fixture_init(&f);
    fixture_topic(&f, "t", 2);
    BEAT(&f, .epoch = 0, .topics = "t");
    int32_t epoch = member_of(&f, "g", "m1")->epoch;
    const struct {
        int16_t version;
        const char *member;
        int32_t epoch;
        int error;
    } cases[] = {
        {3, "m1", epoch, KAFKA_NONE}, // version 9 is for OffsetCommit
        {5, "m1", epoch, KAFKA_NONE},
        {5, "", UNKNOWN_EPOCH, KAFKA_NONE},
        {5, "m1", epoch + 1, KAFKA_ILLEGAL_GENERATION},
        {6, "m1", epoch + 1, KAFKA_STALE_MEMBER_EPOCH},
        {5, "m1", UNKNOWN_EPOCH, KAFKA_ILLEGAL_GENERATION},
        {5, "m1", 0, KAFKA_ILLEGAL_GENERATION}, // before it was assigned the partition
        {6, "nobody", epoch, KAFKA_UNKNOWN_MEMBER_ID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(COMMIT(&f, .version = cases[i].version, .member = cases[i].member,
                                .epoch = cases[i].epoch + 1, .offset = 5),
                         cases[i].error);
    fixture_release(&f);
}

static void a_group_that_nobody_knows(void **state)
{
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(COMMIT(&f, .member = "m", .epoch = 2), KAFKA_ILLEGAL_GENERATION);
    assert_int_equal(COMMIT(&f, .member = "m", .epoch = 2, .version = 6), KAFKA_GROUP_ID_NOT_FOUND);
    assert_null(groups_find(f.groups, str_from("g")));
    assert_int_equal(COMMIT(&f, .offset = 5), 0); // a simple group
    assert_non_null(groups_find(f.groups, str_from("g")));
    fixture_release(&f);
}

// ---- What goes while it is pending ----

static int delete_group(struct fixture *f)
{
    static struct delete_groups_response_deletable_group_result reply;
    delete_groups_response_deletable_group_result_init(&reply);
    struct fixture_call *call = fixture_call_part(f, &reply, 3);
    groups_delete(f->groups, &call->call, &f->now, str_from("g"));
    fixture_settle(f);
    return reply.error_code;
}

static int delete_offset(struct fixture *f, int32_t partition)
{
    struct offset_delete_request_offset_delete_request_partition p = {.partition_index = partition};
    struct offset_delete_request_offset_delete_request_topic t = {.name = str_from("t"),
                                                                  .partitions = {&p, 1}};
    struct offset_delete_request request = {.group_id = str_from("g"), .topics = {&t, 1}};
    struct fixture_call *call = fixture_call_new(f, &offset_delete_response_schema, 0);
    groups_delete_offsets(f->groups, &call->call, &f->now, &request);
    fixture_settle(f);
    const struct offset_delete_response *reply = call->response;
    return reply->topics.items[0].partitions.items[0].error_code;
}

// A tombstone goes with each, since the log may forget that the group was deleted, but not that the
// transaction was committed later.
static void a_deleted_group_does_not_come_back(void **state)
{
    enum { MANY = 20000 }; // more than one batch takes
    struct fixture f;
    fixture_init(&f);
    for (int i = 0; i < MANY; i++) {
        send_commit(&f, &(struct commit){.partition = i, .offset = i, .producer_id = 1 + i % 3});
        if (i % 1000 == 0)
            fixture_settle(&f);
    }
    fixture_settle(&f);
    assert_int_equal(delete_group(&f), 0);
    assert_null(groups_find(f.groups, str_from("g")));
    assert_int_equal(fixture_record_count(&f, GROUP_RECORD_OFFSET_COMMIT), 2 * MANY);
    assert_int_equal(f.groups->transactions.count, 0);
    for (int i = 0; i < 3; i++)
        fixture_end_transaction(&f, 1 + i, true);
    assert_null(groups_find(f.groups, str_from("g")));
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void a_deleted_offset_does_not_come_back(void **state)
{
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(COMMIT(&f, .partition = 0, .offset = 5), 0);
    assert_int_equal(COMMIT(&f, .partition = 1, .offset = 6), 0);
    assert_int_equal(delete_offset(&f, 0), 0); // that was never committed
    assert_int_equal(fetch(&f, 0, STRICT), OFFSET_NONE);
    fixture_end_transaction(&f, PID, true);
    assert_int_equal(fetch(&f, 0, STRICT), OFFSET_NONE);
    assert_int_equal(fetch(&f, 1, STRICT), 6);
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void offsets_of_a_deleted_topic_do_not_come_back(void **state)
{
    struct fixture f;
    fixture_init(&f);
    fixture_topic(&f, "t", 2);
    fixture_topic(&f, "u", 2);
    assert_int_equal(COMMIT(&f, .offset = 5), 0);
    assert_int_equal(COMMIT(&f, .topic = "u", .offset = 6), 0);
    fixture_delete_topic(&f, "t");
    fixture_settle(&f);
    const struct group *group = groups_find(f.groups, str_from("g"));
    assert_false(offsets_are_pending(group, str_from("t"), 0));
    assert_true(offsets_are_pending(group, str_from("u"), 0));
    fixture_end_transaction(&f, PID, true);
    assert_int_equal(fetch(&f, 0, LAX), OFFSET_NONE);
    fixture_check_replay(&f);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_hold_when_the_transaction_is_committed),
        cmocka_unit_test(answers_wait_for_the_log),
        cmocka_unit_test(the_newest_commit_wins),
        cmocka_unit_test(what_the_log_refuses_changes_nothing),
        cmocka_unit_test(members_of_a_classic_group_are_fenced),
        cmocka_unit_test(members_of_a_consumer_group_are_fenced),
        cmocka_unit_test(a_group_that_nobody_knows),
        cmocka_unit_test(a_deleted_group_does_not_come_back),
        cmocka_unit_test(a_deleted_offset_does_not_come_back),
        cmocka_unit_test(offsets_of_a_deleted_topic_do_not_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

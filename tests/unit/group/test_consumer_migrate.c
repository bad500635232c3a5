// SPDX-License-Identifier: Apache-2.0
//
// Groups that move between the protocols, and classic members in consumer groups.
#include "consumer_testing.h"

#include "wire/api/heartbeat.h"
#include "wire/api/join_group.h"
#include "wire/api/leave_group.h"
#include "wire/api/sync_group.h"
#include "wire/record/consumer_protocol_assignment.h"
#include "wire/record/consumer_protocol_subscription.h"

enum { SESSION_MS = 10000, REBALANCE_MS = 30000, INTERVAL_MS = 1000 };

// ---- The classic protocol, with what consumers say in it ----

static struct bytes encoded(struct fixture_call *call, const struct wire_schema *schema, const void *message)
{
    struct buf buf;
    buf_init(&buf, 1 << 16);
    buf_append_be16(&buf, 1);
    assert_int_equal(wire_encode_buf(schema, 1, message, &buf), 0);
    struct str copy = arena_copy_str(&call->arena, buf_str(&buf));
    buf_release(&buf);
    return str_bytes(copy);
}

// Topic "t", of which it owns the partitions from `first` on, `count` of them.
static struct bytes subscription(struct fixture_call *call, int32_t first, int32_t count)
{
    struct consumer_protocol_subscription s;
    struct str topic = str_from("t");
    int32_t partitions[8];
    for (int32_t i = 0; i < count; i++)
        partitions[i] = first + i;
    struct consumer_protocol_subscription_topic_partition owned = {topic, {partitions, count}};
    consumer_protocol_subscription_init(&s);
    s.topics = (struct wire_string_array){&topic, 1};
    s.owned_partitions.items = &owned;
    s.owned_partitions.count = count > 0;
    return encoded(call, &consumer_protocol_subscription_schema, &s);
}

struct joining {
    const char *member;
    const char *instance;
    int32_t first;
    int32_t count;
    bool is_malformed;
};

static struct fixture_call *join_as(struct fixture *f, const struct joining *j)
{
    struct fixture_call *call = fixture_call_new(f, &join_group_response_schema, 9);
    struct join_group_request *r = arena_new(&call->arena, struct join_group_request);
    struct join_group_request_join_group_request_protocol *p =
        arena_new(&call->arena, struct join_group_request_join_group_request_protocol);
    join_group_request_init(r);
    join_group_request_join_group_request_protocol_init(p);
    p->name = str_from("range");
    p->metadata = j->is_malformed ? bytes_of("\1", 1) : subscription(call, j->first, j->count);
    r->group_id = str_from("g");
    r->session_timeout_ms = SESSION_MS;
    r->rebalance_timeout_ms = REBALANCE_MS;
    r->member_id = str_from(j->member == NULL ? "" : j->member);
    r->group_instance_id = str_from(j->instance);
    r->protocol_type = str_from("consumer");
    r->protocols.items = p;
    r->protocols.count = 1;
    groups_join(f->groups, &call->call, &f->now, r);
    fixture_settle(f);
    return call;
}
#define JOIN(f, ...) join_as((f), &(struct joining){__VA_ARGS__})

static const struct join_group_response *joined(const struct fixture_call *call)
{
    assert_true(call->is_done);
    return call->response;
}

// The id of a member that has been told to come with it.
static const char *given_id(struct fixture *f)
{
    struct fixture_call *call = JOIN(f, .member = "");
    assert_int_equal(joined(call)->error_code, KAFKA_MEMBER_ID_REQUIRED);
    return arena_copy_str(&call->arena, joined(call)->member_id).data;
}

// What the group's leader gives out to it: partitions of "t".
static struct fixture_call *sync_as(struct fixture *f, const char *member, int32_t generation,
                                    const char *to, int32_t count)
{
    struct fixture_call *call = fixture_call_new(f, &sync_group_response_schema, 5);
    struct sync_group_request *r = arena_new(&call->arena, struct sync_group_request);
    struct sync_group_request_sync_group_request_assignment *a =
        arena_new(&call->arena, struct sync_group_request_sync_group_request_assignment);
    struct consumer_protocol_assignment assignment;
    int32_t partitions[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct consumer_protocol_assignment_topic_partition topic = {str_from("t"), {partitions, count}};
    sync_group_request_init(r);
    sync_group_request_sync_group_request_assignment_init(a);
    consumer_protocol_assignment_init(&assignment);
    assignment.assigned_partitions.items = &topic;
    assignment.assigned_partitions.count = 1;
    a->member_id = str_from(to);
    a->assignment = encoded(call, &consumer_protocol_assignment_schema, &assignment);
    r->group_id = str_from("g");
    r->member_id = str_from(member);
    r->generation_id = generation;
    r->protocol_type = str_from("consumer");
    r->protocol_name = str_from("range");
    r->assignments.items = a;
    r->assignments.count = to != NULL;
    groups_sync(f->groups, &call->call, &f->now, r);
    fixture_settle(f);
    assert_true(call->is_done);
    return call;
}

// Asserts that a member may have these partitions of "t" ("0,1").
static void assert_synced(struct fixture_call *call, const char *expected)
{
    const struct sync_group_response *r = call->response;
    struct consumer_protocol_assignment a;
    char text[64] = "";
    assert_int_equal(r->error_code, 0);
    struct bytes rest = bytes_of(r->assignment.data + 2, r->assignment.size - 2);
    assert_int_equal(
        wire_decode(&consumer_protocol_assignment_schema, 1, rest, &call->arena, &a, NULL), 0);
    for (int32_t i = 0; a.assigned_partitions.count > 0 && i < a.assigned_partitions.items[0].partitions.count;
         i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%d", i > 0 ? "," : "",
                 a.assigned_partitions.items[0].partitions.items[i]);
    assert_string_equal(text, expected);
}

static int sync_error(const struct fixture_call *call)
{
    return ((const struct sync_group_response *)call->response)->error_code;
}

static int heartbeat(struct fixture *f, const char *member, int32_t generation)
{
    struct fixture_call *call = fixture_call_new(f, &heartbeat_response_schema, 4);
    struct heartbeat_request r;
    heartbeat_request_init(&r);
    r.group_id = str_from("g");
    r.member_id = str_from(member);
    r.generation_id = generation;
    groups_heartbeat(f->groups, &call->call, &f->now, &r);
    fixture_settle(f);
    assert_true(call->is_done);
    return ((const struct heartbeat_response *)call->response)->error_code;
}

static int leave_as(struct fixture *f, const char *member, const char *instance)
{
    struct fixture_call *call = fixture_call_new(f, &leave_group_response_schema, 5);
    struct leave_group_request r;
    struct leave_group_request_member_identity who;
    leave_group_request_init(&r);
    leave_group_request_member_identity_init(&who);
    who.member_id = str_from(member);
    who.group_instance_id = str_from(instance);
    r.group_id = str_from("g");
    r.members.items = &who;
    r.members.count = 1;
    groups_leave(f->groups, &call->call, &f->now, &r);
    fixture_settle(f);
    assert_true(call->is_done);
    return ((const struct leave_group_response *)call->response)->members.items[0].error_code;
}

static const struct group *group_of(struct fixture *f)
{
    struct group *group = groups_find(f->groups, str_from("g"));
    assert_non_null(group);
    return group;
}

// A classic group, stable in generation 1, whose only member has all four partitions.
static const char *classic_group(struct fixture *f)
{
    fixture_topic(f, "t", 4);
    const char *id = given_id(f);
    struct fixture_call *join = JOIN(f, .member = id);
    fixture_advance(f, 3000);
    assert_int_equal(joined(join)->generation_id, 1);
    assert_synced(sync_as(f, id, 1, id, 4), "0,1,2,3");
    return id;
}

// ---- Tests ----

static void test_upgrade(void **state)
{
    struct fixture f;
    fixture_init(&f);
    const char *old = classic_group(&f);
    // One comes that speaks the new protocol: the group's generation goes on as its epoch.
    assert_beat(&f, BEAT(&f, .member = "new", .topics = "t"), 2, "");
    struct consumer_group *cg = consumer_of(&f, "g");
    assert_int_equal(cg->member_count, 2);
    assert_int_equal(cg->classic_member_count, 1);
    assert_int_equal(fixture_last_record(&f, GROUP_RECORD_GROUP_METADATA).size, 0);
    assert_int_equal(group_journal_entry(&cg->group->journal, 0)->cause, REBALANCE_PROTOCOL);
    assert_string_equal(assignment_text(&f, &member_of(&f, "g", old)->assigned), "t:0,1,2,3");
    assert_string_equal(assignment_text(&f, &member_of(&f, "g", old)->target), "t:0,1");
    fixture_check_replay(&f);

    // The classic one hears it with its heartbeat, gives up two, and gets along.
    assert_int_equal(heartbeat(&f, old, 1), KAFKA_REBALANCE_IN_PROGRESS);
    assert_int_equal(sync_error(sync_as(&f, old, 1, NULL, 0)), KAFKA_REBALANCE_IN_PROGRESS);
    const struct join_group_response *r = joined(JOIN(&f, .member = old, .first = 0, .count = 4));
    assert_int_equal(r->error_code, 0);
    assert_int_equal(r->generation_id, 1);
    assert_true(str_is(r->protocol_name, "range"));
    assert_true(str_is(r->leader, ""));
    assert_int_equal(r->members.count, 0);
    assert_synced(sync_as(&f, old, 1, NULL, 0), "0,1");
    assert_int_equal(heartbeat(&f, old, 1), KAFKA_REBALANCE_IN_PROGRESS);
    assert_beat(&f, BEAT(&f, .member = "new", .epoch = 2), 2, NULL);
    assert_int_equal(joined(JOIN(&f, .member = old, .first = 0, .count = 2))->generation_id, 2);
    assert_int_equal(heartbeat(&f, old, 1), KAFKA_ILLEGAL_GENERATION);
    assert_synced(sync_as(&f, old, 2, NULL, 0), "0,1");
    assert_int_equal(heartbeat(&f, old, 2), KAFKA_NONE);
    assert_beat(&f, BEAT(&f, .member = "new", .epoch = 2), 2, "t:2,3");
    assert_string_equal(group_state_name(group_of(&f)), "Stable");
    fixture_check_replay(&f);
    fixture_release(&f);
}

// Both kinds at epoch 2, each with its half.
static const char *mixed_group(struct fixture *f)
{
    const char *old = classic_group(f);
    BEAT(f, .member = "new", .instance = "i", .topics = "t");
    JOIN(f, .member = old, .first = 0, .count = 4);
    sync_as(f, old, 1, NULL, 0);
    JOIN(f, .member = old, .first = 0, .count = 2);
    sync_as(f, old, 2, NULL, 0);
    assert_beat(f, BEAT(f, .member = "new", .instance = "i", .epoch = 2), 2, "t:2,3");
    return old;
}

static void test_downgrade(void **state)
{
    struct fixture f;
    fixture_init(&f);
    const char *old = mixed_group(&f);
    BEAT(&f, .member = "new", .instance = "i", .epoch = -1);
    assert_int_equal(group_of(&f)->kind, GROUP_CLASSIC);
    assert_int_equal(group_of(&f)->classic->generation, 2);
    assert_string_equal(group_state_name(group_of(&f)), "PreparingRebalance");
    assert_int_equal(heartbeat(&f, old, 2), KAFKA_REBALANCE_IN_PROGRESS);
    struct fixture_call *join = JOIN(&f, .member = old, .first = 0, .count = 2);
    assert_int_equal(joined(join)->generation_id, 3);
    assert_int_equal(joined(join)->members.count, 1);
    assert_synced(sync_as(&f, old, 3, old, 4), "0,1,2,3");
    assert_int_equal(group_journal_entry(&group_of(&f)->journal, 0)->cause, REBALANCE_PROTOCOL);
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void test_downgrade_by_timeout(void **state)
{
    struct fixture f;
    fixture_init(&f);
    const char *old = mixed_group(&f);
    for (int i = 0; i < 9; i++) {
        fixture_advance(&f, 5000);
        heartbeat(&f, old, 2);
    }
    assert_int_equal(group_of(&f)->kind, GROUP_CLASSIC);
    assert_non_null(classic_find_member(group_of(&f)->classic, str_from(old)));
    fixture_release(&f);
}

// The last member of the new protocol comes back with the old one: nothing is rebalanced.
static void test_downgrade_by_replacement(void **state)
{
    struct fixture f;
    fixture_init(&f);
    const char *old = mixed_group(&f);
    BEAT(&f, .member = "new", .instance = "i", .epoch = -2);
    struct fixture_call *join = JOIN(&f, .member = "", .instance = "i");
    assert_int_equal(joined(join)->error_code, 0);
    assert_int_equal(joined(join)->generation_id, 2);
    assert_int_equal(group_of(&f)->kind, GROUP_CLASSIC);
    assert_string_equal(group_state_name(group_of(&f)), "Stable");
    assert_int_equal(heartbeat(&f, old, 2), KAFKA_NONE);
    const char *id = arena_copy_str(&join->arena, joined(join)->member_id).data;
    assert_synced(sync_as(&f, id, 2, NULL, 0), "2,3");
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void test_policies(void **state)
{
    static const struct {
        const char *setting;
        bool upgrades;
        bool downgrades;
    } table[] = {
        {"group.consumer.migration.policy=Bidirectional", true, true},
        {"group.consumer.migration.policy=upgrade", true, false},
        {"group.consumer.migration.policy=downgrade", false, true},
        {"group.consumer.migration.policy=disabled", false, false},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct fixture f;
        fixture_init(&f);
        classic_group(&f);
        fixture_set(&f, table[i].setting);
        int error = BEAT(&f, .member = "new", .topics = "t")->error_code;
        assert_int_equal(error, table[i].upgrades ? KAFKA_NONE : KAFKA_GROUP_ID_NOT_FOUND);
        fixture_release(&f);

        fixture_init(&f);
        mixed_group(&f);
        fixture_set(&f, table[i].setting);
        BEAT(&f, .member = "new", .instance = "i", .epoch = -1);
        assert_int_equal(group_of(&f)->kind, table[i].downgrades ? GROUP_CLASSIC : GROUP_CONSUMER);
        fixture_release(&f);
    }
}

static void test_malformed_subscription(void **state)
{
    struct fixture f;
    fixture_init(&f);
    fixture_topic(&f, "t", 4);
    const char *id = given_id(&f);
    JOIN(&f, .member = id, .is_malformed = true);
    int64_t end = f.end_offset;
    assert_beat_error(BEAT(&f, .member = "new", .topics = "t"), KAFKA_GROUP_ID_NOT_FOUND,
                      "Cannot upgrade classic group g to consumer group because the embedded consumer "
                      "protocol is malformed.");
    assert_int_equal(f.end_offset, end);
    fixture_advance(&f, 3000);
    fixture_release(&f);

    fixture_init(&f);
    mixed_group(&f);
    assert_int_equal(joined(JOIN(&f, .member = "x", .is_malformed = true))->error_code,
                     KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    fixture_release(&f);
}

static void test_classic_member_comes_and_goes(void **state)
{
    struct fixture f;
    fixture_init(&f);
    fixture_topic(&f, "t", 4);
    BEAT(&f, .topics = "t");
    const char *id = given_id(&f);
    fixture_advance(&f, INTERVAL_MS);
    struct fixture_call *join = JOIN(&f, .member = id);
    assert_int_equal(joined(join)->generation_id, 3);
    assert_synced(sync_as(&f, id, 3, NULL, 0), "");
    // Its part is not free yet; then it is.
    assert_int_equal(heartbeat(&f, id, 3), KAFKA_NONE);
    BEAT(&f, .epoch = 2);
    BEAT(&f, .epoch = 2, .owned = "t:0,1");
    assert_int_equal(heartbeat(&f, id, 3), KAFKA_REBALANCE_IN_PROGRESS);
    JOIN(&f, .member = id);
    assert_synced(sync_as(&f, id, 3, NULL, 0), "2,3");
    assert_int_equal(leave_as(&f, "unknown", NULL), KAFKA_UNKNOWN_MEMBER_ID);
    assert_int_equal(leave_as(&f, id, NULL), KAFKA_NONE);
    assert_int_equal(consumer_of(&f, "g")->member_count, 1);
    fixture_check_replay(&f);
    fixture_release(&f);
}

// Who is told to join again, or has joined and does not sync, has its rebalance timeout for it.
static void test_rejoin_timeout(void **state)
{
    struct fixture f;
    fixture_init(&f);
    const char *old = classic_group(&f);
    BEAT(&f, .member = "new", .topics = "t");
    int64_t since = f.now.mono_ms;
    while (f.now.mono_ms - since < REBALANCE_MS - 1000) {
        assert_int_equal(heartbeat(&f, old, 1), KAFKA_REBALANCE_IN_PROGRESS);
        BEAT(&f, .member = "new", .epoch = 2);
        fixture_advance(&f, 1000);
    }
    assert_int_equal(heartbeat(&f, old, 1), KAFKA_REBALANCE_IN_PROGRESS);
    fixture_advance(&f, 1000);
    assert_int_equal(heartbeat(&f, old, 1), KAFKA_UNKNOWN_MEMBER_ID);
    assert_int_equal(consumer_of(&f, "g")->member_count, 1);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upgrade),
        cmocka_unit_test(test_downgrade),
        cmocka_unit_test(test_downgrade_by_timeout),
        cmocka_unit_test(test_downgrade_by_replacement),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_malformed_subscription),
        cmocka_unit_test(test_classic_member_comes_and_goes),
        cmocka_unit_test(test_rejoin_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

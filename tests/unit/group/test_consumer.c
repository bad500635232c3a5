// SPDX-License-Identifier: Apache-2.0
//
// Consumer groups by their heartbeats: the sequences and the words are those that Apache Kafka 4.4 answered
// with when it was asked the same.
#include "consumer_testing.h"

#include <inttypes.h>

#include "wire/api/consumer_group_describe.h"
#include "wire/record/consumer_group_current_member_assignment_value.h"
#include "wire/record/consumer_group_metadata_value.h"
#include "wire/record/consumer_group_target_assignment_metadata_value.h"

enum { SESSION_TIMEOUT_MS = 45000, INTERVAL_MS = 1000 };

static void begin(struct fixture *f)
{
    fixture_init(f);
    fixture_topic(f, "t", 4);
}

static void assert_state(struct fixture *f, const char *state, int32_t epoch, int32_t assignment_epoch)
{
    const struct consumer_group *cg = consumer_of(f, "g");
    assert_string_equal(group_state_name(cg->group), state);
    assert_int_equal(cg->epoch, epoch);
    assert_int_equal(cg->assignment_epoch, assignment_epoch);
}

// ---- Requests ----

static void test_checks(void **state)
{
    static const struct {
        struct beat beat;
        enum kafka_error error;
        const char *words;
    } table[] = {
        {{.member = "", .topics = "t"}, KAFKA_INVALID_REQUEST, "MemberId can't be empty."},
        {{.member = "", .epoch = -1, .version = -1}, KAFKA_INVALID_REQUEST, "MemberId can't be empty."},
        {{.group = "  ", .topics = "t"}, KAFKA_INVALID_REQUEST, "GroupId can't be empty."},
        {{.instance = " ", .topics = "t"}, KAFKA_INVALID_REQUEST, "InstanceId can't be empty."},
        {{.rack = "", .topics = "t"}, KAFKA_INVALID_REQUEST, "RackId can't be empty."},
        {{.timeout_ms = -1, .topics = "t"},
         KAFKA_INVALID_REQUEST,
         "RebalanceTimeoutMs must be provided in first request."},
        {{.owned = "t:1", .topics = "t"},
         KAFKA_INVALID_REQUEST,
         "TopicPartitions must be empty when (re-)joining."},
        {{.member = "m"},
         KAFKA_INVALID_REQUEST,
         "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining."},
        {{.epoch = -2}, KAFKA_INVALID_REQUEST, "InstanceId can't be null."},
        {{.epoch = -3}, KAFKA_INVALID_REQUEST, "MemberEpoch is invalid."},
        {{.topics = "t", .assignor = "nope"},
         KAFKA_UNSUPPORTED_ASSIGNOR,
         "ServerAssignor nope is not supported. Supported assignors: uniform, range."},
        {{.epoch = 5}, KAFKA_GROUP_ID_NOT_FOUND, "Consumer group g not found."},
        {{.epoch = -1}, KAFKA_GROUP_ID_NOT_FOUND, "Group g not found."},
        {{.regex = "["},
         KAFKA_INVALID_REGULAR_EXPRESSION,
         "SubscribedTopicRegex `[` is not a valid regular expression: missing closing ]."},
    };
    struct fixture f;
    begin(&f);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_beat_error(beat(&f, &table[i].beat), table[i].error, table[i].words);
    assert_int_equal(f.end_offset, 0);
    fixture_release(&f);
}

static void test_first_member(void **state)
{
    struct fixture f;
    struct consumer_group_metadata_value v;
    begin(&f);
    const struct consumer_group_heartbeat_response *r = BEAT(&f, .topics = "t");
    assert_beat(&f, r, 2, "t:0,1,2,3");
    assert_true(str_is(r->member_id, "m1"));
    assert_int_equal(r->heartbeat_interval_ms, 5000);
    assert_state(&f, "Stable", 2, 2);
    assert_int_equal(f.end_offset, 5); // types 5, 3, 7, 6 and 8
    assert_int_equal(fixture_last_value(&f, GROUP_RECORD_CONSUMER_GROUP_METADATA, &v), 0);
    assert_int_equal(v.epoch, 2);
    assert_int_not_equal(v.metadata_hash, 0);
    assert_beat(&f, BEAT(&f, .epoch = 2), 2, NULL);
    assert_int_equal(f.end_offset, 5);
    // A full request is answered in full.
    assert_beat(&f, BEAT(&f, .epoch = 2, .topics = "t", .timeout_ms = 300000, .owned = "t:0,1,2,3"), 2,
                "t:0,1,2,3");
    assert_int_equal(f.end_offset, 5);
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void test_member_id_of_version_0(void **state)
{
    struct fixture f;
    begin(&f);
    const struct consumer_group_heartbeat_response *r =
        BEAT(&f, .member = "", .version = -1, .topics = "t");
    assert_beat(&f, r, 2, "t:0,1,2,3");
    assert_int_equal(r->member_id.size, UUID_TEXT_SIZE);
    fixture_release(&f);
}

static void test_without_subscription(void **state)
{
    struct fixture f;
    begin(&f);
    assert_beat(&f, BEAT(&f, .topics = ""), 1, "");
    assert_state(&f, "Stable", 1, 1);
    assert_beat(&f, BEAT(&f, .member = "m2", .topics = "unknown,unknown"), 2, "");
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void test_second_member(void **state)
{
    struct fixture f;
    begin(&f);
    BEAT(&f, .topics = "t");
    // The target is too new for another one: the member gets the epoch of the one that is there.
    assert_beat(&f, BEAT(&f, .member = "m2", .topics = "t"), 2, "");
    assert_state(&f, "Assigning", 3, 2);
    fixture_advance(&f, INTERVAL_MS);
    assert_beat(&f, BEAT(&f, .member = "m2", .epoch = 2), 3, NULL);
    assert_state(&f, "Reconciling", 3, 3);
    assert_int_equal(member_of(&f, "g", "m2")->state, CONSUMER_MEMBER_UNRELEASED);
    assert_beat(&f, BEAT(&f, .epoch = 2), 2, "t:0,1");
    assert_int_equal(member_of(&f, "g", "m1")->state, CONSUMER_MEMBER_UNREVOKED);
    // Nobody says that they are given up.
    assert_beat(&f, BEAT(&f, .epoch = 2), 2, NULL);
    assert_beat(&f, BEAT(&f, .epoch = 2, .owned = "t:0,1,2,3"), 2, NULL);
    assert_beat(&f, BEAT(&f, .member = "m2", .epoch = 3), 3, NULL);
    assert_beat(&f, BEAT(&f, .epoch = 2, .owned = "t:0,1"), 3, NULL);
    // The answer was lost, and is asked for again.
    assert_beat(&f, BEAT(&f, .epoch = 2, .owned = "t:0,1"), 3, NULL);
    assert_beat(&f, BEAT(&f, .member = "m2", .epoch = 3), 3, "t:2,3");
    assert_state(&f, "Stable", 3, 3);
    const struct assigned_topic *t = &member_of(&f, "g", "m2")->assigned.topics[0];
    assert_int_equal(t->epochs[0], 3);
    assert_int_equal(member_of(&f, "g", "m1")->assigned.topics[0].epochs[0], 2);
    fixture_check_replay(&f);
    fixture_release(&f);
}

// Two members that have their parts at epoch 3.
static void two_members(struct fixture *f)
{
    begin(f);
    BEAT(f, .topics = "t");
    BEAT(f, .member = "m2", .topics = "t");
    fixture_advance(f, INTERVAL_MS);
    BEAT(f, .epoch = 2);
    BEAT(f, .epoch = 2, .owned = "t:0,1");
    assert_beat(f, BEAT(f, .member = "m2", .epoch = 2), 3, "t:2,3");
    assert_state(f, "Stable", 3, 3);
}

static void test_fencing(void **state)
{
    struct fixture f;
    two_members(&f);
    assert_beat_error(BEAT(&f, .member = "zz", .epoch = 3), KAFKA_UNKNOWN_MEMBER_ID,
                      "Member zz is not a member of group g.");
    assert_beat_error(BEAT(&f, .epoch = 4), KAFKA_FENCED_MEMBER_EPOCH,
                      "The consumer group member has a greater member epoch (4) than the one known by the "
                      "group coordinator (3). The member must abandon all its partitions and rejoin.");
    assert_beat_error(BEAT(&f, .epoch = 1), KAFKA_FENCED_MEMBER_EPOCH,
                      "The consumer group member has a smaller member epoch (1) than the one known by the "
                      "group coordinator (3). The member must abandon all its partitions and rejoin.");
    // With the epoch before it has to say what it owns, and that must not be more than it has.
    assert_int_equal(BEAT(&f, .epoch = 2)->error_code, KAFKA_FENCED_MEMBER_EPOCH);
    assert_int_equal(BEAT(&f, .epoch = 2, .owned = "t:0,2")->error_code, KAFKA_FENCED_MEMBER_EPOCH);
    assert_beat(&f, BEAT(&f, .epoch = 2, .owned = "t:0"), 3, NULL);
    // From the beginning: nothing has changed.
    int64_t end = f.end_offset;
    assert_beat(&f, BEAT(&f, .topics = "t"), 3, "t:0,1");
    assert_int_equal(f.end_offset, end);
    fixture_release(&f);
}

static void test_leave(void **state)
{
    struct fixture f;
    struct consumer_group_target_assignment_metadata_value v;
    two_members(&f);
    const struct consumer_group_heartbeat_response *r = BEAT(&f, .member = "m2", .epoch = -1);
    assert_beat(&f, r, -1, NULL);
    assert_int_equal(r->heartbeat_interval_ms, 0);
    assert_beat_error(BEAT(&f, .member = "m2", .epoch = -1), KAFKA_UNKNOWN_MEMBER_ID,
                      "Member m2 is not a member of group g.");
    assert_state(&f, "Assigning", 4, 3);
    fixture_advance(&f, INTERVAL_MS);
    assert_beat(&f, BEAT(&f, .epoch = 3), 4, "t:0,1,2,3");
    BEAT(&f, .epoch = -1);
    assert_state(&f, "Empty", 5, 5);
    fixture_last_value(&f, GROUP_RECORD_CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA, &v);
    assert_int_equal(v.assignment_epoch, 5);
    assert_int_equal(v.assignment_timestamp, 0);
    assert_int_equal(consumer_of(&f, "g")->metadata_hash, 0);
    fixture_check_replay(&f);
    // Who comes next has not to wait.
    assert_beat(&f, BEAT(&f, .topics = "t"), 6, "t:0,1,2,3");
    fixture_release(&f);
}

static void test_session_timeout(void **state)
{
    struct fixture f;
    two_members(&f);
    fixture_advance(&f, SESSION_TIMEOUT_MS - 1);
    assert_beat(&f, BEAT(&f, .epoch = 3), 3, NULL);
    fixture_advance(&f, 1);
    assert_int_equal(consumer_of(&f, "g")->member_count, 1);
    assert_beat(&f, BEAT(&f, .epoch = 3), 4, "t:0,1,2,3");
    // After a reload all have their session from the beginning.
    fixture_reload(&f, true);
    fixture_advance(&f, SESSION_TIMEOUT_MS - 1);
    assert_int_equal(consumer_of(&f, "g")->member_count, 1);
    fixture_advance(&f, 1);
    assert_state(&f, "Empty", 5, 5);
    fixture_check_replay(&f);
    fixture_release(&f);
}

// While the log stands still nobody hears an answer, so nobody can be late. A busy one keeps nobody.
static void test_session_and_the_log(void **state)
{
    struct fixture f;
    two_members(&f);
    f.holds_commits = true;
    struct fixture_call *call = fixture_commit_offset(&f, 9, "g", "m1", 3, 0);
    assert_false(call->is_done);
    fixture_advance(&f, 3 * SESSION_TIMEOUT_MS);
    assert_int_equal(consumer_of(&f, "g")->member_count, 2);
    f.holds_commits = false;
    fixture_settle(&f);
    assert_true(call->is_done);
    assert_beat(&f, BEAT(&f, .epoch = 3), 3, NULL);
    fixture_advance(&f, SESSION_TIMEOUT_MS - 1);
    assert_beat(&f, BEAT(&f, .epoch = 3), 3, NULL);
    f.holds_commits = true;
    fixture_commit_offset(&f, 9, "g", "m1", 3, 0);
    fixture_advance(&f, 1);
    assert_int_equal(consumer_of(&f, "g")->member_count, 1);
    const struct journal_entry *e = group_journal_entry(&consumer_of(&f, "g")->group->journal, 0);
    assert_int_equal(e->cause, REBALANCE_SESSION_TIMEOUT);
    assert_int_equal(e->members_before, 2);
    fixture_release(&f);
}

static void test_rebalance_timeout(void **state)
{
    struct fixture f;
    begin(&f);
    BEAT(&f, .topics = "t", .timeout_ms = 7000);
    BEAT(&f, .member = "m2", .topics = "t");
    fixture_advance(&f, INTERVAL_MS);
    assert_beat(&f, BEAT(&f, .epoch = 2), 2, "t:0,1");
    // That it is alive does not help.
    fixture_advance(&f, 6999);
    assert_beat(&f, BEAT(&f, .epoch = 2), 2, NULL);
    fixture_advance(&f, 1);
    assert_int_equal(BEAT(&f, .epoch = 2)->error_code, KAFKA_UNKNOWN_MEMBER_ID);
    assert_beat(&f, BEAT(&f, .member = "m2", .epoch = 2), 4, "t:0,1,2,3");
    const struct journal_entry *e = group_journal_entry(&consumer_of(&f, "g")->group->journal, 0);
    assert_int_equal(e->cause, REBALANCE_JOINED);
    assert_true(e->duration_ms >= 0);
    assert_int_equal(e->causes, 2);
    assert_int_equal(e->members_before, 1);
    assert_int_equal(e->members_after, 1);
    fixture_release(&f);
}

// The timer is set again by a coordinator that finds the member giving up.
static void test_rebalance_timeout_after_reload(void **state)
{
    struct fixture f;
    begin(&f);
    BEAT(&f, .topics = "t", .timeout_ms = 7000);
    BEAT(&f, .member = "m2", .topics = "t");
    fixture_advance(&f, INTERVAL_MS);
    assert_beat(&f, BEAT(&f, .epoch = 2), 2, "t:0,1");
    fixture_reload(&f, true);
    fixture_advance(&f, 7000);
    assert_int_equal(consumer_of(&f, "g")->member_count, 1);
    fixture_release(&f);
}

static void test_max_size(void **state)
{
    static const char *const settings[] = {"group.consumer.max.size=1", NULL};
    struct fixture f;
    fixture_init_config(&f, settings);
    fixture_topic(&f, "t", 4);
    BEAT(&f, .topics = "t");
    assert_beat_error(BEAT(&f, .member = "m2", .topics = "t"), KAFKA_GROUP_MAX_SIZE_REACHED,
                      "The consumer group has reached its maximum capacity of 1 members.");
    assert_beat(&f, BEAT(&f, .topics = "t"), 2, "t:0,1,2,3");
    fixture_release(&f);
}

// A group's own settings act at once, within the broker's bounds.
static void test_settings_of_the_group(void **state)
{
    struct fixture f;
    begin(&f);
    assert_int_equal(BEAT(&f, .topics = "t")->heartbeat_interval_ms, 5000);
    fixture_set_group(&f, "g", "consumer.heartbeat.interval.ms", "7000");
    assert_int_equal(BEAT(&f, .epoch = 2)->heartbeat_interval_ms, 7000);
    fixture_set_group(&f, "g", "consumer.heartbeat.interval.ms", "70000");
    assert_int_equal(BEAT(&f, .epoch = 2)->heartbeat_interval_ms, 15000);
    fixture_set_group(&f, "g", "consumer.assignment.interval.ms", "0");
    assert_beat(&f, BEAT(&f, .member = "m2", .topics = "t"), 3, "");
    fixture_set_group(&f, "g", "consumer.session.timeout.ms", "60000");
    assert_beat(&f, BEAT(&f, .epoch = 2), 2, "t:0,1");
    fixture_advance(&f, SESSION_TIMEOUT_MS);
    assert_int_equal(consumer_of(&f, "g")->member_count, 1); // m2 had the old one
    fixture_advance(&f, 60000 - SESSION_TIMEOUT_MS);
    assert_int_equal(consumer_of(&f, "g")->member_count, 0);
    fixture_release(&f);
}

// ---- Subscriptions ----

static void test_subscription_changes(void **state)
{
    struct fixture f;
    begin(&f);
    fixture_topic(&f, "u", 2);
    assert_beat(&f, BEAT(&f, .topics = "u,t"), 2, "t:0,1,2,3 u:0,1");
    // What is not wanted any more goes before there is a new target.
    assert_beat(&f, BEAT(&f, .epoch = 2, .topics = "t"), 2, "t:0,1,2,3");
    assert_state(&f, "Assigning", 3, 2);
    assert_string_equal(assignment_text(&f, &member_of(&f, "g", "m1")->pending_revocation), "u:0,1");
    assert_beat(&f, BEAT(&f, .epoch = 2, .owned = "t:0,1,2,3"), 2, NULL);
    fixture_advance(&f, INTERVAL_MS);
    assert_beat(&f, BEAT(&f, .epoch = 2), 3, NULL);
    assert_state(&f, "Stable", 3, 3);
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void test_metadata_changes(void **state)
{
    struct fixture f;
    begin(&f);
    BEAT(&f, .topics = "t,later");
    fixture_advance(&f, INTERVAL_MS);
    fixture_topic(&f, "other", 1);
    assert_beat(&f, BEAT(&f, .epoch = 2), 2, NULL);
    fixture_topic(&f, "t", 6);
    assert_beat(&f, BEAT(&f, .epoch = 2), 3, "t:0,1,2,3,4,5");
    fixture_advance(&f, INTERVAL_MS);
    fixture_topic(&f, "later", 1);
    assert_beat(&f, BEAT(&f, .epoch = 3), 4, "later:0 t:0,1,2,3,4,5");
    fixture_advance(&f, INTERVAL_MS);
    fixture_delete_topic(&f, "t");
    assert_beat(&f, BEAT(&f, .epoch = 4), 4, "later:0");
    assert_beat(&f, BEAT(&f, .epoch = 4, .owned = "later:0"), 5, NULL);
    const struct journal_entry *e = group_journal_entry(&consumer_of(&f, "g")->group->journal, 0);
    assert_int_equal(e->cause, REBALANCE_METADATA);
    fixture_check_replay(&f);
    fixture_release(&f);
}

static void test_assignors(void **state)
{
    struct fixture f;
    begin(&f);
    BEAT(&f, .topics = "t", .assignor = "range");
    assert_string_equal(consumer_assignor_name(consumer_of(&f, "g")), "range");
    fixture_advance(&f, INTERVAL_MS);
    // "a" goes before "m1" in a range, whoever had what.
    assert_beat(&f, BEAT(&f, .member = "a", .topics = "t"), 3, "");
    assert_string_equal(assignment_text(&f, &member_of(&f, "g", "m1")->target), "t:2,3");
    fixture_advance(&f, INTERVAL_MS);
    assert_beat(&f, BEAT(&f, .epoch = 2, .assignor = "uniform"), 2, "t:2,3");
    assert_state(&f, "Reconciling", 4, 4);
    assert_string_equal(consumer_assignor_name(consumer_of(&f, "g")), "uniform");
    fixture_release(&f);
}

static void test_patterns(void **state)
{
    struct fixture f;
    begin(&f);
    fixture_topic(&f, "tt", 1);
    fixture_topic(&f, "x", 1);
    assert_beat(&f, BEAT(&f, .regex = "t+"), 2, "t:0,1,2,3 tt:0");
    assert_int_equal(fixture_record_count(&f, GROUP_RECORD_CONSUMER_GROUP_REGULAR_EXPRESSION), 1);
    fixture_advance(&f, CONSUMER_REGEX_REFRESH_MIN_MS);
    fixture_topic(&f, "ttt", 1);
    assert_beat(&f, BEAT(&f, .epoch = 2), 3, "t:0,1,2,3 tt:0 ttt:0");
    // Not so soon again.
    fixture_topic(&f, "tttt", 1);
    fixture_advance(&f, CONSUMER_REGEX_REFRESH_MIN_MS - 1);
    assert_beat(&f, BEAT(&f, .epoch = 3), 3, NULL);
    fixture_advance(&f, 1);
    assert_beat(&f, BEAT(&f, .epoch = 3), 4, "t:0,1,2,3 tt:0 ttt:0 tttt:0");
    fixture_advance(&f, INTERVAL_MS);
    // Names and a pattern together; then no pattern any more.
    assert_beat(&f, BEAT(&f, .epoch = 4, .regex = "t", .topics = "x"), 4, "t:0,1,2,3");
    assert_beat(&f, BEAT(&f, .epoch = 4, .owned = "t:0,1,2,3"), 5, "t:0,1,2,3 x:0");
    fixture_advance(&f, INTERVAL_MS);
    assert_beat(&f, BEAT(&f, .epoch = 5, .regex = ""), 5, "x:0");
    assert_int_equal(consumer_of(&f, "g")->regexes.count, 0);
    fixture_check_replay(&f);
    fixture_release(&f);
}

// ---- Static members ----

static void test_static_member(void **state)
{
    struct fixture f;
    begin(&f);
    BEAT(&f, .instance = "i", .topics = "t");
    assert_beat_error(BEAT(&f, .member = "m2", .instance = "i", .topics = "t"), KAFKA_UNRELEASED_INSTANCE_ID,
                      "Static member m2 with instance id i cannot join the group because the instance id is "
                      "owned by m1 member.");
    assert_beat_error(BEAT(&f, .member = "m2", .instance = "i", .epoch = 2), KAFKA_FENCED_INSTANCE_ID,
                      "Static member m2 with instance id i was fenced by member m1.");
    assert_beat_error(BEAT(&f, .instance = "j", .epoch = 2), KAFKA_UNKNOWN_MEMBER_ID,
                      "Instance id j is unknown.");
    assert_beat(&f, BEAT(&f, .instance = "i", .epoch = -2), -2, NULL);
    assert_state(&f, "Reconciling", 2, 2);
    assert_beat_error(BEAT(&f, .instance = "i", .epoch = 2), KAFKA_FENCED_MEMBER_EPOCH,
                      "The consumer group member has a greater member epoch (2) than the one known by the "
                      "group coordinator (-2). The member must abandon all its partitions and rejoin.");
    // It comes back as another one: nothing is rebalanced.
    assert_beat(&f, BEAT(&f, .member = "m2", .instance = "i", .topics = "t"), 2, "t:0,1,2,3");
    assert_state(&f, "Stable", 2, 2);
    assert_int_equal(consumer_of(&f, "g")->member_count, 1);
    assert_beat_error(BEAT(&f, .instance = "i", .epoch = 2), KAFKA_FENCED_INSTANCE_ID,
                      "Static member m1 with instance id i was fenced by member m2.");
    assert_beat(&f, BEAT(&f, .member = "m2", .instance = "i", .epoch = 2), 2, NULL);
    fixture_check_replay(&f);
    // For good, or because it does not come back.
    BEAT(&f, .member = "m2", .instance = "i", .epoch = -2);
    fixture_advance(&f, SESSION_TIMEOUT_MS);
    assert_state(&f, "Empty", 3, 3);
    assert_beat_error(BEAT(&f, .member = "m2", .instance = "i", .epoch = -1), KAFKA_UNKNOWN_MEMBER_ID,
                      "Instance id i is unknown.");
    fixture_release(&f);
}

static void test_static_member_with_other_topics(void **state)
{
    struct fixture f;
    begin(&f);
    fixture_topic(&f, "u", 1);
    BEAT(&f, .instance = "i", .topics = "t");
    BEAT(&f, .instance = "i", .epoch = -2);
    assert_beat(&f, BEAT(&f, .member = "m2", .instance = "i", .topics = "u"), 2, "");
    assert_state(&f, "Assigning", 3, 2);
    fixture_advance(&f, INTERVAL_MS);
    assert_beat(&f, BEAT(&f, .member = "m2", .instance = "i", .epoch = 2), 3, "u:0");
    fixture_check_replay(&f);
    fixture_release(&f);
}

// ---- Loading ----

// A member in a state of a later release has to begin anew.
static void test_unknown_state(void **state)
{
    struct fixture f;
    struct consumer_group_current_member_assignment_value v;
    begin(&f);
    BEAT(&f, .topics = "t");
    consumer_group_current_member_assignment_value_init(&v);
    v.member_epoch = v.previous_member_epoch = 2;
    v.state = 9;
    struct { struct str group_id, member_id; } key = {str_from("g"), str_from("m1")};
    fixture_write(&f, GROUP_RECORD_CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT, 0, &key, &v);
    fixture_reload(&f, true);
    assert_beat_error(BEAT(&f, .epoch = 2), KAFKA_FENCED_MEMBER_EPOCH,
                      "The consumer group member is in a unknown state. The member must abandon all its "
                      "partitions and rejoin.");
    assert_beat(&f, BEAT(&f, .topics = "t"), 2, "t:0,1,2,3");
    fixture_release(&f);
}

static void test_append_fails(void **state)
{
    struct fixture f;
    begin(&f);
    f.holds_commits = true;
    struct fixture_call *call = fixture_call_new(&f, &consumer_group_heartbeat_response_schema, 1);
    struct consumer_group_heartbeat_request r;
    consumer_group_heartbeat_request_init(&r);
    struct str t = str_from("t");
    r.group_id = str_from("g");
    r.member_id = str_from("m1");
    r.rebalance_timeout_ms = 1000;
    r.subscribed_topic_names = (struct wire_string_array){&t, 1};
    r.topic_partitions.count = 0;
    groups_consumer_heartbeat(f.groups, &call->call, &f.now, &r);
    fixture_settle(&f);
    assert_false(call->is_done); // not before it is committed
    fixture_reload(&f, false);
    assert_true(call->is_done);
    const struct consumer_group_heartbeat_response *reply = call->response;
    assert_int_equal(reply->error_code, KAFKA_NOT_COORDINATOR);
    assert_null(reply->member_id.data);
    assert_null(groups_find(f.groups, str_from("g")));
    fixture_release(&f);
}

// ---- Describing ----

static void test_describe(void **state)
{
    struct fixture f;
    struct consumer_group_describe_response_described_group out;
    two_members(&f);
    consumer_group_describe_response_described_group_init(&out);
    groups_consumer_describe(f.groups, &fixture_call_part(&f, &out, 1)->call, &f.now, str_from("g"));
    fixture_settle(&f);
    assert_int_equal(out.error_code, 0);
    assert_true(str_is(out.group_state, "Stable"));
    assert_true(str_is(out.assignor_name, "uniform"));
    assert_int_equal(out.members.count, 2);
    const struct consumer_group_describe_response_member *m = &out.members.items[1];
    assert_true(str_is(m->member_id, "m2"));
    assert_null(m->instance_id.data);
    assert_true(str_is(m->subscribed_topic_regex, ""));
    assert_int_equal(m->member_type, 1);
    assert_int_equal(m->assignment.topic_partitions.count, 1);
    assert_true(str_is(m->assignment.topic_partitions.items[0].topic_name, "t"));
    assert_int_equal(m->assignment.topic_partitions.items[0].partitions.items[0], 2);
    assert_int_equal(m->target_assignment.topic_partitions.count, 1);

    consumer_group_describe_response_described_group_init(&out);
    groups_consumer_describe(f.groups, &fixture_call_part(&f, &out, 1)->call, &f.now, str_from("none"));
    fixture_settle(&f);
    assert_int_equal(out.error_code, KAFKA_GROUP_ID_NOT_FOUND);
    assert_true(str_is(out.error_message, "Group none not found."));
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checks),
        cmocka_unit_test(test_first_member),
        cmocka_unit_test(test_member_id_of_version_0),
        cmocka_unit_test(test_without_subscription),
        cmocka_unit_test(test_second_member),
        cmocka_unit_test(test_fencing),
        cmocka_unit_test(test_leave),
        cmocka_unit_test(test_session_timeout),
        cmocka_unit_test(test_session_and_the_log),
        cmocka_unit_test(test_rebalance_timeout),
        cmocka_unit_test(test_rebalance_timeout_after_reload),
        cmocka_unit_test(test_max_size),
        cmocka_unit_test(test_settings_of_the_group),
        cmocka_unit_test(test_subscription_changes),
        cmocka_unit_test(test_metadata_changes),
        cmocka_unit_test(test_assignors),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_static_member),
        cmocka_unit_test(test_static_member_with_other_topics),
        cmocka_unit_test(test_unknown_state),
        cmocka_unit_test(test_append_fails),
        cmocka_unit_test(test_describe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

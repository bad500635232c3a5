// SPDX-License-Identifier: Apache-2.0
//
// Streams groups by their heartbeats: the sequences and the words are those that Apache Kafka 4.4 answered
// with when it was asked the same.
#include "streams_testing.h"

#include <string.h>

#include "wire/record/streams_group_current_member_assignment_value.h"
#include "wire/record/streams_group_metadata_value.h"
#include "wire/record/streams_group_target_assignment_metadata_value.h"

enum { SESSION_TIMEOUT_MS = 45000, INTERVAL_MS = 1000, INITIAL_DELAY_MS = 3000 };

// A stateless subtopology and a stateful one; the source has two partitions.
static const char word_count[] = "0 words > counts;1 < counts # store";

static void begin(struct fixture *f)
{
    fixture_init(f);
    fixture_set(f, "group.streams.initial.rebalance.delay.ms=0");
    fixture_set(f, "group.streams.assignment.interval.ms=0");
    fixture_topic(f, "words", 2);
}

static void assert_state(struct fixture *f, const char *state, int32_t epoch, int32_t assignment_epoch)
{
    const struct streams_group *sg = streams_of(f, "g");
    assert_string_equal(group_state_name(sg->group), state);
    assert_int_equal(sg->epoch, epoch);
    assert_int_equal(sg->assignment_epoch, assignment_epoch);
}

// ---- Requests ----

static void test_checks(void **state)
{
    static const struct {
        struct streams_beat beat;
        enum kafka_error error;
        const char *words;
    } table[] = {
        {{.member = " ", .topology = word_count}, KAFKA_INVALID_REQUEST, "MemberId can't be empty."},
        {{.group = "", .topology = word_count}, KAFKA_INVALID_REQUEST, "GroupId can't be empty."},
        {{.instance = " ", .topology = word_count}, KAFKA_INVALID_REQUEST, "InstanceId can't be empty."},
        {{.rack = "", .topology = word_count}, KAFKA_INVALID_REQUEST, "RackId can't be empty."},
        {{.timeout_ms = -1, .topology = word_count},
         KAFKA_INVALID_REQUEST,
         "RebalanceTimeoutMs must be provided in first request."},
        {{.active = "0:0", .topology = word_count},
         KAFKA_INVALID_REQUEST,
         "ActiveTasks must be empty when (re-)joining."},
        {{.standby = "0:0", .active = "", .topology = word_count},
         KAFKA_INVALID_REQUEST,
         "StandbyTasks must be empty when (re-)joining."},
        {{.tasks_null = true, .topology = word_count},
         KAFKA_INVALID_REQUEST,
         "ActiveTasks must be empty when (re-)joining."},
        {{.member = "m"}, KAFKA_INVALID_REQUEST, "Topology must be non-null when (re-)joining."},
        {{.epoch = 1, .topology = word_count},
         KAFKA_INVALID_REQUEST,
         "Topology can only be provided when (re-)joining."},
        {{.epoch = -2}, KAFKA_INVALID_REQUEST, "InstanceId can't be null."},
        {{.epoch = -3}, KAFKA_INVALID_REQUEST, "MemberEpoch is -3, but must be greater than or equal to -2."},
        {{.topology = "0 ! a.*"},
         KAFKA_INVALID_REQUEST,
         "Regular expressions for source topics are not supported yet."},
        {{.topology = "0 words # store*3"},
         KAFKA_STREAMS_INVALID_TOPOLOGY,
         "Changelog topic store must have an undefined partition count, but it is set to 3."},
        {{.topology = "0 a/b,c > d:e"},
         KAFKA_STREAMS_INVALID_TOPOLOGY,
         "Topic names a/b,d:e are not valid topic names."},
        {{.topology = "0 __consumer_offsets"},
         KAFKA_STREAMS_INVALID_TOPOLOGY,
         "Use of Kafka internal topics __consumer_offsets in a Kafka Streams topology is prohibited."},
        {{.epoch = 5}, KAFKA_GROUP_ID_NOT_FOUND, "Streams group g not found."},
        {{.epoch = -1}, KAFKA_GROUP_ID_NOT_FOUND, "Group g not found."},
        {{.topology = "0 ; 1 words"},
         KAFKA_STREAMS_INVALID_TOPOLOGY,
         "No source topics found for subtopology 0"},
        {{.topology = "0 words;0 words"}, KAFKA_STREAMS_INVALID_TOPOLOGY, "Subtopology 0 is there twice."},
    };
    struct fixture f;
    begin(&f);
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        assert_streams_error(streams_beat(&f, &table[i].beat), table[i].error, table[i].words);
    assert_null(groups_find(f.groups, str_from("g"))); // nothing came of any of them
    fixture_release(&f);
    (void)state;
}

// ---- One member ----

static void test_life(void **state)
{
    struct fixture f;
    begin(&f);
    const struct streams_group_heartbeat_response *r = STREAMS_BEAT(&f, .topology = word_count);
    assert_streams_beat(&f, r, 2, "", "3");
    assert_true(str_is(r->status.items[0].status_detail, "Internal topics are missing: counts, store"));
    assert_int_equal(r->heartbeat_interval_ms, 5000);
    assert_int_equal(r->task_offset_interval_ms, 60000);
    assert_int_equal(r->acceptable_recovery_lag, 10000);
    assert_state(&f, "NotReady", 2, 2);
    assert_streams_beat(&f, STREAMS_BEAT(&f, .epoch = 2), 3, "0:0,1 1:0,1", "");
    assert_state(&f, "Stable", 3, 3);
    assert_streams_beat(&f, STREAMS_BEAT(&f, .epoch = 3, .active = "0:0,1 1:0,1"), 3, NULL, "");
    // The answer may have been lost.
    assert_streams_beat(&f, STREAMS_BEAT(&f, .epoch = 2, .active = "0:0"), 3, NULL, "");
    assert_streams_error(STREAMS_BEAT(&f, .epoch = 2, .active = "0:0", .standby = "1:0"),
                         KAFKA_FENCED_MEMBER_EPOCH,
                         "The streams group member has a smaller member epoch (2) than the one known by the "
                         "group coordinator (3). The member must abandon all its partitions and rejoin.");
    assert_streams_error(STREAMS_BEAT(&f, .epoch = 3, .active = "0:2"), KAFKA_INVALID_REQUEST,
                         "Task 2 for subtopology 0 is invalid. Number of tasks for this subtopology: 2");
    assert_streams_error(STREAMS_BEAT(&f, .epoch = 3, .active = "7:0"), KAFKA_INVALID_REQUEST,
                         "Subtopology 7 does not exist in the topology.");
    assert_streams_error(STREAMS_BEAT(&f, .member = "x", .epoch = 3), KAFKA_UNKNOWN_MEMBER_ID,
                         "Member x is not a member of group g.");
    assert_streams_beat(&f, STREAMS_BEAT(&f, .topology = word_count), 3, "0:0,1 1:0,1", "");
    assert_streams_beat(&f, STREAMS_BEAT(&f, .epoch = -1), -1, NULL, "");
    assert_state(&f, "Empty", 4, 4);
    fixture_check_replay(&f);
    fixture_release(&f);
    (void)state;
}

static void test_topology_stays(void **state)
{
    struct fixture f;
    begin(&f);
    STREAMS_BEAT(&f, .topology = "0 words", .topology_epoch = 3);
    assert_streams_error(STREAMS_BEAT(&f, .member = "m2", .topology = "0 words > out", .topology_epoch = 3),
                         KAFKA_INVALID_REQUEST, "Topology updates are not supported yet.");
    assert_streams_error(STREAMS_BEAT(&f, .member = "m2", .topology = "0 words", .topology_epoch = 4),
                         KAFKA_INVALID_REQUEST, "Topology updates are not supported yet.");
    const struct streams_group_heartbeat_response *r =
        STREAMS_BEAT(&f, .member = "m2", .topology = "0 other", .topology_epoch = 2);
    assert_streams_beat(&f, r, 3, "", "0");
    assert_true(str_is(r->status.items[0].status_detail,
                       "The member's topology epoch 2 is behind the group's topology epoch 3."));
    // In another order it is the same.
    STREAMS_BEAT(&f, .group = "h", .topology = "1 words;0 words");
    assert_streams_beat(&f, STREAMS_BEAT(&f, .group = "h", .member = "m2", .topology = "0 words;1 words"), 3,
                        "", "");
    fixture_release(&f);
    (void)state;
}

// ---- From one to another ----

static void test_task_moves(void **state)
{
    struct fixture f;
    begin(&f);
    assert_streams_beat(&f, STREAMS_BEAT(&f, .topology = "0 words"), 2, "0:0,1", "");
    assert_streams_beat(&f, STREAMS_BEAT(&f, .member = "m2", .topology = "0 words"), 3, "", "");
    assert_state(&f, "Reconciling", 3, 3);
    assert_streams_beat(&f, STREAMS_BEAT(&f, .epoch = 2, .active = "0:0,1"), 2, "0:0", "");
    assert_int_equal(streams_member_of(&f, "g", "m1")->state, STREAMS_MEMBER_UNREVOKED);
    assert_streams_beat(&f, STREAMS_BEAT(&f, .member = "m2", .epoch = 3), 3, NULL, "");
    assert_streams_beat(&f, STREAMS_BEAT(&f, .epoch = 2), 2, NULL, ""); // says nothing of its tasks
    assert_streams_beat(&f, STREAMS_BEAT(&f, .epoch = 2, .active = "0:0"), 3, NULL, "");
    assert_streams_beat(&f, STREAMS_BEAT(&f, .member = "m2", .epoch = 3), 3, "0:1", "");
    assert_state(&f, "Stable", 3, 3);
    struct streams_group_current_member_assignment_value value;
    fixture_last_value(&f, GROUP_RECORD_STREAMS_GROUP_CURRENT_MEMBER_ASSIGNMENT, &value);
    assert_int_equal(value.active_tasks.items[0].assignment_epochs.items[0], 3);
    fixture_check_replay(&f);
    fixture_release(&f);
    (void)state;
}

static void test_late_revocation(void **state)
{
    struct fixture f;
    begin(&f);
    STREAMS_BEAT(&f, .topology = "0 words", .timeout_ms = 10000);
    STREAMS_BEAT(&f, .member = "m2", .topology = "0 words");
    STREAMS_BEAT(&f, .epoch = 2, .active = "0:0,1");
    fixture_advance(&f, 9999);
    assert_non_null(streams_find_member(streams_of(&f, "g"), str_from("m1")));
    fixture_advance(&f, 1);
    assert_null(streams_find_member(streams_of(&f, "g"), str_from("m1")));
    assert_streams_beat(&f, STREAMS_BEAT(&f, .member = "m2", .epoch = 3), 4, "0:0,1", "");
    fixture_release(&f);
    (void)state;
}

static void test_session(void **state)
{
    struct fixture f;
    begin(&f);
    STREAMS_BEAT(&f, .topology = "0 words");
    fixture_reload(&f, true); // it has its time again
    fixture_advance(&f, SESSION_TIMEOUT_MS - 1);
    assert_state(&f, "Stable", 2, 2);
    fixture_advance(&f, 1);
    assert_state(&f, "Empty", 3, 3);
    fixture_release(&f);
    (void)state;
}

// While the log stands still nobody hears an answer, so nobody can be late.
static void test_session_and_the_log(void **state)
{
    struct fixture f;
    begin(&f);
    fixture_topic(&f, "t", 1);
    STREAMS_BEAT(&f, .topology = "0 words");
    f.holds_commits = true;
    struct fixture_call *call = fixture_commit_offset(&f, 9, "g", "m1", 2, 0);
    assert_false(call->is_done);
    fixture_advance(&f, 3 * SESSION_TIMEOUT_MS);
    assert_state(&f, "Stable", 2, 2);
    f.holds_commits = false;
    fixture_settle(&f);
    assert_true(call->is_done);
    fixture_advance(&f, 2 * SESSION_TIMEOUT_MS);
    assert_state(&f, "Empty", 3, 3);
    fixture_release(&f);
    (void)state;
}

// One process has a task once: a standby becomes active where it is, but not beside itself.
static void test_standbys(void **state)
{
    struct fixture f;
    begin(&f);
    fixture_topic(&f, "one", 1);
    fixture_topic(&f, "log", 1);
    fixture_set_group(&f, "g", "streams.num.standby.replicas", "1");
    STREAMS_BEAT(&f, .topology = "0 one # log", .process = "a");
    assert_streams_beat(&f, STREAMS_BEAT(&f, .member = "m2", .topology = "0 one # log", .process = "b"), 3,
                        " | 0:0", "");
    assert_streams_beat(&f, STREAMS_BEAT(&f, .epoch = 2, .active = "0:0"), 3, NULL, "");
    STREAMS_BEAT(&f, .epoch = -1);
    // m2 has it as a standby, and gives that up before it is active.
    assert_streams_beat(&f, STREAMS_BEAT(&f, .member = "m2", .epoch = 3, .active = "", .standby = "0:0"), 3,
                        "", "");
    assert_streams_beat(&f, STREAMS_BEAT(&f, .member = "m2", .epoch = 3, .active = ""), 4, NULL, "");
    assert_streams_beat(&f, STREAMS_BEAT(&f, .member = "m2", .epoch = 4), 4, "0:0", "");
    fixture_check_replay(&f);
    fixture_release(&f);
    (void)state;
}

// ---- Delays ----

static void test_initial_delay(void **state)
{
    struct fixture f;
    begin(&f);
    fixture_set_group(&f, "g", "streams.initial.rebalance.delay.ms", "3000");
    const struct streams_group_heartbeat_response *r = STREAMS_BEAT(&f, .topology = "0 words");
    assert_streams_beat(&f, r, 1, "", "5");
    assert_true(str_is(r->status.items[0].status_detail,
                       "Assignment delayed due to the configured initial rebalance delay."));
    assert_state(&f, "Assigning", 2, 1);
    fixture_advance(&f, INITIAL_DELAY_MS - 1);
    assert_streams_beat(&f, STREAMS_BEAT(&f, .member = "m2", .topology = "0 words"), 1, "", "5");
    assert_state(&f, "Assigning", 3, 1);
    fixture_advance(&f, 1);
    assert_state(&f, "Reconciling", 3, 3);
    assert_streams_beat(&f, STREAMS_BEAT(&f, .epoch = 1), 3, "0:0", "");
    assert_streams_beat(&f, STREAMS_BEAT(&f, .member = "m2", .epoch = 1), 3, "0:1", "");
    fixture_release(&f);
    (void)state;
}

static void test_interval(void **state)
{
    struct fixture f;
    begin(&f);
    fixture_set(&f, "group.streams.assignment.interval.ms=1000");
    STREAMS_BEAT(&f, .topology = "0 words");
    const struct streams_group_heartbeat_response *r =
        STREAMS_BEAT(&f, .member = "m2", .topology = "0 words");
    assert_streams_beat(&f, r, 2, "", "5");
    assert_true(str_is(r->status.items[0].status_detail,
                       "Assignment delayed due to the configured assignment interval."));
    assert_state(&f, "Assigning", 3, 2);
    fixture_advance(&f, INTERVAL_MS);
    assert_streams_beat(&f, STREAMS_BEAT(&f, .member = "m2", .epoch = 2), 3, NULL, "");
    assert_state(&f, "Reconciling", 3, 3);
    fixture_release(&f);
    (void)state;
}

// ---- Static members ----

static void test_static(void **state)
{
    struct fixture f;
    begin(&f);
    STREAMS_BEAT(&f, .instance = "i", .topology = "0 words");
    assert_streams_error(STREAMS_BEAT(&f, .member = "m2", .instance = "i", .topology = "0 words"),
                         KAFKA_UNRELEASED_INSTANCE_ID,
                         "Static member m2 with instance id i cannot join the group because the instance id "
                         "is owned by m1 member.");
    assert_streams_error(STREAMS_BEAT(&f, .member = "m2", .instance = "i", .epoch = 2),
                         KAFKA_FENCED_INSTANCE_ID,
                         "Static member m2 with instance id i was fenced by member m1.");
    assert_streams_error(STREAMS_BEAT(&f, .instance = "j", .epoch = 2), KAFKA_UNKNOWN_MEMBER_ID,
                         "Instance id j is unknown.");
    assert_streams_beat(&f, STREAMS_BEAT(&f, .instance = "i", .epoch = -2), -2, NULL, "");
    // Of the same process it gets everything back and nobody else is moved.
    assert_streams_beat(
        &f, STREAMS_BEAT(&f, .member = "m2", .instance = "i", .topology = "0 words", .process = "p-m1"), 2,
        "0:0,1", "");
    assert_state(&f, "Stable", 2, 2);
    assert_streams_beat(&f, STREAMS_BEAT(&f, .member = "m2", .instance = "i", .epoch = -1), -1, NULL, "");
    assert_state(&f, "Empty", 3, 3);
    fixture_check_replay(&f);
    fixture_release(&f);
    (void)state;
}

// ---- What members are told ----

static void test_shutdown(void **state)
{
    struct fixture f;
    begin(&f);
    STREAMS_BEAT(&f, .topology = "0 words");
    STREAMS_BEAT(&f, .member = "m2", .topology = "0 words");
    STREAMS_BEAT(&f, .member = "m2", .epoch = -1, .shutdown = true);
    const struct streams_group_heartbeat_response *r = STREAMS_BEAT(&f, .epoch = 2);
    assert_streams_beat(&f, r, 4, NULL, "4");
    assert_true(str_is(r->status.items[0].status_detail,
                       "Streams group member m2 encountered a fatal error and requested a shutdown for the "
                       "entire application."));
    STREAMS_BEAT(&f, .epoch = -1);
    assert_streams_beat(&f, STREAMS_BEAT(&f, .topology = "0 words"), 6, "0:0,1", ""); // forgotten
    fixture_release(&f);
    (void)state;
}

static void test_tags(void **state)
{
    struct fixture f;
    begin(&f);
    fixture_set_group(&f, "g", "streams.rack.aware.assignment.tags", "zone, row");
    const struct streams_group_heartbeat_response *r =
        STREAMS_BEAT(&f, .topology = "0 words", .tags = "row=1");
    assert_streams_beat(&f, r, 2, "0:0,1", "6");
    assert_true(str_is(r->status.items[0].status_detail,
                       "Missing required client tags for rack-aware standby assignment: [zone]. Configure "
                       "them via 'client.tag.<tagKey>' in your Streams config."));
    assert_streams_beat(&f, STREAMS_BEAT(&f, .epoch = 2, .version = -1), 2, NULL, ""); // does not know it
    fixture_release(&f);
    (void)state;
}

static void test_endpoints(void **state)
{
    struct fixture f;
    begin(&f);
    fixture_topic(&f, "small", 1);
    STREAMS_BEAT(&f, .topology = "0 words,small", .endpoint = "h");
    const struct streams_group_heartbeat_response *r = STREAMS_BEAT(&f, .epoch = 2, .endpoint_epoch = 1);
    assert_int_equal(r->endpoint_information_epoch, 1);
    assert_int_equal(r->partitions_by_user_endpoint.count, -1);
    r = STREAMS_BEAT(&f, .epoch = 2, .endpoint_epoch = 0);
    assert_int_equal(r->partitions_by_user_endpoint.count, 1);
    const struct streams_group_heartbeat_response_endpoint_to_partitions *e =
        &r->partitions_by_user_endpoint.items[0];
    assert_true(str_is(e->user_endpoint.host, "h"));
    assert_int_equal(e->active_partitions.count, 2);
    assert_true(str_is(e->active_partitions.items[0].topic, "words"));
    assert_int_equal(e->active_partitions.items[0].partitions.count, 2);
    assert_int_equal(e->active_partitions.items[1].partitions.count, 1); // it has no more
    fixture_release(&f);
    (void)state;
}

static void test_offsets_told(void **state)
{
    struct fixture f;
    begin(&f);
    STREAMS_BEAT(&f, .topology = "0 words");
    STREAMS_BEAT(&f, .epoch = 2, .offsets = "0:1=50 9:0=7 0:0=40 0:1=60");
    const struct streams_member *m = streams_member_of(&f, "g", "m1");
    assert_int_equal(m->offsets.count, 2);
    assert_int_equal(m->offsets.items[0].offset, 40);
    STREAMS_BEAT(&f, .epoch = 2);
    assert_int_equal(m->offsets.count, 2);
    STREAMS_BEAT(&f, .epoch = 2, .offsets = "");
    assert_int_equal(m->offsets.count, 0);
    fixture_release(&f);
    (void)state;
}

// ---- Topics that come and go ----

static void test_topics(void **state)
{
    struct fixture f;
    begin(&f);
    assert_streams_beat(&f, STREAMS_BEAT(&f, .topology = "0 later"), 2, "", "1");
    assert_state(&f, "NotReady", 2, 2);
    fixture_topic(&f, "later", 1);
    assert_streams_beat(&f, STREAMS_BEAT(&f, .epoch = 2), 3, "0:0", "");
    fixture_topic(&f, "later", 3);
    assert_streams_beat(&f, STREAMS_BEAT(&f, .epoch = 3), 4, "0:0,1,2", "");
    fixture_topic(&f, "words", 9); // no concern of the group
    assert_streams_beat(&f, STREAMS_BEAT(&f, .epoch = 4), 4, NULL, "");
    fixture_delete_topic(&f, "later");
    assert_streams_beat(&f, STREAMS_BEAT(&f, .epoch = 4, .active = "0:0,1,2"), 4, "", "1");
    assert_streams_beat(&f, STREAMS_BEAT(&f, .epoch = 4, .active = ""), 5, NULL, "1");
    fixture_check_replay(&f);
    fixture_release(&f);
    (void)state;
}

static void test_configs_rebalance(void **state)
{
    struct fixture f;
    begin(&f);
    fixture_topic(&f, "log", 2);
    STREAMS_BEAT(&f, .topology = "0 words # log");
    STREAMS_BEAT(&f, .member = "m2", .topology = "0 words # log");
    assert_state(&f, "Reconciling", 3, 3);
    fixture_set_group(&f, "g", "streams.num.standby.replicas", "1");
    STREAMS_BEAT(&f, .epoch = 2);
    assert_state(&f, "Reconciling", 4, 4);
    struct streams_group_metadata_value value;
    fixture_last_value(&f, GROUP_RECORD_STREAMS_GROUP_METADATA, &value);
    assert_int_equal(value.last_assignment_configs.count, 1);
    assert_true(str_is(value.last_assignment_configs.items[0].key, "num.standby.replicas"));
    assert_true(str_is(value.last_assignment_configs.items[0].value, "1"));
    fixture_release(&f);
    (void)state;
}

// ---- Other kinds of groups, bounds ----

static void test_full(void **state)
{
    struct fixture f;
    begin(&f);
    fixture_set(&f, "group.streams.max.size=1");
    STREAMS_BEAT(&f, .topology = "0 words");
    assert_streams_error(STREAMS_BEAT(&f, .member = "m2", .topology = "0 words"),
                         KAFKA_GROUP_MAX_SIZE_REACHED,
                         "The streams group has reached its maximum capacity of 1 members.");
    assert_streams_beat(&f, STREAMS_BEAT(&f, .topology = "0 words"), 2, "0:0,1", ""); // who is in stays
    fixture_release(&f);
    (void)state;
}

// What a client says leaves room in the batch for what the group makes of it.
static void test_too_large(void **state)
{
    char names[501] = "0 words > ", tags[201] = "zone=";
    struct fixture f;
    fixture_init_config(&f, (const char *const[]){"group.streams.initial.rebalance.delay.ms=0", NULL});
    f.batch_bytes_max = 1600;
    fixture_reload(&f, true);
    fixture_topic(&f, "words", 1);
    memset(names + 10, 's', 240);
    assert_int_equal(STREAMS_BEAT(&f, .topology = names)->error_code, 0);
    names[250] = ',';
    memset(names + 251, 't', 249);
    assert_streams_error(STREAMS_BEAT(&f, .group = "large", .topology = names),
                         KAFKA_STREAMS_INVALID_TOPOLOGY, "The topology is too large.");
    memset(tags + 5, 'z', 195);
    assert_streams_error(STREAMS_BEAT(&f, .group = "large", .topology = "0 words", .tags = tags),
                         KAFKA_INVALID_REQUEST, "The member says too much of itself.");
    assert_null(groups_find(f.groups, str_from("large")));
    fixture_release(&f);
    (void)state;
}

static void test_unknown_state(void **state)
{
    struct fixture f;
    begin(&f);
    STREAMS_BEAT(&f, .topology = "0 words");
    streams_member_of(&f, "g", "m1")->state = 9; // of a later release
    assert_streams_error(STREAMS_BEAT(&f, .epoch = 2), KAFKA_FENCED_MEMBER_EPOCH,
                         "The streams group member is in a unknown state. The member must abandon all its "
                         "tasks and rejoin.");
    assert_streams_beat(&f, STREAMS_BEAT(&f, .topology = "0 words"), 2, "0:0,1", "");
    fixture_release(&f);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checks),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_topology_stays),
        cmocka_unit_test(test_task_moves),
        cmocka_unit_test(test_late_revocation),
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_session_and_the_log),
        cmocka_unit_test(test_standbys),
        cmocka_unit_test(test_initial_delay),
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_static),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_offsets_told),
        cmocka_unit_test(test_topics),
        cmocka_unit_test(test_configs_rebalance),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_unknown_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
//
// StreamsGroupDescribe: the states of a group and of its members as an answer, as Apache Kafka 4.4 says it.
#include "streams_testing.h"

#include <stdio.h>

#include "wire/api/streams_group_describe.h"

static const char word_count[] = "0 words > counts;1 < counts # store";

static void begin(struct fixture *f)
{
    fixture_init(f);
    fixture_set(f, "group.streams.initial.rebalance.delay.ms=0");
    fixture_set(f, "group.streams.assignment.interval.ms=0");
    fixture_topic(f, "words", 2);
}

static void describe(struct fixture *f, const char *group, bool with_description,
                     struct streams_group_describe_response_described_group *out)
{
    streams_group_describe_response_described_group_init(out);
    groups_streams_describe(f->groups, &fixture_call_part(f, out, 1)->call, &f->now, str_from(group),
                            with_description);
    fixture_settle(f);
}

// "0:0,1 1:0"
static void assert_tasks(const struct streams_group_describe_response_task_ids_array *tasks,
                         const char *expected)
{
    char text[100] = "";
    size_t size = 0;
    for (int32_t i = 0; i < tasks->count; i++) {
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%.*s", i > 0 ? " " : "",
                                 STR_ARG(tasks->items[i].subtopology_id));
        for (int32_t k = 0; k < tasks->items[i].partitions.count; k++)
            size += (size_t)snprintf(text + size, sizeof(text) - size, "%c%d", k == 0 ? ':' : ',',
                                     tasks->items[i].partitions.items[k]);
    }
    assert_string_equal(text, expected);
}

static void assert_topic(const struct streams_group_describe_response_topic_info_array *topics,
                         const char *name, int32_t partitions)
{
    assert_int_equal(topics->count, 1);
    assert_true(str_is(topics->items[0].name, name));
    assert_int_equal(topics->items[0].partitions, partitions);
}

static void test_missing(void **state)
{
    struct fixture f;
    struct streams_group_describe_response_described_group out;
    (void)state;
    begin(&f);
    describe(&f, "none", true, &out);
    assert_int_equal(out.error_code, KAFKA_GROUP_ID_NOT_FOUND);
    assert_true(str_is(out.error_message, "Group none not found."));
    assert_true(str_is(out.group_id, "none"));
    assert_null(out.topology);
    assert_null(out.assignor_name.data);
    assert_int_equal(out.topology_description_status, 0);
    fixture_release(&f);
}

static void test_before_topics_are_there(void **state)
{
    struct fixture f;
    struct streams_group_describe_response_described_group out;
    (void)state;
    begin(&f);
    STREAMS_BEAT(&f, .topology = word_count, .keeps_topics = true);
    describe(&f, "g", false, &out);
    assert_int_equal(out.error_code, KAFKA_NONE);
    assert_true(str_is(out.group_state, "NotReady"));
    assert_int_equal(out.topology->subtopologies.count, 2);
    // As many partitions as the client has asked for: it has left that open.
    assert_topic(&out.topology->subtopologies.items[1].state_changelog_topics, "store", 0);
    assert_int_equal(out.members.count, 1);
    assert_tasks(&out.members.items[0].assignment.active_tasks, "");
    fixture_release(&f);
}

static void test_members(void **state)
{
    struct fixture f;
    struct streams_group_describe_response_described_group out;
    (void)state;
    begin(&f);
    STREAMS_BEAT(&f, .member = "m2", .topology = word_count, .topology_epoch = 3, .rack = "r",
                 .endpoint = "host", .tags = "zone=a rack=b");
    STREAMS_BEAT(&f, .member = "m2", .epoch = 2);
    STREAMS_BEAT(&f, .member = "m2", .epoch = 3, .active = "0:0,1 1:0,1", .standby = "",
                 .offsets = "1:1=50");
    STREAMS_BEAT(&f, .topology = word_count, .topology_epoch = 3, .instance = "i");
    describe(&f, "g", false, &out);
    assert_true(str_is(out.group_state, "Reconciling"));
    assert_true(str_is(out.assignor_name, "sticky"));
    assert_int_equal(out.group_epoch, out.assignment_epoch);
    assert_int_equal(out.topology->epoch, 3);
    const struct streams_group_describe_response_subtopology *s = out.topology->subtopologies.items;
    assert_true(str_is(s[0].source_topics.items[0], "words"));
    assert_true(str_is(s[0].repartition_sink_topics.items[0], "counts"));
    assert_topic(&s[1].repartition_source_topics, "counts", 2);
    assert_topic(&s[1].state_changelog_topics, "store", 2);

    assert_int_equal(out.members.count, 2);
    const struct streams_group_describe_response_member *m = out.members.items;
    assert_true(str_is(m[0].member_id, "m1"));
    assert_true(str_is(m[0].instance_id, "i"));
    assert_null(m[0].rack_id.data);
    assert_null(m[0].user_endpoint);
    assert_tasks(&m[0].assignment.active_tasks, "");
    assert_tasks(&m[0].target_assignment.active_tasks, "0:1 1:1");
    assert_true(str_is(m[1].member_id, "m2"));
    assert_null(m[1].instance_id.data);
    assert_true(str_is(m[1].rack_id, "r"));
    assert_true(str_is(m[1].process_id, "p-m2"));
    assert_true(str_is(m[1].user_endpoint->host, "host"));
    assert_int_equal(m[1].user_endpoint->port, 9);
    assert_int_equal(m[1].client_tags.count, 2);
    assert_int_equal(m[1].topology_epoch, 3);
    assert_int_equal(m[1].member_epoch, 3);
    assert_false(m[1].is_classic);
    assert_tasks(&m[1].assignment.active_tasks, "0:0,1 1:0,1");
    assert_tasks(&m[1].target_assignment.active_tasks, "0:0 1:0");
    assert_int_equal(m[1].task_offsets.count, 1);
    assert_int_equal(m[1].task_offsets.items[0].partition, 1);
    assert_int_equal(m[1].task_offsets.items[0].offset, 50);
    fixture_release(&f);
}

static void test_description_is_not_stored(void **state)
{
    struct fixture f;
    struct streams_group_describe_response_described_group out;
    (void)state;
    begin(&f);
    STREAMS_BEAT(&f, .topology = word_count);
    describe(&f, "g", false, &out);
    assert_int_equal(out.topology_description_status, 0);
    describe(&f, "g", true, &out);
    assert_int_equal(out.topology_description_status, 1);
    assert_null(out.topology_description);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_before_topics_are_there),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_description_is_not_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
//
// Topologies resolved against topics: which partitions, which tasks, what is missing or wrong. The words
// are Apache Kafka's.
#include "streams_testing.h"

#include <string.h>

struct topology_case {
    const char *topology;
    // What comes of it: "0:2 1:2 + counts*2 store*2": tasks by subtopology, then what is missing.
    const char *outcome;
    enum streams_status error; // with words
    const char *words;         // NULL: it is ready, or only topics are missing
};

// Topics that are there: one, two, alsotwo, three and four have as many partitions as they say.
static const struct topology_case ready[] = {
    {"0 two", "0:2"},
    {"0 two,three", "0:3"},
    {"b two;a three", "a:3 b:2"},
    {"0 two # three-log", "0:2 + three-log*2"},
    {"0 two # alsotwo", "0:2"}, // it is there as it has to be
    {"0 two > r;1 < r", "0:2 1:2 + r*2"},
    {"0 two > r;1 < r*5", "0:2 1:5 + r*5"},
    {"0 two > r;1 three < r", "0:2 1:3 + r*2"},
    // As many as the largest source of the subtopology that writes it, also by way of others.
    {"0 two > r;1 three < r > s;2 < s # l", "0:2 1:3 2:3 + l*3 r*2 s*3"},
    {"2 < s # l;1 three < r > s;0 two > r", "0:2 1:3 2:3 + l*3 r*2 s*3"},
    // Written by two: what is known first counts.
    {"0 two > r;1 three > r;2 < r", "0:2 1:3 2:2 + r*2"},
    // Co-partitioned: repartition topics follow the source, or the fixed one, or the largest.
    {"0 two > r;1 three < r = three,r", "0:2 1:3 + r*3"},
    {"0 two > r,s;1 < r,s*4 = r,s", "0:2 1:4 + r*4 s*4"},
    {"0 two > r;1 three > s;2 < r,s = r,s", "0:2 1:3 2:3 + r*3 s*3"},
    {"0 two,alsotwo = two,alsotwo", "0:2"},
    {"0 two > unread", "0:2"},
    {"0 two > r;1 < r@retention.ms~-1", "0:2 1:2 + r*2"},
};

static const struct topology_case wrong[] = {
    {"0 nothing", "", STREAMS_STATUS_MISSING_SOURCE_TOPICS, "Source topics nothing are missing."},
    {"0 z,y,two;1 x,y", "", STREAMS_STATUS_MISSING_SOURCE_TOPICS, "Source topics x, y, z are missing."},
    {"0 a,b,c,d,e", "", STREAMS_STATUS_MISSING_SOURCE_TOPICS,
     "Source topics a, b, c and 2 additional topics are missing."},
    {"0 two,three = two,three", "", STREAMS_STATUS_INCORRECTLY_PARTITIONED_TOPICS,
     "Following topics do not have the same number of partitions: [{three=3, two=2}]"},
    {"0 two > r;1 three < r*2 = three,r", "", STREAMS_STATUS_INCORRECTLY_PARTITIONED_TOPICS,
     "Number of partitions [2] of repartition topic [r] doesn't match number of partitions [3] of the source "
     "topic."},
    {"0 two > r,s;1 < r*2,s*3 = r,s", "", STREAMS_STATUS_INCORRECTLY_PARTITIONED_TOPICS,
     "Following topics do not have the same number of partitions: [{r=2, s=3}]"},
    {"0 two # three", "", STREAMS_STATUS_INCORRECTLY_PARTITIONED_TOPICS,
     "Existing topic three has different number of partitions: expected 2, found 3"},
    {"0 two > three;1 < three", "", STREAMS_STATUS_INCORRECTLY_PARTITIONED_TOPICS,
     "Existing topic three has different number of partitions: expected 2, found 3"},
};

static const struct topology_case invalid[] = {
    {"0 < a > b;1 < b > a", "", 0,
     "Failed to compute number of partitions for all repartition topics. There may be loops in the topology "
     "that cannot be resolved."},
    {"0 two < r", "", 0,
     "Failed to compute number of partitions for all repartition topics, because a repartition source topic "
     "is never used as a sink topic."},
    {"0", "", 0, "No source topics found for subtopology 0"},
    {"0 two;0 three", "", 0, "Subtopology 0 is there twice."},
    {"0 many;1 many;2 many;3 many", "", 0, "The topology has more than 100000 tasks."},
    {"0 two = three", "", 0, "A copartition group of subtopology 0 names topic 99 of 0."},
};

static void fill(struct fixture *f)
{
    fixture_init(f);
    fixture_topic(f, "one", 1);
    fixture_topic(f, "two", 2);
    fixture_topic(f, "alsotwo", 2);
    fixture_topic(f, "three", 3);
    fixture_topic(f, "four", 4);
    fixture_topic(f, "many", 25001);
}

static struct streams_configured *configure(struct fixture *f, const char *text, struct arena *arena,
                                            struct diag *diag)
{
    struct streams_group_topology_value *value = arena_new(arena, struct streams_group_topology_value);
    int err;
    diag_clear(diag);
    assert_true(streams_topology_convert(streams_topology_of(arena, text, 0), arena, value));
    streams_topology_sort(value);
    return streams_configure(value, f->image, &err, diag);
}

static const char *outcome_of(const struct streams_configured *c, struct buf *out)
{
    for (int32_t i = 0; i < c->subtopology_count; i++)
        buf_printf(out, "%s%.*s:%d", i > 0 ? " " : "", STR_ARG(c->subtopologies[i].from->subtopology_id),
                   c->subtopologies[i].task_count);
    for (int32_t i = 0; i < c->missing_count; i++)
        buf_printf(out, "%s%.*s*%d", i > 0 ? " " : " + ", STR_ARG(c->missing[i]->info->name),
                   c->missing[i]->partition_count);
    return buf_text(out);
}

static void check_case(struct fixture *f, const struct topology_case *t)
{
    struct arena arena;
    struct diag diag;
    struct buf text;
    arena_init(&arena, 1 << 20);
    buf_init(&text, 1 << 16);
    struct streams_configured *c = configure(f, t->topology, &arena, &diag);
    if (c == NULL)
        fail_msg("\"%s\": %s", t->topology, diag.text);
    assert_string_equal(outcome_of(c, &text), t->outcome);
    assert_int_equal(c->is_ready, t->words == NULL && c->missing_count == 0);
    if (t->words != NULL) {
        assert_int_equal(c->error, t->error);
        assert_true(str_is(c->error_text, t->words));
    }
    buf_release(&text);
    streams_configured_free(c);
    arena_release(&arena);
}

static void test_ready(void **state)
{
    struct fixture f;
    fill(&f);
    for (size_t i = 0; i < sizeof(ready) / sizeof(*ready); i++)
        check_case(&f, &ready[i]);
    fixture_release(&f);
    (void)state;
}

static void test_wrong(void **state)
{
    struct fixture f;
    fill(&f);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        check_case(&f, &wrong[i]);
    fixture_release(&f);
    (void)state;
}

static void test_invalid(void **state)
{
    struct fixture f;
    fill(&f);
    for (size_t i = 0; i < sizeof(invalid) / sizeof(*invalid); i++) {
        struct arena arena;
        struct diag diag;
        arena_init(&arena, 1 << 20);
        assert_null(configure(&f, invalid[i].topology, &arena, &diag));
        assert_string_equal(diag.text, invalid[i].words);
        arena_release(&arena);
    }
    fixture_release(&f);
    (void)state;
}

// The internal topics as they are to be made.
static void test_topics_to_make(void **state)
{
    struct fixture f;
    fill(&f);
    struct fixture_call *call = fixture_call_new(&f, &streams_group_heartbeat_response_schema, 1);
    struct create_topics_request missing;
    create_topics_request_init(&missing);
    struct streams_group_heartbeat_request r;
    streams_group_heartbeat_request_init(&r);
    r.group_id = r.member_id = r.process_id = str_from("g");
    r.rebalance_timeout_ms = 1000;
    r.topology = streams_topology_of(&call->arena, "0 two > r;1 < r@retention.ms~-1 # l", 0);
    r.active_tasks.count = r.standby_tasks.count = r.warmup_tasks.count = 0;
    r.topology->subtopologies.items[1].state_changelog_topics.items[0].replication_factor = 3;
    groups_streams_heartbeat(f.groups, &call->call, &f.now, &r, &missing);
    fixture_settle(&f);
    assert_int_equal(missing.topics.count, 2);
    assert_true(str_is(missing.topics.items[0].name, "l"));
    assert_int_equal(missing.topics.items[0].replication_factor, 3);
    assert_int_equal(missing.topics.items[1].replication_factor, -1); // the broker's default
    assert_int_equal(missing.topics.items[1].num_partitions, 2);
    assert_int_equal(missing.topics.items[1].configs.count, 1);
    assert_true(str_is(missing.topics.items[1].configs.items[0].name, "retention.ms"));
    assert_true(str_is(missing.topics.items[1].configs.items[0].value, "-1"));
    fixture_release(&f);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_topics_to_make),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

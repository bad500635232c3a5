// SPDX-License-Identifier: Apache-2.0
//
// Logs that Apache Kafka wrote: loaded here, groups have committed what Apache Kafka says they have.
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "group/internal.h"
#include "group/streams.h"
#include "wire/batch.h"

enum { PARTITIONS = 5, LOG_MAX = 1 << 20, OFFSET_NONE = -1 };

// By kafka-python's admin client, asked of the node that wrote the logs.
static const struct {
    const char *group;
    enum group_kind kind;
    const char *topic;
    int32_t partition;
    int64_t offset;
    const char *metadata;
} expected[] = {
    {"golden-simple", GROUP_CLASSIC, "golden.a", 0, 3, ""},
    {"golden-simple", GROUP_CLASSIC, "golden.a", 1, 2, ""},
    {"golden-simple", GROUP_CLASSIC, "golden.b", 1, 4, ""},
    {"golden-simple", GROUP_CLASSIC, "golden.b", 0, OFFSET_NONE, ""},
    {"golden-classic", GROUP_CLASSIC, "golden.a", 0, 20, ""},
    {"golden-classic", GROUP_CLASSIC, "golden.a", 1, 20, ""},
    {"golden-retention", GROUP_CLASSIC, "golden.b", 0, 42, "note"},
    // Transactions at 5, 6 (aborted), 7 and 9 (aborted); then 77 outside of one.
    {"golden-tx", GROUP_CLASSIC, "golden.a", 0, 7, ""},
    {"golden-tx", GROUP_CLASSIC, "golden.a", 1, 77, ""},
    {"golden-848", GROUP_CONSUMER, "golden.a", 0, 20, ""},
    {"golden-848", GROUP_CONSUMER, "golden.a", 1, 20, ""},
    {"golden-848", GROUP_CONSUMER, "golden.a", 2, 0, ""},
};

static void read_log(const char *name, struct buf *out)
{
    char path[512];
    snprintf(path, sizeof(path), GOLDEN_DIR "/kafka-4.4.0-%s.log", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    uint8_t *p = buf_extend(out, LOG_MAX);
    out->size = fread(p, 1, LOG_MAX, file);
    assert_in_range(out->size, 1, LOG_MAX - 1);
    fclose(file);
}

// The log takes the place of the fixture's; what follows it is written behind it.
static void load_log(struct fixture *f, const char *name)
{
    struct bytes rest, batch;
    struct batch_header header;
    fixture_init(f);
    read_log(name, &f->log);
    rest = buf_bytes(&f->log);
    while (batch_next(&rest, &header, &batch) == 1)
        f->end_offset = batch_last_offset(&header) + 1;
    assert_int_equal(rest.size, 0);
    fixture_reload(f, true);
}

static void load(struct fixture *f, int partition)
{
    char name[8];
    snprintf(name, sizeof(name), "%d", partition);
    load_log(f, name);
}

static void test_offsets(void **state)
{
    struct fixture fixtures[PARTITIONS];
    for (int i = 0; i < PARTITIONS; i++)
        load(&fixtures[i], i);
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
        struct str id = str_from(expected[i].group);
        struct fixture *f = &fixtures[coordinator_partition_of(id, PARTITIONS)];
        const struct group *group = groups_find(f->groups, id);
        assert_non_null(group);
        assert_int_equal(group->kind, expected[i].kind);
        const struct committed_offset *c = group_offsets_find(
            &group->offsets, str_from(expected[i].topic), expected[i].partition, NULL);
        if (expected[i].offset == OFFSET_NONE) {
            assert_null(c);
            continue;
        }
        assert_non_null(c);
        assert_int_equal(c->offset, expected[i].offset);
        assert_true(str_is(committed_offset_metadata(c), expected[i].metadata));
    }
    struct str deleted = str_from("golden-deleted");
    assert_null(groups_find(fixtures[coordinator_partition_of(deleted, PARTITIONS)].groups, deleted));
    for (int i = 0; i < PARTITIONS; i++)
        fixture_release(&fixtures[i]);
}

// ---- Streams groups ----

// By StreamsGroupDescribe, asked of the node that wrote the log; states are in its records alone.
static const struct {
    const char *group;
    const char *state;
    int32_t epoch;
    int32_t assignment_epoch;
    const char *member; // NULL: the group has none
    int32_t member_epoch;
    int8_t member_state;
    const char *assigned; // active | standby
    const char *target;
} streams[] = {
    {"golden-count", "Reconciling", 5, 5, "a", 4, STREAMS_MEMBER_STABLE, "0:0,1 1:0 | 1:1,2", "0:0 1:0 | 1:1"},
    {"golden-count", "Reconciling", 5, 5, "b", 4, STREAMS_MEMBER_UNREVOKED, "0:2 1:1 | 1:2", "0:2 1:1 | 1:2"},
    {"golden-count", "Reconciling", 5, 5, "c", 5, STREAMS_MEMBER_UNRELEASED, " | 1:0", "0:1 1:2 | 1:0"},
    {"golden-static", "Reconciling", 3, 3, "s2", -2, STREAMS_MEMBER_UNREVOKED, "0:0,1 | ", "0:0,1 | "},
    {"golden-static", "Reconciling", 3, 3, "s3", 3, STREAMS_MEMBER_UNRELEASED, " | ", "0:2 | "},
    {"golden-left", "Empty", 3, 3, NULL, 0, 0, NULL, NULL},
    {"golden-nothing", "NotReady", 2, 2, "x", 2, STREAMS_MEMBER_STABLE, " | ", " | "},
};

static void print_tasks(const struct streams_group *sg, const struct task_set *set, struct buf *out)
{
    int32_t count;
    struct streams_task_run *runs = streams_task_runs_new(sg, set, &count);
    for (int32_t i = 0; i < count; i++) {
        buf_printf(out, "%s%.*s:", i > 0 ? " " : "", STR_ARG(runs[i].subtopology_id));
        for (int32_t p = 0; p < runs[i].count; p++)
            buf_printf(out, "%s%d", p > 0 ? "," : "", runs[i].partitions[p]);
    }
    mem_free(runs);
}

static void assert_tasks(const struct streams_group *sg, const struct task_sets *sets,
                         const char *words)
{
    struct buf text;
    buf_init(&text, 1 << 16);
    print_tasks(sg, &sets->of[TASK_ACTIVE], &text);
    buf_append_text(&text, " | ");
    print_tasks(sg, &sets->of[TASK_STANDBY], &text);
    assert_string_equal(buf_text(&text), words);
    buf_release(&text);
}

static void test_streams(void **state)
{
    struct fixture f;
    load_log(&f, "streams");
    for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++) {
        const struct group *group = groups_find(f.groups, str_from(streams[i].group));
        assert_non_null(group);
        assert_int_equal(group->kind, GROUP_STREAMS);
        const struct streams_group *sg = group->streams;
        assert_string_equal(group_state_name(group), streams[i].state);
        assert_int_equal(sg->epoch, streams[i].epoch);
        assert_int_equal(sg->assignment_epoch, streams[i].assignment_epoch);
        if (streams[i].member == NULL) {
            assert_int_equal(sg->member_count, 0);
            continue;
        }
        const struct streams_member *m = streams_find_member(sg, str_from(streams[i].member));
        assert_non_null(m);
        assert_int_equal(m->epoch, streams[i].member_epoch);
        assert_int_equal(m->state, streams[i].member_state);
        assert_tasks(sg, &m->assigned, streams[i].assigned);
        assert_tasks(sg, &m->target, streams[i].target);
    }
    assert_null(groups_find(f.groups, str_from("golden-gone")));
    const struct group *left = groups_find(f.groups, str_from("golden-left"));
    const struct committed_offset *offset =
        group_offsets_find(&left->offsets, str_from("golden.in"), 1, NULL);
    assert_non_null(offset);
    assert_int_equal(offset->offset, 17);
    fixture_release(&f);
}

static void test_streams_members(void **state)
{
    struct fixture f;
    load_log(&f, "streams");
    const struct streams_group *sg = groups_find(f.groups, str_from("golden-count"))->streams;
    const struct streams_group_member_metadata_value *a =
        &streams_find_member(sg, str_from("a"))->subscription->value;
    assert_true(str_is(a->rack_id, "r"));
    assert_true(str_is(a->process_id, "pa"));
    assert_int_equal(a->user_endpoint->port, 9090);
    assert_int_equal(a->client_tags.count, 2);
    assert_true(str_is(a->client_tags.items[0].key, "cluster"));
    assert_true(str_is(a->client_tags.items[1].value, "z1"));
    assert_int_equal(a->topology_epoch, 3);
    assert_int_equal(sg->topology->value.epoch, 3);
    assert_int_equal(sg->topology->value.subtopologies.count, 2);
    assert_int_equal(sg->validated_topology_epoch, 3);
    assert_true(str_is(sg->last_configs.items[0].value, "1"));
    fixture_release(&f);
}

// ---- All of them ----

// The members that died with the node leave when their time is up, and what is written about it can be
// read back.
static void test_goes_on(void **state)
{
    for (int i = 0; i <= PARTITIONS; i++) {
        struct fixture f;
        if (i < PARTITIONS)
            load(&f, i);
        else
            load_log(&f, "streams");
        fixture_advance(&f, 24 * 3600 * 1000);
        fixture_check_replay(&f);
        fixture_reload(&f, false);
        fixture_release(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_streams_members),
        cmocka_unit_test(test_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

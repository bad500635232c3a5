// SPDX-License-Identifier: Apache-2.0
//
// Logs that Apache Kafka wrote: loaded here, groups have committed what Apache Kafka says they have.
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "group/internal.h"
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

static void read_log(int partition, struct buf *out)
{
    char path[512];
    snprintf(path, sizeof(path), GOLDEN_DIR "/kafka-4.4.0-%d.log", partition);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    uint8_t *p = buf_extend(out, LOG_MAX);
    out->size = fread(p, 1, LOG_MAX, file);
    assert_in_range(out->size, 1, LOG_MAX - 1);
    fclose(file);
}

// The log takes the place of the fixture's; what follows it is written behind it.
static void load(struct fixture *f, int partition)
{
    struct bytes rest, batch;
    struct batch_header header;
    fixture_init(f);
    read_log(partition, &f->log);
    rest = buf_bytes(&f->log);
    while (batch_next(&rest, &header, &batch) == 1)
        f->end_offset = batch_last_offset(&header) + 1;
    assert_int_equal(rest.size, 0);
    fixture_reload(f, true);
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

// The members that died with the node leave when their time is up, and what is written about it can be
// read back.
static void test_goes_on(void **state)
{
    for (int i = 0; i < PARTITIONS; i++) {
        struct fixture f;
        load(&f, i);
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
        cmocka_unit_test(test_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

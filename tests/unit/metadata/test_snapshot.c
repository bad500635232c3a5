// SPDX-License-Identifier: Apache-2.0
//
// Snapshots: Kafka's are read, ours hold the same records in the order that is laid down, and what
// is damaged is refused.
#include "metadata/snapshot.h"

#include <stdlib.h>

#include "testing.h"
#include "wire/record/topic_record.h"

enum { FILE_MAX = 1 << 22 };

static int load(struct metadata_loader *l, struct bytes file, int64_t end_offset, int32_t epoch)
{
    struct diag diag;
    diag_clear(&diag);
    int err = metadata_loader_snapshot(l, file, end_offset, epoch, &diag);
    if (err != 0)
        assert_true(diag.text[0] != '\0');
    return err;
}

static int bytes_order(const void *a, const void *b)
{
    return str_compare(bytes_str(*(const struct bytes *)a), bytes_str(*(const struct bytes *)b));
}

// The values of all data records, views into the file.
static size_t values_of(struct bytes file, struct bytes *values, size_t max)
{
    struct bytes batch;
    struct batch_header h;
    size_t count = 0;
    while (batch_next(&file, &h, &batch) == 1) {
        struct batch_iter iter;
        struct record record;
        assert_int_equal(batch_iter_init(&iter, batch, NULL), 0);
        while (!batch_is_control(&h) && batch_iter_next(&iter, &record) == 1) {
            assert_true(count < max);
            values[count++] = record.value;
        }
    }
    return count;
}

static const struct {
    const char *file;
    int64_t end_offset;
    int32_t epoch;
} golden_snapshots[] = {
    {"kafka-4.4.0.checkpoint", 137, 1},
    {"kafka-4.0.1.checkpoint", 133, 1},
    {"kafka-4.4.0-format.checkpoint", 0, 0},
    {"kafka-4.0.1-bootstrap.checkpoint", 0, 0},
};

enum { GOLDEN_COUNT = sizeof golden_snapshots / sizeof golden_snapshots[0], VALUES_MAX = 1000 };

static void kafkas_records_are_kept(void **state)
{
    for (size_t i = 0; i < GOLDEN_COUNT; i++) {
        struct bytes file = golden_read(golden_snapshots[i].file);
        struct metadata_loader *l = metadata_loader_new();
        assert_int_equal(
            load(l, file, golden_snapshots[i].end_offset, golden_snapshots[i].epoch), 0);
        const struct metadata_image *image = metadata_loader_image(l);
        assert_int_equal(metadata_image_offset(image), golden_snapshots[i].end_offset - 1);
        assert_int_equal(metadata_loader_next_offset(l), golden_snapshots[i].end_offset);

        struct buf ours;
        buf_init(&ours, FILE_MAX);
        struct metadata_snapshot_options options = {
            .epoch = golden_snapshots[i].epoch, .now_ms = 5, .last_contained_log_time_ms = 4};
        assert_int_equal(metadata_snapshot_write(image, &options, &ours), 0);
        struct bytes theirs_values[VALUES_MAX], ours_values[VALUES_MAX];
        size_t theirs_count = values_of(file, theirs_values, VALUES_MAX);
        size_t ours_count = values_of(buf_bytes(&ours), ours_values, VALUES_MAX);
        assert_int_equal(ours_count, theirs_count);
        qsort(theirs_values, theirs_count, sizeof theirs_values[0], bytes_order);
        qsort(ours_values, ours_count, sizeof ours_values[0], bytes_order);
        for (size_t v = 0; v < ours_count; v++)
            assert_true(bytes_equal(ours_values[v], theirs_values[v]));

        struct metadata_loader *again = metadata_loader_new();
        assert_int_equal(load(again, buf_bytes(&ours), golden_snapshots[i].end_offset,
                              golden_snapshots[i].epoch),
                         0);
        assert_true(metadata_image_equal(image, metadata_loader_image(again)));
        metadata_loader_free(again);
        metadata_loader_free(l);
        buf_release(&ours);
        golden_free(file);
    }
}

// Kafka 4.4's `format` without its SCRAM user: the same records with the same frames around.
static void a_fresh_cluster_has_kafkas_features(void **state)
{
    struct bytes file = golden_read("kafka-4.4.0-format.checkpoint");
    struct feature_levels levels;
    metadata_format_levels(&levels);
    struct buf ours;
    buf_init(&ours, FILE_MAX);
    assert_int_equal(metadata_format_snapshot(&levels, (struct bytes){0}, 1795270294551, &ours), 0);
    struct bytes theirs_values[VALUES_MAX], ours_values[VALUES_MAX];
    size_t theirs_count = values_of(file, theirs_values, VALUES_MAX);
    size_t ours_count = values_of(buf_bytes(&ours), ours_values, VALUES_MAX);
    assert_int_equal(theirs_count, 7);
    assert_int_equal(ours_count, 6);
    for (size_t v = 0; v < ours_count; v++)
        assert_true(bytes_equal(ours_values[v], theirs_values[v])); // in this order

    // Header and footer: the sizes of Kafka's batches, and the header's bytes but for its two
    // times and so the CRC.
    struct bytes theirs = file, mine = buf_bytes(&ours), batch, our_batch;
    struct batch_header h, our_h;
    while (batch_next(&theirs, &h, &batch) == 1) {
        assert_int_equal(batch_next(&mine, &our_h, &our_batch), 1);
        assert_int_equal(h.attributes, our_h.attributes);
        assert_int_equal(h.partition_leader_epoch, our_h.partition_leader_epoch);
        if (!batch_is_control(&h))
            continue;
        assert_int_equal(batch.size, our_batch.size);
        // length to offset delta, key, length and version of the value
        assert_memory_equal(batch.data + BATCH_HEADER_SIZE, our_batch.data + BATCH_HEADER_SIZE, 11);
    }
    assert_int_equal(mine.size, 0);
    buf_release(&ours);
    golden_free(file);
}

static void damage_is_refused_and_changes_nothing(void **state)
{
    struct bytes file = golden_read("kafka-4.4.0-format.checkpoint");
    struct metadata_loader *l = metadata_loader_new();
    assert_int_equal(load(l, file, 0, 0), 0);
    const struct metadata_image *before = metadata_loader_image(l);
    uint8_t *copy = mem_alloc(file.size);
    for (size_t i = 0; i < file.size; i++) {
        assert_int_equal(load(l, bytes_of(file.data, i), 0, 0), ERR_CORRUPT);
        memcpy(copy, file.data, file.size);
        copy[i] ^= 0x40;
        assert_true(load(l, bytes_of(copy, file.size), 0, 0) != 0);
        assert_ptr_equal(metadata_loader_image(l), before);
    }
    assert_int_equal(load(l, file, 0, 1), ERR_CORRUPT); // of another epoch
    memcpy(copy, file.data, file.size);

    // Two footers; no header.
    struct bytes rest = file, batch;
    struct batch_header h;
    struct buf twice;
    buf_init(&twice, FILE_MAX);
    buf_append(&twice, file.data, file.size);
    size_t first = 0;
    while (batch_next(&rest, &h, &batch) == 1)
        if (first == 0)
            first = batch.size;
    buf_append(&twice, batch.data, batch.size);
    assert_int_equal(load(l, buf_bytes(&twice), 0, 0), ERR_CORRUPT);
    assert_int_equal(load(l, bytes_of(file.data + first, file.size - first), 0, 0), ERR_CORRUPT);
    assert_ptr_equal(metadata_loader_image(l), before);
    buf_release(&twice);
    mem_free(copy);
    metadata_loader_free(l);
    golden_free(file);
}

static void large_images_take_many_batches(void **state)
{
    struct metadata_image *image = metadata_image_new();
    struct metadata_loader *l = metadata_loader_new();
    for (int i = 0; i < 3000; i++) {
        char name[32];
        snprintf(name, sizeof name, "topic.%d", i);
        struct topic_record topic = {str_from(name), {{1, (uint8_t)(i >> 8), (uint8_t)i}}};
        assert_int_equal(replay_message(image, METADATA_TOPIC_RECORD, 0, &topic), 0);
    }
    struct buf out;
    buf_init(&out, FILE_MAX);
    struct metadata_snapshot_options options = {.epoch = 9};
    assert_int_equal(metadata_snapshot_write(image, &options, &out), 0);
    struct bytes rest = buf_bytes(&out), batch;
    struct batch_header h;
    int batches = 0;
    int64_t offset = 0;
    while (batch_next(&rest, &h, &batch) == 1) {
        assert_int_equal(h.base_offset, offset);
        assert_int_equal(h.partition_leader_epoch, 9);
        assert_true(h.record_count <= 1024);
        offset = batch_last_offset(&h) + 1;
        batches++;
    }
    assert_int_equal(batches, 5);
    assert_int_equal(load(l, buf_bytes(&out), 77, 9), 0);
    assert_true(metadata_image_equal(image, metadata_loader_image(l)));

    // A bound that is too small is an error, and what was there stays.
    for (size_t max = 1; max < out.size; max += 1111) {
        struct buf small;
        buf_init(&small, max);
        buf_append_u8(&small, 7);
        assert_int_equal(metadata_snapshot_write(image, &options, &small), ERR_NOMEM);
        assert_int_equal(small.size, 1);
        buf_release(&small);
    }
    buf_release(&out);
    metadata_loader_free(l);
    metadata_image_unref(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kafkas_records_are_kept),
        cmocka_unit_test(a_fresh_cluster_has_kafkas_features),
        cmocka_unit_test(damage_is_refused_and_changes_nothing),
        cmocka_unit_test(large_images_take_many_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

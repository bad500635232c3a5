// SPDX-License-Identifier: Apache-2.0
//
// Snapshots: Kafka's are read, ours hold the same records in the order that is laid down, and what
// is damaged is refused.
#include "metadata/snapshot.h"

#include <stdlib.h>

#include "testing.h"
#include "wire/record/access_control_entry_record.h"
#include "wire/record/client_quota_record.h"
#include "wire/record/config_record.h"
#include "wire/record/delegation_token_record.h"
#include "wire/record/feature_level_record.h"
#include "wire/record/partition_record.h"
#include "wire/record/producer_ids_record.h"
#include "wire/record/register_broker_record.h"
#include "wire/record/topic_record.h"
#include "wire/record/user_scram_credential_record.h"

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

// ---- What this release does not use yet ----

static void add_acl(struct metadata_image *image, uint8_t id, const char *principal)
{
    struct access_control_entry_record acl;
    access_control_entry_record_init(&acl);
    acl.id = test_id(id);
    acl.resource_type = 2;
    acl.resource_name = str_from("orders");
    acl.pattern_type = 3;
    acl.principal = str_from(principal);
    acl.host = str_from("*");
    acl.operation = 3;
    acl.permission_type = 3;
    assert_int_equal(replay_message(image, METADATA_ACCESS_CONTROL_ENTRY_RECORD, 0, &acl), 0);
}

static void add_scram(struct metadata_image *image, const char *user)
{
    struct user_scram_credential_record c;
    user_scram_credential_record_init(&c);
    c.name = str_from(user);
    c.mechanism = 1;
    c.salt = bytes_of("salt", 4);
    c.stored_key = bytes_of("stored", 6);
    c.server_key = bytes_of("server", 6);
    c.iterations = 8192;
    assert_int_equal(replay_message(image, METADATA_USER_SCRAM_CREDENTIAL_RECORD, 0, &c), 0);
}

static void add_quota(struct metadata_image *image, struct str user, const char *key, double value)
{
    struct client_quota_record_entity_data entity = {str_from("user"), user};
    struct client_quota_record q;
    client_quota_record_init(&q);
    q.entity.items = &entity;
    q.entity.count = 1;
    q.key = str_from(key);
    q.value = value;
    assert_int_equal(replay_message(image, METADATA_CLIENT_QUOTA_RECORD, 0, &q), 0);
}

static void add_token(struct metadata_image *image, const char *id)
{
    struct str renewer = str_from("User:renewer");
    struct delegation_token_record token;
    delegation_token_record_init(&token);
    token.owner = str_from("User:owner");
    token.requester = str_from("User:requester");
    token.renewers.items = &renewer;
    token.renewers.count = 1;
    token.issue_timestamp = 1;
    token.max_timestamp = 3;
    token.expiration_timestamp = 2;
    token.token_id = str_from(id);
    assert_int_equal(replay_message(image, METADATA_DELEGATION_TOKEN_RECORD, 0, &token), 0);
}

static void add_config(struct metadata_image *image, int8_t type, const char *resource,
                       const char *name, const char *value)
{
    struct config_record record = {type, str_from(resource), str_from(name), str_from(value)};
    assert_int_equal(replay_message(image, METADATA_CONFIG_RECORD, 0, &record), 0);
}

static struct metadata_image *image_of_everything(void)
{
    struct metadata_image *image = metadata_image_new();
    for (int i = 0; i < FEATURE_COUNT; i++) {
        struct feature_level_record level = {str_from(feature_info((enum feature)i)->name),
                                             feature_info((enum feature)i)->level_default};
        assert_int_equal(replay_message(image, METADATA_FEATURE_LEVEL_RECORD, 0, &level), 0);
    }
    add_acl(image, 1, "User:a");
    add_acl(image, 2, "User:b");
    add_scram(image, "a");
    add_scram(image, "b");
    add_quota(image, str_from("a"), "producer_byte_rate", 1024.5);
    add_quota(image, str_from("a"), "consumer_byte_rate", 7);
    add_quota(image, str_of(NULL, 0), "producer_byte_rate", 1e300); // of all other users
    add_token(image, "t1");
    add_token(image, "t2");
    add_config(image, CONFIG_RESOURCE_GROUP, "g", "consumer.session.timeout.ms", "45000");
    add_config(image, CONFIG_RESOURCE_CLIENT_METRICS, "m", "interval.ms", "1000");
    add_config(image, CONFIG_RESOURCE_BROKER_LOGGER, "1", "kafka.server", "DEBUG");
    add_config(image, CONFIG_RESOURCE_BROKER, "", "log.retention.ms", "1");
    struct producer_ids_record ids = {.broker_id = 1, .broker_epoch = 9, .next_producer_id = 5000};
    assert_int_equal(replay_message(image, METADATA_PRODUCER_IDS_RECORD, 0, &ids), 0);
    return image;
}

// Snapshot after snapshot, each of what the one before said: byte for byte the same records.
static void what_is_not_used_goes_from_snapshot_to_snapshot(void **state)
{
    struct metadata_image *image = image_of_everything();
    struct metadata_snapshot_options options = {.epoch = 1, .now_ms = 1};
    struct buf first;
    buf_init(&first, FILE_MAX);
    assert_int_equal(metadata_snapshot_write(image, &options, &first), 0);
    struct bytes values[VALUES_MAX], again[VALUES_MAX];
    size_t count = values_of(buf_bytes(&first), values, VALUES_MAX);
    assert_int_equal(count, FEATURE_COUNT + 2 + 2 + 3 + 2 + 4 + 1);

    for (int round = 0; round < 3; round++) {
        struct metadata_loader *l = metadata_loader_new();
        struct buf next;
        buf_init(&next, FILE_MAX);
        assert_int_equal(load(l, buf_bytes(&first), 100, 1), 0);
        assert_true(metadata_image_equal(image, metadata_loader_image(l)));
        assert_int_equal(metadata_snapshot_write(metadata_loader_image(l), &options, &next), 0);
        assert_int_equal(values_of(buf_bytes(&next), again, VALUES_MAX), count);
        assert_int_equal(values_of(buf_bytes(&first), values, VALUES_MAX), count);
        for (size_t i = 0; i < count; i++)
            assert_true(bytes_equal(values[i], again[i]));
        metadata_loader_free(l);
        buf_release(&first);
        first = next;
    }
    buf_release(&first);
    metadata_image_unref(image);
}

// ---- Older levels of metadata.version ----

static int16_t version_in(struct bytes file, enum metadata_record_type type)
{
    struct bytes values[VALUES_MAX];
    size_t count = values_of(file, values, VALUES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct arena arena;
        struct metadata_record record;
        arena_init(&arena, 1 << 16);
        assert_int_equal(metadata_record_decode(values[i], &arena, &record), 0);
        int16_t version = record.version;
        bool found = record.type == type;
        arena_release(&arena);
        if (found)
            return version;
    }
    return -1;
}

// Versions of records follow metadata.version as Apache Kafka's do.
static void records_have_the_versions_that_the_cluster_reads(void **state)
{
    static const struct {
        int16_t metadata_version, register_broker, partition;
    } cases[] = {{7, 1, 0},  {8, 2, 0},  {16, 2, 0}, {17, 3, 1}, {22, 3, 1},
                 {23, 3, 2}, {25, 3, 2}, {29, 3, 2}, {30, 4, 2}, {33, 4, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct metadata_image *image = metadata_image_new();
        struct feature_level_record level = {str_from("metadata.version"), cases[i].metadata_version};
        assert_int_equal(replay_message(image, METADATA_FEATURE_LEVEL_RECORD, 0, &level), 0);
        struct register_broker_record broker;
        register_broker_record_init(&broker);
        broker.broker_id = 1;
        assert_int_equal(replay_message(image, METADATA_REGISTER_BROKER_RECORD, 1, &broker), 0);
        struct topic_record topic = {str_from("t"), test_id(1)};
        assert_int_equal(replay_message(image, METADATA_TOPIC_RECORD, 0, &topic), 0);
        struct partition_record p;
        partition_record_init(&p);
        p.partition_id = 0;
        p.topic_id = test_id(1);
        p.replicas = IDS(1);
        p.isr = IDS(1);
        p.leader = 1;
        p.leader_epoch = p.partition_epoch = 0;
        assert_int_equal(replay_message(image, METADATA_PARTITION_RECORD, 0, &p), 0);
        struct buf out;
        struct metadata_snapshot_options options = {.epoch = 1};
        buf_init(&out, FILE_MAX);
        assert_int_equal(metadata_snapshot_write(image, &options, &out), 0);
        assert_int_equal(version_in(buf_bytes(&out), METADATA_REGISTER_BROKER_RECORD),
                         cases[i].register_broker);
        assert_int_equal(version_in(buf_bytes(&out), METADATA_PARTITION_RECORD),
                         cases[i].partition);
        buf_release(&out);
        metadata_image_unref(image);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kafkas_records_are_kept),
        cmocka_unit_test(a_fresh_cluster_has_kafkas_features),
        cmocka_unit_test(damage_is_refused_and_changes_nothing),
        cmocka_unit_test(large_images_take_many_batches),
        cmocka_unit_test(what_is_not_used_goes_from_snapshot_to_snapshot),
        cmocka_unit_test(records_have_the_versions_that_the_cluster_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

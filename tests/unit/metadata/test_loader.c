// SPDX-License-Identifier: Apache-2.0
//
// Whole metadata logs: those that Apache Kafka wrote, transactions, and batches that may not be.
#include "metadata/loader.h"

#include "testing.h"
#include "wire/record/abort_transaction_record.h"
#include "wire/record/begin_transaction_record.h"
#include "wire/record/end_transaction_record.h"
#include "wire/record/partition_record.h"
#include "wire/record/topic_record.h"

enum { LOG_MAX = 1 << 20 };

static int take(struct metadata_loader *l, struct bytes data)
{
    struct diag diag;
    diag_clear(&diag);
    int err = metadata_loader_batches(l, data, &diag);
    if (err != 0)
        assert_true(diag.text[0] != '\0');
    return err;
}

static struct bytes batches_below(struct bytes log, int64_t offset)
{
    struct bytes rest = log, batch;
    struct batch_header h;
    while (batch_next(&rest, &h, &batch) == 1)
        if (batch_last_offset(&h) >= offset)
            return bytes_of(log.data, (size_t)(batch.data - log.data));
    return log;
}

// The state after the records below a snapshot is the snapshot's.
static void a_log_and_its_snapshot_say_the_same(void **state)
{
    static const struct {
        const char *log, *snapshot;
        int64_t end_offset, log_end;
        int64_t topics, partitions;
    } cases[] = {
        {"kafka-4.4.0.log", "kafka-4.4.0.checkpoint", 137, 241, 25, 40},
        {"kafka-4.0.1.log", "kafka-4.0.1.checkpoint", 133, 194, 22, 33},
    };
    for (size_t i = 0; i < 2; i++) {
        struct bytes log = golden_read(cases[i].log), file = golden_read(cases[i].snapshot);
        struct metadata_loader *a = metadata_loader_new(), *b = metadata_loader_new();
        assert_int_equal(take(a, batches_below(log, cases[i].end_offset)), 0);
        assert_int_equal(metadata_loader_next_offset(a), cases[i].end_offset);
        assert_int_equal(metadata_loader_snapshot(b, file, cases[i].end_offset, 1, NULL), 0);
        assert_true(metadata_image_equal(metadata_loader_image(a), metadata_loader_image(b)));

        // Both go on with the rest; the one with the snapshot skips what it has.
        struct bytes rest = batches_below(log, cases[i].end_offset);
        assert_int_equal(
            take(a, bytes_of(log.data + rest.size, log.size - rest.size)), 0);
        assert_int_equal(take(b, log), 0);
        assert_int_equal(metadata_loader_next_offset(b), cases[i].log_end);
        const struct metadata_image *image = metadata_loader_image(b);
        assert_true(metadata_image_equal(metadata_loader_image(a), image));
        assert_int_equal(metadata_image_offset(image), cases[i].log_end - 1);
        assert_int_equal(metadata_image_epoch(image), 1);
        assert_int_equal(metadata_image_topic_count(image), cases[i].topics);
        assert_int_equal(metadata_image_partition_count(image), cases[i].partitions);
        metadata_loader_free(a);
        metadata_loader_free(b);
        golden_free(log);
        golden_free(file);
    }
}

// What Kafka's own dump says of the 4.4.0 log.
static void the_state_of_kafka_4_4(void **state)
{
    struct bytes log = golden_read("kafka-4.4.0.log");
    struct metadata_loader *l = metadata_loader_new();
    assert_int_equal(take(l, batches_below(log, 199)), 0);
    const struct metadata_image *image = metadata_loader_image(l);
    static const int16_t levels[FEATURE_COUNT] = {33, 1, 1, 2, 1, 2};
    for (int i = 0; i < FEATURE_COUNT; i++)
        assert_int_equal(metadata_image_feature(image, (enum feature)i), levels[i]);

    const struct metadata_broker *b = metadata_image_broker(image, 1);
    assert_int_equal(b->epoch, 12);
    assert_int_equal(b->register_offset, 12);
    assert_false(b->fenced);
    assert_true(metadata_broker_is_active(b));
    assert_int_equal(b->directory_count, 2);
    assert_true(b->has_cordoned);
    assert_int_equal(b->cordoned_count, 0);
    assert_true(str_is(b->rack, "rack1"));
    const struct metadata_endpoint *e = metadata_node_endpoint(&b->node, str_from("PLAINTEXT"));
    assert_true(str_is(e->host, "127.0.0.1"));
    assert_int_equal(e->port, 29101);
    assert_null(metadata_node_endpoint(&b->node, str_from("SSL")));
    assert_int_equal(metadata_node_feature(&b->node, str_from("share.version")).max, 2);
    assert_int_equal(metadata_node_feature(&b->node, str_from("no.such")).max, 0);
    const struct metadata_controller *c = metadata_image_controller(image, 1);
    assert_int_equal(c->node.endpoints[0].port, 29301);
    assert_null(metadata_image_broker(image, 2));

    const struct metadata_topic *t = metadata_image_topic(image, str_from("codec-none"));
    assert_string_equal(uuid_format(t->id).text, "__MmQMjrQmiA1ZxBM0h6Zg");
    assert_ptr_equal(metadata_image_topic_by_id(image, t->id), t);
    assert_int_equal(t->partition_count, 1);
    const struct metadata_partition *p = metadata_topic_partition(t, 0);
    assert_int_equal(p->leader, 1);
    assert_int_equal(p->leader_epoch, 0);
    assert_int_equal(p->partition_epoch, 1);
    assert_string_equal(uuid_format(metadata_partition_directory(p, 1)).text,
                        "35CnLUVzkockp6hYGIw_Fw");
    assert_true(uuid_equal(metadata_partition_directory(p, 2), DIRECTORY_LOST));
    assert_null(metadata_topic_partition(t, 1));

    const struct properties *configs =
        metadata_image_configs(image, CONFIG_RESOURCE_TOPIC, str_from("rdk"));
    assert_int_equal(configs->count, 1);
    assert_string_equal(properties_get(configs, "retention.ms"), "80000");
    configs = metadata_image_configs(image, CONFIG_RESOURCE_BROKER, str_from(""));
    assert_string_equal(properties_get(configs, "min.insync.replicas"), "1");
    assert_null(metadata_image_configs(image, CONFIG_RESOURCE_TOPIC, str_from("codec-none")));
    assert_int_equal(metadata_image_next_producer_id(image), 1000);

    // A clean stop without anybody to take over: no leader, an eligible replica.
    assert_int_equal(take(l, log), 0);
    image = metadata_loader_image(l);
    p = metadata_topic_partition(metadata_image_topic(image, str_from("codec-none")), 0);
    assert_int_equal(p->leader, NO_LEADER);
    assert_int_equal(p->leader_epoch, 1);
    assert_int_equal(p->isr.count, 0);
    assert_int_equal(p->elr.ids[0], 1);
    assert_int_equal(p->last_known_elr.ids[0], 1);
    b = metadata_image_broker(image, 1);
    assert_true(b->fenced);
    assert_true(b->in_controlled_shutdown);

    // In order of name.
    struct pmap_iter iter;
    struct str last = str_of(NULL, 0);
    int count = 0;
    for (t = metadata_topic_first(image, str_from(""), &iter); t != NULL;
         t = metadata_topic_next(&iter), count++) {
        assert_true(str_compare(last, t->name) < 0);
        last = t->name;
    }
    assert_int_equal(count, 25);
    t = metadata_topic_first(image, str_from("codec-z"), &iter);
    assert_true(str_is(t->name, "codec-zstd"));
    metadata_loader_free(l);
    golden_free(log);
}

// --- Logs made here ---

struct log {
    struct buf bytes;
    int64_t next_offset;
    struct batch_builder builder;
    struct batch_options options;
};

static void log_init(struct log *log)
{
    *log = (struct log){0};
    buf_init(&log->bytes, LOG_MAX);
    log->options = BATCH_OPTIONS_DEFAULT;
    log->options.partition_leader_epoch = 1;
}

static void log_begin(struct log *log)
{
    log->options.base_offset = log->next_offset;
    batch_builder_begin(&log->builder, &log->bytes, &log->options);
}

static void log_add(struct log *log, enum metadata_record_type type, int16_t version,
                    const void *message)
{
    struct buf value;
    buf_init(&value, LOG_MAX);
    assert_int_equal(metadata_record_encode(type, version, message, &value), 0);
    batch_builder_add(&log->builder, 1000, bytes_of(NULL, 0), buf_bytes(&value), NULL, 0);
    buf_release(&value);
}

static void log_end(struct log *log)
{
    log->next_offset += log->builder.record_count;
    assert_int_equal(batch_builder_finish(&log->builder, NULL), 0);
}

static void log_topic(struct log *log, const char *name, uint8_t id)
{
    struct topic_record topic = {.name = str_from(name), .topic_id = test_id(id)};
    log_add(log, METADATA_TOPIC_RECORD, 0, &topic);
}

static void log_transaction(struct log *log, enum metadata_record_type type)
{
    struct begin_transaction_record begin;
    struct end_transaction_record end;
    struct abort_transaction_record abort;
    begin_transaction_record_init(&begin);
    end_transaction_record_init(&end);
    abort_transaction_record_init(&abort);
    if (type == METADATA_BEGIN_TRANSACTION_RECORD)
        log_add(log, type, 0, &begin);
    else if (type == METADATA_END_TRANSACTION_RECORD)
        log_add(log, type, 0, &end);
    else
        log_add(log, type, 0, &abort);
}

static bool has_topic(const struct metadata_loader *l, const char *name)
{
    return metadata_image_topic(metadata_loader_image(l), str_from(name)) != NULL;
}

static void transactions_show_all_or_nothing(void **state)
{
    for (int commit = 0; commit < 2; commit++) {
        struct log log;
        struct metadata_loader *l = metadata_loader_new();
        log_init(&log);
        log_begin(&log);
        log_topic(&log, "before", 1);
        log_transaction(&log, METADATA_BEGIN_TRANSACTION_RECORD);
        log_topic(&log, "inside", 2);
        log_end(&log);
        assert_int_equal(take(l, buf_bytes(&log.bytes)), 0);
        assert_true(has_topic(l, "before"));
        assert_false(has_topic(l, "inside"));
        assert_true(metadata_loader_in_transaction(l));
        assert_int_equal(metadata_image_offset(metadata_loader_image(l)), 0);
        assert_int_equal(metadata_loader_next_offset(l), 3);

        buf_clear(&log.bytes);
        log_begin(&log);
        log_topic(&log, "inside2", 3);
        log_end(&log);
        assert_int_equal(take(l, buf_bytes(&log.bytes)), 0);
        assert_false(has_topic(l, "inside2"));
        assert_int_equal(metadata_image_offset(metadata_loader_image(l)), 0);

        buf_clear(&log.bytes);
        log_begin(&log);
        log_transaction(&log, commit ? METADATA_END_TRANSACTION_RECORD
                                     : METADATA_ABORT_TRANSACTION_RECORD);
        log_topic(&log, "after", 4);
        log_end(&log);
        assert_int_equal(take(l, buf_bytes(&log.bytes)), 0);
        assert_false(metadata_loader_in_transaction(l));
        assert_int_equal(has_topic(l, "inside"), commit);
        assert_int_equal(has_topic(l, "inside2"), commit);
        assert_true(has_topic(l, "after"));
        assert_int_equal(metadata_image_offset(metadata_loader_image(l)), 5);
        metadata_loader_free(l);
        buf_release(&log.bytes);
    }
}

static void batches_that_may_not_be_are_refused(void **state)
{
    enum bad {
        NESTED_BEGIN, END_ALONE, ABORT_ALONE, COMPRESSED, PRODUCER, TRANSACTIONAL, KEY, HEADERS,
        NULL_VALUE, TIMESTAMPS, GAP, BAD_CRC, TORN, UNKNOWN_RECORD, MISSING_PARTITION, BAD_COUNT
    };
    for (int bad = NESTED_BEGIN; bad <= BAD_COUNT; bad++) {
        struct log log;
        log_init(&log);
        log_begin(&log);
        log_topic(&log, "good", 1);
        log_end(&log);
        struct metadata_loader *l = metadata_loader_new();
        assert_int_equal(take(l, buf_bytes(&log.bytes)), 0);
        const struct metadata_image *before = metadata_loader_image(l);
        buf_clear(&log.bytes);
        struct bytes value = bytes_of("\1\x14\0\0", 4); // NoOp
        struct record_header header = {str_from("h"), bytes_of("v", 1)};
        if (bad == COMPRESSED)
            log.options.codec = CODEC_GZIP;
        if (bad == PRODUCER || bad == TRANSACTIONAL) {
            log.options.producer_id = 7;
            log.options.producer_epoch = 0;
            log.options.base_sequence = 0;
        }
        if (bad == TRANSACTIONAL)
            log.options.attributes = BATCH_TRANSACTIONAL;
        if (bad == GAP)
            log.next_offset++;
        log_begin(&log);
        log_topic(&log, "seen only if the whole batch is taken", 2);
        buf_clear(&log.bytes);
        log_begin(&log);
        log_topic(&log, "never", 2);
        if (bad == NESTED_BEGIN)
            log_transaction(&log, METADATA_BEGIN_TRANSACTION_RECORD);
        if (bad == NESTED_BEGIN)
            log_transaction(&log, METADATA_BEGIN_TRANSACTION_RECORD);
        if (bad == END_ALONE)
            log_transaction(&log, METADATA_END_TRANSACTION_RECORD);
        if (bad == ABORT_ALONE)
            log_transaction(&log, METADATA_ABORT_TRANSACTION_RECORD);
        if (bad == UNKNOWN_RECORD)
            value = bytes_of("\1\x7f\0\0", 4);
        if (bad == NULL_VALUE)
            value = bytes_of(NULL, 0);
        if (bad == MISSING_PARTITION) {
            struct partition_record p;
            partition_record_init(&p);
            p.partition_id = 1;
            p.topic_id = test_id(2);
            p.replicas = p.isr = IDS(1);
            p.leader_epoch = p.partition_epoch = 0;
            p.leader = 1;
            log_add(&log, METADATA_PARTITION_RECORD, 0, &p);
        }
        batch_builder_add(&log.builder, bad == TIMESTAMPS ? 1001 : 1000,
                          bad == KEY ? bytes_of("k", 1) : bytes_of(NULL, 0), value, &header,
                          bad == HEADERS);
        if (bad == BAD_COUNT)
            batch_builder_set_last_offset_delta(&log.builder, 5);
        log_end(&log);
        if (bad == BAD_CRC)
            log.bytes.data[log.bytes.size - 1] ^= 1;
        struct bytes data = buf_bytes(&log.bytes);
        if (bad == TORN)
            data.size--;
        int err = take(l, data);
        if (err != (bad == UNKNOWN_RECORD ? ERR_UNSUPPORTED : ERR_CORRUPT))
            fail_msg("case %d: %d", bad, err);
        assert_ptr_equal(metadata_loader_image(l), before);
        assert_false(has_topic(l, "never"));
        assert_int_equal(metadata_loader_next_offset(l), 1);
        // And nothing more is taken.
        buf_clear(&log.bytes);
        log.options = BATCH_OPTIONS_DEFAULT;
        log.next_offset = 1;
        log_begin(&log);
        log_topic(&log, "good2", 3);
        log_end(&log);
        assert_int_equal(take(l, buf_bytes(&log.bytes)), ERR_CORRUPT);
        metadata_loader_free(l);
        buf_release(&log.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_and_its_snapshot_say_the_same),
        cmocka_unit_test(the_state_of_kafka_4_4),
        cmocka_unit_test(transactions_show_all_or_nothing),
        cmocka_unit_test(batches_that_may_not_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "config/config.h"
#include "config/topic_config.h"

static void set(struct properties *p, const char *key, const char *value)
{
    properties_set(p, str_from(key), str_from(value), 0);
}

static void test_defaults(void **state)
{
    struct config *broker = config_new();
    struct topic_config t;
    topic_config_resolve(&t, broker, NULL);
    assert_true(t.cleanup_delete);
    assert_false(t.cleanup_compact);
    assert_int_equal(t.retention_ms, 604800000);
    assert_int_equal(t.retention_bytes, -1);
    assert_int_equal(t.local_retention_ms, -2);
    assert_int_equal(t.local_retention_bytes, -2);
    assert_int_equal(t.delete_retention_ms, 86400000);
    assert_int_equal(t.min_compaction_lag_ms, 0);
    assert_int_equal(t.max_compaction_lag_ms, INT64_MAX);
    assert_true(t.min_cleanable_dirty_ratio == 0.5);
    assert_int_equal(t.file_delete_delay_ms, 60000);
    assert_int_equal(t.segment_bytes, 1073741824);
    assert_int_equal(t.segment_ms, 604800000);
    assert_int_equal(t.segment_jitter_ms, 0);
    assert_int_equal(t.segment_index_bytes, 10485760);
    assert_int_equal(t.index_interval_bytes, 4096);
    assert_false(t.preallocate);
    assert_int_equal(t.max_message_bytes, 1048588);
    assert_int_equal(t.max_decompressed_message_bytes, 2147483639);
    assert_int_equal(t.compression, TOPIC_COMPRESSION_PRODUCER);
    assert_int_equal(t.compression_gzip_level, -1);
    assert_int_equal(t.compression_lz4_level, 9);
    assert_int_equal(t.compression_zstd_level, 3);
    assert_int_equal(t.timestamp_type, TOPIC_CREATE_TIME);
    assert_int_equal(t.timestamp_before_max_ms, INT64_MAX);
    assert_int_equal(t.timestamp_after_max_ms, 3600000);
    assert_int_equal(t.min_insync_replicas, 1);
    assert_false(t.write_caching);
    assert_int_equal(t.flush_messages, INT64_MAX);
    assert_int_equal(t.flush_ms, INT64_MAX);
    assert_false(t.unclean_leader_election);
    config_free(broker);
}

static void test_topic_wins_over_broker(void **state)
{
    struct config *broker = config_new();
    assert_int_equal(config_override(broker, "log.retention.minutes=2", NULL), ERR_OK);
    assert_int_equal(config_override(broker, "compression.type=gzip", NULL), ERR_OK);
    assert_int_equal(config_override(broker, "log.write.caching=true", NULL), ERR_OK);
    struct properties own;
    properties_init(&own);
    struct topic_config t;
    topic_config_resolve(&t, broker, &own);
    assert_int_equal(t.retention_ms, 120000);
    assert_int_equal(t.compression, TOPIC_COMPRESSION_GZIP);
    assert_true(t.write_caching);

    set(&own, "retention.ms", " 5 ");
    set(&own, "compression.type", "zstd");
    set(&own, "write.caching", "FALSE");
    set(&own, "cleanup.policy", "compact , delete");
    set(&own, "message.timestamp.type", "LogAppendTime");
    set(&own, "segment.bytes", "junk"); // of another release: as if it were not set
    topic_config_resolve(&t, broker, &own);
    assert_int_equal(t.retention_ms, 5);
    assert_int_equal(t.compression, TOPIC_COMPRESSION_ZSTD);
    assert_false(t.write_caching);
    assert_true(t.cleanup_delete && t.cleanup_compact);
    assert_int_equal(t.timestamp_type, TOPIC_LOG_APPEND_TIME);
    assert_int_equal(t.segment_bytes, 1073741824);

    set(&own, "cleanup.policy", "");
    set(&own, "internal.segment.bytes", "100");
    topic_config_resolve(&t, broker, &own);
    assert_false(t.cleanup_delete || t.cleanup_compact);
    assert_int_equal(t.segment_bytes, 100);
    properties_release(&own);
    config_free(broker);
}

static void test_compression_names(void **state)
{
    static const struct {
        const char *name;
        int number;
    } cases[] = {{"producer", -1}, {"uncompressed", 0}, {"gzip", 1},
                 {"snappy", 2},    {"lz4", 3},          {"zstd", 4}};
    struct config *broker = config_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct properties own;
        properties_init(&own);
        set(&own, "compression.type", cases[i].name);
        struct topic_config t;
        topic_config_resolve(&t, broker, &own);
        assert_int_equal(t.compression, cases[i].number);
        properties_release(&own);
    }
    config_free(broker);
}

static void test_validate(void **state)
{
    static const struct {
        const char *key[2];
        const char *value[2];
        const char *words; // NULL: valid
    } cases[] = {
        {{"retention.ms", "segment.ms"}, {"1", "1"}, NULL},
        {{"nope.ms", NULL}, {"1", NULL}, "Unknown topic config name: nope.ms"},
        {{"log.retention.ms", NULL}, {"1", NULL}, "Unknown topic config name: log.retention.ms"},
        {{"retention.ms", NULL}, {"x", NULL},
         "Invalid value x for configuration retention.ms: Not a number of type LONG"},
        {{"max.compaction.lag.ms", "min.compaction.lag.ms"}, {"1", "5"},
         "conflict topic config setting min.compaction.lag.ms (5) > max.compaction.lag.ms (1)"},
        {{"remote.storage.enable", NULL}, {"true", NULL},
         "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with "
         "remote log storage."},
        {{"local.retention.ms", NULL}, {"99999999999999", NULL}, NULL},
    };
    struct config *broker = config_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct properties own;
        properties_init(&own);
        for (int j = 0; j < 2 && cases[i].key[j] != NULL; j++)
            set(&own, cases[i].key[j], cases[i].value[j]);
        struct diag diag = {""};
        int err = topic_config_validate(broker, &own, &diag);
        assert_string_equal(diag.text, cases[i].words != NULL ? cases[i].words : "");
        assert_int_equal(err, cases[i].words != NULL ? ERR_INVALID : ERR_OK);
        properties_release(&own);
    }
    config_free(broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_topic_wins_over_broker),
        cmocka_unit_test(test_compression_names),
        cmocka_unit_test(test_validate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

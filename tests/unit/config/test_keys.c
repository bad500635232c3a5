// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "config/keys.h"

static const struct config_key *broker_key(const char *name)
{
    const struct config_key *key = config_key_find(CONFIG_BROKER, str_from(name));
    assert_non_null(key);
    return key;
}

static const struct config_key *topic_key(const char *name)
{
    const struct config_key *key = config_key_find(CONFIG_TOPIC, str_from(name));
    assert_non_null(key);
    return key;
}

static void test_every_key_finds_itself_in_order(void **state)
{
    for (int scope = CONFIG_BROKER; scope <= CONFIG_TOPIC; scope++) {
        const char *previous = "";
        assert_true(config_key_count(scope) > 30);
        for (int i = 0; i < config_key_count(scope); i++) {
            const struct config_key *key = config_key_at(scope, i);
            const char *name = config_key_name(key);
            assert_true(strcmp(previous, name) < 0);
            assert_ptr_equal(config_key_find(scope, str_from(name)), key);
            assert_int_equal(config_key_scope(key), scope);
            assert_true(config_key_doc(key)[0] != '\0');
            assert_int_equal(config_key_reason(key)[0] == '\0',
                             config_key_treatment(key) == CONFIG_ACTS);
            previous = name;
        }
    }
}

static void test_defaults_are_valid(void **state)
{
    for (int scope = CONFIG_BROKER; scope <= CONFIG_TOPIC; scope++)
        for (int i = 0; i < config_key_count(scope); i++) {
            const struct config_key *key = config_key_at(scope, i);
            const char *value = config_key_default(key);
            struct diag diag = {""};
            if (value == NULL)
                continue;
            if (config_validate(key, str_from(value), &diag) != ERR_OK)
                fail_msg("%s", diag.text);
            struct buf text;
            buf_init(&text, 1000);
            config_format(key, str_from(value), &text);
            assert_string_equal(buf_text(&text), value);
            buf_release(&text);
        }
}

static void test_broker_defaults_of_topics_exist(void **state)
{
    for (int i = 0; i < config_key_count(CONFIG_TOPIC); i++) {
        const struct config_key *key = config_key_at(CONFIG_TOPIC, i);
        const char *name = config_key_broker_default(key);
        if (name == NULL) {
            assert_true(config_key_default(key) != NULL || config_key_is_internal(key));
            continue;
        }
        assert_int_equal(config_key_type(broker_key(name)), config_key_type(key));
    }
}

static void test_facts(void **state)
{
    const struct config_key *key = broker_key("num.partitions");
    assert_int_equal(config_key_type(key), CONFIG_TYPE_INT);
    assert_string_equal(config_key_default(key), "1");
    assert_string_equal(config_key_valid(key), "[1,...]");
    assert_string_equal(config_key_importance(key), "medium");
    assert_int_equal(config_key_mode(key), CONFIG_READ_ONLY);
    assert_false(config_key_is_own(key) || config_key_is_internal(key));
    assert_int_equal(config_key_mode(broker_key("log.retention.ms")), CONFIG_CLUSTER_WIDE);
    assert_int_equal(config_key_mode(broker_key("listeners")), CONFIG_PER_BROKER);
    assert_null(config_key_default(broker_key("log.retention.ms")));
    assert_null(config_key_default(broker_key("node.id")));
    assert_string_equal(config_key_default(broker_key("config.providers")), "");
    assert_true(config_key_is_sensitive(broker_key("ssl.key.password")));
    assert_true(config_key_is_own(topic_key("write.caching")));
    assert_true(config_key_is_internal(topic_key("internal.segment.bytes")));
    assert_string_equal(config_key_broker_default(topic_key("retention.ms")), "log.retention.ms");
    assert_null(config_key_broker_default(topic_key("remote.storage.enable")));
    assert_string_equal(config_key_valid(topic_key("compression.gzip.level")), "[1,...,9] or -1");
    assert_string_equal(config_key_valid(topic_key("cleanup.policy")), "[compact, delete]");
}

static void test_find(void **state)
{
    static const struct {
        const char *name;
        const char *row; // NULL: unknown
    } cases[] = {
        {"listener.name.external.ssl.keystore.location", "ssl.keystore.location"},
        {"listener.name.internal.scram-sha-256.sasl.jaas.config", "sasl.jaas.config"},
        {"listener.name.a.nope", NULL},
        {"listener.name.", NULL},
        {"listener.name.external", NULL},
        {"retention.ms", NULL},
        {"Num.Partitions", NULL},
        {"num.partitions ", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct config_key *key = config_key_find(CONFIG_BROKER, str_from(cases[i].name));
        if (cases[i].row == NULL)
            assert_null(key);
        else
            assert_string_equal(config_key_name(key), cases[i].row);
    }
    assert_null(config_key_find(CONFIG_TOPIC, str_from("listener.name.a.retention.ms")));
}

static void test_validate(void **state)
{
    // Words as Apache Kafka 4.4 answers them.
    static const struct {
        enum config_scope scope;
        const char *key;
        const char *value;
        const char *words; // NULL: valid
    } cases[] = {
        {CONFIG_TOPIC, "retention.ms", "abc",
         "Invalid value abc for configuration retention.ms: Not a number of type LONG"},
        {CONFIG_TOPIC, "retention.ms", "-2",
         "Invalid value -2 for configuration retention.ms: Value must be at least -1"},
        {CONFIG_TOPIC, "retention.ms", "-1", NULL},
        {CONFIG_TOPIC, "retention.ms", " +77 ", NULL},
        {CONFIG_TOPIC, "retention.ms", "",
         "Invalid value  for configuration retention.ms: Not a number of type LONG"},
        {CONFIG_TOPIC, "retention.ms", "9223372036854775808",
         "Invalid value 9223372036854775808 for configuration retention.ms: "
         "Not a number of type LONG"},
        {CONFIG_TOPIC, "segment.bytes", "1048576", NULL},
        {CONFIG_TOPIC, "segment.bytes", "1048575",
         "Invalid value 1048575 for configuration segment.bytes: Value must be at least 1048576"},
        {CONFIG_TOPIC, "max.message.bytes", "99999999999",
         "Invalid value 99999999999 for configuration max.message.bytes: Not a number of type INT"},
        {CONFIG_TOPIC, "min.insync.replicas", "0x3",
         "Invalid value 0x3 for configuration min.insync.replicas: Not a number of type INT"},
        {CONFIG_TOPIC, "cleanup.policy", "foo",
         "Invalid value foo for configuration cleanup.policy: String must be one of: "
         "compact, delete"},
        {CONFIG_TOPIC, "cleanup.policy", "compact, delete", NULL},
        {CONFIG_TOPIC, "cleanup.policy", "", NULL},
        {CONFIG_TOPIC, "cleanup.policy", "delete,",
         "Configuration 'cleanup.policy' values must not be empty."},
        {CONFIG_TOPIC, "compression.type", "ZSTD",
         "Invalid value ZSTD for configuration compression.type: String must be one of: "
         "uncompressed, zstd, lz4, snappy, gzip, producer"},
        {CONFIG_TOPIC, "compression.gzip.level", "0",
         "Invalid value 0 for configuration compression.gzip.level: "
         "Value must be between 1 and 9 or equal to -1"},
        {CONFIG_TOPIC, "compression.gzip.level", "-1", NULL},
        {CONFIG_TOPIC, "compression.zstd.level", "-131072", NULL},
        {CONFIG_TOPIC, "preallocate", "TRUE", NULL},
        {CONFIG_TOPIC, "preallocate", "maybe",
         "Invalid value maybe for configuration preallocate: "
         "Expected value to be either true or false"},
        {CONFIG_TOPIC, "min.cleanable.dirty.ratio", "1.5",
         "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: "
         "Value must be no more than 1"},
        {CONFIG_TOPIC, "min.cleanable.dirty.ratio", "1e-3", NULL},
        {CONFIG_TOPIC, "min.cleanable.dirty.ratio", "NaN",
         "Invalid value NaN for configuration min.cleanable.dirty.ratio: "
         "Not a number of type DOUBLE"},
        {CONFIG_TOPIC, "leader.replication.throttled.replicas", "*", NULL},
        {CONFIG_TOPIC, "leader.replication.throttled.replicas", "0:1,1:2", NULL},
        {CONFIG_TOPIC, "leader.replication.throttled.replicas", "0:1,1",
         "Invalid value [0:1, 1] for configuration leader.replication.throttled.replicas: "
         "leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the "
         "following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."},
        {CONFIG_BROKER, "num.partitions", "0",
         "Invalid value 0 for configuration num.partitions: Value must be at least 1"},
        {CONFIG_BROKER, "offsets.topic.replication.factor", "40000",
         "Invalid value 40000 for configuration offsets.topic.replication.factor: "
         "Not a number of type SHORT"},
        {CONFIG_BROKER, "group.consumer.migration.policy", "Upgrade", NULL},
        {CONFIG_BROKER, "group.consumer.migration.policy", "up",
         "Invalid value up for configuration group.consumer.migration.policy: String must be one "
         "of (case insensitive): DISABLED, DOWNGRADE, UPGRADE, BIDIRECTIONAL"},
        {CONFIG_BROKER, "remote.log.metadata.manager.impl.prefix", "",
         "Invalid value  for configuration remote.log.metadata.manager.impl.prefix: "
         "String must be non-empty"},
        {CONFIG_BROKER, "process.roles", "broker,gardener",
         "Invalid value gardener for configuration process.roles: String must be one of: "
         "broker, controller"},
        {CONFIG_BROKER, "log.dirs", "/a, /b", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct config_key *key = config_key_find(cases[i].scope, str_from(cases[i].key));
        struct diag diag = {""};
        int err = config_validate(key, str_from(cases[i].value), &diag);
        assert_string_equal(diag.text, cases[i].words != NULL ? cases[i].words : "");
        assert_int_equal(err, cases[i].words != NULL ? ERR_INVALID : ERR_OK);
        assert_int_equal(config_validate(key, str_from(cases[i].value), NULL), err);
    }
}

static void test_long_values_are_cut_in_messages(void **state)
{
    char value[5000];
    memset(value, '9', sizeof value);
    struct diag diag;
    assert_int_equal(config_validate(topic_key("retention.ms"), str_of(value, sizeof value), &diag),
                     ERR_INVALID);
    assert_true(strlen(diag.text) < 300);
    assert_non_null(strstr(diag.text, "999... for configuration retention.ms"));
}

static void test_format(void **state)
{
    static const struct {
        const char *key;
        const char *value;
        const char *text;
    } cases[] = {
        {"retention.ms", " +077 ", "77"},         {"retention.ms", "-1", "-1"},
        {"preallocate", "TRUE", "true"},          {"preallocate", " False", "false"},
        {"cleanup.policy", " compact ,delete ", "compact,delete"},
        {"cleanup.policy", "  ", ""},             {"compression.type", " lz4\t", "lz4"},
        {"min.cleanable.dirty.ratio", " 0.50 ", "0.50"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;
        buf_init(&out, 100);
        config_format(topic_key(cases[i].key), str_from(cases[i].value), &out);
        assert_string_equal(buf_text(&out), cases[i].text);
        buf_release(&out);
    }
}

static void test_nearest(void **state)
{
    static const struct {
        enum config_scope scope;
        const char *typed;
        const char *meant;
    } cases[] = {
        {CONFIG_BROKER, "num.partition", "num.partitions"},
        {CONFIG_BROKER, "log.retetnion.ms", "log.retention.ms"},
        {CONFIG_BROKER, "listener", "listeners"},
        {CONFIG_BROKER, "advertised.listner", "advertised.listeners"},
        {CONFIG_TOPIC, "cleanup.polcy", "cleanup.policy"},
        {CONFIG_TOPIC, "retentionms", "retention.ms"},
        {CONFIG_BROKER, "confluent.support.metrics.enable", NULL},
        {CONFIG_BROKER, "x", NULL},
        {CONFIG_BROKER, "", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *found = config_key_nearest(cases[i].scope, str_from(cases[i].typed));
        if (cases[i].meant == NULL)
            assert_null(found);
        else
            assert_string_equal(found, cases[i].meant);
    }
    char huge[100000];
    memset(huge, 'a', sizeof huge);
    assert_null(config_key_nearest(CONFIG_BROKER, str_of(huge, sizeof huge)));
}

static void test_removed(void **state)
{
    assert_string_equal(config_key_removed_in(str_from("zookeeper.connect")), "4.0");
    assert_string_equal(config_key_removed_in(str_from("group.share.enable")), "4.3");
    assert_null(config_key_removed_in(str_from("num.partitions")));
}

static void test_synonyms(void **state)
{
    const char *names[CONFIG_SYNONYMS_MAX];
    assert_int_equal(config_key_synonyms(broker_key("log.retention.hours"), names), 3);
    assert_string_equal(names[0], "log.retention.ms");
    assert_string_equal(names[2], "log.retention.hours");
    assert_int_equal(config_key_synonyms(broker_key("log.roll.jitter.ms"), names), 2);
    assert_int_equal(config_key_synonyms(broker_key("num.partitions"), names), 1);
    assert_string_equal(names[0], "num.partitions");
    for (int i = 0; i < config_key_count(CONFIG_BROKER); i++) {
        int count = config_key_synonyms(config_key_at(CONFIG_BROKER, i), names);
        for (int j = 0; j < count; j++)
            broker_key(names[j]);
    }
}

static void test_list(void **state)
{
    static const struct {
        const char *value;
        int count;
        const char *last;
    } cases[] = {{"a", 1, "a"}, {" a , b ", 2, "b"}, {"a,,c", 3, "c"}, {"a,", 2, ""}, {"", 1, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str rest = str_from(cases[i].value);
        struct str item = {0};
        int count = 0;
        while (config_list_next(&rest, &item))
            count++;
        assert_int_equal(count, cases[i].count);
        assert_true(str_is(item, cases[i].last));
    }
    struct str none = {0};
    struct str item;
    assert_false(config_list_next(&none, &item));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key_finds_itself_in_order),
        cmocka_unit_test(test_defaults_are_valid),
        cmocka_unit_test(test_broker_defaults_of_topics_exist),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_validate),
        cmocka_unit_test(test_long_values_are_cut_in_messages),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_removed),
        cmocka_unit_test(test_synonyms),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

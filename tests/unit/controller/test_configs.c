// SPDX-License-Identifier: Apache-2.0
//
// IncrementalAlterConfigs and AlterConfigs.
#include "cluster.h"

#include "wire/api/alter_configs.h"
#include "wire/api/create_topics.h"
#include "wire/api/incremental_alter_configs.h"
#include "wire/record/clear_elr_record.h"
#include "wire/record/config_record.h"

enum { SET = 0, DELETE = 1, APPEND = 2, SUBTRACT = 3 };

static void create_topic(struct cluster *x, const char *name)
{
    struct create_topics_request_creatable_topic t;
    struct create_topics_request request;
    struct create_topics_response reply;
    create_topics_request_creatable_topic_init(&t);
    t.name = str_from(name);
    t.num_partitions = t.replication_factor = 1;
    create_topics_request_init(&request);
    request.topics.items = &t;
    request.topics.count = 1;
    cluster_begin(x);
    controller_create_topics(x->controller, &x->cmd, &request, &reply, &x->arena);
    cluster_end(x);
    assert_int_equal(reply.topics.items[0].error_code, 0);
}

struct result {
    int16_t code;
    struct str text;
};

static struct result alter_ops(struct cluster *x, int8_t type, const char *resource,
                               struct incremental_alter_configs_request_alterable_config *ops,
                               int count, bool validate_only)
{
    struct incremental_alter_configs_request_alter_configs_resource r;
    struct incremental_alter_configs_request request;
    struct incremental_alter_configs_response reply;
    incremental_alter_configs_request_alter_configs_resource_init(&r);
    r.resource_type = type;
    r.resource_name = str_from(resource);
    r.configs.items = ops;
    r.configs.count = count;
    incremental_alter_configs_request_init(&request);
    request.resources.items = &r;
    request.resources.count = 1;
    request.validate_only = validate_only;
    cluster_begin(x);
    controller_incremental_alter_configs(x->controller, &x->cmd, &request, &reply, &x->arena);
    cluster_end(x);
    assert_int_equal(reply.responses.count, 1);
    assert_int_equal(reply.responses.items[0].resource_type, type);
    text_is(reply.responses.items[0].resource_name, resource);
    return (struct result){reply.responses.items[0].error_code,
                           reply.responses.items[0].error_message};
}

static struct result alter(struct cluster *x, int8_t type, const char *resource, const char *name,
                           int8_t op, const char *value)
{
    struct incremental_alter_configs_request_alterable_config config = {str_from(name), op,
                                                                        str_from(value)};
    return alter_ops(x, type, resource, &config, 1, false);
}

static const char *value_of(struct cluster *x, int8_t type, const char *resource, const char *name)
{
    const struct properties *p =
        metadata_image_configs(cluster_image(x), (enum config_resource)type, str_from(resource));
    return p != NULL ? properties_get(p, name) : NULL;
}

static void errors_are_kafkas(void **state)
{
    struct cluster x;
    cluster_init(&x);
    create_topic(&x, "t");
    static const struct {
        int8_t type;
        const char *resource, *name;
        int8_t op;
        const char *value;
        int16_t code;
        const char *text; // how it begins
    } cases[] = {
        {2, "t", "nope", SET, "5", KAFKA_INVALID_CONFIG, "Unknown topic config name: nope"},
        // Values are looked at before the topic is.
        {2, "gone", "", SET, "", KAFKA_INVALID_CONFIG, "Unknown topic config name: "},
        {2, "gone", "retention.ms", SET, "5", KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
         "The topic 'gone' does not exist."},
        {2, "t", "retention.ms", SET, "x", KAFKA_INVALID_CONFIG,
         "Invalid value x for configuration retention.ms"},
        {2, "t", "retention.ms", SET, NULL, KAFKA_INVALID_REQUEST,
         "Null value not supported for : retention.ms"},
        {2, "t", "retention.ms", APPEND, "5", KAFKA_INVALID_CONFIG,
         "Can't APPEND to key retention.ms because its type is not LIST."},
        {2, "t", "retention.ms", SUBTRACT, "5", KAFKA_INVALID_CONFIG,
         "Can't SUBTRACT to key retention.ms because its type is not LIST."},
        {2, "t", "retention.ms", 4, "5", KAFKA_INVALID_REQUEST, "Unknown operation type 4."},
        {2, "", "retention.ms", SET, "5", KAFKA_INVALID_REQUEST,
         "Default topic resources are not allowed."},
        {2, "a/b", "retention.ms", SET, "5", KAFKA_INVALID_TOPIC_EXCEPTION,
         "Topic name is invalid: 'a/b'"},
        {4, "1", "log.cleaner.threads", APPEND, "2", KAFKA_INVALID_CONFIG,
         "Config value append is not allowed for config key: log.cleaner.threads"},
        {4, "x", "log.cleaner.threads", SET, "2", KAFKA_INVALID_REQUEST,
         "Unable to parse broker name as a base 10 number."},
        {4, "-3", "log.cleaner.threads", SET, "2", KAFKA_INVALID_REQUEST,
         "Invalid negative broker ID."},
        {4, "7", "log.cleaner.threads", SET, "2", KAFKA_BROKER_ID_NOT_REGISTERED,
         "No node with id 7 found."},
        {4, "1", "no.such", SET, "2", KAFKA_INVALID_CONFIG, ""},
        {4, "", "broker.id", SET, "2", KAFKA_INVALID_REQUEST, ""},
        {4, "", "log.cleaner.threads", SET, "-2", KAFKA_INVALID_REQUEST, ""},
        {4, "1", "min.insync.replicas", SET, "2", KAFKA_INVALID_CONFIG,
         "Broker-level min.insync.replicas cannot be altered while ELR is enabled."},
        {4, "", "min.insync.replicas", DELETE, NULL, KAFKA_INVALID_CONFIG,
         "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."},
        {8, "1", "root", SET, "INFO", KAFKA_INVALID_REQUEST, "Unknown resource type BROKER_LOGGER"},
        {16, "m", "interval.ms", SET, "1000", KAFKA_UNSUPPORTED_VERSION, "Unknown resource type 16."},
        {32, "g", "x", SET, "1", KAFKA_INVALID_CONFIG, "Unknown group config name: x"},
        {32, "", "consumer.heartbeat.interval.ms", SET, "5000", KAFKA_INVALID_REQUEST,
         "Default group resources are not allowed."},
        {0, "t", "x", SET, "1", KAFKA_INVALID_REQUEST, "Unknown resource type 0"},
        {64, "t", "x", SET, "1", KAFKA_INVALID_REQUEST, "Unknown resource type 64"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result r = alter(&x, cases[i].type, cases[i].resource, cases[i].name, cases[i].op,
                                cases[i].value);
        if (r.code != cases[i].code || !str_starts_with(r.text, cases[i].text))
            fail_msg("case %zu: %d %.*s", i, r.code, STR_ARG(r.text));
        assert_true(r.text.size > 0);
        assert_int_equal(x.record_count, 0);
    }
    cluster_release(&x);
}

static void settings_come_and_go(void **state)
{
    struct cluster x;
    cluster_init(&x);
    create_topic(&x, "t");
    assert_int_equal(alter(&x, 2, "t", "retention.ms", SET, "5").code, 0);
    const struct config_record *r = cluster_record(&x, 0, METADATA_CONFIG_RECORD, 0);
    assert_int_equal(r->resource_type, 2);
    text_is(r->resource_name, "t");
    text_is(r->name, "retention.ms");
    text_is(r->value, "5");
    assert_int_equal(x.record_count, 1);

    // The same again says nothing; a deletion is a null value, once.
    assert_int_equal(alter(&x, 2, "t", "retention.ms", SET, "5").code, 0);
    assert_int_equal(x.record_count, 0);
    assert_int_equal(alter(&x, 2, "t", "retention.ms", DELETE, NULL).code, 0);
    r = cluster_record(&x, 0, METADATA_CONFIG_RECORD, 0);
    text_is(r->value, NULL);
    assert_int_equal(alter(&x, 2, "t", "retention.ms", DELETE, NULL).code, 0);
    assert_int_equal(x.record_count, 0);

    // Only validated.
    struct incremental_alter_configs_request_alterable_config op = {str_from("retention.ms"), SET,
                                                                    str_from("7")};
    assert_int_equal(alter_ops(&x, 2, "t", &op, 1, true).code, 0);
    assert_null(value_of(&x, 2, "t", "retention.ms"));

    // All of a resource or nothing.
    struct incremental_alter_configs_request_alterable_config ops[] = {
        {str_from("retention.ms"), SET, str_from("7")}, {str_from("nope"), SET, str_from("7")}};
    assert_int_equal(alter_ops(&x, 2, "t", ops, 2, false).code, KAFKA_INVALID_CONFIG);
    assert_null(value_of(&x, 2, "t", "retention.ms"));
    ops[1].name = str_from("retention.ms");
    struct result twice = alter_ops(&x, 2, "t", ops, 2, false);
    assert_int_equal(twice.code, KAFKA_INVALID_REQUEST);
    text_is(twice.text, "Error due to duplicate config keys");
    ops[1] = (struct incremental_alter_configs_request_alterable_config){
        str_from("segment.ms"), SET, str_of("1\0", 2)};
    assert_int_equal(alter_ops(&x, 2, "t", ops, 2, false).code, KAFKA_INVALID_CONFIG);
    cluster_release(&x);
}

static void lists_grow_and_shrink(void **state)
{
    struct cluster x;
    cluster_init(&x);
    create_topic(&x, "t");
    static const struct {
        int8_t op;
        const char *value, *after;
    } cases[] = {
        {APPEND, "compact", "delete,compact"}, // to the default
        {APPEND, "compact", "delete,compact"},
        {SUBTRACT, "delete", "compact"},
        {SUBTRACT, "delete", "compact"},
        {APPEND, "delete,compact,delete", "compact,delete"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result r = alter(&x, 2, "t", "cleanup.policy", cases[i].op, cases[i].value);
        assert_int_equal(r.code, 0);
        assert_string_equal(value_of(&x, 2, "t", "cleanup.policy"), cases[i].after);
    }
    assert_int_equal(alter(&x, 2, "t", "cleanup.policy", APPEND, "bogus").code,
                     KAFKA_INVALID_CONFIG);
    cluster_release(&x);
}

static void brokers_are_always_written(void **state)
{
    struct cluster x;
    cluster_init(&x);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(alter(&x, 4, "", "log.cleaner.threads", SET, "2").code, 0);
        assert_int_equal(x.record_count, 1);
        assert_int_equal(alter(&x, 4, "1", "log.cleaner.threads", SET, "2").code, 0);
        assert_int_equal(x.record_count, 1);
    }
    assert_string_equal(value_of(&x, 4, "", "log.cleaner.threads"), "2");
    assert_string_equal(value_of(&x, 4, "1", "log.cleaner.threads"), "2");
    assert_int_equal(alter(&x, 4, "", "log.cleaner.threads", DELETE, NULL).code, 0);
    assert_null(value_of(&x, 4, "", "log.cleaner.threads"));
    cluster_release(&x);
}

static void brokers_keep_the_rules_between_keys(void **state)
{
    struct cluster x;
    cluster_init(&x);
    struct result r = alter(&x, 4, "", "max.connections.per.ip", SET, "0");
    assert_int_equal(r.code, KAFKA_INVALID_REQUEST);
    text_is(r.text, "requirement failed: max.connections.per.ip can be set to zero only if "
                    "max.connections.per.ip.overrides property is set.");
    assert_int_equal(x.record_count, 0);
    struct incremental_alter_configs_request_alterable_config ops[] = {
        {str_from("max.connections.per.ip"), SET, str_from("0")},
        {str_from("max.connections.per.ip.overrides"), SET, str_from("10.0.0.1:5")},
    };
    assert_int_equal(alter_ops(&x, 4, "", ops, 2, false).code, 0);
    assert_int_equal(x.record_count, 2);
    assert_int_equal(alter(&x, 4, "", "log.cleaner.threads", SET, "2").code, 0);
    assert_int_equal(alter(&x, 4, "", "max.connections.per.ip.overrides", DELETE, NULL).code,
                     KAFKA_INVALID_REQUEST);
    assert_int_equal(x.record_count, 0);
    cluster_release(&x);
}

static void min_insync_replicas_clears_elr(void **state)
{
    struct cluster x;
    cluster_init(&x);
    create_topic(&x, "t");
    assert_int_equal(alter(&x, 2, "t", "min.insync.replicas", SET, "2").code, 0);
    assert_int_equal(x.record_count, 2);
    const struct clear_elr_record *clear = cluster_record(&x, 1, METADATA_CLEAR_ELR_RECORD, 0);
    text_is(clear->topic_name, "t");
    assert_int_equal(alter(&x, 2, "t", "min.insync.replicas", SET, "2").code, 0);
    assert_int_equal(x.record_count, 0);
    assert_int_equal(alter(&x, 2, "t", "min.insync.replicas", DELETE, NULL).code, 0);
    cluster_record(&x, 1, METADATA_CLEAR_ELR_RECORD, 0);
    assert_int_equal(alter(&x, 4, "", "min.insync.replicas", SET, "2").code, 0);
    clear = cluster_record(&x, 1, METADATA_CLEAR_ELR_RECORD, 0);
    text_is(clear->topic_name, "");
    cluster_release(&x);
}

static struct result alter_whole(struct cluster *x, int8_t type, const char *resource,
                                 struct alter_configs_request_alterable_config *configs, int count)
{
    struct alter_configs_request_alter_configs_resource r;
    struct alter_configs_request request;
    struct alter_configs_response reply;
    alter_configs_request_alter_configs_resource_init(&r);
    r.resource_type = type;
    r.resource_name = str_from(resource);
    r.configs.items = configs;
    r.configs.count = count;
    alter_configs_request_init(&request);
    request.resources.items = &r;
    request.resources.count = 1;
    cluster_begin(x);
    controller_alter_configs(x->controller, &x->cmd, &request, &reply, &x->arena);
    cluster_end(x);
    return (struct result){reply.responses.items[0].error_code,
                           reply.responses.items[0].error_message};
}

static void the_old_form_replaces_everything(void **state)
{
    struct cluster x;
    cluster_init(&x);
    create_topic(&x, "t");
    alter(&x, 2, "t", "retention.ms", SET, "5");
    alter(&x, 2, "t", "segment.ms", SET, "6");
    struct alter_configs_request_alterable_config configs[] = {
        {str_from("segment.ms"), str_from("6")}, {str_from("max.message.bytes"), str_from("9")}};
    assert_int_equal(alter_whole(&x, 2, "t", configs, 2).code, 0);
    assert_int_equal(x.record_count, 2); // one is new, one goes, one stays
    assert_null(value_of(&x, 2, "t", "retention.ms"));
    assert_string_equal(value_of(&x, 2, "t", "segment.ms"), "6");
    assert_string_equal(value_of(&x, 2, "t", "max.message.bytes"), "9");
    configs[0].value = str_of(NULL, 0);
    assert_int_equal(alter_whole(&x, 2, "t", configs, 1).code, KAFKA_INVALID_REQUEST);
    configs[0] = (struct alter_configs_request_alterable_config){str_from("nope"), str_from("1")};
    assert_int_equal(alter_whole(&x, 2, "t", configs, 1).code, KAFKA_INVALID_CONFIG);
    assert_int_equal(alter_whole(&x, 2, "t", NULL, 0).code, 0);
    assert_null(value_of(&x, 2, "t", "segment.ms"));
    // The cluster's min.insync.replicas may not go with the rest.
    assert_int_equal(alter_whole(&x, 4, "", NULL, 0).code, KAFKA_INVALID_CONFIG);
    cluster_release(&x);
}

static void a_resource_may_come_once(void **state)
{
    struct cluster x;
    cluster_init(&x);
    create_topic(&x, "t");
    create_topic(&x, "u");
    struct incremental_alter_configs_request_alterable_config op = {str_from("retention.ms"), SET,
                                                                    str_from("5")};
    struct incremental_alter_configs_request_alter_configs_resource r[3];
    static const char *const names[] = {"t", "u", "t"};
    for (int i = 0; i < 3; i++) {
        incremental_alter_configs_request_alter_configs_resource_init(&r[i]);
        r[i].resource_type = 2;
        r[i].resource_name = str_from(names[i]);
        r[i].configs.items = &op;
        r[i].configs.count = 1;
    }
    struct incremental_alter_configs_request request;
    struct incremental_alter_configs_response reply;
    incremental_alter_configs_request_init(&request);
    request.resources.items = r;
    request.resources.count = 3;
    cluster_begin(&x);
    controller_incremental_alter_configs(x.controller, &x.cmd, &request, &reply, &x.arena);
    cluster_end(&x);
    assert_int_equal(reply.responses.count, 2);
    assert_int_equal(reply.responses.items[0].error_code, KAFKA_INVALID_REQUEST);
    text_is(reply.responses.items[0].error_message, "Each resource must appear at most once.");
    assert_int_equal(reply.responses.items[1].error_code, 0);
    assert_string_equal(value_of(&x, 2, "u", "retention.ms"), "5");
    cluster_release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_kafkas),
        cmocka_unit_test(settings_come_and_go),
        cmocka_unit_test(lists_grow_and_shrink),
        cmocka_unit_test(brokers_are_always_written),
        cmocka_unit_test(brokers_keep_the_rules_between_keys),
        cmocka_unit_test(min_insync_replicas_clears_elr),
        cmocka_unit_test(the_old_form_replaces_everything),
        cmocka_unit_test(a_resource_may_come_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config/environment.h"

static void test_names(void **state)
{
    static const struct {
        const char *name;
        const char *key; // NULL: no setting
    } cases[] = {
        {"KAFKA_LISTENERS", "listeners"},
        {"KAFKA_LOG_DIRS", "log.dirs"},
        {"KAFKA_LISTENER_NAME_SASL__PLAINTEXT_SCRAM___SHA___256_SASL_JAAS_CONFIG",
         "listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config"},
        {"KAFKA_A____B", "a-.b"}, // as the image has it: three, then one
        {"KAFKA_log_Dirs", "log.dirs"},
        {"KAFKA_CFG_NUM_PARTITIONS", "num.partitions"},
        {"KAFKA_", NULL},
        {"KAFKA_CFG_", NULL},
        {"KAFKA", NULL},
        {"XKAFKA_LOG_DIRS", NULL},
        {"CLUSTER_ID", NULL},
        {"KAFKA_HEAP_OPTS", NULL},
        {"KAFKA_OPTS", NULL},
        {"KAFKA_LOG4J_ROOT_LOGLEVEL", NULL},
        {"KAFKA_JMX_PORT", NULL},
        {"KAFKA_SERVICE_HOST", NULL},
        {"KAFKA_SERVICE_PORT_CLIENT", NULL},
        {"KAFKA_PORT", NULL},
        {"KAFKA_PORT_9092_TCP_ADDR", NULL},
        {"KAFKA_HEADLESS_PORT_9092_TCP", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf key;
        buf_init(&key, 1000);
        bool is_key = config_environment_key(str_from(cases[i].name), &key);
        assert_int_equal(is_key, cases[i].key != NULL);
        assert_string_equal(buf_text(&key), is_key ? cases[i].key : "");
        buf_release(&key);
    }
}

// No key looks like something that is left out.
static void test_every_key_can_be_set(void **state)
{
    for (int i = 0; i < config_key_count(CONFIG_BROKER); i++) {
        const char *name = config_key_name(config_key_at(CONFIG_BROKER, i));
        char variable[200] = "KAFKA_";
        for (size_t j = 0; j <= strlen(name); j++) {
            char c = name[j];
            variable[j + 6] = c == '.' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        }
        struct buf key;
        buf_init(&key, 1000);
        if (!config_environment_key(str_from(variable), &key))
            fail_msg("%s", variable);
        assert_string_equal(buf_text(&key), name);
        buf_release(&key);
    }
}

struct recorder {
    struct trace trace;
    struct buf lines;
};

static void record(struct trace *t, enum trace_level level, const char *area, const char *line)
{
    struct recorder *r = (struct recorder *)t;
    buf_printf(&r->lines, "%s %s: %s\n", trace_level_name(level), area, line);
}

static void test_load(void **state)
{
    char *variables[] = {(char[]){"HOME=/root"},
                         (char[]){"KAFKA_NUM_PARTITIONS= 7"},
                         (char[]){"KAFKA_ADVERTISED_LISTENERS=A://b:1,C://d:2"},
                         (char[]){"KAFKA_CONNECTIONS_MAX_IDLE_MS"}, // no value
                         (char[]){"KAFKA_HEAP_OPTS=-Xmx1g"},
                         (char[]){"KAFKA_LOG_DIR=x=y"},
                         (char[]){"KAFKA_NUM_PARTITION=3"},
                         (char[]){"KAFKA_LISTENER_NAME_A_MAX_CONNECTION=3"},
                         (char[]){"KAFKA_ZOOKEEPER_CONNECT=z:2181"},
                         (char[]){"KAFKA_WHATEVER_THIS_IS=1"},
                         NULL};
    struct recorder r = {.trace = {.emit = record}};
    struct config *c = config_new();
    buf_init(&r.lines, 10000);
    config_set_static(c, "num.partitions", str_from("2"));
    config_load_environment(c, variables, &r.trace);
    assert_int_equal(config_i32(c, "num.partitions"), 7);
    assert_string_equal(config_text(c, "advertised.listeners"), "A://b:1,C://d:2");
    assert_string_equal(config_text(c, "log.dir"), "x=y");
    assert_int_equal(config_i64(c, "connections.max.idle.ms"), 600000);
    assert_string_equal(
        buf_text(&r.lines),
        "WARN config: KAFKA_NUM_PARTITION is not a known key; did you mean KAFKA_NUM_PARTITIONS?\n"
        "WARN config: KAFKA_LISTENER_NAME_A_MAX_CONNECTION is not a known key\n"
        "WARN config: KAFKA_ZOOKEEPER_CONNECT has no effect: Apache Kafka 4.0 removed "
        "zookeeper.connect\n"
        "WARN config: KAFKA_WHATEVER_THIS_IS is not a known key\n");
    buf_release(&r.lines);
    config_free(c);
}

static void test_cluster_id(void **state)
{
    assert_null(config_environment_cluster_id((char *[]){NULL}));
    assert_null(config_environment_cluster_id((char *[]){(char[]){"CLUSTER_ID="}, NULL}));
    char *variables[] = {(char[]){"A=b"}, (char[]){"CLUSTER_ID=abc"}, NULL};
    assert_string_equal(config_environment_cluster_id(variables), "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_every_key_can_be_set),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_cluster_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"

// Keeps what the trace says, one line each.
struct recorder {
    struct trace trace;
    struct buf lines;
};

static void record(struct trace *t, enum trace_level level, const char *area, const char *line)
{
    struct recorder *r = (struct recorder *)t;
    assert_int_equal(level, TRACE_WARN);
    assert_string_equal(area, "config");
    buf_printf(&r->lines, "%s\n", line);
}

static struct config *loaded(const char *text)
{
    struct config *c = config_new();
    struct diag diag;
    assert_int_equal(config_load(c, str_from(text), "test.properties", &diag), ERR_OK);
    return c;
}

static void test_defaults(void **state)
{
    struct config *c = config_new();
    assert_int_equal(config_i32(c, "num.partitions"), 1);
    assert_int_equal(config_i64(c, "log.retention.bytes"), -1);
    assert_true(config_bool(c, "auto.create.topics.enable"));
    assert_null(config_text(c, "log.retention.ms"));
    assert_null(config_list(c, "log.dirs").data);
    assert_true(str_is(config_log_dirs(c), "/tmp/kafka-logs"));
    assert_false(config_is_set(c, "num.partitions"));
    assert_true(config_double(c, "log.cleaner.io.buffer.load.factor") == 0.9);
    assert_int_equal(config_check(c, NULL, NULL), ERR_OK);
    config_free(c);
}

// A copy says in every layer what the original says then, and nothing of what it said itself before.
static void test_a_copy_stands_alone(void **state)
{
    static const struct {
        const char *key, *copied, *later;
    } table[] = {
        {"num.partitions", "3", "5"},                // the file
        {"message.max.bytes", "100", "100"},         // the command line
        {"log.dirs", "here", "here"},                // a fallback
        {"log.retention.ms", "77", "77"},            // dynamic, all brokers
        {"log.segment.bytes", "2097152", "3145728"}, // dynamic, this broker
        {"log.roll.hours", "168", "168"},            // the default; the copy had another
    };
    struct config *from = loaded("num.partitions=3\n");
    struct config *copy = loaded("log.roll.hours=1\nunknown.key=x\n");
    struct diag diag;
    assert_int_equal(config_override(from, "message.max.bytes=100", &diag), ERR_OK);
    config_set_fallback(from, "log.dirs", "here");
    config_set_dynamic(from, CONFIG_SOURCE_BROKER_DEFAULT, "log.retention.ms", "77");
    config_set_dynamic(from, CONFIG_SOURCE_BROKER, "log.segment.bytes", "2097152");
    config_set_dynamic(copy, CONFIG_SOURCE_BROKER, "log.roll.hours", "2");
    for (int again = 0; again < 2; again++) {
        config_copy(copy, from);
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
            assert_string_equal(config_text(copy, table[i].key), again ? table[i].later : table[i].copied);
        // What changes afterwards changes on one side only, until the next copy.
        assert_int_equal(config_override(from, "num.partitions=5", &diag), ERR_OK);
        config_set_dynamic(from, CONFIG_SOURCE_BROKER, "log.segment.bytes", "3145728");
        if (again == 0)
            assert_int_equal(config_i32(copy, "num.partitions"), 3);
        config_set_dynamic(copy, CONFIG_SOURCE_BROKER, "log.retention.ms", "1");
        assert_int_equal(config_i64(from, "log.retention.ms"), 77);
    }
    config_free(from);
    assert_int_equal(config_i64(copy, "log.retention.ms"), 1);
    assert_int_equal(config_i32(copy, "num.partitions"), 5);
    config_free(copy);
}

static void test_layers(void **state)
{
    struct config *c = loaded("num.partitions=3\nmessage.max.bytes = 100 \n");
    struct diag diag;
    assert_int_equal(config_override(c, "num.partitions= 7", &diag), ERR_OK);
    assert_int_equal(config_i32(c, "num.partitions"), 7);
    config_set_fallback(c, "num.partitions", "9");
    config_set_fallback(c, "log.dirs", "chitin-data");
    assert_int_equal(config_i32(c, "num.partitions"), 7);
    assert_true(str_is(config_log_dirs(c), "chitin-data"));
    assert_false(config_is_set(c, "log.dirs"));
    assert_true(config_is_set(c, "num.partitions"));

    config_set_dynamic(c, CONFIG_SOURCE_BROKER_DEFAULT, "message.max.bytes", "200");
    assert_int_equal(config_i32(c, "message.max.bytes"), 200);
    config_set_dynamic(c, CONFIG_SOURCE_BROKER, "message.max.bytes", "300");
    assert_int_equal(config_i32(c, "message.max.bytes"), 300);
    config_set_dynamic(c, CONFIG_SOURCE_BROKER, "message.max.bytes", NULL);
    config_set_dynamic(c, CONFIG_SOURCE_BROKER, "message.max.bytes", NULL);
    assert_int_equal(config_i32(c, "message.max.bytes"), 200);
    // A value that another release wrote and this one cannot read does not count.
    config_set_dynamic(c, CONFIG_SOURCE_BROKER_DEFAULT, "message.max.bytes", "lots");
    assert_int_equal(config_i32(c, "message.max.bytes"), 100);
    config_free(c);
}

static void test_override_needs_an_assignment(void **state)
{
    struct config *c = config_new();
    struct diag diag;
    assert_int_equal(config_override(c, "num.partitions", &diag), ERR_INVALID);
    assert_string_equal(diag.text, "'num.partitions' is not KEY=VALUE");
    assert_int_equal(config_override(c, "=1", &diag), ERR_INVALID);
    assert_int_equal(config_override(c, "log.dirs=", &diag), ERR_OK);
    config_free(c);
}

static void test_load_names_file_and_line(void **state)
{
    struct config *c = config_new();
    struct diag diag;
    assert_int_equal(config_load(c, str_from("a=1\nb=\\u12"), "x.properties", &diag), ERR_INVALID);
    assert_non_null(strstr(diag.text, "x.properties: line 2"));
    config_free(c);
}

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        const char *key;
        int64_t ms;
    } cases[] = {
        {"", "log.retention.ms", 604800000},
        {"log.retention.hours=1", "log.retention.ms", 3600000},
        {"log.retention.hours=1\nlog.retention.minutes=2", "log.retention.ms", 120000},
        {"log.retention.hours=1\nlog.retention.minutes=2\nlog.retention.ms=3", "log.retention.ms",
         3},
        {"log.retention.hours=-1", "log.retention.ms", -1},
        {"log.retention.minutes=-1\nlog.retention.hours=5", "log.retention.ms", -1},
        {"log.retention.hours=2147483647", "log.retention.ms", INT64_C(2147483647) * 3600000},
        {"log.roll.hours=2", "log.roll.ms", 7200000},
        {"", "log.roll.jitter.ms", 0},
        {"", "log.flush.interval.ms", INT64_MAX},
        {"log.flush.scheduler.interval.ms=5", "log.flush.interval.ms", 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config *c = loaded(cases[i].text);
        assert_int_equal(config_duration_ms(c, cases[i].key), cases[i].ms);
        config_free(c);
    }
}

static void test_check_refuses(void **state)
{
    static const struct {
        const char *text;
        const char *words; // NULL: it starts
    } cases[] = {
        {"num.partitions=0", "Invalid value 0 for configuration num.partitions: Value must be at "
                             "least 1; valid: [1,...]"},
        {"num.partitions=x\nlog.retention.ms=y",
         "Not a number of type INT; valid: [1,...]\n"
         "Invalid value y for configuration log.retention.ms"},
        {"authorizer.class.name=a.B", "authorizer.class.name=a.B: authorization is not there yet"},
        {"authorizer.class.name=", NULL},
        {"super.users=User:a", NULL}, // protects nothing by itself, in Kafka neither
        {"sasl.enabled.mechanisms=GSSAPI", NULL},
        {"sasl.enabled.mechanisms=PLAIN", "sasl.enabled.mechanisms=PLAIN: authentication"},
        {"listener.name.a.plain.sasl.jaas.config=secret", "sasl.jaas.config: authentication"},
        {"ssl.keystore.location=/x", "TLS is not there yet"},
        {"ssl.client.auth=none", NULL},
        {"ssl.client.auth=required", "ssl.client.auth=required"},
        {"security.inter.broker.protocol=PLAINTEXT", NULL},
        {"security.inter.broker.protocol=SSL", "security.inter.broker.protocol=SSL"},
        {"create.topic.policy.class.name=a.B", "create.topic.policy.class.name=a.B"},
        {"remote.log.storage.system.enable=true", "tiered storage is not there yet"},
        {"config.providers=env", "placeholders"},
        {"group.consumer.session.timeout.ms=70000",
         "group.consumer.session.timeout.ms must be less than or equal to "
         "group.consumer.max.session.timeout.ms"},
        {"group.consumer.heartbeat.interval.ms=4000",
         "group.consumer.heartbeat.interval.ms must be greater than or equal to "
         "group.consumer.min.heartbeat.interval.ms"},
        {"replica.fetch.wait.max.ms=40000",
         "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms"},
        {"replica.fetch.wait.max.ms=20000\nreplica.lag.time.max.ms=19999",
         "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms"},
        {"log.retention.hours=0",
         "log.retention.ms must be unlimited (-1) or, greater than or equal to 1"},
        {"log.retention.ms=-5", NULL},
        {"log.roll.ms=0", "log.roll.ms must be greater than or equal to 1"},
        {"log.roll.jitter.ms=-1", "log.roll.jitter.ms must be greater than or equal to 0"},
        {"queued.max.request.bytes=104857599",
         "queued.max.request.bytes must be larger or equal to socket.request.max.bytes"},
        {"queued.max.request.bytes=104857600", NULL},
        {"queued.max.request.bytes=0", NULL},
        {"connections.max.idle.ms=100",
         "connection.failed.authentication.delay.ms=100 should always be less than "
         "connections.max.idle.ms=100 to prevent"},
        {"connections.max.idle.ms=-1", NULL},
        {"log.cleaner.dedupe.buffer.size=1048576", "at least 1MB per cleaner thread"},
        {"max.connections.per.ip=0",
         "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides "
         "property is set."},
        {"max.connections.per.ip=0\nmax.connections.per.ip.overrides=127.0.0.1:5", NULL},
        {"max.connections.per.ip.overrides=a b:5",
         "max.connections.per.ip.overrides contains invalid addresses : a b"},
        {"log.dirs=/a,/b\ncordoned.log.dirs=/b,/c", "Missing entries : /c"},
        {"log.dirs=/a,/b\ncordoned.log.dirs=/b", NULL},
        {"log.dirs=/a,/b\ncordoned.log.dirs=*", NULL},
        {"log.dirs=/a,,/b", "log.dirs has an empty item"},
        {"log.dirs=\nlog.dir=", "log.dirs is empty"},
        {"nonsense=1", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config *c = loaded(cases[i].text);
        struct diag diag;
        int err = config_check(c, NULL, &diag);
        assert_int_equal(err, cases[i].words != NULL ? ERR_INVALID : ERR_OK);
        if (cases[i].words != NULL && strstr(diag.text, cases[i].words) == NULL)
            fail_msg("'%s' says '%s'", cases[i].text, diag.text);
        assert_null(strstr(diag.text, "secret"));
        assert_int_equal(config_check(c, NULL, NULL), err);
        config_free(c);
    }
}

static void test_check_survives_many_errors(void **state)
{
    struct config *c = config_new();
    for (int i = 0; i < config_key_count(CONFIG_BROKER); i++) {
        char line[300];
        const char *name = config_key_name(config_key_at(CONFIG_BROKER, i));
        snprintf(line, sizeof line, "%s=%0200d!", name, i);
        assert_int_equal(config_override(c, line, NULL), ERR_OK);
    }
    struct diag diag;
    assert_int_equal(config_check(c, NULL, &diag), ERR_INVALID);
    assert_true(strlen(diag.text) < sizeof diag.text);
    config_free(c);
}

static void test_check_warns_once(void **state)
{
    struct config *c = loaded("num.io.threads=16\n"
                              "zookeeper.connect=localhost:2181\n"
                              "num.partition=3\n"
                              "some.plugin.setting=\x1b[31m\n"
                              "num.network.threads=3\n" // the default: nothing is lost
                              "background.threads=4\n"
                              "metric.reporters=a.B\n"
                              "listener.name.a.max.connections=5\n"
                              "listener.name.a.message.max.bytes=5\n"
                              "auto.create.topics.enable=false\n");
    struct recorder r = {.trace = {.emit = record}};
    buf_init(&r.lines, 10000);
    assert_int_equal(config_check(c, &r.trace, NULL), ERR_OK);
    assert_string_equal(
        buf_text(&r.lines),
        "no effect, since threads follow chitin.shards and the work at hand, not this number: "
        "num.io.threads, background.threads\n"
        "zookeeper.connect has no effect: Apache Kafka 4.0 removed it\n"
        "num.partition is not a known key; did you mean num.partitions?\n"
        "some.plugin.setting is not a known key\n"
        "no effect, since there is no Java virtual machine here that could load a class: "
        "metric.reporters\n"
        "listener.name.a.message.max.bytes has no effect: message.max.bytes cannot be set for one "
        "listener\n");
    buf_release(&r.lines);
    config_free(c);
}

static void test_validate_dynamic(void **state)
{
    static const struct {
        enum config_source layer;
        const char *name;
        const char *value;
        int err;
        const char *words;
    } cases[] = {
        {CONFIG_SOURCE_BROKER, "message.max.bytes", "5", ERR_OK, ""},
        {CONFIG_SOURCE_BROKER_DEFAULT, "message.max.bytes", "-5", ERR_INVALID, "at least 0"},
        {CONFIG_SOURCE_BROKER, "num.partitions", "5", ERR_INVALID,
         "Cannot update these configs dynamically: [num.partitions]"},
        {CONFIG_SOURCE_BROKER_DEFAULT, "listeners", "PLAINTEXT://:1", ERR_INVALID,
         "Cannot update these configs at default cluster level, broker id must be specified: "
         "[listeners]"},
        {CONFIG_SOURCE_BROKER, "ssl.keystore.location", "/x", ERR_INVALID, "TLS is not there"},
        {CONFIG_SOURCE_BROKER, "listeners", "PLAINTEXT://:1", ERR_INVALID,
         "Cannot set listeners while the broker runs"},
        {CONFIG_SOURCE_BROKER, "max.connections", "0", ERR_INVALID, "Cannot set max.connections to 0"},
        {CONFIG_SOURCE_BROKER, "max.connections", "1", ERR_OK, ""},
        {CONFIG_SOURCE_BROKER, "max.connections.per.ip.overrides", "10.0.0.1:5,::1:7", ERR_OK, ""},
        {CONFIG_SOURCE_BROKER, "max.connections.per.ip.overrides", "", ERR_OK, ""},
        {CONFIG_SOURCE_BROKER, "max.connections.per.ip.overrides", "10.0.0.1", ERR_INVALID,
         "Error parsing configuration property 'max.connections.per.ip.overrides': '10.0.0.1' is "
         "not HOST:COUNT"},
        {CONFIG_SOURCE_BROKER, "max.connections.per.ip.overrides", ":5", ERR_INVALID,
         "contains invalid addresses : "},
        {CONFIG_SOURCE_BROKER, "max.connections.per.ip.overrides", "h:5,h:x", ERR_INVALID, "'h:x'"},
        {CONFIG_SOURCE_BROKER_DEFAULT, "listener.name.a.max.connections", "5", ERR_OK, ""},
        {CONFIG_SOURCE_BROKER, "listener.name.a.max.connections", "x", ERR_INVALID,
         "Invalid value x for configuration max.connections: Not a number of type INT"},
        {CONFIG_SOURCE_BROKER, "listener.name.a.message.max.bytes", "5", ERR_INVALID,
         "Cannot set message.max.bytes for one listener"},
        {CONFIG_SOURCE_BROKER, "nope", "1", ERR_NOT_FOUND, "Unknown broker config name: nope"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct diag diag = {""};
        assert_int_equal(config_validate_dynamic(cases[i].layer, str_from(cases[i].name),
                                                 str_from(cases[i].value), &diag), cases[i].err);
        assert_non_null(strstr(diag.text, cases[i].words));
    }
}

static void test_validate_layer(void **state)
{
    struct config *c = loaded("max.connections.per.ip.overrides=10.0.0.1:5\n");
    struct properties values;
    struct diag diag;
    properties_init(&values);
    assert_int_equal(config_validate_layer(c, CONFIG_SOURCE_BROKER, &values, &diag), ERR_OK);
    properties_set(&values, str_from("max.connections.per.ip"), str_from(" 0 "), 0);
    assert_int_equal(config_validate_layer(c, CONFIG_SOURCE_BROKER, &values, &diag), ERR_OK);
    properties_set(&values, str_from("max.connections.per.ip.overrides"), str_from(" "), 0);
    assert_int_equal(config_validate_layer(c, CONFIG_SOURCE_BROKER, &values, &diag), ERR_INVALID);
    assert_string_equal(diag.text, "requirement failed: max.connections.per.ip can be set to zero only if "
                                   "max.connections.per.ip.overrides property is set.");
    assert_int_equal(config_validate_layer(c, CONFIG_SOURCE_BROKER, &values, NULL), ERR_INVALID);
    // What the layer had before does not count; what lies above it does.
    config_set_dynamic(c, CONFIG_SOURCE_BROKER_DEFAULT, "log.retention.ms", "0");
    properties_unset(&values, "max.connections.per.ip.overrides");
    assert_int_equal(config_validate_layer(c, CONFIG_SOURCE_BROKER_DEFAULT, &values, &diag), ERR_OK);
    assert_int_equal(config_validate_layer(c, CONFIG_SOURCE_BROKER, &values, &diag), ERR_INVALID);
    config_set_dynamic(c, CONFIG_SOURCE_BROKER, "log.retention.ms", "-1");
    config_set_dynamic(c, CONFIG_SOURCE_BROKER, "max.connections.per.ip", "7");
    assert_int_equal(config_i32(c, "max.connections.per.ip"), 7); // nothing was changed
    properties_release(&values);
    config_free(c);
}

static void test_keys_of_a_listener(void **state)
{
    struct config *c = loaded("listener.name.internal.max.connections=7\nmax.connections=9\n");
    char key[CONFIG_LISTENER_KEY_MAX];
    config_listener_key("INTERNAL", "max.connections", key);
    assert_string_equal(key, "listener.name.internal.max.connections");
    assert_int_equal(config_i32(c, key), 7);
    config_set_dynamic(c, CONFIG_SOURCE_BROKER, key, "6");
    assert_int_equal(config_i32(c, key), 6);
    config_listener_key("EXTERNAL", "max.connections", key);
    assert_int_equal(config_i32(c, key), INT32_MAX);
    config_free(c);
}

static void assert_synonym(const struct config_view *v, int i, const char *name, const char *value,
                           enum config_source source)
{
    assert_true(i < v->synonym_count);
    assert_string_equal(v->synonyms[i].name, name);
    if (value == NULL)
        assert_null(v->synonyms[i].value);
    else
        assert_string_equal(v->synonyms[i].value, value);
    assert_int_equal(v->synonyms[i].source, source);
}

static void test_describe(void **state)
{
    struct config *c = loaded("num.partitions=4\nlog.retention.hours=1\nssl.key.password=hush\n"
                              "listener.name.a.ssl.key.password=hush2\n");
    config_set_dynamic(c, CONFIG_SOURCE_BROKER_DEFAULT, "log.retention.ms", "5000");
    struct config_view v;
    assert_int_equal(config_describe(c, "num.partitions", &v), ERR_OK);
    assert_string_equal(v.value, "4");
    assert_int_equal(v.source, CONFIG_SOURCE_STATIC);
    assert_true(v.read_only);
    assert_int_equal(v.synonym_count, 2);
    assert_synonym(&v, 0, "num.partitions", "4", CONFIG_SOURCE_STATIC);
    assert_synonym(&v, 1, "num.partitions", "1", CONFIG_SOURCE_DEFAULT);

    assert_int_equal(config_describe(c, "log.retention.ms", &v), ERR_OK);
    assert_string_equal(v.value, "5000");
    assert_false(v.read_only);
    assert_int_equal(v.synonym_count, 3);
    assert_synonym(&v, 0, "log.retention.ms", "5000", CONFIG_SOURCE_BROKER_DEFAULT);
    assert_synonym(&v, 1, "log.retention.hours", "1", CONFIG_SOURCE_STATIC);
    assert_synonym(&v, 2, "log.retention.hours", "168", CONFIG_SOURCE_DEFAULT);

    // What another name says is listed, and is not where this name's value comes from.
    assert_int_equal(config_describe(c, "log.retention.minutes", &v), ERR_OK);
    assert_null(v.value);
    assert_int_equal(v.source, CONFIG_SOURCE_DEFAULT);

    assert_int_equal(config_describe(c, "ssl.key.password", &v), ERR_OK);
    assert_true(v.sensitive);
    assert_null(v.value);
    assert_synonym(&v, 0, "ssl.key.password", NULL, CONFIG_SOURCE_STATIC);
    assert_int_equal(config_describe(c, "listener.name.a.ssl.key.password", &v), ERR_OK);
    assert_null(v.value);
    assert_int_equal(v.synonym_count, 2);
    assert_synonym(&v, 0, "listener.name.a.ssl.key.password", NULL, CONFIG_SOURCE_STATIC);
    assert_synonym(&v, 1, "ssl.key.password", NULL, CONFIG_SOURCE_STATIC);
    config_set_dynamic(c, CONFIG_SOURCE_BROKER, "listener.name.a.max.connections", "5");
    config_set_dynamic(c, CONFIG_SOURCE_BROKER_DEFAULT, "listener.name.a.max.connections", "6");
    assert_int_equal(config_describe(c, "listener.name.a.max.connections", &v), ERR_OK);
    assert_string_equal(v.value, "5");
    assert_int_equal(v.source, CONFIG_SOURCE_BROKER);
    assert_false(v.read_only);
    assert_int_equal(v.synonym_count, 3);
    assert_synonym(&v, 0, "listener.name.a.max.connections", "5", CONFIG_SOURCE_BROKER);
    assert_synonym(&v, 1, "listener.name.a.max.connections", "6", CONFIG_SOURCE_BROKER_DEFAULT);
    assert_synonym(&v, 2, "max.connections", "2147483647", CONFIG_SOURCE_DEFAULT);
    struct arena arena;
    const char **names;
    arena_init(&arena, 1000);
    assert_int_equal(config_listener_names(c, &arena, &names), 2);
    assert_string_equal(names[0], "listener.name.a.max.connections");
    assert_string_equal(names[1], "listener.name.a.ssl.key.password");
    arena_release(&arena);
    assert_int_equal(config_describe(c, "nope", &v), ERR_NOT_FOUND);
    for (int i = 0; i < config_key_count(CONFIG_BROKER); i++)
        assert_int_equal(config_describe(c, config_key_name(config_key_at(CONFIG_BROKER, i)), &v),
                         ERR_OK);
    config_free(c);
}

static void test_describe_topic(void **state)
{
    struct config *c = loaded("log.retention.hours=1\nlog.segment.bytes=2000000\n");
    struct arena arena;
    arena_init(&arena, 10000);
    struct properties own;
    properties_init(&own);
    properties_set(&own, str_from("preallocate"), str_from("TRUE"), 0);
    properties_set(&own, str_from("flush.ms"), str_from("what"), 0); // not ours: ignored
    struct config_view v;

    assert_int_equal(config_describe_topic(c, &own, "preallocate", &arena, &v), ERR_OK);
    assert_string_equal(v.value, "true");
    assert_int_equal(v.source, CONFIG_SOURCE_TOPIC);
    assert_false(v.read_only);
    assert_int_equal(v.synonym_count, 2);
    assert_synonym(&v, 0, "preallocate", "true", CONFIG_SOURCE_TOPIC);
    assert_synonym(&v, 1, "log.preallocate", "false", CONFIG_SOURCE_DEFAULT);

    assert_int_equal(config_describe_topic(c, &own, "retention.ms", &arena, &v), ERR_OK);
    assert_string_equal(v.value, "3600000");
    assert_int_equal(v.source, CONFIG_SOURCE_STATIC);
    assert_synonym(&v, 0, "log.retention.hours", "1", CONFIG_SOURCE_STATIC);

    assert_int_equal(config_describe_topic(c, NULL, "segment.bytes", &arena, &v), ERR_OK);
    assert_string_equal(v.value, "2000000");
    assert_synonym(&v, 0, "log.segment.bytes", "2000000", CONFIG_SOURCE_STATIC);

    assert_int_equal(config_describe_topic(c, &own, "flush.ms", &arena, &v), ERR_OK);
    assert_string_equal(v.value, "9223372036854775807");
    assert_int_equal(v.source, CONFIG_SOURCE_DEFAULT);

    assert_int_equal(config_describe_topic(c, &own, "remote.storage.enable", &arena, &v), ERR_OK);
    assert_string_equal(v.value, "false");
    assert_int_equal(v.synonym_count, 0);
    assert_int_equal(v.source, CONFIG_SOURCE_DEFAULT);
    assert_int_equal(config_describe_topic(c, &own, "nope", &arena, &v), ERR_NOT_FOUND);

    struct arena full;
    arena_init(&full, 1);
    assert_int_equal(config_describe_topic(c, &own, "preallocate", &full, &v), ERR_NOMEM);
    assert_int_equal(config_describe_topic(c, &own, "retention.ms", &full, &v), ERR_NOMEM);
    arena_release(&full);
    arena_release(&arena);
    properties_release(&own);
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_a_copy_stands_alone),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_override_needs_an_assignment),
        cmocka_unit_test(test_load_names_file_and_line),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_check_refuses),
        cmocka_unit_test(test_check_survives_many_errors),
        cmocka_unit_test(test_check_warns_once),
        cmocka_unit_test(test_validate_dynamic),
        cmocka_unit_test(test_validate_layer),
        cmocka_unit_test(test_keys_of_a_listener),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_describe_topic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "config/config.h"
#include "config/listeners.h"

static int resolve(const char *text, struct node_config *out, struct diag *diag)
{
    struct config *c = config_new();
    assert_int_equal(config_load(c, str_from(text), "test", NULL), ERR_OK);
    int err = node_config_resolve(out, c, diag);
    config_free(c);
    return err;
}

static void test_empty_file(void **state)
{
    struct node_config n;
    struct diag diag;
    assert_int_equal(resolve("", &n, &diag), ERR_OK);
    assert_int_equal(n.node_id, 1);
    assert_true(n.is_broker && n.is_controller);
    assert_int_equal(n.listeners.count, 1);
    assert_string_equal(n.listeners.items[0].name, "PLAINTEXT");
    assert_string_equal(n.listeners.items[0].host, "");
    assert_int_equal(n.listeners.items[0].port, 9092);
    assert_int_equal(n.listeners.items[0].protocol, SECURITY_PLAINTEXT);
    assert_false(n.listeners.items[0].controller);
    assert_int_equal(n.advertised.count, 0);
    assert_int_equal(n.inter_broker, 0);
    assert_int_equal(n.voter_count, 0);
}

static void test_combined_node(void **state)
{
    struct node_config n;
    struct diag diag = {""};
    int err = resolve("process.roles=broker,controller\n"
                      "node.id=3\n"
                      "controller.quorum.voters=3@localhost:9093\n"
                      "listeners=internal://[::1]:9091,EXTERNAL://0.0.0.0:9092,CONTROLLER://:9093\n"
                      "advertised.listeners=INTERNAL://[fe80::1%eth0]:9091,"
                      "EXTERNAL://k.example:19092\n"
                      "listener.security.protocol.map=INTERNAL:PLAINTEXT, EXTERNAL:PLAINTEXT,"
                      "controller:plaintext\n"
                      "controller.listener.names=CONTROLLER\n"
                      "inter.broker.listener.name=EXTERNAL\n", &n, &diag);
    assert_string_equal(diag.text, "");
    assert_int_equal(err, ERR_OK);
    assert_int_equal(n.node_id, 3);
    assert_int_equal(n.listeners.count, 3);
    assert_string_equal(n.listeners.items[0].name, "INTERNAL");
    assert_string_equal(n.listeners.items[0].host, "::1");
    assert_true(n.listeners.items[2].controller);
    assert_int_equal(n.advertised.count, 2);
    assert_string_equal(n.advertised.items[0].host, "fe80::1%eth0");
    assert_string_equal(n.advertised.items[1].host, "k.example");
    assert_int_equal(n.advertised.items[1].port, 19092);
    assert_int_equal(n.inter_broker, 1);
    assert_int_equal(n.voter_count, 1);
    assert_int_equal(n.voters[0].node_id, 3);
    assert_string_equal(n.voters[0].host, "localhost");
    assert_int_equal(n.voters[0].port, 9093);
    assert_ptr_equal(listeners_find(&n.listeners, str_from("external")), &n.listeners.items[1]);
    assert_null(listeners_find(&n.listeners, str_from("nope")));
}

static void test_accepted(void **state)
{
    static const char *const texts[] = {
        // The file that Apache Kafka ships as its example.
        "process.roles=broker,controller\nnode.id=1\n"
        "controller.quorum.bootstrap.servers=localhost:9093\n"
        "listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ninter.broker.listener.name=PLAINTEXT\n"
        "advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n"
        "controller.listener.names=CONTROLLER\n"
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL\n",
        // A controller's listener needs no entry in a map that nobody set.
        "listeners=PLAINTEXT://:9092,CTRL://:9093\ncontroller.listener.names=CTRL\n",
        // Only one listener: no question which one brokers use.
        "listeners=MINE://:9092\nlistener.security.protocol.map=MINE:PLAINTEXT\n",
        "listeners=PLAINTEXT://127.0.0.1:9092,OTHER://[::1]:9092\n"
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,OTHER:PLAINTEXT\n",
        "listeners=PLAINTEXT://127.0.0.1:0,OTHER://127.0.0.1:0\n"
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,OTHER:PLAINTEXT\n",
        "broker.id=7\n", "node.id=7\nbroker.id=7\n",
        "controller.quorum.voters=1@[::1]:9093\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct node_config n;
        struct diag diag = {""};
        if (resolve(texts[i], &n, &diag) != ERR_OK)
            fail_msg("%s\n%s", texts[i], diag.text);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        int err;
        const char *words;
    } cases[] = {
        {"listeners=", ERR_INVALID, "listeners is empty"},
        {"listeners=PLAINTEXT", ERR_INVALID, "expected NAME://host:port"},
        {"listeners=PLAINTEXT://", ERR_INVALID, "expected NAME://host:port"},
        {"listeners=://:9092", ERR_INVALID, "expected NAME://host:port"},
        {"listeners=PLAINTEXT://host", ERR_INVALID, "expected NAME://host:port"},
        {"listeners=PLAINTEXT://host:", ERR_INVALID, "expected NAME://host:port"},
        {"listeners=PLAINTEXT://host:65536", ERR_INVALID, "port of 0 to 65535"},
        {"listeners=PLAINTEXT://host:-1", ERR_INVALID, "port of 0 to 65535"},
        {"listeners=PLAINTEXT://::1:9092", ERR_INVALID, "IPv6 address in brackets"},
        {"listeners=PLAINTEXT://ho st:9092", ERR_INVALID, "Invalid value"},
        {"listeners=PLAINTEXT://:9092,", ERR_INVALID, "Invalid value"},
        {"listeners=PLAINTEXT://:9092,plaintext://:9093", ERR_INVALID,
         "Each listener must have a different name, but PLAINTEXT"},
        {"listeners=PLAINTEXT://:9092,CTRL://:9092\ncontroller.listener.names=CTRL", ERR_INVALID,
         "Each listener must have a different port, but PLAINTEXT and CTRL"},
        {"listeners=FOO://:9092", ERR_INVALID, "No security protocol defined for listener FOO"},
        {"listeners=FOO://:9092\nlistener.security.protocol.map=FOO:TLS", ERR_INVALID,
         "Invalid value FOO:TLS for configuration listener.security.protocol.map"},
        {"listeners=SSL://:9092", ERR_INVALID, "listener SSL asks for SSL: TLS is not there yet"},
        {"listeners=PLAINTEXT://:9092,SASL_PLAINTEXT://:9093", ERR_INVALID,
         "authentication is not there yet"},
        {"listeners=PLAINTEXT://:9092\nlistener.security.protocol.map=PLAINTEXT:SASL_SSL",
         ERR_INVALID, "listener PLAINTEXT asks for SASL_SSL"},
        {"controller.listener.names=CTRL", ERR_INVALID, "names no listener of listeners="},
        {"controller.listener.names=PLAINTEXT", ERR_INVALID, "has no listener for clients"},
        {"process.roles=broker\ncontroller.listener.names=PLAINTEXT", ERR_INVALID,
         "must not be in listeners"},
        {"advertised.listeners=OTHER://h:1", ERR_INVALID, "No security protocol defined"},
        {"advertised.listeners=SSL://h:1", ERR_INVALID, "has SSL, which is not in listeners"},
        {"advertised.listeners=PLAINTEXT://0.0.0.0:9092", ERR_INVALID, "cannot use the address"},
        {"advertised.listeners=PLAINTEXT://[::]:9092", ERR_INVALID, "cannot use the address ::"},
        {"advertised.listeners=PLAINTEXT://h:0", ERR_INVALID, "needs a port for PLAINTEXT"},
        {"inter.broker.listener.name=X", ERR_INVALID, "inter.broker.listener.name must name one"},
        {"inter.broker.listener.name=PLAINTEXT\nsecurity.inter.broker.protocol=PLAINTEXT",
         ERR_INVALID, "Only one of inter.broker.listener.name"},
        {"listeners=A://:1,B://:2\nlistener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT",
         ERR_INVALID, "it is not set"},
        {"node.id=1\nbroker.id=2", ERR_INVALID, "node.id (1) and broker.id (2)"},
        {"controller.quorum.voters=2@h:1", ERR_INVALID, "node.id 1 must be one of"},
        {"controller.quorum.voters=x@h:1", ERR_INVALID, "expected id@host:port"},
        {"controller.quorum.voters=1@h", ERR_INVALID, "expected id@host:port"},
        {"controller.quorum.voters=1@a:1,2@b:1,3@c:1", ERR_UNSUPPORTED, "has 3 members"},
        {"process.roles=broker\ncontroller.quorum.voters=2@h:1", ERR_UNSUPPORTED,
         "process.roles must be broker,controller"},
        {"process.roles=controller\nlisteners=C://:1\ncontroller.listener.names=C", ERR_UNSUPPORTED,
         "process.roles must be broker,controller"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct node_config n = {.node_id = 77};
        struct diag diag = {""};
        int err = resolve(cases[i].text, &n, &diag);
        if (err != cases[i].err || strstr(diag.text, cases[i].words) == NULL)
            fail_msg("%s\nsays: %s", cases[i].text, diag.text);
        assert_int_equal(n.node_id, 77); // untouched
    }
}

static void test_bounds(void **state)
{
    struct buf text;
    buf_init(&text, 100000);
    buf_append_text(&text, "listeners=");
    for (int i = 0; i < 100; i++)
        buf_printf(&text, "%sL%d://:%d", i > 0 ? "," : "", i, 1000 + i);
    buf_append_text(&text, "\nlistener.security.protocol.map=");
    for (int i = 0; i < 100; i++)
        buf_printf(&text, "%sL%d:PLAINTEXT", i > 0 ? "," : "", i);
    struct node_config n;
    struct diag diag = {""};
    assert_int_equal(resolve(buf_text(&text), &n, &diag), ERR_INVALID);
    assert_non_null(strstr(diag.text, "more than 32 listeners"));

    buf_clear(&text);
    buf_append_text(&text, "listeners=PLAINTEXT://");
    for (int i = 0; i < 300; i++)
        buf_append_u8(&text, 'h');
    buf_append_text(&text, ":1");
    assert_int_equal(resolve(buf_text(&text), &n, &diag), ERR_INVALID);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_file), cmocka_unit_test(test_combined_node),
        cmocka_unit_test(test_accepted),   cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
//
// Settings of groups: the words are those that Apache Kafka 4.4 answered with.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "config/config.h"
#include "config/group_config.h"

static void test_validate(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        const char *words; // NULL: good
    } table[] = {
        {"consumer.session.timeout.ms", "45000", NULL},
        {"consumer.session.timeout.ms", "1",
         "consumer.session.timeout.ms must be in the range 45000 to 60000 inclusive."},
        {"consumer.heartbeat.interval.ms", "0",
         "Invalid value 0 for configuration consumer.heartbeat.interval.ms: Value must be at least 1"},
        {"consumer.heartbeat.interval.ms", "abc",
         "Invalid value abc for configuration consumer.heartbeat.interval.ms: Not a number of type INT"},
        {"consumer.nope", "1", "Unknown group config name: consumer.nope"},
        {"consumer.assignment.interval.ms", "0", NULL},
        {"consumer.assignment.interval.ms", "15001",
         "consumer.assignment.interval.ms must be in the range 0 to 15000 inclusive."},
        {"streams.num.standby.replicas", "3", "streams.num.standby.replicas must be less than or equal to 2"},
        {"streams.task.offset.interval.ms", "10",
         "streams.task.offset.interval.ms must be greater than or equal to 15000"},
        {"streams.assignor.name", "sticky", NULL},
        {"streams.assignor.name", "x",
         "streams.assignor.name 'x' is not a registered task assignor. Registered assignors are: [sticky]."},
        {"share.auto.offset.reset", "by_duration:P1DT2.5S", NULL},
        {"share.auto.offset.reset", "by_duration:P",
         "Invalid value by_duration:P for configuration share.auto.offset.reset: Invalid value "
         "`by_duration:P` for configuration share.auto.offset.reset. The value must be either 'earliest', "
         "'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."},
    };
    struct config *broker = config_new();
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct properties p;
        struct diag diag;
        properties_init(&p);
        diag_clear(&diag);
        properties_set(&p, str_from(table[i].name), str_from(table[i].value), 0);
        assert_int_equal(group_config_validate(broker, &p, &diag),
                         table[i].words == NULL ? 0 : ERR_INVALID);
        assert_string_equal(diag.text, table[i].words == NULL ? "" : table[i].words);
        properties_release(&p);
    }
    config_free(broker);
}

static void test_value(void **state)
{
    static const char name[] = "consumer.session.timeout.ms";
    struct config *broker = config_new();
    struct properties p;
    properties_init(&p);
    assert_int_equal(group_config_i32(broker, NULL, name), 45000);
    assert_int_equal(group_config_i32(broker, &p, name), 45000);
    properties_set(&p, str_from(name), str_from("50000"), 0);
    assert_int_equal(group_config_i32(broker, &p, name), 50000);
    // The broker's bounds may be others than when it was set.
    config_set_static(broker, "group.consumer.max.session.timeout.ms", str_from("48000"));
    assert_int_equal(group_config_i32(broker, &p, name), 48000);
    config_set_static(broker, "group.consumer.session.timeout.ms", str_from("46000"));
    properties_unset(&p, name);
    assert_int_equal(group_config_i32(broker, &p, name), 46000);
    properties_release(&p);
    config_free(broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_validate),
        cmocka_unit_test(test_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

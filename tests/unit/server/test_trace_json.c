// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "codec/json.h"
#include "server/trace_json.h"

static const char now[] = "2026-11-21T16:03:35.123Z";

static void test_lines(void **state)
{
    const struct trace_field fields[] = {
        {"topic", .text = "a \"b\""}, {"partition", .number = -3}, {"empty", .text = ""}, {0}};
    static const struct {
        enum trace_level level;
        const char *line;
        bool fields;
        const char *expected;
    } cases[] = {
        {TRACE_INFO, "ready", false,
         "{\"time\":\"2026-11-21T16:03:35.123Z\",\"level\":\"INFO\",\"area\":\"log\","
         "\"message\":\"ready\"}"},
        {TRACE_ERROR, "back\\slash \"quoted\" \xc3\xa9", false,
         "{\"time\":\"2026-11-21T16:03:35.123Z\",\"level\":\"ERROR\",\"area\":\"log\","
         "\"message\":\"back\\\\slash \\\"quoted\\\" \xc3\xa9\"}"},
        {TRACE_WARN, "x", true,
         "{\"time\":\"2026-11-21T16:03:35.123Z\",\"level\":\"WARN\",\"area\":\"log\","
         "\"message\":\"x\",\"topic\":\"a \\\"b\\\"\",\"partition\":-3,\"empty\":\"\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;
        buf_init(&out, 10000);
        trace_json_format(&out, now, cases[i].level, "log", cases[i].line,
                          cases[i].fields ? fields : NULL);
        assert_string_equal(buf_text(&out), cases[i].expected);
        buf_release(&out);
    }
}

// Whatever a peer or a file puts into a message: one line, and JSON.
static void test_any_bytes(void **state)
{
    for (int first = 1; first < 256; first++) {
        char line[] = {(char)first, 'x', (char)0xc3, (char)first, (char)0xf0, (char)0x9f, '\0'};
        const struct trace_field fields[] = {{"key", .text = line}, {0}};
        struct buf out;
        json_t *read = NULL;
        buf_init(&out, 10000);
        trace_json_format(&out, now, TRACE_INFO, "log", line, fields);
        assert_false(out.failed);
        assert_null(memchr(out.data, '\n', out.size));
        assert_int_equal(json_read(buf_str(&out), &read, NULL), ERR_OK);
        assert_non_null(json_object_get(read, "message"));
        json_decref(read);
        buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

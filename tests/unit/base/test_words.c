// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/trace.h"

static void test_every_error_has_words(void **state)
{
    for (int err = ERR_OFFLINE; err <= ERR_OK; err++) {
        assert_int_equal(strncmp(err_name(err), "ERR_", 4), 0);
        assert_string_not_equal(err_name(err), "ERR_UNKNOWN");
        assert_true(strlen(err_text(err)) > 5);
    }
    assert_string_equal(err_name(ERR_OK), "ERR_OK");
    assert_string_equal(err_name(ERR_OFFLINE), "ERR_OFFLINE");
    assert_string_equal(err_name(ERR_TIMEOUT), "ERR_TIMEOUT");
    assert_string_equal(err_name(1), "ERR_UNKNOWN");
    assert_string_equal(err_name(-1000), "ERR_UNKNOWN");
    assert_string_equal(err_name(INT32_MIN), "ERR_UNKNOWN");
}

static void test_diag(void **state)
{
    struct diag d;
    assert_int_equal(diag_set(&d, ERR_INVALID, "%s is %d", "x", 5), ERR_INVALID);
    assert_string_equal(d.text, "x is 5");
    diag_prefix(&d, "line %d", 3);
    assert_string_equal(d.text, "line 3: x is 5");
    assert_int_equal(diag_set(NULL, ERR_IO, "ignored"), ERR_IO);
    diag_prefix(NULL, "ignored");

    char big[2 * DIAG_TEXT_MAX];
    memset(big, 'a', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    diag_set(&d, ERR_IO, "%s", big);
    assert_int_equal(strlen(d.text), DIAG_TEXT_MAX - 1);
    diag_prefix(&d, "p");
    assert_int_equal(strlen(d.text), DIAG_TEXT_MAX - 1);
    assert_int_equal(strncmp(d.text, "p: aaa", 6), 0);
    diag_prefix(&d, "%s", big);
    assert_int_equal(strlen(d.text), DIAG_TEXT_MAX - 1);
    diag_clear(&d);
    assert_string_equal(d.text, "");
}

struct lines {
    struct trace trace;
    struct buf text;
};

static void keep(struct trace *t, enum trace_level level, const char *area, const char *line)
{
    buf_printf(&((struct lines *)t)->text, "%s %s %s\n", trace_level_name(level), area, line);
}

static void keep_event(struct trace *t, enum trace_level level, const char *area, const char *line,
                       const struct trace_field *fields)
{
    buf_printf(&((struct lines *)t)->text, "%s %s %s %s=%s %lld\n", trace_level_name(level), area,
               line, fields[0].name, fields[0].text, (long long)fields[1].number);
}

static void test_trace(void **state)
{
    struct lines l = {.trace = {.emit = keep, .level_min = TRACE_INFO}};
    buf_init(&l.text, 100000);
    trace_debug(&l.trace, "log", "not shown");
    trace_info(&l.trace, "log", "%d segments", 3);
    trace_warn(&l.trace, "net", "forged\nline \x1b[31m and \x7f, \xc3\xa9 stays");
    trace_error(&l.trace, "log", "bad");
    trace_error(NULL, "log", "nowhere");
    assert_string_equal(buf_text(&l.text), "INFO log 3 segments\n"
                                           "WARN net forged?line ?[31m and ?, \xc3\xa9 stays\n"
                                           "ERROR log bad\n");
    buf_clear(&l.text);
    const struct trace_field fields[] = {{"topic", .text = "a"}, {"offset", .number = 7}, {0}};
    trace_event(&l.trace, TRACE_INFO, "log", fields, "dropped\n%d", 1);
    l.trace.emit_event = keep_event;
    trace_event(&l.trace, TRACE_WARN, "log", fields, "with fields");
    trace_event(&l.trace, TRACE_DEBUG, "log", fields, "not shown");
    trace_event(NULL, TRACE_WARN, "log", fields, "nowhere");
    assert_string_equal(buf_text(&l.text), "INFO log dropped?1\nWARN log with fields topic=a 7\n");
    buf_clear(&l.text);
    trace_info(&l.trace, "log", "%05000d", 1);
    assert_int_equal(l.text.size, strlen("INFO log ") + TRACE_LINE_MAX - 1 + 1);
    buf_release(&l.text);
}

static void test_mem(void **state)
{
    assert_null(mem_copy_text(NULL));
    char *copy = mem_copy_str(str_of("abcdef", 3));
    assert_string_equal(copy, "abc");
    mem_free(copy);
    copy = mem_copy_str((struct str){0});
    assert_string_equal(copy, "");
    mem_free(copy);
    mem_free(NULL);
    int *numbers = NULL;
    int count = 0, capacity = 0;
    for (; count < 100; count++) {
        mem_grow(numbers, count, capacity);
        numbers[count] = count;
    }
    assert_true(capacity >= 100 && numbers[99] == 99 && numbers[0] == 0);
    mem_free(numbers);
    uint64_t *zeros = mem_alloc_array(10, sizeof *zeros);
    for (int i = 0; i < 10; i++)
        assert_true(zeros[i] == 0);
    mem_free(zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_error_has_words),
        cmocka_unit_test(test_diag),
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_mem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

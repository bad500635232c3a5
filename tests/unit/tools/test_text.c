// SPDX-License-Identifier: Apache-2.0
//
// Offsets, times and formats as people type and read them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "client/fetcher.h"
#include "tools/format.h"
#include "tools/offsets.h"
#include "tools/output.h"

enum { NOW_MS = 1000000000 };

static void offsets(void **state)
{
    static const struct {
        const char *text;
        struct offset_range range;
    } cases[] = {
        {"start", {{OFFSET_START, 0}, {OFFSET_NEVER, 0}}},
        {"end", {{OFFSET_END, 0}, {OFFSET_NEVER, 0}}},
        {"47", {{OFFSET_EXACT, 47}, {OFFSET_NEVER, 0}}},
        {"+2", {{OFFSET_START, 2}, {OFFSET_NEVER, 0}}},
        {"-3", {{OFFSET_END, 3}, {OFFSET_NEVER, 0}}},
        {"10:20", {{OFFSET_EXACT, 10}, {OFFSET_EXACT, 20}}},
        {"10:", {{OFFSET_EXACT, 10}, {OFFSET_END, 0}}},
        {":20", {{OFFSET_START, 0}, {OFFSET_EXACT, 20}}},
        {":end", {{OFFSET_START, 0}, {OFFSET_END, 0}}},
        {"-5:-1", {{OFFSET_END, 5}, {OFFSET_END, 1}}},
        {"@1700000000000", {{OFFSET_TIME, 1700000000000}, {OFFSET_NEVER, 0}}},
        {"@-10m", {{OFFSET_TIME, NOW_MS - 600000}, {OFFSET_NEVER, 0}}},
        {"@1970-01-02", {{OFFSET_TIME, 86400000}, {OFFSET_NEVER, 0}}},
        {"@1970-01-02T01:00Z", {{OFFSET_TIME, 90000000}, {OFFSET_NEVER, 0}}},
        {"@1970-01-02T01:00+01:00", {{OFFSET_TIME, 86400000}, {OFFSET_NEVER, 0}}},
        {"@1970-01-02:1970-01-03", {{OFFSET_TIME, 86400000}, {OFFSET_TIME, 172800000}}},
        {"@-1h:-10m", {{OFFSET_TIME, NOW_MS - 3600000}, {OFFSET_TIME, NOW_MS - 600000}}},
        {"@1970-01-02T01:00Z:1970-01-02T02:00Z", {{OFFSET_TIME, 90000000}, {OFFSET_TIME, 93600000}}},
        {"@:1970-01-02", {{OFFSET_START, 0}, {OFFSET_TIME, 86400000}}},
        {"@-1h:", {{OFFSET_TIME, NOW_MS - 3600000}, {OFFSET_END, 0}}},
        {"@-1h:end", {{OFFSET_TIME, NOW_MS - 3600000}, {OFFSET_END, 0}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct offset_range r;
        struct diag diag = {""};
        if (offset_range_parse(str_from(cases[i].text), NOW_MS, &r, &diag) < 0)
            fail_msg("%s: %s", cases[i].text, diag.text);
        const struct offset_range *e = &cases[i].range;
        if (r.from.kind != e->from.kind || r.from.value != e->from.value || r.to.kind != e->to.kind ||
            r.to.value != e->to.value)
            fail_msg("%s: %d %lld .. %d %lld", cases[i].text, r.from.kind, (long long)r.from.value,
                     r.to.kind, (long long)r.to.value);
    }
}

static void bad_offsets(void **state)
{
    static const char *const cases[] = {"",   ":",     "x",    "1:x",        "@",
                                        "@x", "@-10y", "1:2:3", "@2026-13-01", "@:"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct offset_range r;
        struct diag diag;
        if (offset_range_parse(str_from(cases[i]), NOW_MS, &r, &diag) != ERR_INVALID)
            fail_msg("\"%s\" was accepted", cases[i]);
        assert_non_null(strstr(diag.text, "start, end"));
    }
}

static void times(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"1970-01-01", 0},
        {"2000-02-29", 951782400000},
        {"2026-11-21T16:05:00.123Z", 1795277100123},
        {"2026-11-21 16:05:00,5", 1795277100500},
        {"2026-11-21T16:05:00-02:30", 1795286100000},
        {"1969-12-31T23:59:59.999Z", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = -5;
        if (!time_parse(str_from(cases[i].text), &ms) || ms != cases[i].ms)
            fail_msg("%s: %lld", cases[i].text, (long long)ms);
    }
    int64_t ms;
    assert_false(time_parse(str_from("2026-02-29"), &ms));
    assert_false(time_parse(str_from("2026-11-21T25:00"), &ms));
    assert_false(time_parse(str_from("2026-11-21x"), &ms));
    assert_true(duration_parse(str_from("1h30m"), &ms));
    assert_int_equal(ms, 5400000);
    assert_true(duration_parse(str_from("250ms"), &ms));
    assert_int_equal(ms, 250);
    assert_false(duration_parse(str_from("10"), &ms));
    assert_true(iso_duration_parse(str_from("P1DT2H3M4.5S"), &ms));
    assert_int_equal(ms, (((24 + 2) * 60 + 3) * 60 + 4) * INT64_C(1000) + 500);
    assert_false(iso_duration_parse(str_from("PT1D"), &ms));
    assert_false(iso_duration_parse(str_from("P"), &ms));
}

static void times_are_printed_in_utc(void **state)
{
    struct buf b;
    buf_init(&b, 4096);
    time_format(&b, "%A %d %B %Y %H:%M:%S.%L %j %p %%", 1795277100123);
    assert_string_equal(buf_text(&b), "Saturday 21 November 2026 16:05:00.123 325 PM %");
    buf_clear(&b);
    time_format_rfc3339(&b, -1);
    assert_string_equal(buf_text(&b), "1969-12-31T23:59:59.999Z");
    buf_release(&b);
}

static const uint8_t header_bytes[] = {2, 'h', 4, 'x', 'y', 4, 'n', 'o', 1}; // h=xy, no=null

static struct fetched sample(void)
{
    return (struct fetched){
        .topic = str_from("orders"),
        .partition = 3,
        .leader_epoch = 7,
        .batch = {.producer_id = 9, .producer_epoch = 2, .attributes = 4},
        .record =
            {
                .offset = 258,
                .timestamp = 1795277100123,
                .key = {0},
                .value = bytes_of("a\"b", 3),
                .header_count = 2,
                .headers = bytes_of(header_bytes, sizeof header_bytes),
            },
    };
}

static void formats(void **state)
{
    static const struct {
        const char *format;
        const char *text;
    } cases[] = {
        {"%t[%p]@%o e%e", "orders[3]@258 e7"},
        {"%v\\n\\t\\x41\\\\", "a\"b\n\tA\\"},
        {"%k|%k{null[NIL]}|%k{json}|%v{json}", "|NIL|null|\"a\\\"b\""},
        {"%v{hex} %v{base64} %o{hex}", "612262 YSJi 102"},
        {"%T %K %V %H %i", "6 -1 3 2 5"},
        {"%h{%k=%v;}", "h=xy;no=;"},
        {"%h{%k=%v{null[~]} }", "h=xy no=~ "},
        {"%d %d{rfc3339} %d{strftime[%F]}", "1795277100123 2026-11-21T16:05:00.123Z 2026-11-21"},
        {"%% %{%} %a %x %y", "% {} 4 9 2"},
    };
    struct fetched r = sample();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct format *f;
        struct diag diag = {""};
        struct buf b;
        buf_init(&b, 4096);
        if (format_compile(str_from(cases[i].format), &f, &diag) < 0)
            fail_msg("%s", diag.text);
        format_record(f, &r, 5, &b);
        assert_string_equal(buf_text(&b), cases[i].text);
        format_free(f);
        buf_release(&b);
    }
}

static void binary_numbers(void **state)
{
    struct fetched r = sample();
    struct format *f;
    struct diag diag;
    struct buf b;
    buf_init(&b, 4096);
    assert_int_equal(format_compile(str_from("%o{big16}%o{little32}%p{big8}"), &f, &diag), 0);
    format_record(f, &r, 0, &b);
    assert_int_equal(b.size, 7);
    assert_memory_equal(b.data, "\x01\x02\x02\x01\x00\x00\x03", 7);
    format_free(f);
    buf_release(&b);
}

static void bad_formats(void **state)
{
    static const char *const cases[] = {"%",      "%q",     "%v{",      "%v{x}",  "%h",
                                        "%h{%q}", "\\",     "\\q",      "\\x4",   "%o{base64}",
                                        "%d{x}",  "%p{big9}", "%v{big8}"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct format *f;
        struct diag diag;
        if (format_compile(str_from(cases[i]), &f, &diag) != ERR_INVALID)
            fail_msg("\"%s\" was accepted", cases[i]);
        assert_non_null(strstr(diag.text, "position"));
    }
}

static const struct column columns[] = {
    {"NAME", "name", CELL_TEXT},
    {"COUNT", "count", CELL_NUMBER},
    {"SIZE", "size", CELL_SIZE},
    {"IDS", "ids", CELL_NUMBERS},
};

static void tables_and_lines(void **state)
{
    struct rows rows;
    struct buf b;
    buf_init(&b, 4096);
    rows_init(&rows, columns, 4);
    rows_text(&rows, "a");
    rows_i64(&rows, 5);
    rows_i64(&rows, 2048);
    rows_list(&rows, (const int32_t[]){1, 2}, 2);
    rows_text(&rows, "long\"er");
    rows_text(&rows, NULL);
    rows_i64(&rows, 7);
    rows_list(&rows, NULL, 0);
    rows_write(&rows, &b, false);
    assert_string_equal(buf_text(&b), "NAME     COUNT     SIZE  IDS\n"
                                      "a            5  2.0 KiB  1,2\n"
                                      "long\"er      -      7 B  -\n");
    buf_clear(&b);
    rows_write(&rows, &b, true);
    assert_string_equal(buf_text(&b),
                        "{\"name\":\"a\",\"count\":5,\"size\":2048,\"ids\":[1,2]}\n"
                        "{\"name\":\"long\\\"er\",\"count\":null,\"size\":7,\"ids\":[]}\n");
    rows_release(&rows);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets),        cmocka_unit_test(bad_offsets),
        cmocka_unit_test(times),          cmocka_unit_test(times_are_printed_in_utc),
        cmocka_unit_test(formats),        cmocka_unit_test(binary_numbers),
        cmocka_unit_test(bad_formats),    cmocka_unit_test(tables_and_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

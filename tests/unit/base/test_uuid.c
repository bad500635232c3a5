// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/uuid.h"

static void test_golden_pairs(void **state)
{
    static const struct {
        uint64_t high, low;
        const char *text;
    } cases[] = {
        {0, 0, "AAAAAAAAAAAAAAAAAAAAAA"},
        {0, 1, "AAAAAAAAAAAAAAAAAAAAAQ"}, // the metadata topic's
        {UINT64_MAX, UINT64_MAX, "_____________________w"},
        {UINT64_C(0x0123456789abcdef), UINT64_C(0x0123456789abcdef), "ASNFZ4mrze8BI0VniavN7w"},
        {UINT64_C(0xfbefbefbefbe4efb), UINT64_C(0xbefbefbefbefbefb), "--------Tvu----------w"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct uuid id = uuid_from_halves(cases[i].high, cases[i].low);
        assert_string_equal(uuid_format(id).text, cases[i].text);
        struct uuid read;
        assert_true(uuid_parse(str_from(cases[i].text), &read));
        assert_true(uuid_equal(read, id));
    }
}

static void test_parse(void **state)
{
    struct uuid id = uuid_from_halves(7, 7);
    struct uuid before = id;
    static const char *const bad[] = {"", "A", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA",
                                      "AAAAAAAAAAAAAAAAAAAA+A", "AAAAAAAAAAAAAAAAAAAA/A",
                                      "AAAAAAAAAAAAAAAAAAAA=A", "AAAAAAAAAAAAAAAAAAAAAA=",
                                      "AAAAAAAAAAAAAAAAAAAA A"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(uuid_parse(str_from(bad[i]), &id));
    assert_false(uuid_parse(str_of("AAAAAAAAAAAAAAAAAAAA\0A", 22), &id));
    assert_true(uuid_equal(id, before));
    assert_true(uuid_parse(str_from("AAAAAAAAAAAAAAAAAAAAAQ=="), &id));
    assert_true(uuid_equal(id, uuid_from_halves(0, 1)));
}

static void test_random_ids(void **state)
{
    uint8_t raw[UUID_SIZE];
    for (int first = 0; first < 256; first++) {
        memset(raw, first, sizeof raw);
        struct uuid id = uuid_from_random(raw);
        assert_int_equal(id.bytes[6] >> 4, 4);
        assert_int_equal(id.bytes[8] >> 6, 2);
        assert_true(uuid_format(id).text[0] != '-');
        assert_false(uuid_is_reserved(id));
    }
    assert_true(uuid_is_reserved(uuid_from_halves(0, 99)));
    assert_false(uuid_is_reserved(uuid_from_halves(0, 100)));
    assert_false(uuid_is_reserved(uuid_from_halves(1, 0)));
    assert_true(uuid_is_zero(uuid_from_halves(0, 0)));
    assert_false(uuid_is_zero(uuid_from_halves(0, 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_pairs),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_random_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

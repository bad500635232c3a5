// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/prng.h"
#include "codec/crc32c.h"

static const uint8_t check_text[] = "123456789";

// RFC 3720 appendix B.4, and the check value of the CRC catalogue.
static void test_known_answers(void **state)
{
    uint8_t zeros[32] = {0}, ones[32], rising[32], falling[32];
    for (int i = 0; i < 32; i++) {
        ones[i] = 0xff;
        rising[i] = (uint8_t)i;
        falling[i] = (uint8_t)(31 - i);
    }
    const struct {
        struct bytes in;
        uint32_t crc;
    } cases[] = {
        {bytes_of(zeros, 32), 0x8a9136aa},      {bytes_of(ones, 32), 0x62a8ab43},
        {bytes_of(rising, 32), 0x46dd794e},     {bytes_of(falling, 32), 0x113fdb5c},
        {bytes_of(check_text, 9), 0xe3069283},  {bytes_of(NULL, 0), 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(crc32c(0, cases[i].in), cases[i].crc);
        assert_int_equal(crc32c_portable(0, cases[i].in), cases[i].crc);
    }
    assert_int_equal(crc32_zlib(0, bytes_of(check_text, 9)), 0xcbf43926);
    assert_int_equal(crc32_zlib(0, bytes_of(NULL, 0)), 0);
}

// Any length, any alignment, in any two pieces.
static void test_both_ways_agree(void **state)
{
    enum { SIZE = 5000 };
    static uint8_t data[SIZE];
    struct prng prng;
    prng_init(&prng, 7);
    for (int i = 0; i < SIZE; i++)
        data[i] = (uint8_t)prng_next(&prng);
    for (int i = 0; i < 2000; i++) {
        size_t start = prng_below(&prng, 64);
        size_t size = prng_below(&prng, i % 2 ? 80 : SIZE - 64);
        size_t cut = prng_below(&prng, size + 1);
        struct bytes whole = bytes_of(data + start, size);
        struct bytes head = bytes_of(data + start, cut);
        struct bytes tail = bytes_of(data + start + cut, size - cut);
        uint32_t crc = crc32c(0, whole);
        assert_int_equal(crc, crc32c_portable(0, whole));
        assert_int_equal(crc, crc32c(crc32c(0, head), tail));
        assert_int_equal(crc, crc32c_portable(crc32c_portable(0, head), tail));
        assert_int_equal(crc32_zlib(0, whole), crc32_zlib(crc32_zlib(0, head), tail));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_both_ways_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

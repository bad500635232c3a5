// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"

static void test_siphash_1_3(void **state)
{
    // Bytes 0, 1, 2, ... under the key 0; an independent implementation says:
    static const struct {
        size_t size;
        uint64_t hash;
    } cases[] = {
        {1, 0x68a914128e01e473},  {3, 0x4d4c9a4a8ef6e0ad},  {7, 0x2f098ab0c751325a},
        {8, 0xead411e67ebe2eea},  {9, 0x75927f9d95124362},  {15, 0xf30eb725bb91c9ea},
        {16, 0x8972188433a5c5b7}, {17, 0x4883c49a2c009c1d}, {63, 0x385d3e39e5f37359},
    };
    uint8_t data[64];
    for (int i = 0; i < 64; i++)
        data[i] = (uint8_t)i;
    struct hash_seed seed = {0, 0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(hash_bytes(seed, bytes_of(data, cases[i].size)) == cases[i].hash);
}

static void test_seed_and_address(void **state)
{
    // With the key 00 01 .. 0f the empty input is known too.
    struct hash_seed seed = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    assert_true(hash_bytes(seed, (struct bytes){0}) == UINT64_C(0xabac0158050fc4dc));
    assert_true(hash_str(seed, str_from("a")) != hash_str((struct hash_seed){1, 2}, str_from("a")));
    uint8_t raw[32] = "xabcdefghijk";
    assert_true(hash_bytes(seed, bytes_of(raw + 1, 11)) ==
                hash_str(seed, str_from("abcdefghijk"))); // unaligned
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash_1_3),
        cmocka_unit_test(test_seed_and_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
